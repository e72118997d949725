/*
 * Hidden copies and the senders of forwarded mail: what arrives where, under which sender, and who
 * hears of it.
 */
#include "queue/world.h"

#include "queue/rules.h"
#include "queue/srs_queue.h"

static const struct settings_block *const blocks[] = {&route_settings_block, &copy_settings_block,
                                                      &srs_settings_block, &rewrite_settings_block,
                                                      NULL};

/* The world with these rules, and with secrets for senders. */
static void open_with(const char *text)
{
    struct err e = {.kind = ERR_NONE};
    struct config *c = config_parse("/etc/maild.conf", str_from_c(text), blocks, &e);
    struct queue_rules *r = c ? queue_rules_new(c, &e) : NULL;
    if (!r)
        fail_msg("%s", e.text);
    world_open();
    queue_set_rules(world.queue, r);
    queue_reload(world.queue, &world.settings, NULL);
    char *path = path_in(world.root, "srs.secrets");
    if (!queue_load_srs(world.queue, path, &e))
        fail_msg("%s", e.text);
    free(path);
    queue_rules_unref(r);
    config_unref(c);
}

static struct gift gift(const char *sender, const char *first, const char *second)
{
    return (struct gift){.sender = sender, .recipients = {first, second}};
}

/* What the transport was given for the address. */
static const struct sent *sent_to(const char *address)
{
    for (size_t i = 0; i < wire.count; i++)
        if (strcmp(wire.list[i].address, address) == 0)
            return &wire.list[i];
    fail_msg("nothing was sent to %s", address);
    return NULL;
}

static struct str senders[200];
static char sender_texts[200][400];

static enum transport_status note_sender(const struct transport_message *m,
                                         struct transport_recipient *r)
{
    size_t i = wire.count - 1;
    snprintf(sender_texts[i], sizeof(sender_texts[i]), "%.*s", STR_ARG(m->sender));
    senders[i] = str_from_c(sender_texts[i]);
    return take_all(m, r);
}

static const char *sender_of(const char *address)
{
    return sender_texts[sent_to(address) - wire.list];
}

/* --- copies --- */

static void local_copy(void)
{
    open_with("copy archive { all = yes\n to = bob@example.test\n }");
    struct gift g = gift("s@far.test", "alice@example.test", NULL);
    assert_true(give(&g));
    settle();
    assert_int_equal(mail_store.calls, 1); /* one file */
    assert_int_equal(mail_store.count, 2);
    assert_string_equal(only_mail("bob@example.test"), only_mail("alice@example.test"));
    assert_null(strstr(only_mail("alice@example.test"), "bob"));
    assert_int_equal(queued(), 0);
    /* Who gets the mail in any case gets no second one. */
    g = gift("s@far.test", "bob@example.test", NULL);
    assert_true(give(&g));
    settle();
    assert_int_equal(mail_store.count, 3);
    world_close();
}

static void remote_copy(void)
{
    wire.script = note_sender;
    open_with("copy archive { all = yes\n to = keep@archive.test\n }");
    struct gift g = gift("s@far.test", "alice@example.test", "x@other.test");
    g.notify[0] = g.notify[1] = NOTIFY_SUCCESS | NOTIFY_FAILURE;
    assert_true(give(&g));
    settle();
    assert_string_equal(sender_of("keep@archive.test"), "");
    assert_string_equal(sender_of("x@other.test"), "s@far.test");
    assert_int_equal(mail_store.count, 1);
    world_close();
}

/* Nobody hears of a copy that fails. */
static void failed_copy(void)
{
    fake.accounts[2] = "-gone@example.test";
    wire.script = never;
    open_with("copy archive { all = yes\n to = keep@archive.test, gone@example.test\n }");
    struct gift g = gift("bob@example.test", "alice@example.test", NULL);
    assert_true(give(&g));
    settle();
    assert_int_equal(mail_store.count, 1);
    assert_int_equal(wire.count, 1);
    assert_int_equal(queued(), 0);
    world_close();
}

