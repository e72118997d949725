#pragma once
/*
 * What APPEND and REPLACE are given: a mailbox and messages (several of them: RFC 3502), each a
 * literal, a literal8 (RFC 3516) or pieces to be joined (RFC 4469). RFC 3501 6.3.11, RFC 8508.
 */
#include "core/spool.h"
#include "imap/access.h"

struct append_part {
    struct str url; /* p == NULL: a literal */
    const struct imap_argument *literal;
};

struct append_message {
    struct imap_flags flags;
    int64_t date;                        /* INT64_MIN: now */
    const struct imap_argument *literal; /* NULL: of parts */
    struct append_part *parts;
    size_t part_count, part_capacity;
    struct append_message *next;
};

struct append {
    uint32_t replaced; /* UID of a message of the selected mailbox; 0: none. Then there is exactly
                          one message */
    struct str name;
    struct mailbox *mailbox; /* opened at the first literal; a reference of the command's arena */
    struct append_message *first, *last;
    size_t count;
    /* The walk through the arguments (imap/append_arguments.c). */
    struct imap_argument *done; /* the last argument of the last whole message; NULL: none yet */
    uint64_t bytes, memory;     /* of whole messages; and what of them is held in memory */
};

/* What becomes of the literal that stands last in the arguments, which begin with the mailbox
 * name: the grammar in front of it, the mailbox and the size are checked, so that a client that
 * waits is told before it sends. REFUSED: the result is set. */
SUSPENDS enum imap_literal_use append_literal(struct imap_command *c, struct append *a,
                                              const struct imap_argument *arguments, uint64_t size);
/* The whole command, from c->next on. False: the result is set. */
SUSPENDS bool append_take(struct imap_command *c, struct append *a);

/* The message as it will be stored, made from parts where it is. The spool belongs to the
 * command's arena. False: the result is set (BADURL, TOOBIG, disk). */
SUSPENDS bool append_build(struct imap_command *c, const struct append_message *m,
                           struct spool **spool);
