/*
 * The socket is ours and non-blocking, libldap only speaks on it: so all addresses of a host are
 * tried, deadlines are those of poll, and a thread can be called off. What is left to block is the
 * TLS handshake, for which libldap keeps NETWORK_TIMEOUT (only with CONNECT_ASYNC), the system's
 * resolver and Kerberos.
 *
 * Every option that the system's ldap.conf or the environment could set is set here: where
 * passwords go is decided in one place.
 */
#include "auth/ldap_connection.h"

#include "auth/ldap_certificate.h"
#include "auth/ldap_reason.h"
#include "auth/limits.h"
#include "core/arena.h"
#include "net/blocking.h"

#include <openldap.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"

int ldap_connection_error(struct ldap_connection *c)
{
    int code = LDAP_OTHER;
    ldap_get_option(c->ld, LDAP_OPT_RESULT_CODE, &code);
    return code;
}

/* Texts of the library for a failure without an answer, as those of GnuTLS. */
static bool failed(struct ldap_connection *c, int code, enum err_kind kind, const char *what,
                   struct err *e)
{
    char *text = NULL, said[160];
    ldap_get_option(c->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    ldap_reason_text(str_from_c(text), (struct str){0}, said, sizeof(said));
    ldap_memfree(text);
    return err_set(e, kind, "%s: %s%s%s", what, ldap_err2string(code), said[0] ? ": " : "", said);
}

bool ldap_connection_refused(struct ldap_connection *c, int result, struct str diagnostic,
                             const char *what, struct err *e)
{
    char said[160];
    (void)c;
    ldap_reason_text(diagnostic, (struct str){0}, said, sizeof(said));
    return err_set(e, result == LDAP_INVALID_CREDENTIALS ? ERR_DENIED : ERR_PERM, "%s: %s (%d)%s%s",
                   what, ldap_err2string(result), result, said[0] ? ": " : "", said);
}

bool ldap_connection_broken(struct ldap_connection *c, struct err *e)
{
    return err_set(e, ERR_CLOSED,
                   ldap_connection_error(c) == LDAP_SERVER_DOWN
                       ? "the server closed the connection"
                       : "the server's answer makes no sense");
}

bool ldap_connection_is_congested(const struct ldap_connection *c)
{
    struct pollfd fd = {.fd = c->fd, .events = POLLOUT};
    return poll(&fd, 1, 0) == 0;
}

bool ldap_connection_await(struct ldap_connection *c, int id, int stop, usec deadline,
                           LDAPMessage **message, struct err *e)
{
    for (;;) {
        struct timeval zero = {0};
        short events = ldap_connection_is_congested(c) ? POLLIN | POLLOUT : POLLIN;
        int type = ldap_result(c->ld, id, LDAP_MSG_ONE, &zero, message);
        if (type > 0)
            return true;
        if (type < 0)
            return failed(c, ldap_connection_error(c), ERR_CLOSED, "no answer", e);
        if (!blocking_wait(c->fd, events, stop, deadline, e))
            return false;
    }
}

/* The result of the message is success. */
static bool succeeds(struct ldap_connection *c, int id, const char *what, int stop, usec deadline,
                     struct err *e)
{
    LDAPMessage *message = NULL;
    int result = LDAP_OTHER;
    char *text = NULL;
    if (!ldap_connection_await(c, id, stop, deadline, &message, e))
        return err_prefix(e, "%s", what);
    int rc = ldap_parse_result(c->ld, message, &result, NULL, &text, NULL, NULL, 1);
    bool ok = rc == LDAP_SUCCESS && result == LDAP_SUCCESS;
    if (rc != LDAP_SUCCESS)
        err_set(e, ERR_CLOSED, "%s: its answer makes no sense", what);
    else if (!ok)
        ldap_connection_refused(c, result, str_from_c(text), what, e);
    ldap_memfree(text);
    return ok;
}

/* --- options --- */

static void set_number(LDAP *ld, int option, int value)
{
    ldap_set_option(ld, option, &value);
}

static void set_text(LDAP *ld, int option, const char *text)
{
    ldap_set_option(ld, option, text && text[0] ? text : NULL);
}

/* Above the socket or TLS: what was sent may be a password, and libldap keeps and frees its buffer
 * as it is. Nothing is sent twice: references to other servers are not followed. */
static ber_slen_t write_and_wipe(Sockbuf_IO_Desc *d, void *bytes, ber_len_t n)
{
    ber_slen_t sent = LBER_SBIOD_WRITE_NEXT(d, bytes, n);
    if (sent > 0)
        explicit_bzero(bytes, (size_t)sent);
    return sent;
}

static ber_slen_t read_on(Sockbuf_IO_Desc *d, void *bytes, ber_len_t n)
{
    return LBER_SBIOD_READ_NEXT(d, bytes, n);
}

static int control(Sockbuf_IO_Desc *d, int option, void *arg)
{
    return LBER_SBIOD_CTRL_NEXT(d, option, arg);
}

static Sockbuf_IO wiping = {.sbi_ctrl = control, .sbi_read = read_on, .sbi_write = write_and_wipe};

static void set_options(LDAP *ld, ber_len_t incoming)
{
    struct timeval forever = {.tv_sec = -1};
    Sockbuf *sockbuf = NULL;

    set_number(ld, LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3);
    ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ldap_set_option(ld, LDAP_OPT_RESTART, LDAP_OPT_ON);
    ldap_set_option(ld, LDAP_OPT_TIMEOUT, &forever);
    set_number(ld, LDAP_OPT_DEREF, LDAP_DEREF_NEVER);
    set_number(ld, LDAP_OPT_SIZELIMIT, 0);
    set_number(ld, LDAP_OPT_TIMELIMIT, 0);
    ldap_set_option(ld, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON);
    if (ldap_get_option(ld, LDAP_OPT_SOCKBUF, &sockbuf) != LDAP_OPT_SUCCESS || !sockbuf)
        return;
    ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_SET_MAX_INCOMING, &incoming);
    ber_sockbuf_add_io(sockbuf, &wiping, LBER_SBIOD_LEVEL_APPLICATION, NULL);
}

