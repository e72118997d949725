#pragma once
/*
 * Access policy: who may hand in what. One ordered list of rules from the configuration
 * (docs/policy.md); each says which check it makes, at which step of a session, and what happens
 * when the check matches. The SMTP server asks at every step and turns the verdict into a reply.
 */
#include "core/arena.h"
#include "core/fiber.h"
#include "core/settings.h"
#include "net/service.h"
#include "policy/client_name.h"

struct policy;         /* the rules of the present configuration, and what outlives them */
struct policy_session; /* what is remembered of a connection */
struct directory;
struct dns;
struct loop;
struct router;

extern const struct settings_block policy_settings_block; /* "policy" */
extern const struct settings_block rule_settings_block;   /* "rule", named */
extern const struct settings_block table_settings_block;  /* "table", named */

/* In the order of a session. CONNECT: before the greeting; HELO, MAIL, RCPT: before the command is
 * answered; DATA: the whole message is there, before it is taken. */
enum policy_stage { POLICY_CONNECT, POLICY_HELO, POLICY_MAIL, POLICY_RCPT, POLICY_DATA };
#define POLICY_STAGES 5

/* Whose the message says it is: values of header fields, as they were written; empty: there is no
 * such field. */
struct policy_header {
    struct str from, sender;               /* of several the first */
    struct str resent_from, resent_sender; /* of the topmost block (RFC 5322 3.6.6) */
    unsigned from_fields, sender_fields;
};

/* What is known of a client and its message; strings outlive the call. */
struct policy_facts {
    const char *id;        /* for the log: of the session or the transaction */
    const char *component; /* for the log: "smtpd" ... */
    enum service_protocol protocol;
    const char *address; /* numeric, or "unix" */
    const char *name;    /* verified host name; NULL: not known (yet) */
    /* Without a name: what a trusted server says why; CLIENT_NAME_UNASKED: DNS is asked. */
    enum client_name_status name_status;
    const char *local; /* numeric address of our side, or "unix" */
    bool loopback, tls;
    bool early_talker;    /* bytes came before the greeting */
    struct str helo;      /* p == NULL: not said yet */
    struct str login;     /* "" : none */
    struct str sender;    /* "" : the null sender, with has_sender */
    struct str recipient; /* as in RCPT; p == NULL: none yet */
    bool has_sender;
    uint64_t size;                      /* announced, or of the message (DATA); 0: not known */
    unsigned recipients;                /* accepted so far */
    const struct policy_header *header; /* DATA; NULL: not known */
};

enum policy_action {
    POLICY_PASS,       /* no rule wants anything */
    POLICY_ACCEPT,     /* no further rule is asked; gives no right to relay */
    POLICY_TAG,        /* the message gets a header line: policy_session_tags */
    POLICY_DEFER,      /* 4xx */
    POLICY_REJECT,     /* 5xx */
    POLICY_DISCONNECT, /* the reply, then the connection is closed */
};

/* There is a reply, and what was asked does not happen. */
bool policy_action_refuses(enum policy_action action);

struct policy_verdict {
    enum policy_action action;
    int code; /* of the reply; 0: none */
    const char *enhanced;
    struct str text;  /* one line of printable ASCII; with POLICY_TAG the header line */
    const char *rule; /* name; NULL: none */
    usec delay;       /* to be waited before the reply, whatever the action is */
};

struct policy_context { /* all outlive the policy */
    struct loop *loop;
    struct dns *dns;
    struct directory *directory;
    struct router *router;
    const char *hostname; /* ours */
    const char *data_dir; /* for what is kept across restarts */
};

/* Takes a reference to config. Tables that cannot be read match nothing until they can: that is in
 * the log and the status, and does not keep mail from flowing. */
SUSPENDS struct policy *policy_open(struct config *config, const struct policy_context *c,
                                    struct err *e);
/* No session may be left. NULL is allowed. */
SUSPENDS void policy_close(struct policy *p);

/* A new configuration in two steps: all that can fail or suspend, then the change. A table that is
 * new must be readable; of one that was read before, the old content stays (and is told of). */
struct policy_rules;
SUSPENDS struct policy_rules *policy_prepare(struct policy *p, struct config *config,
                                             struct err *e);
void policy_apply(struct policy *p, struct policy_rules *rules);
/* Instead of policy_apply. NULL is allowed. */
void policy_forget(struct policy_rules *rules);

