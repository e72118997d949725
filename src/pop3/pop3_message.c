/*
 * RETR and TOP: a message from the store to the client in pieces, so that its size does not matter
 * to memory, and a slow client only to itself. The first piece is read before "+OK" is said; when
 * a later one fails, the reply cannot be taken back and the connection is closed without its end.
 */
#include "pop3/limits.h"
#include "pop3/multiline.h"
#include "pop3/session.h"

#include "core/log.h"
#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct sending {
    struct message_reader *reader;
    struct multiline multiline;
    uint64_t offset;
    struct buf out;
    char *piece;
};

/* Reads the next piece into out; *more tells whether another one is wanted. */
static bool read_piece(struct sending *x, bool *more, struct err *e)
{
    size_t got = 0;
    uint64_t left = message_reader_size(x->reader) - x->offset;
    size_t wanted = left < POP3_CHUNK ? (size_t)left : POP3_CHUNK;
    if (wanted > 0 && !message_read_at(x->reader, x->piece, wanted, x->offset, &got, e))
        return false;
    if (got < wanted)
        return err_set(e, ERR_IO, "the message is shorter than it was: %llu instead of %llu bytes",
                       (unsigned long long)(x->offset + got),
                       (unsigned long long)message_reader_size(x->reader));
    x->offset += got;
    *more = multiline_add(&x->multiline, str_from(x->piece, got), &x->out) && got < left;
    return true;
}

static bool send_rest(struct pop3_session *s, struct sending *x, bool more, struct err *e)
{
    for (;;) {
        if (!more)
            multiline_end(&x->multiline, &x->out);
        if (!stream_write(s->net.stream, buf_str(&x->out), e))
            return false;
        s->octets_sent += x->out.n;
        buf_clear(&x->out);
        if (!more)
            return true;
        if (!read_piece(x, &more, e))
            return false;
    }
}

static void log_failure(struct pop3_session *s, uint32_t uid, const struct err *e)
{
    if (e->kind != ERR_NOT_FOUND && e->kind != ERR_CANCELLED)
        log_error("pop3", s->net.id, "reading failed user=<%s> uid=%u reason=\"%s\"",
                  s->net.entry.login, uid, e->text);
}

static enum pop3_next send_opened(struct pop3_session *s, const struct maildrop_message *m,
                                  struct sending *x, const char *first_line)
{
    struct err e = {0};
    bool more;
    if (!read_piece(x, &more, &e)) {
        log_failure(s, m->uid, &e);
        return pop3_reply_err(s, &e);
    }
    pop3_ok(s, "%s", first_line);
    if (send_rest(s, x, more, &e)) {
        s->retrieved++;
        return POP3_GO_ON;
    }
    if (e.kind != ERR_CLOSED && e.kind != ERR_TIMEOUT)
        log_failure(s, m->uid, &e);
    stream_abort(s->net.stream); /* no end mark: the client must not take it for whole */
    return POP3_CLOSE;
}

static enum pop3_next send_message(struct pop3_session *s, const struct maildrop_message *m,
                                   struct multiline multiline, const char *first_line)
{
    struct err e = {0};
    struct sending x = {.multiline = multiline};
    if (!message_open(s->mailbox, m->uid, &x.reader, &e)) {
        log_failure(s, m->uid, &e);
        return pop3_reply_err(s, &e);
    }
    x.piece = mem_alloc(POP3_CHUNK);
    enum pop3_next next = send_opened(s, m, &x, first_line);
    message_close(x.reader);
    buf_free(&x.out);
    free(x.piece);
    return next;
}

enum pop3_next pop3_retr(struct pop3_session *s, struct str argument)
{
    enum pop3_next next;
    struct multiline multiline;
    const struct maildrop_message *m = pop3_message(s, str_trim(argument), &next);
    if (!m)
        return next;
    char text[40];
    snprintf(text, sizeof(text), "%llu octets", (unsigned long long)m->size);
    multiline_begin(&multiline);
    return send_message(s, m, multiline, text);
}

enum pop3_next pop3_top(struct pop3_session *s, struct str argument)
{
    enum pop3_next next;
    struct multiline multiline;
    uint64_t lines;
    struct str number = str_word(&argument);
    if (!str_to_u64(str_trim(argument), &lines))
        return pop3_error(s, "TOP needs the number of a message and a number of lines");
    const struct maildrop_message *m = pop3_message(s, number, &next);
    if (!m)
        return next;
    multiline_begin_top(&multiline, lines);
    return send_message(s, m, multiline, "The top of the message follows");
}
