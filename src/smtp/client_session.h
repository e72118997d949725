#pragma once
/*
 * A connection to another SMTP server: from the first packet to the state where mail can be given,
 * one mail after the other, QUIT.
 */
#include "net/stream.h"
#include "queue/transport.h"
#include "smtp/client_failure.h"
#include "smtp/client_hello.h"
#include "smtp/client_hosts.h"
#include "smtp/client_reply.h"
#include "smtp/client_shared.h"
#include "smtp/client_tls_policy.h"

/* Connections that are made for one message or one batch of probes before it has to wait. */
#define CLIENT_SESSIONS_MAX 10

struct client_session {
    const struct transport_job *job;
    struct client_shared *shared;
    const struct client_config *config;
    struct smtp_client_settings settings;
    const struct client_host *host;
    const char *address;   /* of the host, as connected */
    struct stream *stream; /* NULL: not connected */
    struct client_reply reply;
    struct client_hello hello;
    struct buf wire;                /* commands that leave with the next push */
    struct buf relay;               /* "host[address]:port" */
    struct buf ticket;              /* key of the TLS session in shared->tickets; "" : none */
    usec deadline;                  /* of all that is under way; DEADLINE_NONE: that of each step */
    unsigned mails;                 /* transactions begun over this connection */
    bool without_chunks;            /* a server offered CHUNKING and did not know BDAT */
    struct client_tls_decision tls; /* what TLS with the host has to be like */
    bool tls_optional;              /* for the next open: no policy of the domain is to bind */
    bool must_verify;  /* for the next open: TLS, the server's name verified, REQUIRETLS */
    bool verified;     /* the server is who it should be, as far as that was asked for */
    bool tls_refused;  /* a host was there, but TLS was not as it has to be; until it is cleared */
    bool tls_failed;   /* the opportunistic handshake: without TLS it may work */
    bool login_failed; /* the server would not have it */
    bool may_recover;  /* client_session_open_next met a host that could not be used for now */
    bool dead;         /* only good for closing */
    bool needs_reset;  /* a transaction was begun and not ended */
};

/* job and shared outlive the session. */
void client_session_init(struct client_session *s, struct client_shared *shared,
                         const struct transport_job *job);
void client_session_free(struct client_session *s);

/* Which hosts have been asked: zeroed, none. */
struct client_round {
    unsigned sessions; /* connections that stood */
    size_t next;       /* index of the host whose turn it is */
    bool second;       /* the silent ones, now that no other is left */
    bool skipped[CLIENT_HOSTS_MAX];
    size_t address; /* of that host: those before it have been asked */
};

/* Opens a session with the first host that works, from where the round stands. False: *f, and
 * there is none. id: for the log. Addresses in a. */
SUSPENDS bool client_session_open_next(struct client_session *s, struct client_hosts *hosts,
                                       struct client_round *round, struct arena *a, const char *id,
                                       struct client_failure *f);
/* Whether mail may follow over the connection, which nobody has used for a while: the server has
 * neither closed it nor said anything. */
bool client_session_is_alive(struct client_session *s);
/* Without a word. No error when it is not open. */
void client_session_close(struct client_session *s);
/* QUIT, then closes. */
SUSPENDS void client_session_quit(struct client_session *s);

/* Reads one reply into s->reply. False: the session is dead, *f says what happened while waiting
 * for the reply to `command`. A 421 makes the session dead, too, but is a reply. */
SUSPENDS bool client_session_read(struct client_session *s, usec timeout, const char *command,
                                  struct client_failure *f);
/* Sends what has been collected in s->wire, all at once. False: the session is dead, *f. */
SUSPENDS bool client_session_push(struct client_session *s, usec timeout, const char *command,
                                  struct client_failure *f);
/* For what the stream does: no longer than that, and not beyond s->deadline. */
void client_session_set_timeout(struct client_session *s, usec timeout);
/* A command and its reply. */
SUSPENDS bool client_session_talk(struct client_session *s, const char *command, struct str line,
                                  struct client_failure *f);
static inline bool client_session_is_positive(const struct client_session *s)
{
    return s->reply.code >= 200 && s->reply.code < 300;
}
static inline bool client_session_has(const struct client_session *s, enum client_extension x)
{
    return s->hello.extensions & x;
}
static inline bool client_session_is_lmtp(const struct client_session *s)
{
    return s->job->next_hop.protocol == NEXT_HOP_LMTP;
}
/* The reply as a failure: 5xx is permanent. */
void client_session_refused(const struct client_session *s, const char *command,
                            struct client_failure *f);
/* The connection broke. */
void client_session_lost(struct client_session *s, const char *command, const struct err *e,
                         struct client_failure *f);

/* --- steps of opening --- */

/* EHLO, or HELO for the very old; LHLO. (client_open.c) */
SUSPENDS bool client_session_hello(struct client_session *s, struct client_failure *f);
/* AUTH, where the route says so. (client_login.c) */
SUSPENDS bool client_session_log_in(struct client_session *s, struct client_failure *f);

/* --- client_mail.c --- */

enum client_mail_end {
    CLIENT_MAIL_DONE,  /* every recipient has its result */
    CLIENT_MAIL_SPENT, /* the rest needs another connection: the server takes no more over this */
    CLIENT_MAIL_LOST,  /* the connection broke, and nobody has the message: another host may be
                          tried at once */
};
/* The recipients that have no result yet, in as many transactions as the server's limits want.
 * *f: why, with CLIENT_MAIL_LOST. */
SUSPENDS enum client_mail_end client_mail_send(struct client_session *s,
                                               struct transport_message *m,
                                               struct client_failure *f);
/* The failure for all recipients that have no result. */
void client_mail_fail(struct transport_message *m, struct str relay,
                      const struct client_failure *f);
/* The server has said how many mails it takes over a connection (MAILMAX), and has had them. */
static inline bool client_session_is_spent(const struct client_session *s)
{
    return s->hello.mails_max > 0 && s->mails >= s->hello.mails_max;
}
