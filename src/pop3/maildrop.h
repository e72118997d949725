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
    uint32_t unique_id; /* 1 + place among the maildrop's texts; 0: made of UID and UIDVALIDITY */
};

struct maildrop {
    uint32_t uid_validity;
    struct str format; /* of unique ids; outlives the maildrop */
    struct buf texts;  /* unique ids that cannot be made of UID and UIDVALIDITY, with NULs */
    struct maildrop_message *messages;
    size_t count;
    size_t left;     /* not deleted */
    uint64_t octets; /* of those */
};

/* "%08Xu%08Xv", Dovecot's pop3_uidl_format: %u UID, %v UIDVALIDITY, %f base name of the file, %g
 * GUID of the message, between % and the letter a width (with 0: filled with zeros) and X (in
 * hexadecimal); %% is a %. */
bool maildrop_check_format(struct str format, struct err *e);
/* In the order that Dovecot's list has for POP3, if it has one. format: checked. */
void maildrop_take(struct maildrop *d, uint32_t uid_validity, struct str format,
                   const struct message *messages, size_t count);
void maildrop_free(struct maildrop *d);

/* number as in a command; NULL when there is none. */
struct maildrop_message *maildrop_find(const struct maildrop *d, struct str number);
size_t maildrop_number(const struct maildrop *d, const struct maildrop_message *m);
void maildrop_delete(struct maildrop *d, struct maildrop_message *m);
/* RSET. */
void maildrop_undelete_all(struct maildrop *d);
/* UIDs of those marked, ascending; the caller frees. */
uint32_t *maildrop_deleted(const struct maildrop *d, size_t *count);

/* What Dovecot's list has kept for the message, else as the format says: clients that leave mail on
 * the server fetch nothing twice after a change from there. */
void maildrop_add_unique_id(const struct maildrop *d, const struct maildrop_message *m,
                            struct buf *b);
