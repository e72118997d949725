/*
 * A triplet (network, sender, recipient) is new, waits for its message to come again, or is known:
 *
 *   new       -> "come again", and it waits: until `delay` has passed it is told so again, after
 *                `retry_window` it counts as new
 *   it came   -> known for `lifetime` after its last message; the client's network has one good
 *                triplet more (one an hour at most), and with enough of them is allowed
 *
 * The decision is made in memory, on the loop. Only what memory does not know is asked of the
 * database; what changes is written behind (greylist_keep.c).
 *
 * When the database fails: what cannot be looked up passes, since it may be known; what cannot be
 * written stays in memory. When it is only busy, what memory does not know counts as new: a flood
 * shall not get through by its size. The times are those of the wall clock, as they outlive the
 * process; a triplet from the future (the clock was set back) begins to wait anew.
 */
#include "policy/client_network.h"
#include "policy/greylist_key.h"
#include "policy/greylist_private.h"
#include "policy/state_limits.h"

/* Good triplets of a client within this count as one. */
#define CREDIT_PAUSE 3600

struct asked {
    struct greylist *g;
    const struct greylist_terms *terms;
    struct str address, network, sender, recipient;
    unsigned char key[GREYLIST_KEY];
    int64_t now;
    struct greylist_seen *triplet; /* NULL: not known */
    struct greylist_host *client;
};

static int64_t now_seconds(void)
{
    return clock_wall() / USEC_SEC;
}

static int64_t seconds(usec duration)
{
    return duration / USEC_SEC;
}

/* --- what is known --- */

static bool job_find(struct greylist_job *j)
{
    return greylist_db_find(j->g->db, j->key, j->address, j->network, &j->triplet, &j->found,
                            &j->client, &j->client_found, &j->error);
}

static struct str key_of(const struct asked *x)
{
    return str_from((const char *)x->key, GREYLIST_KEY);
}

static void look_in_memory(struct asked *x)
{
    x->triplet = lru_find(x->g->triplets, key_of(x));
    x->client = lru_find(x->g->clients, x->address);
    if (!x->client || !x->client->by_hand)
        x->client = lru_find(x->g->clients, x->network);
}

/* Memory learns what the database knows; if that changed meanwhile, memory is right. */
static void learn(struct asked *x, const struct greylist_job *j)
{
    look_in_memory(x);
    if (!x->triplet && j->found) {
        const struct greylist_triplet *t = &j->triplet;
        x->triplet = lru_add(x->g->triplets, key_of(x));
        *x->triplet = (struct greylist_seen){t->first, t->last, t->expires, t->passed, t->expires};
    }
    if (x->client && !(j->client_found && j->client.by_hand))
        return;
    const struct greylist_client *c = &j->client;
    x->client = lru_add(x->g->clients, j->client_found ? c->network : x->network);
    if (j->client_found)
        *x->client = (struct greylist_host){c->good,    c->counted, c->last,
                                            c->expires, c->expires, c->by_hand};
}

/* False: it cannot be known now. */
static SUSPENDS bool look_up(struct asked *x, struct err *e)
{
    look_in_memory(x);
    if (x->client && (x->triplet || x->client->by_hand))
        return true;
    struct greylist_job j = {
        .fn = job_find, .key = x->key, .address = x->address, .network = x->network};
    bool ok = greylist_ask(x->g, &j, e);
    x->now = now_seconds();
    if (ok) {
        learn(x, &j);
        return true;
    }
    look_in_memory(x);
    if (!x->triplet && e->kind != ERR_TIMEOUT)
        return false;
    if (!x->client)
        x->client = lru_add(x->g->clients, x->network);
    return true;
}

/* --- what is to be written --- */

static struct str cut_text(struct arena *a, struct str text)
{
    return arena_str(a, str_head(text, GREYLIST_TEXT_MAX));
}

