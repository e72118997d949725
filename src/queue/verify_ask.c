/*
 * Questions to the servers of relay domains. Addresses wait in the list of their domain; a
 * connection, one fiber, takes a few at a time until none has come for a while. So what comes
 * together goes over one connection, and the RCPTs of one message, which come one after the other,
 * do too.
 *
 * A server that cannot be reached is left alone for a moment; everybody who waits for it is told
 * so. An answer that decides nothing (4xx, a connection that broke) leaves what was known before.
 */
#include "core/log.h"
#include "core/mem.h"
#include "queue/next_hop.h"
#include "queue/verify_internal.h"

#include <stdlib.h>

struct asking {
    struct link link;
    struct verify *verify;
    struct verify_server *server;
    struct fiber *fiber;
    struct queue_config *config;
    struct arena *arena; /* of the connection */
    struct verify_entry *entries[VERIFY_BATCH];
    struct probe probes[VERIFY_BATCH];
    size_t asked; /* probes over this connection */
    bool busy, taker;
    struct probe_job job;
};

static struct verify_entry *from_waiting(struct link *l)
{
    return (struct verify_entry *)((char *)l - offsetof(struct verify_entry, waiting));
}

/* --- answers --- */

static bool is_about_all(const struct verify_entry *e)
{
    return verify_entry_key(e).p[0] == '@';
}

static void log_answer(const struct verify_entry *e, const struct probe *p)
{
    static const char *const names[] = {"unknown", "accepted", "refused"};
    struct str domain = str_skip(verify_entry_key(e), 1);
    if (!is_about_all(e))
        log_info("verify", NULL, "verified address=<%.*s> verdict=%s reason=\"%.*s\"",
                 STR_ARG(p->address), names[p->verdict],
                 STR_ARG(str_head(p->text, VERIFY_TEXT_MAX)));
    else if (p->verdict == PROBE_ACCEPTED)
        log_warning("verify", NULL,
                    "server accepts any address domain=%.*s: nothing can be learned from it",
                    STR_ARG(domain));
}

static void set_lifetime(struct verify *v, struct verify_entry *e)
{
    const struct verify_settings *s = &v->settings;
    bool positive = e->verdict == PROBE_ACCEPTED;
    e->checked = clock_wall();
    e->expires = e->checked + (positive ? s->positive_lifetime : s->negative_lifetime);
    e->refresh = e->checked + (positive ? s->positive_refresh : s->negative_refresh);
    if (is_about_all(e))
        e->refresh = e->expires = e->checked + s->accept_all_refresh;
}

/* Nobody asks for it any more: whoever waits sees the result. */
static void release(struct verify_entry *e)
{
    e->server = NULL;
    cond_broadcast(&e->answered);
}

/* The words of a refusal are kept as long as it holds. */
static void note_failure(struct verify_entry *e, const char *status, struct str why)
{
    if (e->verdict != PROBE_REFUSED || clock_wall() >= e->expires)
        verify_entry_set_texts(e, status, why);
}

static void take_answer(struct verify *v, struct verify_entry *e, const struct probe *p)
{
    v->stats.asked++;
    switch (p->verdict) {
    case PROBE_UNKNOWN:
        v->stats.unanswered++;
        note_failure(e, p->status, p->text);
        e->pause = deadline_in(VERIFY_PAUSE);
        break;
    case PROBE_ACCEPTED:
    case PROBE_REFUSED:
        *(p->verdict == PROBE_ACCEPTED ? &v->stats.accepted : &v->stats.refused) += 1;
        verify_entry_set_texts(e, p->status, p->text);
        e->verdict = p->verdict;
        set_lifetime(v, e);
        kept_file_changed(&v->file);
        break;
    }
    log_answer(e, p);
    release(e);
}

static void take_answers(struct asking *x)
{
    for (size_t i = 0; i < x->job.count; i++)
        take_answer(x->verify, x->entries[i], &x->probes[i]);
    if (x->job.count > 0)
        x->server->progress = clock_monotonic();
    x->job.count = 0;
}

