/*
 * How an answer is found. A question goes to the cache first; then to a question of the same name
 * that is on its way (a message to a hundred of our addresses, a client that opens five
 * connections: one query); then to the sources in their order. The first that has it wins; it does
 * not exist when every source said so; and as soon as one cannot tell, nobody can, since it may be
 * the one that has it. Addresses outside of our domains exist nowhere, and no source is bothered
 * with them.
 *
 * A change drops the cache before it is reported as done, and detaches the questions on their way:
 * their askers get what was true when they asked, later ones ask again. Who waits for another's
 * question that is cancelled asks himself.
 *
 * Failures are answers of this moment only, never kept. For recipients of mail - not for logins -
 * what was found before is given again while a source fails, until it is stale.
 */
#include "auth/directory_internal.h"

#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>

struct question {
    unsigned references;
    struct arena *arena;
    struct str key;
    struct directory_chain *chain; /* that it goes along */
    bool done, cancelled;
    uint64_t generation;
    enum lookup status;
    struct answer *answer;
    struct err error;
    struct cond finished;
};

struct str directory_key(struct directory *d, enum answer_kind kind, struct str text)
{
    buf_clear(&d->key);
    buf_add_char(&d->key, (char)kind);
    buf_add_str(&d->key, text);
    return buf_str(&d->key);
}

static enum answer_kind kind_of(struct str key)
{
    return (enum answer_kind)key.p[0];
}

/* --- the sources --- */

static enum lookup ask_source(struct source *s, struct str key, struct answer *a,
                              struct lookup_trace *t, struct err *e)
{
    struct str text = str_skip(key, 1);
    const struct source_functions *f = s->functions;
    switch (kind_of(key)) {
    case ANSWER_LOGIN:
        a->found = (struct source_account){.hash = ""};
        return f->find_login(s, text, a->arena, &a->found, t, e);
    case ANSWER_ACCOUNT:
        a->found = (struct source_account){.hash = ""};
        return f->find_account(s, text, a->arena, &a->found, t, e);
    case ANSWER_ADDRESS:
        a->address = (struct directory_address){.address = arena_str(a->arena, text)};
        return f->find_address(s, text, a->arena, &a->address, t, e);
    case ANSWER_GROUP:
        a->group = (struct directory_group){.address = arena_str(a->arena, text)};
        return f->find_group(s, text, a->arena, &a->group, t, e);
    default:
        abort();
    }
}

static void count_failure(struct directory_source *s, struct err *e)
{
    if (e->kind == ERR_CANCELLED)
        return;
    if (e->kind == ERR_SYNTAX) {
        e->kind = ERR_TEMP;
        s->stats.wrong++;
        s->stats.wrong_seen = clock_wall();
        s->stats.wrong_entry = *e;
        return;
    }
    s->stats.failures++;
    s->stats.failed = clock_wall();
    s->stats.failure = *e;
}

enum lookup directory_ask_source(struct directory_source *s, struct str key, struct answer *answer,
                                 struct lookup_trace *t, struct err *e)
{
    usec begun = clock_monotonic();
    enum lookup status = ask_source(s->source, key, answer, t, e);
    histogram_add(&s->stats.times, clock_monotonic() - begun);
    answer_set_source(answer, s);
    if (status == LOOKUP_FOUND && kind_of(key) == ANSWER_ADDRESS)
        answer->address.source = s->name;
    else if (status == LOOKUP_FOUND && kind_of(key) == ANSWER_GROUP)
        answer->group.source = s->name;
    else if (status == LOOKUP_FOUND)
        answer->found.account.source = s->name;
    s->stats.asked++;
    s->stats.found += status == LOOKUP_FOUND;
    if (status == LOOKUP_TEMPFAIL)
        count_failure(s, e);
    return status;
}

static enum lookup ask_sources(const struct directory_chain *c, struct str key,
                               struct answer *answer, struct err *e)
{
    enum lookup status = LOOKUP_NOT_FOUND;
    for (size_t i = 0; i < c->count && status == LOOKUP_NOT_FOUND; i++)
        status = directory_ask_source(c->list[i], key, answer, NULL, e);
    return status;
}

/* --- questions --- */

static bool is_of_recipient(enum answer_kind kind)
{
    return kind == ANSWER_ACCOUNT || kind == ANSWER_ADDRESS || kind == ANSWER_GROUP;
}

static void question_unref(struct question *q)
{
    if (--q->references > 0)
        return;
    answer_unref(q->answer);
    directory_chain_release(q->chain);
    arena_free(q->arena);
}

