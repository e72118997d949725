/*
 * Who may send as what, with a real embedded directory and a source beside it that has a user with
 * two addresses and a group, and can be told to fail.
 */
#include "core/helper.h"

#include "auth/source.h"
#include "route/router.h"
#include "route/send_as.h"

static struct world {
    char *folder;
    struct directory *directory;
    struct router *router;
    struct arena *a;
    const char *fails; /* a look-up of this in the other source; "*": all */
} w;

/* --- the other source --- */

static bool fails(struct str text, struct err *e)
{
    if (!w.fails || (strcmp(w.fails, "*") != 0 && !str_equal(text, str_from_c(w.fails))))
        return false;
    return !err_set(e, ERR_TEMP, "the other source is down");
}

static enum lookup find_zoe(struct source *s, struct str text, struct arena *a,
                            struct source_account *found, struct lookup_trace *t, struct err *e)
{
    (void)s;
    (void)t;
    if (fails(text, e))
        return LOOKUP_TEMPFAIL;
    if (!str_equal(text, STR("zoe@example.test")) && !str_equal(text, STR("z@example.test")))
        return LOOKUP_NOT_FOUND;
    *found = (struct source_account){.hash = "", .key = STR("zoe")};
    found->account = (struct account){.id = 4711, .keep_copy = true, .name = STR("")};
    found->account.login = found->account.home = STR("zoe@example.test");
    found->account.addresses = arena_array(a, 1, sizeof(struct str));
    found->account.addresses[found->account.address_count++] = STR("z@example.test");
    return LOOKUP_FOUND;
}

static enum lookup find_nothing(struct source *s, struct str address, struct arena *a,
                                struct directory_address *found, struct lookup_trace *t,
                                struct err *e)
{
    (void)s;
    (void)a;
    (void)found;
    (void)t;
    return fails(address, e) ? LOOKUP_TEMPFAIL : LOOKUP_NOT_FOUND;
}

static enum lookup find_other_group(struct source *s, struct str address, struct arena *a,
                                    struct directory_group *found, struct lookup_trace *t,
                                    struct err *e)
{
    (void)s;
    (void)t;
    if (fails(address, e))
        return LOOKUP_TEMPFAIL;
    if (!str_equal(address, STR("other@example.test")))
        return LOOKUP_NOT_FOUND;
    *found = (struct directory_group){.address = arena_str(a, address), .name = STR("")};
    found->members = arena_array(a, 2, sizeof(struct str));
    found->members[found->member_count++] = STR("Z@example.test");
    found->members[found->member_count++] = STR("alice@example.test");
    return LOOKUP_FOUND;
}

static void close_nothing(struct source *s)
{
    (void)s;
}

static const struct source_functions other_functions = {.kind = "test",
                                                        .find_login = find_zoe,
                                                        .find_account = find_zoe,
                                                        .find_address = find_nothing,
                                                        .find_group = find_other_group,
                                                        .close = close_nothing};
static struct source other = {.functions = &other_functions, .name = "other"};

/* --- the world --- */

static void add_domain(const char *name, const struct domain_change *change)
{
    struct err e = {0};
    if (!directory_add_domain_as(w.directory, str_from_c(name), change, &e))
        fail_msg("%s: %s", name, e.text);
}

static void add_user(const char *login)
{
    struct err e = {0};
    if (!directory_add_user(w.directory, str_from_c(login), STR("x"), STR(""), &e))
        fail_msg("%s: %s", login, e.text);
}

static void add_address(const char *address, const char *destination)
{
    struct err e = {0};
    if (!directory_add_address(w.directory, str_from_c(address), str_from_c(destination), &e))
        fail_msg("%s: %s", address, e.text);
}

/* members: separated by blanks. */
static void add_group(const char *address, bool send_as, const char *members)
{
    const struct directory_group_change change = {.set_send_as = true, .send_as = send_as};
    struct str list[20], text = str_from_c(members);
    size_t count = 0;
    struct err e = {0};
    while (text.n > 0) {
        ptrdiff_t blank = str_find_char(text, ' ');
        list[count++] = blank < 0 ? text : str_head(text, (size_t)blank);
        text = blank < 0 ? STR("") : str_skip(text, (size_t)blank + 1);
    }
    if (!directory_add_group(w.directory, str_from_c(address), &change, list, count, &e))
        fail_msg("%s: %s", address, e.text);
}

