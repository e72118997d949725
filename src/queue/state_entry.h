#pragma once
/*
 * The entries of a state log in binary form.
 */
#include "queue/queue_internal.h"

enum state_entry_type {
    STATE_CHECKPOINT = 1, /* what a checkpoint up to this record wrote is complete */
    STATE_MESSAGE = 2,    /* a message with all its recipients, and where its text is */
    STATE_CHANGE = 3,     /* of a message: its flags, and recipients with a new state */
    STATE_GONE = 4,       /* it is done */
    STATE_WHOLE = 5,      /* the beginning ends here: all messages that there were */
};

struct state_entry {
    enum state_entry_type type;
    unsigned version; /* MESSAGE_VERSION as it was written */
    struct str payload;
    size_t size; /* with what is around it */
};

void state_put_checkpoint(struct buf *out, lsn upto);
void state_put_message(struct buf *out, const struct queue_message *m);
void state_put_change(struct buf *out, const struct queue_message *m);
void state_put_gone(struct buf *out, const char *id);
void state_put_whole(struct buf *out, uint64_t count);

enum state_found {
    STATE_FOUND,
    STATE_CUT,     /* more bytes are needed to tell */
    STATE_NO_ENTRY /* none begins here */
};
/* The entry that begins the bytes. `at_end`: no more will come. */
enum state_found state_entry_find(struct str bytes, struct state_entry *entry);
/* How many bytes to skip until one might begin. */
size_t state_entry_seek(struct str bytes);

/* Their payloads, into the table of messages. False: they cannot be understood. */
bool state_take_checkpoint(const struct state_entry *entry, lsn *upto);
bool state_take_message(struct queue *q, const struct state_entry *entry);
bool state_take_change(struct queue *q, const struct state_entry *entry);
bool state_take_gone(struct queue *q, const struct state_entry *entry);
bool state_take_whole(const struct state_entry *entry, uint64_t *count);