static void write_triplet(const struct asked *x)
{
    struct greylist_triplet *row = greylist_add_triplet(x->g);
    struct arena *a = x->g->waiting.arena;
    struct greylist_seen *t = x->triplet;
    if (!row)
        return;
    *row = (struct greylist_triplet){.network = arena_str(a, x->network),
                                     .sender = cut_text(a, x->sender),
                                     .recipient = cut_text(a, x->recipient),
                                     .first = t->first,
                                     .last = t->last,
                                     .expires = t->expires,
                                     .passed = t->passed};
    memcpy(row->key, x->key, GREYLIST_KEY);
    t->written = t->expires;
}

static void write_client(struct greylist *g, struct str network, struct greylist_host *c)
{
    struct greylist_client *row = greylist_add_client(g);
    if (!row)
        return;
    *row = (struct greylist_client){.network = arena_str(g->waiting.arena, network),
                                    .good = c->good,
                                    .counted = c->counted,
                                    .last = c->last,
                                    .expires = c->expires,
                                    .by_hand = c->by_hand};
    c->written = c->expires;
}

/* A twentieth of the lifetime may be forgotten in a crash, so not each message is a write. */
static bool is_worth_writing(int64_t expires, int64_t written, int64_t lifetime)
{
    return expires > written + lifetime / 20 || expires < written;
}

/* --- deciding --- */

static void set(struct greylist_result *r, enum greylist_answer answer, struct str why)
{
    *r = (struct greylist_result){.answer = answer, .why = why};
}

static bool is_allowed(const struct asked *x)
{
    const struct greylist_host *c = x->client;
    return c->by_hand ||
           (x->terms->allow_after > 0 && c->good >= x->terms->allow_after && c->expires > x->now);
}

static void pass_allowed(struct asked *x, bool explain, struct greylist_result *r)
{
    struct greylist_host *c = x->client;
    int64_t lifetime = seconds(x->terms->lifetime);
    set(r, GREYLIST_PASS,
        c->by_hand ? STR("the client is allowed by hand")
                   : STR("the client's mail has come again often enough"));
    if (c->by_hand || explain)
        return;
    c->last = x->now;
    c->expires = x->now + lifetime;
    if (is_worth_writing(c->expires, c->written, lifetime))
        write_client(x->g, x->network, c);
}

static bool is_known(const struct asked *x)
{
    const struct greylist_seen *t = x->triplet;
    return t && t->expires > x->now && (t->passed > 0 || t->first <= x->now);
}

static void tell_to_wait(struct greylist_result *r, usec wait, struct arena *a, const char *what)
{
    set(r, GREYLIST_WAIT,
        arena_printf(a, "%s, to come again in %lld second%s", what, (long long)seconds(wait),
                     seconds(wait) == 1 ? "" : "s"));
    r->wait = wait;
}

static void begin(struct asked *x)
{
    x->triplet = lru_add(x->g->triplets, key_of(x));
    *x->triplet = (struct greylist_seen){
        .first = x->now, .last = x->now, .expires = x->now + seconds(x->terms->retry_window)};
    write_triplet(x);
}

/* A triplet came back for the first time: one more reason to believe the client. */
static void credit_client(struct asked *x)
{
    struct greylist_host *c = x->client;
    bool just_counted = c->counted <= x->now && x->now - c->counted < CREDIT_PAUSE;
    if (x->terms->allow_after <= 0 || just_counted)
        return;
    if (c->expires <= x->now)
        c->good = 0;
    c->good++;
    c->counted = c->last = x->now;
    c->expires = x->now + seconds(x->terms->lifetime);
    write_client(x->g, x->network, c);
}

static void pass_known(struct asked *x, struct greylist_result *r)
{
    struct greylist_seen *t = x->triplet;
    int64_t lifetime = seconds(x->terms->lifetime);
    bool first = t->passed == 0;
    t->passed++;
    t->last = x->now;
    t->expires = x->now + lifetime;
    if (first || is_worth_writing(t->expires, t->written, lifetime))
        write_triplet(x);
    if (first)
        credit_client(x);
    set(r, GREYLIST_PASS, first ? STR("it has come again") : STR("known"));
}