static void delegate(const char *address, const char *grantee)
{
    struct err e = {0};
    if (!directory_add_send_as(w.directory, str_from_c(address), str_from_c(grantee), &e))
        fail_msg("%s: %s", address, e.text);
}

static void fill(void)
{
    add_domain("example.test", &(struct domain_change){.set_subdomains = true, .subdomains = true});
    add_domain("alias.test", &(struct domain_change){.alias_of = STR("example.test")});
    add_domain("relay.test", &(struct domain_change){.relay = STR("192.0.2.1")});
    add_domain("xn--bcher-kva.test", &(struct domain_change){0});
    add_user("alice@example.test");
    add_user("bob@example.test");
    add_user("carol@example.test");
    add_user("alice+boss@example.test");
    add_user("eve@xn--bcher-kva.test");
}

static void open_world(void)
{
    struct err e = {0};
    static const struct directory_settings settings = {
        .path = "", .default_domain = "", .cache_lifetime = 60 * USEC_SEC, .cache_size = 1 << 20};
    w = (struct world){.folder = make_directory(), .a = arena_new()};
    char *path = path_in(w.folder, "directory.db");
    w.directory = directory_open(loop_current(), &settings, path, &e);
    if (!w.directory)
        fail_msg("%s", e.text);
    free(path);
    directory_add_source(w.directory, &other);
    const struct router_context context = {.directory = w.directory, .hostname = "mx.example.test"};
    w.router = router_new(&context, &(struct router_settings){.postmaster = "bob@example.test",
                                                              .separator = "+",
                                                              .groups = true});
    fill();
}

static void close_world(void)
{
    router_free(w.router);
    directory_close(w.directory);
    arena_free(w.a);
    remove_directory(w.folder);
}

static void in_world(void *arg)
{
    void (*fn)(void) = *(void (**)(void))arg;
    open_world();
    fn();
    close_world();
}

#define TEST(name, fn)                                                                             \
    static void name(void **state)                                                                 \
    {                                                                                              \
        void (*body)(void) = fn;                                                                   \
        (void)state;                                                                               \
        run_in_fiber(in_world, &body);                                                             \
    }

/* "own alice@example.test", "others", "later". */
static const char *asked(const char *login, const char *sender)
{
    struct send_as_answer answer;
    struct err e = {0};
    switch (send_as_check(w.router, str_from_c(login), str_from_c(sender), w.a, &answer, &e)) {
    case LOOKUP_TEMPFAIL:
        assert_true(e.text[0]);
        return "later";
    case LOOKUP_NOT_FOUND:
        assert_true(answer.how >= SEND_AS_OTHERS);
        assert_int_equal(answer.via.n, 0);
        return send_as_name(answer.how);
    case LOOKUP_FOUND:
        break;
    }
    assert_true(answer.how < SEND_AS_OTHERS);
    return arena_printf(w.a, "%s %.*s%s%.*s", send_as_name(answer.how), STR_ARG(answer.via),
                        answer.grantee.n ? " to " : "", STR_ARG(answer.grantee))
        .p;
}

static void expect(const char *login, const char *sender, const char *expected)
{
    const char *got = asked(login, sender);
    if (strcmp(got, expected) != 0)
        fail_msg("%s as <%s>: expected \"%s\", got \"%s\"", login, sender, expected, got);
}

#define ALICE "alice@example.test"
#define BOB   "bob@example.test"
#define CAROL "carol@example.test"
#define ZOE   "zoe@example.test"

