/*
 * The assembly: which part is opened after which, and closed before which.
 *
 *   start  configuration, directories, listeners, (root's rights given up), log, TLS, DNS;
 *          then in a fiber: directory, journal, store and queue (which register with the journal),
 *          replay, control socket; then connections are served.
 *   end    listeners, control socket, sessions (told goodbye), queue, journal (a last checkpoint),
 *          store, directory, the rest. Bounded: what is not done in time is left to the journal,
 *          which brings it back at the next start.
 *
 * A start that fails ends the process with one line on standard error (and in the log) and status
 * 1; nothing is torn down part by part, since every part survives being killed.
 */
#include "server/server.h"

#include "auth/oauth.h"
#include "auth/password_policy.h"
#include "core/disk.h"
#include "core/file.h"
#include "core/journal.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/session_list.h"
#include "net/dns.h"
#include "net/recording.h"
#include "policy/policy.h"
#include "queue/notice.h"
#include "queue/queue.h"
#include "queue/rules.h"
#include "queue/verify.h"
#include "store/quota.h"

#include <stdio.h>
#include <unistd.h>

#define SESSIONS_PATIENCE (8 * USEC_SEC)
#define QUEUE_PATIENCE    (5 * USEC_SEC)
#define END_PATIENCE      (30 * USEC_SEC)
/* For the process before this one, whose sockets it has. */
#define HAND_OVER_PATIENCE (2 * END_PATIENCE)
#define HAND_OVER_POLL     (5 * USEC_MSEC)

/* --- start --- */

void server_start_failed(struct server *s, const struct err *e)
{
    fprintf(stderr, "maild: %s\n", e->text);
    if (s->log_is_open)
        log_error("maild", NULL, "not started: %s", e->text);
    /* Unix sockets leave no file behind, unless they are tried again. */
    if (s->loop)
        server_close_listeners(s, s->manager && service_manager_keeps(s->manager));
    log_flush();
    service_manager_rest(s->manager);
    _exit(1);
}

/* An empty directory in place of one that is missing (not mounted, moved away) would refuse
 * everybody's mail for good. */
static bool directory_is_missing(const char *path, const char *journal, struct err *e)
{
    if (disk_exists(path) || !disk_exists(journal))
        return false;
    err_set(e, ERR_PERM, "%s is missing, though mail was kept here before (%s exists): restore it",
            path, journal);
    return true;
}

/* A directory that is down is no reason not to start. */
static bool open_sources(struct server *s, struct err *e)
{
    struct directory_change *c =
        directory_change_prepare(s->directory, s->loop, s->dns, s->boot, e);
    if (c)
        directory_change_apply(c);
    return c != NULL;
}

/* A server that hands its sockets over still writes what is to be kept. */
static SUSPENDS bool open_journal(struct server *s, const char *path, struct err *e)
{
    const struct journal_file_settings *journal = config_block(s->boot, &journal_settings_block);
    const struct journal_settings settings = {.dir = path,
                                              .segment_size = (uint64_t)journal->segment_size,
                                              .size_max = (uint64_t)journal->size_max,
                                              .checkpoint_interval = journal->checkpoint_interval};
    usec deadline = deadline_in(HAND_OVER_PATIENCE);
    bool waits = service_manager_gave(s->manager);
    while (!(s->journal = journal_open(&settings, e)))
        if (!waits || e->kind != ERR_EXISTS || clock_monotonic() > deadline ||
            !fiber_sleep(HAND_OVER_POLL, e))
            return false;
    return true;
}

static const char *data_path(struct server *s, const char *path, const char *name)
{
    return server_data_path(s->settings, path, name, s->arena);
}

static SUSPENDS bool open_directory(struct server *s, const char *path, struct err *e)
{
    s->directory =
        directory_open(s->loop, config_block(s->boot, &directory_settings_block), path, e);
    if (!s->directory || !open_sources(s, e))
        return false;
    directory_set_password_policy(s->directory,
                                  config_block(s->boot, &password_policy_settings_block));
    return true;
}

static SUSPENDS bool open_policy(struct server *s, struct err *e)
{
    const char *hostname = server_hostname(s->settings, s->arena);
    const struct router_context router = {.directory = s->directory, .hostname = hostname};
    s->router = router_new(&router, config_block(s->boot, &router_settings_block));
    const struct policy_context context = {.loop = s->loop,
                                           .dns = s->dns,
                                           .directory = s->directory,
                                           .router = s->router,
                                           .hostname = hostname,
                                           .data_dir = s->settings->data_dir};
    s->policy = policy_open(s->boot, &context, e);
    return s->policy != NULL;
}

