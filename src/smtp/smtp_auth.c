/*
 * AUTH (RFC 4954): on submission, and where the listener has it on port 25.
 */
#include "core/log.h"
#include "smtp/smtp_command.h"

#define BASE64_MAX(n) (4 * (((n) + 2) / 3))

static struct auth_peer auth_peer_of(const struct smtp_session *s)
{
    return (struct auth_peer){
        .service = "smtp",
        .component = smtp_component(s),
        .id = s->net.id,
        .address = s->peer.address,
        .secure = session_is_secure(&s->net),
        .stream = s->net.stream,
    };
}

bool smtp_has_logins(const struct smtp_session *s)
{
    return smtp_protocol(s) == SERVICE_SUBMISSION ||
           (smtp_protocol(s) == SERVICE_SMTP && s->net.service->listener->auth);
}

bool smtp_auth_offered(const struct smtp_session *s)
{
    return smtp_auth_mechanisms(s)[0] != '\0';
}

const char *smtp_auth_mechanisms(const struct smtp_session *s)
{
    struct auth_peer peer = auth_peer_of(s);
    if (!smtp_has_logins(s) || smtp_login(s))
        return "";
    return sasl_mechanisms(s->context->auth, &peer);
}

static enum smtp_next auth_failed(struct smtp_session *s, const struct err *e)
{
    switch (e->kind) {
    case ERR_NOT_FOUND:
        return smtp_reply_error(s, 504, "5.5.4", "The mechanism is not available");
    case ERR_SYNTAX:
        return smtp_reply_error(s, 501, "5.5.2", "Malformed authentication data");
    case ERR_DENIED:
        smtp_reply(s, 535, "5.7.8", "Authentication failed: user name or password is wrong");
        break;
    case ERR_PERM:
        smtp_reply(s, 535, "5.7.1", "%s", e->text);
        break;
    default:
        smtp_reply(s, 454, "4.7.0", "Temporary authentication failure, try again later");
        break;
    }
    if (++s->auth_failures < auth_failures_max(s->context->auth))
        return SMTP_GO_ON;
    smtp_reply(s, 421, "4.7.0", "Too many failed logins");
    return SMTP_CLOSE;
}

/* The client's answer to a challenge. False: a reply was sent, or the connection is gone (*next).
 */
static bool read_response(struct smtp_session *s, size_t max, struct str challenge,
                          struct buf *response, enum smtp_next *next)
{
    struct err e = {0};
    struct buf line = BUF_EMPTY;
    struct str text;
    buf_add_c(&line, "334 ");
    buf_add_base64(&line, challenge);
    buf_add_c(&line, "\r\n");
    bool sent = stream_write(s->net.stream, buf_str(&line), &e) && stream_flush(s->net.stream, &e);
    buf_free(&line);
    buf_clear(response);
    *next = SMTP_CLOSE;
    if (!sent)
        return false;
    if (!smtp_read_line(s, BASE64_MAX(max), &text, &e)) {
        if (e.kind == ERR_LIMIT)
            *next = smtp_reply_error(s, 500, "5.5.6", "The response is too long");
        else if (e.kind == ERR_TIMEOUT)
            smtp_reply(s, 421, "4.4.2", "Timeout while waiting for the response");
        return false;
    }
    if (str_equal(text, STR("*"))) {
        *next = smtp_reply_error(s, 501, "5.7.0", "Authentication cancelled");
        return false;
    }
    if (!buf_add_base64_decoded(response, text)) {
        *next = smtp_reply_error(s, 501, "5.5.2", "The response is not base64");
        return false;
    }
    return true;
}

static enum smtp_next auth_run(struct smtp_session *s, struct sasl *sasl, struct str mechanism,
                               struct str initial)
{
    struct err e = {0};
    struct str challenge = {0};
    struct buf response = BUF_EMPTY;
    enum smtp_next next = SMTP_GO_ON;
    enum sasl_status status = sasl_start(sasl, mechanism, initial, &challenge, &e);
    while (status == SASL_STATUS_CONTINUE) {
        if (!read_response(s, sasl_response_max(sasl), challenge, &response, &next)) {
            buf_wipe(&response);
            return next;
        }
        status = sasl_step(sasl, buf_str(&response), &challenge, &e);
    }
    buf_wipe(&response);
    if (status == SASL_STATUS_FAILED)
        return auth_failed(s, &e);
    const char *login = arena_c(smtp_session_arena(s), sasl_account(sasl)->login);
    auth_limit_sessions(s->context->auth, sasl_account(sasl), &s->net.entry);
    if (!session_list_login(s->net.list, &s->net.entry, login, &e)) {
        smtp_reply(s, 454, "4.7.0", "%s", e.text);
        return SMTP_GO_ON;
    }
    stream_expect_secrets(s->net.stream, false);
    smtp_load_recognize(s);
    policy_session_login(s->policy);
    const char *tls = stream_tls_version(s->net.stream);
    log_info(smtp_component(s), s->net.id, "login user=<%s> peer=%s tls=%s mechanism=%s",
             smtp_login(s), s->peer.address, tls ? tls : "none", sasl_mechanism(sasl));
    smtp_reply(s, 235, "2.7.0", "Authentication successful");
    return SMTP_GO_ON;
}

enum smtp_next smtp_auth(struct smtp_session *s, struct str argument)
{
    if (!smtp_has_logins(s))
        return smtp_reply_error(s, 502, "5.5.1", "AUTH is not available here");
    if (smtp_login(s))
        return smtp_reply_error(s, 503, "5.5.1", "You are logged in already");
    if (!smtp_auth_mechanisms(s)[0])
        return smtp_reply_error(s, 538, "5.7.11", "Logging in needs TLS: say STARTTLS first");
    struct str mechanism = str_word(&argument);
    if (!mechanism.p)
        return smtp_reply_error(s, 501, "5.5.4", "Say AUTH mechanism");
    struct buf initial = BUF_EMPTY;
    struct str word = str_trim(argument), response = {0};
    if (word.n > 0) {
        response = STR("");
        if (!str_equal(word, STR("=")) && !buf_add_base64_decoded(&initial, word)) {
            buf_wipe(&initial);
            return smtp_reply_error(s, 501, "5.5.2", "The initial response is not base64");
        }
        if (initial.n > 0)
            response = buf_str(&initial);
    }
    /* The line is in the stream's buffer, which the exchange reuses. */
    char *name = arena_c(smtp_session_arena(s), mechanism);
    struct auth_peer peer = auth_peer_of(s);
    struct sasl *sasl = sasl_new(s->context->auth, &peer);
    enum smtp_next next = auth_run(s, sasl, str_from_c(name), response);
    sasl_free(sasl);
    buf_wipe(&initial);
    return next;
}
