/* Rules about what who has logged in may send as: the sender, and the From field. */
#include "policy_test.h"

#define ALICE "alice@example.test"

static struct world w;
static struct policy_header header;

static void in_world(void *arg)
{
    void (*fn)(void) = *(void (**)(void))arg;
    world_open(&w);
    fill_directory(w.directory);
    w.facts.protocol = SERVICE_SUBMISSION;
    w.facts.login = STR(ALICE);
    w.facts.sender = STR(ALICE);
    header = (struct policy_header){0};
    w.facts.header = &header;
    fn();
    world_close(&w);
}

#define TEST(name, fn)                                                                             \
    static void name(void **state)                                                                 \
    {                                                                                              \
        void (*body)(void) = fn;                                                                   \
        (void)state;                                                                               \
        run_in_fiber(in_world, &body);                                                             \
    }

static void expect(enum policy_stage stage, const char *expected)
{
    const char *got = ask_at(&w, stage);
    if (strncmp(got, expected, strlen(expected)) != 0 ||
        (strcmp(expected, "pass") == 0 && strcmp(got, "pass") != 0))
        fail_msg("expected \"%s\", got \"%s\"", expected, got);
}

static void set_from(const char *from)
{
    header.from = str_from_c(from);
    header.from_fields = from ? 1 : 0;
}

static void set_sender(const char *sender)
{
    header.sender = str_from_c(sender);
    header.sender_fields = sender ? 1 : 0;
}

/* From, and perhaps Sender. */
static void fields(const char *from, const char *sender, const char *expected)
{
    set_from(from);
    set_sender(sender);
    expect(POLICY_DATA, expected);
}

/* --- the sender --- */

static void sender(void)
{
    world_configure(&w, "rule r { check = sender_login }");
    expect(POLICY_RCPT, "pass");
    expect_why(&w, "own address alice@example.test");
    w.facts.sender = STR("all+x@example.test");
    expect(POLICY_RCPT, "pass");
    expect_why(&w, "the listed address all@example.test leads there");
    w.facts.sender = STR("bob@example.test");
    expect(POLICY_RCPT, "reject 553 5.7.1 The sender's address <bob@example.test> belongs to "
                        "somebody else by r");
    expect_why(&w,
               "<bob@example.test> does not belong to alice@example.test: it is somebody else's");
    w.facts.sender = STR("a@far.test");
    expect(POLICY_RCPT, "reject 553 5.7.1");
    expect_why(&w, "its domain is none of this server");
    w.facts.sender = STR("");
    expect(POLICY_RCPT, "pass");
}
TEST(test_sender, sender)

static void delegated_sender(void)
{
    struct err e;
    world_configure(&w, "rule r { check = sender_login }");
    w.facts.sender = STR("bob@example.test");
    expect(POLICY_RCPT, "reject");
    assert_true(directory_add_send_as(w.directory, STR("bob@example.test"), STR(ALICE), &e));
    expect(POLICY_RCPT, "pass");
    expect_why(&w, "bob@example.test is delegated to alice@example.test");
    assert_true(directory_delete_send_as(w.directory, STR("bob@example.test"), STR(ALICE), &e));
    expect(POLICY_RCPT, "reject");
}
TEST(test_delegated_sender, delegated_sender)

/* --- the From field --- */

