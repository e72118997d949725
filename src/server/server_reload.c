/*
 * A new configuration for the running server, all of it or nothing. Each part has two steps: it
 * makes what it will be, which may fail and which nobody notices, and it takes that into use, which
 * cannot fail. Everything is made before anything is taken into use; files are read on a worker,
 * sockets are opened at the end. Then, in one turn of the loop, all parts take what is theirs, so
 * no session ever sees a mixture. Sessions keep the configuration they began with.
 *
 * When one part cannot be made, the others' are thrown away, and the reason is the answer. A dry
 * run ends in the same way.
 */
#include "server/server.h"

#include "auth/oauth.h"
#include "auth/password_policy.h"
#include "core/journal.h"
#include "core/log.h"
#include "core/session_list.h"
#include "core/worker.h"
#include "net/dns.h"
#include "policy/policy.h"
#include "queue/queue.h"
#include "queue/rules.h"
#include "queue/verify.h"
#include "store/quota.h"

#include <sys/resource.h>

bool server_load_tls(const struct config *config, struct tls_context **server,
                     struct tls_context **client, struct err *e)
{
    const struct tls_settings *settings = config_block(config, &tls_settings_block);
    bool needed = false;
    for (size_t i = 0; i < config_count(config, &listener_settings_block); i++) {
        const struct listener_settings *l = config_at(config, &listener_settings_block, i);
        needed = needed || l->tls != SERVICE_TLS_NONE;
    }
    *server = needed ? tls_server_context_of(config, e) : NULL;
    if (needed && !*server)
        return false;
    *client = tls_client_context(settings, e);
    if (!*client && *server)
        tls_context_unref(*server);
    return *client != NULL;
}

/* Files, other servers and mailctl need descriptors, too. */
#define DESCRIPTORS_RESERVED 512

static size_t connections_possible(size_t wanted)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
        return wanted;
    size_t all = (size_t)files.rlim_cur;
    size_t possible = all > 2 * DESCRIPTORS_RESERVED ? all - DESCRIPTORS_RESERVED : all / 2;
    return wanted < possible ? wanted : possible;
}

struct session_limits server_limits(const struct config *config)
{
    const struct server_settings *s = config_block(config, &server_settings_block);
    size_t total = connections_possible((size_t)s->connections_max);
    return (struct session_limits){
        .total = total,
        .strangers = total - total * (size_t)s->connections_reserved / 100,
        .pages = (total * (size_t)s->connections_http + 99) / 100,
        .per_address = (size_t)s->connections_per_address,
        .per_login = (size_t)s->connections_per_login,
        .per_login_and_address = (size_t)s->connections_per_login_and_address};
}

/* --- what a new configuration comes to --- */

struct reload {
    struct server *server;
    struct config *before, *config;
    struct server_changes *changes;
    struct buf certificate_stamps;
    struct tls_context *tls_server, *tls_client; /* tls_server: NULL: none is needed */
    struct queue_rules *queue_rules;
    struct log_change *log;
    struct dns_change *dns;
    struct policy_rules *policy_rules;
    struct listener_plan listeners;
    struct http_plan *measurements;
    struct directory_change *directory;
    bool ok;
    struct err error;
};

static bool prepare_config(struct reload *r, struct err *e)
{
    r->config = server_read_config(r->server->config_path, e);
    if (r->config)
        r->changes = server_changes_new(r->server->boot, r->before, r->config);
    return r->config != NULL;
}

static void apply_config(struct reload *r)
{
    struct server *s = r->server;
    struct session_limits limits = server_limits(r->config);
    config_unref(s->config);
    s->config = config_ref(r->config);
    session_list_set_limits(s->sessions, &limits);
    trace_set_limits(s->trace, config_block(r->config, &trace_settings_block));
}

static void forget_config(struct reload *r)
{
    server_changes_free(r->changes);
    config_unref(r->config);
    config_unref(r->before);
}

static bool prepare_tls(struct reload *r, struct err *e)
{
    server_stamp_certificates(r->config, &r->certificate_stamps);
    return server_load_tls(r->config, &r->tls_server, &r->tls_client, e);
}

static void apply_tls(struct reload *r)
{
    struct server *s = r->server;
    tls_context_unref(s->tls_server);
    tls_context_unref(s->tls_client);
    s->tls_server = r->tls_server ? tls_context_ref(r->tls_server) : NULL;
    s->tls_client = tls_context_ref(r->tls_client);
    server_certificates_read(s->certificates, &r->certificate_stamps);
}

