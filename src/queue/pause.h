#pragma once
/*
 * What operators have stopped (operate.h), for the rest of the queue.
 */
#include "core/fiber.h"
#include "core/str.h"

struct queue;
struct pause;

struct pause *pause_new(void);
void pause_free(struct pause *p);
/* At start. A file that cannot be understood pauses everything: mail that somebody wanted to stop
 * must not leave because of it. False only when the file cannot be read. */
SUSPENDS bool pause_load(struct queue *q, struct err *e);

/* Whether nothing may be sent to the destination with this key now; "", what stays here, is never
 * covered. */
bool pause_covers(const struct pause *p, const char *key);
bool pause_is_any(const struct pause *p);
bool pause_has_all(const struct pause *p);
