#pragma once
/* Logins against the directory of auth/helper.h, and what the log has of them. */
#include "auth/helper.h"

#include "auth/auth.h"
#include "core/log.h"

struct auth_fixture {
    struct fixture f;
    struct auth *auth;
    struct auth_peer peer;
    char *log;
};

static inline void auth_set_up(struct auth_fixture *x, usec delay)
{
    struct auth_settings settings = {
        .penalty = {.failure_delay = delay, .failure_delay_max = delay}, .failures_max = 3};
    *x = (struct auth_fixture){0};
    set_up(&x->f);
    fill(&x->f);
    x->log = path_in(x->f.folder, "log");
    assert_true(log_open(x->log, LOG_LEVEL_INFO, &x->f.e));
    x->auth = auth_new(x->f.d, &settings, &x->f.e);
    assert_non_null(x->auth);
    x->peer = (struct auth_peer){"imap", "imap", "ID1", "192.0.2.1", true, NULL};
}

static inline void auth_tear_down(struct auth_fixture *x)
{
    assert_true(log_open(NULL, LOG_LEVEL_INFO, &x->f.e));
    auth_free(x->auth);
    free(x->log);
    tear_down(&x->f);
}

/* The log so far has this text, or nothing of a login; and starts anew. */
static inline void assert_logged(struct auth_fixture *x, const char *text)
{
    struct buf log = BUF_EMPTY;
    log_flush();
    assert_true(disk_read_file(x->log, 100000, &log, &x->f.e));
    if (text && !strstr(buf_c(&log), text))
        fail_msg("\"%s\" is not in the log: %s", text, log.p);
    if (!text)
        assert_int_equal(str_find(buf_str(&log), STR(" auth[")), -1);
    assert_int_equal(str_find(buf_str(&log), STR("secret")), -1);
    buf_free(&log);
    write_test_file(x->log, STR(""));
}
