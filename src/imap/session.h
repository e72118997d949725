#pragma once
/*
 * Three structs by lifetime: the session (the connection), the user it belongs to after the login
 * with the selected mailbox (selected.h), and the command (command.h). A session that is parked
 * before its login is this struct and its stream, nothing else.
 */
#include "core/buf.h"
#include "core/random.h"
#include "imap/imap.h"

struct imap_selected;

enum imap_wake {
    IMAP_WAKE_INPUT = 1,
    IMAP_WAKE_CHANGE = 2, /* in IDLE: the mailbox has news */
    IMAP_WAKE_TIMEOUT = 4,
};

/* From the login to the end. */
struct imap_user {
    struct arena *arena;
    struct account account;
    const char *login;
    uint64_t fetched, appended, copied, expunged; /* messages, for the log */
};

struct imap_session {
    struct session_entry entry;
    struct imap_context *context;
    struct service *service;
    const struct imap_settings *settings;
    struct stream *stream;
    struct imap_user *user;         /* NULL before the login */
    struct imap_selected *selected; /* NULL: none */
    char *idle_tag;                 /* of the IDLE command that runs; NULL: none */
    const char *ended;              /* why the session is over; NULL while it is not */
    uint64_t bytes_in, bytes_out;
    uint32_t commands;
    char id[ID_SIZE];
    uint8_t wake;      /* enum imap_wake */
    uint8_t bad_count; /* malformed commands in a row */
    uint8_t login_failures;
    bool greeted;
    bool identified; /* its ID has been logged */
    bool running;    /* a fiber is in it */
    bool broken;     /* the stream failed: writing is over */
    bool in_literal; /* half a response is out: nothing else may be said */
};

/* Appends to the stream; after a failure nothing happens any more and the session ends. */
SUSPENDS void imap_write(struct imap_session *s, struct str bytes);
SUSPENDS void imap_writef(struct imap_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sends it. False: the session is over. */
SUSPENDS bool imap_flush(struct imap_session *s);
/* The session ends after the present command. The first reason stands. `reason` is a constant. */
void imap_session_finish(struct imap_session *s, const char *reason);
/* Half a response is out and cannot be completed: closes without another word. */
void imap_session_abort(struct imap_session *s, const char *reason);
/* The stream failed with *e. */
void imap_session_broken(struct imap_session *s, const struct err *e);
/* From a watcher: a parked session goes to work in this turn. */
void imap_session_wake(struct imap_session *s, enum imap_wake why);

/* May it log in without TLS (or has it TLS)? */
bool imap_session_is_secure(const struct imap_session *s);
struct auth_peer imap_session_peer(const struct imap_session *s);
/* After authentication: takes copies of the account. */
void imap_session_login(struct imap_session *s, const struct account *account,
                        const char *mechanism);

/* The capability list that holds at this moment, appended (imap/capability.c). */
void imap_write_capabilities(struct buf *out, const struct imap_session *s);
