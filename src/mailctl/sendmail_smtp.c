/*
 * The message to the server, as any other program would hand it in (RFC 5321), over the Unix socket
 * of its listener for local programs: the kernel tells it who we are. One command after the other:
 * on a socket of the same machine there is nothing to be gained by sending ahead.
 *
 * All or nobody: when the server refuses one recipient, the message is not sent to the others, so
 * that who sees the exit status knows what it means.
 */
#include "mailctl/sendmail.h"
#include "smtp/client_encoder.h"
#include "smtp/xtext.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define REPLY_MAX ((size_t)64 * 1024)
/* The server reads a message and delivers it, maybe on a slow disk (RFC 5321 4.5.3.2.6). */
#define REPLY_PATIENCE_SECONDS 600
#define SEND_SIZE              ((size_t)64 * 1024)

struct dialog {
    struct sendmail *s;
    int fd;
    struct buf in, out;
    int code;
    struct str text;     /* of the last reply's last line, behind the code */
    struct buf extended; /* the answer to EHLO */
    struct client_encoder encoder;
};

static int connect_server(const char *path, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = REPLY_PATIENCE_SECONDS};
    size_t n = strlen(path);
    if (n >= sizeof(address.sun_path)) {
        err_set(e, ERR_PERM, "%s: too long for the path of a socket", path);
        return -1;
    }
    memcpy(address.sun_path, path, n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        return fd;
    }
    err_set_errno(e, errno, "%s", path);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* --- the dialog --- */

