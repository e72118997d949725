#pragma once
/*
 * Inside the POP3 server: a session is a connection, a maildrop is what it sees of the INBOX from
 * login to end.
 */
#include "net/session.h"
#include "pop3/maildrop.h"
#include "pop3/pop3.h"

struct pop3_session {
    struct session net;
    struct pop3_context *context;
    const struct pop3_settings *settings; /* in the service's configuration */
    struct arena *arena;                  /* account; NULL before the login */
    struct buf user;                      /* of USER; empty: none */
    struct account account;               /* after the login */
    struct mailbox *mailbox;              /* a reference to the INBOX; NULL before the login */
    struct maildrop maildrop;             /* what this session sees of it */
    struct pop3_session *next_logged_in;
    uint64_t octets_sent; /* of messages */
    uint32_t retrieved;
    uint16_t errors, auth_failures;
    bool utf8; /* RFC 6856 */
};

/* What a command function says about what comes next. */
enum pop3_next { POP3_GO_ON, POP3_CLOSE };

/* --- pop3_server.c --- */
struct arena *pop3_session_arena(struct pop3_session *s);
/* Opens the account's INBOX as this session's maildrop. ERR_EXISTS: another session has it. */
SUSPENDS bool pop3_session_log_in(struct pop3_session *s, const struct account *account,
                                  const char *mechanism, struct err *e);
/* Writes the line about the end of a logged-in session, once. */
void pop3_session_log_end(struct pop3_session *s, const char *reason, size_t deleted);

/* --- pop3_reply.c: buffered, sent before the session waits --- */
SUSPENDS void pop3_ok(struct pop3_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "-ERR ..." for what is no mistake of the client's program. */
SUSPENDS enum pop3_next pop3_no(struct pop3_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "-ERR ..." for malformed commands; counts towards the limit. */
SUSPENDS enum pop3_next pop3_error(struct pop3_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The one place where kinds of errors become replies (RFC 2449 8.1, RFC 3206). */
SUSPENDS enum pop3_next pop3_reply_err(struct pop3_session *s, const struct err *e);

/* --- pop3_command.c --- */
SUSPENDS enum pop3_next pop3_command(struct pop3_session *s, struct str line);
/* "RETR 5": the message, or a reply was sent and NULL is returned. */
SUSPENDS struct maildrop_message *pop3_message(struct pop3_session *s, struct str number,
                                               enum pop3_next *next);

/* --- pop3_auth.c --- */
bool pop3_stls_offered(const struct pop3_session *s);
/* "" when this session may not log in. */
const char *pop3_mechanisms(const struct pop3_session *s);
SUSPENDS enum pop3_next pop3_user(struct pop3_session *s, struct str argument);
SUSPENDS enum pop3_next pop3_pass(struct pop3_session *s, struct str argument);
SUSPENDS enum pop3_next pop3_auth(struct pop3_session *s, struct str argument);
SUSPENDS enum pop3_next pop3_stls(struct pop3_session *s, struct str argument);

/* --- pop3_message.c --- */
SUSPENDS enum pop3_next pop3_retr(struct pop3_session *s, struct str argument);
SUSPENDS enum pop3_next pop3_top(struct pop3_session *s, struct str argument);
