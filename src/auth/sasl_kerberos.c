/*
 * Kerberos: GSSAPI (RFC 4752) and GSS-SPNEGO, in libsasl2's plugin over the system's Kerberos
 * library. They are offered when the configuration names a keytab, that has a key of the protocol's
 * service ("imap", "pop", "smtp" at our host), and the library knows its default realm; otherwise
 * one line in the log says what is missing, at start and at each reload.
 *
 * The library is told where the keytab is, and to keep no cache of replays, by its environment:
 * there is no other way for the second. Nobody can replay what he cannot read: logins need TLS. The
 * environment is set before there are threads; a keytab that a reload names in the place of another
 * is told to the library by a call. The first one needs a restart, which loads the plugin.
 *
 * There are no security layers beside TLS (maximal strength factor 0). GSS-SPNEGO cannot refuse
 * one: a client that negotiates it all the same is refused afterwards.
 *
 * A principal is somebody here only when its realm is one of `kerberos_realms`, or of the keytab
 * when that is not set; then it is the user of that login, "user@REALM" or else "user". The
 * plugin drops the realm of names in the library's default realm, which is put back first. Names of
 * services and hosts ("host/...") are nobody.
 */
#include "auth/sasl_internal.h"

#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"

#include <dlfcn.h>
#include <stdlib.h>

/* Which the plugin has loaded. They stay for good: what they have allocated for the process is not
 * freed when they go. */
#define KERBEROS_LIBRARY "libkrb5.so.3"
#define GSS_LIBRARY      "libgssapi_krb5.so.2"
#define LIBRARY_FLAGS    (RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE)

/* --- the environment --- */

void auth_prepare(const struct auth_settings *s)
{
    if (!s->keytab || s->keytab[0] == '\0')
        return;
    struct buf name = BUF_EMPTY;
    buf_printf(&name, "FILE:%s", s->keytab);
    setenv("KRB5_KTNAME", buf_c(&name), 1);
    setenv("KRB5RCACHENAME", "none:", 1);
    buf_free(&name);
}

/* --- the default realm --- */

struct library_call {
    const char *keytab; /* to be used from now on; NULL: that of before */
    bool taken;
    char *realm;
};

static bool take_keytab(void *gss, const char *path)
{
    uint32_t (*use)(const char *name) = NULL;
    void *function = gss ? dlsym(gss, "krb5_gss_register_acceptor_identity") : NULL;
    struct buf name = BUF_EMPTY;
    memcpy(&use, &function, sizeof(function));
    buf_printf(&name, "FILE:%s", path);
    bool ok = use && use(buf_c(&name)) == 0;
    buf_free(&name);
    return ok;
}

/* Blocks: the library reads its configuration, and may ask DNS. */
static void call_library(void *arg)
{
    struct library_call *r = arg;
    void *library = dlopen(KERBEROS_LIBRARY, LIBRARY_FLAGS),
         *gss = dlopen(GSS_LIBRARY, LIBRARY_FLAGS);
    int32_t (*init)(void **context) = NULL, (*get)(void *context, char **realm) = NULL;
    void (*free_realm)(void *context, char *realm) = NULL, (*end)(void *context) = NULL;
    void *context = NULL;
    char *realm = NULL;
    const struct {
        const char *name;
        void *place;
    } functions[] = {
        {"krb5_init_context", &init},
        {"krb5_get_default_realm", &get},
        {"krb5_free_default_realm", &free_realm},
        {"krb5_free_context", &end},
    };
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        void *function = library ? dlsym(library, functions[i].name) : NULL;
        memcpy(functions[i].place, &function, sizeof(function));
    }
    r->taken = !r->keytab || take_keytab(gss, r->keytab);
    if (init && get && free_realm && end && init(&context) == 0) {
        if (get(context, &realm) == 0) {
            r->realm = mem_dup(realm, strlen(realm));
            free_realm(context, realm);
        }
        end(context);
    }
    if (library)
        dlclose(library);
    if (gss)
        dlclose(gss);
}

/* --- the keytab --- */

static bool is_configured(const struct auth *a)
{
    return a->settings.keytab && a->settings.keytab[0] &&
           (sasl_is_wanted(a, "GSSAPI") || sasl_is_wanted(a, "GSS-SPNEGO"));
}

static const char *wanted_host(const struct auth *a)
{
    return a->settings.kerberos_hostname ? a->settings.kerberos_hostname : "";
}

