/*
 * DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030): message bytes from the wire through the one decoder
 * into a spool. A message that is too large, or that the disk refuses, is read to its end all the
 * same, so that the client is in step with us and hears why.
 *
 * A message of BODY=BINARYMIME comes with BDAT only, and its binary parts become base64 before they
 * meet the decoder: what is stored, and sent on, is text. Its limit is that of what the client
 * sends, so the stored form may be larger.
 */
#include "mime/unbinary.h"
#include "smtp/limits.h"
#include "smtp/smtp_command.h"
#include "smtp/syntax.h"

static void message_begin(struct smtp_session *s, enum data_form form)
{
    struct smtp_transaction *t = s->transaction;
    struct message_origin origin = smtp_message_origin(s, t);
    struct header_rules rules = message_rules(s->settings, &origin);
    rules.rewriter = &t->rewriter;
    rules.keep_authors = smtp_policy_wants_authors(s);
    uint64_t most = (uint64_t)s->settings->message_size_max;
    if (t->binary) {
        t->unbinary = mime_unbinary_new();
        most += most / 2;
    }
    incoming_begin(&t->incoming, s->context->spool_dir, t->envelope.id, &rules, most);
    t->data_begun = clock_monotonic();
    data_decoder_init(&t->decoder, form);
    t->policy = data_policy_of(s->settings, smtp_is_trusted(s));
    data_policy_apply(&t->policy, &t->decoder);
}

/* The decoded piece goes on. */
static void message_keep(struct smtp_session *s)
{
    struct smtp_transaction *t = s->transaction;
    incoming_add(&t->incoming, buf_str(&t->decoded));
    buf_clear(&t->decoded);
}

/* A piece of BDAT. */
static void decode_counted(struct smtp_transaction *t, struct str wire)
{
    t->wire_size += wire.n;
    if (t->unbinary)
        mime_unbinary_feed(t->unbinary, wire, &t->encoded);
    data_decoder_feed(&t->decoder, t->unbinary ? buf_str(&t->encoded) : wire, &t->decoded);
    buf_clear(&t->encoded);
}

static void end_counted(struct smtp_session *s)
{
    struct smtp_transaction *t = s->transaction;
    if (t->unbinary) {
        if (!mime_unbinary_end(t->unbinary, &t->encoded))
            smtp_refuse(&t->incoming.refusal, 554, "5.6.3",
                        "The structure of the message is beyond the limits here");
        if (t->wire_size > (uint64_t)s->settings->message_size_max)
            smtp_refuse(&t->incoming.refusal, 552, "5.3.4",
                        "The message is larger than the limit of %lld",
                        (long long)s->settings->message_size_max);
        data_decoder_feed(&t->decoder, buf_str(&t->encoded), &t->decoded);
    }
    data_decoder_finish(&t->decoder, &t->decoded);
}

static bool message_is_endless(const struct smtp_session *s)
{
    return s->transaction->wire_size / SMTP_OVERSIZE_FACTOR >
           (uint64_t)s->settings->message_size_max;
}

/* What to say when the bytes stop coming, or do not stop. The session ends. Who still sends may not
 * hear it; who does hears that there is no use in coming again. */
static enum smtp_next message_broken_off(struct smtp_session *s, const struct err *e)
{
    if (e->kind == ERR_TIMEOUT)
        smtp_reply(s, 421, "4.4.2", "Timeout while waiting for the message");
    else if (e->kind == ERR_LIMIT)
        smtp_reply(s, 552, "5.3.4", "The message is far larger than the limit of %lld",
                   (long long)s->settings->message_size_max);
    return SMTP_CLOSE;
}

/* Waits until there are bytes in the stream's buffer. Replies to what came before leave first: the
 * client may wait for them within a chunk (RFC 2920 3.2). */
