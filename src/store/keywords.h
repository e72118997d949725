#pragma once
/*
 * The keywords of a mailbox, and the sets of them that its messages have. A keyword has a number;
 * those below KEYWORD_LETTERS are letters in file names and lines of dovecot-keywords, the others
 * live in the journal and in the index. A message holds the id of a set, so that a hundred thousand
 * messages with the same keywords cost no more than one. Pure.
 */
#include "core/buf.h"
#include "store/limits.h"
#include "store/mailbox.h"

struct keyword_set {
    uint16_t *numbers; /* ascending; NULL: a free id */
    size_t count;
    uint32_t letters; /* those of the numbers that have one */
    struct str text;  /* the names with spaces between them */
};

struct keyword_memo {
    uint32_t set, with, result;
    uint8_t change, used;
};

#define KEYWORD_MEMOS 64

struct keyword_table {
    struct str *names; /* by number, owned; a gap is the empty string */
    size_t count, capacity;
    uint32_t changes;         /* grows when a name comes or goes */
    uint32_t collections;     /* grows when ids become free */
    struct keyword_set *sets; /* by id; 0 is the empty set and not in here */
    size_t set_count, set_capacity, live_sets;
    uint32_t free_from; /* no id below is free */
    uint32_t *slots;    /* hash table of ids */
    size_t slot_mask;
    size_t set_bytes;
    struct keyword_memo memos[KEYWORD_MEMOS];
};

void keywords_free(struct keyword_table *k);

/* --- names --- */

bool keywords_is_name(struct str name);
/* "<index> <name>" lines; damaged lines are passed over. */
void keywords_parse(struct keyword_table *k, struct str text);
/* The names with letters. */
void keywords_format(const struct keyword_table *k, struct buf *b);
/* Compares as IMAP does, without case. -1 when there is none. */
int keywords_find(const struct keyword_table *k, struct str name);
/* Finds or adds; -1 when there are too many or the name cannot be one. */
int keywords_add(struct keyword_table *k, struct str name);
/* At a number that is free; false when it is not, or the name is another's. */
bool keywords_put(struct keyword_table *k, size_t number, struct str name);
/* Gives letters that files use but that have no name the name Dovecot gives them. */
bool keywords_name_used(struct keyword_table *k, uint32_t used);
/* Names that are no gap. */
size_t keywords_names(const struct keyword_table *k);
/* The name and all sets with it go: no message may have one of them. */
void keywords_remove(struct keyword_table *k, size_t number);

/* --- sets --- */

/* Of numbers in any order, each with a name. False: too many sets; see keyword_sets_collect. */
bool keyword_set_of(struct keyword_table *k, const uint16_t *numbers, size_t count, uint32_t *set);
bool keyword_set_of_letters(struct keyword_table *k, uint32_t letters, uint32_t *set);
/* What `set` becomes by the change with the set `with`. */
bool keyword_set_change(struct keyword_table *k, uint32_t set, enum flags_change change,
                        uint32_t with, uint32_t *result);
/* The set with other letters; what has no letter stays. */
bool keyword_set_with_letters(struct keyword_table *k, uint32_t set, uint32_t letters,
                              uint32_t *result);
uint32_t keyword_set_letters(const struct keyword_table *k, uint32_t set);
const uint16_t *keyword_set_numbers(const struct keyword_table *k, uint32_t set, size_t *count);
struct str keyword_set_text(const struct keyword_table *k, uint32_t set);
bool keyword_set_has(const struct keyword_table *k, uint32_t set, size_t number);
/* At an id: reading an index. False when it is taken or the numbers are no set. */
bool keyword_set_put(struct keyword_table *k, uint32_t set, const uint16_t *numbers, size_t count);
/* Frees all sets but those whose bit is set in `used`. */
void keyword_sets_collect(struct keyword_table *k, const uint8_t *used);
