/* The order in which an address is looked for: each question, and each before those behind it. */
#include "route/route.h"

#include "core/disk.h"
#include "core/helper.h"
#include "core/log.h"
#include "route/fake_directory.h"
#include "route/route_trace.h"
#include "route/router.h"

static struct router *router;
static char folder[] = "/tmp/maild-route-XXXXXX";

static enum lookup has_public(void *arg, struct str name, struct err *e)
{
    (void)arg;
    if (str_equal(name, STR("Broken"))) {
        err_set(e, ERR_IO, "the disk is not well");
        return LOOKUP_TEMPFAIL;
    }
    return str_equal(name, STR("Sales")) ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}

static struct router_settings settings(void)
{
    static const char *paths[] = {folder};
    return (struct router_settings){
        .postmaster = "", .separator = "+", .groups = true, .include_paths = {paths, 1}};
}

/* --- the world --- */

enum { LOCAL, SECOND, RELAY, SINK, ALIAS, VIRTUAL, BELOW, BELOW_RELAY, BELOW_SINK, LOOP };

static void fill_domains(void)
{
    static const char *const names[] = {
        [LOCAL] = "example.test", [SECOND] = "second.test",         [RELAY] = "relay.test",
        [SINK] = "sink.test",     [ALIAS] = "alias.test",           [VIRTUAL] = "virtual.test",
        [BELOW] = "wide.test",    [BELOW_RELAY] = "far.relay.test", [BELOW_SINK] = "wide.sink.test",
        [LOOP] = "lost.test",
    };
    memcpy(fake.domains, names, sizeof(names));
    fake.as[RELAY] = (struct domain){.kind = DOMAIN_RELAY, .relay = STR("mx.relay.test")};
    fake.as[SINK].kind = DOMAIN_SINK;
    fake.as[ALIAS] = (struct domain){.kind = DOMAIN_ALIAS, .alias_of = STR("example.test")};
    fake.as[VIRTUAL].kind = DOMAIN_VIRTUAL;
    fake.as[BELOW].subdomains = true;
    fake.as[BELOW_RELAY] = (struct domain){
        .kind = DOMAIN_RELAY, .relay = STR("mx.relay.test"), .subdomains = true, .verify = true};
    fake.as[BELOW_SINK] = (struct domain){.kind = DOMAIN_SINK, .subdomains = true};
    fake.as[LOOP] = (struct domain){.kind = DOMAIN_ALIAS, .alias_of = STR("gone.test")};
    fake.as[SECOND].catch_all = STR("bob@example.test");
}

static void fill(void)
{
    static const char *const accounts[] = {
        "alice@example.test", "bob@example.test",   "carol@example.test", "dave@example.test",
        "erin@example.test",  "user@relay.test",    "user@sink.test",     "user@virtual.test",
        "alice@wide.test",    "only@alias.test",    "both@example.test",  "frank@example.test",
        "away@example.test",  "round@example.test", "info@second.test",   "keep@example.test",
    };
    static const struct fake_details details[] = {
        {.login = "frank@example.test",
         .forwards = {"frank+archive@example.test"},
         .no_copy = true},
        {.login = "away@example.test",
         .forwards = {"away@alias.test", "x@far.test"},
         .no_copy = true},
        {.login = "round@example.test", .forwards = {"loop@example.test"}, .no_copy = true},
    };
    static const char *const groups[][8] = {
        {"both@example.test", "bob@example.test"},
        {"team@example.test", "alice@example.test", ":public:Sales"},
        {"ldap@example.test", "alice@example.test", ":public:Sales"},
        {"board@example.test", "alice@example.test"},
        {"!inner@example.test", "alice@example.test"},
        {"ring@example.test", "loop@example.test"},
    };
    static const char *const addresses[][8] = {
        {"sales@example.test", "alice@example.test", "X@far.test"},
        {"both@example.test", "carol@example.test"},
        {"alice+vip@example.test", "dave@example.test"},
        {"keep@example.test", "keep+new@example.test"},
        {"redirect@alias.test", "dave@example.test"},
        {"info@*", "erin@example.test"},
        {"info+x@*", "dave@example.test"},
        {"news@*", "alice@example.test"},
        {"news@virtual.test", "bob@example.test"},
        {"loop@example.test", "ring@example.test", "round@example.test"},
        {"void@example.test", ":discard:"},
        {"public@example.test", ":public:Sales"},
        {"lost@example.test", ":public:Nowhere"},
        {"part@example.test", ":public:Nowhere", "bob@example.test"},
        {"broken@example.test", ":public:Broken", "bob@example.test"},
        {"wrong@example.test", ":pipe:/bin/sh", "|/bin/sh", "bob@example.test"},
        {"outside@example.test", ":include:/etc/passwd"},
        {"!private@example.test", "alice@example.test"},
        {"outer@example.test", "private@example.test"},
        {"listed@second.test", "alice@example.test"},
        {"detail@example.test", "alice+kept@example.test"},
    };
    static const char *const rules[][4] = {
        {"", "r.", "alice@example.test"},         {"", "!i.", "alice@example.test"},
        {"relay.test", "r.", "bob@example.test"}, {"virtual.test", "r.", "bob@example.test"},
        {"sink.test", "r.", ":public:Sales"},     {"", "abuse", "dave@example.test"},
        {"", "self", "self@example.test"},
    };
    memset(&fake, 0, sizeof(fake));
    memset(&fake_more, 0, sizeof(fake_more));
    fill_domains();
    memcpy(fake.accounts, accounts, sizeof(accounts));
    memcpy(fake.details, details, sizeof(details));
    memcpy(fake.groups, groups, sizeof(groups));
    memcpy(fake.addresses, addresses, sizeof(addresses));
    memcpy(fake_more.rules, rules, sizeof(rules));
    fake.group_sources[2] = "ldap";
    fake.group_mailboxes[3] = "Sales";
}

