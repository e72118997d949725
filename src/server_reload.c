/*
 * A new configuration for the running server. Reading, checking and loading the certificate happen
 * on a worker; nothing is changed before all that has succeeded. Then, in one turn of the loop, the
 * listeners change (which can still fail, and then puts back what was), and the parts get their new
 * settings. Sessions keep the configuration they began with.
 */
#include "server.h"

#include "auth/oauth.h"
#include "auth/password_policy.h"
#include "core/log.h"
#include "core/session_list.h"
#include "core/worker.h"
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
        if (l->client_certificates && settings->client_ca_file[0] == '\0')
            return err_set(e, ERR_PERM, "listener %s: client_certificates needs tls client_ca_file",
                           l->name);
    }
    *server = needed ? tls_server_context(settings, e) : NULL;
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
        .per_address = (size_t)s->connections_per_address,
        .per_login = (size_t)s->connections_per_login,
        .per_login_and_address = (size_t)s->connections_per_login_and_address};
}

struct loading {
    const char *path;
    struct config *config;
    struct tls_context *server, *client;
    struct queue_rules *queue_rules;
    struct policy_rules *rules;
    bool ok;
    struct err error;
};

static void load_on_worker(void *arg)
{
    struct loading *l = arg;
    l->config = server_read_config(l->path, &l->error);
    l->queue_rules = l->config ? queue_rules_new(l->config, &l->error) : NULL;
    l->ok = l->queue_rules && server_load_tls(l->config, &l->server, &l->client, &l->error);
}

static void forget(struct loading *l)
{
    policy_forget(l->rules);
    queue_rules_unref(l->queue_rules);
    if (l->ok) {
        if (l->server)
            tls_context_unref(l->server);
        tls_context_unref(l->client);
    }
    config_unref(l->config);
}

/* A log that cannot be opened does not undo the rest: it is said in the old one. */
static void reload_log(struct server *s, const struct server_settings *new)
{
    struct err e;
    log_set_level((enum log_level) new->log_level);
    if (strcmp(new->log, s->log_path) == 0)
        return;
    if (log_open(new->log[0] ? new->log : NULL, (enum log_level) new->log_level, &e))
        s->log_path = arena_c(s->arena, str_from_c(new->log));
    else
        log_error("maild", NULL, "the log stays where it was: %s", e.text);
}

static void reload_actions(struct server *s, const struct server_settings *new)
{
    struct err e;
    if (strcmp(new->log_actions, s->log_actions_path) == 0)
        return;
    if (log_open_actions(new->log_actions, &e))
        s->log_actions_path = arena_c(s->arena, str_from_c(new->log_actions));
    else
        log_error("maild", NULL, "the log of actions stays where it was: %s", e.text);
}

static void apply(struct server *s, struct loading *l)
{
    struct config *old = s->config;
    struct session_limits limits = server_limits(l->config);
    s->config = config_ref(l->config);
    if (s->tls_server)
        tls_context_unref(s->tls_server);
    tls_context_unref(s->tls_client);
    s->tls_server = l->server ? tls_context_ref(l->server) : NULL;
    s->tls_client = tls_context_ref(l->client);
    session_list_set_limits(s->sessions, &limits);
    auth_reload(s->auth, s->config);
    directory_set_password_policy(s->directory,
                                  config_block(s->config, &password_policy_settings_block));
    policy_apply(s->policy, l->rules);
    l->rules = NULL;
    router_reload(s->router, config_block(s->config, &router_settings_block));
    queue_set_rules(s->queue, l->queue_rules);
    queue_reload(s->queue, config_block(s->config, &queue_settings_block), s->tls_client);
    store_set_quota(s->store, config_block(s->config, &quota_settings_block));
    verify_reload(s->verify, config_block(s->config, &verify_settings_block));
    client_security_reload(s->security, s->config, s->tls_client);
    oauth_reload(s->oauth, s->config, s->tls_client);
    smtp_client_reload(s->client, config_block(s->config, &smtp_client_settings_block));
    pickup_reload(s->pickup, s->config,
                  server_hostname(config_block(s->config, &server_settings_block), s->arena));
    reload_log(s, config_block(s->config, &server_settings_block));
    reload_actions(s, config_block(s->config, &server_settings_block));
    config_unref(old);
}

bool server_reload(struct server *s, struct buf *restart, struct err *e)
{
    if (!s->serving || s->stopping || s->reloading)
        return err_set(e, ERR_TEMP, "the server is just %s",
                       s->stopping    ? "stopping"
                       : s->reloading ? "reloading"
                                      : "starting");
    struct loading l = {.path = s->config_path};
    s->reloading = true;
    service_manager_tell_reload(s->manager);
    worker_run(WORKER_DISK, load_on_worker, &l);
    if (l.ok)
        l.rules = policy_prepare(s->policy, l.config, &l.error);
    bool ok = l.rules && !s->stopping && server_listen(s, l.config, l.server, &l.error);
    if (ok) {
        server_restart_needed(s->boot, l.config, restart);
        apply(s, &l);
        auth_load_keys(s->auth);
        log_info("maild", NULL, "reloaded %s%s%s", s->config_path,
                 restart->n ? "; a restart is needed for: " : "", buf_c(restart));
    } else if (l.rules && s->stopping) {
        err_set(&l.error, ERR_TEMP, "the server is just stopping");
    }
    if (!ok) {
        *e = l.error;
        log_error("maild", NULL, "not reloaded, the old configuration stays: %s", e->text);
    }
    forget(&l);
    s->reloading = false;
    service_manager_tell(s->manager, "READY=1");
    return ok;
}

static void reload_fiber(void *arg)
{
    struct server *s = arg;
    struct buf restart = BUF_EMPTY;
    struct err e = {0};
    server_reload(s, &restart, &e);
    buf_free(&restart);
}

void server_start_reload(struct server *s)
{
    if (!fiber_start(s->loop, "reload", reload_fiber, s))
        log_error("maild", NULL, "not reloaded: too many fibers");
}
