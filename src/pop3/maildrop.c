/*
 * The snapshot of a mailbox that a session works on, 16 bytes a message.
 */
#include "pop3/maildrop.h"

#include "core/mem.h"

#include <stdlib.h>

void maildrop_take(struct maildrop *d, uint32_t uid_validity, const struct message *messages,
                   size_t count)
{
    *d = (struct maildrop){.uid_validity = uid_validity, .count = count, .left = count};
    d->messages = mem_array(count ? count : 1, sizeof(*d->messages));
    for (size_t i = 0; i < count; i++) {
        d->messages[i] = (struct maildrop_message){messages[i].size_crlf, messages[i].uid, false};
        d->octets += messages[i].size_crlf;
    }
}

void maildrop_free(struct maildrop *d)
{
    free(d->messages);
    *d = (struct maildrop){0};
}

struct maildrop_message *maildrop_find(const struct maildrop *d, struct str number)
{
    uint64_t n;
    if (!str_to_u64(number, &n) || n < 1 || n > d->count)
        return NULL;
    struct maildrop_message *m = &d->messages[n - 1];
    return m->deleted ? NULL : m;
}

size_t maildrop_number(const struct maildrop *d, const struct maildrop_message *m)
{
    return (size_t)(m - d->messages) + 1;
}

void maildrop_delete(struct maildrop *d, struct maildrop_message *m)
{
    m->deleted = true;
    d->left--;
    d->octets -= m->size;
}

void maildrop_undelete_all(struct maildrop *d)
{
    d->left = d->count;
    d->octets = 0;
    for (size_t i = 0; i < d->count; i++) {
        d->messages[i].deleted = false;
        d->octets += d->messages[i].size;
    }
}

uint32_t *maildrop_deleted(const struct maildrop *d, size_t *count)
{
    uint32_t *uids = mem_array(d->count - d->left + 1, sizeof(*uids));
    *count = 0;
    for (size_t i = 0; i < d->count; i++)
        if (d->messages[i].deleted)
            uids[(*count)++] = d->messages[i].uid;
    return uids;
}

void maildrop_add_unique_id(const struct maildrop *d, const struct maildrop_message *m,
                            struct buf *b)
{
    buf_printf(b, "%08x%08x", m->uid, d->uid_validity);
}
