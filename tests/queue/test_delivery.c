/* Mail that waits for an account: what has become of the account is asked at each attempt. */
#include "queue/world.h"

static void know(const struct fake_details *list, size_t count)
{
    memset(fake.details, 0, sizeof(fake.details));
    for (size_t i = 0; i < count; i++) {
        fake.details[i] = list[i];
        fake.accounts[2 + i] = list[i].login;
    }
}

#define HEIDI "heidi@example.test"
#define GRACE "grace@example.test"

static void heidi_is_at(const char *host)
{
    know(&(struct fake_details){.login = HEIDI, .mail_host = host}, 1);
}

static const char *last_destination(void)
{
    assert_true(wire.count > 0);
    assert_string_equal(wire.list[wire.count - 1].address, HEIDI);
    return wire.list[wire.count - 1].destination;
}

static void mailbox_that_moves(void)
{
    heidi_is_at("Mail2.example.test:26");
    fake.addresses[0][0] = "both@example.test";
    fake.addresses[0][1] = HEIDI;
    fake.addresses[0][2] = "alice@example.test";
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "x@far.test", .recipients = {"both@example.test"}};
    assert_true(give(&g));
    settle();
    only_mail("alice@example.test");
    assert_string_equal(last_destination(), "host mail2.example.test:26");
    /* Known after a restart, with and without what is in the journal. */
    world_crash();
    world_open();
    wire.script = not_now;
    advance(400 * USEC_SEC);
    assert_string_equal(last_destination(), "host mail2.example.test:26");
    heidi_is_at("mail3.example.test");
    advance(3600 * USEC_SEC);
    assert_string_equal(last_destination(), "host mail3.example.test");
    size_t before = wire.count;
    fake.fails = HEIDI; /* as it was */
    advance(3600 * USEC_SEC);
    assert_true(wire.count > before);
    assert_string_equal(last_destination(), "host mail3.example.test");
    fake.fails = NULL;
    before = wire.count;
    heidi_is_at(NULL);
    advance(3600 * USEC_SEC);
    only_mail(HEIDI);
    only_mail("alice@example.test");
    assert_int_equal(wire.count, before);
    assert_int_equal(queued(), 0);
    world_close();
}

/* A mailbox here that could not be written, and has moved since. */
static void mailbox_that_leaves(void)
{
    heidi_is_at(NULL);
    world_open();
    mail_store.fails = HEIDI;
    mail_store.failure = ERR_IO;
    struct gift g = {.sender = "x@far.test", .recipients = {"alice@example.test", HEIDI}};
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 1);
    heidi_is_at("mail2.example.test");
    advance(400 * USEC_SEC);
    assert_int_equal(wire.count, 1);
    assert_string_equal(last_destination(), "host mail2.example.test");
    assert_int_equal(queued(), 0);
    world_close();
}

static void account_that_disappears(void)
{
    heidi_is_at("mail2.example.test");
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test", .recipients = {HEIDI}};
    assert_true(give(&g));
    settle();
    memset(fake.details, 0, sizeof(fake.details));
    fake.accounts[2] = NULL;
    advance(3600 * USEC_SEC);
    assert_int_equal(wire.count, 1);
    assert_non_null(strstr(only_mail("alice@example.test"), HEIDI));
    assert_int_equal(queued(), 0);
    world_close();
}

static void grace_takes(enum account_mail mail)
{
    know(&(struct fake_details){.login = GRACE, .forwards = {"g@far.test"}, .mail = mail}, 1);
}

