/*
 * Opening a connection to another server: greeting, EHLO (HELO for the very old), TLS, AUTH.
 *
 * To servers found by MX, TLS is opportunistic (RFC 7435): used without verification when it is
 * offered, and when the handshake fails the caller connects once more without it, since the mail
 * would have gone in plain text to a server without TLS as well. With relay_tls required nothing
 * is said before the relay host's certificate is verified, and a password is never sent otherwise.
 * A message with REQUIRETLS (RFC 8689) needs the same of any server.
 * Everything learned before the handshake is forgotten after it (RFC 3207 4.2).
 *
 * A server that calls itself by our name is ourselves: that would be a loop.
 */
#include "smtp/client_session.h"

#include "core/log.h"

#include <arpa/inet.h>

#define PORT_SMTPS 465

void client_session_lost(struct client_session *s, const char *command, const struct err *e,
                         struct client_failure *f)
{
    s->dead = true;
    client_failure_set(f, false, "4.4.2", "lost the connection with %.*s (%s): %s",
                       STR_ARG(buf_str(&s->relay)), command, e->text);
}

SUSPENDS bool client_session_read(struct client_session *s, usec timeout, const char *command,
                                  struct client_failure *f)
{
    usec deadline = clock_monotonic() + timeout;
    enum client_reply_status status = CLIENT_REPLY_MORE;
    client_reply_clear(&s->reply);
    while (status == CLIENT_REPLY_MORE) {
        struct str line;
        struct err e = {.kind = ERR_NONE};
        usec left = deadline - clock_monotonic();
        stream_set_timeout(s->stream, left > USEC_MSEC ? left : USEC_MSEC);
        if (!stream_read_line(s->stream, CLIENT_REPLY_LINE_MAX, &line, NULL, &e)) {
            client_session_lost(s, command, &e, f);
            return false;
        }
        status = client_reply_add_line(&s->reply, line);
    }
    if (status == CLIENT_REPLY_BAD) {
        s->dead = true;
        client_failure_set(f, false, "4.5.0", "%.*s does not speak SMTP (%s)",
                           STR_ARG(buf_str(&s->relay)), command);
        return false;
    }
    if (s->reply.code == 421)
        s->dead = true;
    return true;
}

SUSPENDS bool client_session_send(struct client_session *s, struct client_failure *f,
                                  const char *format, ...)
{
    struct buf line = BUF_EMPTY;
    struct err e;
    va_list args;
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    buf_add_c(&line, "\r\n");
    bool ok = stream_write(s->stream, buf_str(&line), &e);
    buf_free(&line);
    if (!ok)
        client_session_lost(s, "sending a command", &e, f);
    return ok;
}

SUSPENDS bool client_session_flush(struct client_session *s, const char *command,
                                   struct client_failure *f)
{
    struct err e;
    if (stream_flush(s->stream, &e))
        return true;
    client_session_lost(s, command, &e, f);
    return false;
}

/* A command and its reply. */
SUSPENDS static bool talk(struct client_session *s, const char *command, struct str line,
                          struct client_failure *f)
{
    stream_set_timeout(s->stream, s->settings.hello_timeout);
    return client_session_send(s, f, "%.*s", STR_ARG(line)) &&
           client_session_flush(s, command, f) &&
           client_session_read(s, s->settings.hello_timeout, command, f);
}

void client_session_refused(const struct client_session *s, const char *command,
                            struct client_failure *f)
{
    struct buf text = BUF_EMPTY;
    client_reply_write(&text, &s->reply);
    client_failure_set(f, s->reply.code >= 500, s->reply.enhanced, "%.*s (in reply to %s)",
                       STR_ARG(buf_str(&text)), command);
    buf_free(&text);
}

static bool is_positive(const struct client_session *s)
{
    return s->reply.code >= 200 && s->reply.code < 300;
}

/* --- EHLO --- */

static bool has_word(struct str words, struct str wanted)
{
    for (struct str word; (word = str_word(&words)).p;)
        if (str_equal_nocase(word, wanted))
            return true;
    return false;
}

static void note_extension(struct client_session *s, struct str line)
{
    static const struct {
        const char *keyword;
        unsigned extension;
    } known[] = {{"PIPELINING", CLIENT_PIPELINING},
                 {"8BITMIME", CLIENT_8BITMIME},
                 {"SMTPUTF8", CLIENT_SMTPUTF8},
                 {"STARTTLS", CLIENT_STARTTLS},
                 {"SIZE", CLIENT_SIZE},
                 {"DSN", CLIENT_DSN},
                 {"REQUIRETLS", CLIENT_REQUIRETLS},
                 {"DELIVERBY", CLIENT_DELIVERBY},
                 {"MT-PRIORITY", CLIENT_MT_PRIORITY}};
    struct str keyword = str_word(&line);
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (str_equal_nocase(keyword, str_from_c(known[i].keyword)))
            s->extensions |= known[i].extension;
    if (str_equal_nocase(keyword, STR("SIZE")) && !str_to_u64(str_trim(line), &s->size_max))
        s->size_max = 0;
    if (str_equal_nocase(keyword, STR("DELIVERBY"))) {
        struct str options = str_trim(line);
        if (!str_to_u32(str_split(&options, ','), &s->deliver_by_min))
            s->deliver_by_min = 0;
    }
    if (str_equal_nocase(keyword, STR("AUTH")) && has_word(line, STR("PLAIN")))
        s->extensions |= CLIENT_AUTH_PLAIN;
}

