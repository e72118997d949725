#pragma once
/*
 * Results that are kept up to date (RFC 5267 4.3, UPDATE): the client hears of what comes to them
 * and leaves them until it deselects the mailbox or cancels.
 */
#include "imap/search_command.h"
#include "imap/sort.h"

struct update_result {
    uint32_t uid, row; /* row: in the table of keys */
};

/* One for each command that asked for it, in a list of the selected mailbox. */
struct search_update {
    struct search_update *next;
    struct arena *arena; /* holds this struct and all of the program */
    struct str tag;
    struct str start; /* of its responses: "* ESEARCH (TAG "B01") UID" */
    bool uid;
    struct imap_argument *fetch; /* items for messages that are new, or NULL (RFC 5465 section 7) */
    struct search_program program;
    struct sort_program sort;      /* no criteria: in the order of the mailbox */
    struct sort_table *keys;       /* of a sorted one */
    struct update_result *results; /* in the order asked for */
    size_t count, capacity;
    uint64_t modseq;   /* right up to this change */
    uint32_t uid_next; /* and for messages below this */
    int64_t time;      /* seconds: OLDER and YOUNGER were right then */
};

/* Before a search whose options say UPDATE: the search's keys go into the update's arena. Too many
 * already: s->update stays NULL, imap_update_keep will say so. False: the tag is in use; the result
 * is set. */
bool imap_update_begin(struct imap_search *s);
/* After the search: keeps the results; order: positions. keys and rows: of a sorted result, keys
 * are taken. Tells the client if there will be no updates. */
SUSPENDS void imap_update_keep(struct imap_search *s, const struct sort_program *sort,
                               const uint32_t *order, struct sort_table *keys,
                               const uint32_t *rows);
/* NULL is allowed. */
void imap_update_free(struct search_update *u);
void imap_updates_free(struct imap_selected *v);

/* Appends that results are leaving because their messages are gone: before the client is told of
 * the expunges (RFC 5267 4.3.4). */
void imap_updates_expunged(struct imap_selected *v, struct buf *out);
/* Tells what has come and gone since, after the client has been told of the changes themselves. */
SUSPENDS void imap_updates_tell(struct imap_session *s);
