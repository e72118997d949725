#pragma once
/*
 * Inside the SMTP server: the three structs by lifetime. A session is a connection, a transaction
 * is a message, a command lives on the fiber's stack. RSET is freeing the transaction; STARTTLS and
 * XCLIENT are smtp_session_reset.
 */
#include "core/arena.h"
#include "net/session.h"
#include "queue/recipient.h"
#include "queue/rewrites.h"
#include "smtp/data_policy.h"
#include "smtp/incoming.h"
#include "smtp/message_header.h"
#include "smtp/smtp_server.h"

/* Protocols that a command, an extension or a parameter exists on. */
enum {
    SMTP_ON_SMTP = 1,
    SMTP_ON_SUBMISSION = 2,
    SMTP_ON_LMTP = 4,
    SMTP_ON_ALL = SMTP_ON_SMTP | SMTP_ON_SUBMISSION | SMTP_ON_LMTP,
};

/* What is believed of the client: what the socket says, or what a proxy or another mail server that
 * is trusted for it says instead. All that is logged, decided or written about the client is about
 * this. The login is smtp_login(). */
struct smtp_peer {
    const char *address;       /* numeric, "unix", or "unknown" */
    const char *connected;     /* address of who is connected, whoever it speaks for with XCLIENT */
    const char *name;          /* host name, verified in both directions; NULL: see name_status */
    const char *local_address; /* that the client connected to; NULL: the socket's */
    char *helo;                /* as it said; owned; NULL before HELO, EHLO, LHLO */
    uint16_t port, local_port; /* 0: not known */
    enum client_name_status name_status; /* UNASKED unless XCLIENT has told */
    bool loopback;                       /* of this host: 127.0.0.1, ::1, a Unix socket */
    bool extended;                       /* EHLO or LHLO */
};

struct smtp_transaction {
    struct arena *arena;
    struct envelope envelope;
    size_t recipient_capacity;
    size_t recipients_refused;
    size_t target_count; /* of all recipients' routes */
    struct rewriter rewriter;
    uint64_t size_announced;
    int priority_asked;    /* MT-PRIORITY as given; the envelope has what is allowed */
    struct str said_login; /* AUTH= of somebody who is trusted to say it; "" : nothing */
    usec started;          /* clock_monotonic */
    usec verified;         /* waited for the servers of relay domains */

    /* From DATA or the first BDAT on (incoming.spool is there then): */
    struct incoming incoming;
    struct data_policy policy;
    struct data_decoder decoder;
    struct buf decoded;             /* of the present piece */
    bool binary;                    /* BODY=BINARYMIME */
    struct mime_unbinary *unbinary; /* then in front of the decoder, */
    struct buf encoded;             /* with what it made of the present piece */
    bool chunking;                  /* BDAT has begun */
    usec data_begun;                /* clock_monotonic */
    uint64_t wire_size;
};

struct smtp_session {
    struct session net;
    struct smtp_context *context;
    const struct smtp_settings *settings; /* in the service's configuration */
    struct arena *arena;                  /* login; NULL until something was said */
    struct smtp_peer peer;
    struct arena *peer_arena;         /* its strings; NULL: they are the stream's */
    struct smtp_forwarded *forwarded; /* XFORWARD; NULL: nothing */
    struct smtp_transaction *transaction;
    struct policy_session *policy; /* NULL: no rule was asked yet */
    uint32_t messages;
    uint16_t errors, auth_failures;
    uint16_t idle_commands; /* since the last message */
    bool utf8_command;      /* the present command has SMTPUTF8 for its reply (VRFY, EXPN) */
};

/* What a command function says about what comes next. */
enum smtp_next { SMTP_GO_ON, SMTP_CLOSE };

/* --- smtp_server.c --- */
struct arena *smtp_session_arena(struct smtp_session *s);
enum service_protocol smtp_protocol(const struct smtp_session *s);
/* SMTP_ON_SMTP, ... */
int smtp_protocol_bit(const struct smtp_session *s);
const char *smtp_component(const struct smtp_session *s);
/* NULL: not logged in. */
const char *smtp_login(const struct smtp_session *s);
/* Messages are a user's own (RFC 6409), not another server's: on submission, or logged in on port
 * 25. */
bool smtp_is_submission(const struct smtp_session *s);
bool smtp_may_relay(const struct smtp_session *s);
/* Submission wants a login before mail. */
bool smtp_login_missing(const struct smtp_session *s);
/* A user, a program on this machine: not anybody on the internet. */
bool smtp_is_trusted(const struct smtp_session *s);
/* What was said before does not count any more, a login least of all: the client begins anew with
 * EHLO. Who it is, and how many errors it made, stays. */
void smtp_session_reset(struct smtp_session *s);
/* stream_read_line after the replies have left. False when the line came as the settings do not
 * allow it, too: the reply is sent, e->kind is ERR_DENIED and the session ends. */