static struct verify_entry *take_waiting(struct verify_server *s)
{
    if (link_is_empty(&s->waiting))
        return NULL;
    struct verify_entry *e = from_waiting(s->waiting.next);
    link_remove(&e->waiting);
    s->waiting_count--;
    return e;
}

/* The same for all that wait for a server. */
static void give_up(struct verify *v, struct verify_server *s, struct str why)
{
    struct verify_entry *e;
    free((char *)s->words.p);
    why = str_head(why, VERIFY_TEXT_MAX);
    s->words = str_from(mem_dup(why.p, why.n), why.n);
    s->pause = deadline_in(VERIFY_PAUSE);
    if (!v->stopping)
        log_warning("verify", NULL, "server cannot be asked domain=%s reason=\"%.*s\"", s->name,
                    STR_ARG(why));
    while ((e = take_waiting(s))) {
        v->stats.unanswered++;
        note_failure(e, "", why);
        release(e);
    }
}

/* --- a connection --- */

static void set_role(struct asking *x, bool busy, bool taker)
{
    x->server->busy += (size_t)busy - (size_t)x->busy;
    x->server->takers += (size_t)taker - (size_t)x->taker;
    x->busy = busy;
    x->taker = taker;
}

static struct str probe_address(struct asking *x, const struct verify_entry *e)
{
    char id[ID_SIZE];
    if (!is_about_all(e))
        return arena_str(x->job.arena, verify_entry_key(e));
    random_id(id);
    return arena_printf(x->job.arena, "no-such-user-%s%.*s", id, STR_ARG(verify_entry_key(e)));
}

static bool take_batch(struct asking *x)
{
    arena_reset(x->job.arena);
    while (x->job.count < VERIFY_BATCH) {
        struct verify_entry *e = take_waiting(x->server);
        if (!e)
            break;
        x->entries[x->job.count] = e;
        x->probes[x->job.count++] = (struct probe){.address = probe_address(x, e)};
    }
    x->asked += x->job.count;
    return x->job.count > 0;
}

SUSPENDS bool probe_next(struct probe_job *job)
{
    struct asking *x = (struct asking *)((char *)job - offsetof(struct asking, job));
    struct err e;
    take_answers(x);
    if (x->asked >= VERIFY_CONNECTION_PROBES)
        return false;
    usec deadline = deadline_in(VERIFY_LINGER);
    set_role(x, false, true);
    while (link_is_empty(&x->server->waiting) && !x->verify->stopping &&
           cond_wait(&x->server->more, deadline, &e)) {
    }
    bool more = !x->verify->stopping && !fiber_is_cancelled(x->fiber) && take_batch(x);
    set_role(x, more, false);
    return more;
}

static void start(struct verify *v, struct verify_server *s);

/* A route that names the domain goes before the directory, for mail and so for questions. */
SUSPENDS static void follow_route(struct asking *x)
{
    struct err e;
    struct next_hop hop;
    const struct route_question question = {
        .sender = x->job.sender,
        .recipient = arena_printf(x->arena, "@%.*s", STR_ARG(x->job.where.destination)),
        .relay_domain = true};
    struct str key = destination_key_of(x->config, &question, x->arena);
    if (destination_key_rule(key).n > 0 &&
        next_hop_find(x->verify->queue->context.directory, x->config, key, x->arena, &hop, &e) ==
            NEXT_HOP_SEND)
        x->job.where.next_hop = hop;
}

SUSPENDS static void connect_and_ask(struct asking *x)
{
    struct queue *q = x->verify->queue;
    struct err e = {.kind = ERR_NONE};
    x->job.unreachable = true;
    x->job.why = STR("it is no relay domain any more");
    struct domain domain;
    switch (directory_find_domain(q->context.directory, x->job.where.destination, x->arena, &domain,
                                  &e)) {
    case LOOKUP_TEMPFAIL:
        x->job.why = arena_str(x->arena, str_from_c(e.text));
        return;
    case LOOKUP_NOT_FOUND:
        return;
    case LOOKUP_FOUND:
        break;
    }
    if (domain.kind != DOMAIN_RELAY)
        return;
    x->job.where.next_hop = next_hop_of(&domain, x->arena);
    follow_route(x);
    x->job.unreachable = false;
    q->probe(q->probe_arg, &x->job);
}

