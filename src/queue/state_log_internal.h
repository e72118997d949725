#pragma once
/*
 * What the two halves of the state log share: writing (state_log.c), reading (state_log_load.c).
 */
#include "queue/state_log.h"

#define STATE_FILE_MAGIC "maild queue 1\n"

struct state_log {
    struct queue *queue;
    uint32_t number; /* 0: no file is written to */
    uint32_t next_number;
    int fd;
    uint64_t size, beginning;
    bool broken;      /* not what it should be: a new one is needed */
    struct buf old;   /* uint32_t: numbers of files that were replaced */
    lsn old_after;    /* they can go when this is checkpointed; 0: not yet known */
    struct buf found; /* uint32_t: at start */
    /* What the start found: how many bytes are bad, from where on, and up to which checkpoint there
     * are none. */
    uint64_t bad, bad_from;
    lsn sound;
    bool judged;
};

char *state_log_path(const struct state_log *s, uint32_t number);
/* The present file is an old one from now on. */
void state_log_replaced(struct state_log *s, lsn upto);
