/*
 * One mail transaction with another server (RFC 5321 3.3): MAIL, RCPT for each recipient, DATA, the
 * message, the dot. With PIPELINING (RFC 2920) MAIL to DATA leave in one go and the replies are
 * matched in order; otherwise each command waits for its reply. Either way every recipient has its
 * own result: a refused MAIL, DATA or dot is the result of all that were not refused before.
 *
 * The one moment of doubt is after the final dot: if the reply is lost, the server may have the
 * message or not. It is sent again later; a duplicate is possible, a loss is not. Before the dot
 * nothing was taken over, and another host may be tried at once.
 *
 * If the message cannot be read to its end the connection is cut without the dot: half a message
 * must not be taken for a whole one.
 */
#include "mime/header.h"
#include "smtp/client_downgrade.h"
#include "smtp/client_encoder.h"
#include "smtp/client_options.h"
#include "smtp/client_session.h"

#define DATA_CHUNK ((size_t)32 * 1024)
/* Header block that is searched for UTF-8. */
#define HEADER_MAX ((size_t)256 * 1024)

struct mail {
    struct client_session *s;
    struct transport_message *m;
    struct spool *body; /* what is sent: m->body, or another form of it */
    uint64_t size_crlf;
    struct client_failure failure;
    bool *accepted; /* by recipient: RCPT was answered with yes */
    size_t accepted_count;
    bool use_utf8;
    bool in_doubt; /* the server may have the message: no other one is asked now */
};

/* --- results --- */

static void set_result(struct transport_message *m, size_t i, enum transport_status status,
                       const char *code, struct str text, struct str relay)
{
    struct transport_recipient *t = &m->recipients[i];
    t->status = status;
    t->code = arena_str(m->arena, str_from_c(code));
    t->text = arena_str(m->arena, text);
    t->relay = arena_str(m->arena, relay);
}

static void fail_one(struct transport_message *m, size_t i, struct str relay,
                     const struct client_failure *f)
{
    set_result(m, i, f->permanent ? TRANSPORT_FAILED : TRANSPORT_DEFERRED, f->code,
               buf_str(&f->text), relay);
}

void client_mail_fail(struct transport_message *m, struct str relay, const struct client_failure *f)
{
    for (size_t i = 0; i < m->recipient_count; i++)
        if (m->recipients[i].status == TRANSPORT_DEFERRED)
            fail_one(m, i, relay, f);
}

/* For those whose RCPT was accepted; all that have no final result when `all`. */
static void fail_rest(struct mail *x, bool all)
{
    struct str relay = buf_str(&x->s->relay);
    for (size_t i = 0; i < x->m->recipient_count; i++)
        if (x->m->recipients[i].status == TRANSPORT_DEFERRED && (all || x->accepted[i]))
            fail_one(x->m, i, relay, &x->failure);
}

static bool is_pending(const struct mail *x, size_t i)
{
    return x->m->recipients[i].status == TRANSPORT_DEFERRED;
}

static size_t count_pending(const struct mail *x)
{
    size_t count = 0;
    for (size_t i = 0; i < x->m->recipient_count; i++)
        count += is_pending(x, i);
    return count;
}

static bool is_positive(const struct mail *x)
{
    return x->s->reply.code >= 200 && x->s->reply.code < 300;
}

/* --- what the server must be able to do --- */

SUSPENDS static bool header_is_ascii(struct mail *x)
{
    struct err e;
    struct buf header = BUF_EMPTY;
    bool ok = spool_read_header(x->m->body, HEADER_MAX, &header, &e) &&
              str_is_ascii(buf_str(&header)) && str_is_ascii(x->m->prefix);
    buf_free(&header);
    return ok;
}

/* For a server without 8BITMIME. */
SUSPENDS static bool downgrade(struct mail *x)
{
    struct spool *body;
    if (!client_downgrade(x->m, &body, &x->size_crlf, &x->failure))
        return false;
    spool_unref(x->body);
    x->body = body;
    return true;
}

/* Recipients that only a server with SMTPUTF8 could take. */
static void fail_utf8_recipients(struct mail *x)
{
    for (size_t i = 0; i < x->m->recipient_count; i++)
        if (is_pending(x, i) && !str_is_ascii(x->m->recipients[i].address))
            fail_one(x->m, i, buf_str(&x->s->relay), &x->failure);
}

