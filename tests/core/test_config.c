#include "core/arena.h"
#include "core/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct top {
    const char *hostname, *data_dir, *secret;
    bool debug;
    int64_t limit, size;
    usec timeout;
    struct string_list domains, keys;
};

static const struct setting top_table[] = {
    {"hostname", SETTING_STRING, offsetof(struct top, hostname), "localhost", 0, 0, NULL, "Name."},
    {"data_dir", SETTING_PATH, offsetof(struct top, data_dir), "data", 0, 0, NULL, "Where."},
    {"secret", SETTING_SECRET, offsetof(struct top, secret), "", 0, 0, NULL, "Secret."},
    {"debug", SETTING_BOOL, offsetof(struct top, debug), "no", 0, 0, NULL, "Talk."},
    {"limit", SETTING_NUMBER, offsetof(struct top, limit), "10", 1, 100, NULL, "How many."},
    {"size", SETTING_SIZE, offsetof(struct top, size), "25M", 1024, INT64_MAX, NULL, "How big."},
    {"timeout", SETTING_DURATION, offsetof(struct top, timeout), "5m", USEC_SEC, 3600 * USEC_SEC,
     NULL, "How long."},
    {"domains", SETTING_STRING_LIST, offsetof(struct top, domains), "", 0, 0, NULL, "Which."},
    {"keys", SETTING_PATHS, offsetof(struct top, keys), "", 0, 0, NULL, "With what."},
    {0},
};

struct listener {
    const char *name;
    struct string_list address;
    int tls;
};

static const char *const tls_choices[] = {"none", "starttls", "implicit", NULL};
static const struct setting listener_table[] = {
    {"address", SETTING_SOCKETS, offsetof(struct listener, address), NULL, 0, 0, NULL, "Where."},
    {"tls", SETTING_CHOICE, offsetof(struct listener, tls), "none", 0, 0, tls_choices, "How."},
    {0},
};

struct smtp {
    int64_t recipients;
};

static const struct setting smtp_table[] = {
    {"recipients", SETTING_NUMBER, offsetof(struct smtp, recipients), "1000", 0, 0, NULL, ""},
    {0},
};

static bool check_smtp(const void *values, struct err *e)
{
    const struct smtp *s = values;
    return s->recipients % 2 == 0 || err_set(e, ERR_SYNTAX, "recipients must be even");
}

static const struct settings_block top_block = {"",        "Top.", false, sizeof(struct top),
                                                top_table, NULL};
static const struct settings_block listener_block = {
    "listener", "Listens.", true, sizeof(struct listener), listener_table, NULL};
static const struct settings_block smtp_block = {"smtp",     "Speaks.", false, sizeof(struct smtp),
                                                 smtp_table, check_smtp};
static const struct settings_block *const blocks[] = {&top_block, &listener_block, &smtp_block,
                                                      NULL};

static struct config *parse(const char *text)
{
    struct err e = {0};
    struct config *c = config_parse("/etc/maild/maild.conf", str_from_c(text), blocks, &e);
    if (!c)
        fail_msg("%s", e.text);
    return c;
}

static void expect_error(const char *text, const char *message)
{
    struct err e = {0};
    struct config *c = config_parse("maild.conf", str_from_c(text), blocks, &e);
    assert_null(c);
    assert_string_equal(e.text, message);
}

static void test_values(void **state)
{
    (void)state;
    struct config *c = parse("\xef\xbb\xbf# first\r\n"
                             "hostname = \"a \\\"b\\\" \\\\ c#;\" ; debug = on # talk\r\n"
                             "limit=7;size = 10KiB\n"
                             "timeout = 1m30s\n"
                             "domains = one, two three,\n"
                             "   # and\n"
                             "   \"four, five\"\n"
                             "data_dir = spool/mail\n"
                             "keys = one.pem, \"t w o.pem\" /three.pem\n"
                             "secret = \"<x\"\n");
    const struct top *t = config_block(c, &top_block);
    assert_string_equal(t->hostname, "a \"b\" \\ c#;");
    assert_true(t->debug);
    assert_int_equal(t->limit, 7);
    assert_int_equal(t->size, 10240);
    assert_int_equal(t->timeout, 90 * USEC_SEC);
    assert_int_equal(t->domains.count, 4);
    assert_string_equal(t->domains.items[2], "three");
    assert_string_equal(t->domains.items[3], "four, five");
    assert_string_equal(t->data_dir, "/etc/maild/spool/mail");
    assert_string_equal(t->secret, "<x");
    assert_int_equal(t->keys.count, 3);
    assert_string_equal(t->keys.items[0], "/etc/maild/one.pem");
    assert_string_equal(t->keys.items[1], "/etc/maild/t w o.pem");
    assert_string_equal(t->keys.items[2], "/three.pem");
    config_unref(c);
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *c = parse("");
    const struct top *t = config_block(c, &top_block);
    assert_string_equal(t->hostname, "localhost");
    assert_string_equal(t->data_dir, "/etc/maild/data");
    assert_string_equal(t->secret, "");
    assert_int_equal(t->size, 25 * 1024 * 1024);
    assert_int_equal(t->domains.count, 0);
    assert_int_equal(t->keys.count, 0);
    assert_int_equal(config_count(c, &listener_block), 0);
    assert_int_equal(((const struct smtp *)config_block(c, &smtp_block))->recipients, 1000);
    config_unref(c);
}