/* In a list it waits, with its forwards; the others have theirs once. */
static void account_that_waits(void)
{
    grace_takes(ACCOUNT_MAIL_DEFER);
    fake.groups[0][0] = "team@example.test";
    fake.groups[0][1] = GRACE;
    fake.groups[0][2] = "alice@example.test";
    world_open();
    struct gift g = {.sender = "x@far.test", .recipients = {"team@example.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 1);
    advance(400 * USEC_SEC);
    world_crash();
    world_open();
    advance(3600 * USEC_SEC);
    assert_int_equal(queued(), 1);
    assert_int_equal(wire.count, 0);
    grace_takes(ACCOUNT_MAIL_ACCEPT);
    advance(3600 * USEC_SEC);
    only_mail(GRACE);
    only_mail("alice@example.test");
    assert_int_equal(wire.count, 1);
    assert_string_equal(wire.list[0].address, "g@far.test");
    assert_int_equal(queued(), 0);
    world_close();
}

/* The mailbox alone is tried again: what went to the forwards has gone. */
static void forwards_go_once(void)
{
    grace_takes(ACCOUNT_MAIL_ACCEPT);
    world_open();
    mail_store.fails = GRACE;
    mail_store.failure = ERR_IO;
    struct gift g = {.sender = "x@far.test", .recipients = {GRACE}};
    assert_true(give(&g));
    settle();
    advance(400 * USEC_SEC);
    mail_store.fails = NULL;
    advance(3600 * USEC_SEC);
    only_mail(GRACE);
    assert_int_equal(wire.count, 1);
    assert_int_equal(queued(), 0);
    world_close();
}

/* --- named mailboxes --- */

static const char *only_mailbox(const char *login)
{
    only_mail(login);
    for (size_t i = 0; i < mail_store.count; i++)
        if (strcmp(mail_store.list[i].login, login) == 0)
            return mail_store.list[i].mailbox;
    return NULL;
}

static void use_details(void)
{
    router_reload(world.router,
                  &(struct router_settings){
                      .postmaster = "", .separator = "+", .detail_mailbox = true, .groups = true});
}

static void sales_lead_to(const char *first, const char *second)
{
    mail_store.public = "Sales";
    fake.addresses[0][0] = "sales@example.test";
    fake.addresses[0][1] = first;
    fake.addresses[0][2] = second;
}

/* What waits for a public mailbox, or for one behind the separator, goes there at last. */
static void mailboxes_by_name(void)
{
    sales_lead_to(":public:Sales", "alice@example.test");
    world_open();
    use_details();
    mail_store.fails = "*";
    mail_store.failure = ERR_IO;
    struct gift g = {.sender = "x@far.test",
                     .recipients = {"sales+Shop@example.test", "y@far.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 1);
    assert_int_equal(mail_store.count, 0);
    world_crash();
    world_open();
    use_details();
    mail_store.fails = "public";
    advance(400 * USEC_SEC);
    assert_string_equal(only_mailbox("alice@example.test"), "Shop");
    mail_store.fails = NULL;
    world_crash();
    world_open();
    advance(3600 * USEC_SEC);
    assert_string_equal(only_mailbox("public"), "Sales");
    only_mail("alice@example.test");
    assert_int_equal(queued(), 0);
    world_close();
}

/* It is gone when its time comes: the sender hears of it. */
static void public_mailbox_that_disappears(void)
{
    sales_lead_to(":public:Sales", NULL);
    world_open();
    mail_store.fails = "public";
    mail_store.failure = ERR_IO;
    struct gift g = {.sender = "x@far.test",
                     .recipients = {"sales@example.test", "alice@example.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 1);
    mail_store.public = NULL;
    mail_store.failure = ERR_NOT_FOUND;
    advance(400 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_int_equal(wire.count, 1);
    assert_string_equal(wire.list[0].address, "x@far.test");
    world_close();
}

WORLD_TEST(mailboxes_by_name)
WORLD_TEST(public_mailbox_that_disappears)
WORLD_TEST(mailbox_that_moves)
WORLD_TEST(mailbox_that_leaves)
WORLD_TEST(account_that_disappears)
WORLD_TEST(account_that_waits)
WORLD_TEST(forwards_go_once)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mailbox_that_moves),
        cmocka_unit_test(test_mailbox_that_leaves),
        cmocka_unit_test(test_account_that_disappears),
        cmocka_unit_test(test_account_that_waits),
        cmocka_unit_test(test_forwards_go_once),
        cmocka_unit_test(test_mailboxes_by_name),
        cmocka_unit_test(test_public_mailbox_that_disappears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
