#pragma once
/*
 * The control socket: how mailctl asks the running server. A Unix stream socket; each request is a
 * line with one JSON object, each answer too:
 *
 *   {"verb": "user add", "args": {"login": "alice@example.test", "password": "..."}}
 *   {"ok": true, "result": ...}
 *   {"ok": false, "kind": "exists", "error": "alice@example.test exists already"}
 *
 * Who is served, and with what: ctl_access.c.
 */
#include "core/err.h"
#include "core/fiber.h"

#include <jansson.h>

struct auth;
struct loop;
struct directory;
struct policy;
struct queue;
struct store;
struct journal;
struct crashes;
struct session_list;
struct load;
struct imap_context;
struct recordings;
struct client_security;
struct ctl_watch;
struct dns;
struct trace;

#define CTL_REQUEST_MAX (1024 * 1024) /* bytes of a request */

struct ctl_context { /* all outlive the control socket */
    struct loop *loop;
    struct directory *directory;
    struct auth *auth;
    struct policy *policy;
    struct queue *queue;
    struct store *store;
    struct journal *journal;
    struct crashes *crashes;
    struct session_list *sessions;
    struct load *load;
    struct recordings *recordings;
    struct client_security *security;
    struct ctl_watch *watch;   /* NULL: nobody looks */
    struct imap_context *imap; /* for searching */
    struct trace *trace;
    const struct dns *dns;
    const char *data_dir, *run_dir;
    const char *admin_group;  /* "": none */
    const char *users_domain; /* Unix users are those of this domain; "": they are nobody */
    void *arg;                /* for the functions below */
    /* Reads the configuration anew and adds to result what changes and what needs a restart. On
     * failure the old one stays; with dry_run it stays anyway. */
    SUSPENDS bool (*reload)(void *arg, bool dry_run, json_t *result, struct err *e);
    /* Begins the shutdown; does not suspend. */
    void (*stop)(void *arg);
    /* The listening sockets, at most `max`; how many there are. */
    size_t (*sockets)(void *arg, int *fds, size_t max);
    /* The same as stop when somebody else has the sockets: their files stay. */
    void (*leave)(void *arg);
    /* Adds what only the server knows: version, hostname, start, listeners. */
    void (*describe)(void *arg, json_t *status);
    /* Bytes of a message that a user may put into his mailboxes. */
    uint64_t (*append_size_max)(void *arg);
};

struct ctl;

/* path: of the socket. *e: the path and the cause. */
SUSPENDS struct ctl *ctl_open(const struct ctl_context *context, const char *path, struct err *e);
/* Takes no more requests, waits for those under way (bounded), frees all. NULL is allowed. */
SUSPENDS void ctl_close(struct ctl *c);
/* Other settings; copied. They hold for connections that are there already, too. */
SUSPENDS void ctl_set_access(struct ctl *c, const char *admin_group, const char *users_domain);
/* Connections at the moment. */
size_t ctl_connections(const struct ctl *c);

/* --- verbs: ctl_<noun>.c --- */

/* Who may call a verb, in its row; a row without it does not compile. ctl_access.h. */
enum ctl_class { CTL_CLASS_NONE, CTL_CLASS_ADMIN, CTL_CLASS_OWN };
struct ctl_access {
    enum ctl_class class;
    /* Of CTL_CLASS_OWN. The argument that takes the user's login, whatever he has put there:
     * "user", "filter.login"; and others that he may give, separated by spaces, those in an object
     * with its name in front. */
    const char *account, *arguments;
    bool mail; /* only users who may use IMAP */
};
/* For all who have an account, about their own. */
#define CTL_OWN(account_argument, others)                                                          \
    {                                                                                              \
        .class = CTL_CLASS_OWN, .account = (account_argument), .arguments = (others)               \
    }
/* The same about mailboxes and messages. */
#define CTL_OWN_MAIL(account_argument, others)                                                     \
    {                                                                                              \
        .class = CTL_CLASS_OWN, .account = (account_argument), .arguments = (others), .mail = true \
    }
/* Administrators only: root, the user the server runs as, the admin group. */
#define CTL_ADMIN                                                                                  \
    {                                                                                              \
        .class = CTL_CLASS_ADMIN                                                                   \
    }

/* args is an object (maybe empty); *result is taken over by the caller and may be left NULL. */
struct ctl_verb {
    const char *name;
    struct ctl_access access;
    SUSPENDS bool (*run)(const struct ctl_context *c, const json_t *args, json_t **result,
                         struct err *e);
};

/* One that sends or receives items before its answer (ctl_call.h). */
struct ctl_call;
struct ctl_stream_verb {
    const char *name;
    struct ctl_access access;
    SUSPENDS bool (*run)(struct ctl_call *call, const json_t *args, json_t **result, struct err *e);
};

/* Tables end with name == NULL; all of them are in ctl_verbs.c. */
extern const struct ctl_verb ctl_status_verbs[];
extern const struct ctl_verb ctl_counters_verbs[];
extern const struct ctl_stream_verb ctl_hand_over_verbs[];
extern const struct ctl_stream_verb ctl_trace_verbs[];
extern const struct ctl_stream_verb ctl_own_verbs[];
extern const struct ctl_stream_verb ctl_session_verbs[];
extern const struct ctl_stream_verb ctl_limits_verbs[];
extern const struct ctl_verb ctl_recording_verbs[];
extern const struct ctl_verb ctl_log_verbs[];
extern const struct ctl_verb ctl_auth_verbs[];
extern const struct ctl_verb ctl_directory_verbs[];
extern const struct ctl_verb ctl_user_verbs[];
extern const struct ctl_stream_verb ctl_user_stream_verbs[];
extern const struct ctl_stream_verb ctl_group_verbs[];
extern const struct ctl_stream_verb ctl_app_password_verbs[];
extern const struct ctl_stream_verb ctl_record_verbs[];
extern const struct ctl_stream_verb ctl_domain_verbs[];
extern const struct ctl_stream_verb ctl_address_verbs[];
extern const struct ctl_stream_verb ctl_rule_verbs[];
extern const struct ctl_stream_verb ctl_send_as_verbs[];
extern const struct ctl_verb ctl_send_as_test_verbs[];
extern const struct ctl_verb ctl_verify_verbs[];
extern const struct ctl_verb ctl_explain_verbs[];
extern const struct ctl_verb ctl_route_verbs[];
extern const struct ctl_verb ctl_srs_verbs[];
extern const struct ctl_verb ctl_tls_verbs[];
extern const struct ctl_stream_verb ctl_queue_verbs[];
extern const struct ctl_stream_verb ctl_queue_operate_verbs[];
extern const struct ctl_verb ctl_mailbox_verbs[];
extern const struct ctl_stream_verb ctl_mailbox_stream_verbs[];
extern const struct ctl_stream_verb ctl_acl_verbs[];
extern const struct ctl_stream_verb ctl_expunged_verbs[];
extern const struct ctl_stream_verb ctl_store_verbs[];
extern const struct ctl_stream_verb ctl_message_verbs[];
extern const struct ctl_stream_verb ctl_fetch_verbs[];
extern const struct ctl_verb ctl_policy_verbs[];
extern const struct ctl_stream_verb ctl_policy_stream_verbs[];
extern const struct ctl_stream_verb ctl_quota_stream_verbs[];
extern const struct ctl_stream_verb ctl_export_verbs[];
extern const struct ctl_stream_verb ctl_import_verbs[];
