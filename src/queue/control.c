/*
 * What can be seen of a message in the queue, for operators; and for clients what waits for a
 * domain (ETRN).
 */
#include "queue/attempts.h"
#include "queue/destination.h"
#include "queue/filter.h"
#include "queue/item.h"
#include "queue/message.h"
#include "queue/message_text.h"
#include "queue/pause.h"
#include "queue/scheduler.h"
#include "queue/walk.h"

/* Why it waits, in words; what is known beside the time of its next attempt. */
static struct str waiting_reason(const struct queue_message *m, const struct queue_item *item,
                                 struct arena *a)
{
    static const char *const hold_reasons[HOLD_REASONS] = {
        [HOLD_OPERATOR] = "on hold: an operator stopped it",
        [HOLD_DAMAGED] = "on hold: its text cannot be read",
        [HOLD_CRASHED] = "on hold: the server crashed twice while it had this message",
    };
    const struct pause *p = m->queue->pause;
    if (m->on_hold)
        return str_from_c(hold_reasons[m->hold_reason]);
    if (message_is_held(m))
        return STR("held, as its sender asked");
    if (item && pause_covers(p, item->destination->key))
        return arena_printf(a, "%s is paused",
                            pause_has_all(p) ? "all sending" : item->destination->key);
    if (!item)
        return STR("");
    struct buf reason = BUF_EMPTY;
    scheduler_reason(item, &reason);
    struct str copy = arena_str(a, buf_str(&reason));
    buf_free(&reason);
    return copy;
}

static void fill_tries(struct queue_recipient_info *out, const struct queue_message *m,
                       const struct queue_recipient *r, struct arena *a)
{
    struct attempt_view list[ATTEMPTS_KEPT];
    out->try_count = attempts_get(m, r, list);
    out->tries = arena_array(a, out->try_count + 1, sizeof(*out->tries));
    for (size_t i = 0; i < out->try_count; i++)
        out->tries[i] =
            (struct queue_attempt_info){list[i].at, arena_str(a, list[i].error),
                                        arena_str(a, list[i].code), arena_str(a, list[i].relay)};
}

static void fill_recipient(struct queue_recipient_info *out, const struct queue_message *m,
                           const struct queue_recipient *r, const struct queue_item *item,
                           struct arena *a)
{
    bool waits = r->state == RECIPIENT_WAITING;
    out->address = arena_str(a, recipient_address(r));
    out->original = arena_str(a, recipient_original(r));
    out->state = recipient_state_name(r);
    out->attempts = r->attempts;
    out->next_attempt = waits ? r->next_attempt / USEC_SEC : 0;
    out->last_error = arena_str(a, recipient_error(r));
    out->relay = arena_str(a, recipient_relay(r));
    out->destination = arena_str(a, item_destination(m, r, a));
    fill_tries(out, m, r, a);
    out->why = waits ? waiting_reason(m, item, a) : STR("");
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

/* The items of the recipients from `from` on; NULL: it has none. */
static const struct queue_item **items_of(const struct queue_message *m, size_t from, size_t count,
                                          struct arena *a)
{
    const struct queue_item **items = arena_array(a, count + 1, sizeof(*items));
    for (const struct queue_item *item = m->items; item; item = item->next)
        for (size_t i = 0; i < item->count; i++)
            if (item->recipients[i] >= from && item->recipients[i] < from + count)
                items[item->recipients[i] - from] = item;
    return items;
}

static void fill_recipients(struct queue_message_info *out, const struct queue_message *m,
                            const struct queue_part *part, struct arena *a)
{
    size_t end = part->from,
           room = part->most < m->recipient_count ? part->most : m->recipient_count;
    out->recipients = arena_array(a, room + 1, sizeof(*out->recipients));
    for (size_t left = room; end < m->recipient_count && left > 0; end++)
        left -= !part->not_done || !recipient_is_done(&m->recipients[end]);
    size_t count = end > part->from ? end - part->from : 0;
    const struct queue_item **items = items_of(m, part->from, count, a);
    for (size_t i = 0; i < count; i++) {
        const struct queue_recipient *r = &m->recipients[part->from + i];
        if (!part->not_done || !recipient_is_done(r))
            fill_recipient(&out->recipients[out->recipient_count++], m, r, items[i], a);
    }
    out->next = end < m->recipient_count ? end : 0;
}

static size_t count_left(const struct queue_message *m)
{
    size_t left = 0;
    for (size_t i = 0; i < m->recipient_count; i++)
        left += !recipient_is_done(&m->recipients[i]);
    return left;
}

static struct queue_message *find(struct queue *q, struct str id, struct err *e)
{
    struct queue_message *m = message_find(q, id);
    if (!m)
        err_set(e, ERR_NOT_FOUND, "no message %.*s in the queue", STR_ARG(str_head(id, ID_SIZE)));
    return m;
}

bool queue_show(struct queue *q, struct str id, const struct queue_part *part, struct arena *a,
                struct queue_message_info *info, struct err *e)
{
    const struct queue_message *m = find(q, id, e);
    if (!m)
        return false;
    *info = (struct queue_message_info){.arrival = m->arrival / USEC_SEC,
                                        .expires = message_expires(m) / USEC_SEC,
                                        .size = m->size_crlf,
                                        .states = message_states(m),
                                        .sender = arena_str(a, m->sender),
                                        .login = arena_str(a, m->login),
                                        .component = m->component,
                                        .options = options_text(m, a),
                                        .recipients_total = m->recipient_count,
                                        .recipients_left = count_left(m)};
    memcpy(info->id, m->id, sizeof(info->id));
    info->held_until = message_is_held(m) ? m->options.hold_until / USEC_SEC : 0;
    fill_recipients(info, m, part, a);
    return true;
}

SUSPENDS bool queue_read_header(struct queue *q, struct str id, struct buf *header, struct err *e)
{
    struct queue_message *m = find(q, id, e);
    if (!m)
        return false;
    message_hold(m);
    bool ok = message_open_text(m, e);
    if (ok) {
        buf_add_str(header, m->prefix);
        ok = spool_read_header(m->body, QUEUE_HEADER_MAX, header, e);
    }
    message_release(m);
    return ok;
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
    struct str domain = str_after_last(address, '@');
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

SUSPENDS size_t queue_retry_domain(struct queue *q, struct str domain, bool subdomains,
                                   size_t *started)
{
    struct domain_match match = {domain, subdomains};
    struct queue_message *m;
    struct walk w;
    size_t count = 0;
    *started = 0;
    walk_begin(&w, q);
    while ((m = walk_next(&w))) {
        if (m->on_hold || message_is_held(m) || !is_for_domain(m, &match))
            continue;
        count++;
        *started += scheduler_retry_matching(m, matches_domain, &match);
    }
    walk_end(&w);
    return count;
}
