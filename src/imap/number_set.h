#pragma once
/*
 * Sets of message sequence numbers or UIDs (RFC 3501 sequence-set): "1,3:5,9:*".
 */
#include "core/arena.h"
#include "core/buf.h"

#define NUMBER_STAR 0 /* "*", until number_set_resolve */

struct number_range {
    uint32_t first, last;
};

struct number_set {
    struct number_range *ranges;
    size_t count;
};

/* As written, "*" as NUMBER_STAR. False: not a set. */
bool number_set_parse(struct arena *a, struct str text, struct number_set *set);
/* Puts in what "*" stands for, then sorts and joins the ranges: first <= last, ascending, apart
 * from each other. In place. */
void number_set_resolve(struct number_set *set, uint32_t star);
/* The positions, counted from 0, of the numbers of a set among `count` ascending UIDs; `uid`: the
 * set is of UIDs, else of sequence numbers. What is none of them is left out. Resolves the set. */
void number_set_clip(struct arena *a, struct number_set *set, const uint32_t *uids, size_t count,
                     bool uid, struct number_set *positions);
/* The same for UIDs, of which more are to come: a range that ends with "*" has no end. */
void number_set_resolve_uids(struct number_set *set, uint32_t star);
void number_set_copy(struct arena *a, const struct number_set *set, struct number_set *copy);
/* In a resolved set. */
bool number_set_contains(const struct number_set *set, uint32_t n);
/* "1:3,5" for ascending numbers (others come out as they are, number by number). */
/* How many numbers are in a resolved set. */
size_t number_set_size(const struct number_set *set);
void number_set_write(struct buf *out, const uint32_t *numbers, size_t count);
