/*
 * The dialog with a server, line by line: commands are collected and leave with one write, replies
 * are read with the time-out of their step. How a connection is opened is in client_open.c.
 *
 * Every wait has an end: a step's time-out counts for its whole reply, however the bytes are dealt
 * out, and s->deadline for all steps together.
 */
#include "smtp/client_session.h"

void client_session_init(struct client_session *s, struct client_shared *shared,
                         const struct transport_job *job)
{
    *s = (struct client_session){.job = job, .shared = shared, .deadline = DEADLINE_NONE};
    s->config = client_config_ref(shared->config);
    s->settings = s->config->settings;
}

void client_session_free(struct client_session *s)
{
    client_session_close(s);
    client_reply_free(&s->reply);
    client_hello_free(&s->hello);
    buf_free(&s->relay);
    buf_free(&s->ticket);
    buf_wipe(&s->wire);
    client_config_unref((struct client_config *)s->config);
}

void client_session_lost(struct client_session *s, const char *command, const struct err *e,
                         struct client_failure *f)
{
    s->dead = true;
    client_failure_set(f, false, "4.4.2", "lost the connection with %.*s (%s): %s",
                       STR_ARG(buf_str(&s->relay)), command, e->text);
}

/* No longer than all of it may take; at least a moment. */
static void wait_until(struct client_session *s, usec deadline)
{
    usec left = (deadline < s->deadline ? deadline : s->deadline) - clock_monotonic();
    stream_set_timeout(s->stream, left > USEC_MSEC ? left : USEC_MSEC);
}

void client_session_set_timeout(struct client_session *s, usec timeout)
{
    wait_until(s, clock_monotonic() + timeout);
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
        wait_until(s, deadline);
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

SUSPENDS bool client_session_push(struct client_session *s, usec timeout, const char *command,
                                  struct client_failure *f)
{
    struct err e;
    client_session_set_timeout(s, timeout);
    bool ok = stream_write(s->stream, buf_str(&s->wire), &e) && stream_flush(s->stream, &e);
    buf_clear(&s->wire);
    if (!ok)
        client_session_lost(s, command, &e, f);
    return ok;
}

SUSPENDS bool client_session_talk(struct client_session *s, const char *command, struct str line,
                                  struct client_failure *f)
{
    buf_add_str(&s->wire, line);
    buf_add_c(&s->wire, "\r\n");
    return client_session_push(s, s->settings.hello_timeout, command, f) &&
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

bool client_session_is_alive(struct client_session *s)
{
    if (s->stream && !s->dead && !stream_is_quiet(s->stream))
        s->dead = true;
    return s->stream && !s->dead;
}

void client_session_close(struct client_session *s)
{
    if (s->stream && s->ticket.n > 0)
        client_tickets_keep(s->shared->tickets, buf_str(&s->ticket), stream_tls_session(s->stream));
    if (s->stream)
        stream_close(s->stream);
    buf_clear(&s->wire);
    buf_clear(&s->ticket);
    s->stream = NULL;
    s->dead = true;
}

SUSPENDS void client_session_quit(struct client_session *s)
{
    struct client_failure ignored = {.permanent = false};
    if (s->stream && !s->dead) {
        s->deadline = DEADLINE_NONE;
        buf_add_c(&s->wire, "QUIT\r\n");
        if (client_session_push(s, s->settings.quit_timeout, "QUIT", &ignored))
            client_session_read(s, s->settings.quit_timeout, "QUIT", &ignored);
    }
    client_failure_free(&ignored);
    client_session_close(s);
}
