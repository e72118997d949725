#pragma once
/*
 * A maildrop (RFC 1939 section 4): the messages of a mailbox as they were at login, numbered from
 * 1, and which of them are marked as deleted. Nothing that happens to the mailbox meanwhile changes
 * it.
 */
#include "core/buf.h"
#include "store/mailbox.h"

struct maildrop_message {
    uint64_t size; /* with CRLF */
    uint32_t uid;
    bool deleted;
};

struct maildrop {
    uint32_t uid_validity;
    struct maildrop_message *messages;
    size_t count;
    size_t left;     /* not deleted */
    uint64_t octets; /* of those */
};

void maildrop_take(struct maildrop *d, uint32_t uid_validity, const struct message *messages,
                   size_t count);
void maildrop_free(struct maildrop *d);

/* number as in a command; NULL when there is none. */
struct maildrop_message *maildrop_find(const struct maildrop *d, struct str number);
size_t maildrop_number(const struct maildrop *d, const struct maildrop_message *m);
void maildrop_delete(struct maildrop *d, struct maildrop_message *m);
/* RSET. */
void maildrop_undelete_all(struct maildrop *d);
/* UIDs of those marked, ascending; the caller frees. */
uint32_t *maildrop_deleted(const struct maildrop *d, size_t *count);

/* "0000000a65f1c2d3": UID and UIDVALIDITY, so that it is never used again, in the form that
 * Dovecot gives by default: clients that leave mail on the server fetch nothing twice after a
 * change from there. */
void maildrop_add_unique_id(const struct maildrop *d, const struct maildrop_message *m,
                            struct buf *b);
