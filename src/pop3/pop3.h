#pragma once
/*
 * POP3 server: RFC 1939, 2449 (CAPA, RESP-CODES), 2595 (STLS), 3206, 5034 (SASL).
 */
#include "auth/auth.h"
#include "core/session_list.h"
#include "net/service.h"
#include "net/stream.h"
#include "store/store.h"

struct pop3_session;

struct pop3_settings {
    usec timeout;            /* 10 minutes, RFC 1939 3 */
    const char *uidl_format; /* maildrop.h */
};
extern const struct settings_block pop3_settings_block; /* "pop3" */

struct pop3_context {
    struct loop *loop;
    struct auth *auth;
    struct store *store;
    struct session_list *sessions;
    struct pop3_session *logged_in; /* private: those that hold a maildrop */
};

/* Takes the stream and a reference to the service. On the loop, not in a fiber. */
void pop3_accept(struct pop3_context *c, struct service *service, struct stream *stream);
