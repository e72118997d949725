#pragma once
/*
 * A connection to another SMTP server: from the first packet to the state where mail can be given,
 * one mail after the other, QUIT.
 */
#include "net/stream.h"
#include "queue/transport.h"
#include "smtp/client_failure.h"
#include "smtp/client_hosts.h"
#include "smtp/client_reply.h"
#include "smtp/smtp_client.h"

enum client_extension {
    CLIENT_PIPELINING = 1,
    CLIENT_SIZE = 2,
    CLIENT_8BITMIME = 4,
    CLIENT_SMTPUTF8 = 8,
    CLIENT_STARTTLS = 16,
    CLIENT_AUTH_PLAIN = 32,
    CLIENT_DSN = 64,
    CLIENT_REQUIRETLS = 128,
    CLIENT_DELIVERBY = 256,
    CLIENT_MT_PRIORITY = 512,
};

struct client_session {
    const struct transport_job *job;
    struct smtp_client_settings settings;
    const struct client_host *host;
    struct stream *stream; /* NULL: not connected */
    struct client_reply reply;
    struct buf relay;        /* "host[address]:port" */
    unsigned extensions;     /* enum client_extension */
    uint64_t size_max;       /* of SIZE; 0: not told */
    uint32_t deliver_by_min; /* of DELIVERBY, seconds; 0: not told */
    bool must_verify;        /* for the next open: TLS, the server's name verified, REQUIRETLS */
    bool verified;           /* it is so */
    bool tls_failed;         /* the opportunistic handshake: without TLS it may work */
    bool may_recover; /* client_session_open_next met a host that could not be used for now */
    bool dead;        /* only good for closing */
    bool needs_reset; /* a transaction was begun and not ended */
};

/* Connects to the host and gets ready for MAIL. False: *f, and the session is closed. */
SUSPENDS bool client_session_open(struct client_session *s, const struct client_host *host,
                                  bool use_tls, struct client_failure *f);
/* The same with the first host from *next on that works; *next is behind it. id: for the log. */
SUSPENDS bool client_session_open_next(struct client_session *s, const struct client_hosts *hosts,
                                       size_t *next, const char *id, struct client_failure *f);
/* Without a word. No error when it is not open. */
void client_session_close(struct client_session *s);
/* QUIT, then closes. */
SUSPENDS void client_session_quit(struct client_session *s);
void client_session_free(struct client_session *s);

/* Reads one reply into s->reply. False: the session is dead, *f says what happened while waiting
 * for the reply to `command`. A 421 makes the session dead, too, but is a reply. */
SUSPENDS bool client_session_read(struct client_session *s, usec timeout, const char *command,
                                  struct client_failure *f);
/* Sends a line (without its end), buffered until the next flush. */
SUSPENDS bool client_session_send(struct client_session *s, struct client_failure *f,
                                  const char *format, ...) __attribute__((format(printf, 3, 4)));
SUSPENDS bool client_session_flush(struct client_session *s, const char *command,
                                   struct client_failure *f);
/* The reply as a failure: 5xx is permanent. */
void client_session_refused(const struct client_session *s, const char *command,
                            struct client_failure *f);
/* The connection broke. */
void client_session_lost(struct client_session *s, const char *command, const struct err *e,
                         struct client_failure *f);

/* --- client_mail.c --- */

/* One transaction for the recipients that are TRANSPORT_DEFERRED: fills in their results. True: the
 * connection broke before the message was sent, so that another host may be tried now. */
SUSPENDS bool client_mail_send(struct client_session *s, struct transport_message *m);
/* The failure for all recipients that have no final result. */
void client_mail_fail(struct transport_message *m, struct str relay,
                      const struct client_failure *f);