static bool is_printable(struct str address)
{
    for (size_t i = 0; i < address.n; i++)
        if ((unsigned char)address.p[i] < ' ' || address.p[i] == 127)
            return false;
    return true;
}

/* Addresses come from parsers that let nothing else through; this is the last gate before the wire.
 */
static void fail_unprintable(struct mail *x)
{
    client_failure_set(&x->failure, true, "5.1.3", "the address holds control characters");
    for (size_t i = 0; i < x->m->recipient_count; i++)
        if (is_pending(x, i) &&
            !(is_printable(x->m->recipients[i].address) && is_printable(x->m->sender)))
            fail_one(x->m, i, STR(""), &x->failure);
}

/* False: no recipient is left that the server could take the message for. */
SUSPENDS static bool check_abilities(struct mail *x)
{
    const struct client_session *s = x->s;
    const struct transport_message *m = x->m;
    struct str relay = buf_str(&s->relay);
    fail_unprintable(x);
    if (!client_options_check(s, m, &x->failure)) {
        fail_rest(x, true);
        return false;
    }
    x->use_utf8 = m->smtputf8 && (s->extensions & CLIENT_SMTPUTF8);
    if (m->body_8bit && !(s->extensions & CLIENT_8BITMIME) && !downgrade(x)) {
        fail_rest(x, true);
        return false;
    }
    if (s->size_max > 0 && x->size_crlf > s->size_max) {
        client_failure_set(
            &x->failure, true, "5.3.4", "the message has %llu bytes, %.*s takes %llu at most",
            (unsigned long long)x->size_crlf, STR_ARG(relay), (unsigned long long)s->size_max);
        fail_rest(x, true);
        return false;
    }
    if (!(s->extensions & CLIENT_SMTPUTF8)) {
        client_failure_set(&x->failure, true, "5.6.7",
                           "%.*s cannot take international addresses (SMTPUTF8)", STR_ARG(relay));
        fail_utf8_recipients(x);
        if (!str_is_ascii(m->sender) || (m->smtputf8 && !header_is_ascii(x)))
            fail_rest(x, true);
    }
    return count_pending(x) > 0;
}

/* --- the envelope --- */

SUSPENDS static bool send_mail(struct mail *x)
{
    struct client_session *s = x->s;
    struct buf parameters = BUF_EMPTY;
    if (s->extensions & CLIENT_SIZE)
        buf_printf(&parameters, " SIZE=%llu", (unsigned long long)x->size_crlf);
    if (x->m->body_8bit && (s->extensions & CLIENT_8BITMIME))
        buf_add_c(&parameters, " BODY=8BITMIME");
    if (x->use_utf8)
        buf_add_c(&parameters, " SMTPUTF8");
    client_options_add_mail(&parameters, s, x->m);
    s->needs_reset = true;
    bool ok = client_session_send(s, &x->failure, "MAIL FROM:<%.*s>%.*s", STR_ARG(x->m->sender),
                                  STR_ARG(buf_str(&parameters)));
    buf_free(&parameters);
    return ok;
}

SUSPENDS static bool send_recipient(struct mail *x, size_t i)
{
    struct buf parameters = BUF_EMPTY;
    const struct transport_recipient *r = &x->m->recipients[i];
    client_options_add_recipient(&parameters, x->s, x->m, r);
    bool ok = client_session_send(x->s, &x->failure, "RCPT TO:<%.*s>%.*s", STR_ARG(r->address),
                                  STR_ARG(buf_str(&parameters)));
    buf_free(&parameters);
    return ok;
}

SUSPENDS static bool flush(struct mail *x, const char *command)
{
    return client_session_flush(x->s, command, &x->failure);
}

/* All commands of the envelope at once. */
SUSPENDS static bool send_pipelined(struct mail *x)
{
    stream_set_timeout(x->s->stream, x->s->settings.mail_timeout);
    if (!send_mail(x))
        return false;
    for (size_t i = 0; i < x->m->recipient_count; i++)
        if (is_pending(x, i) && !send_recipient(x, i))
            return false;
    return client_session_send(x->s, &x->failure, "DATA") && flush(x, "MAIL");
}

