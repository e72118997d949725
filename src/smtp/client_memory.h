#pragma once
/*
 * Addresses of servers that lately kept silent: whoever comes next asks others first, and does not
 * wait for the same time-out.
 */
#include "core/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* More than that many: the oldest are forgotten. */
#define CLIENT_MEMORY_MAX 10000

struct client_memory;

struct client_memory *client_memory_new(void);
void client_memory_free(struct client_memory *m);

/* It did not answer in time, connecting or greeting. */
void client_memory_silent(struct client_memory *m, const char *address, uint16_t port);
void client_memory_answered(struct client_memory *m, const char *address, uint16_t port);
/* Time since it kept silent; DEADLINE_NONE: nothing is known against it. */
usec client_memory_since(const struct client_memory *m, const char *address, uint16_t port);
