/*
 * An entry has 16 bytes: the words are those that the recipients share. All entries of a message
 * stand in one array, oldest first; most messages have a few, and none before the first attempt
 * has failed.
 */
#include "queue/attempts.h"

#include "core/mem.h"
#include "queue/recipient_words.h"

#include <stdlib.h>

struct attempt_entry {
    struct said_words *said; /* a reference; NULL: nothing was said */
    uint32_t at;             /* seconds since 1970 */
    uint32_t recipient;      /* index */
};

struct attempt_list {
    uint16_t count, room;
    struct attempt_entry entries[];
};

static void remove_entry(struct queue_message *m, size_t i)
{
    struct attempt_list *l = m->attempts;
    said_unref(m->queue, l->entries[i].said);
    l->count--;
    memmove(&l->entries[i], &l->entries[i + 1], (l->count - i) * sizeof(l->entries[0]));
}

/* Room for one more: what is oldest goes, of this recipient or of all. */
static void make_room(struct queue_message *m, uint32_t recipient)
{
    struct attempt_list *l = m->attempts;
    size_t own = 0, oldest = 0;
    for (size_t i = l ? l->count : 0; i-- > 0;)
        if (l->entries[i].recipient == recipient) {
            own++;
            oldest = i;
        }
    if (own >= ATTEMPTS_KEPT)
        remove_entry(m, oldest);
    else if (l && l->count >= ATTEMPTS_KEPT_ALL)
        remove_entry(m, 0);
    if (l && l->count < l->room)
        return;
    uint16_t room = l ? (uint16_t)(l->room * 2) : 1;
    size_t size = sizeof(*l) + room * sizeof(l->entries[0]);
    m->attempts = l ? mem_resize(l, size) : mem_alloc(size);
    if (!l)
        m->attempts->count = 0;
    m->attempts->room = room;
}

void attempts_note(struct queue_message *m, const struct queue_recipient *r, int64_t at)
{
    uint32_t recipient = (uint32_t)(r - m->recipients);
    if (at <= 0 || at > UINT32_MAX)
        return;
    make_room(m, recipient);
    m->attempts->entries[m->attempts->count++] =
        (struct attempt_entry){said_ref(r->said), (uint32_t)at, recipient};
}

size_t attempts_get(const struct queue_message *m, const struct queue_recipient *r,
                    struct attempt_view list[ATTEMPTS_KEPT])
{
    const struct attempt_list *l = m->attempts;
    uint32_t recipient = (uint32_t)(r - m->recipients);
    size_t count = 0;
    for (size_t i = 0; l && i < l->count && count < ATTEMPTS_KEPT; i++) {
        const struct attempt_entry *e = &l->entries[i];
        if (e->recipient != recipient)
            continue;
        struct queue_recipient view = {.said = e->said};
        list[count++] = (struct attempt_view){e->at, recipient_error(&view), recipient_code(&view),
                                              recipient_relay(&view)};
    }
    return count;
}

int64_t attempts_last(const struct queue_message *m, const struct queue_recipient *r)
{
    const struct attempt_list *l = m->attempts;
    uint32_t recipient = (uint32_t)(r - m->recipients);
    for (size_t i = l ? l->count : 0; i-- > 0;)
        if (l->entries[i].recipient == recipient)
            return l->entries[i].at;
    return 0;
}

/* --- binary --- */

void attempts_encode(struct buf *out, const struct queue_message *m)
{
    const struct attempt_list *l = m->attempts;
    buf_add_u16(out, l ? l->count : 0);
    for (size_t i = 0; l && i < l->count; i++) {
        struct queue_recipient view = {.said = l->entries[i].said};
        buf_add_u32(out, l->entries[i].recipient);
        buf_add_u32(out, l->entries[i].at);
        buf_add_counted(out, recipient_error(&view));
        buf_add_counted(out, recipient_code(&view));
        buf_add_counted(out, recipient_relay(&view));
    }
}

static void note_words(struct queue_message *m, uint32_t recipient, uint32_t at, struct str error,
                       struct str code, struct str relay)
{
    struct queue_recipient *r = &m->recipients[recipient];
    struct said_words *now = r->said;
    r->said = NULL;
    recipient_set_said(m, r, error, code, relay);
    attempts_note(m, r, at);
    recipient_forget_said(m, r);
    r->said = now;
}

bool attempts_decode(struct reader *in, struct queue_message *m)
{
    uint16_t count = read_u16(in);
    for (size_t i = 0; i < count; i++) {
        uint32_t recipient = read_u32(in), at = read_u32(in);
        struct str error = read_counted(in), code = read_counted(in), relay = read_counted(in);
        if (in->bad || recipient >= m->recipient_count)
            return false;
        note_words(m, recipient, at, error, code, relay);
    }
    return !in->bad;
}

void attempts_free(struct queue_message *m)
{
    for (size_t i = 0; m->attempts && i < m->attempts->count; i++)
        said_unref(m->queue, m->attempts->entries[i].said);
    free(m->attempts);
    m->attempts = NULL;
}
