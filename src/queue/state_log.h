#pragma once
/*
 * The file `state.NUMBER` in the spool directory: who the waiting messages are from and for, and
 * what became of their recipients so far. It begins with all of them; each checkpoint of the
 * journal adds what has changed, and when that has become more than the beginning, a new file is
 * written.
 */
#include "queue/queue_internal.h"

struct state_log;

struct state_log *state_log_new(struct queue *q);
void state_log_free(struct state_log *s);

/* At start: a file of that number is there. */
void state_log_found(struct state_log *s, uint32_t number);
/* Reads what was found into the table of messages; text files are known already. Damaged entries
 * are left out, and said. False: it cannot be read for now. */
SUSPENDS bool state_log_load(struct state_log *s, struct err *e);
/* After the journal's replay, before its first checkpoint is over: tells what is missing for good.
 * `checkpointed`: where the replay began. Blocking: start-up. */
void state_log_judge(struct state_log *s, lsn checkpointed);

/* At a checkpoint: writes what has changed of messages accepted up to that record, whose texts
 * are in files, and that those in queue->removals are gone. */
SUSPENDS bool state_log_write(struct state_log *s, lsn upto, struct err *e);
/* Removes files that a newer one has replaced. */
SUSPENDS bool state_log_remove_old(struct state_log *s, lsn checkpointed, struct err *e);
