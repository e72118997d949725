#pragma once
/*
 * POP3 server: RFC 1939, 2449 (CAPA, RESP-CODES, LOGIN-DELAY, EXPIRE), 2595 (STLS), 3206, 5034
 * (SASL), 6856 (UTF8, LANG).
 */
#include "auth/auth.h"
#include "core/session_list.h"
#include "net/service.h"
#include "net/stream.h"
#include "store/store.h"

struct pop3_session;
struct login_times;

struct pop3_settings {
    usec timeout;            /* 10 minutes, RFC 1939 3 */
    usec login_delay;        /* between logins of an account; 0: none */
    const char *uidl_format; /* maildrop.h */
};
extern const struct settings_block pop3_settings_block; /* "pop3" */

struct pop3_context {
    struct loop *loop;
    struct auth *auth;
    struct store *store;
    struct session_list *sessions;
    struct pop3_session *logged_in; /* private: those that hold a maildrop */
    struct login_times *logins;     /* private */
};

/* loop, auth, store and sessions are set. */
void pop3_context_open(struct pop3_context *c);
/* No session may be left. */
void pop3_context_close(struct pop3_context *c);

/* Takes the stream and a reference to the service. On the loop, not in a fiber. */
void pop3_accept(struct pop3_context *c, struct service *service, struct stream *stream);