static void test_blocks(void **state)
{
    (void)state;
    struct config *c =
        parse("listener mx\n{\n address = *:25, [::1]:10025 127.0.0.1:0\n}\n"
              "smtp { recipients = 4 }\n"
              "listener \"local programs\" { address = unix:run/s; tls = STARTTLS }");
    assert_int_equal(config_count(c, &listener_block), 2);
    const struct listener *mx = config_at(c, &listener_block, 0);
    const struct listener *local = config_at(c, &listener_block, 1);
    assert_null(config_at(c, &listener_block, 2));
    assert_string_equal(mx->name, "mx");
    assert_int_equal(mx->address.count, 3);
    assert_string_equal(mx->address.items[1], "[::1]:10025");
    assert_int_equal(mx->tls, 0);
    assert_string_equal(local->name, "local programs");
    assert_string_equal(local->address.items[0], "unix:/etc/maild/run/s");
    assert_int_equal(local->tls, 1);
    assert_int_equal(((const struct smtp *)config_block(c, &smtp_block))->recipients, 4);
    config_unref(c);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\nlistener mx {\n  adress = *:25\n}",
         "maild.conf:3: listener mx: unknown setting \"adress\", did you mean \"address\"?"},
        {"xyzzy = 1", "maild.conf:1: unknown setting \"xyzzy\""},
        {"recipients = 2",
         "maild.conf:1: unknown setting \"recipients\", it belongs into the block \"smtp\""},
        {"smtp { debug = on }", "maild.conf:1: smtp: unknown setting \"debug\", it belongs outside "
                                "of the blocks"},
        {"listner mx { }", "maild.conf:1: unknown block \"listner\", did you mean \"listener\"?"},
        {"smtp = 1", "maild.conf:1: \"smtp\" is a block, expected: smtp { ... }"},
        {"listener { }",
         "maild.conf:1: listener: a name is missing, expected: listener NAME { ... }"},
        {"smtp x { }", "maild.conf:1: smtp: this block has no name, expected: smtp { ... }"},
        {"keys = a, \"\"", "maild.conf:1: keys: \"\" does not fit, expected a path, or several"},
        {"limit = ten",
         "maild.conf:1: limit: \"ten\" does not fit, expected a number, from 1 to 100"},
        {"limit = 101",
         "maild.conf:1: limit: \"101\" does not fit, expected a number, from 1 to 100"},
        {"size = 1", "maild.conf:1: size: \"1\" does not fit, expected a size such as 4096, 10K, "
                     "25M or 1G, at least 1K"},
        {"size = 99999999T", "maild.conf:1: size: \"99999999T\" does not fit, expected a size such "
                             "as 4096, 10K, 25M or 1G, at least 1K"},
        {"timeout = 30", "maild.conf:1: timeout: \"30\" does not fit, expected a duration such as "
                         "500ms, 30s, 5m, 2h or 4d, from 1s to 1h"},
        {"debug = maybe", "maild.conf:1: debug: \"maybe\" does not fit, expected yes or no"},
        {"debug =\n", "maild.conf:1: debug: no value, expected yes or no"},
        {"hostname = two words", "maild.conf:1: hostname: one value expected, found 2 (text with "
                                 "spaces or commas needs quotes)"},
        {"limit = 1\nlimit = 2", "maild.conf:2: limit was already set at maild.conf:1"},
        {"listener mx { address = 25 }",
         "maild.conf:1: listener mx: address: \"25\" does not fit, expected addresses such as "
         "*:25, 192.0.2.1:25, [2001:db8::1]:25, unix:/path"},
        {"listener mx { address = *:25; tls = startls }",
         "maild.conf:1: listener mx: tls: \"startls\" does not fit, expected one of none, "
         "starttls, "
         "implicit; did you mean \"starttls\"?"},
        {"\n\nlistener mx { tls = none }",
         "maild.conf:3: listener mx: address must be set, expected addresses such as *:25, "
         "192.0.2.1:25, [2001:db8::1]:25, unix:/path"},
        {"listener a { address = *:1 }\nlistener a { address = *:2 }",
         "maild.conf:2: listener a was already opened at maild.conf:1"},
        {"\nsmtp {\nrecipients = 2\n\n",
         "maild.conf:2: smtp: the block that begins here is not closed"},
        {"smtp {\nlistener x { }",
         "maild.conf:2: smtp: a block cannot begin here: the one of line 1 is not closed yet"},
        {"}", "maild.conf:1: \"}\" closes no block"},
        {"hostname \"x\"", "maild.conf:1: hostname: expected \"=\" or \"{\""},
        {"hostname x;", "maild.conf:1: hostname: expected \"=\" or \"{\""},
        {"= x", "maild.conf:1: expected the name of a setting, found \"=\""},
        {"hostname = \"x\n\"", "maild.conf:1: the quoted text does not end on its line"},
        {"hostname = \"\\q\"",
         "maild.conf:1: unknown escape in quoted text, known are \\\" \\\\ \\n \\r \\t"},
        {"hostname = a\"b\"", "maild.conf:1: quoted text must be a word of its own (put quotes "
                              "around all of it)"},
        {"domains = a,, b", "maild.conf:1: a value is missing beside the comma"},
        {"domains = a,\n", "maild.conf:2: a value is missing beside the comma"},
        {"smtp {\n recipients = 3\n}", "maild.conf:2: smtp: recipients must be even"},
        {"hostname = \x01", "maild.conf:1: control character \\x01"},
        {"\nhostname = \xff", "maild.conf:2: this line is not UTF-8 text"},
        {"include other.conf", "maild.conf:1: include: files are not read here"},
        {"include", "maild.conf:1: include: expected the path of a file, or a pattern"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        expect_error(cases[i][0], cases[i][1]);
}

