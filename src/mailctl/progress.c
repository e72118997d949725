/*
 * How far long work is, or at least that it goes on, and questions before work that cannot be
 * undone. Only with a person at a terminal: progress goes to standard error, so that output can be
 * piped.
 */
#include "core/clock.h"
#include "mailctl/mailctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE (2 * USEC_SEC)
#define INTERVAL (USEC_SEC / 4)
#define WAITING  USEC_SEC /* without measures only the time goes on */

static void add_left(struct buf *b, int64_t elapsed, int64_t done, int64_t of)
{
    if (done <= 0 || of <= done)
        return;
    buf_add_c(b, ", ");
    add_duration(b, (int64_t)((double)elapsed / (double)done * (double)(of - done)) / USEC_SEC);
    buf_add_c(b, " left");
}

/* It is time to show something. */
static bool is_due(struct mailctl *m, usec now, usec interval)
{
    if (!m->begun)
        m->begun = now;
    if (now - m->begun < PATIENCE || now - m->shown < interval || !isatty(STDERR_FILENO))
        return false;
    m->shown = now;
    return true;
}

static void show(struct buf *b)
{
    fprintf(stderr, "\r\033[K%s", buf_c(b));
    fflush(stderr);
    buf_free(b);
}

void progress_wait(struct mailctl *m, const char *for_what)
{
    usec now = clock_monotonic();
    struct buf b = BUF_EMPTY;
    if (m->measured || !is_due(m, now, WAITING))
        return;
    buf_printf(&b, "%s, ", for_what);
    add_duration(&b, (now - m->begun) / USEC_SEC);
    show(&b);
}

void progress_show(struct mailctl *m, int64_t done, int64_t of, int64_t bytes)
{
    usec now = clock_monotonic();
    struct buf b = BUF_EMPTY;
    if (!is_due(m, now, INTERVAL))
        return;
    m->measured = true;
    buf_printf(&b, "%lld", (long long)done);
    if (of > 0)
        buf_printf(&b, " of %lld (%lld %%)", (long long)of, (long long)(done * 100 / of));
    buf_add_c(&b, " messages");
    if (bytes > 0) {
        buf_add_c(&b, ", ");
        add_size(&b, bytes);
    }
    add_left(&b, now - m->begun, done, of);
    show(&b);
}

void progress_clear(struct mailctl *m)
{
    if (m->shown)
        fputs("\r\033[K", stderr);
    m->shown = m->begun = 0;
    m->measured = false;
}

bool confirm(const struct arguments *a, const char *format, ...)
{
    char answer[16];
    va_list args;
    if (option(a, "--yes"))
        return true;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        fail("there is nobody to ask: say --yes");
        return false;
    }
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs(" [y/N] ", stderr);
    if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y')) {
        fail("nothing was done");
        return false;
    }
    return true;
}