static const char *authorities_of(const struct ldap_connection_settings *s)
{
    return s->tls_ca[0] ? s->tls_ca : SYSTEM_AUTHORITIES;
}

static bool set_tls_options(LDAP *ld, const struct ldap_connection_settings *s, struct err *e)
{
    const char *authorities = authorities_of(s);
    if (s->tls_verify && access(authorities, R_OK) != 0)
        return err_set(e, ERR_TLS, "%s (authorities) cannot be read", authorities);
    if (s->tls_certificate[0] && access(s->tls_certificate, R_OK) != 0)
        return err_set(e, ERR_TLS, "%s (certificate) cannot be read", s->tls_certificate);
    set_text(ld, LDAP_OPT_X_TLS_CACERTFILE, s->tls_verify ? authorities : "");
    set_text(ld, LDAP_OPT_X_TLS_CACERTDIR, "");
    set_text(ld, LDAP_OPT_X_TLS_CERTFILE, s->tls_certificate);
    set_text(ld, LDAP_OPT_X_TLS_KEYFILE, s->tls_key[0] ? s->tls_key : s->tls_certificate);
    set_text(ld, LDAP_OPT_X_TLS_CRLFILE, "");
    set_number(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, LDAP_OPT_X_TLS_PROTOCOL_TLS1_2);
    set_number(ld, LDAP_OPT_X_TLS_REQUIRE_CERT,
               s->tls_verify ? LDAP_OPT_X_TLS_DEMAND : LDAP_OPT_X_TLS_NEVER);
    int rc = LDAP_OPT_SUCCESS, client = 0;
    rc = ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
    return rc == LDAP_OPT_SUCCESS ||
           err_set(e, ERR_TLS,
                   "TLS cannot be set up: is what tls_ca, tls_certificate and tls_key "
                   "name in PEM, and do key and certificate belong together?");
}