static struct question *question_new(struct directory *d, struct str key)
{
    struct arena *arena = arena_new_sized(1024);
    struct question *q = ARENA_NEW(arena, struct question);
    q->references = 1;
    q->arena = arena;
    q->key = arena_str(arena, key);
    q->chain = directory_chain_hold(d);
    q->generation = d->generation;
    q->answer = answer_new(kind_of(key));
    struct question **place = lru_add(d->asked, key);
    if (place)
        *place = q;
    return q;
}

static void question_leave(struct directory *d, struct question *q)
{
    struct question **place = lru_find(d->asked, q->key);
    if (place && *place == q)
        lru_remove(d->asked, place);
}

static void remember(struct directory *d, struct question *q)
{
    if (q->generation != d->generation)
        return;
    if (q->status == LOOKUP_FOUND)
        cache_put(d->cache, q->key, q->answer);
    else if (q->status == LOOKUP_NOT_FOUND)
        cache_put_missing(d->cache, q->key);
}

static void ask_and_tell(struct directory *d, struct question *q)
{
    q->status = ask_sources(q->chain, q->key, q->answer, &q->error);
    q->cancelled = q->status == LOOKUP_TEMPFAIL && fiber_is_cancelled(fiber_self());
    q->done = true;
    question_leave(d, q);
    remember(d, q);
    cond_broadcast(&q->finished);
}

/* The question that somebody else asks; NULL: nobody does, or not any longer. */
static struct question *join(struct directory *d, struct str key, bool *gave_up, struct err *e)
{
    struct question **place = lru_find(d->asked, key);
    if (!place)
        return NULL;
    struct question *q = *place;
    q->references++;
    while (!q->done && !*gave_up)
        *gave_up = !cond_wait(&q->finished, DEADLINE_NONE, e);
    if (q->done && !q->cancelled)
        return q;
    question_unref(q);
    return NULL;
}

/* What is known of the name from before: it, or that it is something else. */
static enum lookup ask_past(struct directory *d, struct str key, struct answer **answer)
{
    static const enum answer_kind kinds[] = {ANSWER_ACCOUNT, ANSWER_ADDRESS, ANSWER_GROUP};
    enum lookup known = LOOKUP_TEMPFAIL;
    if (!is_of_recipient(kind_of(key)))
        return LOOKUP_TEMPFAIL;
    if ((*answer = cache_find_stale(d->cache, key)))
        return LOOKUP_FOUND;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (cache_find_stale(d->cache, directory_key(d, kinds[i], str_skip(key, 1))))
            known = LOOKUP_NOT_FOUND;
    return known;
}

/* The end of a question: what it was answered, and the reference to it. */
static enum lookup conclude(struct directory *d, struct question *q, struct answer **answer,
                            struct err *e)
{
    enum lookup status = q->status;
    if (status == LOOKUP_TEMPFAIL && !q->cancelled) {
        status = ask_past(d, q->key, answer);
        d->stats.stale += status != LOOKUP_TEMPFAIL;
        if (status == LOOKUP_FOUND)
            (*answer)->references++;
    } else if (status == LOOKUP_FOUND) {
        *answer = q->answer;
        q->answer->references++;
    }
    if (status == LOOKUP_TEMPFAIL && e)
        *e = q->error;
    question_unref(q);
    return status;
}

static bool is_ours(const struct directory *d, struct str key)
{
    ptrdiff_t at = str_find_last_char(key, '@');
    assert(at > 0);
    return embedded_has_domain(d->embedded, str_skip(key, (size_t)at + 1));
}

static enum lookup ask(struct directory *d, struct str key, struct answer **answer, struct err *e)
{
    bool gave_up = false;
    struct question *q = NULL;
    if (is_of_recipient(kind_of(key)) && !is_ours(d, key))
        return LOOKUP_NOT_FOUND;
    while (!q && !gave_up && lru_peek(d->asked, key))
        q = join(d, key, &gave_up, e);
    if (gave_up)
        return LOOKUP_TEMPFAIL;
    if (!q) {
        q = question_new(d, key);
        ask_and_tell(d, q);
    }
    return conclude(d, q, answer, e);
}

enum lookup directory_ask_anew(struct directory *d, struct str key, struct answer **answer,
                               struct err *e)
{
    struct arena *a = arena_new();
    enum lookup status = ask(d, arena_str(a, key), answer, e);
    d->stats.misses++;
    arena_free(a);
    return status;
}

enum lookup directory_ask(struct directory *d, struct str key, struct answer **answer,
                          struct err *e)
{
    enum lookup known = cache_find(d->cache, key, answer);
    if (known == LOOKUP_TEMPFAIL)
        return directory_ask_anew(d, key, answer, e);
    d->stats.hits++;
    if (known == LOOKUP_FOUND)
        (*answer)->references++;
    return known;
}
