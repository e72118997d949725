/*
 * The array of messages and what belongs to it.
 */
#include "store/mailbox_content.h"

#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>

void mailbox_content_free(struct mailbox_content *c)
{
    file_pool_free(&c->files);
    free(c->messages);
    free(c->list_extra);
    free(c->unknown);
    name_table_free(&c->unknown_names);
    keywords_free(&c->keywords);
    expunge_history_free(&c->expunged);
    *c = (struct mailbox_content){0};
}

size_t mailbox_content_find(const struct mailbox_content *c, uint32_t uid)
{
    size_t low = 0, high = c->count;

    if (high == 0 || c->messages[high - 1].uid < uid)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->messages[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void mailbox_content_count(struct mailbox_content *c)
{
    struct content_counts n = {.first_unseen = UINT32_MAX};

    for (size_t i = 0; i < c->count; i++) {
        const struct message *m = &c->messages[i];
        n.unseen += !(m->flags & MESSAGE_SEEN);
        n.deleted += (m->flags & MESSAGE_DELETED) != 0;
        n.size += m->size;
        n.size_crlf += m->size_crlf;
        if (!(m->flags & MESSAGE_SEEN) && n.first_unseen == UINT32_MAX)
            n.first_unseen = m->uid;
    }
    c->counts = n;
}

void mailbox_content_indexed(struct mailbox_content *c, const struct index_file *f)
{
    c->index = *f;
    c->index_modseq = c->modseq;
    c->index_keywords = c->keywords.changes;
    c->index_collections = c->keywords.collections;
    c->index_sets = c->keywords.set_count;
}

struct message *mailbox_content_insert(struct mailbox_content *c, const struct message *m)
{
    if (c->count == c->capacity) {
        c->capacity = c->capacity < 8 ? 8 : c->capacity + c->capacity / 2;
        c->messages = mem_resize(c->messages, c->capacity * sizeof(*c->messages));
    }
    size_t at = mailbox_content_find(c, m->uid);
    assert(at == c->count || c->messages[at].uid != m->uid);
    memmove(c->messages + at + 1, c->messages + at, (c->count - at) * sizeof(*c->messages));
    c->messages[at] = *m;
    c->count++;
    return &c->messages[at];
}
