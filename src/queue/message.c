/*
 * Messages of the queue in memory. They are found by id in a tree (tsearch(3) of the C library,
 * balanced, so ids cannot be chosen to make it slow) and stand in a list in the order of arrival.
 *
 * Whoever suspends while using a message holds it; a message that is deleted meanwhile is out of
 * the table at once (deleted is set) and is freed when the last holder lets go.
 */
#include "queue/message.h"

#include "core/mem.h"
#include "queue/attempts.h"
#include "queue/message_text.h"
#include "queue/walk.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

struct queue_message *message_new(struct queue *q)
{
    struct queue_message *m = MEM_NEW(struct queue_message);
    m->queue = q;
    link_init(&m->dirty);
    link_init(&m->held);
    return m;
}

void message_set_recipients(struct queue_message *m, size_t count, size_t words)
{
    size_t fixed = count * sizeof(*m->recipients);
    assert(!m->recipients && fixed / sizeof(*m->recipients) == count);
    m->recipients = mem_alloc(fixed + words + 1);
    memset(m->recipients, 0, fixed);
    m->recipient_count = count;
    m->words_end = (char *)m->recipients + fixed;
}

void message_free(struct queue_message *m)
{
    assert(m->holds == 0 && !m->items);
    for (size_t i = 0; i < m->recipient_count; i++)
        recipient_forget_said(m, &m->recipients[i]);
    attempts_free(m);
    free(m->recipients);
    free(m->strings);
    free((char *)m->prefix.p);
    spool_unref(m->body);
    text_place_leave(&m->place);
    free(m);
}

static struct str put_string(char **at, struct str s)
{
    char *p = *at;
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    *at += s.n + 1;
    return str_from(p, s.n);
}

void message_set_envelope(struct queue_message *m, struct str sender, struct str login,
                          struct str component, const struct envelope_options *options)
{
    size_t ends = 5; /* NULs */
    char *at = mem_alloc(sender.n + login.n + component.n + options->envelope_id.n +
                         options->hold_request.n + ends);
    assert(!m->strings);
    m->strings = at;
    m->sender = put_string(&at, sender);
    m->login = put_string(&at, login);
    m->component = put_string(&at, component).p;
    m->options = *options;
    m->options.envelope_id = put_string(&at, options->envelope_id);
    m->options.hold_request = put_string(&at, options->hold_request);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

struct queue_message *message_find(struct queue *q, struct str id)
{
    char key[ID_SIZE];
    if (id.n == 0 || id.n >= sizeof(key))
        return NULL;
    memcpy(key, id.p, id.n);
    key[id.n] = '\0';
    void *node = tfind(key, &q->by_id, compare);
    return node ? *(struct queue_message **)node : NULL;
}

/* With what the scheduler keeps for it: an item and, for each recipient, maybe one more. */
#define ITEM_MEMORY 150

size_t message_memory(const struct queue_message *m)
{
    const struct envelope_options *o = &m->options;
    size_t strings = m->sender.n + m->login.n + o->envelope_id.n + o->hold_request.n;
    size_t recipients = m->recipient_count ? (size_t)(m->words_end - (char *)m->recipients) : 0;
    return sizeof(*m) + strings + recipients + ITEM_MEMORY;
}

bool message_table_is_full(const struct queue *q)
{
    int64_t most = q->config->settings.memory_max;
    return most > 0 && q->memory > (size_t)most;
}

void message_insert(struct queue_message *m)
{
    struct queue *q = m->queue;
    struct queue_message **node = tsearch(m, &q->by_id, compare);
    assert(node && *node == m);
    m->previous = q->last;
    *(q->last ? &q->last->next : &q->first) = m;
    q->bytes += m->size_crlf;
    q->memory += message_memory(m);
    q->last = m;
    message_text_counts(m);
    if (message_is_held(m))
        link_append(&q->held, &m->held);
    m->unscheduled = !q->started;
    q->message_count++;
    q->recipient_count += m->recipient_count;
}

void message_remove(struct queue_message *m)
{
    struct queue *q = m->queue;
    assert(!m->deleted);
    walk_step_off(q, m);
    tdelete(m, &q->by_id, compare);
    q->bytes -= m->size_crlf;
    q->memory -= message_memory(m);
    *(m->previous ? &m->previous->next : &q->first) = m->next;
    *(m->next ? &m->next->previous : &q->last) = m->previous;
    message_text_counts_no_more(m);
    link_remove(&m->dirty);
    link_remove(&m->held);
    q->message_count--;
    q->recipient_count -= m->recipient_count;
    m->deleted = true;
    if (m->holds == 0)
        message_free(m);
}

void message_hold(struct queue_message *m)
{
    m->holds++;
}

void message_release(struct queue_message *m)
{
    assert(m->holds > 0);
    if (--m->holds > 0)
        return;
    if (m->deleted)
        message_free(m);
    else
        message_close_text(m);
}

void message_mark_dirty(struct queue_message *m)
{
    if (!m->fresh && link_is_empty(&m->dirty) && !m->deleted && !m->done)
        link_append(&m->queue->dirty, &m->dirty);
}

void message_drop_prefix(struct queue_message *m)
{
    free((char *)m->prefix.p);
    m->prefix = (struct str){0};
}

char *message_path(const struct queue *q, const char *id, const char *suffix)
{
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/%s.%s", q->context.spool_dir, id, suffix);
    buf_c(&path);
    return path.p;
}

bool recipient_is_unreported(const struct queue_recipient *r)
{
    return !r->reported && (r->state == RECIPIENT_FAILED ||
                            (r->state == RECIPIENT_DELIVERED && r->success != SUCCESS_SILENT));
}

bool recipient_is_done(const struct queue_recipient *r)
{
    return (r->state == RECIPIENT_DELIVERED || r->state == RECIPIENT_FAILED) &&
           !recipient_is_unreported(r);
}

const char *recipient_state_name(const struct queue_recipient *r)
{
    switch ((enum recipient_state)r->state) {
    case RECIPIENT_WAITING:
        return "waiting";
    case RECIPIENT_SENDING:
        return "sending";
    case RECIPIENT_DELIVERED:
        return "delivered";
    case RECIPIENT_FAILED:
        return "failed";
    }
    return "";
}

usec message_begin(const struct queue_message *m)
{
    return m->options.hold_until > m->arrival ? m->options.hold_until : m->arrival;
}

usec message_expires(const struct queue_message *m)
{
    usec end = message_begin(m) + m->queue->config->settings.lifetime;
    return m->options.deliver_by_return && m->options.deliver_by < end ? m->options.deliver_by
                                                                       : end;
}

bool message_is_held(const struct queue_message *m)
{
    return m->options.hold_until > clock_wall();
}

void message_end_sender_hold(struct queue_message *m)
{
    if (m->options.hold_until == 0)
        return;
    m->options.hold_until = 0;
    link_remove(&m->held);
    for (size_t i = 0; i < m->recipient_count; i++)
        if (m->recipients[i].attempts == 0)
            m->recipients[i].next_attempt = 0;
}

bool message_is_too_late(const struct queue_message *m)
{
    return m->options.deliver_by_return && clock_wall() >= m->options.deliver_by;
}