/* Mailboxes are marked by '!', with their detail behind a colon; '>' a relay domain's, '0' dropped,
 * '^' elsewhere, '~' waiting, '#' public. */
static struct str write_targets(const struct route *r, struct arena *a)
{
    struct buf got = BUF_EMPTY;
    for (size_t i = 0; i < r->count; i++) {
        const struct route_target *t = &r->targets[i];
        buf_printf(&got, "%s%s%.*s", i ? " " : "",
                   (const char *[]){"!", ">", "", "0", "^", "~", "#"}[t->kind],
                   STR_ARG(t->kind == TARGET_PUBLIC ? t->mailbox : t->address));
        if (t->detail.n > 0)
            buf_printf(&got, ":%.*s", STR_ARG(t->detail));
    }
    struct str text = arena_str(a, buf_str(&got));
    buf_free(&got);
    return text;
}

/* Targets, or the status when there are none. */
static void expect(const char *address, const char *expected)
{
    struct arena *a = arena_new();
    struct route *r = route_recipient(router, str_from_c(address), a);
    const char *got = r->count > 0             ? arena_c(a, write_targets(r, a))
                      : r->kind == ROUTE_LATER ? "later"
                                               : r->status;
    if (strcmp(got, expected) != 0)
        fail_msg("%s: %s instead of %s (%s)", address, got, expected,
                 r->error ? r->error->text : "");
    arena_free(a);
}

