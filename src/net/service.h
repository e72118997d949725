#pragma once
/*
 * What a protocol is given for the connections of one listener: which protocol and rules, the TLS
 * context and the configuration of the moment. Reference counted and immutable: a reload makes new
 * ones for new connections, sessions keep theirs to their end.
 */
#include "core/settings.h"
#include "net/tls.h"

#include <sys/types.h>

enum service_protocol {
    SERVICE_SMTP,       /* port 25: mail from other servers */
    SERVICE_SUBMISSION, /* 587, 465, local programs: mail from our users */
    SERVICE_LMTP,
    SERVICE_IMAP,
    SERVICE_POP3,
    SERVICE_HTTP, /* pages for mail clients that set themselves up */
};

enum service_tls { SERVICE_TLS_NONE, SERVICE_TLS_STARTTLS, SERVICE_TLS_IMPLICIT };

struct listener_settings {
    const char *name;
    int protocol; /* enum service_protocol */
    struct string_list address;
    int tls;                 /* enum service_tls */
    bool auth;               /* smtp: offers AUTH; default no */
    bool auth_without_tls;   /* only for loopback addresses; default no */
    bool auth_required;      /* submission: MAIL needs a login first; default yes; a loopback-only
                                listener may say no */
    int client_certificates; /* enum tls_clients */
    struct string_list proxy_protocol_from; /* load balancers: net/proxy.h */
    int64_t socket_mode; /* Unix sockets: octal digits as a decimal number (660), see below */
};
extern const struct settings_block listener_settings_block; /* "listener", named */
/* socket_mode as listener_open takes it: 0660. */
mode_t service_socket_mode(const struct listener_settings *l);

struct service {
    unsigned references;
    struct config *config;
    const struct listener_settings *listener; /* in config */
    struct tls_context *tls;                  /* NULL: no TLS on this listener */
    const char *hostname;                     /* in config: our name in greetings */
};

/* Takes its own references to config and tls (which may be NULL). */
struct service *service_new(struct config *config, const struct listener_settings *listener,
                            struct tls_context *tls, const char *hostname);
struct service *service_ref(struct service *s);
/* NULL is allowed. */
void service_unref(struct service *s);
