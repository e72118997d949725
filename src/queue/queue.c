/*
 * The queue's life. At start the spool directory is read (queue_open), the journal's records are
 * replayed over them, what is left over from a crash is tidied up, and sending begins
 * (queue_start). At the end sending stops first; accepting goes on until the protocols have
 * stopped, and the journal's last checkpoint writes what waits into files.
 *
 *   accept.c, accept_queued.c   taking responsibility
 *   message.c, message_codec.c  messages in memory and in binary form
 *   queue_journal.c             records and their replay
 *   queue_files_*.c             the spool directory, at start and at checkpoints; what is in it:
 *   state_*.c, text_file.c, body_file.c
 *   message_text.c              the way of texts into files, and back
 *   scheduler.c, _sweep.c       what is tried when, over how many connections:
 *     item.c, due_heap.c          recipients that go together; waiting for their time
 *     destination.c, window.c     where to; how many connections it can take
 *     rate.c, lane.c              how fast
 *     fair_list.c, senders.c      whose turn it is
 *     slot.c, defer.c, reason.c   counting connections; dead destinations; why something waits
 *   delivery.c, result.c        one connection; what became of a recipient
 *   settle.c                    reports and the end of a message
 *   filter.c, operate.c, pause.c  for operators: finding messages, what is done with them, pauses
 *   control.c                   for operators, and for clients that ask with ETRN
 */
#include "queue/queue.h"

#include "core/crash.h"
#include "core/log.h"
#include "core/mem.h"
#include "queue/mailbox_delivery.h"
#include "queue/message.h"
#include "queue/pause.h"
#include "queue/queue_files.h"
#include "queue/queue_journal.h"
#include "queue/scheduler.h"
#include "queue/state_log.h"
#include "queue/statistics.h"

#include <stdlib.h>

SUSPENDS struct queue *queue_open(const struct queue_settings *s, const struct queue_context *c,
                                  struct err *e)
{
    struct queue *q = MEM_NEW(struct queue);
    q->context = *c;
    q->config = queue_config_new(s, c->tls, NULL);
    queue_srs_lead_back(q);
    queue_tell_mailboxes(q);
    link_init(&q->dirty);
    link_init(&q->fresh);
    q->texts.dir = q->context.spool_dir;
    q->texts.next_number = 1;
    q->state = state_log_new(q);
    link_init(&q->held);
    q->pause = pause_new();
    q->statistics = statistics_new(q);
    q->removals_end = &q->removals;
    q->scheduler = scheduler_new(q);
    if (!queue_files_load(q, e) || !pause_load(q, e)) {
        err_prefix(e, "queue");
        queue_free(q);
        return NULL;
    }
    statistics_open(q->statistics);
    journal_add_consumer(c->journal,
                         &(struct journal_consumer){.owner = JOURNAL_QUEUE,
                                                    .arg = q,
                                                    .sync_path = c->spool_dir,
                                                    .replay = journal_replay_record,
                                                    .checkpoint = queue_files_checkpoint});
    return q;
}

void queue_set_transport(struct queue *q,
                         SUSPENDS void (*deliver)(void *arg, struct transport_job *job), void *arg)
{
    q->deliver = deliver;
    q->deliver_arg = arg;
}

/* It stays, so that somebody looks; released, it begins anew. */
static void hold_suspects(struct queue *q)
{
    for (struct queue_message *m = q->first; m; m = m->next) {
        if (m->on_hold ||
            !crashes_accuse(q->context.crashes, SUSPECT_MESSAGE, str_from_c(m->id), STR("")))
            continue;
        log_error("queue", m->id,
                  "on hold from=<%.*s> reason=\"the server crashed twice with this message\"",
                  STR_ARG(m->sender));
        m->on_hold = true;
        m->hold_reason = HOLD_CRASHED;
        journal_log_hold(m);
        crashes_forgive(q->context.crashes, SUSPECT_MESSAGE, str_from_c(m->id), STR(""));
    }
}

void queue_start(struct queue *q)
{
    queue_files_tidy(q);
    hold_suspects(q);
    q->started = true;
    if (q->message_count > 0)
        log_info("queue", NULL, "waiting from before messages=%zu recipients=%zu", q->message_count,
                 q->recipient_count);
    if (q->stats.damaged_files > 0)
        log_warning("queue", NULL,
                    "damaged files are kept dir=<%s> count=%zu: messages may be missing since they "
                    "were set aside; remove the *.damaged when they are not needed any more",
                    q->context.spool_dir, q->stats.damaged_files);
    scheduler_start(q->scheduler);
    statistics_start(q->statistics);
}

SUSPENDS void queue_stop(struct queue *q, usec deadline)
{
    q->stopping = true;
    scheduler_stop(q->scheduler, deadline);
    while (q->writing_texts)
        cond_wait_certain(&q->text_room);
    statistics_stop(q->statistics);
}

struct router *queue_router(const struct queue *q)
{
    return q->context.router;
}

void queue_free(struct queue *q)
{
    while (q->first) {
        struct queue_message *m = q->first;
        scheduler_forget_message(m);
        message_remove(m);
    }
    queue_files_free(q);
    scheduler_free(q->scheduler);
    statistics_free(q->statistics);
    pause_free(q->pause);
    queue_config_unref(q->config);
    queue_rules_unref(q->rules);
    srs_keys_free(q->srs);
    free(q);
}

static bool has_routes(const struct queue_config *c)
{
    return c->rules && c->rules->routes.count > 0;
}

/* Mail may go other ways than before. */
static bool ways_changed(const struct queue_config *old, const struct queue_config *new)
{
    return has_routes(old) || has_routes(new) ||
           strcmp(old->settings.relay_host, new->settings.relay_host) != 0;
}

void queue_reload(struct queue *q, const struct queue_settings *s, struct tls_context *tls)
{
    struct queue_config *old = q->config;
    q->config = queue_config_new(s, tls, q->rules);
    if (q->started)
        scheduler_reload(q->scheduler, ways_changed(old, q->config));
    queue_config_unref(old);
}

void queue_set_rules(struct queue *q, struct queue_rules *rules)
{
    struct queue_rules *old = q->rules;
    q->rules = queue_rules_ref(rules);
    queue_rules_unref(old);
    if (!q->started) {
        struct queue_config *before = q->config;
        q->config = queue_config_new(&before->settings, before->tls, rules);
        queue_config_unref(before);
    }
}

void queue_get_stats(const struct queue *q, struct queue_stats *s)
{
    *s = q->stats;
    s->messages = q->message_count;
    s->bytes = q->bytes;
    s->soft_bounce = q->config->settings.soft_bounce;
    s->recipients = q->recipient_count;
    s->connections = scheduler_connections(q->scheduler);
    s->sending = scheduler_sending(q->scheduler);
}
