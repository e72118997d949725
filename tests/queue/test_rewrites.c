/*
 * Rules for addresses: tables of all types, masquerading, whose mail, which addresses, mistakes.
 */
#include "core/helper.h"
#include "queue/queue_internal.h"
#include "queue/rewrite_table.h"

static const struct settings_block *const blocks[] = {&route_settings_block, &copy_settings_block,
                                                      &srs_settings_block, &rewrite_settings_block,
                                                      NULL};

static struct queue_rules *rules_of(const char *text, struct err *e)
{
    struct config *c = config_parse("/etc/maild.conf", str_from_c(text), blocks, e);
    struct queue_rules *r = c ? queue_rules_new(c, e) : NULL;
    config_unref(c);
    return r;
}

static const char exact[] = "# old                  new\n"
                            "alice@example.org      alice.smith@example.org\n"
                            "@old.example           @example.org\n"
                            "bob@old.example        robert@example.org\n"
                            "B\xc3\xbc@b\xc3\xbc"
                            "cher.example   buch@example.org\n";
static const char domain[] = "example.net     @example.org\n"
                             ".example.com    info@example.com\n"
                             "x.example.net   @x.example\n";
static const char pcre[] = "/^root@/                   admin@example.org\n"
                           "/^(.+)-[a-z]+@(.+)$/      $1@$2\n"
                           "/^evil(a+)+b@/             x@y.example\n"
                           "/^bad@/                    not an address\n"
                           "/^x\\/y@(.*)$/             xy@$1\n";

static const struct {
    const char *text;
    enum rewrite_type type;
    const char *before, *after;
} lookups[] = {
    {exact, REWRITE_EXACT, "alice@example.org", "alice.smith@example.org"},
    {exact, REWRITE_EXACT, "Alice@Example.org", "alice.smith@example.org"},
    {exact, REWRITE_EXACT, "alice@old.example", "alice@example.org"},
    {exact, REWRITE_EXACT, "Alice.B@old.example", "Alice.B@example.org"},
    {exact, REWRITE_EXACT, "bob@old.example", "robert@example.org"},
    {exact, REWRITE_EXACT, "bob@x.old.example", ""},
    {exact, REWRITE_EXACT, "b\xc3\xbc@xn--bcher-kva.example", "buch@example.org"},
    {domain, REWRITE_DOMAIN, "a@example.net", "a@example.org"},
    {domain, REWRITE_DOMAIN, "a@y.z.example.net", "a@example.org"},
    {domain, REWRITE_DOMAIN, "a@x.example.net", "a@x.example"},
    {domain, REWRITE_DOMAIN, "a@y.x.example.net", "a@x.example"},
    {domain, REWRITE_DOMAIN, "a@example.com", ""},
    {domain, REWRITE_DOMAIN, "a@x.example.com", "info@example.com"},
    {domain, REWRITE_DOMAIN, "a@notexample.net", ""},
    {pcre, REWRITE_PATTERN, "root@mail.example.org", "admin@example.org"},
    {pcre, REWRITE_PATTERN, "Alice-lists@Example.org", "alice@example.org"},
    {pcre, REWRITE_PATTERN, "alice@example.org", ""},
    {pcre, REWRITE_PATTERN, "x/y@example.org", "xy@example.org"},
    {pcre, REWRITE_PATTERN, "bad@example.org", ""},
    {pcre, REWRITE_PATTERN, "evilaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac@x.example", ""},
};

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lookups) / sizeof(*lookups); i++) {
        struct err e;
        struct arena *a = arena_new();
        unsigned tries = 0;
        struct rewrite_table *t =
            rewrite_table_parse("t", str_from_c(lookups[i].text), lookups[i].type, a, &e);
        if (!t)
            fail_msg("%s", e.text);
        struct str given = str_from_c(lookups[i].before);
        struct str found = rewrite_table_find(t, address_fold(given, a), given, &tries, a);
        assert_string_equal(arena_c(a, found), lookups[i].after);
        arena_free(a);
    }
}

static void test_wrong_tables(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum rewrite_type type;
        const char *words;
    } cases[] = {
        {"alice bob@x.example", REWRITE_EXACT, "t:1: \"alice\" is no key"},
        {"x.example @y.example", REWRITE_EXACT, "is no key, expected user@domain or @domain"},
        {"a@x.example @y.example", REWRITE_DOMAIN, "is no key, expected domain or .domain"},
        {"\na@x.example", REWRITE_EXACT, "t:2: expected a new address"},
        {"a@x.example b@y.example c", REWRITE_EXACT, "expected a new address"},
        {"a@x.example b", REWRITE_EXACT, "expected a new address"},
        {"a@x.example b@y.example\nA@x.example c@y.example", REWRITE_EXACT, "stands there twice"},
        {"x@y.example a@b.example", REWRITE_PATTERN, "expected /pattern/"},
        {"/x a@b.example", REWRITE_PATTERN, "expected /pattern/"},
        {"/(x/ a@b.example", REWRITE_PATTERN, "t:1: the pattern is wrong at its character"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct err e = {.kind = ERR_NONE};
        struct arena *a = arena_new();
        assert_null(rewrite_table_parse("t", str_from_c(cases[i].text), cases[i].type, a, &e));
        if (!strstr(e.text, cases[i].words))
            fail_msg("%s: %s", cases[i].text, e.text);
        arena_free(a);
    }
}

