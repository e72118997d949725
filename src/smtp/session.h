#pragma once
/*
 * Inside the SMTP server: the three structs by lifetime. A session is a connection, a transaction
 * is a message, a command lives on the fiber's stack. RSET is freeing the transaction.
 */
#include "core/arena.h"
#include "net/session.h"
#include "smtp/data_decoder.h"
#include "smtp/smtp_server.h"

struct smtp_transaction {
    struct arena *arena;
    struct envelope envelope;
    size_t recipient_capacity;
    size_t recipients_refused;
    size_t target_count; /* of all recipients' routes */
    uint64_t size_announced;
    usec started; /* clock_monotonic */

    struct spool *message; /* from DATA or the first BDAT on */
    struct data_decoder decoder;
    struct buf decoded; /* of the present piece */
    bool chunking;      /* BDAT has begun */
    bool too_large;     /* what comes is read, not kept */
    uint64_t wire_size;
    struct err error; /* the spool failed */
};

struct smtp_session {
    struct session net;
    struct smtp_context *context;
    const struct smtp_settings *settings; /* in the service's configuration */
    struct arena *arena;                  /* login; NULL until something was said */
    struct smtp_transaction *transaction;
    char *helo; /* owned: a client may say it over and over; NULL before HELO, EHLO, LHLO */
    uint32_t messages;
    uint16_t errors, auth_failures;
    bool extended; /* EHLO */
};

/* What a command function says about what comes next. */
enum smtp_next { SMTP_GO_ON, SMTP_CLOSE };

/* --- smtp_server.c --- */
struct arena *smtp_session_arena(struct smtp_session *s);
enum service_protocol smtp_protocol(const struct smtp_session *s);
bool smtp_may_relay(const struct smtp_session *s);
const char *smtp_component(const struct smtp_session *s);
void smtp_transaction_free(struct smtp_session *s);

/* --- smtp_reply.c: buffered, sent before the session waits --- */
SUSPENDS void smtp_reply(struct smtp_session *s, int code, const char *enhanced, const char *format,
                         ...) __attribute__((format(printf, 4, 5)));
/* A 5xx for something the client did wrong; counts towards the limit of errors. */
SUSPENDS enum smtp_next smtp_reply_error(struct smtp_session *s, int code, const char *enhanced,
                                         const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The one place where kinds of errors become replies. */
SUSPENDS void smtp_reply_err(struct smtp_session *s, const struct err *e, const char *suffix);

/* --- smtp_command.c --- */
SUSPENDS enum smtp_next smtp_command(struct smtp_session *s, struct str line);
bool smtp_starttls_offered(const struct smtp_session *s);

/* --- smtp_mail.c --- */
SUSPENDS enum smtp_next smtp_mail(struct smtp_session *s, struct str argument);
SUSPENDS enum smtp_next smtp_rcpt(struct smtp_session *s, struct str argument);

/* --- smtp_data.c --- */
SUSPENDS enum smtp_next smtp_data(struct smtp_session *s, struct str argument);
SUSPENDS enum smtp_next smtp_bdat(struct smtp_session *s, struct str argument);

/* --- smtp_message.c: the whole message is there --- */
SUSPENDS enum smtp_next smtp_message_received(struct smtp_session *s);

/* --- smtp_auth.c --- */
/* "" when this session may not log in. */
const char *smtp_auth_mechanisms(struct smtp_session *s);
SUSPENDS enum smtp_next smtp_auth(struct smtp_session *s, struct str argument);
SUSPENDS enum smtp_next smtp_starttls(struct smtp_session *s, struct str argument);