/* A mailbox that cannot take it for now gets it later. */
static void late_copy(void)
{
    open_with("copy archive { all = yes\n to = bob@example.test\n }");
    mail_store.fails = "bob@example.test";
    mail_store.failure = ERR_TEMP;
    struct gift g = gift("s@far.test", "alice@example.test", NULL);
    assert_true(give(&g));
    assert_true(g.accepted[0]);
    assert_int_equal(mail_store.count, 1);
    assert_int_equal(queued(), 1);
    mail_store.fails = NULL;
    advance(3600 * USEC_SEC);
    assert_int_equal(mail_store.count, 2);
    only_mail("bob@example.test");
    assert_int_equal(queued(), 0);
    world_close();
}

/* The copy decides nothing: what is refused stays refused. */
static void copy_of_nothing(void)
{
    open_with("copy archive { all = yes\n to = keep@archive.test\n }");
    mail_store.fails = "alice@example.test";
    mail_store.failure = ERR_TEMP;
    struct gift g = gift("s@far.test", "alice@example.test", NULL);
    assert_false(give(&g));
    assert_false(g.accepted[0]);
    settle();
    assert_int_equal(wire.count, 0);
    assert_int_equal(queued(), 0);
    world_close();
}

/* Held mail is copied once, when it goes; so is mail of which a part has to wait. */
static void once(void)
{
    open_with("copy archive { all = yes\n to = bob@example.test\n }");
    struct gift g = gift("s@far.test", "alice@example.test", "x@other.test");
    g.options.hold_until = clock_wall() + 1000 * USEC_SEC;
    assert_true(give(&g));
    settle();
    assert_int_equal(mail_store.count, 0);
    advance(1100 * USEC_SEC);
    assert_int_equal(mail_store.count, 2);
    only_mail("bob@example.test");
    forget_mail();

    fake.fails = "alice@example.test"; /* for now */
    g = gift("s@far.test", "x@other.test", "alice@example.test");
    assert_true(give(&g));
    settle();
    only_mail("bob@example.test");
    fake.fails = NULL;
    advance(3600 * USEC_SEC);
    only_mail("bob@example.test");
    only_mail("alice@example.test");
    world_close();
}

/* That they were made is remembered over a crash. */
static void once_over_a_crash(void)
{
    static const char rules[] = "copy archive { all = yes\n to = bob@example.test\n }";
    open_with(rules);
    fake.fails = "alice@example.test";
    struct gift g = gift("s@far.test", "x@other.test", "alice@example.test");
    assert_true(give(&g));
    settle();
    only_mail("bob@example.test");
    char *before = world.root, *after = crash_copy(before);
    world_close();
    remove_directory(before);
    world.root = after;
    open_with(rules);
    fake.fails = NULL;
    advance(3600 * USEC_SEC);
    only_mail("bob@example.test");
    only_mail("alice@example.test");
    world_close();
}

static const struct {
    const char *rule, *sender, *recipient;
    bool copied;
} whose[] = {
    {"all = yes", "s@far.test", "alice@example.test", true},
    {"all = yes", "", "alice@example.test", false},
    {"all = yes\n reports = yes", "", "alice@example.test", true},
    {"sender = far.test", "s@far.test", "alice@example.test", true},
    {"sender = far.test", "s@other.test", "alice@example.test", false},
    {"recipient = alice@example.test", "s@far.test", "Alice@example.test", true},
    {"recipient = alice@example.test", "s@far.test", "x@other.test", false},
    {"domain = other.test", "s@far.test", "x@other.test", true},
    {"domain = other.test", "s@other.test", "alice@example.test", true},
    {"domain = other.test", "s@far.test", "alice@example.test", false},
    {"domain = other.test\n recipient = example.test", "s@other.test", "alice@example.test", true},
    {"domain = other.test\n recipient = example.test", "s@other.test", "x@far.test", false},
    {"login = *", "s@far.test", "alice@example.test", false},
    {"direction = out", "s@far.test", "alice@example.test", true}, /* the gift is a submission */
    {"direction = in", "s@far.test", "alice@example.test", false},
};

