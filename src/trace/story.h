#pragma once
/*
 * The story of a message: all that the event store knows of it, whatever name it had at the time.
 * From the id of a connection or message it leads to messages, from those to reports about them
 * and to what was made of them, to the mailboxes that they came to, and there by mailbox and UID to
 * what users did. BLOCKING: for workers.
 */
#include "core/arena.h"
#include "trace/scan.h"

struct story_request {
    const char *dir;
    /* An id, a message-id, an address, a client's IP address; with mailbox and uid an account. */
    struct str what;
    struct str mailbox;
    uint32_t uid;
    usec from, to; /* when the message was first seen; 0: whenever */
    /* A login, who may see his messages only: those that he sent, and of others what was done in
     * his mailboxes. n 0: all. */
    struct str user;
    bool all;      /* the stories of all messages that fit, not a list */
    size_t most;   /* messages; the newest */
    usec deadline; /* clock_monotonic */
};

struct story_event {
    usec when, begin; /* begin: of an acceptance, when the message began to come; else when */
    enum log_level level;
    struct str component, id, text;
    uint64_t position;
};

struct story {
    struct str id;              /* that it began with */
    struct story_event *events; /* in order of time */
    size_t count;
    bool cut; /* by the limits: there was more */
};

/* A row of a list. */
struct story_summary {
    struct str id, from, to, status, message_id;
    uint64_t recipients, size;
    usec when;
    uint64_t position;
};

struct story_answer {
    struct story *stories;
    size_t story_count;
    struct story_summary
        *list; /* newest first, when there is more than one message and not `all` */
    size_t list_count;
    bool more; /* messages, which were not looked for */
    bool late; /* the deadline came first */
    uint64_t damaged;
};

/* "25x01xdpm9phr": as the server gives them to connections and messages. */
bool story_is_id(struct str what);

/* All strings are in `a`. Nothing found is no error. */
bool story_find(const struct story_request *r, struct arena *a, struct story_answer *answer,
                struct err *e);