/* Patterns of a message are bounded: beyond the limit addresses stay. */
static void test_limit_of_tries(void **state)
{
    (void)state;
    struct err e;
    struct arena *a = arena_new();
    struct rewrite_table *t = rewrite_table_parse("t", str_from_c(pcre), REWRITE_PATTERN, a, &e);
    unsigned tries = REWRITE_TRIES_MAX;
    assert_int_equal(
        rewrite_table_find(t, STR("root@x.example"), STR("root@x.example"), &tries, a).n, 0);
    arena_free(a);
}

static const char rules_text[] =
    "rewrite hosts { masquerade = example.org, lab.example.org, !keep.example.org\n"
    "  except = root\n parts = envelope_sender, header_sender, header_recipient\n }\n"
    "rewrite again { masquerade = org.example\n for = all\n parts = envelope_recipient\n }\n";

static const struct {
    enum rewrite_origin origin;
    enum rewrite_part part;
    const char *before, *after;
} masquerades[] = {
    {REWRITE_USERS, REWRITE_ENVELOPE_SENDER, "a@mail.example.org", "a@example.org"},
    {REWRITE_PROGRAMS, REWRITE_HEADER_SENDER, "A.B@x.y.Example.org", "A.B@example.org"},
    {REWRITE_USERS, REWRITE_HEADER_RECIPIENT, "a@mail.example.org", "a@example.org"},
    {REWRITE_USERS, REWRITE_ENVELOPE_RECIPIENT, "a@mail.example.org", "a@mail.example.org"},
    {REWRITE_RELAY, REWRITE_ENVELOPE_SENDER, "a@mail.example.org", "a@mail.example.org"},
    {REWRITE_USERS, REWRITE_ENVELOPE_SENDER, "a@example.org", "a@example.org"},
    {REWRITE_USERS, REWRITE_ENVELOPE_SENDER, "a@notexample.org", "a@notexample.org"},
    {REWRITE_USERS, REWRITE_ENVELOPE_SENDER, "root@mail.example.org", "root@mail.example.org"},
    {REWRITE_USERS, REWRITE_ENVELOPE_SENDER, "a@pc1.lab.example.org", "a@lab.example.org"},
    {REWRITE_USERS, REWRITE_ENVELOPE_SENDER, "a@lab.example.org", "a@example.org"},
    {REWRITE_USERS, REWRITE_ENVELOPE_SENDER, "a@keep.example.org", "a@keep.example.org"},
    {REWRITE_USERS, REWRITE_ENVELOPE_SENDER, "a@x.keep.example.org", "a@x.keep.example.org"},
    {REWRITE_OUTSIDE, REWRITE_ENVELOPE_RECIPIENT, "a@mail.org.example", "a@org.example"},
    {REWRITE_USERS, REWRITE_ENVELOPE_SENDER, "", ""},
    {REWRITE_OUTSIDE, REWRITE_ENVELOPE_RECIPIENT, "postmaster", "postmaster"},
};

static void test_masquerade(void **state)
{
    struct err e;
    (void)state;
    struct queue_rules *rules = rules_of(rules_text, &e);
    if (!rules)
        fail_msg("%s", e.text);
    struct queue_config config = {.rules = rules};
    struct queue q = {.config = &config};
    for (size_t i = 0; i < sizeof(masquerades) / sizeof(*masquerades); i++) {
        struct arena *a = arena_new();
        struct rewriter r;
        rewriter_begin(&r, &q, masquerades[i].origin);
        struct str after =
            rewriter_address(&r, masquerades[i].part, str_from_c(masquerades[i].before), a);
        assert_string_equal(arena_c(a, after), masquerades[i].after);
        rewriter_end(&r);
        arena_free(a);
    }
    assert_int_equal(rules->references, 1);
    assert_false(rewriter_wants(NULL, REWRITE_ENVELOPE_SENDER));
    queue_rules_unref(rules);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"rewrite x { for = users\n }", "expected either a table or masquerade"},
        {"rewrite x { table = t\n masquerade = a.example\n }", "expected either"},
        {"rewrite x { masquerade = a@b\n }", "masquerade: \"a@b\" is no domain"},
        {"rewrite x { masquerade = a.example\n for = everybody\n }", "for: \"everybody\""},
        {"rewrite x { masquerade = a.example\n parts = subject\n }", "parts: \"subject\""},
        {"rewrite x { table = nothing-here\n }", "rewrite x: open /etc/nothing-here"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct err e = {.kind = ERR_NONE};
        assert_null(rules_of(cases[i].text, &e));
        if (!strstr(e.text, cases[i].words))
            fail_msg("%s: %s", cases[i].text, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),         cmocka_unit_test(test_wrong_tables),
        cmocka_unit_test(test_limit_of_tries), cmocka_unit_test(test_masquerade),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