static const struct {
    const char *address, *expected;
} cases[] = {
    /* a listed address before an account before a group */
    {"sales@example.test", "!alice@example.test X@far.test"},
    {"both@example.test", "!carol@example.test"},
    {"team@example.test", "!alice@example.test #Sales"},
    /* what stands behind the first separator is a detail, unless it is listed */
    {"alice+shop@example.test", "!alice@example.test:shop"},
    {"Alice+Shop+2@Example.Test", "!alice@example.test:Shop+2"},
    {"alice+@example.test", "!alice@example.test"},
    {"alice+vip@example.test", "!dave@example.test"},
    {"sales+a@example.test", "!alice@example.test:a X@far.test"},
    {"detail@example.test", "!alice@example.test:kept"},
    {"detail+own@example.test", "!alice@example.test:kept"},
    {"team+x@example.test", "!alice@example.test:x #Sales"},
    {"+x@example.test", "5.1.1"},
    {"nobody+x@example.test", "5.1.1"},
    {"user+x@relay.test", "!user@relay.test:x"},
    {"else+X@relay.test", ">else+X@relay.test"},
    {"user+x@virtual.test", "!user@virtual.test:x"},
    /* to itself, with something behind the separator: the account is meant */
    {"keep@example.test", "!keep@example.test:new"},
    {"frank@example.test", "!frank@example.test:archive"},
    {"away@example.test", "!away@example.test x@far.test"},
    /* an alias domain: its own first, then the other one's, finally */
    {"alice@alias.test", "!alice@example.test"},
    {"alice+y@alias.test", "!alice@example.test:y"},
    {"redirect@alias.test", "!dave@example.test"},
    {"only@alias.test", "!only@alias.test"},
    {"sales@alias.test", "!alice@example.test X@far.test"},
    {"nobody@alias.test", "5.1.1"},
    {"news@alias.test", "!alice@example.test"},
    {"nobody@lost.test", "5.1.1"},
    /* below a domain that counts for those below it */
    {"alice@a.b.wide.test", "!alice@wide.test"},
    {"Alice+z@A.wide.test", "!alice@wide.test:z"},
    {"nobody@a.wide.test", "5.1.1"},
    {"Some@a.far.relay.test", ">Some@a.far.relay.test"},
    {"user@a.wide.sink.test", "0user@a.wide.sink.test"},
    {"user@a.example.test", "user@a.example.test"},
    /* of all domains: only in local ones, behind what is listed there */
    {"info@example.test", "!erin@example.test"},
    {"info+y@example.test", "!erin@example.test:y"},
    {"info+x@example.test", "!dave@example.test"},
    {"info@second.test", "!info@second.test"},
    {"news@virtual.test", "!bob@example.test"},
    {"info@virtual.test", "5.1.1"},
    {"info@relay.test", ">info@relay.test"},
    {"info@sink.test", "0info@sink.test"},
    /* rules: of this domain in any kind but virtual, of all in local ones */
    {"r.x@example.test", "!alice@example.test"},
    {"r.x@second.test", "!alice@example.test"},
    {"r.x@relay.test", "!bob@example.test"},
    {"r.x@sink.test", "#Sales"},
    {"r.x@virtual.test", "5.1.1"},
    {"self@example.test", "5.1.1"},
    /* the catch-all: last */
    {"nobody@second.test", "!bob@example.test"},
    {"nobody+x@second.test", "!bob@example.test"},
    {"listed@second.test", "!alice@example.test"},
    /* the domain's kind */
    {"user@relay.test", "!user@relay.test"},
    {"other@relay.test", ">other@relay.test"},
    {"other@sink.test", "0other@sink.test"},
    {"other@virtual.test", "5.1.1"},
    /* special destinations, for administrators alone */
    {"void@example.test", "0void@example.test"},
    {"public@example.test", "#Sales"},
    {"lost@example.test", "5.1.1"},
    {"part@example.test", "!bob@example.test"},
    {"broken@example.test", "later"},
    {"wrong@example.test", "!bob@example.test"},
    {"outside@example.test", "later"},
    {"ldap@example.test", "!alice@example.test"},
    {"board@example.test", "#Sales"},
    /* loops through addresses, groups and forwards: one refusal */
    {"loop@example.test", "5.4.6"},
    {"ring@example.test", "5.4.6"},
    {"round@example.test", "5.4.6"},
};

IN_FIBER(cases)
{
    (void)arg;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        expect(cases[i].address, cases[i].expected);
}

/* --- postmaster and abuse --- */

IN_FIBER(roles)
{
    (void)arg;
    fake.addresses[0][0] = "postmaster@example.test";
    fake.addresses[0][1] = "carol@example.test";
    fake.addresses[0][2] = NULL;
    /* Before rules and the catch-all, behind addresses of all domains. */
    expect("abuse@second.test", "!carol@example.test");
    expect("postmaster@virtual.test", "!carol@example.test");
    expect("postmaster@alias.test", "!carol@example.test");
    expect("abuse@a.wide.test", "!carol@example.test");
    expect("abuse@sink.test", "!carol@example.test");
    expect("postmaster@a.wide.sink.test", "0postmaster@a.wide.sink.test");
    expect("abuse@relay.test", ">abuse@relay.test");
    fake.addresses[7][0] = "abuse@*";
    expect("abuse@second.test", "!alice@example.test");
}

/* --- what counts for the sender --- */