static void forget_tls(struct reload *r)
{
    buf_free(&r->certificate_stamps);
    tls_context_unref(r->tls_server);
    tls_context_unref(r->tls_client);
}

static bool prepare_log(struct reload *r, struct err *e)
{
    const struct server_settings *new = config_block(r->config, &server_settings_block);
    log_flush(); /* a disk that holds up writers does so here, and not in the loop */
    r->log = server_prepare_log(new, e);
    return r->log != NULL;
}

static void apply_log(struct reload *r)
{
    log_apply(r->log);
    r->log = NULL;
}

static void forget_log(struct reload *r)
{
    log_forget(r->log);
}

static bool prepare_dns(struct reload *r, struct err *e)
{
    r->dns = dns_prepare(r->server->dns, config_block(r->config, &dns_settings_block), e);
    return r->dns != NULL;
}

static void apply_dns(struct reload *r)
{
    dns_apply(r->server->dns, r->dns);
    r->dns = NULL;
}

static void forget_dns(struct reload *r)
{
    dns_forget(r->dns);
}

static bool prepare_queue(struct reload *r, struct err *e)
{
    r->queue_rules = queue_rules_new(r->config, e);
    return r->queue_rules != NULL;
}

static void apply_queue(struct reload *r)
{
    struct server *s = r->server;
    router_reload(s->router, config_block(r->config, &router_settings_block));
    queue_set_rules(s->queue, r->queue_rules);
    queue_reload(s->queue, config_block(r->config, &queue_settings_block), r->tls_client);
    verify_reload(s->verify, config_block(r->config, &verify_settings_block));
    smtp_client_reload(s->client, config_block(r->config, &smtp_client_settings_block));
    client_security_reload(s->security, r->config, r->tls_client);
    pickup_reload(s->pickup, r->config,
                  server_hostname(config_block(r->config, &server_settings_block), s->arena));
}

static void forget_queue(struct reload *r)
{
    queue_rules_unref(r->queue_rules);
}

static SUSPENDS bool prepare_policy(struct reload *r, struct err *e)
{
    r->policy_rules = policy_prepare(r->server->policy, r->config, e);
    return r->policy_rules != NULL;
}

static void apply_policy(struct reload *r)
{
    policy_apply(r->server->policy, r->policy_rules);
    r->policy_rules = NULL;
}

static void forget_policy(struct reload *r)
{
    policy_forget(r->policy_rules);
}

static bool prepare_listeners(struct reload *r, struct err *e)
{
    return server_prepare_listeners(r->server, r->config, r->tls_server, &r->listeners, e);
}

static void apply_listeners(struct reload *r)
{
    server_apply_listeners(r->server, &r->listeners);
}

static void forget_listeners(struct reload *r)
{
    server_forget_listeners(&r->listeners);
}

static bool prepare_measurements(struct reload *r, struct err *e)
{
    r->measurements =
        ctl_http_prepare(r->server->http, config_block(r->config, &metrics_settings_block), e);
    return r->measurements != NULL;
}

static void apply_measurements(struct reload *r)
{
    ctl_http_apply(r->server->http, r->measurements);
    r->measurements = NULL;
}

static void forget_measurements(struct reload *r)
{
    if (r->measurements)
        ctl_http_forget(r->server->http, r->measurements);
}

static bool prepare_directory(struct reload *r, struct err *e)
{
    struct server *s = r->server;
    r->directory = directory_change_prepare(s->directory, s->loop, s->dns, r->config, e);
    return r->directory != NULL;
}

static void apply_directory(struct reload *r)
{
    directory_change_apply(r->directory);
    r->directory = NULL;
}

static void forget_directory(struct reload *r)
{
    if (r->directory)
        directory_change_forget(r->directory);
}

/* Their settings say nothing that could fail here. */
static void apply_users(struct reload *r)
{
    struct server *s = r->server;
    auth_reload(s->auth, r->config);
    directory_set_password_policy(s->directory,
                                  config_block(r->config, &password_policy_settings_block));
    oauth_reload(s->oauth, r->config, r->tls_client);
    store_set_quota(s->store, config_block(r->config, &quota_settings_block));
}

static void apply_store(struct reload *r)
{
    const struct journal_file_settings *journal = config_block(r->config, &journal_settings_block);
    store_set_limits(r->server->store, config_block(r->config, &store_settings_block));
    journal_set_limits(r->server->journal, (uint64_t)journal->size_max,
                       journal->checkpoint_interval);
}

/* In the order in which they are prepared and applied. What is prepared ON_WORKER may wait for the
 * disk; what AT_LAST does not suspend, so that what it saw is still so when it is applied. */
