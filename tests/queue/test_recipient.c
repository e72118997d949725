/*
 * What senders hear of recipients: a table of (address, sender, what is set up) and the reply; and
 * that the delivery of a message comes to the same.
 */
#include "queue/recipient.h"

#include "queue/world.h"
#include "store/quota.h"

/* --- room in mailboxes: the same as what delivery will say --- */

bool quota_check_delivery(struct store *s, const struct account *account, struct str mailbox,
                          uint64_t size, struct err *e)
{
    (void)s;
    (void)mailbox;
    (void)size;
    if (!mail_store.fails || !str_equal(account->login, str_from_c(mail_store.fails)))
        return true;
    return err_set(e, mail_store.failure, "the mailbox is not well");
}

/* --- the server of the relay domains --- */

static struct {
    unsigned asked;
} backend;

static void prober(void *arg, struct probe_job *job)
{
    (void)arg;
    while (probe_next(job)) {
        for (size_t i = 0; i < job->count; i++) {
            struct probe *p = &job->probes[i];
            backend.asked++;
            p->verdict = PROBE_REFUSED;
            p->text = STR("550 5.1.1 not here");
            strcpy(p->status, "5.1.1");
            if (str_starts_with(p->address, STR("known@")))
                p->verdict = PROBE_ACCEPTED;
            if (str_starts_with(p->address, STR("policy@")))
                strcpy(p->status, "5.7.1");
            if (str_starts_with(p->address, STR("bare@")))
                p->status[0] = '\0';
            if (str_starts_with(p->address, STR("unsure@")))
                p->verdict = PROBE_UNKNOWN;
        }
    }
}

/* --- the table --- */

enum sender { STRANGER, TRUSTED, USER, ALICE };
enum state { ALL_WELL, DIRECTORY_DOWN, BOB_FULL, BOB_FULL_NOW, BOB_BROKEN };
enum goes { NOWHERE, TO_MAILBOX, TO_WIRE, TO_NOTHING };

