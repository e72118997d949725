#pragma once
/*
 * The sessions of all protocols, for `mailctl who` and `status`, for connection limits and for
 * shutdown. A protocol embeds a struct session_entry in its session struct, fills it and adds it
 * when the connection is accepted; the strings are the protocol's and live as long as the entry
 * is in the list. Only on the loop's thread.
 */
#include "core/fiber.h"

#include <stddef.h>
#include <stdint.h>

struct session_list;
struct session_entry;
struct address_count;
struct login_count;

/* One per protocol (a constant). */
struct session_kind {
    const char *component; /* "smtpd", "submission", "lmtpd", "imap", "pop3" */
    /* Ends the session soon: a last line to the client (421, * BYE ...) with stream_write_now, then
     * stream_abort; a parked session may be freed (and removed from the list) at once. `reason` is
     * for that line: "server shutting down". */
    void (*kick)(struct session_entry *entry, const char *reason);
    /* Since when the client has been waited for (clock_monotonic); 0: it is being served. */
    usec (*idle_since)(const struct session_entry *entry);
    bool pages; /* no mail: it has a limit of its own */
};

struct session_entry {
    struct session_entry *next, *previous; /* private */
    struct address_count *address;         /* private */
    struct login_count *account;           /* private */
    struct session_entry *account_next;    /* private: next session of that login */
    const struct session_kind *kind;
    const char *id;    /* the session's log id */
    const char *peer;  /* stream_peer(): "192.0.2.1", "unix" */
    const char *login; /* account's address, NULL before the login: session_list_login */
    const char *state; /* last command or what it does: "IDLE", "DATA", "parked"; may be NULL */
    usec since;        /* clock_wall() of the connection; set by session_list_add when 0 */
    bool stranger;     /* may be put off: session_list_set_stranger once it is in the list */
    /* Before session_list_login: limits of this login instead of per_login and
     * per_login_and_address; 0: those. */
    uint32_t login_max, login_and_address_max;
};

struct session_limits {
    size_t total;       /* sessions of all protocols; 0: no limit */
    size_t strangers;   /* of them, those of strangers; 0: no limit of their own */
    size_t pages;       /* of them, those of kinds with pages; 0: no limit of their own */
    size_t per_address; /* of one IPv4 address or IPv6 /64; loopback and Unix sockets are exempt */
    /* Of one login with one protocol: in all, and from one address (loopback and Unix sockets are
     * exempt here too). 0: no limit. */
    size_t per_login, per_login_and_address;
};

struct session_list *session_list_new(void);
/* Must be empty. NULL is allowed. */
void session_list_free(struct session_list *l);
void session_list_set_limits(struct session_list *l, const struct session_limits *limits);

/* kind, id and peer must be set. ERR_TEMP for a stranger while session_list_shed, or when there are
 * too many of them, and for too many pages; ERR_LIMIT when there are too many sessions: tell the
 * client (421, * BYE, -ERR) and close. After session_list_refuse: ERR_CANCELLED. */
bool session_list_add(struct session_list *l, struct session_entry *entry, struct err *e);
/* An entry that was never added (zeroed links) is no error. */
void session_list_remove(struct session_list *l, struct session_entry *entry);

/* The session belongs to this login from now on (the string is the session's). When that makes too
 * many, the one whose client has been silent for longest is kicked; when all are busy: ERR_LIMIT,
 * and entry->login stays NULL. May be called again with another login, or NULL for none. */
bool session_list_login(struct session_list *l, struct session_entry *entry, const char *login,
                        struct err *e);

/* Who is known by now is no stranger. */
void session_list_set_stranger(struct session_list *l, struct session_entry *entry, bool stranger);
size_t session_list_strangers(const struct session_list *l);
size_t session_list_strangers_max(const struct session_list *l);
size_t session_list_pages(const struct session_list *l);
size_t session_list_total_max(const struct session_list *l);
/* Strangers are turned away from now on, or no longer. */
void session_list_shed(struct session_list *l, bool shed);
/* How many were, by session_list_shed and for being too many, since the start. */
uint64_t session_list_shed_count(const struct session_list *l);
/* Kicks strangers that have been waited for (kind->idle_since) longer than patience() says. Looks
 * at `most` sessions, and goes on with the next ones at the next call. */
void session_list_kick_silent(struct session_list *l,
                              usec (*patience)(const struct session_entry *entry), size_t most,
                              const char *reason);

/* fn is called when a session has got a login, and when it has lost it (login NULL) or ends. One
 * watcher; NULL: none. Must not suspend. */
void session_list_watch_logins(struct session_list *l,
                               void (*fn)(void *arg, struct session_entry *entry), void *arg);

/* For iteration without suspension: first, then entry->next. Newest last. */
struct session_entry *session_list_first(const struct session_list *l);
size_t session_list_count(const struct session_list *l);
/* How many there are of the i-th kind that was ever there, without looking at each; NULL: there are
 * no more kinds. */
const struct session_kind *session_list_kind(const struct session_list *l, size_t i, size_t *count);
/* NULL when there is none. */
struct session_entry *session_list_find(const struct session_list *l, const char *id);

/* The same with suspensions in between: those that end are left out, and as many are met as there
 * were at the beginning. The walk must end before the list does. */
struct session_walk {
    struct session_walk *next_walk; /* private, as the others */
    struct session_entry *at;
    size_t left;
};
void session_walk_begin(struct session_list *l, struct session_walk *w);
/* The next one, for as long as nothing suspends; NULL: there are no more. It may be kicked. */
struct session_entry *session_walk_next(struct session_walk *w);
void session_walk_end(struct session_list *l, struct session_walk *w);

/* The limits in force, and how many sessions there are of an entry's address (0: not counted) and
 * of its login with its protocol (0: none yet). */
const struct session_limits *session_list_limits(const struct session_list *l);
size_t session_address_count(const struct session_entry *entry);
size_t session_login_count(const struct session_entry *entry);

/* Kicks all that are in the list now. */
void session_list_kick_all(struct session_list *l, const char *reason);
/* Shutdown: from now on session_list_add returns ERR_CANCELLED. */
void session_list_refuse(struct session_list *l);
/* Waits until the last session has gone; false when some are left at the deadline. */
SUSPENDS bool session_list_wait_empty(struct session_list *l, usec deadline);
