#include "core/arena.h"
#include "ctl/server_settings.h"
#include "net/service.h"
#include "queue/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct config *parse(const char *text, struct err *e)
{
    *e = (struct err){0};
    struct config *c = config_parse("/etc/maild/maild.conf", str_from_c(text), server_blocks, e);
    if (c && !server_check(c, e)) {
        config_unref(c);
        c = NULL;
    }
    return c;
}

static void expect_error(const char *text, const char *message)
{
    struct err e;
    assert_null(parse(text, &e));
    if (!strstr(e.text, message))
        fail_msg("expected \"%s\" in \"%s\"", message, e.text);
}

static void test_paths_follow_the_directories(void **state)
{
    (void)state;
    struct err e;
    struct arena *a = arena_new();
    struct config *c = parse("data_dir = data; run_dir = run\n"
                             "listener l { protocol = lmtp; address = unix:run/lmtp.sock }",
                             &e);
    if (!c)
        fail_msg("%s", e.text);
    const struct server_settings *s = config_block(c, &server_settings_block);
    assert_string_equal(server_control_socket(s, a), "/etc/maild/run/control.sock");
    assert_string_equal(server_data_path(s, "", "journal", a), "/etc/maild/data/journal");
    assert_string_equal(server_data_path(s, "/fast/journal", "journal", a), "/fast/journal");
    assert_true(strlen(server_hostname(s, a)) > 0);
    config_unref(c);
    arena_free(a);
}

static void test_mistakes_across_blocks(void **state)
{
    (void)state;
    expect_error("", "no listener");
    expect_error("listener mx { protocol = smtp; address = *:25; tls = starttls }",
                 "listener mx: TLS needs a certificate");
    expect_error("listener a { protocol = smtp; address = *:25 }\n"
                 "listener b { protocol = smtp; address = *:26, *:25 }",
                 "listener b: *:25 is listener a's address already");
    expect_error("hostname = \"a b\"\nlistener a { protocol = smtp; address = *:25 }",
                 "is not the name of a host");
    expect_error("journal { segment_size = 16M; size_max = 32M }", "at least four times");
}

static void test_restart_needed(void **state)
{
    (void)state;
    struct err e;
    struct buf names = BUF_EMPTY;
    struct config *before =
        parse("hostname = a.test\nlistener a { protocol = smtp; address = *:25 }", &e);
    struct config *after =
        parse("hostname = b.test\nuser = maild\nlog_level = debug\nqueue { lifetime = 1d }\n"
              "journal { segment_size = 32M }\nlistener a { protocol = smtp; address = *:25 }\n"
              "listener b { protocol = smtp; address = *:26 }",
              &e);
    assert_non_null(before);
    assert_non_null(after);
    server_restart_needed(before, after, &names);
    assert_string_equal(buf_c(&names), "user, journal.segment_size");
    buf_clear(&names);
    server_restart_needed(before, before, &names);
    assert_int_equal(names.n, 0);
    config_unref(before);
    config_unref(after);
    buf_free(&names);
}

static void test_directories_need_no_restart(void **state)
{
    static const char *const texts[] = {
        "",
        "ldap a { servers = ldapi://%2Fx; bind_dn = \"cn=x\"; bind_password = one; }",
        "ldap a { servers = ldapi://%2Fx; bind_dn = \"cn=x\"; bind_password = two; }",
        "ldap a { servers = ldapi://%2Fx; bind_dn = \"cn=y\"; bind_password = two; }",
        "ldap b { servers = ldapi://%2Fx; bind_dn = \"cn=y\"; bind_password = two; }",
    };
    struct config *configs[5];
    struct buf names = BUF_EMPTY;
    struct err e;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        configs[i] = config_parse("maild.conf", str_from_c(texts[i]), server_blocks, &e);
        if (!configs[i])
            fail_msg("%s", e.text);
    }
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 5; j++) {
            buf_clear(&names);
            server_restart_needed(configs[i], configs[j], &names);
            assert_int_equal(names.n, 0);
        }
    }
    for (size_t i = 0; i < 5; i++)
        config_unref(configs[i]);
    buf_free(&names);
}

/* Every table's defaults are of their types, and the manual has them all. */
static void test_manual_has_every_setting(void **state)
{
    (void)state;
    struct buf manual = BUF_EMPTY, line = BUF_EMPTY;
    config_manual(server_blocks, true, &manual);
    for (size_t i = 0; server_blocks[i]; i++) {
        for (const struct setting *s = server_blocks[i]->settings; s->name; s++) {
            buf_clear(&line);
            buf_printf(&line, "\n.TP\n\\fB%s\\fR\n", s->name);
            assert_non_null(strstr(buf_c(&manual), buf_c(&line)));
            assert_non_null(s->help);
        }
    }
    buf_free(&line);
    buf_free(&manual);
}

/* The manual says of a setting that it needs a restart, or its block says it for all, just when
 * that is so. */
static void test_manual_tells_what_needs_a_restart(void **state)
{
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; server_blocks[i]; i++) {
        const struct settings_block *block = server_blocks[i];
        for (const struct setting *s = block->settings; s->name; s++) {
            struct config_change change = {
                .kind = CONFIG_CHANGED, .block = block, .setting = s, .block_name = NULL};
            bool told =
                strstr(s->help, "eeds a restart") || strstr(block->help, "ll need a restart");
            if (told == !server_change_is_live(&change))
                continue;
            print_error("%s %s: %s\n", block->name, s->name,
                        told ? "needs no restart" : "needs a restart, which is not told");
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_follow_the_directories),
        cmocka_unit_test(test_mistakes_across_blocks),
        cmocka_unit_test(test_restart_needed),
        cmocka_unit_test(test_directories_need_no_restart),
        cmocka_unit_test(test_manual_has_every_setting),
        cmocka_unit_test(test_manual_tells_what_needs_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
