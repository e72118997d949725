#pragma once
/*
 * What APPEND is given: a mailbox and a message, which is a literal, a literal8 (RFC 3516) or
 * pieces to be joined (RFC 4469). RFC 3501 6.3.11.
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
    size_t part_count;
};

struct append {
    struct str name;
    struct mailbox *mailbox; /* opened at the first literal; a reference of the command's arena */
    struct append_message message;
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
