#pragma once
/*
 * The route table (docs/routes.md): blocks `route NAME { ... }` that say where mail for other
 * servers goes. Immutable; made with the configuration, files included.
 */
#include "queue/address_match.h"
#include "queue/credentials.h"
#include "queue/transport.h"

extern const struct settings_block route_settings_block; /* "route", named */

enum route_action { ROUTE_ACTION_RELAY, ROUTE_ACTION_SINK };

struct route_settings {
    const char *name;
    struct string_list recipient, sender, login;
    int action; /* enum route_action */
    struct string_list hosts, fallback;
    int protocol; /* enum next_hop_protocol */
    int tls;      /* enum next_hop_tls */
    const char *user, *password;
    struct string_list mechanisms;
    const char *credentials; /* file; "" : none */
    const char *source_ipv4, *source_ipv6, *helo;
    int64_t connections_max;
    const char *rate; /* "100/1m"; "" : none */
};

struct route_rule {
    const struct route_settings *settings;
    struct address_match recipient, sender, login;
    const char *mechanisms; /* separated by blanks */
    bool has_credentials;   /* a file of them */
    struct credentials credentials;
    struct pacing pacing;
};

struct route_table {
    struct route_rule *list;
    size_t count;
};

/* Reads the files of credentials: blocking. Strings in a; the configuration must live as long. */
bool route_table_new(const struct config *config, struct arena *a, struct route_table *table,
                     struct err *e);
/* NULL: there is none. */
const struct route_rule *route_table_get(const struct route_table *table, struct str name);

/* What a recipient's way depends on. */
struct route_question {
    struct str sender;    /* "" : null sender */
    struct str login;     /* "" : none */
    struct str recipient; /* "local@domain" */
    bool relay_domain;    /* it has a way of its own: of a relay domain of ours, or mail_host */
    struct str mail_host; /* the server of ours that has its mailbox: RECIPIENT_HOST; "" : none */
};

/* Why a rule is not for this mail; ROUTE_FITS: it is. */
enum route_fit {
    ROUTE_FITS,
    ROUTE_OTHER_RECIPIENT,
    ROUTE_OTHER_SENDER,
    ROUTE_OTHER_LOGIN,
    ROUTE_NO_CREDENTIALS, /* of this sender or login */
    ROUTE_NOT_OF_DOMAIN,  /* the rule names no recipient, and the relay domain has its own way */
};
/* *credential: who logs in; NULL: nobody, or the rule's own user. The question is folded. */
enum route_fit route_rule_fit(const struct route_rule *rule, const struct route_question *question,
                              const struct credential **credential);
/* The rule for this mail, in the order of docs/routes.md: the first that names the recipient, else,
 * unless it is in a relay domain, the first of the others. NULL: none. Does not suspend. */
const struct route_rule *route_table_find(const struct route_table *table,
                                          const struct route_question *question,
                                          const struct credential **credential);
/* Strings in a, in lower case, domains in A-labels. */
struct route_question route_question_fold(const struct route_question *question, struct arena *a);
/* "100/1m" into rate and rate_period. */
bool route_rate_parse(const char *text, struct pacing *pacing);
/* "host", "host:port", "[address]:port", "unix:/path". *port: 0 when there is none. */
bool route_host_is_valid(struct str text, uint16_t *port);
/* Does the rule send mail to the hosts of each domain? */
bool route_rule_is_by_mx(const struct route_rule *rule);
/* How to connect. */
struct next_hop route_rule_next_hop(const struct route_rule *rule,
                                    const struct credential *credential);
