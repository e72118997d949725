/*
 * libsasl2: its start, and the running of its mechanisms.
 *
 * Nothing of the system's configuration takes part. No appname is given, so no file is read; the
 * options that matter are answered by get_option; only the plugins of our mechanisms are loaded.
 *
 * Callbacks ask the directory straight away: the fiber that runs the exchange suspends inside of
 * libsasl2, whose connection is its own. So all of that happens on the loop's thread. Only
 * Kerberos, which reads files and may ask the network, runs on a worker; the callbacks then do no
 * more than remember. What the library shares between threads it guards with the mutexes it is
 * given here; none of them is held across a callback.
 *
 * What decides is not the library's result but what the callbacks have left: libsasl2 folds "wrong"
 * and "cannot tell" into one code, and goes on to other password checkers (none are configured)
 * after a refusal.
 */
#include "auth/sasl_internal.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"

#include <pthread.h>
#include <sasl/saslplug.h>
#include <stdio.h>
#include <stdlib.h>

/* The library's mechanisms and the file each is in (EXTERNAL: the library's own). */
static const struct {
    const char *name, *file;
} plugins[] = {
    {"PLAIN", "/libplain."},         {"LOGIN", "/liblogin."},      {"SCRAM-SHA-1", "/libscram."},
    {"SCRAM-SHA-256", "/libscram."}, {"CRAM-MD5", "/libcrammd5."}, {"GSSAPI", "/libgssapiv2."},
    {"GSS-SPNEGO", "/libgssapiv2."}, {"EXTERNAL", NULL},
};

#define PLUGINS (sizeof(plugins) / sizeof(*plugins))

typedef int (*callback)(void);
#define CALLBACK(function) ((callback)(void (*)(void))(function))

/* --- the library --- */

static int get_option(void *context, const char *plugin, const char *option, const char **result,
                      unsigned *length)
{
    struct auth *a = context;
    const struct {
        const char *name, *value;
    } options[] = {
        {"mech_list", buf_c(&a->sasl.mechanisms)},
        {"pwcheck_method", "none"},
        {"auxprop_plugin", "maild"},
        {"auto_transition", "no"},
        {"log_level", "1"},
    };
    (void)plugin;
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        if (strcmp(option, options[i].name) != 0)
            continue;
        *result = options[i].value;
        if (length)
            *length = (unsigned)strlen(*result);
        return SASL_OK;
    }
    return SASL_FAIL;
}

/* Kerberos takes a megabyte and is for those who have a keytab; the others may be wanted at any
 * reload. */
static bool is_loaded(const struct auth *a, size_t i)
{
    return strncmp(plugins[i].name, "GSS", 3) != 0 || *a->sasl.keytab;
}

static int verify_file(void *context, const char *file, sasl_verify_type_t type)
{
    const struct auth *a = context;
    if (type == SASL_VRFY_CONF || type == SASL_VRFY_PASSWD)
        return SASL_CONTINUE;
    for (size_t i = 0; i < PLUGINS; i++)
        if (plugins[i].file && is_loaded(a, i) && strstr(file, plugins[i].file))
            return SASL_OK;
    return SASL_CONTINUE;
}

static int ignore_log(void *context, int level, const char *message)
{
    (void)context;
    (void)level;
    (void)message;
    return SASL_OK;
}

static void *mutex_new(void)
{
    pthread_mutex_t *m = MEM_NEW(pthread_mutex_t);
    pthread_mutex_init(m, NULL);
    return m;
}