/* --- files --- */

static char *folder;

static const char *write_file(const char *name, const char *text)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    char template[] = "/tmp/test_config.XXXXXX";
    folder = strdup(mkdtemp(template));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    int status = system(command);
    free(folder);
    return status;
}

static struct config *read_main(struct err *e)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/maild.conf", folder);
    return config_read(path, blocks, e);
}

static void expect_read_error(const char *message)
{
    struct err e = {0};
    assert_null(read_main(&e));
    if (!strstr(e.text, message))
        fail_msg("expected \"%s\" in \"%s\"", message, e.text);
}

static void test_includes(void **state)
{
    (void)state;
    struct err e = {0};
    char path[512];
    snprintf(path, sizeof(path), "%s/conf.d", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("maild.conf", "hostname = a\ninclude \"conf.d/*.conf\"\nsecret = <key\n"
                             "smtp {\n  include smtp.inc\n}\n");
    write_file("conf.d/20.conf", "listener two { address = *:2 }\n");
    write_file("conf.d/10.conf", "listener one { address = *:1 }\nsmtp { }\n");
    write_file("conf.d/ignored", "nonsense");
    write_file("smtp.inc", "recipients = 8");
    write_file("key", "  s3cret word \nanother line\n");
    struct config *c = read_main(&e);
    if (!c)
        fail_msg("%s", e.text);
    const struct listener *first = config_at(c, &listener_block, 0);
    assert_string_equal(first->name, "one");
    assert_int_equal(config_count(c, &listener_block), 2);
    assert_string_equal(((const struct top *)config_block(c, &top_block))->secret, "s3cret word");
    assert_int_equal(((const struct smtp *)config_block(c, &smtp_block))->recipients, 8);
    config_unref(config_ref(c));

    struct buf shown = BUF_EMPTY;
    config_show(c, &shown);
    assert_null(strstr(buf_c(&shown), "s3cret"));
    assert_non_null(strstr(buf_c(&shown), "secret = \"(hidden)\"\n"));
    assert_non_null(strstr(buf_c(&shown), "hostname = a\n"));
    assert_non_null(
        strstr(buf_c(&shown), "size = 25M                                      # default"));
    assert_non_null(strstr(buf_c(&shown), "listener \"one\" {\n    address = *:1\n"));
    struct config *again = config_parse("maild.conf", buf_str(&shown), blocks, &e);
    assert_non_null(again);
    config_unref(again);
    buf_free(&shown);
    config_unref(c);
}

static void test_include_mistakes(void **state)
{
    (void)state;
    write_file("maild.conf", "\ninclude b.conf");
    expect_read_error("maild.conf:2: ");
    expect_read_error("b.conf");
    write_file("b.conf", "include ./../"
                         "nowhere/../maild.conf");
    expect_read_error("b.conf:1: ");
    write_file("b.conf", "include maild.conf");
    expect_read_error("maild.conf includes itself");
    write_file("b.conf", "limit = 0");
    expect_read_error("b.conf:1: limit: \"0\" does not fit");
    write_file("b.conf", "smtp {");
    expect_read_error("b.conf:1: smtp: the block that begins here is not closed");
    write_file("b.conf", "}");
    expect_read_error("b.conf:1: \"}\" closes no block of this file");
    write_file("maild.conf", "include .");
    expect_read_error("not a regular file");
    write_file("maild.conf", "secret = <missing");
    expect_read_error("maild.conf:1: secret: ");
    write_file("key", "\nsecond line");
    write_file("maild.conf", "secret = <key");
    expect_read_error("key: the first line must hold the secret");
    char *big = malloc(CONFIG_FILE_MAX + 2);
    memset(big, '\n', CONFIG_FILE_MAX + 1);
    big[CONFIG_FILE_MAX + 1] = '\0';
    write_file("maild.conf", big);
    free(big);
    expect_read_error("maild.conf");
}

static void add_difference(void *arg, const struct config_change *change)
{
    struct buf *b = arg;
    config_change_name(change, b);
    buf_printf(b, " %d %.*s %.*s\n", (int)change->kind, STR_ARG(change->before),
               STR_ARG(change->after));
}

static void expect_differences(const char *before, const char *after, const char *expected)
{
    struct config *a = parse(before), *b = parse(after);
    struct buf found = BUF_EMPTY;
    config_compare(a, b, add_difference, &found);
    assert_string_equal(buf_c(&found), expected);
    buf_free(&found);
    config_unref(a);
    config_unref(b);
}

static void test_differences(void **state)
{
    (void)state;
    expect_differences("", "# nothing\nlimit = 10; timeout = 300s; smtp { recipients = 1000 }", "");
    expect_differences("limit = 5", "timeout = 10s; smtp { recipients = 2 }",
                       "limit 0 5 10\ntimeout 0 5m 10s\nsmtp.recipients 0 1000 2\n");
    /* A secret's values are compared, and not told. */
    expect_differences("secret = abc", "secret = abc", "");
    expect_differences("secret = abc", "secret = abd", "secret 0 \"(hidden)\" \"(hidden)\"\n");
    expect_differences("listener a { address = *:1 }\nlistener b { address = *:2 }",
                       "listener a { address = *:3 }\nlistener \"c d\" { address = *:2 }",
                       "listener a.address 0 *:1 *:3\nlistener b 2  \nlistener c d 1  \n");
    expect_differences("listener a { address = *:1 }\nlistener b { address = *:2 }\n"
                       "listener c { address = *:3 }",
                       "listener c { address = *:3 }\nlistener a { address = *:1 }",
                       "listener b 2  \nlistener 3  \n");
}

static bool is_no_secret(const struct setting *s)
{
    return s->type != SETTING_SECRET;
}

static void test_equal_values(void **state)
{
    (void)state;
    struct config *a = parse("secret = one\nlimit = 10\n"), *b = parse("secret = two\n");
    struct config *c = parse("limit = 11\nsecret = one\n");
    const struct top *of_a = config_block(a, &top_block), *of_b = config_block(b, &top_block);
    assert_true(config_values_equal(&top_block, of_a, of_a, NULL));
    assert_false(config_values_equal(&top_block, of_a, of_b, NULL));
    assert_true(config_values_equal(&top_block, of_a, of_b, is_no_secret));
    assert_false(config_values_equal(&top_block, of_a, config_block(c, &top_block), is_no_secret));
    config_wipe_secrets(&top_block, of_a);
    assert_string_equal(of_a->secret, "");
    assert_string_equal(of_b->secret, "two");
    assert_int_equal(of_a->limit, 10);
    config_unref(a);
    config_unref(b);
    config_unref(c);
}

static void test_manual(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    config_manual(blocks, true, &b);
    assert_non_null(strstr(buf_c(&b), ".SH \"listener NAME { ... }\"\n"));
    assert_non_null(strstr(buf_c(&b), ".TP\n\\fBtimeout\\fR\nHow long.\n"));
    buf_clear(&b);
    config_manual(blocks, false, &b);
    assert_non_null(strstr(buf_c(&b), "Takes a duration such as 500ms, 30s, 5m, 2h or 4d, from 1s "
                                      "to 1h.\n        Default: 5m"));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),       cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_blocks),       cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_includes),     cmocka_unit_test(test_include_mistakes),
        cmocka_unit_test(test_equal_values), cmocka_unit_test(test_manual),
        cmocka_unit_test(test_differences),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
