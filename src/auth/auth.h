#pragma once
/*
 * Who is this? One module for every protocol: plain logins (IMAP LOGIN, POP3 USER/PASS) and SASL
 * exchanges (libsasl2). Failures are logged here, in one form that fail2ban reads:
 *   auth[ID]: login failed service=imap user="..." peer=192.0.2.1 mechanism=PLAIN reason=...
 * and slowed down; successes are logged by the protocol.
 */
#include "auth/access.h"
#include "auth/directory.h"
#include "auth/penalty.h"

struct auth;
struct oauth;
struct sasl;
struct stream;

struct auth_settings {
    int64_t failures_max;               /* per connection, then it is closed by the protocol */
    struct string_list mechanisms;      /* empty: all that can work */
    const char *keytab;                 /* "" : no Kerberos */
    const char *kerberos_hostname;      /* in the names of our services; "" : as in the keytab */
    struct string_list kerberos_realms; /* whose principals are users; none: those of the keytab */
    struct string_list certificate_names; /* where a client's certificate has its login */
    struct string_list master_users;      /* logins and names of groups */
    const char *master_separator;         /* one character; "" : none */
    bool master_disabled;                 /* masters may be users who may not log in themselves */
    struct penalty_settings penalty;
};
extern const struct settings_block auth_settings_block; /* "auth" */

/* What is known of a connection that wants to log in. Strings outlive the call. */
struct auth_peer {
    const char *service;   /* "imap", "pop3", "smtp" (SASL's names) */
    const char *component; /* "imap", "pop3", "submission": for the log */
    const char *id;        /* of the session, for the log */
    const char *address;   /* numeric */
    bool secure;           /* TLS, or loopback where the listener allows it */
    /* For channel bindings and the client's certificate; NULL: has none. */
    const struct stream *stream;
};

/* Tells the system's Kerberos what it must know. First of all, before there are threads. */
void auth_prepare(const struct auth_settings *s);
struct auth *auth_new(struct directory *d, const struct auth_settings *s, struct err *e);
/* A key of this installation, kept in the file (made when it is not there): what SCRAM shows of
 * users who do not exist comes from it and must not change with a restart. */
SUSPENDS bool auth_open_secret(struct auth *a, const char *path, struct err *e);
/* Looks at the keytab, now and whenever it may have changed; the log says what is wrong with it. */
SUSPENDS void auth_load_keys(struct auth *a);
/* NULL is allowed. */
void auth_free(struct auth *a);
/* Who checks tokens (auth/oauth.h); outlives the logins. NULL: none are taken. */
void auth_set_oauth(struct auth *a, struct oauth *o);
/* New settings, and the access rules; before the first call there are none of these. */
void auth_reload(struct auth *a, struct config *config);
/* Failed logins after which a protocol closes the connection. */
/* Logins since the start, of all protocols. */
struct auth_stats {
    uint64_t succeeded, failed;
    uint64_t deferred; /* they could not be checked */
};
void auth_get_stats(const struct auth *a, struct auth_stats *stats);
int64_t auth_failures_max(const struct auth *a);

/* ERR_DENIED: wrong (after the failure delay); ERR_PERM: right, but the access rules do not let
 * this account in here, the text is for the client; ERR_TEMP: the directory cannot answer, which no
 * client may be told as "wrong password"; ERR_LIMIT; ERR_CANCELLED. */
SUSPENDS bool auth_login(struct auth *a, const struct auth_peer *peer, struct str user,
                         struct str password, struct arena *arena, struct account *account,
                         struct err *e);

/* The access rules alone (access_check): for `mailctl auth test`, and for who has proved otherwise
 * who he is. */
bool auth_may_use(const struct auth *a, const struct account *account,
                  enum account_protocol protocol, const char *address, const char **reason);
/* Before session_list_login: how many sessions the account may have. */
struct session_entry;
void auth_limit_sessions(const struct auth *a, const struct account *account,
                         struct session_entry *entry);
/* What is counted against guessing: penalty_is_locked tells without counting. */
struct penalties *auth_penalties(const struct auth *a);

/* Mechanisms offered to this peer, separated by spaces: "PLAIN LOGIN"; "" when it may not log in
 * (not secure). */
const char *sasl_mechanisms(struct auth *a, const struct auth_peer *peer);

/* For people: what clients of a listener are offered when they have TLS, and a certificate where
 * those count. */
const char *sasl_mechanisms_of(struct auth *a, const char *service, bool tls, bool certificates);

enum sasl_status {
    SASL_STATUS_CONTINUE, /* send the challenge (binary; the protocol encodes it as base64) */
    SASL_STATUS_DONE,     /* logged in */
    SASL_STATUS_FAILED    /* *e as for auth_login; ERR_SYNTAX: malformed; ERR_NOT_FOUND: no such
                             mechanism */
};

struct sasl *sasl_new(struct auth *a, const struct auth_peer *peer);
void sasl_free(struct sasl *s);
/* initial: decoded initial response; p == NULL when there was none (an empty one is not none). */
SUSPENDS enum sasl_status sasl_start(struct sasl *s, struct str mechanism, struct str initial,
                                     struct str *challenge, struct err *e);
SUSPENDS enum sasl_status sasl_step(struct sasl *s, struct str response, struct str *challenge,
                                    struct err *e);
/* After DONE: who; strings live as long as s. */
const struct account *sasl_account(const struct sasl *s);
const char *sasl_mechanism(const struct sasl *s);
/* Bytes a response of the exchange that is under way may have, base64 decoded: longer ones are
 * refused before anybody looks at them. */
size_t sasl_response_max(const struct sasl *s);
/* Of most mechanisms (RFC 4954 4); a Kerberos ticket that lists the groups of its user is longer.
 */
#define SASL_RESPONSE_MAX 12288
#define SASL_TICKET_MAX   65536