static void whose_mail(void)
{
    for (size_t i = 0; i < sizeof(whose) / sizeof(*whose); i++) {
        char text[200];
        snprintf(text, sizeof(text), "copy c { to = bob@example.test\n %s\n }", whose[i].rule);
        open_with(text);
        struct gift g = gift(whose[i].sender, whose[i].recipient, NULL);
        assert_true(give(&g));
        settle();
        size_t copies = 0;
        for (size_t k = 0; k < mail_store.count; k++)
            copies += strcmp(mail_store.list[k].login, "bob@example.test") == 0;
        if (copies != whose[i].copied)
            fail_msg("%s: %s -> %s", whose[i].rule, whose[i].sender, whose[i].recipient);
        forget_mail();
        world_close();
    }
}

/* --- of domains --- */

static struct str domain_copies[3];

/* Copies of mail for the first domain, example.test. */
static void copy_domain(const char *first, const char *second)
{
    domain_copies[0] = str_from_c(first);
    domain_copies[1] = str_from_c(second);
    fake.as[0].copies = domain_copies;
    fake.as[0].copy_count = second ? 2 : 1;
}

static void of_domain(void)
{
    wire.script = note_sender;
    open_with("");
    copy_domain("bob@example.test", "keep@archive.test");
    /* Once a message, and who gets it in any case gets no second one. */
    struct gift g = gift("s@far.test", "alice@example.test", "postmaster@example.test");
    fake.addresses[0][0] = "postmaster@example.test";
    fake.addresses[0][1] = "alice@example.test";
    assert_true(give(&g));
    settle();
    only_mail("bob@example.test");
    only_mail("alice@example.test");
    assert_int_equal(wire.count, 1);
    assert_string_equal(sender_of("keep@archive.test"), "");
    forget_mail();
    g = gift("s@far.test", "bob@example.test", NULL);
    assert_true(give(&g));
    settle();
    only_mail("bob@example.test");
    assert_int_equal(mail_store.count, 1);
    assert_int_equal(wire.count, 2);
    forget_mail();
    /* Mail for others, from the domain, or from the null sender is not meant. */
    g = gift("alice@example.test", "x@other.test", NULL);
    assert_true(give(&g));
    settle();
    g = gift("", "alice@example.test", NULL);
    assert_true(give(&g));
    settle();
    assert_int_equal(mail_store.count, 1);
    only_mail("alice@example.test");
    assert_int_equal(wire.count, 3);
    world_close();
}

/* The domain that was asked for and the one that it stands for; each address of theirs once. */
static void of_alias_domain(void)
{
    open_with("copy archive { all = yes\n to = bob@example.test\n }");
    fake.domains[1] = "alias.test";
    fake.as[1] = (struct domain){.kind = DOMAIN_ALIAS, .alias_of = STR("example.test")};
    copy_domain("one@archive.test", "bob@example.test");
    fake.as[1].copies = (struct str[]){STR("two@archive.test"), STR("one@archive.test")};
    fake.as[1].copy_count = 2;
    struct gift g = gift("s@far.test", "alice@alias.test", "alice@example.test");
    assert_true(give(&g));
    settle();
    sent_to("one@archive.test");
    sent_to("two@archive.test");
    assert_int_equal(wire.count, 2);
    only_mail("bob@example.test");
    only_mail("alice@example.test");
    world_close();
}

/* Neither a copy that leads nowhere nor one that leads to a domain with copies, or in a ring,
 * concerns the sender. */
