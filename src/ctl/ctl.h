#pragma once
/*
 * The control socket: how mailctl asks the running server. A Unix stream socket; each request is a
 * line with one JSON object, each answer too:
 *
 *   {"verb": "user add", "args": {"login": "alice@example.test", "password": "..."}}
 *   {"ok": true, "result": ...}
 *   {"ok": false, "kind": "exists", "error": "alice@example.test exists already"}
 *
 * Served are root, the user the server runs as, and members of the admin group.
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
struct session_list;
struct load;
struct imap_context;
struct recordings;
struct client_security;

#define CTL_REQUEST_MAX     (1024 * 1024) /* bytes of a request */
#define CTL_CONNECTIONS_MAX 64

struct ctl_context { /* all outlive the control socket */
    struct loop *loop;
    struct directory *directory;
    struct auth *auth;
    struct policy *policy;
    struct queue *queue;
    struct store *store;
    struct journal *journal;
    struct session_list *sessions;
    struct load *load;
    struct recordings *recordings;
    struct client_security *security;
    struct imap_context *imap; /* for searching */
    const char *data_dir, *run_dir;
    const char *admin_group; /* "": none */
    void *arg;               /* for the functions below */
    /* Reads the configuration anew and adds to result what needs a restart. On failure the old
     * one stays. */
    SUSPENDS bool (*reload)(void *arg, json_t *result, struct err *e);
    /* Begins the shutdown; does not suspend. */
    void (*stop)(void *arg);
    /* The listening sockets, at most `max`; how many there are. */
    size_t (*sockets)(void *arg, int *fds, size_t max);
    /* The same as stop when somebody else has the sockets: their files stay. */
    void (*leave)(void *arg);
    /* Adds what only the server knows: version, hostname, start, listeners. */
    void (*describe)(void *arg, json_t *status);
};

struct ctl;

/* path: of the socket. *e: the path and the cause. */
struct ctl *ctl_open(const struct ctl_context *context, const char *path, struct err *e);
/* Takes no more requests, waits for those under way (bounded), frees all. NULL is allowed. */
SUSPENDS void ctl_close(struct ctl *c);

/* --- verbs: ctl_<noun>.c --- */

/* args is an object (maybe empty); *result is taken over by the caller and may be left NULL. */
struct ctl_verb {
    const char *name;
    SUSPENDS bool (*run)(const struct ctl_context *c, const json_t *args, json_t **result,
                         struct err *e);
};

/* One that sends or receives items before its answer (ctl_call.h). */
struct ctl_call;
struct ctl_stream_verb {
    const char *name;
    SUSPENDS bool (*run)(struct ctl_call *call, const json_t *args, json_t **result, struct err *e);
};

/* Tables end with name == NULL. */
extern const struct ctl_verb ctl_status_verbs[];
extern const struct ctl_stream_verb ctl_hand_over_verbs[];
extern const struct ctl_verb ctl_session_verbs[];
extern const struct ctl_verb ctl_recording_verbs[];
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