static void decide(struct asked *x, bool explain, struct arena *a, struct greylist_result *r)
{
    usec delay = x->terms->delay;
    bool known = is_known(x);
    usec waited = known ? (x->now - x->triplet->first) * USEC_SEC : 0;
    if (is_allowed(x)) {
        pass_allowed(x, explain, r);
    } else if (!known) {
        if (!explain)
            begin(x);
        tell_to_wait(r, delay, a, "not seen before");
    } else if (x->triplet->passed == 0 && waited < delay) {
        tell_to_wait(r, delay - waited, a, "too early");
    } else if (explain) {
        set(r, GREYLIST_PASS, x->triplet->passed ? STR("known") : STR("it has waited"));
    } else {
        pass_known(x, r);
    }
}

void greylist_check(struct greylist *g, const struct greylist_terms *terms, const char *address,
                    struct str sender, struct str recipient, bool explain, struct arena *a,
                    struct greylist_result *result)
{
    struct err e;
    struct asked x = {
        .g = g, .terms = terms, .sender = sender, .recipient = recipient, .now = now_seconds()};
    if (!client_network_of(address, terms->bits4, terms->bits6, a, &x.network) ||
        !client_network_of(address, 32, 128, a, &x.address)) {
        set(result, GREYLIST_PASS, STR("the client has no address"));
        return;
    }
    greylist_key(x.network, sender, recipient, x.key);
    if (look_up(&x, &e))
        decide(&x, explain, a, result);
    else
        set(result, GREYLIST_PASS, arena_printf(a, "not known now: %s", e.text));
}

/* --- for operators --- */

bool greylist_allow(struct greylist *g, struct str network, struct err *e)
{
    struct greylist_host *c = lru_add(g->clients, network);
    c->by_hand = true;
    c->last = now_seconds();
    write_client(g, network, c);
    return greylist_write_out(g, e);
}

static bool job_delete(struct greylist_job *j)
{
    return greylist_db_delete(j->g->db, j->text, &j->deleted, &j->error);
}

/* Memory has only the hashes of triplets: it forgets them all, and learns them again. */
static void forget(struct greylist *g, struct str text)
{
    struct greylist_host *c = lru_peek(g->clients, text);
    if (c)
        lru_remove(g->clients, c);
    lru_free(g->triplets);
    g->triplets = lru_new(sizeof(struct greylist_seen), GREYLIST_MEMORY_MAX);
}

bool greylist_delete(struct greylist *g, struct str text, int64_t *deleted, struct err *e)
{
    struct greylist_job j = {.fn = job_delete, .text = text, .writes = true};
    if (!greylist_write_out(g, e) || !greylist_ask(g, &j, e))
        return false;
    forget(g, text);
    *deleted = j.deleted;
    return true;
}

static bool job_list(struct greylist_job *j)
{
    return greylist_db_list(j->g->db, j->after, j->text, j->max, j->arena, j->list, &j->count,
                            &j->error);
}

bool greylist_list(struct greylist *g, const struct greylist_triplet *after, struct str text,
                   size_t max, struct arena *a, struct greylist_triplet *list, size_t *count,
                   struct err *e)
{
    struct greylist_job j = {
        .fn = job_list, .after = after, .text = text, .max = max, .arena = a, .list = list};
    bool ok = greylist_write_out(g, e) && greylist_ask(g, &j, e);
    *count = ok ? j.count : 0;
    return ok;
}

static bool job_list_clients(struct greylist_job *j)
{
    return greylist_db_list_clients(j->g->db, j->network, j->text, j->max, j->arena, j->clients,
                                    &j->count, &j->error);
}

bool greylist_list_clients(struct greylist *g, struct str after, struct str text, size_t max,
                           struct arena *a, struct greylist_client *list, size_t *count,
                           struct err *e)
{
    struct greylist_job j = {.fn = job_list_clients,
                             .network = after,
                             .text = text,
                             .max = max,
                             .arena = a,
                             .clients = list};
    bool ok = greylist_write_out(g, e) && greylist_ask(g, &j, e);
    *count = ok ? j.count : 0;
    return ok;
}
