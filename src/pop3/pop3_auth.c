/*
 * Logging in: USER and PASS, AUTH (RFC 5034), and STLS (RFC 2595). Passwords in clear need TLS, or
 * a loopback connection where the listener allows it; CAPA announces USER and SASL only then. After
 * STLS the session is as new.
 */
#include "pop3/limits.h"
#include "pop3/login_delay.h"
#include "pop3/session.h"

#include "core/log.h"

#define BASE64_MAX(n) (4 * (((n) + 2) / 3))

static struct auth_peer peer_of(const struct pop3_session *s)
{
    return (struct auth_peer){
        .service = "pop3",
        .component = "pop3",
        .id = s->net.id,
        .address = s->net.entry.peer,
        .secure = session_is_secure(&s->net),
        .stream = s->net.stream,
    };
}

bool pop3_stls_offered(const struct pop3_session *s)
{
    return s->net.service->listener->tls == SERVICE_TLS_STARTTLS && s->net.service->tls &&
           !stream_is_tls(s->net.stream) && !s->mailbox;
}

const char *pop3_mechanisms(const struct pop3_session *s)
{
    struct auth_peer peer = peer_of(s);
    return sasl_mechanisms(s->context->auth, &peer);
}

static enum pop3_next refuse_plaintext(struct pop3_session *s)
{
    return pop3_error(s, pop3_stls_offered(s) ? "Logging in needs TLS: say STLS first"
                                              : "Logging in needs TLS");
}

static enum pop3_next login_failed(struct pop3_session *s, const struct err *e)
{
    switch (e->kind) {
    case ERR_NOT_FOUND:
        return pop3_error(s, "The mechanism is not available");
    case ERR_SYNTAX:
        pop3_no(s, "Malformed authentication data");
        break;
    case ERR_DENIED:
        pop3_no(s, "[AUTH] User name or password is wrong");
        break;
    case ERR_PERM:
        pop3_no(s, "[AUTH] %s", e->text);
        break;
    case ERR_CANCELLED:
        return POP3_CLOSE;
    default:
        return pop3_no(s, "[SYS/TEMP] Logins cannot be checked just now, try again later");
    }
    return ++s->auth_failures < auth_failures_max(s->context->auth) ? POP3_GO_ON : POP3_CLOSE;
}

/* The account is known: now for its maildrop. */
static enum pop3_next open_maildrop(struct pop3_session *s, const struct account *account,
                                    const char *mechanism)
{
    struct err e = {0};
    usec wait;
    if (s->settings->login_delay &&
        !login_times_note(s->context->logins, account->id, clock_monotonic(),
                          s->settings->login_delay, &wait))
        return pop3_no(s, "[LOGIN-DELAY] The next login is possible in %lld seconds",
                       (long long)(wait / USEC_SEC + 1));
    if (pop3_session_log_in(s, account, mechanism, &e)) {
        pop3_ok(s, "%zu messages (%llu octets)", s->maildrop.left,
                (unsigned long long)s->maildrop.octets);
        return POP3_GO_ON;
    }
    if (e.kind == ERR_EXISTS)
        return pop3_no(s, "[IN-USE] Another session has the mailbox open");
    log_error("pop3", s->net.id, "opening failed user=<%.*s> reason=\"%s\"",
              STR_ARG(account->login), e.text);
    return pop3_reply_err(s, &e);
}

enum pop3_next pop3_user(struct pop3_session *s, struct str argument)
{
    if (!*pop3_mechanisms(s))
        return refuse_plaintext(s);
    buf_clear(&s->user);
    buf_add_str(&s->user, str_trim(argument));
    pop3_ok(s, "And the password?");
    return POP3_GO_ON;
}

enum pop3_next pop3_pass(struct pop3_session *s, struct str argument)
{
    struct err e = {0};
    struct account account;
    if (!*pop3_mechanisms(s))
        return refuse_plaintext(s);
    if (s->user.n == 0)
        return pop3_error(s, "Say USER first");
    struct auth_peer peer = peer_of(s);
    struct arena *a = arena_new();
    arena_hold_secrets(a);
    struct buf password = BUF_EMPTY; /* the stream's buffer is reused while we wait */
    buf_add_str(&password, argument);
    bool ok =
        auth_login(s->context->auth, &peer, buf_str(&s->user), buf_str(&password), a, &account, &e);
    buf_wipe(&password);
    buf_free(&s->user);
    enum pop3_next next = ok ? open_maildrop(s, &account, "password") : login_failed(s, &e);
    arena_free(a);
    return next;
}

/* "AUTH" alone: some clients ask so for the mechanisms. */
static enum pop3_next list_mechanisms(struct pop3_session *s)
{
    struct str names = str_from_c(pop3_mechanisms(s)), name;
    struct buf text = BUF_EMPTY;
    buf_add_c(&text, "+OK Mechanisms follow\r\n");
    while (name = str_word(&names), name.p)
        buf_printf(&text, "%.*s\r\n", STR_ARG(name));
    buf_add_c(&text, ".\r\n");
    stream_write(s->net.stream, buf_str(&text), NULL);
    buf_free(&text);
    return POP3_GO_ON;
}