/* False: the connection broke. *ok: MAIL was accepted. */
SUSPENDS static bool read_mail(struct mail *x, bool *ok)
{
    if (!client_session_read(x->s, x->s->settings.mail_timeout, "MAIL", &x->failure))
        return false;
    *ok = is_positive(x);
    if (!*ok) {
        client_session_refused(x->s, "MAIL", &x->failure);
        fail_rest(x, true);
    }
    return !x->s->dead;
}

SUSPENDS static bool read_recipient(struct mail *x, size_t i)
{
    if (!client_session_read(x->s, x->s->settings.recipient_timeout, "RCPT", &x->failure))
        return false;
    if (is_positive(x)) {
        x->accepted[i] = true;
        x->accepted_count++;
        return true;
    }
    client_session_refused(x->s, "RCPT", &x->failure);
    if (x->s->reply.code == 552) /* too many recipients: RFC 5321 4.5.3.1.10 */
        client_failure_soften(&x->failure);
    fail_one(x->m, i, buf_str(&x->s->relay), &x->failure);
    return !x->s->dead;
}

/* *go_on: 354. A refusal is the result of the accepted recipients. */
SUSPENDS static bool read_data(struct mail *x, bool *go_on)
{
    if (!client_session_read(x->s, x->s->settings.data_timeout, "DATA", &x->failure))
        return false;
    *go_on = x->s->reply.code == 354;
    if (*go_on)
        return true;
    client_session_refused(x->s, "DATA", &x->failure);
    if (is_positive(x)) { /* neither yes nor no: what would it take the next command for? */
        x->s->dead = x->in_doubt = true;
        client_failure_set(&x->failure, false, "4.5.0", "%.*s answers DATA with %d",
                           STR_ARG(buf_str(&x->s->relay)), x->s->reply.code);
    }
    fail_rest(x, false);
    return !x->s->dead;
}

/* MAIL was refused, but RCPT and DATA are on their way: their replies are read and mean nothing,
 * except that a 354 wants a dot. */
SUSPENDS static bool drain_pipelined(struct mail *x, size_t recipients, bool *go_on)
{
    for (size_t i = 0; i < recipients; i++)
        if (!client_session_read(x->s, x->s->settings.recipient_timeout, "RCPT", &x->failure))
            return false;
    if (!client_session_read(x->s, x->s->settings.data_timeout, "DATA", &x->failure))
        return false;
    *go_on = x->s->reply.code == 354;
    return true;
}

SUSPENDS static bool talk_pipelined(struct mail *x, bool *go_on)
{
    size_t pending = count_pending(x);
    bool *asked = arena_array(x->m->arena, x->m->recipient_count, sizeof(*asked));
    bool mail_ok;
    for (size_t i = 0; i < x->m->recipient_count; i++)
        asked[i] = is_pending(x, i);
    if (!send_pipelined(x) || !read_mail(x, &mail_ok))
        return false;
    if (!mail_ok)
        return drain_pipelined(x, pending, go_on);
    for (size_t i = 0; i < x->m->recipient_count; i++)
        if (asked[i] && !read_recipient(x, i))
            return false;
    return read_data(x, go_on);
}

SUSPENDS static bool talk_in_turn(struct mail *x, bool *go_on)
{
    bool mail_ok;
    stream_set_timeout(x->s->stream, x->s->settings.mail_timeout);
    if (!send_mail(x) || !flush(x, "MAIL") || !read_mail(x, &mail_ok))
        return false;
    for (size_t i = 0; mail_ok && i < x->m->recipient_count; i++)
        if (is_pending(x, i) && !(send_recipient(x, i) && flush(x, "RCPT") && read_recipient(x, i)))
            return false;
    if (x->accepted_count == 0)
        return true;
    return client_session_send(x->s, &x->failure, "DATA") && flush(x, "DATA") &&
           read_data(x, go_on);
}

/* --- the message --- */

SUSPENDS static bool write_wire(struct mail *x, struct buf *wire)
{
    struct err e;
    bool ok = stream_write(x->s->stream, buf_str(wire), &e);
    if (!ok)
        client_session_lost(x->s, "sending the message", &e, &x->failure);
    buf_clear(wire);
    return ok;
}

