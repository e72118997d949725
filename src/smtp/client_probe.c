/*
 * Asking another server whether it would take a recipient, without sending anything: MAIL, RCPT,
 * RSET for each address, all at once where the server does PIPELINING (RFC 2920). One address to a
 * transaction, since a message from the null sender has one recipient, and servers know it.
 *
 * Only a 5xx in reply to RCPT that is about the address is a "no". What goes wrong before it, and
 * replies about commands, authentication or a full mailbox, says nothing about whether the address
 * exists.
 */
#include "core/log.h"
#include "core/mem.h"
#include "queue/probe.h"
#include "smtp/client_session.h"

#include <stdio.h>
#include <stdlib.h>

/* An answer comes within this time or is not waited for: the next mail asks again. */
#define PROBE_TIMEOUT (60 * USEC_SEC)
/* Connections for the addresses of one batch, should the server end them. */
#define SESSIONS_MAX 3

struct probing {
    struct probe_job *job;
    struct arena *arena;
    struct client_session session;
    struct client_hosts hosts;
    struct client_failure failure;
    bool *answered; /* by probe of the batch */
};

/* --- results --- */

static void set_result(struct probing *x, size_t i, enum probe_verdict verdict, const char *status,
                       struct str text)
{
    struct probe *p = &x->job->probes[i];
    x->answered[i] = true;
    p->verdict = verdict;
    snprintf(p->status, sizeof(p->status), "%s", status);
    p->text = arena_str(x->job->arena, text);
}

static void set_failure(struct probing *x, size_t i)
{
    set_result(x, i, PROBE_UNKNOWN, x->failure.code, buf_str(&x->failure.text));
}

static void fail_rest(struct probing *x)
{
    for (size_t i = 0; i < x->job->count; i++)
        if (!x->answered[i])
            set_failure(x, i);
}

/* RFC 5321 4.2.2: what is said about the command, the server or a full mailbox. */
static bool is_about_the_address(const struct client_reply *r)
{
    static const int others[] = {500, 502, 503, 504, 521, 530, 535, 552};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (r->code == others[i])
            return false;
    return r->code >= 500 && strcmp(r->enhanced, "5.2.2") != 0;
}

static void judge(struct probing *x, size_t i)
{
    const struct client_reply *r = &x->session.reply;
    struct buf text = BUF_EMPTY;
    client_reply_write(&text, r);
    enum probe_verdict verdict = is_about_the_address(r)           ? PROBE_REFUSED
                                 : r->code >= 200 && r->code < 300 ? PROBE_ACCEPTED
                                                                   : PROBE_UNKNOWN;
    set_result(x, i, verdict, r->enhanced, client_text_cut(buf_str(&text)));
    buf_free(&text);
}

/* --- the dialog --- */

static bool needs_utf8(const struct probing *x, size_t i)
{
    return !str_is_ascii(x->job->probes[i].address);
}

static bool has(const struct probing *x, enum client_extension extension)
{
    return client_session_has(&x->session, extension);
}

/* A server without SMTPUTF8 can take no such address, whoever sends. */
static void refuse_impossible(struct probing *x)
{
    for (size_t i = 0; i < x->job->count; i++)
        if (!x->answered[i] && needs_utf8(x, i) && !has(x, CLIENT_SMTPUTF8))
            set_result(x, i, PROBE_REFUSED, "5.6.7",
                       STR("the server cannot take international addresses"));
}

SUSPENDS static bool push(struct probing *x)
{
    return client_session_push(&x->session, PROBE_TIMEOUT, "MAIL", &x->failure);
}

SUSPENDS static bool read_reply(struct probing *x, const char *command)
{
    return client_session_read(&x->session, PROBE_TIMEOUT, command, &x->failure);
}

static void add_mail(struct probing *x, size_t i)
{
    buf_printf(&x->session.wire, "MAIL FROM:<%.*s>%s\r\n", STR_ARG(x->job->sender),
               needs_utf8(x, i) ? " SMTPUTF8" : "");
}

static void add_rcpt(struct probing *x, size_t i)
{
    buf_printf(&x->session.wire, "RCPT TO:<%.*s>\r\n", STR_ARG(x->job->probes[i].address));
}

static void add_reset(struct probing *x)
{
    buf_add_c(&x->session.wire, "RSET\r\n");
}