static void own(void)
{
    expect(ALICE, "alice@example.test", "own alice@example.test");
    expect(ALICE, "ALICE@Example.TEST", "own alice@example.test");
    expect(ALICE, "\"alice\"@example.test", "own alice@example.test");
    expect(ALICE, "alice+list@example.test", "own alice@example.test");
    expect(ALICE, "alice+a+b@example.test", "own alice@example.test");
    /* That is another account. */
    expect(ALICE, "alice+boss@example.test", "others");
    expect(ALICE, "bob@example.test", "others");
    expect(ALICE, "bob+x@example.test", "others");
    expect(ALICE, "nobody@example.test", "nobody");
    expect(ALICE, "alice@far.test", "foreign");
    expect(ALICE, "alice", "nobody");
    expect(ALICE, "a lice@example.test", "nobody");
    expect(ALICE, "@example.test", "nobody");
    expect(ZOE, "z@example.test", "own z@example.test");
    expect(ZOE, "Z+shop@example.test", "own z@example.test");
    expect(BOB, "z@example.test", "others");
    expect(ALICE, "\"a\\lic\\e\"@example.test", "own alice@example.test");
    expect("eve@xn--bcher-kva.test",
           "eve@B\xc3\x9c"
           "cher.test",
           "own eve@xn--bcher-kva.test");
    expect(BOB,
           "eve@b\xc3\xbc"
           "cher.test",
           "others");
    /* Nobody has logged in. */
    expect("", "alice@example.test", "others");
    expect("", "alice+x@example.test", "others");
    expect("", "alice@sub.example.test", "others");
    expect("", "nobody@example.test", "nobody");
    expect("", "x@far.test", "foreign");
    expect("", "x@relay.test", "nobody");
    /* An account that is gone. */
    expect("gone@example.test", "alice@example.test", "others");
    expect("gone@example.test", "gone@example.test", "nobody");
}
TEST(test_own, own)

static void domains(void)
{
    expect(ALICE, "alice@alias.test", "own alice@example.test");
    expect(ALICE, "alice+x@alias.test", "own alice@example.test");
    expect(ALICE, "alice@sub.example.test", "own alice@example.test");
    expect(ALICE, "alice@a.b.example.test", "own alice@example.test");
    expect(BOB, "alice@alias.test", "others");
    expect(BOB, "alice@sub.example.test", "others");
    expect(ALICE, "alice@sub.alias.test", "foreign");
    expect(ALICE, "alice@relay.test", "nobody");
    expect(ALICE, "alice@xn--bcher-kva.test", "nobody");
    /* What stands in the alias domain itself goes first. */
    add_address("alice@alias.test", "bob@example.test");
    expect(ALICE, "alice@alias.test", "others");
    expect(BOB, "alice@alias.test", "listed alice@alias.test");
}
TEST(test_domains, domains)

static void listed(void)
{
    add_address("info@example.test", "alice@example.test");
    add_address("info@example.test", "x@far.test");
    add_address("all@example.test", "info@alias.test");
    add_address("all@example.test", "bob+lists@example.test");
    add_address("ring@example.test", "ring2@example.test");
    add_address("ring2@example.test", "ring@example.test");
    add_address("ring2@example.test", "carol@example.test");
    add_address("dropped@example.test", ":discard:");
    expect(ALICE, "info@example.test", "listed info@example.test");
    expect(ALICE, "Info+x@sub.example.test", "listed info@example.test");
    expect(ALICE, "all@example.test", "listed all@example.test");
    expect(BOB, "all@example.test", "listed all@example.test");
    expect(BOB, "info@example.test", "others");
    expect(CAROL, "ring@example.test", "listed ring@example.test");
    expect(ALICE, "ring@example.test", "others");
    expect(ALICE, "dropped@example.test", "others");
    /* For all domains. */
    add_address("hostmaster@*", "carol@example.test");
    expect(CAROL, "hostmaster@example.test", "listed hostmaster@*");
    expect(CAROL, "hostmaster+x@alias.test", "listed hostmaster@*");
    expect(CAROL, "hostmaster@relay.test", "nobody");
    expect(ALICE, "hostmaster@example.test", "others");
    /* Mail of an account that is redirected or copied gives nobody its address. */
    add_address("zoe@example.test", "carol@example.test");
    expect(CAROL, "zoe@example.test", "others");
    expect(ZOE, "zoe@example.test", "own zoe@example.test");
    add_group("zoes@example.test", true, "zoe@example.test");
    expect(CAROL, "zoes@example.test", "others");
    expect(ZOE, "zoes@example.test", "group zoes@example.test");
    add_address("z@example.test", "bob@example.test");
    add_address("z@example.test", "carol@example.test");
    expect(CAROL, "z@example.test", "others");
    expect(ZOE, "z@example.test", "own z@example.test");
}
TEST(test_listed, listed)