/* The first line names the server, each further one an extension. */
static bool note_hello(struct client_session *s, struct client_failure *f)
{
    struct str rest = buf_str(&s->reply.text);
    struct str first = str_split(&rest, '\n');
    s->extensions = 0;
    s->size_max = 0;
    s->deliver_by_min = 0;
    if (str_equal_nocase(str_word(&first), str_from_c(s->job->hostname))) {
        client_failure_set(f, true, "5.4.6", "%.*s is this server itself: mail would go in circles",
                           STR_ARG(buf_str(&s->relay)));
        return false;
    }
    while (rest.n > 0)
        note_extension(s, str_split(&rest, '\n'));
    return true;
}

SUSPENDS static bool say_hello(struct client_session *s, struct client_failure *f)
{
    struct buf line = BUF_EMPTY;
    buf_printf(&line, "EHLO %s", s->job->hostname);
    bool ok = talk(s, "EHLO", buf_str(&line), f);
    if (ok && !is_positive(s) && s->reply.code >= 500) {
        buf_clear(&line);
        buf_printf(&line, "HELO %s", s->job->hostname);
        ok = talk(s, "HELO", buf_str(&line), f);
        /* What a reply to HELO says behind its first line are no extensions. */
        if (ok && is_positive(s))
            s->reply.text.n = (size_t)(str_find_char(buf_str(&s->reply.text), '\n') + 1);
    }
    buf_free(&line);
    if (!ok)
        return false;
    if (!is_positive(s)) {
        client_session_refused(s, "EHLO", f);
        client_failure_soften(f);
        return false;
    }
    return note_hello(s, f);
}

/* --- TLS and AUTH --- */

/* By the settings, or by the message that is to be sent first. */
static bool tls_is_required(const struct client_session *s)
{
    return s->must_verify || s->job->next_hop.tls >= NEXT_HOP_TLS_ENCRYPT;
}

static bool name_is_verified(const struct client_session *s)
{
    return s->must_verify || s->job->next_hop.tls >= NEXT_HOP_TLS_VERIFY;
}

static bool is_implicit_tls(const struct client_session *s)
{
    return s->job->next_hop.own_choice && s->host->port == PORT_SMTPS;
}

static bool tls_is_missing(struct client_session *s, struct client_failure *f)
{
    if (s->must_verify && !s->dead) {
        client_failure_set(f, true, "5.7.10",
                           "%.*s has no TLS, which this message requires (REQUIRETLS)",
                           STR_ARG(buf_str(&s->relay)));
        return false;
    }
    client_failure_set(f, false, "4.7.4", "%.*s: TLS is required and cannot be had",
                       STR_ARG(buf_str(&s->relay)));
    return false;
}

SUSPENDS static bool shake_hands(struct client_session *s, struct client_failure *f)
{
    struct in6_addr any;
    struct err e = {.kind = ERR_NONE};
    const char *name = s->host->name;
    bool numeric = inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
    if (!s->job->tls)
        return tls_is_missing(s, f);
    stream_set_timeout(s->stream, s->settings.hello_timeout);
    if (stream_start_tls_client(s->stream, s->job->tls, numeric ? NULL : name,
                                name_is_verified(s) ? name : NULL, &e)) {
        s->verified = name_is_verified(s);
        return true;
    }
    s->dead = true;
    s->tls_failed = true;
    if (s->must_verify && e.kind == ERR_TLS) {
        client_failure_set(f, true, "5.7.10",
                           "no verified TLS with %.*s, which this message requires (REQUIRETLS): "
                           "%s",
                           STR_ARG(buf_str(&s->relay)), e.text);
        return false;
    }
    client_failure_set(f, false, "4.7.5", "TLS with %.*s failed: %s", STR_ARG(buf_str(&s->relay)),
                       e.text);
    return false;
}

SUSPENDS static bool start_tls(struct client_session *s, struct client_failure *f)
{
    bool required = tls_is_required(s);
    if (s->job->next_hop.tls == NEXT_HOP_TLS_NONE && !required)
        return true;
    if (!(s->extensions & CLIENT_STARTTLS) || !s->job->tls)
        return required ? tls_is_missing(s, f) : true;
    if (!talk(s, "STARTTLS", STR("STARTTLS"), f))
        return false;
    if (s->reply.code != 220)
        return required || s->dead ? tls_is_missing(s, f) : true;
    return shake_hands(s, f) && say_hello(s, f);
}

