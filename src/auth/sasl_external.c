/*
 * EXTERNAL (RFC 4422 appendix A): the client's certificate says who it is. Offered to a connection
 * of a listener that takes certificates for logins, whose client has shown one that the
 * listener's authorities have signed and that is valid now: also where TLS was resumed, when the
 * certificate is that of the first connection.
 *
 * The login stands in the certificate where the configuration says; the first name that there is
 * counts, whether an account has it or not, so that a certificate is always the same user.
 */
#include "auth/sasl_internal.h"
#include "net/stream.h"

static const struct {
    const char *name;
    enum tls_client_name kind;
} kinds[] = {
    {"email", TLS_CLIENT_EMAIL},
    {"upn", TLS_CLIENT_PRINCIPAL},
    {"cn", TLS_CLIENT_COMMON_NAME},
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

bool sasl_certificate_name_is_known(struct str name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (str_equal_nocase(name, str_from_c(kinds[i].name)))
            return true;
    return false;
}

static bool find_name(const struct auth *a, const struct stream *stream, struct buf *name)
{
    const struct string_list *places = &a->settings.certificate_names;
    for (size_t p = 0; p < places->count; p++)
        for (size_t i = 0; i < KINDS; i++)
            if (str_equal_nocase(str_from_c(places->items[p]), str_from_c(kinds[i].name)) &&
                stream_tls_client_name(stream, kinds[i].kind, name))
                return true;
    return false;
}

bool sasl_external_available(const struct auth *a, const struct auth_peer *peer)
{
    struct buf name = BUF_EMPTY;
    bool available = peer->stream && stream_tls_client_may_log_in(peer->stream) &&
                     find_name(a, peer->stream, &name);
    buf_free(&name);
    return available;
}

static bool open_connection(struct sasl *s, struct err *e)
{
    struct buf name = BUF_EMPTY;
    bool ok =
        stream_tls_client_may_log_in(s->peer.stream) && find_name(s->auth, s->peer.stream, &name);
    if (ok)
        s->user = arena_str(s->arena, buf_str(&name));
    else
        err_set(e, ERR_DENIED, "certificate"); /* it has just expired */
    buf_free(&name);
    return ok && sasl_library_open(s, s->peer.service, SASL_NO_HOST, e) &&
           (sasl_setprop(s->connection, SASL_AUTH_EXTERNAL, arena_c(s->arena, s->user)) ==
                SASL_OK ||
            err_set(e, ERR_TEMP, "libsasl2 takes no identity"));
}

static bool find_user(struct sasl *s, struct err *e)
{
    return auth_may_try(s->auth, &s->peer, s->user, e) && sasl_find_account(s, s->user, e);
}

enum sasl_status sasl_external_step(struct sasl *s, struct str response, struct str *challenge,
                                    struct err *e)
{
    if (!s->connection && !open_connection(s, e))
        return SASL_STATUS_FAILED;
    enum sasl_status status = sasl_library_step(s, response, challenge, e);
    if (status == SASL_STATUS_FAILED || !s->proved)
        return status;
    return find_user(s, e) ? status : SASL_STATUS_FAILED;
}
