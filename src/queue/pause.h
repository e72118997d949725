#pragma once
/*
 * What operators have stopped: all sending, or that to single destinations or routes. Mail here
 * and reports go on. It is kept in a file of the spool directory, so it holds over a restart.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"

#include <stddef.h>

struct queue;
struct pause;

/* A pause is named by a key: "" for everything, else the key of a destination ("example.org"), or
 * "rule NAME" for all destinations of a route. */
struct pause_info {
    struct str key;
    usec since; /* wall clock */
    struct str by;
};

struct pause *pause_new(void);
void pause_free(struct pause *p);
/* At start. A file that cannot be understood pauses everything: mail that somebody wanted to stop
 * must not leave because of it. False only when the file cannot be read. */
SUSPENDS bool pause_load(struct queue *q, struct err *e);

/* Whether nothing may be sent to the destination with this key now; "", what stays here, is never
 * covered. */
bool pause_covers(const struct pause *p, const char *key);
bool pause_is_any(const struct pause *p);

/* ERR_EXISTS: it is paused already; ERR_NOT_FOUND: it is not; ERR_LIMIT: too many. Durable when it
 * returns true. */
SUSPENDS bool pause_add(struct queue *q, struct str key, struct str by, struct err *e);
/* With key "" everything that is paused goes on. */
SUSPENDS bool pause_remove(struct queue *q, struct str key, struct str by, struct err *e);
/* Into a, in their order. */
void pause_list(const struct pause *p, struct arena *a, struct pause_info **list, size_t *count);
