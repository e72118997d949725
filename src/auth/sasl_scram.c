/*
 * Channel binding (RFC 5802 6, RFC 9266, RFC 5929): a SCRAM proof that holds for this TLS
 * connection alone, so that nobody in the middle with a certificate that the client believes can
 * use it for a connection of his own.
 *
 * libsasl2 knows one binding for a connection. The client names the type it has chosen in its first
 * message, so that message is looked at here before the library sees it, and the library is given
 * that type's bytes. TLS 1.3 has tls-exporter; TLS 1.2 with the extended master secret has
 * tls-exporter and tls-unique; tls-server-end-point, the hash of our certificate, is for both.
 *
 * The message's first letter also tells of an attack. A client that can bind says "y" when it was
 * not offered a mechanism with -PLUS; when it was offered by us, somebody has removed it on the way
 * (RFC 5802 6).
 */
#include "auth/sasl_internal.h"
#include "net/tls_session.h"

bool sasl_binding_available(const struct auth *a, const struct auth_peer *peer)
{
    return peer->stream && stream_is_tls(peer->stream) && sasl_secrets_held(a, peer);
}

static bool refuse(struct err *e, const char *reason)
{
    return err_set(e, ERR_DENIED, "%s", reason);
}

/* The client's own name for it: "p=tls-exporter,,". */
static bool bind_channel(struct sasl *s, struct str message, struct err *e)
{
    struct str name = str_split(&message, ',');
    struct buf bytes = BUF_EMPTY;
    if (!str_starts_with(name, STR("p=")))
        return err_set(e, ERR_SYNTAX, "malformed");
    s->binding.name = arena_c(s->arena, str_skip(name, 2));
    bool known = stream_tls_channel_binding(s->peer.stream, s->binding.name, &bytes);
    struct str copy = arena_str(s->arena, buf_str(&bytes));
    buf_free(&bytes);
    if (!known)
        return refuse(e, "channel_binding_type");
    s->binding.critical = 1;
    s->binding.len = copy.n;
    s->binding.data = (const unsigned char *)copy.p;
    return sasl_setprop(s->connection, SASL_CHANNEL_BINDING, &s->binding) == SASL_OK ||
           err_set(e, ERR_TEMP, "libsasl2 takes no channel binding");
}

static bool prepare(struct sasl *s, struct str message, struct err *e)
{
    bool binds = s->mechanism->binds;
    char flag = message.n > 0 ? message.p[0] : '\0';
    if (binds && flag == 'p')
        return bind_channel(s, message, e);
    if (!binds && flag == 'y' && sasl_offers_binding(s->auth, &s->peer, s->mechanism->digest))
        return refuse(e, "channel_binding_removed");
    return (!binds && (flag == 'y' || flag == 'n')) || err_set(e, ERR_SYNTAX, "malformed");
}

enum sasl_status sasl_scram_step(struct sasl *s, struct str response, struct str *challenge,
                                 struct err *e)
{
    bool first = !s->prepared && response.p && response.n > 0;
    if (first &&
        (!sasl_library_open(s, s->peer.service, SASL_NO_HOST, e) || !prepare(s, response, e)))
        return SASL_STATUS_FAILED;
    s->prepared |= first;
    return sasl_library_step(s, response, challenge, e);
}
