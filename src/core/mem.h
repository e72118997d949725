#pragma once
/*
 * Allocation that does not return NULL. When memory runs out a reserve is used, and as long as it
 * is missing mem_is_short says so: whoever begins something new refuses it for the time being. Out
 * of the reserve as well, that is logged and ends the process, as a crash would, and the journal
 * brings everything back. mem_array checks the multiplication.
 */
#include <stdbool.h>
#include <stddef.h>

void *mem_alloc(size_t n);                  /* uninitialised */
void *mem_zero(size_t n);                   /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed */
void *mem_resize(void *p, size_t n);
/* A list of `count` that is to get one more: with room for it, at first for `first`. */
void *mem_grow(void *list, size_t count, size_t *capacity, size_t size, size_t first);
char *mem_dup(const char *p, size_t n); /* copy with a NUL behind it */

#define MEM_NEW(type) ((type *)mem_zero(sizeof(type)))

/* Sets the reserve aside: once, at start. */
void mem_set_reserve(void);
/* When the start is over: what it alone needed of the program and its libraries leaves the process,
 * and free memory goes back to the kernel. What is needed again comes from the page cache. */
void mem_leave_start(void);
/* Whether the reserve is in use. Asks from time to time whether there is memory for a new one. For
 * the loop thread. */
bool mem_is_short(void);

/* Frees what malloc gave, wiped: for libraries that do not wipe the secrets which pass them. NULL
 * is allowed. */
void mem_free_wiped(void *p);