static SUSPENDS bool open_store(struct server *s, struct err *e)
{
    const struct store_settings *settings = config_block(s->boot, &store_settings_block);
    s->store = store_open(settings, data_path(s, settings->path, "mail"),
                          server_hostname(s->settings, s->arena), s->journal, e);
    if (!s->store)
        return false;
    store_set_crashes(s->store, s->crashes);
    store_set_quota(s->store, config_block(s->boot, &quota_settings_block));
    return true;
}

static SUSPENDS bool open_queue(struct server *s, struct err *e)
{
    const struct queue_context context = {
        .loop = s->loop,
        .directory = s->directory,
        .router = s->router,
        .store = s->store,
        .journal = s->journal,
        .dns = s->dns,
        .tls = s->tls_client,
        .hostname = server_hostname(s->settings, s->arena),
        .spool_dir = data_path(s, "", "queue"),
        .crashes = s->crashes,
    };
    s->queue = queue_open(config_block(s->boot, &queue_settings_block), &context, e);
    if (!s->queue)
        return false;
    struct queue_rules *rules = queue_rules_new(s->boot, e);
    if (!rules)
        return false;
    queue_set_rules(s->queue, rules);
    queue_rules_unref(rules);
    return queue_load_srs(s->queue, data_path(s, "", "srs.secrets"), e);
}

static SUSPENDS void open_sending(struct server *s)
{
    s->client = smtp_client_new(s->queue, config_block(s->boot, &smtp_client_settings_block));
    smtp_client_offer_probes(s->client, s->queue);
    const struct client_security_context security = {.loop = s->loop,
                                                     .dns = s->dns,
                                                     .queue = s->queue,
                                                     .hostname =
                                                         server_hostname(s->settings, s->arena),
                                                     .data_dir = s->settings->data_dir};
    s->security = client_security_new(s->boot, &security, s->tls_client);
    smtp_client_set_security(s->client, s->security->sts, s->security->report);
    client_security_start(s->security);
    s->verify = verify_new(s->queue, config_block(s->boot, &verify_settings_block));
    verify_keep(s->verify, data_path(s, "", "recipients.cache"));
}

static SUSPENDS bool open_mail(struct server *s, struct err *e)
{
    const struct directory_settings *directory = config_block(s->boot, &directory_settings_block);
    const struct journal_file_settings *journal = config_block(s->boot, &journal_settings_block);
    const char *directory_path = data_path(s, directory->path, "directory.db");
    const char *journal_path = data_path(s, journal->path, "journal");

    if (directory_is_missing(directory_path, journal_path, e))
        return false;
    if (!open_journal(s, journal_path, e)) /* first: one server at a time has these files */
        return false;
    s->crashes = crashes_open(data_path(s, "", "crashes"), e);
    if (!s->crashes || !open_directory(s, directory_path, e) || !open_policy(s, e) ||
        !open_store(s, e) || !open_queue(s, e))
        return false;
    open_sending(s);
    return journal_start(s->journal, e) && store_start(s->store, e);
}

static uint64_t control_append_size_max(void *arg)
{
    const struct server *s = arg;
    const struct imap_settings *settings = config_block(s->config, &imap_settings_block);
    return (uint64_t)settings->append_size_max;
}

static SUSPENDS bool open_control(struct server *s, struct err *e);

static SUSPENDS void tell_postmaster(void *arg, struct str subject, struct str text)
{
    struct server *s = arg;
    struct err e;
    if (!queue_notice(s->queue, subject, text, &e))
        log_error("policy", NULL, "no notice subject=\"%.*s\" reason=\"%s\"", STR_ARG(subject),
                  e.text);
}

static void open_recordings(struct server *s)
{
    struct buf dir = BUF_EMPTY;
    buf_printf(&dir, "%s/rawlog", s->settings->data_dir);
    s->recordings = recordings_new(s->sessions, buf_c(&dir));
    buf_free(&dir);
}

static void relieve(void *arg)
{
    struct server *s = arg;
    smtp_relieve(&s->smtp);
}

