#pragma once
/*
 * Sorting messages (RFC 5256, RFC 5957): a program of criteria, and a table with the keys of each
 * message, computed once from what is in memory and in its summary. Pure but for sort_load.
 */
#include "imap/envelope.h"
#include "imap/parser.h"
#include "store/summary.h"

struct imap_command;
struct imap_search;

enum sort_kind {
    SORT_ARRIVAL,
    SORT_CC,
    SORT_DATE,
    SORT_DISPLAYFROM,
    SORT_DISPLAYTO,
    SORT_FROM,
    SORT_SIZE,
    SORT_SUBJECT,
    SORT_TO,
    SORT_KINDS
};

struct sort_program {
    struct sort_criterion {
        enum sort_kind kind;
        bool reverse;
    } criteria[SORT_KINDS]; /* a kind that comes again decides nothing */
    size_t count;
    unsigned fields;          /* enum summary_field that it needs; 0: none */
    enum envelope_field last; /* of the envelope */
};

/* The list of criteria. False: the result is set. */
bool imap_take_criteria(struct imap_command *c, struct sort_program *program);

struct sort_value {
    uint64_t order; /* a number, or the beginning of a text; of REVERSE, the complement */
    uint64_t at : 48, length : 16; /* of the text */
};

struct sort_table {
    const struct sort_program *program;
    struct sort_value *values; /* of a message, one for each criterion, next to each other */
    size_t count, capacity;    /* messages */
    struct buf texts;
    /* private, between messages: */
    struct arena *arena;
    struct buf raw, folded;
};

void sort_table_init(struct sort_table *t, const struct sort_program *program);
void sort_table_free(struct sort_table *t);
/* What is in `from`, which is empty then; program: a copy of its program. */
void sort_table_take(struct sort_table *t, struct sort_table *from,
                     const struct sort_program *program);
/* A message's keys; its number is the count before. Dates in seconds. */
void sort_table_add(struct sort_table *t, int64_t internal_date, uint64_t size,
                    const struct message_summary *summary);
void sort_table_add_copy(struct sort_table *t, const struct sort_table *from, size_t number);
/* Below, above or equal 0. */
int sort_table_compare(const struct sort_table *t, size_t a, size_t b);
/* The numbers of all messages in order, equal ones in that of the numbers. Long: for a worker. */
void sort_table_order(const struct sort_table *t, uint32_t *numbers);

/* The date that SORT and THREAD go by: that of the header, else the internal one (RFC 5256 2.2). */
static inline int64_t sort_date(const struct message_summary *summary, int64_t internal_date)
{
    return summary->sent != INT64_MIN ? summary->sent : internal_date;
}

/* --- over the results of a search (imap/sort_run.c) --- */

/* Calls fn for each result with its internal date and its summary. Results that do not exist any
 * more are taken out of the search's list. False: the result is set. */
struct result_reader {
    struct imap_search *search;
    unsigned fields; /* enum summary_field; 0: no summaries */
    /* False: stop; the command's result is set. summary: NULL without fields. */
    bool (*fn)(void *arg, uint32_t position, const struct message *m,
               const struct message_summary *summary);
    void *arg;
};
SUSPENDS bool imap_read_results(struct result_reader *r);
/* The keys of the results, whose numbers are places in the search's list, and these numbers in
 * order, to be freed. NULL: the command's result is set. */
SUSPENDS uint32_t *imap_sort_results(struct imap_search *s, struct sort_table *table);
