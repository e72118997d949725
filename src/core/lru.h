#pragma once
/*
 * A table that holds the most recently used entries, so many and no more: what strangers fill
 * cannot grow without bound. The key is bytes, the value a struct of a fixed size in the entry.
 * Nothing here suspends.
 */
#include "core/str.h"

struct lru;

struct lru *lru_new(size_t value_size, size_t max);
/* Values that hold something, or are in use: keeps (may be NULL) says that one cannot be pushed out
 * now, drop gives back what it holds, whenever it goes. */
void lru_set_owner(struct lru *l, bool (*keeps)(const void *value), void (*drop)(void *value));
/* Another limit; what is beyond it goes with the next that is added. */
void lru_set_max(struct lru *l, size_t max);
/* NULL is allowed. */
void lru_free(struct lru *l);

/* The value, or NULL. Makes it the newest. Stays where it is until it is removed or pushed out. */
void *lru_find(struct lru *l, struct str key);
/* The same without making it newer. */
void *lru_peek(const struct lru *l, struct str key);
/* The value of the key, zeroed if it was not there. The oldest that may goes when there are too
 * many; NULL: none may. */
void *lru_add(struct lru *l, struct str key);
void lru_remove(struct lru *l, void *value);
/* The one that would be pushed out first; NULL: there is none. */
void *lru_oldest(const struct lru *l);
struct str lru_key(const void *value);
/* All values, oldest first. */
void lru_each_oldest(const struct lru *l, void (*fn)(void *arg, const void *value), void *arg);
/* All values, newest first; fn may remove the one it is called with, and returns false to stop. */
void lru_each(struct lru *l, bool (*fn)(void *arg, void *value), void *arg);

size_t lru_count(const struct lru *l);
/* How many were pushed out. */
uint64_t lru_evicted(const struct lru *l);