/* --- steps --- */

static bool connect_socket(struct ldap_connection *c, const struct ldap_connection_settings *s,
                           const struct ldap_uri *uri, int stop, usec deadline, struct err *e)
{
    if (uri->scheme != LDAP_SCHEME_UNIX) {
        c->fd = blocking_connect(uri->host, uri->port, s->keepalive, stop, deadline, e);
        return c->fd >= 0;
    }
    struct arena *a = arena_new();
    c->fd = blocking_connect_unix(ldap_uri_path(uri, a), stop, deadline, e);
    arena_free(a);
    return c->fd >= 0;
}

static bool attach(struct ldap_connection *c, const char *uri, bool local, struct err *e)
{
    int rc = ldap_init_fd(c->fd, local ? LDAP_PROTO_IPC : LDAP_PROTO_TCP, uri, &c->ld);
    if (rc == LDAP_SUCCESS)
        return true;
    c->ld = NULL;
    close(c->fd);
    return err_set(e, ERR_TEMP, "libldap: %s", ldap_err2string(rc));
}

/* libldap's own start of its TLS library is not for two threads at once. */
static void start_tls_library(void)
{
    LDAP *ld;
    int client = 0;
    if (ldap_create(&ld) != LDAP_SUCCESS)
        return;
    set_number(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, LDAP_OPT_X_TLS_NEVER);
    set_text(ld, LDAP_OPT_X_TLS_CACERTFILE, "");
    ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
    ldap_unbind_ext(ld, NULL, NULL);
}

static bool install_tls(struct ldap_connection *c, const struct ldap_connection_settings *s,
                        usec deadline, struct err *e)
{
    static pthread_once_t started = PTHREAD_ONCE_INIT;
    pthread_once(&started, start_tls_library);
    usec left = deadline - clock_monotonic();
    if (left <= 0)
        return err_set(e, ERR_TIMEOUT, "no time is left for TLS");
    struct timeval limit = {.tv_sec = left / USEC_SEC, .tv_usec = left % USEC_SEC};
    ldap_set_option(c->ld, LDAP_OPT_NETWORK_TIMEOUT, &limit);
    ldap_set_option(c->ld, LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_ON);
    if (!set_tls_options(c->ld, s, e))
        return false;
    int rc = ldap_install_tls(c->ld);
    if (rc == LDAP_TIMEOUT || clock_monotonic() >= deadline)
        return err_set(e, ERR_TIMEOUT, "TLS: no answer in time");
    if (rc != LDAP_SUCCESS)
        return failed(c, rc, ERR_TLS, "TLS", e);
    ldap_set_option(c->ld, LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_OFF);
    c->encrypted = true;
    return true;
}

static bool start_tls(struct ldap_connection *c, int stop, usec deadline, struct err *e)
{
    int id;
    int rc = ldap_extended_operation(c->ld, LDAP_EXOP_START_TLS, NULL, NULL, NULL, &id);
    if (rc != LDAP_SUCCESS)
        return failed(c, rc, ERR_CLOSED, "StartTLS", e);
    return succeeds(c, id, "StartTLS", stop, deadline, e);
}

static bool encrypt(struct ldap_connection *c, const struct ldap_connection_settings *s,
                    enum ldap_scheme scheme, int stop, usec deadline, struct err *e)
{
    switch (scheme) {
    case LDAP_SCHEME_UNIX:
        c->encrypted = true;
        return true;
    case LDAP_SCHEME_PLAIN:
        return !s->starttls || (start_tls(c, stop, deadline, e) && install_tls(c, s, deadline, e));
    case LDAP_SCHEME_TLS:
        return install_tls(c, s, deadline, e);
    }
    return false;
}