static const struct part {
    enum { ON_WORKER, IN_FIBER, AT_LAST } stage;
    bool (*prepare)(struct reload *r, struct err *e); /* NULL: nothing can fail */
    void (*apply)(struct reload *r);                  /* cannot fail */
    void (*forget)(struct reload *r); /* what was prepared, if it was, and not given away */
} parts[] = {
    {ON_WORKER, prepare_config, apply_config, forget_config},
    {ON_WORKER, prepare_tls, apply_tls, forget_tls},
    {ON_WORKER, prepare_queue, apply_queue, forget_queue},
    {ON_WORKER, prepare_log, apply_log, forget_log},
    {ON_WORKER, prepare_dns, apply_dns, forget_dns},
    {IN_FIBER, prepare_policy, apply_policy, forget_policy},
    {AT_LAST, prepare_listeners, apply_listeners, forget_listeners},
    {AT_LAST, prepare_measurements, apply_measurements, forget_measurements},
    {AT_LAST, prepare_directory, apply_directory, forget_directory},
    {AT_LAST, NULL, apply_users, NULL},
    {AT_LAST, NULL, apply_store, NULL},
};
#define PARTS (sizeof(parts) / sizeof(*parts))

static bool prepare_stage(struct reload *r, int stage)
{
    for (size_t i = 0; i < PARTS; i++)
        if ((int)parts[i].stage == stage && parts[i].prepare && !parts[i].prepare(r, &r->error))
            return false;
    return true;
}

static void prepare_on_worker(void *arg)
{
    struct reload *r = arg;
    r->ok = prepare_stage(r, ON_WORKER);
}

static SUSPENDS bool prepare(struct reload *r)
{
    worker_run(WORKER_DISK, prepare_on_worker, r);
    if (!r->ok || !prepare_stage(r, IN_FIBER))
        return false;
    if (r->server->stopping)
        return err_set(&r->error, ERR_TEMP, "the server is just stopping");
    return prepare_stage(r, AT_LAST);
}

static void apply(struct reload *r)
{
    for (size_t i = 0; i < PARTS; i++)
        parts[i].apply(r);
}

static void forget(struct reload *r)
{
    for (size_t i = PARTS; i-- > 0;)
        if (parts[i].forget)
            parts[i].forget(r);
}

static SUSPENDS bool reload(struct server *s, bool dry_run, json_t *result, struct err *e)
{
    struct reload r = {.server = s, .before = config_ref(s->config)};
    bool ok = prepare(&r);
    if (ok && !dry_run) {
        const struct server_settings *new = config_block(r.config, &server_settings_block);
        apply(&r);
        ctl_set_access(s->ctl, new->admin_group, new->control_users_domain);
        auth_load_keys(s->auth);
        log_info("maild", NULL, "reloaded path=%s changes=%zu", s->config_path,
                 server_changes_count(r.changes));
        server_changes_log(r.changes);
    } else if (!ok && !dry_run) {
        log_error("maild", NULL, "not reloaded, the old configuration stays: %s", r.error.text);
    }
    if (ok && result)
        server_changes_describe(r.changes, result);
    if (!ok) /* what is missing is not what was asked for */
        err_set(e, r.error.kind == ERR_TEMP ? ERR_TEMP : ERR_PERM, "%s", r.error.text);
    forget(&r);
    return ok;
}

bool server_reload(struct server *s, bool dry_run, json_t *result, struct err *e)
{
    if (!s->serving || s->stopping || s->reloading)
        return err_set(e, ERR_TEMP, "the server is just %s",
                       s->stopping    ? "stopping"
                       : s->reloading ? "reloading"
                                      : "starting");
    s->reloading = true;
    if (!dry_run)
        service_manager_tell_reload(s->manager);
    bool ok = reload(s, dry_run, result, e);
    s->reloading = false;
    cond_broadcast(&s->reloaded);
    if (!dry_run)
        service_manager_tell(s->manager, "READY=1");
    server_reload_again(s);
    return ok;
}

static void reload_fiber(void *arg)
{
    struct err e = {0};
    server_reload(arg, false, NULL, &e);
}

void server_start_reload(struct server *s)
{
    if (!s->serving || s->reloading) { /* what was read may be older than what is meant */
        s->reload_again = true;
        return;
    }
    if (!fiber_start(s->loop, "reload", reload_fiber, s))
        log_error("maild", NULL, "not reloaded: too many fibers");
}

void server_reload_again(struct server *s)
{
    bool wanted = s->reload_again;
    s->reload_again = false;
    if (wanted && !s->stopping)
        server_start_reload(s);
}
