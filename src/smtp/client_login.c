/*
 * AUTH (RFC 4954) at a server that our administrator has chosen. Nothing of a password is sent
 * before it is certain who hears it: a verified certificate, or a server on this machine where the
 * route says in so many words that there shall be no TLS.
 *
 * The mechanisms are in client_sasl.c. Their steps run on a worker, for a server may ask for long
 * computations. What fails here is the administrator's to mend: the mail waits.
 */
#include "core/worker.h"
#include "net/tls_session.h"
#include "smtp/client_sasl.h"
#include "smtp/client_session.h"
#include "smtp/client_tls.h"

#include <openssl/crypto.h>

/* Decoded, RFC 4954 4.3: lines have at most 12,288 bytes. */
#define CHALLENGES_MAX 8

struct login {
    struct client_session *s;
    const char *mechanism;
    struct client_sasl *sasl;
    unsigned char binding[TLS_BINDING_SIZE];
    struct buf challenge, response, line;
    bool ok;
    struct err e;
};

static void step(void *arg)
{
    struct login *x = arg;
    x->ok = client_sasl_step(x->sasl, buf_str(&x->challenge), &x->response, &x->e);
}

static bool failed(struct login *x, const char *why, struct client_failure *f)
{
    client_failure_set(f, false, "4.7.0", "AUTH %s with %.*s failed: %s", x->mechanism,
                       STR_ARG(buf_str(&x->s->relay)), why);
    return false;
}

/* The reply 334 has the challenge in one line. */
SUSPENDS static bool answer(struct login *x, struct client_failure *f)
{
    buf_clear(&x->challenge);
    buf_clear(&x->response);
    buf_clear(&x->line);
    if (!buf_add_base64_decoded(&x->challenge, str_trim(buf_str(&x->s->reply.text))))
        return failed(x, "a challenge is not base64", f);
    worker_run(WORKER_AUTH, step, x);
    if (!x->ok)
        return failed(x, x->e.text, f);
    buf_add_base64(&x->line, buf_str(&x->response));
    return client_session_talk(x->s, "AUTH", buf_str(&x->line), f);
}

SUSPENDS static bool begin(struct login *x, struct client_failure *f)
{
    buf_printf(&x->line, "AUTH %s", x->mechanism);
    if (client_sasl_first(x->sasl, &x->response)) {
        buf_add_char(&x->line, ' ');
        buf_add_base64(&x->line, buf_str(&x->response));
    }
    return client_session_talk(x->s, "AUTH", buf_str(&x->line), f);
}

SUSPENDS static bool exchange(struct login *x, struct client_failure *f)
{
    if (!begin(x, f))
        return false;
    for (unsigned i = 0; x->s->reply.code == 334; i++) {
        if (i == CHALLENGES_MAX)
            return failed(x, "the server does not come to an end", f);
        if (!answer(x, f))
            return false;
    }
    if (!client_session_is_positive(x->s)) {
        x->s->login_failed = true;
        client_session_refused(x->s, "AUTH", f);
        client_failure_soften(f);
        return false;
    }
    return client_sasl_is_complete(x->sasl) ||
           failed(x, "the server has not proved that it knows the password", f);
}

static bool may_send_password(const struct client_session *s)
{
    return (s->verified && stream_is_tls(s->stream)) ||
           (s->job->next_hop.tls == NEXT_HOP_TLS_NONE && stream_peer_is_loopback(s->stream));
}

SUSPENDS bool client_session_log_in(struct client_session *s, struct client_failure *f)
{
    const struct next_hop *hop = &s->job->next_hop;
    struct login x = {.s = s, .e = {.kind = ERR_NONE}};
    if (!*hop->user)
        return true;
    if (!may_send_password(s))
        return client_tls_is_missing(s, f);
    bool can_bind = stream_tls_binding(s->stream, x.binding);
    x.mechanism =
        client_sasl_choose(buf_str(&s->hello.mechanisms), str_from_c(hop->mechanisms), can_bind);
    if (!x.mechanism) {
        client_failure_set(f, false, "4.7.0", "%.*s offers no AUTH that can be used (%.*s)",
                           STR_ARG(buf_str(&s->relay)),
                           STR_ARG(str_trim(buf_str(&s->hello.mechanisms))));
        return false;
    }
    const struct client_credentials c = {
        .user = hop->user,
        .password = hop->password,
        .binding = str_from((const char *)x.binding, can_bind ? sizeof(x.binding) : 0)};
    x.sasl = client_sasl_new(x.mechanism, &c);
    bool ok = exchange(&x, f);
    client_sasl_free(x.sasl);
    buf_free(&x.challenge);
    buf_wipe(&x.response);
    buf_wipe(&x.line);
    return ok;
}
