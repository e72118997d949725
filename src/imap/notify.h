#pragma once
/*
 * NOTIFY (RFC 5465): the client is told of what happens in mailboxes without asking, the selected
 * one and others. ENABLE METADATA (RFC 5464 4.4) is the same with less to choose.
 *
 *   notify_arguments.c  what was asked for
 *   notify.c            what happens, as the account's watcher: is it asked for, then it is news
 *   notify_write.c      news as responses
 */
#include "imap/command.h"
#include "store/account_watch.h"

enum notify_event {
    NOTIFY_NEW = 1, /* as enum messages_change */
    NOTIFY_EXPUNGE = 2,
    NOTIFY_FLAGS = 4,
    NOTIFY_MESSAGES = 7,
    NOTIFY_NAME = 8,
    NOTIFY_SUBSCRIPTION = 16,
    NOTIFY_MAILBOX_METADATA = 32,
    NOTIFY_SERVER_METADATA = 64,
};

enum notify_filter {
    NOTIFY_PERSONAL, /* and inboxes: a delivery can go to any mailbox (RFC 5465 6.3) */
    NOTIFY_SUBSCRIBED,
    NOTIFY_SUBTREE,
    NOTIFY_MAILBOXES,
};

struct notify_group {
    enum notify_filter filter;
    struct str *names;
    size_t count;
    unsigned events; /* enum notify_event */
    struct notify_group *next;
};

struct notify_request {
    struct arena *arena; /* holds this struct */
    struct notify_group *groups;
    bool status;                 /* of all that is watched, at once */
    bool delayed;                /* selected-delayed: no EXPUNGE between commands */
    unsigned selected;           /* events of the selected mailbox */
    struct imap_argument *fetch; /* its new messages: a list of items of FETCH, or NULL */
};

/* NOTIFY SET: what is behind the name. False: the result is set. */
bool notify_take_request(struct imap_command *c, struct notify_request **r);
/* NULL is allowed. */
void notify_request_free(struct notify_request *r);

enum notify_kind { NEWS_STATUS, NEWS_LIST, NEWS_METADATA };

/* To be told. */
struct notify_news {
    struct notify_news *next;
    enum notify_kind kind;
    unsigned events;    /* STATUS */
    char *name;         /* of the mailbox; METADATA: "" is the server */
    char *old_name;     /* LIST: it was renamed from; or NULL */
    bool was_visible;   /* LIST of a public mailbox: the user could see it before */
    struct buf entries; /* METADATA: names, each with a NUL */
};

struct imap_notify {
    struct imap_session *session;
    struct account_watcher watcher, public_watcher;
    struct arena *who_arena;        /* of: */
    struct imap_who *who;           /* as the directory last said; NULL: not known */
    struct notify_request *request; /* NULL: NOTIFY was not used */
    char **subscribed;              /* names, if a group asks for them */
    size_t subscribed_count, subscribed_capacity;
    struct notify_news *first, **last;
    size_t count;
    bool overflow;
};

/* Does one of the groups ask for one of these events of the mailbox? Returns which. Whether the
 * user may know of a public one is asked when he is told. */
unsigned notify_wanted(const struct imap_notify *n, struct str mailbox, unsigned events);

/* --- for the session --- */

/* Is the client told of this (enum notify_event) in the selected mailbox? */
bool imap_notify_tells(const struct imap_session *s, unsigned event);
/* Shall a change of the selected mailbox wake the session? */
bool imap_notify_listens(const struct imap_session *s);
/* Tells what there is to tell between commands and in IDLE. */
SUSPENDS void imap_notify_update(struct imap_session *s);
/* Fetches what the client wants of messages from that UID on that it has just been told of. */
SUSPENDS void imap_notify_fetch(struct imap_session *s, uint32_t first);
void imap_notify_free(struct imap_session *s);
/* ENABLE METADATA. */
void imap_notify_metadata(struct imap_session *s);

/* A list of items of FETCH, tried and copied, for imap_fetch_unasked. NULL: the result is set. */
struct imap_argument *imap_fetch_keep(struct imap_command *c, const struct imap_argument *items,
                                      struct arena *a);
/* FETCH of messages that nobody asked for now, by UID. */
SUSPENDS void imap_fetch_unasked(struct imap_session *s, struct imap_argument *items,
                                 struct str uids);

/* --- between the files --- */

SUSPENDS void notify_write_news(struct imap_session *s, const struct notify_news *news);
/* STATUS of all mailboxes that groups watch the messages of. */
SUSPENDS void notify_write_all(struct imap_session *s);
/* Makes the session's watcher if there is none. */
bool notify_begin(struct imap_session *s, struct err *e);
/* The request is the session's from now on. */
SUSPENDS bool notify_install(struct imap_session *s, struct notify_request *r, struct err *e);