/* Rules and tables of a configuration: do they fit together? Reads no file. */
bool policy_check_config(const struct config *config, struct err *e);
/* Are all tables readable and correct? Blocking. */
bool policy_check_tables(const struct config *config, struct err *e);

/* --- sessions --- */

/* Asks the rules of this stage, in their order, until one decides; logs what they decide. *session
 * is made when it is needed (NULL before). Neither allocates nor suspends when no rule is there for
 * this stage. Texts of the verdict in a. */
SUSPENDS void policy_check(struct policy *p, struct policy_session **session,
                           enum policy_stage stage, const struct policy_facts *facts,
                           struct arena *a, struct policy_verdict *v);
/* Would policy_check ask anybody? */
bool policy_has_rules(const struct policy *p, const struct policy_session *session,
                      enum policy_stage stage, enum service_protocol protocol);
/* Header lines ("Name: value\n") that rules want in the present message, appended. */
void policy_session_tags(const struct policy_session *session, struct buf *header);
/* The client has logged in: what rules for strangers found does not count any more. NULL is
 * allowed. */
void policy_session_login(struct policy_session *session);
/* The message is over, one way or the other. NULL is allowed. */
void policy_session_message_end(struct policy_session *session);
/* NULL is allowed. */
void policy_session_free(struct policy_session *session);
/* Waits as a verdict wants it; at once back when too many wait. */
SUSPENDS bool policy_delay(struct policy *p, usec delay, struct err *e);

/* How long the greeting is held back to see whether the client waits for it; 0: not at all. */
usec policy_greeting_wait(const struct policy *p, enum service_protocol protocol,
                          const char *address);
/* What DNS says of the client's name, once it was asked by a rule or by policy_look_up_name. *name:
 * when confirmed, as long as the session; else NULL. */
enum client_name_status policy_session_name(const struct policy_session *session,
                                            const char **name);
/* Asks if that was not done and the settings want it of this client. */
SUSPENDS void policy_look_up_name(struct policy *p, struct policy_session **session,
                                  const char *address);

/* Numeric, or "unix"? */
bool policy_address_is_valid(const char *address);
/* Is the client in policy.trusted_networks, or in policy.relay_networks? */
bool policy_is_trusted(const struct policy *p, const char *address);
/* policy.relay_networks: may hand in mail for other servers without a login. */
bool policy_may_relay(const struct policy *p, const char *address);

/* --- for operators --- */

struct policy_finding {
    const char *rule, *check;
    enum policy_stage stage;
    const char *result; /* "match", "no match", or why it was not asked */
    struct str why;
    struct policy_verdict verdict; /* of a match */
    bool dry_run;
    bool reached; /* no rule before it ends the session or the list */
    bool decides; /* ends one of them itself */
};
/* Every rule's answer to this client, sender and recipient, in the order of the list. Nothing is
 * counted or remembered. In a. */
SUSPENDS void policy_explain(struct policy *p, const struct policy_facts *facts, struct arena *a,
                             struct policy_finding **list, size_t *count);

/* How the postmaster is told about a login that suddenly sends much; called in a fiber of its own.
 */
typedef void policy_notice_fn(void *arg, struct str subject, struct str text);
void policy_set_notice(struct policy *p, SUSPENDS policy_notice_fn *fn, void *arg);

struct policy_rule_info {
    const char *name, *check, *action;
    enum policy_stage at;
    bool enabled, dry_run;
    uint64_t asked, matched; /* since the start */
};
struct policy_table_info {
    const char *name, *path, *type;
    size_t entries;
    int64_t loaded;    /* seconds since 1970; 0: never */
    const char *error; /* of the last try; "" : none */
};
/* In a; nothing suspends. */
void policy_list_rules(const struct policy *p, struct arena *a, struct policy_rule_info **list,
                       size_t *count);
void policy_list_tables(const struct policy *p, struct arena *a, struct policy_table_info **list,
                        size_t *count);

/* A kind of rule. */
struct policy_check_info {
    const char *name, *help, *action;
    enum policy_stage at;
    const char *settings; /* its own, separated by blanks; those with "*" must be set */
};
void policy_list_checks(struct arena *a, struct policy_check_info **list, size_t *count);

const char *policy_stage_name(enum policy_stage stage);
const char *policy_action_name(enum policy_action action);
/* Of "smtp", "submission", "lmtp". */
bool policy_protocol_find(struct str name, enum service_protocol *protocol);
