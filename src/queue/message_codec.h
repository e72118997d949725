#pragma once
/*
 * The binary form of a message's envelope and of what happened to its recipients: in records of the
 * journal, in the state log, and in envelope files of older versions.
 */
#include "queue/message.h"

/* The form that is written now; older ones are read. */
#define MESSAGE_VERSION 5

/* The envelope with the state of each recipient. */
void message_encode(struct buf *out, const struct queue_message *m);
/* The same without the prefix, which is in a text file. */
void message_encode_stored(struct buf *out, const struct queue_message *m);
/* Into a new message, without its body; NULL when the bytes are damaged. */
struct queue_message *message_decode(struct queue *q, struct str bytes, unsigned version);

/* What changes of a message itself. */
void message_encode_flags(struct buf *out, const struct queue_message *m);
/* False: damaged. m NULL: it is skipped. */
bool message_decode_flags(struct reader *in, struct queue_message *m);

/* What changes of a recipient; strings in the input. */
struct recipient_change {
    uint8_t state, success;
    bool reported;
    uint32_t attempts;
    usec next_attempt;
    uint32_t tried; /* when, seconds since 1970; 0: not known */
    struct str error, code, relay;
};
void recipient_encode_change(struct buf *out, const struct queue_message *m,
                             const struct queue_recipient *r);
/* False: damaged. */
bool recipient_decode_change(struct reader *in, unsigned version, struct recipient_change *c);
void recipient_take_change(struct queue_message *m, struct queue_recipient *r,
                           const struct recipient_change *c);

/* The content of an envelope file, as versions 1 and 2 wrote it. */
struct queue_message *envelope_file_decode(struct queue *q, struct str bytes);
