/*
 * What follows when nothing of a message is under way any more: the sender is told of recipients
 * that failed, and of those that got the message when that was asked for (NOTIFY, RFC 3461), each
 * in one report; a delay is reported once, and once that the time given with BY has passed (RFC
 * 2852); a message with nothing left to do is ended.
 *
 * "Reported" is written down after the report was accepted: a crash between the two sends it twice.
 * A report that cannot be accepted now (full disk, directory down) is tried again later.
 */
#include "queue/settle.h"

#include "core/crash.h"
#include "core/log.h"
#include "core/mem.h"
#include "queue/message.h"
#include "queue/queue_files.h"
#include "queue/queue_journal.h"
#include "queue/report.h"
#include "queue/scheduler.h"

#include <stdlib.h>

static bool wants(const struct queue_recipient *r, enum dsn_notify what)
{
    return r->notify == 0 || (r->notify & what);
}

static bool is_waiting(const struct queue_recipient *r)
{
    return r->state == RECIPIENT_WAITING || r->state == RECIPIENT_SENDING;
}

/* Recipients that the report tells about. */
static bool is_due(const struct queue_message *m, const struct queue_recipient *r,
                   enum report_kind kind)
{
    switch (kind) {
    case REPORT_OF_FAILURE:
        return r->state == RECIPIENT_FAILED && !r->reported;
    case REPORT_OF_SUCCESS:
        return r->state == RECIPIENT_DELIVERED && recipient_is_unreported(r);
    case REPORT_OF_DELAY:
        return is_waiting(r) && r->attempts > 0 && !m->warned && wants(r, NOTIFY_DELAY);
    case REPORT_OF_LATENESS:
        return is_waiting(r) && !m->told_late && wants(r, NOTIFY_DELAY);
    }
    return false;
}

SUSPENDS static void mark_reported(struct queue_message *m, enum report_kind kind,
                                   const uint32_t *recipients, size_t count)
{
    if (kind == REPORT_OF_DELAY || kind == REPORT_OF_LATENESS) {
        *(kind == REPORT_OF_DELAY ? &m->warned : &m->told_late) = true;
        journal_log_warned(m);
        return;
    }
    for (size_t i = 0; i < count && !m->deleted; i++) {
        if (i % QUEUE_FILES_BATCH == QUEUE_FILES_BATCH - 1)
            fiber_yield();
        m->recipients[recipients[i]].reported = true;
        journal_log_result(m, &m->recipients[recipients[i]]);
        m->queue->stats.bounced += kind == REPORT_OF_FAILURE;
    }
}

/* Failures that the sender does not want to hear of (RFC 3461 5.2.6 (b)). A report of ours wants no
 * report, but when it is lost the postmaster has to know. */
static bool is_unwanted(const struct queue_message *m, const struct queue_recipient *r)
{
    bool is_report = m->sender.n == 0 && strcmp(m->component, "queue") == 0;
    return is_due(m, r, REPORT_OF_FAILURE) && !wants(r, NOTIFY_FAILURE) && !is_report;
}

SUSPENDS static void pass_over_unwanted(struct queue_message *m)
{
    size_t passed = 0;
    for (uint32_t i = 0; i < m->recipient_count && !m->deleted; i++) {
        struct queue_recipient *r = &m->recipients[i];
        if (!is_unwanted(m, r))
            continue;
        log_info("queue", m->id, "no report wanted to=<%.*s> of=<%.*s>", STR_ARG(m->sender),
                 STR_ARG(recipient_address(r)));
        mark_reported(m, REPORT_OF_FAILURE, &i, 1);
        if (++passed % QUEUE_STEPS_PER_TURN == 0)
            fiber_yield();
    }
}

static bool tells_of_waiting(enum report_kind kind)
{
    return kind == REPORT_OF_DELAY || kind == REPORT_OF_LATENESS;
}

/* Of very many recipients several reports. What has been told is marked at once, but for delays: of
 * those the message only knows that all were told. */
SUSPENDS static bool send_reports(struct queue_message *m, enum report_kind kind,
                                  const uint32_t *recipients, size_t count, struct err *e)
{
    for (size_t at = 0, n; at < count && !m->deleted; at += n) {
        n = count - at < QUEUE_REPORT_RECIPIENTS ? count - at : QUEUE_REPORT_RECIPIENTS;
        if (!report_send(m, kind, recipients + at, n, e))
            return false;
        if (!m->deleted && (!tells_of_waiting(kind) || at + n == count))
            mark_reported(m, kind, recipients + at, n);
    }
    return true;
}

/* False: must be tried again. */
SUSPENDS static bool report_due(struct queue_message *m, enum report_kind kind)
{
    struct err e = {.kind = ERR_NONE};
    size_t count = 0;
    uint32_t *recipients = mem_array(m->recipient_count + 1, sizeof(*recipients));
    for (uint32_t i = 0; i < m->recipient_count; i++)
        if (is_due(m, &m->recipients[i], kind))
            recipients[count++] = i;
    bool ok = send_reports(m, kind, recipients, count, &e);
    if (!ok)
        log_warning("queue", m->id, "report delayed to=<%.*s> reason=\"%s\"", STR_ARG(m->sender),
                    e.text);
    free(recipients);
    return ok;
}

static bool kind_is_due(const struct queue_message *m, enum report_kind kind)
{
    usec warn_after = m->queue->config->settings.delay_warning, now = clock_wall();
    if (kind == REPORT_OF_DELAY)
        return warn_after > 0 && !m->warned && now >= message_begin(m) + warn_after;
    if (kind == REPORT_OF_LATENESS)
        return m->options.deliver_by != 0 && !m->options.deliver_by_return && !m->told_late &&
               now >= m->options.deliver_by;
    return true;
}

/* False: must be tried again. */
SUSPENDS static bool report_all(struct queue_message *m)
{
    static const enum report_kind kinds[] = {REPORT_OF_FAILURE, REPORT_OF_SUCCESS,
                                             REPORT_OF_LATENESS, REPORT_OF_DELAY};
    pass_over_unwanted(m);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && !m->deleted; i++)
        if (kind_is_due(m, kinds[i]) && !report_due(m, kinds[i]))
            return false;
    return true;
}

static bool all_done(const struct queue_message *m)
{
    for (size_t i = 0; i < m->recipient_count; i++)
        if (!recipient_is_done(&m->recipients[i]))
            return false;
    return true;
}

/* The record is waited for, so that a crash does not send again what operators saw gone. Should
 * that fail, the journal has failed, and nothing more is sent. */
SUSPENDS static void end_message(struct queue_message *m)
{
    struct queue *q = m->queue;
    struct err e;
    lsn position = journal_log_done(m);
    queue_files_remove_later(m, position);
    scheduler_forget_message(m);
    if (!journal_commit(q->context.journal, position, &e))
        log_error("queue", m->id, "result not kept: %s", e.text);
    if (m->deleted)
        return;
    log_info("queue", m->id, "removed");
    message_remove(m);
}

SUSPENDS void message_settle(struct queue_message *m)
{
    bool ok = true;
    m->settle_again = true;
    if (m->settling)
        return;
    m->settling = true;
    struct suspect suspect;
    suspect_begin(&suspect, SUSPECT_MESSAGE, str_from_c(m->id), STR(""));
    while (m->settle_again && ok && !m->deleted) {
        m->settle_again = false;
        ok = report_all(m);
    }
    suspect_end(&suspect);
    m->settling = false;
    if (m->deleted)
        return;
    if (!ok)
        scheduler_settle_later(m);
    else if (all_done(m))
        end_message(m);
}