/* *go_on: there is a transaction. */
SUSPENDS static bool read_mail(struct probing *x, size_t i, bool *go_on)
{
    if (!read_reply(x, "MAIL"))
        return false;
    *go_on = x->session.reply.code >= 200 && x->session.reply.code < 300;
    if (!*go_on) {
        client_session_refused(&x->session, "MAIL", &x->failure);
        set_failure(x, i);
    }
    return !x->session.dead;
}

SUSPENDS static bool read_rcpt(struct probing *x, size_t i, bool counts)
{
    if (!read_reply(x, "RCPT"))
        return false;
    if (counts)
        judge(x, i);
    return !x->session.dead;
}

SUSPENDS static bool ask_in_turn(struct probing *x, size_t i)
{
    bool go_on = false;
    add_mail(x, i);
    if (!push(x) || !read_mail(x, i, &go_on))
        return false;
    if (go_on) {
        add_rcpt(x, i);
        if (!push(x) || !read_rcpt(x, i, true))
            return false;
    }
    add_reset(x);
    return push(x) && read_reply(x, "RSET");
}

/* Which addresses are asked for now is fixed before: answers come while the loop runs. */
SUSPENDS static bool ask_pipelined(struct probing *x, const bool *skip)
{
    for (size_t i = 0; i < x->job->count; i++)
        if (!skip[i]) {
            add_mail(x, i);
            add_rcpt(x, i);
            add_reset(x);
        }
    if (!push(x))
        return false;
    for (size_t i = 0; i < x->job->count; i++) {
        bool go_on = false;
        if (!skip[i] &&
            !(read_mail(x, i, &go_on) && read_rcpt(x, i, go_on) && read_reply(x, "RSET")))
            return false;
    }
    return true;
}

/* False: the connection broke; some may have their answer. */
SUSPENDS static bool ask_batch(struct probing *x)
{
    refuse_impossible(x);
    if (has(x, CLIENT_PIPELINING)) {
        bool *skip = arena_array(x->job->arena, x->job->count, sizeof(*skip));
        memcpy(skip, x->answered, x->job->count * sizeof(*skip));
        return ask_pipelined(x, skip) && !x->session.dead;
    }
    for (size_t i = 0; i < x->job->count; i++)
        if (!x->answered[i] && !ask_in_turn(x, i))
            return false;
    return !x->session.dead;
}

static size_t count_answered(const struct probing *x)
{
    size_t count = 0;
    for (size_t i = 0; i < x->job->count; i++)
        count += x->answered[i];
    return count;
}

/* --- connections --- */

SUSPENDS static bool open_session(struct probing *x)
{
    struct client_round round = {.next = 0};
    return client_session_open_next(&x->session, &x->hosts, &round, x->arena, NULL, &x->failure);
}

/* A server that ends the connection after a few addresses is asked for the others over the next.
 * False: no connection is open any more. */
SUSPENDS static bool ask(struct probing *x)
{
    x->answered = arena_array(x->job->arena, x->job->count, sizeof(*x->answered));
    for (unsigned sessions = 1; !ask_batch(x); sessions++) {
        bool progress = count_answered(x) > 0, all = count_answered(x) == x->job->count;
        client_session_close(&x->session);
        if (all || !progress || sessions == SESSIONS_MAX || !open_session(x)) {
            fail_rest(x);
            return false;
        }
    }
    return true;
}

SUSPENDS static void probe_all(struct probing *x)
{
    struct probe_job *job = x->job;
    if (!client_hosts_find(&job->where, x->arena, &x->hosts, &x->failure) || !open_session(x)) {
        job->unreachable = true;
        job->why = arena_str(job->arena, buf_str(&x->failure.text));
        return;
    }
    while (probe_next(job))
        if (!ask(x))
            return;
    client_session_quit(&x->session);
}

/* Nobody waits for minutes here. */
static void limit(usec *timeout)
{
    if (*timeout > PROBE_TIMEOUT)
        *timeout = PROBE_TIMEOUT;
}

SUSPENDS static void probe(void *arg, struct probe_job *job)
{
    struct smtp_client *c = arg;
    struct probing *x = MEM_NEW(struct probing);
    x->job = job;
    x->arena = arena_new();
    client_session_init(&x->session, smtp_client_shared(c), &job->where);
    limit(&x->session.settings.greeting_timeout);
    limit(&x->session.settings.hello_timeout);
    probe_all(x);
    client_session_free(&x->session);
    client_failure_free(&x->failure);
    arena_free(x->arena);
    free(x);
}

void smtp_client_offer_probes(struct smtp_client *c, struct queue *q)
{
    queue_set_prober(q, probe, c);
}