SUSPENDS static bool log_in(struct client_session *s, struct client_failure *f)
{
    const struct next_hop *hop = &s->job->next_hop;
    if (!*hop->user)
        return true;
    if (!stream_is_tls(s->stream) || !s->verified)
        return tls_is_missing(s, f);
    if (!(s->extensions & CLIENT_AUTH_PLAIN)) {
        client_failure_set(f, false, "4.7.0", "%.*s offers no AUTH PLAIN",
                           STR_ARG(buf_str(&s->relay)));
        return false;
    }
    struct buf secret = BUF_EMPTY, line = BUF_EMPTY;
    buf_add_char(&secret, '\0');
    buf_add_c(&secret, hop->user);
    buf_add_char(&secret, '\0');
    buf_add_c(&secret, hop->password);
    buf_add_c(&line, "AUTH PLAIN ");
    buf_add_base64(&line, buf_str(&secret));
    bool ok = talk(s, "AUTH", buf_str(&line), f);
    explicit_bzero(secret.p, secret.n);
    explicit_bzero(line.p, line.n);
    buf_free(&secret);
    buf_free(&line);
    if (!ok || is_positive(s))
        return ok;
    /* A wrong password here is the administrator's to mend: the mail waits. */
    client_session_refused(s, "AUTH", f);
    client_failure_soften(f);
    return false;
}

/* RFC 8689 4.2.1: said under TLS. */
SUSPENDS static bool check_promise(struct client_session *s, struct client_failure *f)
{
    if (!s->must_verify || (s->extensions & CLIENT_REQUIRETLS))
        return true;
    client_failure_set(f, true, "5.7.30",
                       "%.*s does not promise to protect the message as it requires (REQUIRETLS)",
                       STR_ARG(buf_str(&s->relay)));
    client_session_quit(s);
    return false;
}

/* --- opening and closing --- */

SUSPENDS static bool greet(struct client_session *s, struct client_failure *f)
{
    if (!client_session_read(s, s->settings.greeting_timeout, "the greeting", f))
        return false;
    if (s->reply.code != 220) {
        client_session_refused(s, "the connection", f);
        if (s->job->next_hop.own_choice)
            client_failure_soften(f); /* our own host: to be mended, not the sender's fault */
        return false;
    }
    return true;
}

SUSPENDS static bool connect_host(struct client_session *s, struct client_failure *f)
{
    struct err e = {.kind = ERR_NONE};
    s->stream = stream_connect(s->job->loop, s->host->address, s->host->port, NULL,
                               deadline_in(s->settings.connect_timeout), &e);
    if (s->stream)
        return true;
    client_failure_set(f, false, "4.4.1", "%s (%s)", e.text, s->host->name);
    return false;
}

SUSPENDS bool client_session_open(struct client_session *s, const struct client_host *host,
                                  bool use_tls, struct client_failure *f)
{
    s->host = host;
    s->dead = s->tls_failed = s->needs_reset = s->verified = false;
    buf_clear(&s->relay);
    buf_printf(&s->relay, "%s[%s]:%u", host->name, host->address, host->port);
    bool implicit = is_implicit_tls(s);
    bool ok = connect_host(s, f) && (!implicit || shake_hands(s, f)) && greet(s, f) &&
              say_hello(s, f) && (implicit || !use_tls || start_tls(s, f)) && check_promise(s, f) &&
              log_in(s, f);
    if (tls_is_required(s) || implicit)
        s->tls_failed = false;
    if (!ok)
        client_session_close(s);
    return ok;
}

SUSPENDS bool client_session_open_next(struct client_session *s, const struct client_hosts *hosts,
                                       size_t *next, const char *id, struct client_failure *f)
{
    while (*next < hosts->count) {
        const struct client_host *host = &hosts->host[(*next)++];
        if (client_session_open(s, host, true, f))
            return true;
        s->may_recover |= !f->permanent;
        if (s->tls_failed) {
            log_info("smtp", id, "%.*s; once more without TLS", STR_ARG(buf_str(&f->text)));
            if (client_session_open(s, host, false, f))
                return true;
        }
        log_info("smtp", id, "relay=%.*s not used: %.*s", STR_ARG(buf_str(&s->relay)),
                 STR_ARG(buf_str(&f->text)));
    }
    return false;
}

void client_session_close(struct client_session *s)
{
    if (s->stream)
        stream_close(s->stream);
    s->stream = NULL;
    s->dead = true;
}

SUSPENDS void client_session_quit(struct client_session *s)
{
    struct client_failure ignored = {.permanent = false};
    if (s->stream && !s->dead) {
        stream_set_timeout(s->stream, s->settings.quit_timeout);
        if (client_session_send(s, &ignored, "QUIT") && client_session_flush(s, "QUIT", &ignored))
            client_session_read(s, s->settings.quit_timeout, "QUIT", &ignored);
    }
    client_failure_free(&ignored);
    client_session_close(s);
}

void client_session_free(struct client_session *s)
{
    client_session_close(s);
    client_reply_free(&s->reply);
    buf_free(&s->relay);
}
