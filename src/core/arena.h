#pragma once
/*
 * Memory by lifetime: everything of a session, a transaction or a command is taken from one arena
 * and freed with it. The first chunk is small, so an arena for a parked session costs little.
 */
#include "core/str.h"

struct arena;

struct arena *arena_new(void);
/* For one that is filled and reset over and over: the first chunk, which stays, has that size. */
struct arena *arena_new_sized(size_t size);
/* NULL is allowed. */
void arena_free(struct arena *a);
/* What is in it may be secret: it is wiped before its memory is given back. */
void arena_hold_secrets(struct arena *a);
/* Frees all but the first chunk. */
void arena_reset(struct arena *a);
/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);
/* Zeroed; the multiplication is checked. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* A list of `count` that is to get one more: with room for it, at first for `first`. */
void *arena_grow(struct arena *a, void *list, size_t count, size_t *capacity, size_t size,
                 size_t first);
/* Copy with a NUL behind it. */
struct str arena_str(struct arena *a, struct str s);
char *arena_c(struct arena *a, struct str s);
/* The same in ASCII lower case. */
struct str arena_lower(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Runs fn(arg) when the arena is freed or reset, last registered first. */
void arena_on_free(struct arena *a, void (*fn)(void *arg), void *arg);
/* Bytes held, for limits and statistics. */
size_t arena_size(const struct arena *a);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