static bool bind_service(struct ldap_connection *c, const struct ldap_connection_settings *s,
                         int stop, usec deadline, struct err *e)
{
    bool external = s->bind == LDAP_BIND_EXTERNAL;
    struct berval secret = {.bv_len = strlen(s->password), .bv_val = (char *)s->password};
    int id;

    if (s->bind == LDAP_BIND_GSSAPI)
        return ldap_gssapi_bind(c, s, stop, deadline, e);
    if (!external && s->bind_dn[0] == '\0')
        return true;
    struct berval nobody = {.bv_len = 0, .bv_val = (char *)""};
    int rc = ldap_sasl_bind(c->ld, external ? NULL : s->bind_dn,
                            external ? "EXTERNAL" : LDAP_SASL_SIMPLE, external ? &nobody : &secret,
                            NULL, NULL, &id);
    if (rc != LDAP_SUCCESS)
        return failed(c, rc, ERR_CLOSED, "login of the service account", e);
    return succeeds(c, id, "login of the service account", stop, deadline, e);
}

/* Once more, without a word of ours, to see the certificate that was not good enough; *e stays as
 * it is when it shows nothing. */
static void look_at_certificate(const struct ldap_connection_settings *s, struct str uri,
                                struct str host, int stop, usec deadline, struct err *e)
{
    struct ldap_connection c;
    struct ldap_connection_settings any = *s;
    struct berval der = {0};
    struct err unused;
    any.tls_verify = false;
    any.tls_certificate = any.tls_key = "";
    if (!ldap_connection_open(&c, &any, uri, false, stop, deadline, deadline, &unused))
        return;
    if (ldap_get_option(c.ld, LDAP_OPT_X_TLS_PEERCERT, &der) == LDAP_OPT_SUCCESS && der.bv_val)
        ldap_certificate_explain(str_from(der.bv_val, der.bv_len), host, authorities_of(s), e);
    ldap_memfree(der.bv_val);
    ldap_connection_close(&c);
}

bool ldap_connection_open(struct ldap_connection *c, const struct ldap_connection_settings *s,
                          struct str text, bool service, int stop, usec reach, usec deadline,
                          struct err *e)
{
    struct ldap_uri uri;
    struct arena *a = arena_new();
    *c = (struct ldap_connection){.fd = -1};
    bool ok = ldap_uri_parse(text, &uri, e) && connect_socket(c, s, &uri, stop, reach, e) &&
              attach(c, arena_c(a, text), uri.scheme == LDAP_SCHEME_UNIX, e);
    arena_free(a);
    if (!ok)
        return false;
    set_options(c->ld, service ? LDAP_MESSAGE_MAX : LDAP_LOGIN_ANSWER_MAX);
    ok = encrypt(c, s, uri.scheme, stop, deadline, e);
    bool uncertain = !ok && s->tls_verify && e && e->kind == ERR_TLS;
    ok = ok && (!service || bind_service(c, s, stop, deadline, e));
    if (!ok)
        ldap_connection_close(c);
    if (uncertain)
        look_at_certificate(s, text, uri.host, stop, deadline, e);
    return ok;
}

bool ldap_connection_ask_anything(struct ldap_connection *c, int stop, usec deadline, struct err *e)
{
    char *nothing[] = {(char *)LDAP_NO_ATTRS, NULL};
    LDAPMessage *message = NULL;
    int id;
    int rc = ldap_search_ext(c->ld, "", LDAP_SCOPE_BASE, "(objectClass=*)", nothing, 0, NULL, NULL,
                             NULL, 0, &id);
    if (rc != LDAP_SUCCESS)
        return failed(c, rc, ERR_CLOSED, "no answer", e);
    bool ok = ldap_connection_await(c, id, stop, deadline, &message, e);
    ldap_msgfree(message);
    return ok;
}

void ldap_connection_close(struct ldap_connection *c)
{
    if (c->ld)
        ldap_unbind_ext(c->ld, NULL, NULL);
    *c = (struct ldap_connection){.fd = -1};
}
