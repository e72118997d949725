#pragma once
/*
 * The messages of a mailbox in an archive, and which of them a query finds.
 */
#include "imap/search.h"
#include "mailctl/body.h"

#include <jansson.h>

struct listed {
    uint32_t uid;
    bool done;    /* by the caller */
    size_t at, n; /* its line */
};

/* Zeroed at first. */
struct message_list {
    struct arena *arena;
    struct buf text; /* messages.jsonl */
    struct listed *items;
    size_t count;
    uint32_t *uids;
    bool has_query;
    struct search_program program;
    int64_t now;
};

/* A query, checked; *keys in the arena, text must stay. */
bool match_parse(struct arena *a, struct str text, struct imap_argument **keys, struct err *e);

/* From list->text, which is filled; keys may be NULL. */
bool match_begin(struct message_list *list, struct str mailbox, const struct imap_argument *keys,
                 struct err *e);
void match_end(struct message_list *list);
/* NULL: it is not in the list. */
struct listed *match_find(struct message_list *list, uint32_t uid);
/* Its line. */
json_t *match_line(const struct message_list *list, const struct listed *l);
/* body NULL: as far as the line tells, UNDECIDED when the message has to be read. */
bool match_message(struct message_list *list, const struct listed *l, const json_t *line,
                   struct body *body, enum search_answer *answer, struct err *e);