SUSPENDS bool smtp_read_line(struct smtp_session *s, size_t max, struct str *line, struct err *e);

/* --- smtp_load.c: what the machine's load means for this client --- */
/* Who it is has been learnt anew: connection, login, XCLIENT. */
void smtp_load_recognize(struct smtp_session *s);
usec smtp_timeout(const struct smtp_session *s);
int64_t smtp_errors_max(const struct smtp_session *s);
/* How long the greeting is held back. */
usec smtp_load_delay(const struct smtp_session *s);

/* --- smtp_peer.c --- */
void smtp_peer_init(struct smtp_session *s);
void smtp_peer_free(struct smtp_session *s);
/* Somebody else, from now on: XCLIENT, PROXY. Copies the strings; loopback follows from the
 * address, helo stays. */
void smtp_peer_replace(struct smtp_session *s, const struct smtp_peer *peer);
/* HELO, EHLO, LHLO; a NULL name forgets it. */
void smtp_peer_set_helo(struct smtp_session *s, struct str name, bool extended);

/* --- smtp_transaction.c --- */
struct smtp_transaction *smtp_transaction_new(void);
void smtp_transaction_free(struct smtp_session *s);
void smtp_transaction_add(struct smtp_transaction *t, const struct envelope_recipient *recipient);

/* By the rules of the configuration; the same when there are none. */
struct str smtp_rewrite(struct smtp_transaction *t, enum rewrite_part part, struct str address);

/* --- smtp_reply.c: buffered, sent before the session waits --- */
SUSPENDS void smtp_reply(struct smtp_session *s, int code, const char *enhanced, const char *format,
                         ...) __attribute__((format(printf, 4, 5)));
/* A line of a reply that goes on. */
SUSPENDS void smtp_reply_part(struct smtp_session *s, int code, const char *enhanced,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A 5xx for something the client did wrong; counts towards the limit of errors. */
SUSPENDS enum smtp_next smtp_reply_error(struct smtp_session *s, int code, const char *enhanced,
                                         const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* 530: a login is needed, or TLS for one. */
SUSPENDS enum smtp_next smtp_reply_login_missing(struct smtp_session *s);
SUSPENDS enum smtp_next smtp_reply_no_recipients(struct smtp_session *s);
/* An error of the client whose reply has been sent; too many end the session, with 421. */
SUSPENDS enum smtp_next smtp_count_error(struct smtp_session *s);
/* The client does nothing but talk. The answer was given, but beyond the limit it is an error. */
SUSPENDS enum smtp_next smtp_count_idle(struct smtp_session *s);
/* What comes after replies that a function further down has sent. */
enum smtp_next smtp_after_replies(const struct smtp_session *s);
/* The one place where kinds of errors become replies. */
SUSPENDS void smtp_reply_err(struct smtp_session *s, const struct err *e, const char *suffix);

/* --- smtp_hello.c --- */
SUSPENDS bool smtp_greet(struct smtp_session *s, struct err *e);

/* --- smtp_extension.c --- */
/* The answer to EHLO and LHLO. */
SUSPENDS void smtp_extensions_reply(struct smtp_session *s);

/* --- smtp_xclient.c --- */
/* At MAIL: where the message came from, by XFORWARD. */
void smtp_forwarded_log(const struct smtp_session *s);
void smtp_forwarded_free(struct smtp_session *s);

/* --- smtp_policy.c: what the rules of the access policy say --- */
/* True: go on. False: the reply is sent, do what *next says. The rules are asked last, after
 * everything else that could be said against the command. */
/* Before the greeting; false: turned away, the session ends. */
SUSPENDS bool smtp_policy_connect(struct smtp_session *s);
/* name: the new one, not yet the peer's. */
SUSPENDS bool smtp_policy_helo(struct smtp_session *s, struct str name, enum smtp_next *next);
SUSPENDS bool smtp_policy_mail(struct smtp_session *s, const struct smtp_transaction *t,
                               enum smtp_next *next);
SUSPENDS bool smtp_policy_rcpt(struct smtp_session *s, struct str recipient, enum smtp_next *next);
/* The message is in the transaction's spool. LMTP: replies for all recipients. */
SUSPENDS bool smtp_policy_data(struct smtp_session *s, enum smtp_next *next);
/* Whether smtp_policy_data may ask for facts.authors of the header. */
bool smtp_policy_wants_authors(const struct smtp_session *s);
/* The client is another one from now on (XCLIENT), or the session ends. */
void smtp_policy_forget(struct smtp_session *s);

/* --- smtp_message.c: the whole message is there --- */
struct message_origin smtp_message_origin(const struct smtp_session *s,
                                          const struct smtp_transaction *t);
/* Users and local programs may leave the domain out. */
void smtp_complete_address(const struct smtp_session *s, const struct smtp_transaction *t,
                           struct address *address);
SUSPENDS enum smtp_next smtp_message_received(struct smtp_session *s);