static bool receive_some(struct smtp_session *s, usec begun, uint64_t received, struct err *e)
{
    struct stream *stream = s->net.stream;
    return stream_buffered(stream).n > 0 ||
           (stream_flush(stream, e) && stream_is_in_time(stream, begun, received, e) &&
            stream_fill(stream, SMTP_DATA_CHUNK, e));
}

static bool receive_dotted(struct smtp_session *s, struct err *e)
{
    struct smtp_transaction *t = s->transaction;
    usec begun = clock_monotonic();
    while (!t->decoder.ended) {
        if (!receive_some(s, begun, t->wire_size, e))
            return false;
        size_t taken = data_decoder_feed(&t->decoder, stream_buffered(s->net.stream), &t->decoded);
        stream_consume(s->net.stream, taken);
        t->wire_size += taken;
        message_keep(s);
        if (message_is_endless(s))
            return err_set(e, ERR_LIMIT, "the message has no end");
    }
    return true;
}

enum smtp_next smtp_data(struct smtp_session *s, struct str argument)
{
    struct err e = {0};
    (void)argument;
    if (s->transaction->binary)
        return smtp_reply_error(s, 503, "5.5.1", "Say BDAT: a BINARYMIME message has no lines");
    smtp_reply(s, 354, NULL, "End the message with <CRLF>.<CRLF>");
    if (!stream_flush(s->net.stream, &e))
        return SMTP_CLOSE;
    message_begin(s, DATA_DOTTED);
    if (!receive_dotted(s, &e))
        return message_broken_off(s, &e);
    return smtp_message_received(s);
}

/* --- BDAT --- */

/* keep: into the transaction's message; else the bytes are only passed over. */
static bool receive_chunk(struct smtp_session *s, uint64_t size, bool keep, struct err *e)
{
    struct smtp_transaction *t = s->transaction;
    usec begun = clock_monotonic();
    uint64_t whole = size;
    while (size > 0) {
        if (!receive_some(s, begun, whole - size, e))
            return false;
        struct str piece = stream_buffered(s->net.stream);
        piece = str_head(piece, size < piece.n ? (size_t)size : piece.n);
        size -= piece.n;
        if (keep)
            decode_counted(t, piece);
        stream_consume(s->net.stream, piece.n);
        if (keep) {
            message_keep(s);
            if (message_is_endless(s))
                return err_set(e, ERR_LIMIT, "the message has no end");
        }
    }
    return true;
}

enum smtp_next smtp_bdat(struct smtp_session *s, struct str argument)
{
    struct smtp_transaction *t = s->transaction;
    struct err e = {0};
    uint64_t size;
    bool last;
    if (!smtp_parse_chunk(argument, &size, &last)) {
        /* Where the next command begins cannot be known. */
        smtp_reply(s, 501, "5.5.4", "Say BDAT size [LAST]");
        return SMTP_CLOSE;
    }
    bool usable = t && t->envelope.recipient_count > 0;
    if (usable && !t->incoming.spool) {
        message_begin(s, DATA_COUNTED);
        t->chunking = true;
    }
    /* A byte now and then is as slow in chunks as it is in one piece. */
    if (usable && !stream_is_in_time(s->net.stream, t->data_begun, t->wire_size, &e))
        return message_broken_off(s, &e);
    if (!usable && size > (uint64_t)s->settings->message_size_max) {
        smtp_reply(s, 552, "5.3.4", "Too large, and not expected");
        return SMTP_CLOSE;
    }
    if (!receive_chunk(s, size, usable, &e))
        return message_broken_off(s, &e);
    if (!usable && t)
        return smtp_reply_no_recipients(s);
    if (!usable)
        return smtp_reply_error(s, 503, "5.5.1", "Say MAIL first");
    if (last) {
        end_counted(s);
        message_keep(s);
        return smtp_message_received(s);
    }
    smtp_reply(s, 250, "2.0.0", "%llu bytes received", (unsigned long long)size);
    return size > 0 ? SMTP_GO_ON : smtp_count_idle(s);
}