static void of_domain_in_vain(void)
{
    open_with("");
    copy_domain("nobody@example.test", "ring@example.test");
    fake.addresses[0][0] = "ring@example.test";
    fake.addresses[0][1] = "ring2@example.test";
    fake.addresses[1][0] = "ring2@example.test";
    fake.addresses[1][1] = "ring@example.test";
    struct gift g = gift("s@far.test", "alice@example.test", NULL);
    assert_true(give(&g));
    assert_true(g.accepted[0]);
    settle();
    assert_int_equal(mail_store.count, 1);
    only_mail("alice@example.test");
    assert_int_equal(queued(), 0);
    fake.fails = "ring@example.test"; /* later */
    forget_mail();
    assert_true(give(&g));
    assert_int_equal(queued(), 1);
    fake.fails = NULL;
    fake.addresses[1][1] = "bob@example.test";
    advance(3600 * USEC_SEC);
    only_mail("bob@example.test");
    only_mail("alice@example.test");
    assert_int_equal(queued(), 0);
    world_close();
}

static void expect_secrets(struct str content, bool usable)
{
    struct err e = {.kind = ERR_NONE};
    world_open();
    char *path = path_in(world.root, "srs.secrets");
    write_test_file(path, content);
    assert_int_equal(queue_load_srs(world.queue, path, &e), usable);
    if (!usable)
        assert_non_null(strstr(e.text, path));
    free(path);
    world_close();
}

/* What a disk leaves that loses its bytes is no secret. */
static void secrets(void)
{
    static const char zeros[45];
    expect_secrets(STR("a secret of somebody else's program\n"), true);
    expect_secrets(STR("# old\n\tone  \r\ntwo\n"), true);
    expect_secrets(STR(""), false);
    expect_secrets(STR("# nothing\n"), false);
    expect_secrets(str_from(zeros, sizeof(zeros)), false);
    expect_secrets(STR("one\n\0\0\0\0\n"), false);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"copy x { to = a@b.test\n }", "needs all = yes"},
        {"copy x { to = a@b.test\n all = yes\n sender = c@d.test\n }", "goes with no other"},
        {"copy x { all = yes\n }", "to"},
        {"copy x { to = nobody\n all = yes\n }", "to: \"nobody\" is no address"},
        {"copy x { to = a@b.test\n login = <>\n }", "login: \"<>\" is no address"},
        {"srs { domain = a b\n }", "domain"},
        {"srs { domain = a@b\n }", "domain: \"a@b\" is no domain"},
        {"srs { validity = 1h\n }", "validity"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct err e = {.kind = ERR_NONE};
        struct config *c = config_parse("/etc/maild.conf", str_from_c(cases[i].text), blocks, &e);
        if (c || !strstr(e.text, cases[i].words))
            fail_msg("%s: %s", cases[i].text, c ? "ok" : e.text);
    }
}

/* --- senders --- */

static const char *const forwarding[] = {"sales@example.test", "x@other.test",
                                         "alice@example.test"};

static void forwarded(void)
{
    wire.script = note_sender;
    memcpy(fake.addresses[0], forwarding, sizeof(forwarding));
    open_with("");
    struct gift g = gift("s@far.test", "sales@example.test", NULL);
    assert_true(give(&g));
    settle();
    const char *sender = sender_of("x@other.test");
    assert_int_equal(strncmp(sender, "SRS0=", 5), 0);
    assert_non_null(strstr(sender, "=far.test=s@example.test"));
    /* In the mailbox here the sender is who it was. */
    assert_non_null(strstr(only_mail("alice@example.test"), "Return-Path: <s@far.test>"));
    /* A report finds its way back. */
    char to[400];
    snprintf(to, sizeof(to), "%s", sender);
    g = gift("", to, NULL);
    assert_true(give(&g));
    settle();
    assert_string_equal(sender_of("s@far.test"), "");
    world_close();
}

static void not_forwarded(void)
{
    wire.script = note_sender;
    memcpy(fake.addresses[0], forwarding, sizeof(forwarding));
    open_with("");
    /* Our own sender; the null sender; straight to another server. */
    struct gift g = gift("bob@example.test", "sales@example.test", NULL);
    assert_true(give(&g));
    settle();
    assert_string_equal(sender_of("x@other.test"), "bob@example.test");
    forget_wire();
    wire.script = note_sender;
    g = gift("", "sales@example.test", NULL);
    assert_true(give(&g));
    settle();
    assert_string_equal(sender_of("x@other.test"), "");
    g = gift("s@far.test", "y@third.test", NULL);
    assert_true(give(&g));
    settle();
    assert_string_equal(sender_of("y@third.test"), "s@far.test");
    world_close();
    forget_wire();
    wire.script = note_sender;
    open_with("srs { enabled = no\n }");
    g = gift("s@far.test", "sales@example.test", NULL);
    assert_true(give(&g));
    settle();
    assert_string_equal(sender_of("x@other.test"), "s@far.test");
    world_close();
}