static const struct row {
    const char *address;
    enum sender sender;
    enum state state;
    int code;
    const char *enhanced;
    enum goes goes;
} rows[] = {
    {"alice@example.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"ALICE@EXAMPLE.TEST", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"nobody@example.test", STRANGER, ALL_WELL, 550, "5.1.1", NOWHERE},
    {"nobody@example.test", USER, ALL_WELL, 550, "5.1.1", NOWHERE},
    {"gone@example.test", STRANGER, ALL_WELL, 550, "5.2.1", NOWHERE},
    {"loop@example.test", STRANGER, ALL_WELL, 550, "5.4.6", NOWHERE},
    {"list-20001@example.test", STRANGER, ALL_WELL, 550, "5.3.5", NOWHERE},
    {"bob@example.test", STRANGER, BOB_FULL, 552, "5.2.2", NOWHERE},
    {"bob@example.test", STRANGER, BOB_FULL_NOW, 452, "4.2.2", NOWHERE},
    {"bob@example.test", STRANGER, BOB_BROKEN, 451, "4.3.0", NOWHERE},
    {"alice@example.test", STRANGER, BOB_FULL, 250, "2.1.5", TO_MAILBOX},
    {"alice@example.test", STRANGER, DIRECTORY_DOWN, 451, "4.3.0", NOWHERE},
    {"x@far.test", USER, DIRECTORY_DOWN, 451, "4.3.0", NOWHERE},

    {"x@far.test", STRANGER, ALL_WELL, 550, "5.7.1", NOWHERE},
    {"x@far.test", TRUSTED, ALL_WELL, 550, "5.7.1", NOWHERE},
    {"x@far.test", USER, ALL_WELL, 250, "2.1.5", TO_WIRE},

    {"staff@example.test", STRANGER, ALL_WELL, 550, "5.7.1", NOWHERE},
    {"Staff@Example.test", STRANGER, ALL_WELL, 550, "5.7.1", NOWHERE},
    {"staff@example.test", TRUSTED, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"staff@example.test", USER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"public@example.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX}, /* leads to staff */

    {"team@example.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"team@example.test", STRANGER, DIRECTORY_DOWN, 451, "4.3.0", NOWHERE},
    {"team@example.test", STRANGER, BOB_FULL, 250, "2.1.5", TO_MAILBOX},
    {"within@example.test", STRANGER, ALL_WELL, 550, "5.7.1", NOWHERE},
    {"within@example.test", USER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"members@example.test", STRANGER, ALL_WELL, 550, "5.7.2", NOWHERE},
    {"members@example.test", USER, ALL_WELL, 550, "5.7.2", NOWHERE},
    {"members@example.test", ALICE, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"closed@example.test", USER, ALL_WELL, 550, "5.2.1", NOWHERE},
    {"empty@example.test", USER, ALL_WELL, 550, "5.2.4", NOWHERE},
    {"sent.on@example.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_WIRE},
    {"ring@example.test", STRANGER, ALL_WELL, 550, "5.4.6", NOWHERE},
    {"not.now@example.test", STRANGER, ALL_WELL, 450, "4.2.1", NOWHERE},
    {"elsewhere@example.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_WIRE},

    {"any@sink.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_NOTHING},
    {"any@relay.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_WIRE},
    {"Any@RELAY.test", USER, ALL_WELL, 250, "2.1.5", TO_WIRE},
    {"here@relay.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},

    {"known@verified.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_WIRE},
    {"nobody@verified.test", STRANGER, ALL_WELL, 550, "5.1.1", NOWHERE},
    {"nobody@verified.test", USER, ALL_WELL, 550, "5.1.1", NOWHERE},
    {"policy@verified.test", STRANGER, ALL_WELL, 550, "5.7.1", NOWHERE},
    {"bare@verified.test", STRANGER, ALL_WELL, 550, "5.1.1", NOWHERE},
    {"unsure@verified.test", STRANGER, ALL_WELL, 450, "4.1.1", NOWHERE},
    {"unsure@verified.test", TRUSTED, ALL_WELL, 450, "4.1.1", NOWHERE},
    {"unsure@verified.test", USER, ALL_WELL, 250, "2.1.5", TO_WIRE},

    {"postmaster", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"PostMaster", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"postmaster@example.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"\"post\\master\"@example.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"Abuse@example.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"abuse@sink.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX},
    {"postmaster@relay.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_WIRE},
    {"postmaster@verified.test", STRANGER, ALL_WELL, 250, "2.1.5", TO_MAILBOX}, /* refused there */
    {"postmaster", STRANGER, BOB_FULL, 452, "4.2.2", NOWHERE},
    {"abuse@example.test", STRANGER, BOB_FULL, 452, "4.2.2", NOWHERE},
    {"postmaster@example.test", STRANGER, DIRECTORY_DOWN, 451, "4.3.0", NOWHERE},
};

static void add(size_t i, const char *address, const char *to)
{
    fake.addresses[i][0] = address;
    fake.addresses[i][1] = to;
}

static void set_up_accounts(void)
{
    static const char *const accounts[] = {"alice@example.test",   "bob@example.test",
                                           "-gone@example.test",   "here@relay.test",
                                           "sent.on@example.test", "ring@example.test",
                                           "not.now@example.test", "elsewhere@example.test"};
    static const struct fake_details details[] = {
        {.login = "sent.on@example.test", .forwards = {"x@far.test"}, .no_copy = true},
        {.login = "ring@example.test", .forwards = {"rings@example.test"}, .no_copy = true},
        {.login = "not.now@example.test", .mail = ACCOUNT_MAIL_DEFER},
        {.login = "elsewhere@example.test", .mail_host = "[127.0.0.1]:9"},
    };
    static const char *const groups[][8] = {
        {"team@example.test", "alice@example.test", "bob@example.test"},
        {"!within@example.test", "alice@example.test"},
        {"=members@example.test", "alice@example.test"},
        {"-closed@example.test", "alice@example.test"},
        {"rings@example.test", "ring@example.test"},
        {"empty@example.test"},
    };
    memcpy(fake.accounts, accounts, sizeof(accounts));
    memcpy(fake.details, details, sizeof(details));
    memcpy(fake.groups, groups, sizeof(groups));
}

static void set_up(const struct row *row)
{
    static const char relay[] = "[127.0.0.1]:9";
    fake.domains[1] = "relay.test";
    fake.as[1] = (struct domain){.kind = DOMAIN_RELAY, .relay = str_from_c(relay)};
    fake.domains[2] = "verified.test";
    fake.as[2] = (struct domain){.kind = DOMAIN_RELAY, .relay = str_from_c(relay), .verify = true};
    fake.domains[3] = "sink.test";
    fake.as[3].kind = DOMAIN_SINK;
    set_up_accounts();
    add(0, "!staff@example.test", "alice@example.test");
    add(1, "public@example.test", "staff@example.test");
    add(2, "loop@example.test", "loop2@example.test");
    add(3, "loop2@example.test", "loop@example.test");
    add(4, "postmaster@example.test", "bob@example.test");
    mail_store.fails = row->state >= BOB_FULL ? "bob@example.test" : NULL;
    mail_store.failure = row->state == BOB_FULL       ? ERR_QUOTA
                         : row->state == BOB_FULL_NOW ? ERR_QUOTA_NOW
                                                      : ERR_IO;
    fake.fails = row->state == DIRECTORY_DOWN ? "*" : NULL;
}

static const struct row *present;

/* The message with this recipient as if RCPT had taken it. */
static bool deliver(const struct row *row, struct route *route, struct err *e)
{
    struct envelope_recipient recipient = {.address = str_from_c(row->address), .route = route};
    struct envelope envelope = {.sender = STR(""),
                                .recipients = &recipient,
                                .recipient_count = 1,
                                .component = "smtpd",
                                .prefix = STR("")};
    random_id(envelope.id);
    struct spool *spool = spool_new(mail_store.dir, envelope.id);
    assert_true(spool_write(spool, STR("Subject: x\n\n"), e));
    bool ok = queue_accept(world.queue, &envelope, spool, false, e);
    spool_unref(spool);
    return ok;
}

static enum goes where_it_went(void)
{
    settle();
    if (mail_store.count > 0)
        return TO_MAILBOX;
    return wire.count > 0 ? TO_WIRE : TO_NOTHING;
}

/* Relaying and internal addresses are questions about the sender; what delivery would do does not
 * change with the answer. */
static bool is_about_the_sender(const struct row *row)
{
    return strncmp(row->enhanced, "5.7.", 4) == 0 || strstr(row->address, "@verified.test");
}

static void check_row(void)
{
    const struct row *row = present;
    struct arena *a = arena_new();
    struct recipient_answer answer;
    struct err e = {.kind = ERR_NONE};
    static const struct verify_settings settings = {.timeout = 5 * USEC_SEC,
                                                    .positive_lifetime = 60 * USEC_SEC,
                                                    .positive_refresh = 60 * USEC_SEC,
                                                    .negative_lifetime = 60 * USEC_SEC,
                                                    .negative_refresh = 60 * USEC_SEC,
                                                    .accept_all_refresh = 60 * USEC_SEC,
                                                    .entries_max = 100,
                                                    .connections = 1,
                                                    .sender = ""};
    set_up(row);
    world_open();
    struct verify *v = verify_new(world.queue, &settings);
    queue_set_prober(world.queue, prober, NULL);
    static const struct str senders[] = {STR(""), STR("root@local.test"), STR("bob@example.test"),
                                         STR("Alice@example.test")};
    struct recipient_question question = {.address = str_from_c(row->address),
                                          .sender = senders[row->sender],
                                          .trusted = row->sender != STRANGER,
                                          .may_relay = row->sender >= USER};
    recipient_check(world.queue, &question, a, &answer);
    if (answer.code != row->code || strcmp(answer.enhanced, row->enhanced) != 0)
        fail_msg("%s: %d %s %.*s", row->address, answer.code, answer.enhanced,
                 STR_ARG(answer.text));
    assert_int_equal(answer.fate, row->code < 300   ? FATE_ACCEPT
                                  : row->code < 500 ? FATE_LATER
                                                    : FATE_REFUSE);
    assert_true(answer.text.n > 0 && (answer.fate == FATE_ACCEPT || answer.reason.n > 0));
    bool delivered = deliver(row, answer.route, &e);
    if (row->goes != NOWHERE) {
        assert_true(delivered);
        assert_int_equal(where_it_went(), row->goes);
    } else if (!is_about_the_sender(row)) {
        assert_false(delivered);
        assert_int_equal(err_is_temporary(e.kind), row->code < 500);
    }
    verify_stop(v);
    verify_free(v);
    world_close();
    arena_free(a);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        present = &rows[i];
        in_world(check_row);
    }
}

/* --- a thousand recipients --- */

static void many(void)
{
    struct recipient_answer answer;
    static char names[1000][40];
    fake.fails = NULL;
    world_open();
    struct arena *a = arena_new();
    for (int i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof(names[i]), "user%d@far.test", i);
        struct recipient_question q = {.address = str_from_c(names[i]), .may_relay = true};
        recipient_check(world.queue, &q, a, &answer);
        assert_int_equal(answer.code, 250);
    }
    /* What is kept of each is small, and nothing is looked up more than once for each. */
    assert_true(arena_size(a) < 1000 * 1500);
    assert_int_equal(fake.lookups, 1000);
    arena_free(a);
    world_close();
}

WORLD_TEST(many)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