static SUSPENDS bool open_parts(struct server *s, struct err *e)
{
    if (!open_mail(s, e))
        return false;
    s->auth = auth_new(s->directory, config_block(s->boot, &auth_settings_block), e);
    if (!s->auth || !auth_open_secret(s->auth, data_path(s, "", "login.key"), e))
        return false;
    s->oauth = oauth_new(&(struct oauth_context){.loop = s->loop, .dns = s->dns}, s->config,
                         s->tls_client);
    auth_set_oauth(s->auth, s->oauth);
    auth_reload(s->auth, s->config);
    auth_load_keys(s->auth);
    penalties_keep(auth_penalties(s->auth), s->loop, data_path(s, "", "penalties"));
    s->load = load_new(s->sessions, s->journal);
    load_on_pressure(s->load, relieve, s);
    s->smtp = (struct smtp_context){.loop = s->loop,
                                    .auth = s->auth,
                                    .policy = s->policy,
                                    .queue = s->queue,
                                    .sessions = s->sessions,
                                    .load = s->load,
                                    .spool_dir = store_spool_dir(s->store),
                                    .crashes = s->crashes};
    s->imap = (struct imap_context){.loop = s->loop,
                                    .auth = s->auth,
                                    .directory = s->directory,
                                    .store = s->store,
                                    .sessions = s->sessions,
                                    .spool_dir = store_spool_dir(s->store)};
    s->pop3 = (struct pop3_context){
        .loop = s->loop, .auth = s->auth, .store = s->store, .sessions = s->sessions};
    pop3_context_open(&s->pop3);
    s->web =
        (struct http_context){.loop = s->loop, .sessions = s->sessions, .directory = s->directory};
    policy_set_notice(s->policy, tell_postmaster, s);
    open_recordings(s);
    s->pickup = pickup_open(
        &(struct pickup_context){
            .loop = s->loop, .queue = s->queue, .spool_dir = store_spool_dir(s->store)},
        s->settings->maildrop, s->config, server_hostname(s->settings, s->arena));
    return open_control(s, e);
}

static const char *pid_path(const struct server *s)
{
    return arena_printf(s->arena, "%s/maild.pid", s->settings->run_dir).p;
}

static void start_fiber(void *arg)
{
    struct server *s = arg;
    struct err e = {0};
    struct str pid = arena_printf(s->arena, "%d\n", (int)getpid());
    if (!open_parts(s, &e) || !file_replace(pid_path(s), pid, 0644, &e))
        server_start_failed(s, &e);
    s->serving = true;
    queue_start(s->queue);
    if (!crashes_save(s->crashes, &e)) /* those whose messages are on hold now */
        log_error("maild", NULL, "crashes stay counted: %s", e.text);
    server_serve_pending(s);
    s->certificates = server_certificates_new(s, &s->certificate_stamps);
    pickup_start(s->pickup);
    log_info("maild", NULL, "maild " MAILD_VERSION " serves as %s, process %d",
             server_hostname(s->settings, s->arena), (int)getpid());
    mem_leave_start();
    service_manager_drop_rest(s->manager);
    service_manager_start_watchdog(s->manager);
    server_reload_again(s);
    service_manager_tell(s->manager, "READY=1\nSTATUS=serving");
    if (geteuid() == 0)
        log_warning("maild", NULL, "running as root file=<%s>: set the user there", s->config_path);
    if (s->stopping) { /* asked to end meanwhile */
        s->stopping = false;
        server_stop(s);
    }
}

static bool listen_at_start(struct server *s, struct config *config, struct tls_context *tls,
                            struct err *e)
{
    struct listener_plan plan;
    if (!server_prepare_listeners(s, config, tls, &plan, e))
        return false;
    server_apply_listeners(s, &plan);
    return true;
}

bool server_open(struct server *s, struct config *config, const char *config_path, struct err *e)
{
    s->arena = arena_new();
    s->config_path = config_path;
    s->boot = config;
    s->config = config_ref(config);
    s->settings = config_block(config, &server_settings_block);
    s->started = clock_wall();
    s->manager = service_manager_new();
    auth_prepare(config_block(config, &auth_settings_block)); /* no thread is there yet */
    s->sessions = session_list_new();
    struct session_limits limits = server_limits(config);
    session_list_set_limits(s->sessions, &limits);
    s->loop = loop_new(e);
    if (!s->loop || !server_find_user(s, e) || !server_make_dirs(s, e) ||
        !listen_at_start(s, config, NULL, e) || !server_drop_rights(s, e))
        return false;
    /* As the user, who must be able to read the key again at each reload. */
    server_stamp_certificates(config, &s->certificate_stamps);
    if (!server_load_tls(config, &s->tls_server, &s->tls_client, e) ||
        !listen_at_start(s, config, s->tls_server, e))
        return false;
    struct log_change *log = server_prepare_log(s->settings, e);
    if (!log)
        return false;
    log_apply(log);
    s->log_is_open = s->settings->log[0] || s->settings->log_to.count > 0;
    if (!server_enter_sandbox(s, e))
        return false;
    const struct trace_settings *trace = config_block(config, &trace_settings_block);
    s->trace = trace_open(data_path(s, trace->path, "trace"), trace);
    s->dns = dns_new(s->loop, config_block(config, &dns_settings_block), e);
    if (!s->dns)
        return false;
    fiber_start(s->loop, "start", start_fiber, s);
    return true;
}

/* --- the control socket's side --- */

static SUSPENDS bool control_reload(void *arg, bool dry_run, json_t *result, struct err *e)
{
    return server_reload(arg, dry_run, result, e);
}

static void control_stop(void *arg)
{
    server_stop(arg);
}

static size_t control_sockets(void *arg, int *fds, size_t max)
{
    return server_sockets(arg, fds, max);
}

