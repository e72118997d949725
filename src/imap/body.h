#pragma once
/*
 * The bytes of one message after the other, as FETCH and SEARCH need them: no more is read than is
 * asked for, and each message is read and parsed at most once.
 */
#include "imap/imap.h"
#include "mime/message.h"
#include "store/mailbox.h"

/* What stays of a large message after its bytes have been parsed and freed. */
struct imap_structure {
    uint32_t uid;
    struct arena *arena;
    struct mime_part *root;
    struct str body, bodystructure; /* as FETCH gives them */
};
/* NULL is allowed. */
void imap_structure_free(struct imap_structure *s);

struct imap_body {
    struct imap_context *context;
    struct mailbox *mailbox;
    struct imap_structure **kept; /* of the last large message */
    struct arena *arena;          /* for the message: reset with the next one */
    /* the message that is open */
    uint32_t uid;
    struct message_reader *reader;
    uint64_t size;       /* stored bytes */
    struct buf bytes;    /* its beginning, or all of it */
    uint64_t header_end; /* behind the empty line; valid after imap_body_header */
    bool header_known;
    struct mime_part *root; /* after imap_body_parse */
};

/* kept: where the structure of a large message stays until the next one's; owned by the caller.
 * NULL: imap_body_parse is not called. */
void imap_body_init(struct imap_body *b, struct imap_context *c, struct mailbox *m,
                    struct imap_structure **kept);
void imap_body_free(struct imap_body *b);

/* Opens a message (closes the one before). ERR_NOT_FOUND: expunged meanwhile. */
SUSPENDS bool imap_body_open(struct imap_body *b, uint32_t uid, struct err *e);
/* Reads as far as the header goes and finds its end. *block (may be NULL): the header block,
 * at most IMAP_HEADER_MAX bytes; borrowed until the next call. */
SUSPENDS bool imap_body_header(struct imap_body *b, struct str *block, struct err *e);
/* Small messages: reads all bytes. */
SUSPENDS bool imap_body_read(struct imap_body *b, struct err *e);
bool imap_body_is_small(const struct imap_body *b);
/* Finds the structure: b->root. What is small is in memory and parsed on the spot; a large message
 * is read for it, parsed on a worker, and its bytes are freed again. */
SUSPENDS bool imap_body_parse(struct imap_body *b, struct err *e);
/* BODY or BODYSTRUCTURE, after imap_body_parse. */
void imap_body_write_structure(struct imap_body *b, struct buf *out, bool extended);

/* For large messages: waits until there is room for one more in memory, reads it whole (at most
 * IMAP_PARSE_MAX bytes) and runs fn(arg, message) on a worker. */
SUSPENDS bool imap_body_run_large(struct imap_body *b, void (*fn)(void *arg, struct str message),
                                  void *arg, struct err *e);
