/*
 * STARTTLS, LOGIN and AUTHENTICATE (RFC 3501 6.2, RFC 4959 for the initial response).
 *
 * No password is taken over a plain connection, unless the listener allows it for clients on this
 * machine. A directory that cannot answer is told as UNAVAILABLE, never as a wrong password: mail
 * clients throw stored passwords away otherwise.
 */
#include "imap/reader.h"

#define BASE64_MAX(n) (4 * (((n) + 2) / 3))

/* --- STARTTLS --- */

static void start_tls(struct imap_session *s)
{
    struct err e;
    if (!session_flush(&s->net))
        return;
    if (!stream_start_tls_server(s->net.stream, s->net.service->tls, &e))
        session_end_failed(&s->net, &e);
    s->bad_count = 0;
}

void imap_cmd_starttls(struct imap_command *c)
{
    struct imap_session *s = c->session;
    if (!imap_take_end(c))
        return;
    if (stream_is_tls(s->net.stream)) {
        imap_bad(c, "TLS is active already");
    } else if (s->net.service->listener->tls != SERVICE_TLS_STARTTLS) {
        imap_bad(c, "TLS is not available here");
    } else {
        c->after = start_tls;
        imap_ok(c, "Begin TLS negotiation");
    }
}

/* --- results --- */

static void log_in(struct imap_command *c, const struct account *account, const char *mechanism)
{
    struct err e;
    if (!imap_session_login(c->session, account, mechanism, &e)) {
        imap_no(c, "[LIMIT] %s", e.text);
        return;
    }
    stream_set_timeout(c->session->net.stream, c->session->settings->timeout);
    struct buf text = BUF_EMPTY;
    imap_write_capabilities(&text, c->session);
    imap_ok(c, "[CAPABILITY %.*s] Logged in", STR_ARG(buf_str(&text)));
    buf_free(&text);
}

static void too_many_failures(struct imap_session *s)
{
    imap_write(s, STR("* BYE Too many failed logins\r\n"));
    session_end(&s->net, "too many failed logins");
}

static void refuse(struct imap_command *c, const struct err *e)
{
    struct imap_session *s = c->session;
    if ((e->kind == ERR_DENIED || e->kind == ERR_PERM) &&
        ++s->login_failures >= auth_failures_max(s->context->auth))
        c->after = too_many_failures;
    switch (e->kind) {
    case ERR_PERM:
        imap_no(c, "[AUTHORIZATIONFAILED] %s", e->text);
        break;
    case ERR_DENIED:
        imap_no(c, "[AUTHENTICATIONFAILED] Wrong user name or password");
        break;
    case ERR_SYNTAX:
        imap_bad(c, "%s", e->text);
        break;
    case ERR_NOT_FOUND:
        imap_no(c, "[CANNOT] No such authentication mechanism");
        break;
    case ERR_LIMIT:
        imap_no(c, "[LIMIT] Too many logins at the moment, try again later");
        break;
    default:
        imap_no(c, "[UNAVAILABLE] Logins are not possible at the moment, try again later");
    }
}

static bool may_log_in(struct imap_command *c)
{
    if (session_is_secure(&c->session->net))
        return true;
    imap_no(c, "[PRIVACYREQUIRED] Start TLS first");
    return false;
}

/* --- LOGIN --- */

void imap_cmd_login(struct imap_command *c)
{
    struct imap_session *s = c->session;
    struct str user, password;
    if (!imap_take_astring(c, "a user name", &user) ||
        !imap_take_astring(c, "a password", &password) || !imap_take_end(c) || !may_log_in(c))
        return;
    struct auth_peer peer = imap_session_peer(s);
    struct account account;
    struct err e;
    if (auth_login(s->context->auth, &peer, user, password, c->arena, &account, &e))
        log_in(c, &account, "LOGIN");
    else
        refuse(c, &e);
}

/* --- AUTHENTICATE --- */

static bool decode(struct imap_command *c, struct str text, struct str *response)
{
    struct buf bytes = BUF_EMPTY;
    bool ok = buf_add_base64_decoded(&bytes, text);
    if (ok)
        *response = arena_str(c->arena, buf_str(&bytes));
    else
        imap_bad(c, "Expected base64");
    buf_wipe(&bytes);
    return ok;
}

/* Sends the challenge, reads the response. False: the result is set, or the session is over. */
static bool exchange(struct imap_command *c, size_t response_max, struct str challenge,
                     struct str *response)
{
    struct imap_session *s = c->session;
    struct buf line = BUF_EMPTY;
    buf_add_c(&line, "+ ");
    buf_add_base64(&line, challenge);
    buf_add_c(&line, "\r\n");
    imap_write(s, buf_str(&line));
    buf_free(&line);
    struct str text;
    bool too_long;
    if (!session_flush(&s->net))
        return false;
    if (!imap_read_line(s, BASE64_MAX(response_max), &text, &too_long)) {
        imap_bad(c, "The response is too long");
        return false;
    }
    if (str_equal(text, STR("*"))) {
        imap_bad(c, "Authentication cancelled");
        return false;
    }
    return decode(c, text, response);
}

static void authenticate(struct imap_command *c, struct sasl *sasl, struct str mechanism,
                         struct str initial)
{
    struct str challenge = {0}, response;
    struct err e;
    enum sasl_status status = sasl_start(sasl, mechanism, initial, &challenge, &e);
    while (status == SASL_STATUS_CONTINUE) {
        if (!exchange(c, sasl_response_max(sasl), challenge, &response))
            return;
        status = sasl_step(sasl, response, &challenge, &e);
    }
    if (status == SASL_STATUS_DONE)
        log_in(c, sasl_account(sasl), sasl_mechanism(sasl));
    else
        refuse(c, &e);
}

void imap_cmd_authenticate(struct imap_command *c)
{
    struct str mechanism, text = {0}, initial = {0};
    if (!imap_take_atom(c, "an authentication mechanism", &mechanism) ||
        (c->next && !imap_take_astring(c, "base64 or \"=\"", &text)) || !imap_take_end(c) ||
        !may_log_in(c))
        return;
    if (str_equal(text, STR("=")))
        initial = STR("");
    else if (text.p && !decode(c, text, &initial))
        return;
    struct auth_peer peer = imap_session_peer(c->session);
    struct sasl *sasl = sasl_new(c->session->context->auth, &peer);
    authenticate(c, sasl, mechanism, initial);
    sasl_free(sasl);
}