static bool send_all(int fd, struct str bytes, struct err *e)
{
    while (bytes.n > 0) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(e, ERR_CLOSED, "the server closed the connection");
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

static bool read_more(struct dialog *d, struct err *e)
{
    ssize_t n;
    if (d->in.n > REPLY_MAX)
        return err_set(e, ERR_LIMIT, "the server's reply has no end");
    do
        n = read(d->fd, buf_reserve(&d->in, 4096), 4096);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return err_set(e, ERR_CLOSED, "the server closed the connection");
    d->in.n += (size_t)n;
    return true;
}

/* All lines of a reply. */
static bool read_reply(struct dialog *d, struct err *e)
{
    size_t at = 0;
    buf_clear(&d->extended);
    for (;;) {
        ptrdiff_t end = str_find_char(str_skip(buf_str(&d->in), at), '\n');
        if (end < 0) {
            if (!read_more(d, e))
                return false;
            continue;
        }
        struct str line = str_trim(str_from(d->in.p + at, (size_t)end));
        uint32_t code;
        at += (size_t)end + 1;
        if (line.n < 3 || !str_to_u32(str_head(line, 3), &code))
            return err_set(e, ERR_CLOSED, "the server does not speak SMTP");
        d->code = (int)code;
        if (d->s->verbose)
            fprintf(stderr, "<<< %.*s\n", STR_ARG(line));
        buf_add_str(&d->extended, str_skip(line, 4));
        buf_add_char(&d->extended, '\n');
        if (line.n == 3 || line.p[3] != '-') {
            d->text = arena_str(d->s->arena, str_skip(line, 4));
            buf_consume(&d->in, at);
            return true;
        }
    }
}

/* What d->out holds, and the reply to it. */
static bool ask_server(struct dialog *d, struct err *e)
{
    if (d->s->verbose)
        fprintf(stderr, ">>> %.*s\n", STR_ARG(str_trim(buf_str(&d->out))));
    bool ok = send_all(d->fd, buf_str(&d->out), e);
    buf_clear(&d->out);
    /* A server that ends the connection says why first. */
    return read_reply(d, ok ? e : NULL);
}

static bool offers(const struct dialog *d, const char *keyword)
{
    struct str rest = buf_str(&d->extended);
    for (struct str line; (line = str_split(&rest, '\n')).p;)
        if (str_equal_nocase(str_word(&line), str_from_c(keyword)))
            return true;
    return false;
}

/* --- what replies mean --- */

/* Of a refusal for good; the enhanced code says it best (RFC 3463). */
static int status_of(const struct dialog *d)
{
    static const struct {
        const char *code;
        int status;
    } known[] = {
        {"5.1.1", EX_NOUSER},  {"5.1.2", EX_NOHOST},    {"5.1.10", EX_NOHOST},
        {"5.1.", EX_NOUSER},   {"5.2.2", EX_CANTCREAT}, {"5.2.", EX_UNAVAILABLE},
        {"5.3.4", EX_DATAERR}, {"5.5.2", EX_DATAERR},   {"5.6.", EX_DATAERR},
        {"5.7.", EX_NOPERM},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_starts_with(d->text, str_from_c(known[i].code)))
            return known[i].status;
    return EX_UNAVAILABLE;
}

/* EX_OK when the reply is of that class. */
static int judge(const struct dialog *d, int class, const char *what, struct err *e)
{
    if (d->code / 100 == class)
        return EX_OK;
    bool later = d->code / 100 != 5;
    err_set(e, later ? ERR_TEMP : ERR_PERM, "%s%s%.*s", what, what[0] ? ": " : "",
            STR_ARG(str_head(d->text, 200)));
    return later ? EX_TEMPFAIL : status_of(d);
}

static int say(struct dialog *d, int class, const char *what, struct err *e)
{
    if (!ask_server(d, e))
        return EX_TEMPFAIL;
    return judge(d, class, what, e);
}

/* --- the commands --- */

static bool is_utf8_needed(const struct sendmail *s)
{
    bool needed = !str_is_ascii(str_from_c(s->sender));
    for (size_t i = 0; i < s->recipient_count; i++)
        needed |= !str_is_ascii(s->recipients[i]);
    return needed;
}

static int say_mail(struct dialog *d, struct err *e)
{
    const struct sendmail *s = d->s;
    bool dsn = offers(d, "DSN");
    buf_printf(&d->out, "MAIL FROM:<%s>", s->sender);
    if (s->eight_bit && offers(d, "8BITMIME"))
        buf_add_c(&d->out, " BODY=8BITMIME");
    if (offers(d, "SIZE"))
        buf_printf(&d->out, " SIZE=%llu", (unsigned long long)sendmail_size(s));
    if (is_utf8_needed(s) && offers(d, "SMTPUTF8"))
        buf_add_c(&d->out, " SMTPUTF8");
    if (dsn && s->dsn_return != DSN_RETURN_UNSET)
        buf_printf(&d->out, " RET=%s", s->dsn_return == DSN_RETURN_FULL ? "FULL" : "HDRS");
    if (dsn && s->envelope_id.n > 0) {
        buf_add_c(&d->out, " ENVID=");
        xtext_encode(&d->out, s->envelope_id);
    }
    buf_add_c(&d->out, "\r\n");
    return say(d, 2, s->sender, e);
}

static int say_rcpt(struct dialog *d, struct str address, bool dsn, struct err *e)
{
    static const char *const names[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
    unsigned notify = dsn ? d->s->notify : 0;
    buf_printf(&d->out, "RCPT TO:<%.*s>", STR_ARG(address));
    for (unsigned i = 0, n = 0; i < 4; i++)
        if (notify & (1u << i))
            buf_printf(&d->out, "%s%s", n++ ? "," : " NOTIFY=", names[i]);
    buf_add_c(&d->out, "\r\n");
    return say(d, 2, arena_c(d->s->arena, str_head(address, 100)), e);
}

static int say_all_rcpt(struct dialog *d, bool dsn, struct err *e)
{
    int status = EX_OK;
    for (size_t i = 0; i < d->s->recipient_count && status != EX_TEMPFAIL; i++) {
        struct err own;
        int one = say_rcpt(d, d->s->recipients[i], dsn, &own);
        if (one == EX_OK || (one == EX_TEMPFAIL && status != EX_OK))
            continue;
        if (status != EX_OK)
            sendmail_fail(status, "%s", e->text); /* the last one is left to the caller */
        *e = own;
        status = one;
    }
    return status;
}

static bool send_piece(void *arg, struct str piece, struct err *e)
{
    struct dialog *d = arg;
    client_encode(&d->encoder, &d->out, piece);
    if (d->out.n < SEND_SIZE)
        return true;
    bool ok = send_all(d->fd, buf_str(&d->out), e);
    buf_clear(&d->out);
    return ok;
}

static int say_data(struct dialog *d, struct err *e)
{
    buf_add_c(&d->out, "DATA\r\n");
    int status = say(d, 3, "", e);
    if (status != EX_OK)
        return status;
    if (!sendmail_each_piece(d->s, send_piece, d, e))
        return EX_TEMPFAIL;
    client_encode_end(&d->encoder, &d->out);
    bool ok = send_all(d->fd, buf_str(&d->out), e);
    buf_clear(&d->out);
    return ok && read_reply(d, e) ? judge(d, 2, "", e) : EX_TEMPFAIL;
}

static int talk(struct dialog *d, struct err *e)
{
    int status = read_reply(d, e) ? judge(d, 2, "", e) : EX_TEMPFAIL;
    if (status == EX_OK) {
        buf_add_c(&d->out, "EHLO localhost\r\n");
        status = say(d, 2, "", e);
    }
    bool dsn = offers(d, "DSN");
    if (status == EX_OK)
        status = say_mail(d, e);
    if (status == EX_OK)
        status = say_all_rcpt(d, dsn, e);
    if (status == EX_OK)
        status = say_data(d, e);
    send_all(d->fd, STR("QUIT\r\n"), NULL);
    return status;
}

int sendmail_send(struct sendmail *s, struct err *e)
{
    struct dialog d = {.s = s};
    if (!s->socket) {
        err_set(e, ERR_CLOSED, "the configuration has no listener for sendmail");
        return EX_TEMPFAIL;
    }
    d.fd = connect_server(s->socket, e);
    if (d.fd < 0)
        return EX_TEMPFAIL;
    int status = talk(&d, e);
    close(d.fd);
    buf_free(&d.in);
    buf_free(&d.out);
    buf_free(&d.extended);
    return status;
}

/* --- -bs --- */

/* What can be read from one goes to the other. False: it ended. */
static bool pump(int from, int to)
{
    char block[16384];
    ssize_t n = read(from, block, sizeof(block));
    if (n < 0 && errno == EINTR)
        return true;
    for (ssize_t done = 0, part; done < n; done += part) {
        part = write(to, block + done, (size_t)(n - done));
        if (part < 0 && errno == EINTR)
            part = 0;
        if (part < 0)
            return false;
    }
    return n > 0;
}

int sendmail_talk(struct sendmail *s)
{
    struct err e = {0};
    int fd = s->socket ? connect_server(s->socket, &e) : -1;
    if (fd < 0) {
        printf("421 4.3.2 The server does not run\r\n");
        return EX_TEMPFAIL;
    }
    struct pollfd ends[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    for (;;) {
        if (poll(ends, 2, -1) < 0 && errno != EINTR)
            break;
        if (ends[1].revents && !pump(fd, STDOUT_FILENO))
            break;
        if (ends[0].revents && !pump(STDIN_FILENO, fd)) {
            shutdown(fd, SHUT_WR); /* replies may still come */
            ends[0].fd = -1;
        }
        ends[0].revents = ends[1].revents = 0;
    }
    close(fd);
    return EX_OK;
}
