/*
 * From the line that has arrived to the tagged answer: read, run, tell what has changed in the
 * selected mailbox, answer. RFC 3501 sections 2.2 and 5.2; response codes of RFC 5530.
 */
#include "imap/command.h"
#include "imap/workaround.h"

#include "core/crash.h"
#include "core/log.h"
#include "imap/access.h"
#include "imap/limits.h"
#include "imap/notify.h"
#include "imap/search_update.h"

#include <stdarg.h>

/* --- results --- */

static void set_result(struct imap_command *c, enum imap_status status, const char *format,
                       va_list args)
{
    if (c->status != IMAP_PENDING)
        return;
    struct buf text = BUF_EMPTY;
    buf_vprintf(&text, format, args);
    c->status = status;
    c->text = arena_str(c->arena, buf_str(&text));
    buf_free(&text);
}

void imap_ok(struct imap_command *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_result(c, IMAP_OK, format, args);
    va_end(args);
}

void imap_no(struct imap_command *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_result(c, IMAP_NO, format, args);
    va_end(args);
}

void imap_bad(struct imap_command *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_result(c, IMAP_BAD, format, args);
    va_end(args);
}

static void log_failure(const struct imap_command *c, const struct err *e)
{
    const struct imap_session *s = c->session;
    log_error("imap", s->net.id, "command failed command=%s user=<%s> reason=\"%s\"",
              c->entry ? c->entry->name : "", s->user ? s->user->login : "", e->text);
}

void imap_fail(struct imap_command *c, const struct err *e, bool create)
{
    switch (e->kind) {
    case ERR_NOT_FOUND:
        imap_no(c, "%s No such mailbox", create ? "[TRYCREATE]" : "[NONEXISTENT]");
        break;
    case ERR_EXISTS:
        imap_no(c, "[ALREADYEXISTS] The mailbox exists already");
        break;
    case ERR_DENIED:
        imap_no(c, "[CANNOT] Not permitted");
        break;
    case ERR_SYNTAX:
        imap_no(c, "[CANNOT] %s", e->text);
        break;
    case ERR_QUOTA:
    case ERR_QUOTA_NOW:
        imap_no(c, "[OVERQUOTA] %s", e->text);
        break;
    case ERR_LIMIT:
        imap_no(c, "[LIMIT] %s", e->text);
        break;
    case ERR_CANCELLED:
        imap_no(c, "[UNAVAILABLE] The server is stopping");
        break;
    case ERR_IO:
    case ERR_NO_SPACE:
        log_failure(c, e);
        imap_no(c, "[UNAVAILABLE] The disk of the server is full or failed, try again later");
        break;
    case ERR_PERM:
        log_failure(c, e);
        imap_no(c, "[SERVERBUG] Internal error, it was logged");
        break;
    default:
        log_failure(c, e);
        imap_no(c, "[UNAVAILABLE] Temporary failure, try again later");
    }
}

bool imap_breathe(struct imap_command *c)
{
    usec now = clock_monotonic();
    if (!c->slice)
        c->slice = now;
    if (now - c->slice > IMAP_SLICE) {
        fiber_yield();
        c->slice = clock_monotonic();
    }
    return !c->session->net.ended;
}

bool imap_progress(struct imap_command *c, uint64_t done, uint64_t total)
{
    struct imap_session *s = c->session;
    usec every = s->settings->progress_interval;
    bool on = imap_breathe(c);
    if (!c->told)
        c->told = c->slice;
    if (!on || !every || c->slice - c->told < every || done >= total)
        return on;
    c->told = c->slice;
    imap_writef(s, "* OK [INPROGRESS (\"%.*s\" %llu %llu)] %s goes on\r\n", STR_ARG(c->tag),
                (unsigned long long)done, (unsigned long long)total, c->entry->name);
    return session_flush(&s->net);
}

/* --- the answer --- */

/* HIGHESTMODSEQ: behind what the client has seen when something has to wait (RFC 7162 section 6),
 * and new when expunges were told. */
