/*
 * SASL (RFC 4422) through libsasl2: PLAIN (RFC 4616) and LOGIN. The library runs the exchange and
 * calls checkpass below when it has user and password; checkpass asks the directory straight away:
 * the fiber that runs the exchange suspends inside of libsasl2, whose connection is its own. All of
 * it happens on the loop's thread, so the library needs no locks.
 *
 * Nothing of the system's configuration takes part. No appname is given, so no file is read; the
 * options that matter are answered by get_option; only the plugins of the offered mechanisms are
 * loaded. What decides is not the library's result but the verdict that checkpass has left:
 * libsasl2 folds "wrong" and "cannot tell" into one code, and goes on to other password checkers
 * (none are configured) after a refusal.
 *
 * PLAIN may name an identity to act as. It must be the user's own: acting for others does not
 * exist.
 */
#include "auth/auth_internal.h"
#include "auth/oauth.h"
#include "auth/oauth_sasl.h"
#include "core/log.h"

#include <assert.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stdio.h>

#define MECHANISMS "PLAIN LOGIN"
/* Without a name the library asks the resolver, and waits; none of these mechanisms uses it. */
#define HOSTNAME "localhost"

struct sasl {
    struct auth *auth;
    struct auth_peer peer;
    struct arena *arena;
    sasl_conn_t *connection;
    sasl_callback_t callbacks[4];
    struct oauth_exchange *oauth; /* in place of the library */
    const char *mechanism;
    struct str user;    /* as the client named itself */
    bool malformed;     /* a name is empty or too long */
    bool checked;       /* checkpass was called, `verdict` tells what came out */
    struct err verdict; /* ERR_NONE: the password is right */
    struct account account;
    bool done;
};

/* --- the library --- */

