/*
 * The list is made when the first session asks. Messages that come are appended to it, in place
 * while there is room, so that a delivery costs each session no more than its UID. After an expunge
 * the next who asks gets another one; sessions that may not tell it yet keep what they hold.
 */
#include "store/uid_list.h"

#include "core/mem.h"
#include "store/store_internal.h"

#include <stdlib.h>

void uid_list_unref(struct uid_list *l)
{
    if (l && --l->refs == 0)
        free(l);
}

void mailbox_drop_uid_list(struct mailbox *m)
{
    uid_list_unref(m->uid_list);
    m->uid_list = NULL;
}

/* Messages leave only with the list; one that was put between others moves the last. */
static bool is_beginning(const struct mailbox_content *c, const struct uid_list *l)
{
    return l->count == 0 ||
           (l->count <= c->count && c->messages[l->count - 1].uid == l->uids[l->count - 1]);
}

int uid_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* One with more room, in the place of what is there. */
static void grow(struct mailbox *m)
{
    struct uid_list *old = m->uid_list;
    size_t room = m->c.count + m->c.count / 8 + 16;
    struct uid_list *l = mem_alloc(sizeof(*l) + room * sizeof(l->uids[0]));

    *l = (struct uid_list){.refs = 1, .count = old ? old->count : 0, .room = room};
    l->lineage = old ? old->lineage : ++m->uid_lineages;
    if (old)
        memcpy(l->uids, old->uids, old->count * sizeof(l->uids[0]));
    uid_list_unref(old);
    m->uid_list = l;
}

struct uid_list *mailbox_uid_list(struct mailbox *m)
{
    if (m->uid_list && !is_beginning(&m->c, m->uid_list))
        mailbox_drop_uid_list(m);
    if (!m->uid_list || m->uid_list->room < m->c.count)
        grow(m);
    struct uid_list *l = m->uid_list;
    for (; l->count < m->c.count; l->count++)
        l->uids[l->count] = m->c.messages[l->count].uid;
    l->refs++;
    return l;
}