/* A failure at the forwarding's goal is told to who sent it, whatever became of the secrets. */
static void failure_of_forwarded(void)
{
    memcpy(fake.addresses[0], forwarding, 2 * sizeof(*forwarding));
    fake.addresses[0][2] = NULL;
    wire.script = never;
    open_with("srs { domain = bounces.test\n }");
    struct gift g = gift("s@far.test", "sales@example.test", NULL);
    assert_true(give(&g));
    struct err e;
    size_t secrets;
    assert_true(queue_rotate_srs(world.queue, &secrets, &e));
    assert_int_equal(secrets, 2);
    settle();
    sent_to("s@far.test"); /* the report */
    world_close();
}

static void forged_address(void)
{
    open_with("srs { domain = bounces.test\n }");
    static const struct {
        const char *address, *words;
        enum route_kind kind;
    } cases[] = {
        {"SRS0=abcdef=AA=far.test=s@example.test", "was not made here", ROUTE_REFUSE},
        {"srs1=abcdef=far.test==x@example.test", "was not made here", ROUTE_REFUSE},
        {"SRS0=abcdef=AA=far.test=s@bounces.test", "was not made here", ROUTE_REFUSE},
        {"SRS0=abcdef=AA=far.test=s@elsewhere.test", "", ROUTE_RELAY},
        {"SRS0@example.test", "no such user", ROUTE_REFUSE},
    };
    struct arena *a = arena_new();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct route *r = route_recipient(world.router, str_from_c(cases[i].address), a);
        assert_int_equal(r->kind, cases[i].kind);
        if (r->kind == ROUTE_REFUSE)
            assert_non_null(strstr(r->error->text, cases[i].words));
    }
    struct str old = queue_srs_forward(world.queue, STR("s@far.test"), STR("example.test"), a);
    assert_int_equal(route_recipient(world.router, old, a)->kind, ROUTE_ACCEPT);
    clock_ahead += (usec)30 * 86400 * USEC_SEC;
    struct route *r = route_recipient(world.router, old, a);
    assert_int_equal(r->kind, ROUTE_REFUSE);
    assert_non_null(strstr(r->error->text, "too old"));
    arena_free(a);
    world_close();
}

WORLD_TEST(local_copy)
WORLD_TEST(remote_copy)
WORLD_TEST(failed_copy)
WORLD_TEST(late_copy)
WORLD_TEST(copy_of_nothing)
WORLD_TEST(once)
WORLD_TEST(once_over_a_crash)
WORLD_TEST(whose_mail)
WORLD_TEST(of_domain)
WORLD_TEST(of_alias_domain)
WORLD_TEST(of_domain_in_vain)
WORLD_TEST(forwarded)
WORLD_TEST(not_forwarded)
WORLD_TEST(failure_of_forwarded)
WORLD_TEST(forged_address)
WORLD_TEST(secrets)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_copy),
        cmocka_unit_test(test_remote_copy),
        cmocka_unit_test(test_failed_copy),
        cmocka_unit_test(test_late_copy),
        cmocka_unit_test(test_copy_of_nothing),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_once_over_a_crash),
        cmocka_unit_test(test_whose_mail),
        cmocka_unit_test(test_of_domain),
        cmocka_unit_test(test_of_alias_domain),
        cmocka_unit_test(test_of_domain_in_vain),
        cmocka_unit_test(test_mistakes),

        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_not_forwarded),
        cmocka_unit_test(test_failure_of_forwarded),
        cmocka_unit_test(test_forged_address),
        cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