static void roles(void)
{
    expect(BOB, "postmaster@example.test", "listed postmaster@example.test");
    expect(BOB, "Abuse@sub.example.test", "listed abuse@example.test");
    expect(ALICE, "postmaster@alias.test", "others");
    expect("", "abuse@example.test", "others");
    expect(BOB, "postmaster@relay.test", "nobody");
    add_address("postmaster@example.test", "carol@example.test");
    expect(CAROL, "postmaster@alias.test", "listed postmaster@example.test");
    expect(CAROL, "abuse@example.test", "listed abuse@example.test");
    expect(BOB, "postmaster@example.test", "others");
}
TEST(test_roles, roles)

/* What anybody's mail may come to by gives no right. */
static void no_right(void)
{
    struct err e = {0};
    const struct domain_change change = {.catch_all = STR("alice@example.test")};
    const struct str forward = STR("carol@example.test");
    const struct directory_user_change user = {
        .set_forwards = true, .forwards = &forward, .forward_count = 1};
    assert_true(directory_set_domain(w.directory, STR("example.test"), &change, &e));
    assert_true(directory_change_user(w.directory, STR("bob@example.test"), &user, &e));
    const struct address_rule rule = {.name = STR("r"),
                                      .pattern = STR("^pattern-"),
                                      .domain = STR("example.test"),
                                      .destinations = (struct str[]){STR("alice@example.test")},
                                      .count = 1};
    assert_true(directory_add_rule(w.directory, &rule, STR(""), &e));
    expect(ALICE, "pattern-1@example.test", "nobody");
    expect(ALICE, "nobody@example.test", "nobody");
    expect(CAROL, "bob@example.test", "others");
}
TEST(test_no_right, no_right)

static void groups(void)
{
    const struct directory_group_change off = {.set_disabled = true, .disabled = true};
    const struct directory_group_change allowed = {.set_send_as = true, .send_as = true};
    struct err e = {0};
    add_group("staff@example.test", true, "alice@example.test bosses@example.test x@far.test");
    add_group("bosses@example.test", false, "bob@example.test alice@example.test");
    add_address("us@example.test", "staff@example.test");
    add_address("them@example.test", "bosses@example.test");
    expect(ALICE, "staff@example.test", "group staff@example.test");
    expect(ALICE, "staff+x@alias.test", "group staff@example.test");
    expect(BOB, "staff@example.test", "group staff@example.test");
    expect(CAROL, "staff@example.test", "others");
    expect(BOB, "bosses@example.test", "others");
    expect(ALICE, "us@example.test", "listed us@example.test");
    expect(BOB, "them@example.test", "others");
    /* By an address that is not how the group writes it. */
    add_address("carols@example.test", "carol+x@alias.test");
    add_group("team@example.test", true, "carols@example.test");
    expect(CAROL, "team@example.test", "group team@example.test");
    expect(ALICE, "team@example.test", "others");
    /* Of the other source, by what is kept here. */
    expect(ZOE, "other@example.test", "others");
    assert_true(directory_set_group(w.directory, STR("other@example.test"), &allowed, &e));
    expect(ZOE, "other@example.test", "group other@example.test");
    expect(ALICE, "other@example.test", "group other@example.test");
    expect(BOB, "other@example.test", "others");
    add_group("mixed@example.test", true, "other@example.test");
    expect(ZOE, "mixed@example.test", "group mixed@example.test");
    /* It takes effect at once, both ways. */
    assert_true(directory_set_group(w.directory, STR("staff@example.test"), &off, &e));
    expect(ALICE, "staff@example.test", "others");
}
TEST(test_groups, groups)

