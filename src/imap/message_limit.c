/*
 * MESSAGELIMIT (RFC 9738): a command that names more messages than the server does at a time is
 * done for those with the highest UIDs, and its answer tells the lowest one of them. COPY promises
 * all or nothing, so it is refused.
 */
#include "imap/command.h"

static uint64_t limit_of(const struct imap_command *c)
{
    return (uint64_t)c->session->settings->message_limit;
}

size_t imap_limit_skip(struct imap_command *c, const uint32_t *uids, size_t count)
{
    uint64_t limit = limit_of(c);
    if (!limit || count <= limit)
        return 0;
    c->lowest_done = uids[count - limit];
    return count - (size_t)limit;
}

void imap_limit_positions(struct imap_command *c, struct number_set *positions)
{
    uint64_t limit = limit_of(c);
    size_t size = number_set_size(positions), first = 0;
    if (!limit || size <= limit)
        return;
    for (uint64_t over = size - limit; over > 0;) {
        struct number_range *r = &positions->ranges[first];
        uint64_t n = (uint64_t)(r->last - r->first) + 1;
        if (n > over) {
            r->first += (uint32_t)over;
            break;
        }
        over -= n;
        first++;
    }
    positions->ranges += first;
    positions->count -= first;
    c->lowest_done = c->session->selected->uids[positions->ranges->first];
}

bool imap_limit_refuse(struct imap_command *c, size_t count)
{
    uint64_t limit = limit_of(c);
    if (!limit || count <= limit)
        return false;
    imap_no(c, "[MESSAGELIMIT %llu] Too many messages for one command", (unsigned long long)limit);
    return true;
}

void imap_limit_tell(struct imap_command *c)
{
    unsigned long long limit = limit_of(c);
    if (!c->lowest_done || c->status != IMAP_OK)
        return;
    if (c->text.n && c->text.p[0] != '[')
        c->text = arena_printf(c->arena, "[MESSAGELIMIT %llu %u] %.*s for a part of the messages",
                               limit, c->lowest_done, STR_ARG(c->text));
    else
        imap_writef(c->session, "* OK [MESSAGELIMIT %llu %u] Done for a part of the messages\r\n",
                    limit, c->lowest_done);
}