IN_FIBER(senders)
{
    struct arena *a = arena_new();
    (void)arg;
    assert_true(route_recipient(router, STR("private@example.test"), a)->internal);
    assert_true(route_recipient(router, STR("private+x@example.test"), a)->internal);
    assert_true(route_recipient(router, STR("private@alias.test"), a)->internal);
    assert_true(route_recipient(router, STR("inner@alias.test"), a)->internal);
    assert_true(route_recipient(router, STR("i.x@second.test"), a)->internal);
    assert_false(route_recipient(router, STR("outer@example.test"), a)->internal);
    struct route *r = route_recipient(router, STR("x@a.far.relay.test"), a);
    assert_true(r->unlisted && r->relay->verify);
    assert_true(str_equal(r->relay->name, STR("far.relay.test")));
    assert_true(str_equal(r->domain->name, STR("far.relay.test")));
    r = route_recipient(router, STR("x@alias.test"), a);
    assert_true(str_equal(r->domain->name, STR("alias.test")));
    fake.as[ALIAS].alias_of = STR("far.relay.test");
    r = route_recipient(router, STR("x@alias.test"), a);
    assert_true(r->unlisted && str_equal(r->relay->name, STR("far.relay.test")));
    expect("x@alias.test", ">x@far.relay.test");
    arena_free(a);
}

/* --- catch-alls --- */

IN_FIBER(catch_alls)
{
    static const char *const nowhere[] = {"gone@example.test", ":public:Nowhere", "no address",
                                          "other@second.test", ":pipe:x"};
    (void)arg;
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++) {
        struct arena *a = arena_new();
        fake.as[SECOND].catch_all = str_from_c(nowhere[i]);
        struct route *r = route_recipient(router, STR("nobody@second.test"), a);
        assert_int_equal(r->kind, ROUTE_REFUSE);
        assert_string_equal(r->status, "5.1.1");
        assert_string_equal(r->error->text, "no such user");
        arena_free(a);
    }
    fake.as[SECOND].catch_all = STR(":public:Sales");
    expect("nobody@second.test", "#Sales");
    fake.as[SECOND].catch_all = STR(":discard:");
    expect("nobody@second.test", "0nobody@second.test");
    fake.as[SECOND].catch_all = STR("all@far.test");
    expect("nobody@second.test", "all@far.test");
    fake.as[SECOND].catch_all = STR("team@example.test");
    expect("nobody@second.test", "!alice@example.test #Sales");
    fake.as[SECOND].catch_all = STR(":public:Broken");
    expect("nobody@second.test", "later");
    /* Two unknown ones in a list: once. */
    fake.as[SECOND].catch_all = STR("bob@example.test");
    static const char *const two[8] = {"two@example.test", "u1@second.test", "u2@second.test"};
    memcpy(fake.addresses[0], two, sizeof(two));
    expect("two@example.test", "!bob@example.test");
}

/* --- settings --- */

IN_FIBER(settings)
{
    (void)arg;
    struct router_settings s = settings();
    s.groups = false;
    s.separator = "--";
    router_reload(router, &s);
    expect("ldap@example.test", "5.1.1");
    expect("both@example.test", "!carol@example.test");
    expect("alice+shop@example.test", "5.1.1");
    expect("alice--shop@example.test", "!alice@example.test:shop");
    expect("alice-shop@example.test", "5.1.1");
    s.separator = "";
    router_reload(router, &s);
    expect("alice--shop@example.test", "5.1.1");
    s = settings();
    router_reload(router, &s);
    expect("ldap@example.test", "!alice@example.test");
}

/* --- a directory that fails on the way --- */

IN_FIBER(later)
{
    static const struct {
        const char *fails, *address;
    } parts[] = {
        {"sales@example.test", "sales@example.test"},
        {"alice@example.test", "sales@example.test"},
        {"far.test", "sales@example.test"},
        {"alice@example.test", "alice+x@example.test"},
        {"alice+x@example.test", "alice+x@example.test"},
        {"example.test", "x@alias.test"},
        {"info@*", "info+y@example.test"},
        {"bob@example.test", "nobody@second.test"},
        {"bob@example.test", "part@example.test"},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        fake.fails = parts[i].fails;
        expect(parts[i].address, "later");
    }
    fake.fails = NULL;
    fake_more.rule_gives_up = "nobody@example.test";
    expect("nobody@example.test", "later");
}

/* --- files --- */