static bool read_keytab(struct auth *a, struct kerberos *k, struct err *e)
{
    struct buf content = BUF_EMPTY;
    const char *path = a->settings.keytab;
    bool ok = file_read_all(path, KEYTAB_SIZE_MAX, &content, e);
    if (ok && !keytab_parse(buf_str(&content), k->arena, &k->keytab, e)) {
        err_prefix(e, "%s", path);
        ok = false;
    }
    if (content.p)
        explicit_bzero(content.p, content.n);
    buf_free(&content);
    return ok;
}

static bool load(struct auth *a, struct kerberos *k, struct err *e)
{
    struct library_call call = {.keytab = NULL};
    if (!*a->sasl.keytab)
        return err_set(e, ERR_PERM, "the first auth.keytab needs a restart");
    if (!a->sasl.has_kerberos)
        return err_set(e, ERR_PERM,
                       "libsasl2 has no GSSAPI: is libsasl2-modules-gssapi-mit installed?");
    if (!read_keytab(a, k, e))
        return false;
    if (strcmp(a->sasl.keytab, a->settings.keytab) != 0)
        call.keytab = arena_c(k->arena, str_from_c(a->settings.keytab));
    worker_run(WORKER_DISK, call_library, &call);
    if (call.keytab && call.taken) {
        free(a->sasl.keytab);
        a->sasl.keytab = mem_dup(call.keytab, strlen(call.keytab));
    }
    if (!call.realm)
        return err_set(e, ERR_PERM, "the system's Kerberos (krb5.conf) has no default realm");
    k->default_realm = arena_str(k->arena, str_from_c(call.realm));
    free(call.realm);
    if (!call.taken)
        return err_set(e, ERR_PERM,
                       "%s: the Kerberos library takes no other keytab without a restart",
                       a->settings.keytab);
    for (size_t i = 0; i < k->keytab.count; i++)
        if (sasl_kerberos_host(a, k, k->keytab.names[i].service))
            return true;
    return err_set(e, ERR_PERM, "%s: no key of imap, pop or smtp%s%s", a->settings.keytab,
                   *wanted_host(a) ? " at " : "", wanted_host(a));
}

void auth_load_keys(struct auth *a)
{
    struct kerberos next = {.arena = arena_new()};
    struct err e = {0};
    if (!is_configured(a) || load(a, &next, &e)) {
        arena_free(a->kerberos.arena);
        a->kerberos = next;
        return;
    }
    log_warning("auth", NULL, "no logins with Kerberos: %s", e.text);
    arena_free(next.arena);
    arena_free(a->kerberos.arena);
    a->kerberos = (struct kerberos){0};
}

/* --- what is offered --- */

/* GSS-API's name of a service. */
static struct str service_of(const char *service)
{
    return strcmp(service, "pop3") == 0 ? STR("pop") : str_from_c(service);
}

const char *sasl_kerberos_host(const struct auth *a, const struct kerberos *k, struct str service)
{
    const char *wanted = wanted_host(a);
    for (size_t i = 0; i < k->keytab.count; i++) {
        const struct keytab_name *name = &k->keytab.names[i];
        bool is_ours = str_equal(service, STR("imap")) || str_equal(service, STR("pop")) ||
                       str_equal(service, STR("smtp"));
        if (is_ours && str_equal(name->service, service) &&
            (!wanted[0] || str_equal_nocase(name->host, str_from_c(wanted))))
            return name->host.p;
    }
    return NULL;
}

bool sasl_kerberos_available(const struct auth *a, const struct auth_peer *peer)
{
    return a->kerberos.keytab.count > 0 &&
           sasl_kerberos_host(a, &a->kerberos, service_of(peer->service)) != NULL;
}

/* --- an exchange --- */

