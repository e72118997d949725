#pragma once
/*
 * What the searching commands share: SEARCH (cmd_search.c), SORT (cmd_sort.c), THREAD
 * (cmd_thread.c) and ESEARCH (cmd_esearch.c).
 */
#include "imap/command.h"
#include "imap/esearch.h"
#include "imap/search.h"

struct search_update;

struct imap_search {
    struct imap_command *c;
    struct return_options options;
    struct search_program program;
    /* What is searched: the selected mailbox, or another one. */
    struct mailbox *mailbox;
    const uint32_t *uids;
    size_t total;
    struct number_set recent;
    /* The result: positions in uids, ascending. */
    uint32_t *found;
    size_t count;
    bool gone;       /* some messages do not exist any more */
    struct str name; /* of the mailbox, if answers tell it (RFC 7377); p == NULL: not */
    struct search_update *update; /* that the result is to become; the keys are in its arena */
};

/* On the selected mailbox. */
void imap_search_begin(struct imap_search *s, struct imap_command *c);
/* A charset that is known, and search keys to the end. False: the result is set. */
bool imap_take_charset(struct imap_command *c, struct str *charset);
/* CHARSET and its charset, if they are next. */
bool imap_take_search_charset(struct imap_command *c, struct str *charset);
bool imap_take_keys(struct imap_search *s, struct str charset);
/* Fills in the result. False: the command's result is set. */
SUSPENDS bool imap_search_run(struct imap_search *s);
void imap_search_end(struct imap_search *s);

/* The highest MODSEQ of the results that MODSEQ is about, 0 when it was not asked for. `order`:
 * positions in the order asked for. */
SUSPENDS uint64_t imap_search_modseq(const struct imap_search *s, const uint32_t *order);
/* Positions as what the client is told: sequence numbers or UIDs. To be freed. */
uint32_t *imap_search_numbers(const struct imap_search *s, const uint32_t *order);
/* An ESEARCH response without results. */
struct esearch imap_search_response(const struct imap_search *s);
/* ESEARCH with the results in that order. */
SUSPENDS void imap_search_answer(const struct imap_search *s, const uint32_t *order);
/* "SEARCH", "SORT": the older answers. */
SUSPENDS void imap_search_answer_list(const struct imap_search *s, const uint32_t *order,
                                      const char *name);
/* Does what SAVE asks for, and sets the result. */
void imap_search_conclude(struct imap_search *s, const uint32_t *order);