/* Without groups, and with another separator. */
static void settings(void)
{
    add_group("staff@example.test", true, "alice@example.test");
    delegate("carol@example.test", "staff@example.test");
    expect(ALICE, "carol@example.test", "delegated carol@example.test to staff@example.test");
    router_reload(w.router, &(struct router_settings){.postmaster = "", .separator = "--"});
    expect(ALICE, "staff@example.test", "nobody");
    expect(ALICE, "carol@example.test", "others");
    expect(ALICE, "alice+x@example.test", "nobody");
    expect(ALICE, "alice--x@example.test", "own alice@example.test");
    router_reload(w.router, &(struct router_settings){.postmaster = "", .separator = ""});
    expect(ALICE, "alice--x@example.test", "nobody");
    expect(ALICE, "postmaster@example.test", "others");
}
TEST(test_settings, settings)

static void delegated(void)
{
    struct err e = {0};
    add_group("bosses@example.test", false, "bob@example.test");
    delegate("carol@example.test", "alice@example.test");
    delegate("noreply@example.test", "bosses@example.test");
    delegate("@relay.test", "alice@example.test");
    expect(ALICE, "carol@example.test", "delegated carol@example.test to alice@example.test");
    expect(ALICE, "Carol+x@alias.test", "delegated carol@example.test to alice@example.test");
    expect(BOB, "carol@example.test", "others");
    expect(BOB, "noreply@example.test", "delegated noreply@example.test to bosses@example.test");
    expect(ALICE, "noreply@example.test", "nobody");
    expect(ALICE, "whoever@relay.test", "delegated whoever@relay.test to alice@example.test");
    expect(BOB, "whoever@relay.test", "nobody");
    /* What leads to an address that was given to him does not lead to him. */
    add_address("office@example.test", "carol@example.test");
    expect(ALICE, "office@example.test", "others");
    assert_true(directory_delete_send_as(w.directory, STR("carol@example.test"), STR(""), &e));
    expect(ALICE, "carol@example.test", "others");
    delegate("@example.test", "bob@example.test");
    expect(BOB, "anything@example.test", "delegated anything@example.test to bob@example.test");
    expect(BOB, "alice@example.test", "delegated alice@example.test to bob@example.test");
    expect(BOB, "alice@alias.test", "delegated alice@example.test to bob@example.test");
    expect(BOB, "alice@sub.example.test", "delegated alice@example.test to bob@example.test");
}
TEST(test_delegated, delegated)

/* Nobody can tell: neither yes nor no, unless the right was found before. */
static void later(void)
{
    add_address("info@example.test", "alice@example.test");
    add_group("staff@example.test", true, "q@example.test alice@example.test");
    w.fails = "*";
    directory_forget(w.directory);
    expect(ALICE, "alice@example.test", "own alice@example.test");
    expect(ALICE, "nobody@example.test", "later");
    expect(BOB, "zoe@example.test", "later");
    expect(ZOE, "zoe@example.test", "later");
    expect(ALICE, "x@far.test", "foreign");
    w.fails = "q@example.test";
    directory_forget(w.directory);
    expect(ALICE, "staff@example.test", "group staff@example.test");
    expect(BOB, "staff@example.test", "later");
    w.fails = NULL;
    expect(BOB, "staff@example.test", "others");
}
TEST(test_later, later)

/* Lists that lead to ever more lists end. */
static void bounded(void)
{
    for (int i = 0; i < 30; i++) {
        char from[40], to[40];
        snprintf(from, sizeof(from), "n%d@example.test", i);
        snprintf(to, sizeof(to), "n%d@example.test", i + 1);
        add_address(from, to);
    }
    add_address("n30@example.test", "alice@example.test");
    expect(ALICE, "n25@example.test", "listed n25@example.test");
    expect(ALICE, "n0@example.test", "others");
    for (int i = 0; i < SEND_AS_LOOKUPS_MAX; i++) {
        char to[40];
        snprintf(to, sizeof(to), "u%d@example.test", i);
        add_address("many@example.test", to);
    }
    add_address("many@example.test", "zz@example.test");
    add_address("zz@example.test", "alice@example.test");
    expect(ALICE, "many@example.test", "others");
}
TEST(test_bounded, bounded)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),    cmocka_unit_test(test_domains),
        cmocka_unit_test(test_listed), cmocka_unit_test(test_no_right),
        cmocka_unit_test(test_roles),  cmocka_unit_test(test_settings),
        cmocka_unit_test(test_groups), cmocka_unit_test(test_delegated),
        cmocka_unit_test(test_later),  cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