SUSPENDS static bool write_body(struct mail *x, struct client_encoder *encoder, char *chunk,
                                struct buf *wire)
{
    struct err e;
    size_t got = 1;
    for (uint64_t at = 0; got > 0; at += got) {
        if (!spool_read_at(x->body, chunk, DATA_CHUNK, at, &got, &e) ||
            (got == 0 && at < spool_size(x->body))) {
            x->s->dead = true;
            client_failure_set(&x->failure, false, "4.3.0", "the message cannot be read");
            return false;
        }
        client_encode(encoder, wire, str_from(chunk, got));
        if (!write_wire(x, wire))
            return false;
    }
    return true;
}

SUSPENDS static bool send_message(struct mail *x)
{
    struct client_encoder encoder = {.in_line = false};
    struct buf wire = BUF_EMPTY, chunk = BUF_EMPTY;
    stream_set_timeout(x->s->stream, x->s->settings.data_block_timeout);
    client_encode(&encoder, &wire, x->m->prefix);
    bool ok = write_body(x, &encoder, buf_reserve(&chunk, DATA_CHUNK), &wire);
    if (ok) {
        client_encode_end(&encoder, &wire);
        x->in_doubt = true;
        ok = write_wire(x, &wire) && flush(x, "the end of the message");
    }
    buf_free(&wire);
    buf_free(&chunk);
    return ok;
}

static void set_delivered(struct mail *x)
{
    struct buf text = BUF_EMPTY;
    client_reply_write(&text, &x->s->reply);
    for (size_t i = 0; i < x->m->recipient_count; i++) {
        if (!x->accepted[i])
            continue;
        set_result(x->m, i, TRANSPORT_DELIVERED,
                   *x->s->reply.enhanced ? x->s->reply.enhanced : "2.0.0",
                   client_text_cut(buf_str(&text)), buf_str(&x->s->relay));
        client_options_passed(x->s, &x->m->recipients[i]);
    }
    buf_free(&text);
}

SUSPENDS static bool finish_message(struct mail *x)
{
    if (!send_message(x) || !client_session_read(x->s, x->s->settings.data_end_timeout,
                                                 "the end of the message", &x->failure))
        return false;
    x->s->needs_reset = false;
    if (is_positive(x)) {
        set_delivered(x);
        return true;
    }
    client_session_refused(x->s, "the end of the message", &x->failure);
    fail_rest(x, false);
    return true;
}

/* DATA was accepted with nobody to send to: RFC 2920 3.1 wants an empty message. */
SUSPENDS static bool finish_empty(struct mail *x)
{
    x->s->needs_reset = true;
    return client_session_send(x->s, &x->failure, ".") && flush(x, "DATA") &&
           client_session_read(x->s, x->s->settings.data_end_timeout, "DATA", &x->failure);
}

/* --- all of it --- */

SUSPENDS static bool reset(struct mail *x)
{
    if (!x->s->needs_reset)
        return true;
    stream_set_timeout(x->s->stream, x->s->settings.hello_timeout);
    if (!client_session_send(x->s, &x->failure, "RSET") || !flush(x, "RSET") ||
        !client_session_read(x->s, x->s->settings.hello_timeout, "RSET", &x->failure))
        return false;
    x->s->needs_reset = false;
    if (x->s->dead)
        client_session_refused(x->s, "RSET", &x->failure);
    return !x->s->dead;
}

/* False: the connection broke, x->failure says how. */
SUSPENDS static bool transact(struct mail *x)
{
    bool go_on = false;
    if (!reset(x))
        return false;
    bool ok =
        x->s->extensions & CLIENT_PIPELINING ? talk_pipelined(x, &go_on) : talk_in_turn(x, &go_on);
    if (!ok || !go_on)
        return ok;
    return x->accepted_count > 0 ? finish_message(x) : finish_empty(x);
}

SUSPENDS bool client_mail_send(struct client_session *s, struct transport_message *m)
{
    struct mail x = {.s = s, .m = m, .body = spool_ref(m->body), .size_crlf = m->size_crlf};
    x.accepted = arena_array(m->arena, m->recipient_count, sizeof(*x.accepted));
    m->tls = stream_tls_version(s->stream);
    if (check_abilities(&x) && !transact(&x))
        fail_rest(&x, true);
    bool retry = s->dead && !x.in_doubt && count_pending(&x) > 0;
    spool_unref(x.body);
    client_failure_free(&x.failure);
    return retry;
}
