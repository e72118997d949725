/*
 * The queue for operators, and for clients that ask with ETRN: list, show, try now, delete.
 */
#include "queue/envelope_files.h"
#include "queue/message.h"
#include "queue/queue_journal.h"
#include "queue/scheduler.h"

#include "core/log.h"

static void fill_recipient(struct queue_recipient_info *out, const struct queue_recipient *r,
                           struct arena *a)
{
    out->address = arena_str(a, r->address);
    out->state = recipient_state_name(r);
    out->attempts = r->attempts;
    out->next_attempt = r->state == RECIPIENT_WAITING ? r->next_attempt / USEC_SEC : 0;
    out->last_error = arena_str(a, str_from_c(r->error));
    out->relay = arena_str(a, str_from_c(r->relay));
}

static void fill_message(struct queue_message_info *out, const struct queue_message *m,
                         struct arena *a, bool all)
{
    memcpy(out->id, m->id, sizeof(out->id));
    out->sender = arena_str(a, m->sender);
    out->arrival = m->arrival / USEC_SEC;
    out->expires = (m->arrival + m->queue->config->settings.lifetime) / USEC_SEC;
    out->size = m->size_crlf;
    out->recipients = arena_array(a, m->recipient_count + 1, sizeof(*out->recipients));
    for (size_t i = 0; i < m->recipient_count; i++)
        if (all || !recipient_is_done(&m->recipients[i]))
            fill_recipient(&out->recipients[out->recipient_count++], &m->recipients[i], a);
}

bool queue_list(struct queue *q, struct arena *a, struct queue_message_info **list, size_t *count)
{
    *list = arena_array(a, q->message_count + 1, sizeof(**list));
    *count = 0;
    for (const struct queue_message *m = q->first; m; m = m->next)
        fill_message(&(*list)[(*count)++], m, a, false);
    return true;
}

static struct queue_message *find(struct queue *q, struct str id, struct err *e)
{
    struct queue_message *m = message_find(q, id);
    if (!m)
        err_set(e, ERR_NOT_FOUND, "no message %.*s in the queue", STR_ARG(str_head(id, ID_SIZE)));
    return m;
}

bool queue_show(struct queue *q, struct str id, struct arena *a, struct queue_message_info *info,
                struct err *e)
{
    const struct queue_message *m = find(q, id, e);
    if (!m)
        return false;
    *info = (struct queue_message_info){.size = 0};
    fill_message(info, m, a, true);
    return true;
}

SUSPENDS bool queue_read_header(struct queue *q, struct str id, struct buf *header, struct err *e)
{
    struct queue_message *m = find(q, id, e);
    if (!m)
        return false;
    struct spool *body = spool_ref(m->body);
    buf_add_str(header, m->prefix);
    bool ok = spool_read_header(body, QUEUE_HEADER_MAX, header, e);
    spool_unref(body);
    return ok;
}

size_t queue_retry(struct queue *q, struct str id)
{
    size_t count = 0;
    if (id.n > 0) {
        struct queue_message *m = message_find(q, id);
        if (m)
            scheduler_retry_message(m);
        return m ? 1 : 0;
    }
    for (struct queue_message *m = q->first; m; m = m->next, count++)
        scheduler_retry_message(m);
    return count;
}

struct domain_match {
    struct str domain;
    bool subdomains;
};

static bool matches_domain(const void *arg, const struct queue_recipient *r)
{
    const struct domain_match *match = arg;
    if (r->kind != RECIPIENT_REMOTE || recipient_is_done(r))
        return false;
    struct str domain = str_skip(r->address, (size_t)(str_find_last_char(r->address, '@') + 1));
    if (str_equal_nocase(domain, match->domain))
        return true;
    return match->subdomains && domain.n > match->domain.n &&
           domain.p[domain.n - match->domain.n - 1] == '.' &&
           str_ends_with_nocase(domain, match->domain);
}

static bool is_for_domain(const struct queue_message *m, const struct domain_match *match)
{
    for (size_t i = 0; i < m->recipient_count; i++)
        if (matches_domain(match, &m->recipients[i]))
            return true;
    return false;
}

size_t queue_retry_domain(struct queue *q, struct str domain, bool subdomains, size_t *started)
{
    struct domain_match match = {domain, subdomains};
    size_t count = 0;
    *started = 0;
    for (struct queue_message *m = q->first; m; m = m->next) {
        if (!is_for_domain(m, &match))
            continue;
        count++;
        *started += scheduler_retry_matching(m, matches_domain, &match);
    }
    return count;
}

SUSPENDS bool queue_delete(struct queue *q, struct str id, struct err *e)
{
    struct queue_message *m = find(q, id, e);
    if (!m)
        return false;
    lsn position = journal_log_done(m);
    envelope_files_remove_later(q, m->id, position);
    log_info("queue", m->id, "from=<%.*s> deleted by the operator", STR_ARG(m->sender));
    scheduler_forget_message(m);
    message_remove(m);
    return journal_commit(q->context.journal, position, e);
}