static void add_highestmodseq(struct imap_command *c, struct buf *out)
{
    const struct imap_selected *v = c->session->selected;
    if (!(c->session->enabled & ENABLED_CONDSTORE) ||
        !(v->told_expunges || v->complete < mailbox_modseq(v->mailbox)))
        return;
    if (c->status == IMAP_OK && c->text.n && c->text.p[0] != '[')
        c->text = arena_printf(c->arena, "[HIGHESTMODSEQ %llu] %.*s",
                               (unsigned long long)v->complete, STR_ARG(c->text));
    else
        imap_write_highestmodseq(out, v);
}

static bool is_poll(const struct imap_command *c)
{
    return c->entry->run == imap_cmd_noop || c->entry->run == imap_cmd_check;
}

static void synchronise(struct imap_command *c)
{
    struct imap_session *s = c->session;
    if (!s->selected || !c->entry || c->entry->flags & IMAP_NO_SYNC)
        return;
    if (s->workarounds & WORKAROUND_DELAY_NEWMAIL && !is_poll(c) &&
        !(c->entry->flags & IMAP_NEEDS_WRITE))
        return;
    /* A client that wants to hear of nothing hears of what it did itself. */
    if (!imap_notify_tells(s, NOTIFY_NEW) && !(c->entry->flags & IMAP_NEEDS_WRITE))
        return;
    uint32_t first = s->selected->uid_next;
    bool expunges = (c->uid && !c->by_number) || !(c->entry->flags & IMAP_NO_EXPUNGE);
    struct buf out = BUF_EMPTY;
    imap_selected_sync(s->selected, &out, expunges, c->uid, &c->known);
    add_highestmodseq(c, &out);
    if (out.n)
        imap_write(s, buf_str(&out));
    buf_free(&out);
    imap_limit_tell(c);
    imap_notify_fetch(s, first);
    imap_updates_tell(s);
}

/* Malformed commands in a row end the session: whoever speaks is not an IMAP client. */
static void count_bad(struct imap_command *c)
{
    struct imap_session *s = c->session;
    if (c->status != IMAP_BAD) {
        if (s->user)
            s->bad_count = 0;
        return;
    }
    if (++s->bad_count >= (s->user ? IMAP_BAD_MAX : IMAP_ANONYMOUS_BAD_MAX)) {
        imap_write(s, STR("* BYE Too many malformed commands\r\n"));
        session_end(&s->net, "too many malformed commands");
    }
}

static void answer(struct imap_command *c)
{
    static const char *const words[] = {[IMAP_OK] = "OK", [IMAP_NO] = "NO", [IMAP_BAD] = "BAD"};
    struct imap_session *s = c->session;
    if (c->status == IMAP_LATER || s->net.broken)
        return;
    synchronise(c);
    if (c->status == IMAP_PENDING)
        imap_no(c, "[SERVERBUG] The command gave no result");
    imap_writef(s, "%.*s %s %.*s\r\n", STR_ARG(c->tag), words[c->status], STR_ARG(c->text));
    count_bad(c);
    if (s->selected && mailbox_is_deleted(s->selected->mailbox)) {
        imap_write(s, STR("* BYE The selected mailbox was deleted\r\n"));
        session_end(&s->net, "selected mailbox was deleted");
    }
    if (c->after && !s->net.broken)
        c->after(s);
}

static void run(struct imap_command *c)
{
    struct suspect suspect;
    const struct imap_selected *selected = c->session->selected;
    if (selected)
        mailbox_suspect(selected->mailbox, c->arena, &suspect);
    c->entry->run(c);
    if (selected)
        suspect_end(&suspect);
}

void imap_command_process(struct imap_session *s)
{
    struct arena *a = arena_new();
    if (!s->user)
        arena_hold_secrets(a);
    struct imap_command *c = ARENA_NEW(a, struct imap_command);
    c->session = s;
    c->arena = a;
    if (imap_command_read(c)) {
        s->commands++;
        bool may_go_on = imap_recheck_selected(s);
        if (c->status == IMAP_PENDING && may_go_on) {
            s->net.entry.state = c->entry->name;
            usec begun = clock_monotonic();
            run(c);
            histogram_add(&s->context->commands, clock_monotonic() - begun);
        }
        if (may_go_on)
            answer(c);
    }
    arena_free(a);
}
