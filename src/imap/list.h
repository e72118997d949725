#pragma once
/*
 * What LIST and LSUB were asked for: options and patterns (imap/list_arguments.c).
 */
#include "imap/metadata.h"

enum list_option {
    LIST_SUBSCRIBED = 1,
    LIST_REMOTE = 2,
    LIST_RECURSIVEMATCH = 4,
    LIST_SPECIAL_USE = 8,
    LIST_CHILDREN = 16,
    LIST_STATUS = 32,   /* RFC 5819 */
    LIST_METADATA = 64, /* RFC 9590 */
};

struct listing {
    bool lsub, extended;
    bool root;                 /* no pattern: what separates levels is asked for */
    struct wire_naming naming; /* imap_session_naming */
    unsigned select, give;     /* enum list_option */
    unsigned status;           /* enum imap_status_item */
    struct imap_metadata_request metadata;
    struct str *patterns; /* as if "/" separated levels */
    size_t pattern_count;
    bool parents; /* LSUB: names above listed ones are wanted though they do not qualify */
    struct mailbox_info *list;
    size_t count;
};

/* l->lsub is set. False: the result is set. */
bool imap_take_listing(struct imap_command *c, struct listing *l);

/* What LIST says of a mailbox; more can follow before the line end. */
void imap_write_list(struct buf *out, const struct imap_session *s, const struct mailbox_info *m,
                     bool extended, bool subscribed);
