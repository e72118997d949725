#pragma once
/*
 * The whole server: one struct that holds every part, made from a configuration, and the three
 * things that happen to it: start, reload, stop.
 *
 *   server.c               opening the parts in order, serving, closing them
 *   server_listen.c        listeners, and what they do with a connection
 *   server_reload.c        a new configuration in place of the old
 *   server_changes.c       what distinguishes the two
 *   server_certificates.c  certificates that are renewed meanwhile
 *   server_status.c        what it is, for mailctl
 *   server_user.c          directories, and giving up root's rights
 *   server_sandbox.c       giving up what a mail server never does
 */
#include "core/crash.h"
#include "core/load.h"
#include "core/loop.h"
#include "ctl/ctl.h"
#include "ctl/ctl_http.h"
#include "ctl/ctl_watch.h"
#include "ctl/server_settings.h"
#include "http/http.h"
#include "imap/imap.h"
#include "net/service.h"
#include "net/service_manager.h"
#include "pop3/pop3.h"
#include "smtp/client_security.h"
#include "smtp/pickup.h"
#include "smtp/smtp_client.h"
#include "smtp/smtp_server.h"
#include "trace/trace.h"

#include <sys/types.h>

struct server_listener;
struct pending_stream;
struct server_certificates;

struct server {
    struct arena *arena; /* for the life of the server */
    const char *config_path;
    struct config *boot;                    /* as at the start; the parts keep settings in it */
    const struct server_settings *settings; /* of boot */
    struct config *config;                  /* the present one */
    bool log_is_open;

    struct loop *loop;
    struct service_manager *manager;
    struct tls_context *tls_server; /* NULL: no listener speaks TLS */
    struct tls_context *tls_client;
    struct buf certificate_stamps; /* of the start */
    struct server_certificates *certificates;
    struct server_listener *listeners;
    struct pending_stream *pending; /* connections from before all was open */

    struct trace *trace; /* what is logged is kept here */
    struct crashes *crashes;
    struct session_list *sessions;
    struct load *load;
    struct recordings *recordings;
    struct dns *dns;
    struct directory *directory;
    struct policy *policy;
    struct journal *journal;
    struct store *store;
    struct router *router;
    struct queue *queue;
    struct verify *verify;
    struct smtp_client *client;
    struct client_security *security;
    struct oauth *oauth;
    struct auth *auth;
    struct ctl *ctl;
    struct ctl_watch *watch;
    struct ctl_http *http;
    struct smtp_context smtp;
    struct pickup *pickup;
    struct imap_context imap;
    struct pop3_context pop3;
    struct http_context web;

    usec started; /* clock_wall */
    bool serving, stopping, reloading;
    struct cond reloaded;  /* `reloading` has become false */
    bool reload_again;     /* asked for while it could not be done */
    bool handed_over;      /* another process has the listening sockets */
    struct timer patience; /* for the end */

    bool drop; /* root's rights are given up */
    uid_t uid;
    gid_t gid;
};

/* --- server.c --- */

/* Takes config. Opens the listeners (as root if need be), gives up root's rights, starts the fiber
 * that opens the rest. *e is one line that names the thing and the cause. */
bool server_open(struct server *s, struct config *config, const char *config_path, struct err *e);
/* Says why and ends the process with status 1; s: as far as it came. */
_Noreturn void server_start_failed(struct server *s, const struct err *e);
/* Begins the end; does not suspend. The loop stops when all is closed, or after a while. */
void server_stop(struct server *s);
/* After the loop ended. */
void server_free(struct server *s);

/* --- server_listen.c --- */

/* What the listeners of a configuration are: of those that there are already the ones that stay,
 * and new ones, open but not yet accepting. */
struct listener_plan {
    struct server_listener *list;
};
/* On failure there is no plan; *e has the listener's name and the cause. tls may be NULL at the
 * start. */
bool server_prepare_listeners(struct server *s, struct config *config, struct tls_context *tls,
                              struct listener_plan *plan, struct err *e);
/* Takes the plan, in the turn of the loop in which it was made. */
void server_apply_listeners(struct server *s, struct listener_plan *plan);
void server_forget_listeners(struct listener_plan *plan);
/* Hands over the connections that came before `serving` was set. */
void server_serve_pending(struct server *s);
/* keep: others go on with the sockets. */
void server_close_listeners(struct server *s, bool keep);
/* Their sockets, at most `max`; how many there are. */
size_t server_sockets(const struct server *s, int *fds, size_t max);
/* For status: adds an array of name, protocol, address, tls. */
void server_describe_listeners(const struct server *s, json_t *status);

/* --- server_reload.c --- */

/* What TLS the configuration needs. Blocking. */
bool server_load_tls(const struct config *config, struct tls_context **server,
                     struct tls_context **client, struct err *e);
struct session_limits server_limits(const struct config *config);
/* All of it or nothing: on failure everything stays as it was. dry_run: everything is made ready,
 * and nothing changed. result (may be NULL) gets `changes` and `restart_needed`. */
SUSPENDS bool server_reload(struct server *s, bool dry_run, json_t *result, struct err *e);
/* The same in a fiber of its own, with the result in the log. */
void server_start_reload(struct server *s);
/* The one that was asked for while the server began, or was just reloading. */
void server_reload_again(struct server *s);

/* --- server_status.c --- */

/* Adds who it is, its listeners and its certificates. */
void server_describe(const struct server *s, json_t *status);
/* --- server_changes.c --- */

/* What makes `after` differ from `before`, and what of it (or of earlier changes since the start)
 * needs a restart. Pure; on a worker, as there may be many blocks. */
struct server_changes;
struct server_changes *server_changes_new(const struct config *boot, const struct config *before,
                                          const struct config *after);
void server_changes_free(struct server_changes *c);
/* Adds `changes`, objects of setting, change, before, after, restart; and `restart_needed`. */
void server_changes_describe(const struct server_changes *c, json_t *result);
void server_changes_log(const struct server_changes *c);
size_t server_changes_count(const struct server_changes *c);
/* For status: adds `restart_needed`, names of settings that have other values in the file than the
 * ones that the server began with, and works with. */
void server_describe_restart(const struct server *s, json_t *status);

/* --- server_certificates.c --- */

/* What tells one version of the files from another. Blocking. */
void server_stamp_certificates(const struct config *config, struct buf *stamps);
/* Watches the files; takes the stamps from before they were read. */
struct server_certificates *server_certificates_new(struct server *s, struct buf *stamps);
/* A reload has read them, maybe others than before; takes the stamps. */
void server_certificates_read(struct server_certificates *c, struct buf *stamps);
/* Why those in use are not the ones in the files; NULL: they are. */
const char *server_certificates_error(const struct server_certificates *c);
/* NULL is allowed. */
SUSPENDS void server_certificates_free(struct server_certificates *c);

/* --- server_user.c --- */

/* The user to become, if the process is root and the configuration names one. */
bool server_find_user(struct server *s, struct err *e);
/* data_dir, run_dir and the log's folder exist and are the user's. */
bool server_make_dirs(const struct server *s, struct err *e);
/* Keeps only the right to open ports below 1024. */
bool server_drop_rights(const struct server *s, struct err *e);

/* --- server_sandbox.c --- */

/* As the settings want it; before the first thread, with the log open. */
bool server_enter_sandbox(const struct server *s, struct err *e);