static int mutex_lock(void *mutex)
{
    return pthread_mutex_lock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static int mutex_unlock(void *mutex)
{
    return pthread_mutex_unlock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static void mutex_free(void *mutex)
{
    pthread_mutex_destroy(mutex);
    free(mutex);
}

/* --- properties of identities: the library looks them up, and fails when nobody answers --- */

static int checkpass(sasl_conn_t *connection, void *context, const char *user, const char *password,
                     unsigned length, struct propctx *properties);

/* The exchange a connection belongs to: the context of its callbacks. */
static struct sasl *exchange_of(const sasl_utils_t *utils)
{
    sasl_callback_ft function;
    void *context = NULL;
    if (utils->getcallback(utils->conn, SASL_CB_SERVER_USERDB_CHECKPASS, &function, &context) !=
            SASL_OK ||
        function != CALLBACK(checkpass))
        return NULL;
    return context;
}

static int look_up(void *context, sasl_server_params_t *params, unsigned flags, const char *user,
                   unsigned n)
{
    struct sasl *s = exchange_of(params->utils);
    (void)context;
    if (!s || !s->mechanism->secret || (flags & SASL_AUXPROP_AUTHZID))
        return SASL_OK;
    if (s->user.n == 0)
        s->user = arena_str(s->arena, str_from(user, n));
    if (s->malformed || !sasl_find_secret(s))
        return SASL_FAIL;
    return params->utils->prop_set(params->propctx, s->mechanism->secret, s->secret.p,
                                   (int)s->secret.n);
}

static int add_properties(const sasl_utils_t *utils, int max_version, int *version,
                          sasl_auxprop_plug_t **plugin, const char *name)
{
    static char own_name[] = "maild";
    static sasl_auxprop_plug_t own = {.auxprop_lookup = look_up, .name = own_name};
    (void)utils;
    (void)name;
    if (max_version < SASL_AUXPROP_PLUG_VERSION)
        return SASL_BADVERS;
    *version = SASL_AUXPROP_PLUG_VERSION;
    *plugin = &own;
    return SASL_OK;
}

/* --- start and stop --- */

static bool is_listed(const char *list, const char *name)
{
    struct str rest = str_from_c(list), word;
    while (word = str_word(&rest), word.p)
        if (str_equal_nocase(word, str_from_c(name)))
            return true;
    return false;
}

/* EXTERNAL is listed for connections that have it. A missing GSSAPI is told by auth_load_keys. */
static bool has_mechanisms(struct auth *a, struct err *e)
{
    const char *list = "";
    sasl_conn_t *connection = NULL;
    bool ok =
        sasl_server_new("smtp", SASL_NO_HOST, NULL, NULL, NULL, NULL, 0, &connection) == SASL_OK &&
        sasl_listmech(connection, NULL, "", " ", "", &list, NULL, NULL) >= SASL_OK;
    a->sasl.has_kerberos = ok && is_listed(list, "GSSAPI");
    for (size_t i = 0; i < PLUGINS && ok; i++)
        if (is_loaded(a, i) && plugins[i].file && strncmp(plugins[i].name, "GSS", 3) != 0 &&
            !is_listed(list, plugins[i].name))
            ok = err_set(e, ERR_PERM,
                         "libsasl2 has no mechanism %s (it has: %s): is libsasl2-modules "
                         "installed?",
                         plugins[i].name, list);
    sasl_dispose(&connection);
    return ok;
}

static void choose(struct auth *a)
{
    struct buf *list = &a->sasl.mechanisms;
    for (size_t i = 0; i < PLUGINS; i++)
        if (is_loaded(a, i))
            buf_printf(list, "%s%s", list->n > 0 ? " " : "", plugins[i].name);
}

bool sasl_library_start(struct auth *a, struct err *e)
{
    struct sasl_library *l = &a->sasl;
    size_t n = 0;
    l->callbacks[n++] = (sasl_callback_t){SASL_CB_GETOPT, CALLBACK(get_option), a};
    l->callbacks[n++] = (sasl_callback_t){SASL_CB_VERIFYFILE, CALLBACK(verify_file), a};
    l->callbacks[n++] = (sasl_callback_t){SASL_CB_LOG, CALLBACK(ignore_log), NULL};
    l->callbacks[n++] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
    l->keytab = mem_dup(a->settings.keytab, a->settings.keytab ? strlen(a->settings.keytab) : 0);
    choose(a);
    sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
    int result = sasl_server_init(l->callbacks, NULL);
    if (result != SASL_OK)
        return err_set(e, ERR_PERM, "libsasl2 does not start: %s",
                       sasl_errstring(result, NULL, NULL));
    l->started = true;
    result = sasl_auxprop_add_plugin("maild", add_properties);
    if (result != SASL_OK)
        return err_set(e, ERR_PERM, "libsasl2 takes no auxprop plugin: %s",
                       sasl_errstring(result, NULL, NULL));
    return has_mechanisms(a, e);
}

void sasl_library_stop(struct auth *a)
{
    struct sasl_library *l = &a->sasl;
    if (l->started)
        sasl_server_done();
    buf_free(&l->mechanisms);
    free(l->keytab);
    for (size_t i = 0; i < SASL_OFFERS; i++)
        free(l->offers[i].text);
}

/* --- one exchange --- */

static int checkpass(sasl_conn_t *connection, void *context, const char *user, const char *password,
                     unsigned length, struct propctx *properties)
{
    struct sasl *s = context;
    struct str login;
    (void)connection;
    (void)properties;
    s->user = arena_str(s->arena, str_from_c(user));
    auth_split_login(s->auth, s->user, &login, &s->as);
    if (s->malformed)
        err_set(&s->verdict, ERR_SYNTAX, "malformed");
    else if (auth_check(s->auth, &s->peer, login, str_from(password, length), s->arena, &s->account,
                        &s->verdict))
        s->verdict.kind = ERR_NONE;
    return s->verdict.kind == ERR_NONE ? SASL_OK : SASL_BADAUTH;
}

/* Keeps the name as it came: the directory knows how names compare. It never fails, since LOGIN
 * then forgets to free the password: a name that cannot be is noted, and refused later. */
static int keep_user(sasl_conn_t *connection, void *context, const char *user, unsigned n,
                     unsigned flags, const char *realm, char *out, unsigned out_max,
                     unsigned *out_n)
{
    struct sasl *s = context;
    (void)connection;
    (void)flags;
    (void)realm;
    if (n >= out_max || strspn(user, " \t\r\n\v\f") >= n) {
        s->malformed = true;
        user = "?";
        n = 1;
    }
    memcpy(out, user, n);
    out[n] = '\0';
    *out_n = n;
    return SASL_OK;
}

/* Called when the proof was right. */
static int authorize(sasl_conn_t *connection, void *context, const char *requested,
                     unsigned requested_n, const char *user, unsigned user_n, const char *realm,
                     unsigned realm_n, struct propctx *properties)
{
    struct sasl *s = context;
    struct str as = str_from(requested, requested_n), own = str_from(user, user_n);
    (void)connection;
    (void)realm;
    (void)realm_n;
    (void)properties;
    if (s->refused)
        return SASL_BADAUTH;
    if (s->user.n == 0)
        s->user = arena_str(s->arena, own);
    if (s->as.n == 0 && !str_equal_nocase(as, own))
        s->as = arena_str(s->arena, as);
    s->verified = true;
    return SASL_OK;
}

/* May run on a worker. */
static int keep_message(void *context, int level, const char *message)
{
    struct sasl *s = context;
    if (level != SASL_LOG_NONE && level <= SASL_LOG_WARN)
        snprintf(s->detail, sizeof(s->detail), "%s", message);
    return SASL_OK;
}

bool sasl_library_open(struct sasl *s, const char *service, const char *host, struct err *e)
{
    size_t n = 0;
    if (s->connection)
        return true;
    s->callbacks[n++] = (sasl_callback_t){SASL_CB_SERVER_USERDB_CHECKPASS, CALLBACK(checkpass), s};
    s->callbacks[n++] = (sasl_callback_t){SASL_CB_CANON_USER, CALLBACK(keep_user), s};
    s->callbacks[n++] = (sasl_callback_t){SASL_CB_PROXY_POLICY, CALLBACK(authorize), s};
    s->callbacks[n++] = (sasl_callback_t){SASL_CB_LOG, CALLBACK(keep_message), s};
    s->callbacks[n++] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
    int result = sasl_server_new(service, host, NULL, NULL, NULL, s->callbacks, 0, &s->connection);
    return result == SASL_OK ||
           err_set(e, ERR_TEMP, "libsasl2: %s", sasl_errstring(result, NULL, NULL));
}

struct call {
    struct sasl *s;
    struct str response;
    bool first;
    const char *out;
    unsigned n;
    int result;
};

static void call(void *arg)
{
    struct call *c = arg;
    sasl_conn_t *connection = c->s->connection;
    if (c->first)
        c->result = sasl_server_start(connection, c->s->mechanism->name, c->response.p,
                                      (unsigned)c->response.n, &c->out, &c->n);
    else
        c->result =
            sasl_server_step(connection, c->response.p, (unsigned)c->response.n, &c->out, &c->n);
}

/* What the library's result means. */
static enum sasl_status conclude(struct sasl *s, const struct call *c, struct str *challenge,
                                 struct err *e)
{
    if (s->verdict.kind != ERR_NONE) {
        *e = s->verdict;
        return SASL_STATUS_FAILED;
    }
    if (s->malformed) {
        err_set(e, ERR_SYNTAX, "malformed");
        return SASL_STATUS_FAILED;
    }
    if (c->result == SASL_BADAUTH && s->secret.p) {
        err_set(e, ERR_DENIED, "%s", s->refused ? s->refused : "wrong_password");
        return SASL_STATUS_FAILED;
    }
    if (c->result == SASL_OK || c->result == SASL_CONTINUE) {
        s->proved = s->verified;
        *challenge = str_from(c->out ? c->out : "", c->n);
        return c->result == SASL_OK ? SASL_STATUS_DONE : SASL_STATUS_CONTINUE;
    }
    if (strstr(s->detail, "hannel bindings mismatch")) {
        err_set(e, ERR_DENIED, "channel_binding");
        return SASL_STATUS_FAILED;
    }
    if (c->result == SASL_BADPROT || c->result == SASL_BADPARAM || c->result == SASL_BUFOVER)
        err_set(e, ERR_SYNTAX, "malformed");
    else
        err_set(e, ERR_TEMP, "libsasl2: %s", sasl_errstring(c->result, NULL, NULL));
    return SASL_STATUS_FAILED;
}

enum sasl_status sasl_library_step(struct sasl *s, struct str response, struct str *challenge,
                                   struct err *e)
{
    struct call c = {.s = s, .response = response, .first = !s->started};
    if (!sasl_library_open(s, s->peer.service, SASL_NO_HOST, e))
        return SASL_STATUS_FAILED;
    s->started = true;
    if (s->mechanism->worker)
        worker_run(WORKER_AUTH, call, &c);
    else
        call(&c);
    return conclude(s, &c, challenge, e);
}

void sasl_library_end(struct sasl *s)
{
    sasl_dispose(&s->connection);
}