static void from(void)
{
    world_configure(&w, "rule r { check = from_login }");
    fields("Alice <ALICE@example.test>\n", NULL, "pass");
    expect_why(&w, "From <ALICE@example.test>: own address alice@example.test");
    fields(" \"Bob <bob@example.test>\" <alice+x@example.test> (the boss)\n", NULL, "pass");
    fields("Info <info@example.test>, Alice <alice@example.test>\n", NULL, "pass");
    fields("Bob <bob@example.test>\n", NULL,
           "reject 550 5.7.1 The message may not be sent under this name: From <bob@example.test> "
           "does not belong to alice@example.test: it is somebody else's by r");
    fields("Alice <alice@example.test>, Bob <bob@example.test>\n", NULL, "reject");
    fields("friends: alice@example.test, bob@example.test;\n", NULL, "reject");
    fields("Boss <boss@far.test>\n", NULL, "reject 550 5.7.1");
    fields("nobody in particular\n", NULL, "reject");
    expect_why(&w, "From names no address");
    fields("group:;\n", NULL, "reject");
    /* A Sender that is his does not make another author's message his own. */
    fields("Bob <bob@example.test>\n", "alice@example.test\n", "reject");
    fields("alice@example.test\n", "info@example.test\n", "pass");
    fields("alice@example.test\n", "bob@example.test\n", "reject");
    /* What is sent on is still in its author's name. */
    header.resent_from = STR("alice@example.test\n");
    fields("Bob <bob@example.test>\n", NULL, "reject");
    header.resent_from = STR("");
    /* Two of them: who knows which one is shown. */
    set_from("alice@example.test\n");
    header.from_fields = 2;
    expect(POLICY_DATA, "reject");
    expect_why(&w, "there is more than one From field");
    fields("alice@example.test\n", "alice@example.test\n", "pass");
    header.sender_fields = 2;
    expect(POLICY_DATA, "reject");
    /* Without it there will be one from the sender, or the login. */
    fields(NULL, NULL, "pass");
    w.facts.sender = STR("bob@example.test");
    fields(NULL, NULL, "reject");
    w.facts.sender = STR("");
    fields(NULL, NULL, "pass");
    fields("Bob <bob@example.test>\n", NULL, "reject");
}
TEST(test_from, from)

static void who_sent(void)
{
    world_configure(&w, "rule r { check = from_login; own = sender }");
    fields("Alice <alice@example.test>\n", NULL, "pass");
    fields("Bob <bob@example.test>\n", NULL, "reject");
    fields("Bob <bob@example.test>\n", "alice@example.test\n", "pass");
    fields("Alice <alice@example.test>\n", "bob@example.test\n", "reject");
    header.sender_fields = 2;
    expect(POLICY_DATA, "reject");
    /* Sent on: the last who did. */
    header.resent_from = STR("alice@example.test\n");
    fields("Boss <boss@far.test>\n", NULL, "pass");
    header.resent_sender = STR("bob@example.test\n");
    fields("Boss <boss@far.test>\n", NULL, "reject");
    header.resent_from = STR("bob@example.test\n");
    header.resent_sender = STR("alice@example.test\n");
    fields("Boss <boss@far.test>\n", NULL, "pass");
}
TEST(test_who_sent, who_sent)

static void many_authors(void)
{
    struct buf list = BUF_EMPTY;
    world_configure(&w, "rule r { check = from_login }");
    for (int i = 0; i < 100; i++)
        buf_printf(&list, "%salice+%d@example.test", i ? ", " : "", i);
    fields(buf_c(&list), NULL, "pass");
    buf_add_c(&list, ", alice@example.test");
    fields(buf_c(&list), NULL, "reject");
    expect_why(&w, "From has more than 100 addresses");
    buf_free(&list);
}
TEST(test_many_authors, many_authors)

/* Where a rule is asked about strangers, an address of ours needs a login. */
static void strangers(void)
{
    world_configure(&w, "rule r { check = from_login; protocols = smtp }");
    w.facts.protocol = SERVICE_SMTP;
    w.facts.login = STR("");
    w.facts.sender = STR("a@far.test");
    fields("a@far.test\n", NULL, "pass");
    fields("Alice <alice@example.test>\n", NULL, "reject");
    fields("Nobody <nobody@example.test>\n", NULL, "pass");
    fields("no address\n", NULL, "pass");
    w.facts.address = "127.0.0.1";
    fields("Alice <alice@example.test>\n", NULL, "pass");
}
TEST(test_strangers, strangers)

static void not_known(void)
{
    struct policy_finding *list;
    size_t count;
    world_configure(&w, "rule r { check = from_login }");
    w.facts.header = NULL;
    policy_explain(w.policy, &w.facts, w.a, &list, &count);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].result, "not known yet");
}
TEST(test_not_known, not_known)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sender),    cmocka_unit_test(test_delegated_sender),
        cmocka_unit_test(test_from),      cmocka_unit_test(test_who_sent),
        cmocka_unit_test(test_strangers), cmocka_unit_test(test_many_authors),
        cmocka_unit_test(test_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
