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
    out->address = arena_str(a, recipient_address(r));
    out->state = recipient_state_name(r);
    out->attempts = r->attempts;
    out->next_attempt = r->state == RECIPIENT_WAITING ? r->next_attempt / USEC_SEC : 0;
    out->last_error = arena_str(a, recipient_error(r));
    out->relay = arena_str(a, recipient_relay(r));
    struct buf notify = BUF_EMPTY;
    dsn_notify_write(&notify, r->notify);
    out->notify = arena_str(a, buf_str(&notify));
    buf_free(&notify);
}

static struct str options_text(const struct queue_message *m, struct arena *a)
{
    struct buf text = BUF_EMPTY;
    envelope_options_write(&text, &m->options);
    struct str copy = arena_str(a, str_trim(buf_str(&text)));
    buf_free(&text);
    return copy;
}

static void fill_message(struct queue_message_info *out, const struct queue_message *m,
                         struct arena *a, bool all)
{
    memcpy(out->id, m->id, sizeof(out->id));
    out->sender = arena_str(a, m->sender);
    out->arrival = m->arrival / USEC_SEC;
    out->expires = message_expires(m) / USEC_SEC;
    out->size = m->size_crlf;
    out->held_until = message_is_held(m) ? m->options.hold_until / USEC_SEC : 0;
    out->options = options_text(m, a);
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

static size_t retry(struct queue_message *m)
{
    if (!m || message_is_held(m))
        return 0;
    scheduler_retry_message(m);
    return 1;
}

size_t queue_retry(struct queue *q, struct str id)
{
    size_t count = 0;
    if (id.n > 0)
        return retry(message_find(q, id));
    for (struct queue_message *m = q->first; m; m = m->next)
        count += retry(m);
    return count;
}

size_t queue_count_held(struct queue *q, struct str login)
{
    size_t count = 0;
    for (struct link *l = q->held.next, *next; l != &q->held; l = next) {
        const struct queue_message *m =
            (struct queue_message *)((char *)l - offsetof(struct queue_message, held));
        next = l->next;
        if (!message_is_held(m))
            link_remove(l);
        else
            count += str_equal(m->login, login);
    }
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
    struct str address = recipient_address(r);
    struct str domain = str_skip(address, (size_t)(str_find_last_char(address, '@') + 1));
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
        if (m->on_hold || message_is_held(m) || !is_for_domain(m, &match))
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