/* The library's message in a word for the log. */
static const char *reason_of(const char *detail)
{
    static const struct {
        const char *text, *reason;
    } reasons[] = {
        {"Clock skew", "clock_skew"},
        {"expired", "ticket_expired"},
        {"not yet valid", "ticket_not_yet_valid"},
        {"Wrong principal", "wrong_service"},
        {"not found in keytab", "no_key"},
        {"No key table entry", "no_key"},
        {"Cannot find key", "no_key"},
        {"cannot decrypt ticket", "wrong_key"},
        {"integrity check failed", "wrong_key"},
        {"Request is a replay", "replay"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
        if (strstr(detail, reasons[i].text))
            return reasons[i].reason;
    return "kerberos";
}

/* Keys that cannot be had are no fault of the client. */
static bool explain(struct sasl *s, struct err *e)
{
    bool ours = strstr(s->detail, "Permission denied") || strstr(s->detail, "no such file") ||
                strstr(s->detail, "No such file") || strstr(s->detail, "No key table entry");
    if (s->detail[0])
        log_info("auth", s->peer.id, "Kerberos refused peer=%s reason=\"%s\"", s->peer.address,
                 s->detail);
    if (ours)
        return err_set(e, ERR_TEMP, "Kerberos: %s", s->detail);
    return err_set(e, ERR_DENIED, "%s", reason_of(s->detail));
}

static bool is_our_realm(const struct auth *a, struct str realm)
{
    const struct string_list *realms = &a->settings.kerberos_realms;
    for (size_t i = 0; i < realms->count; i++)
        if (str_equal(realm, str_from_c(realms->items[i])))
            return true;
    for (size_t i = 0; realms->count == 0 && i < a->kerberos.keytab.count; i++)
        if (str_equal(realm, a->kerberos.keytab.names[i].realm))
            return true;
    return false;
}

static enum lookup find(struct sasl *s, struct str login, struct err *e)
{
    struct err why = {0};
    enum lookup status =
        directory_find_login(s->auth->directory, login, s->arena, &s->account, &why);
    if (status == LOOKUP_TEMPFAIL)
        err_set(e, why.kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s", why.text);
    return status;
}

/* s->user is the principal. */
static bool find_user(struct sasl *s, struct err *e)
{
    ptrdiff_t at = str_find_last_char(s->user, '@');
    struct str user = at < 0 ? s->user : str_head(s->user, (size_t)at);
    struct str realm = at < 0 ? s->auth->kerberos.default_realm : str_skip(s->user, (size_t)at + 1);
    struct str full = arena_printf(s->arena, "%.*s@%.*s", STR_ARG(user), STR_ARG(realm));
    s->user = full;
    if (user.n == 0 || str_find_char(user, '/') >= 0 || str_find_char(user, '\\') >= 0 ||
        str_find_char(user, '@') >= 0)
        return err_set(e, ERR_DENIED, "unknown_user");
    if (!is_our_realm(s->auth, realm))
        return err_set(e, ERR_DENIED, "realm");
    if (!auth_may_try(s->auth, &s->peer, full, e))
        return false;
    enum lookup status = find(s, full, e);
    if (status == LOOKUP_NOT_FOUND)
        status = find(s, user, e);
    if (status == LOOKUP_NOT_FOUND)
        err_set(e, ERR_DENIED, "unknown_user");
    return status == LOOKUP_FOUND;
}

static bool open_connection(struct sasl *s, struct err *e)
{
    static const sasl_security_properties_t no_layers = {.max_ssf = 0};
    struct str service = service_of(s->peer.service);
    const char *host = sasl_kerberos_host(s->auth, &s->auth->kerberos, service);
    if (!host) /* a reload has taken the key away */
        return err_set(e, ERR_TEMP, "Kerberos: no key for this service");
    return sasl_library_open(s, service.p, host, e) &&
           (sasl_setprop(s->connection, SASL_SEC_PROPS, &no_layers) == SASL_OK ||
            err_set(e, ERR_TEMP, "libsasl2 takes no properties"));
}

static bool has_layer(struct sasl *s)
{
    const void *value = NULL;
    return sasl_getprop(s->connection, SASL_SSF, &value) == SASL_OK && value &&
           *(const sasl_ssf_t *)value > 0;
}

enum sasl_status sasl_kerberos_step(struct sasl *s, struct str response, struct str *challenge,
                                    struct err *e)
{
    bool proved = s->proved;
    if (!s->connection && !open_connection(s, e))
        return SASL_STATUS_FAILED;
    enum sasl_status status = sasl_library_step(s, response, challenge, e);
    if (status == SASL_STATUS_FAILED) {
        if (e->kind != ERR_SYNTAX || s->detail[0])
            explain(s, e);
        return status;
    }
    if (proved || !s->proved)
        return status;
    if (has_layer(s)) {
        err_set(e, ERR_DENIED, "security_layer");
        return SASL_STATUS_FAILED;
    }
    return find_user(s, e) ? status : SASL_STATUS_FAILED;
}