/* The client's answer to a challenge. False: a reply was sent, or the connection is gone (*next).
 */
static bool read_response(struct pop3_session *s, size_t max, struct str challenge,
                          struct buf *response, enum pop3_next *next)
{
    struct err e = {0};
    struct str line;
    struct buf text = BUF_EMPTY;
    buf_add_c(&text, "+ ");
    buf_add_base64(&text, challenge);
    buf_add_c(&text, "\r\n");
    bool sent = stream_write(s->net.stream, buf_str(&text), &e) && stream_flush(s->net.stream, &e);
    buf_free(&text);
    buf_clear(response);
    *next = POP3_CLOSE;
    if (!sent)
        return false;
    if (!stream_read_line(s->net.stream, BASE64_MAX(max), &line, NULL, &e)) {
        if (e.kind == ERR_LIMIT)
            *next = pop3_error(s, "The response is too long");
        return false;
    }
    if (str_equal(line, STR("*")))
        *next = pop3_no(s, "Authentication cancelled");
    else if (!buf_add_base64_decoded(response, line))
        *next = pop3_error(s, "The response is not base64");
    else
        return true;
    return false;
}

static enum pop3_next run_exchange(struct pop3_session *s, struct sasl *sasl, struct str mechanism,
                                   struct str initial)
{
    struct err e = {0};
    struct str challenge = {0};
    struct buf response = BUF_EMPTY;
    enum pop3_next next = POP3_GO_ON;
    bool answered = true;
    enum sasl_status status = sasl_start(sasl, mechanism, initial, &challenge, &e);
    while (status == SASL_STATUS_CONTINUE &&
           (answered = read_response(s, sasl_response_max(sasl), challenge, &response, &next)))
        status = sasl_step(sasl, buf_str(&response), &challenge, &e);
    if (response.p)
        explicit_bzero(response.p, response.n);
    buf_free(&response);
    if (!answered)
        return next;
    if (status == SASL_STATUS_FAILED)
        return login_failed(s, &e);
    return open_maildrop(s, sasl_account(sasl), sasl_mechanism(sasl));
}

enum pop3_next pop3_auth(struct pop3_session *s, struct str argument)
{
    struct buf initial = BUF_EMPTY;
    struct str mechanism = str_word(&argument), word = str_trim(argument), response = {0};
    if (!mechanism.p)
        return list_mechanisms(s);
    if (!*pop3_mechanisms(s))
        return refuse_plaintext(s);
    if (word.n > 0) {
        if (!str_equal(word, STR("=")) && !buf_add_base64_decoded(&initial, word)) {
            buf_free(&initial);
            return pop3_error(s, "The initial response is not base64");
        }
        response = initial.n > 0 ? buf_str(&initial) : STR("");
    }
    /* The line is in the stream's buffer, which the exchange reuses. */
    struct arena *a = arena_new();
    struct auth_peer peer = peer_of(s);
    struct sasl *sasl = sasl_new(s->context->auth, &peer);
    enum pop3_next next = run_exchange(s, sasl, arena_str(a, mechanism), response);
    sasl_free(sasl);
    arena_free(a);
    buf_wipe(&initial);
    return next;
}

enum pop3_next pop3_stls(struct pop3_session *s, struct str argument)
{
    struct err e = {0};
    (void)argument;
    if (s->utf8)
        return pop3_error(s, "STLS comes before UTF8"); /* RFC 6856 2.1 */
    if (!pop3_stls_offered(s))
        return pop3_error(s, stream_is_tls(s->net.stream) ? "TLS is active already"
                                                          : "STLS is not available here");
    if (stream_buffered(s->net.stream).n > 0) {
        log_warning(
            "pop3", s->net.id,
            "closed peer=%s reason=\"commands were sent behind STLS before TLS was active\"",
            s->net.entry.peer);
        pop3_no(s, "Nothing may follow STLS before TLS is active");
        return POP3_CLOSE;
    }
    pop3_ok(s, "Begin TLS");
    if (!stream_flush(s->net.stream, &e))
        return POP3_CLOSE;
    arena_free(s->arena);
    s->arena = NULL;
    buf_free(&s->user);
    stream_set_timeout(s->net.stream, POP3_HANDSHAKE_TIMEOUT);
    if (!stream_start_tls_server(s->net.stream, s->net.service->tls, &e)) {
        log_info("pop3", s->net.id, "TLS handshake failed peer=%s reason=\"%s\"", s->net.entry.peer,
                 e.text);
        return POP3_CLOSE;
    }
    stream_set_timeout(s->net.stream, s->settings->timeout);
    return POP3_GO_ON;
}