static void ended(struct asking *x)
{
    struct verify *v = x->verify;
    struct verify_server *s = x->server;
    bool waiting = !link_is_empty(&s->waiting);
    take_answers(x);
    set_role(x, false, false);
    link_remove(&x->link);
    s->connections--;
    /* A second connection may be one too many for a server that is well. */
    if (s->connections == 0 && (x->job.unreachable || (x->asked == 0 && waiting)))
        give_up(v, s, x->job.unreachable ? x->job.why : STR("not asked"));
    else if (waiting && s->takers == 0 && !v->stopping)
        start(v, s);
    cond_broadcast(&v->ended);
}

SUSPENDS static void run(void *arg)
{
    struct asking *x = arg;
    x->fiber = fiber_self();
    connect_and_ask(x);
    ended(x);
    queue_config_unref(x->config);
    arena_free(x->job.arena);
    arena_free(x->arena);
    free(x);
}

static void start(struct verify *v, struct verify_server *s)
{
    struct queue *q = v->queue;
    struct asking *x = MEM_NEW(struct asking);
    x->fiber = fiber_start(q->context.loop, "recipient verification", run, x);
    if (!x->fiber) {
        free(x);
        if (s->connections == 0)
            give_up(v, s, STR("too many fibers"));
        return;
    }
    x->verify = v;
    x->server = s;
    x->arena = arena_new();
    x->config = queue_config_ref(q->config);
    link_init(&x->link);
    link_append(&v->connections, &x->link);
    s->connections++;
    set_role(x, true, true);
    x->job = (struct probe_job){
        .sender = str_from_c(v->settings.sender), .arena = arena_new(), .probes = x->probes};
    x->job.sender = arena_str(x->arena, x->job.sender);
    x->job.where = (struct transport_job){.settings = &x->config->settings,
                                          .tls = x->config->tls,
                                          .loop = q->context.loop,
                                          .dns = q->context.dns,
                                          .hostname = q->context.hostname,
                                          .destination = str_from_c(s->name)};
}

/* --- asking --- */

static struct verify_server *find_server(struct verify *v, struct str domain)
{
    for (struct verify_server *s = v->servers; s; s = s->next)
        if (str_equal(domain, str_from_c(s->name)))
            return s;
    struct verify_server *s = MEM_NEW(struct verify_server);
    s->name = mem_dup(domain.p, domain.n);
    s->words = str_from(mem_dup("", 0), 0);
    link_init(&s->waiting);
    s->next = v->servers;
    v->servers = s;
    return s;
}

static void wake(struct verify *v, struct verify_server *s)
{
    if (s->busy == 0)
        s->progress = clock_monotonic();
    cond_signal(&s->more);
    if (s->waiting_count > s->takers * VERIFY_BATCH &&
        s->connections < (size_t)v->settings.connections)
        start(v, s);
}

bool verify_ask(struct verify *v, struct verify_entry *e, struct str domain)
{
    usec now = clock_monotonic();
    if (e->server)
        return true;
    if (v->stopping || !v->queue->probe || e->pause > now)
        return false;
    struct verify_server *s = find_server(v, domain);
    if (s->pause > now) {
        note_failure(e, "", s->words);
        return false;
    }
    if (s->waiting_count >= VERIFY_WAITING_MAX)
        return false;
    e->server = s;
    link_append(&s->waiting, &e->waiting);
    s->waiting_count++;
    wake(v, s);
    return true;
}

void verify_ask_soon(struct verify *v, struct str domain)
{
    find_server(v, domain)->pause = 0;
}

SUSPENDS void verify_ask_stop(struct verify *v)
{
    for (struct verify_server *s = v->servers; s; s = s->next)
        give_up(v, s, STR("the server here is shutting down"));
    for (struct link *l = v->connections.next; l != &v->connections; l = l->next)
        fiber_cancel(((struct asking *)((char *)l - offsetof(struct asking, link)))->fiber);
    while (!link_is_empty(&v->connections))
        cond_wait_certain(&v->ended);
}