static void control_leave(void *arg)
{
    struct server *s = arg;
    s->handed_over = true;
    server_stop(s);
}

static void control_describe(void *arg, json_t *status)
{
    server_describe(arg, status);
}

static SUSPENDS bool open_control(struct server *s, struct err *e)
{
    struct ctl_context context = {
        .loop = s->loop,
        .directory = s->directory,
        .auth = s->auth,
        .policy = s->policy,
        .queue = s->queue,
        .store = s->store,
        .journal = s->journal,
        .crashes = s->crashes,
        .sessions = s->sessions,
        .load = s->load,
        .recordings = s->recordings,
        .security = s->security,
        .imap = &s->imap,
        .trace = s->trace,
        .dns = s->dns,
        .data_dir = s->settings->data_dir,
        .run_dir = s->settings->run_dir,
        .admin_group = s->settings->admin_group,
        .users_domain = s->settings->control_users_domain,
        .arg = s,
        .reload = control_reload,
        .stop = control_stop,
        .sockets = control_sockets,
        .leave = control_leave,
        .describe = control_describe,
        .append_size_max = control_append_size_max,
    };
    context.watch = s->watch = ctl_watch_open(&context);
    s->http = ctl_http_open(&context, config_block(s->boot, &metrics_settings_block), e);
    if (!s->http)
        return false;
    s->ctl = ctl_open(&context, server_control_socket(s->settings, s->arena), e);
    return s->ctl != NULL;
}

/* --- the end --- */

static void end_impatiently(void *arg)
{
    struct server *s = arg;
    log_error("maild", NULL,
              "not everything could be closed in %d seconds; the journal has what is missing",
              (int)(END_PATIENCE / USEC_SEC));
    for (const struct session_entry *k = session_list_first(s->sessions); k; k = k->next)
        log_error(k->kind->component, k->id, "still open peer=%s state=\"%s\"", k->peer,
                  k->state ? k->state : "");
    log_flush();
    _exit(1);
}

static SUSPENDS void stop_parts(struct server *s)
{
    server_certificates_free(s->certificates);
    s->certificates = NULL;
    server_close_listeners(s, s->handed_over || service_manager_keeps(s->manager));
    session_list_refuse(s->sessions);
    ctl_http_close(s->http);
    ctl_close(s->ctl);
    ctl_watch_close(s->watch);
    session_list_kick_all(s->sessions, "server shutting down");
    pickup_close(s->pickup);
    if (!session_list_wait_empty(s->sessions, deadline_in(SESSIONS_PATIENCE)))
        log_warning("maild", NULL, "sessions take their time count=%zu",
                    session_list_count(s->sessions));
    queue_stop(s->queue, deadline_in(QUEUE_PATIENCE));
    session_list_wait_empty(s->sessions, DEADLINE_NONE); /* else: end_impatiently */
    while (s->reloading)
        cond_wait_certain(&s->reloaded);
    policy_close(s->policy); /* its last notice goes into the queue */
    recordings_close(s->recordings);
    pop3_context_close(&s->pop3);
    verify_stop(s->verify);
    penalties_stop(auth_penalties(s->auth));
    client_security_stop(s->security);
    smtp_client_free(s->client);
    client_security_free(s->security);
    store_stop(s->store);
    load_free(s->load);
    s->load = NULL;
    s->smtp.load = NULL;
    journal_close(s->journal);
    verify_free(s->verify);
    queue_free(s->queue);
    router_free(s->router);
    store_close(s->store);
    auth_free(s->auth);
    oauth_free(s->oauth);
    directory_close(s->directory);
    file_unlink(pid_path(s), NULL);
}

static void stop_fiber(void *arg)
{
    struct server *s = arg;
    stop_parts(s);
    timer_clear(&s->patience);
    log_info("maild", NULL, "ended");
    loop_stop(s->loop);
}

void server_stop(struct server *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    if (!timer_is_set(&s->patience))
        timer_set(&s->patience, deadline_in(END_PATIENCE), end_impatiently, s);
    if (!s->serving) /* the start goes on and then ends */
        return;
    log_info("maild", NULL, "ending");
    service_manager_tell(s->manager, "STOPPING=1\nSTATUS=ending");
    if (!fiber_start(s->loop, "stop", stop_fiber, s))
        end_impatiently(s);
}

void server_free(struct server *s)
{
    dns_free(s->dns);
    session_list_free(s->sessions);
    crashes_free(s->crashes);
    if (s->tls_server)
        tls_context_unref(s->tls_server);
    tls_context_unref(s->tls_client);
    service_manager_free(s->manager);
    loop_free(s->loop);
    trace_close(s->trace);
    config_unref(s->config);
    config_unref(s->boot);
    arena_free(s->arena);
}