static int get_option(void *context, const char *plugin, const char *option, const char **result,
                      unsigned *length)
{
    static const struct {
        const char *name, *value;
    } options[] = {
        {"mech_list", MECHANISMS}, {"pwcheck_method", "none"}, {"auxprop_plugin", "maild"},
        {"auto_transition", "no"}, {"log_level", "1"},
    };
    (void)context;
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

static int verify_file(void *context, const char *file, sasl_verify_type_t type)
{
    (void)context;
    if (type == SASL_VRFY_CONF || type == SASL_VRFY_PASSWD)
        return SASL_CONTINUE;
    return strstr(file, "/libplain.") || strstr(file, "/liblogin.") ? SASL_OK : SASL_CONTINUE;
}

/* The library's own messages repeat what the caller logs, in other words. */
static int write_log(void *context, int level, const char *message)
{
    (void)context;
    (void)level;
    log_debug("auth", NULL, "libsasl2: %s", message);
    return SASL_OK;
}

typedef int (*callback)(void);
#define CALLBACK(function) ((callback)(void (*)(void))(function))

static const sasl_callback_t library_callbacks[] = {
    {SASL_CB_GETOPT, CALLBACK(get_option), NULL},
    {SASL_CB_VERIFYFILE, CALLBACK(verify_file), NULL},
    {SASL_CB_LOG, CALLBACK(write_log), NULL},
    {SASL_CB_LIST_END, NULL, NULL},
};

/* The library looks up properties of each identity, and fails when nobody answers. We have none to
 * tell: checkpass and authorize decide. */
static int look_up_properties(void *context, sasl_server_params_t *params, unsigned flags,
                              const char *user, unsigned n)
{
    (void)context;
    (void)params;
    (void)flags;
    (void)user;
    (void)n;
    return SASL_OK;
}

static int add_properties(const sasl_utils_t *utils, int max_version, int *version,
                          sasl_auxprop_plug_t **plugin, const char *name)
{
    static char own_name[] = "maild";
    static sasl_auxprop_plug_t own = {.auxprop_lookup = look_up_properties, .name = own_name};
    (void)utils;
    (void)name;
    if (max_version < SASL_AUXPROP_PLUG_VERSION)
        return SASL_BADVERS;
    *version = SASL_AUXPROP_PLUG_VERSION;
    *plugin = &own;
    return SASL_OK;
}

static bool has_mechanisms(struct err *e)
{
    struct str names = STR(MECHANISMS), name;
    const char *list = "";
    sasl_conn_t *connection = NULL;
    bool ok =
        sasl_server_new("smtp", HOSTNAME, NULL, NULL, NULL, NULL, 0, &connection) == SASL_OK &&
        sasl_listmech(connection, NULL, "", " ", "", &list, NULL, NULL) >= SASL_OK;
    while (name = str_word(&names), ok && name.p) {
        struct str rest = str_from_c(list), word;
        while (word = str_word(&rest), word.p && !str_equal_nocase(word, name))
            ;
        ok = word.p != NULL;
    }
    sasl_dispose(&connection);
    return ok || err_set(e, ERR_PERM,
                         "libsasl2 lacks one of the mechanisms " MECHANISMS " (it has: %s): is "
                         "libsasl2-modules installed?",
                         list);
}

bool sasl_library_start(struct err *e)
{
    int result = sasl_server_init(library_callbacks, NULL);
    if (result != SASL_OK)
        return err_set(e, ERR_PERM, "libsasl2 does not start: %s",
                       sasl_errstring(result, NULL, NULL));
    result = sasl_auxprop_add_plugin("maild", add_properties);
    if (result == SASL_OK && has_mechanisms(e))
        return true;
    if (result != SASL_OK)
        err_set(e, ERR_PERM, "libsasl2 takes no auxprop plugin: %s",
                sasl_errstring(result, NULL, NULL));
    sasl_server_done();
    return false;
}

void sasl_library_stop(void)
{
    sasl_server_done();
}

/* --- one exchange --- */

static int checkpass(sasl_conn_t *connection, void *context, const char *user, const char *password,
                     unsigned length, struct propctx *properties)
{
    struct sasl *s = context;
    (void)connection;
    (void)properties;
    s->user = arena_str(s->arena, str_from_c(user));
    s->checked = true;
    if (s->malformed) {
        err_set(&s->verdict, ERR_SYNTAX, "malformed");
        return SASL_BADAUTH;
    }
    s->verdict = (struct err){ERR_NONE, ""};
    if (!auth_check(s->auth, s->user, str_from(password, length), s->arena, &s->account,
                    &s->verdict))
        return SASL_BADAUTH;
    return SASL_OK;
}

/* Keeps the name as it came: the directory knows how names compare. It never fails, since LOGIN
 * then forgets to free the password: a name that cannot be is noted, and checkpass refuses it. */
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

static int authorize(sasl_conn_t *connection, void *context, const char *requested,
                     unsigned requested_n, const char *user, unsigned user_n, const char *realm,
                     unsigned realm_n, struct propctx *properties)
{
    struct sasl *s = context;
    struct str as = str_from(requested, requested_n);
    (void)connection;
    (void)realm;
    (void)realm_n;
    (void)properties;
    if (str_equal_nocase(as, str_from(user, user_n)) || str_equal_nocase(as, s->account.login))
        return SASL_OK;
    return SASL_NOAUTHZ;
}

const char *sasl_mechanisms(struct auth *a, const struct auth_peer *peer)
{
    if (!peer->secure)
        return "";
    return oauth_is_configured(a->oauth) ? MECHANISMS " " OAUTH_MECHANISMS : MECHANISMS;
}

struct sasl *sasl_new(struct auth *a, const struct auth_peer *peer)
{
    struct arena *arena = arena_new();
    struct sasl *s = ARENA_NEW(arena, struct sasl);
    s->arena = arena;
    s->auth = a;
    s->peer = *peer;
    s->mechanism = "-";
    s->user = STR("");
    s->callbacks[0] = (sasl_callback_t){SASL_CB_SERVER_USERDB_CHECKPASS, CALLBACK(checkpass), s};
    s->callbacks[1] = (sasl_callback_t){SASL_CB_CANON_USER, CALLBACK(keep_user), s};
    s->callbacks[2] = (sasl_callback_t){SASL_CB_PROXY_POLICY, CALLBACK(authorize), s};
    s->callbacks[3] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
    return s;
}

void sasl_free(struct sasl *s)
{
    if (!s)
        return;
    sasl_dispose(&s->connection);
    arena_free(s->arena);
}

static enum sasl_status fail(struct sasl *s, struct err *e, enum err_kind kind, const char *reason)
{
    struct err own;
    if (!e)
        e = &own;
    sasl_dispose(&s->connection);
    err_set(e, kind, "%s", reason);
    auth_fail(s->auth, &s->peer, s->user, s->mechanism, e);
    return SASL_STATUS_FAILED;
}

/* What the library's result means. */
static enum sasl_status conclude(struct sasl *s, int result, const char *out, unsigned n,
                                 struct str *challenge, struct err *e)
{
    char reason[sizeof(((struct err *)0)->text)];
    if (result == SASL_CONTINUE) {
        *challenge = arena_str(s->arena, str_from(out ? out : "", n));
        return SASL_STATUS_CONTINUE;
    }
    if (s->checked && s->verdict.kind != ERR_NONE) {
        struct err verdict = s->verdict;
        return fail(s, e, verdict.kind, verdict.text);
    }
    if (s->checked && result == SASL_OK && !s->malformed) {
        s->done = true;
        sasl_dispose(&s->connection);
        return SASL_STATUS_DONE;
    }
    if (s->checked)
        return fail(s, e, ERR_DENIED, "authorization_identity");
    if (result == SASL_BADPROT || result == SASL_BADPARAM || result == SASL_BUFOVER)
        return fail(s, e, ERR_SYNTAX, "malformed");
    snprintf(reason, sizeof(reason), "libsasl2: %s", sasl_errstring(result, NULL, NULL));
    return fail(s, e, ERR_TEMP, reason);
}

/* One step of a mechanism that is not the library's. */
static enum sasl_status step_oauth(struct sasl *s, struct str response, struct str *challenge,
                                   struct err *e)
{
    struct err why = {0};
    enum sasl_status status =
        oauth_exchange_step(s->oauth, response, challenge, &s->user, &s->account, &why);
    s->done = status == SASL_STATUS_DONE;
    return status == SASL_STATUS_FAILED ? fail(s, e, why.kind, why.text) : status;
}

/* LOGIN would cut the strings at a NUL, so that "alice\0..." passed for "alice". */
static bool response_is_sane(const struct sasl *s, struct str response)
{
    return response.n <= SASL_RESPONSE_MAX &&
           (strcmp(s->mechanism, "LOGIN") != 0 || !memchr(response.p, '\0', response.n));
}

enum sasl_status sasl_start(struct sasl *s, struct str mechanism, struct str initial,
                            struct str *challenge, struct err *e)
{
    struct str names = str_from_c(sasl_mechanisms(s->auth, &s->peer)), name;
    const char *out = NULL;
    unsigned n = 0;
    assert(!s->connection && !s->done);
    while (name = str_word(&names), name.p && !str_equal_nocase(name, mechanism))
        ;
    if (!name.p) {
        err_set(e, ERR_NOT_FOUND, "the mechanism is not available");
        return SASL_STATUS_FAILED;
    }
    s->mechanism = arena_c(s->arena, name);
    if (initial.p && !response_is_sane(s, initial))
        return fail(s, e, ERR_SYNTAX, "malformed");
    if (oauth_has_mechanism(s->mechanism)) {
        s->oauth = oauth_exchange_new(s->auth, s->mechanism, s->arena);
        return step_oauth(s, initial, challenge, e);
    }
    int result = sasl_server_new(s->peer.service, HOSTNAME, NULL, NULL, NULL, s->callbacks, 0,
                                 &s->connection);
    if (result == SASL_OK)
        result = sasl_server_start(s->connection, s->mechanism, initial.p, (unsigned)initial.n,
                                   &out, &n);
    return conclude(s, result, out, n, challenge, e);
}

enum sasl_status sasl_step(struct sasl *s, struct str response, struct str *challenge,
                           struct err *e)
{
    const char *out = NULL;
    unsigned n = 0;
    assert((s->connection || s->oauth) && !s->done);
    if (!response_is_sane(s, response))
        return fail(s, e, ERR_SYNTAX, "malformed");
    if (s->oauth)
        return step_oauth(s, response.p ? response : STR(""), challenge, e);
    int result = sasl_server_step(s->connection, response.p ? response.p : "", (unsigned)response.n,
                                  &out, &n);
    return conclude(s, result, out, n, challenge, e);
}

const struct account *sasl_account(const struct sasl *s)
{
    assert(s->done);
    return &s->account;
}

const char *sasl_mechanism(const struct sasl *s)
{
    return s->mechanism;
}
