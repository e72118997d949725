/*
 * The whole message is there: checks, the header lines we add, queue_accept(), and the reply that
 * takes or refuses responsibility (RFC 5321 4.2.5, 4.4; LMTP: one reply per recipient, RFC 2033).
 */
#include "core/log.h"
#include "mime/date.h"
#include "mime/header.h"
#include "smtp/limits.h"
#include "smtp/session.h"

#include <stdio.h>

struct header_facts {
    unsigned hops;
    bool date, message_id, too_large;
};

/* The same words for the one reply of SMTP and for each recipient of LMTP. */
static void reply_to_all(struct smtp_session *s, int code, const char *enhanced, const char *text)
{
    size_t times = smtp_protocol(s) == SERVICE_LMTP ? s->transaction->envelope.recipient_count : 1;
    for (size_t i = 0; i < times; i++)
        smtp_reply(s, code, enhanced, "%s", text);
}

static void log_refused(struct smtp_session *s, const char *reason)
{
    const struct smtp_transaction *t = s->transaction;
    log_info(smtp_component(s), t->envelope.id,
             "refused from=<%.*s> recipients=%zu size=%llu peer=%s reason=\"%s\"",
             STR_ARG(t->envelope.sender), t->envelope.recipient_count,
             (unsigned long long)t->wire_size, s->peer.address, reason);
}

static void refuse(struct smtp_session *s, int code, const char *enhanced, const char *text)
{
    reply_to_all(s, code, enhanced, text);
    log_refused(s, text);
    smtp_count_error(s);
}

static bool look_at_header(struct smtp_session *s, struct header_facts *facts, struct err *e)
{
    struct smtp_transaction *t = s->transaction;
    struct str block = spool_memory(t->message);
    struct buf read = BUF_EMPTY;
    *facts = (struct header_facts){0};
    if (!block.p) {
        if (!spool_read_header(t->message, SMTP_HEADER_MAX, &read, e)) {
            buf_free(&read);
            return false;
        }
        block = buf_str(&read);
        facts->too_large = read.n >= SMTP_HEADER_MAX;
    }
    struct header_field field;
    while (header_next(&block, &field)) {
        facts->hops += str_equal_nocase(field.name, STR("Received"));
        facts->date |= str_equal_nocase(field.name, STR("Date"));
        facts->message_id |= str_equal_nocase(field.name, STR("Message-ID"));
    }
    buf_free(&read);
    return true;
}

/* RFC 3848, RFC 6531 4.3. */
static void write_protocol(const struct smtp_session *s, struct buf *out)
{
    bool utf8 = s->transaction->envelope.smtputf8;
    if (smtp_protocol(s) == SERVICE_LMTP)
        buf_add_c(out, utf8 ? "UTF8LMTP" : "LMTP");
    else if (utf8)
        buf_add_c(out, "UTF8SMTP");
    else
        buf_add_c(out, s->peer.extended ? "ESMTP" : "SMTP");
    if (!s->peer.extended)
        return;
    if (stream_is_tls(s->net.stream))
        buf_add_char(out, 'S');
    if (smtp_login(s))
        buf_add_char(out, 'A');
}

/* Received (RFC 5321 4.4), folded. */
static void write_received(const struct smtp_session *s, struct buf *out)
{
    const struct envelope *envelope = &s->transaction->envelope;
    const char *peer = s->peer.address;
    buf_printf(out, "Received: from %s (", s->peer.helo);
    if (s->peer.loopback && !strchr(peer, '.') && !strchr(peer, ':'))
        buf_add_c(out, "local");
    else
        buf_printf(out, "%s%s%s", strchr(peer, ':') ? "[IPv6:" : "[", peer, "]");
    buf_printf(out, ")\n\tby %s (maild) with ", s->net.service->hostname);
    write_protocol(s, out);
    buf_printf(out, " id %s", envelope->id);
    if (stream_is_tls(s->net.stream))
        buf_printf(out, "\n\t(%s %s)", stream_tls_version(s->net.stream),
                   stream_tls_cipher(s->net.stream));
    if (envelope->recipient_count == 1)
        buf_printf(out, "\n\tfor <%.*s>", STR_ARG(envelope->recipients[0].address));
    buf_add_c(out, ";\n\t");
    date_write_header(out, clock_wall() / USEC_SEC);
    buf_add_char(out, '\n');
}