static const char *write_file(const char *name, const char *content)
{
    static char path[100];
    struct err e;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_true(disk_replace_file(path, str_from_c(content), 0600, &e));
    return path;
}

static void lead_to(const char *path, const char *more)
{
    static char text[120];
    snprintf(text, sizeof(text), ":include:%s", path);
    fake.addresses[0][0] = "sales@example.test";
    fake.addresses[0][1] = text;
    fake.addresses[0][2] = more;
}

IN_FIBER(files)
{
    char path[120];
    (void)arg;
    lead_to(write_file("list", "# the board\r\nalice@example.test, \"B, b\" <bob@example.test>\n"
                               "carol (at home)\n\n(nobody)\n\"d e\"@far.test\n|/bin/sh\n"),
            "alice@example.test");
    expect("sales@example.test",
           "!alice@example.test !bob@example.test !carol@example.test \"d e\"@far.test");
    expect("sales@alias.test",
           "!alice@example.test !bob@example.test !carol@example.test \"d e\"@far.test");
    /* A new content counts at once. */
    write_file("list", "dave@example.test\n");
    expect("sales@example.test", "!dave@example.test !alice@example.test");
    write_file("list", "# nobody\n");
    expect("sales@example.test", "!alice@example.test");
    lead_to(write_file("list", ""), NULL);
    expect("sales@example.test", "5.2.4");
    /* No special destinations in it, and no loop. */
    write_file("list", ":public:Sales\n:include:/etc/passwd\nsales@example.test\nbob\n");
    expect("sales@example.test", "!bob@example.test");
    /* What cannot be read makes all of it wait. */
    write_file("list", "\xff\xfe");
    expect("sales@example.test", "later");
    lead_to(folder, "alice@example.test");
    expect("sales@example.test", "later");
    snprintf(path, sizeof(path), "%s/missing", folder);
    lead_to(path, "alice@example.test");
    expect("sales@example.test", "later");
    snprintf(path, sizeof(path), "%s/../etc/passwd", folder);
    lead_to(path, NULL);
    expect("sales@example.test", "later");
    snprintf(path, sizeof(path), "%sx/list", folder);
    lead_to(path, NULL);
    expect("sales@example.test", "later");
}

/* --- the trace --- */

IN_FIBER(trace)
{
    struct arena *a = arena_new();
    struct route_trace trace = {.arena = a};
    struct buf text = BUF_EMPTY;
    (void)arg;
    route_recipient_traced(router, STR("Sales+a@alias.test"), &trace, a);
    for (size_t i = 0; i < trace.count; i++)
        if (trace.steps[i].decides || strcmp(trace.steps[i].question, "plus-address") == 0)
            buf_printf(&text, "%u %.*s %s: %.*s\n", trace.steps[i].depth,
                       STR_ARG(trace.steps[i].address), trace.steps[i].question,
                       STR_ARG(trace.steps[i].answer));
    assert_string_equal(buf_c(&text),
                        "0 sales+a@alias.test plus-address: sales@alias.test with \"a\" behind it\n"
                        "0 sales+a@alias.test alias domain: goes on in example.test\n"
                        "1 sales+a@example.test plus-address: sales@example.test with \"a\" behind "
                        "it\n"
                        "1 sales+a@example.test listed address: alice@example.test, X@far.test\n"
                        "2 alice@example.test account: alice@example.test\n"
                        "2 X@far.test domain: far.test is not ours\n");
    trace = (struct route_trace){.arena = a};
    assert_int_equal(
        route_recipient_traced(router, STR("list-5000@example.test"), &trace, a)->count, 5000);
    assert_int_equal(trace.count, ROUTE_TRACE_MAX);
    assert_true(trace.left_out > 4000 - 10);
    buf_free(&text);
    arena_free(a);
}

static int setup(void **state)
{
    struct err e;
    struct router_settings s = settings();
    (void)state;
    fill();
    router = router_new(&(struct router_context){.hostname = "mx.example.test"}, &s);
    router_set_mailboxes(router, &(struct router_mailboxes){NULL, has_public});
    assert_true(log_open("/dev/null", LOG_LEVEL_ERROR, &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    router_free(router);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_roles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_senders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_catch_alls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trace, setup, teardown),
    };
    struct err e;
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    disk_remove_tree(folder, &e);
    return failed;
}