/* RFC 6409 8.1, 8.2: a message from one of our users gets what it lacks. */
static void write_missing(const struct smtp_session *s, const struct header_facts *facts,
                          struct buf *out)
{
    if (smtp_protocol(s) != SERVICE_SUBMISSION)
        return;
    if (!facts->date) {
        buf_add_c(out, "Date: ");
        date_write_header(out, clock_wall() / USEC_SEC);
        buf_add_char(out, '\n');
    }
    if (!facts->message_id)
        buf_printf(out, "Message-ID: <%s@%s>\n", s->transaction->envelope.id,
                   s->net.service->hostname);
}

static bool has_bare_newlines(const struct smtp_transaction *t)
{
    return t->decoder.bare_cr || t->decoder.bare_lf || t->decoder.nul;
}

/* False when the message was refused with a reply. */
static bool check_message(struct smtp_session *s, struct header_facts *facts)
{
    struct smtp_transaction *t = s->transaction;
    if (t->too_large) {
        refuse(s, 552, "5.3.4", "The message is larger than the limit announced with SIZE");
        return false;
    }
    if (s->settings->bare_newline != 0 && has_bare_newlines(t)) {
        refuse(s, 550, "5.5.2", "The message has a bare CR, a bare LF or a NUL");
        return false;
    }
    if (t->error.kind == ERR_NONE)
        look_at_header(s, facts, &t->error);
    if (t->error.kind != ERR_NONE) {
        log_error(smtp_component(s), t->envelope.id, "%s", t->error.text);
        refuse(s, t->error.kind == ERR_NO_SPACE ? 452 : 451, "4.3.1",
               "The server cannot store the message now");
        return false;
    }
    if (facts->too_large) {
        refuse(s, 552, "5.3.4", "The header of the message is too large");
        return false;
    }
    if (facts->hops > (unsigned)s->settings->hops_max) {
        refuse(s, 554, "5.4.6", "Too many Received headers: the message seems to loop");
        return false;
    }
    return true;
}

static void reply_accepted(struct smtp_session *s)
{
    smtp_reply(s, 250, "2.0.0", "Ok, %s", s->transaction->envelope.id);
}

/* RFC 2033 4.2: in the order of the RCPTs. */
static void reply_per_recipient(struct smtp_session *s)
{
    const struct envelope *envelope = &s->transaction->envelope;
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        const struct envelope_recipient *r = &envelope->recipients[i];
        if (r->accepted) {
            smtp_reply(s, 250, "2.1.5", "<%.*s> Ok, %s", STR_ARG(r->address), envelope->id);
            continue;
        }
        log_info(smtp_component(s), envelope->id, "refused to=<%.*s> reason=\"%s\"",
                 STR_ARG(r->address), r->error.text);
        smtp_reply_err(s, &r->error, "");
    }
}

static void log_accepted(struct smtp_session *s)
{
    const struct smtp_transaction *t = s->transaction;
    const char *tls = stream_tls_version(s->net.stream);
    log_info(smtp_component(s), t->envelope.id,
             "accepted session=%s from=<%.*s> to=<%.*s> recipients=%zu size=%llu peer=%s helo=%s "
             "login=%s tls=%s delay=%lldms",
             s->net.id, STR_ARG(t->envelope.sender), STR_ARG(t->envelope.recipients[0].address),
             t->envelope.recipient_count, (unsigned long long)spool_size(t->message),
             s->peer.address, s->peer.helo, smtp_login(s) ? smtp_login(s) : "-", tls ? tls : "-",
             (long long)((clock_monotonic() - t->started) / USEC_MSEC));
}

static void hand_over(struct smtp_session *s, const struct header_facts *facts)
{
    struct smtp_transaction *t = s->transaction;
    bool lmtp = smtp_protocol(s) == SERVICE_LMTP;
    struct buf prefix = BUF_EMPTY;
    struct err e = {0};
    write_received(s, &prefix);
    write_missing(s, facts, &prefix);
    t->envelope.prefix = buf_str(&prefix);
    t->envelope.body_8bit |= t->decoder.eight_bit;

    bool accepted = queue_accept(s->context->queue, &t->envelope, t->message, lmtp, &e);
    if (lmtp) {
        reply_per_recipient(s);
    } else if (accepted) {
        reply_accepted(s);
    } else {
        log_refused(s, e.text);
        smtp_reply_err(s, &e, "");
    }
    if (accepted)
        log_accepted(s);
    buf_free(&prefix);
}

enum smtp_next smtp_message_received(struct smtp_session *s)
{
    struct header_facts facts;
    s->net.entry.state = "delivering";
    if (check_message(s, &facts))
        hand_over(s, &facts);
    smtp_transaction_free(s);
    s->messages++;
    s->idle_commands = 0;
    return smtp_after_replies(s);
}
