/*
 * What is asked of DNS, and what the answers mean. They come from a resolver (dns_resolver.c), of
 * which there is one at a time: other settings bring another one, and who waits for an answer of
 * the old one gets it.
 *
 * What an answer means, worst first: bogus (validation failed) and every failure to get an answer
 * are DNS_TEMPFAIL. Only NXDOMAIN and an empty answer are DNS_NOT_FOUND. A name that cannot exist
 * in DNS (an empty label, too long, not encodable) does not exist.
 */
#include "net/dns.h"

#include "core/loop.h"
#include "core/mem.h"
#include "core/random.h"
#include "net/dns_decode.h"
#include "net/dns_resolver.h"

#include <assert.h>
#include <stdlib.h>
#include <unbound.h>

#define TYPE_A         1
#define TYPE_CNAME     5
#define TYPE_PTR       12
#define TYPE_MX        15
#define TYPE_TXT       16
#define TYPE_AAAA      28
#define TYPE_SRV       33
#define TYPE_TLSA      52
#define RCODE_NXDOMAIN 3

#define DNS_RECORDS_MAX 200 /* of one answer; more are ignored */

/* One name without an answer is a fault of its zone, many in a row are the resolver's. */
#define SILENT_NAMES  5
#define SILENT_LATELY (600 * USEC_SEC) /* later nobody knows: nothing was asked since */

struct dns_silence {
    size_t names; /* so many in a row, none like the one before it */
    usec last;
    struct buf name;
    struct err error;
};

struct dns {
    struct loop *loop;
    struct dns_resolver *resolver; /* the one that is asked */
    usec timeout;
    size_t waiting;
    struct dns_silence silence;
};

/* --- making --- */

struct dns *dns_new(struct loop *l, const struct dns_settings *s, struct err *e)
{
    struct dns_resolver *resolver = dns_resolver_new(s, e);
    /* A file of trust anchors that is no such file is told now. */
    if (resolver && s->trust_anchor[0] && !dns_resolver_make(resolver, e)) {
        dns_resolver_unref(resolver);
        resolver = NULL;
    }
    if (!resolver)
        return NULL;
    struct dns *d = MEM_NEW(struct dns);
    d->loop = l;
    d->resolver = resolver;
    d->timeout = s->timeout;
    return d;
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    assert(d->waiting == 0);
    dns_resolver_unref(d->resolver);
    buf_free(&d->silence.name);
    free(d);
}

bool dns_validates(const struct dns *d)
{
    return dns_resolver_validates(d->resolver);
}

/* --- other settings --- */

struct dns_change {
    struct dns_resolver *resolver; /* NULL: the present one stays */
    usec timeout;
};

struct dns_change *dns_prepare(const struct dns *d, const struct dns_settings *s, struct err *e)
{
    struct dns_resolver *resolver = NULL;
    if (!dns_resolver_is_like(d->resolver, s)) {
        resolver = dns_resolver_new(s, e);
        if (!resolver || !dns_resolver_make(resolver, e)) {
            dns_resolver_unref(resolver);
            return NULL;
        }
    }
    struct dns_change *c = MEM_NEW(struct dns_change);
    *c = (struct dns_change){resolver, s->timeout};
    return c;
}

void dns_apply(struct dns *d, struct dns_change *c)
{
    d->timeout = c->timeout;
    if (c->resolver) {
        dns_resolver_unref(d->resolver);
        d->resolver = c->resolver;
        d->silence.names = 0;
    }
    free(c);
}

void dns_forget(struct dns_change *c)
{
    if (!c)
        return;
    dns_resolver_unref(c->resolver);
    free(c);
}

/* --- asking --- */

static struct dns_request *ask(struct dns *d, const char *name, int type)
{
    d->waiting++;
    return dns_request_new(d->resolver, d->loop, name, type);
}

/* The waiter needs the request no more, answered or not. */
static void release(struct dns *d, struct dns_request *r)
{
    d->waiting--;
    dns_request_release(r);
}

static const char *rcode_name(int rcode)
{
    static const char *const names[] = {"no error",       "FORMERR", "SERVFAIL",
                                        "no such domain", "NOTIMP",  "REFUSED"};
    return rcode >= 0 && (size_t)rcode < sizeof(names) / sizeof(*names) ? names[rcode]
                                                                        : "an unusual code";
}

static void note_silence(struct dns_silence *s, const char *name, enum dns_status status,
                         const struct err *e)
{
    if (status != DNS_TEMPFAIL) {
        s->names = 0;
        buf_clear(&s->name);
    } else if (e->kind != ERR_CANCELLED) {
        s->names += !str_equal(buf_str(&s->name), str_from_c(name));
        s->last = clock_monotonic();
        s->error = *e;
        buf_clear(&s->name);
        buf_add_c(&s->name, name);
    }
}

void dns_troubles(const struct dns *d, struct buf *b)
{
    const struct dns_silence *s = &d->silence;
    if (s->names >= SILENT_NAMES && clock_monotonic() - s->last < SILENT_LATELY)
        buf_printf(
            b,
            "none of the last %zu names could be looked up (%s): mailctl doctor --only resolver\n",
            s->names, s->error.text);
}

/* Whole sentences: who passes one on puts neither "DNS" nor the name in front of it. */
#define CANNOT_ANSWER "DNS cannot answer for %s"

/* DNS_FOUND: r->result has data, which may still be of no use. */
static enum dns_status await_result(struct dns_request *r, const char *name, usec deadline,
                                    struct dns_answer *answer, struct err *e)
{
    while (!r->done)
        if (!cond_wait(&r->done_cond, deadline, e)) {
            err_prefix(e, CANNOT_ANSWER, name);
            return DNS_TEMPFAIL;
        }
    const struct ub_result *result = r->result;
    if (r->error || !result) {
        err_set(e, ERR_TEMP, CANNOT_ANSWER ": %s", name, ub_strerror(r->error));
        return DNS_TEMPFAIL;
    }
    if (result->bogus) { /* before all else: a bogus answer may have data */
        answer->bogus = true;
        err_set(e, ERR_TEMP, CANNOT_ANSWER ": %s", name,
                result->why_bogus ? result->why_bogus : "validation failure");
        return DNS_TEMPFAIL;
    }
    if (result->rcode != 0 && result->rcode != RCODE_NXDOMAIN) {
        err_set(e, ERR_TEMP, CANNOT_ANSWER ": the server failed (%s)", name,
                rcode_name(result->rcode));
        return DNS_TEMPFAIL;
    }
    answer->secure = result->secure;
    answer->nxdomain = result->rcode == RCODE_NXDOMAIN;
    answer->ttl = result->ttl > 0 ? (uint32_t)result->ttl : 0;
    return result->havedata && !answer->nxdomain ? DNS_FOUND : DNS_NOT_FOUND;
}

static enum dns_status await(struct dns *d, struct dns_request *r, const char *name, usec deadline,
                             struct dns_answer *answer, struct err *e)
{
    struct err own = {0};
    enum dns_status status = await_result(r, name, deadline, answer, &own);
    note_silence(&d->silence, name, status, &own);
    if (status == DNS_TEMPFAIL && e)
        *e = own;
    return status;
}

static struct str record(const struct ub_result *result, size_t i)
{
    return str_from(result->data[i], result->len[i] > 0 ? (size_t)result->len[i] : 0);
}

static size_t record_count(const struct ub_result *result)
{
    size_t n = 0;
    while (result->data[n] && n < DNS_RECORDS_MAX)
        n++;
    return n;
}

/* Takes one record into place answer->count; false when it is malformed. */
typedef bool take_record(struct str data, struct arena *a, struct dns_answer *answer);

static bool take_mx(struct str data, struct arena *a, struct dns_answer *answer)
{
    return dns_decode_mx(data, a, &answer->mx[answer->count]);
}

static bool take_text(struct str data, struct arena *a, struct dns_answer *answer)
{
    return dns_decode_text(data, a, &answer->texts[answer->count]);
}

static bool take_tlsa(struct str data, struct arena *a, struct dns_answer *answer)
{
    return dns_decode_tlsa(data, a, &answer->tlsa[answer->count]);
}

static bool take_srv(struct str data, struct arena *a, struct dns_answer *answer)
{
    return dns_decode_srv(data, a, &answer->srv[answer->count]);
}

static bool take_name(struct str data, struct arena *a, struct dns_answer *answer)
{
    struct str *name = &answer->texts[answer->count];
    return dns_decode_name(data, a, name) && name->n > 0;
}

/* In the form of a host's name: it is looked up again and shown to TLS. */
static void take_canonical(const struct ub_result *result, struct arena *a,
                           struct dns_answer *answer)
{
    struct str name = str_from_c(result->canonname);
    if (name.n > 0 && name.p[name.n - 1] == '.')
        name = str_head(name, name.n - 1);
    if (!dns_is_host_name(name))
        return;
    char *lower = arena_c(a, name);
    for (size_t i = 0; i < name.n; i++)
        lower[i] = char_lower(lower[i]);
    answer->canonical = str_from(lower, name.n);
}

/* Waits for a question's answer and decodes its records, each `size` bytes large. */
static enum dns_status take_answer(struct dns *d, struct dns_request *r, const char *name,
                                   usec deadline, struct arena *a, struct dns_answer *answer,
                                   size_t size, take_record *take, struct err *e)
{
    enum dns_status status = await(d, r, name, deadline, answer, e);
    if (status == DNS_FOUND) {
        size_t n = record_count(r->result);
        answer->mx = arena_array(a, n, size);
        for (size_t i = 0; i < n; i++)
            answer->count += take(record(r->result, i), a, answer);
        take_canonical(r->result, a, answer);
        if (answer->count == 0) {
            err_set(e, ERR_TEMP, CANNOT_ANSWER ": the answer is malformed", name);
            status = DNS_TEMPFAIL;
        }
    }
    release(d, r);
    return status;
}

/* The settings' time limit holds in any case. */
static usec sooner(const struct dns *d, usec deadline)
{
    usec latest = deadline_in(d->timeout);
    return deadline < latest ? deadline : latest;
}

static enum dns_status look_up(struct dns *d, const char *name, int type, usec deadline,
                               struct arena *a, struct dns_answer *answer, size_t size,
                               take_record *take, struct err *e)
{
    return take_answer(d, ask(d, name, type), name, sooner(d, deadline), a, answer, size, take, e);
}

static enum dns_status no_such_name(struct str name, struct dns_answer *answer, struct err *e)
{
    answer->nxdomain = true;
    err_set(e, ERR_NOT_FOUND, "%.*s cannot be a name in DNS", STR_ARG(str_head(name, 255)));
    return DNS_NOT_FOUND;
}

/* Shuffled, so that hosts of one preference share the load (RFC 5321 section 5.1), then sorted. */
static void sort_mx(struct dns_mx *mx, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        size_t k = random_below(i + 1);
        struct dns_mx swap = mx[i];
        mx[i] = mx[k];
        mx[k] = swap;
    }
    for (size_t i = 1; i < n; i++) {
        struct dns_mx moving = mx[i];
        size_t k = i;
        for (; k > 0 && mx[k - 1].preference > moving.preference; k--)
            mx[k] = mx[k - 1];
        mx[k] = moving;
    }
}

enum dns_status dns_mx_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                             struct dns_answer *answer, struct err *e)
{
    const char *query;
    *answer = (struct dns_answer){0};
    if (!dns_query_name(name, a, &query))
        return no_such_name(name, answer, e);
    enum dns_status status =
        look_up(d, query, TYPE_MX, deadline, a, answer, sizeof(struct dns_mx), take_mx, e);
    if (status == DNS_FOUND)
        sort_mx(answer->mx, answer->count);
    return status;
}

enum dns_status dns_mx(struct dns *d, struct str name, struct arena *a, struct dns_answer *answer,
                       struct err *e)
{
    return dns_mx_until(d, name, DEADLINE_NONE, a, answer, e);
}

enum dns_status dns_txt_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                              struct dns_answer *answer, struct err *e)
{
    const char *query;
    *answer = (struct dns_answer){0};
    if (!dns_query_name(name, a, &query))
        return no_such_name(name, answer, e);
    return look_up(d, query, TYPE_TXT, deadline, a, answer, sizeof(struct str), take_text, e);
}

enum dns_status dns_txt(struct dns *d, struct str name, struct arena *a, struct dns_answer *answer,
                        struct err *e)
{
    return dns_txt_until(d, name, DEADLINE_NONE, a, answer, e);
}

enum dns_status dns_tlsa_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                               struct dns_answer *answer, struct err *e)
{
    const char *query;
    *answer = (struct dns_answer){0};
    if (!dns_query_name(name, a, &query))
        return no_such_name(name, answer, e);
    return look_up(d, query, TYPE_TLSA, deadline, a, answer, sizeof(struct dns_tlsa), take_tlsa, e);
}

/* The one of the first n that is next: by weight, where those without any are seldom chosen before
 * others (RFC 2782). */
static size_t choose_srv(const struct dns_srv *srv, size_t n)
{
    uint64_t sum = 0, running = 0;
    for (size_t i = 0; i < n; i++)
        sum += srv[i].weight;
    uint64_t chosen = random_below(sum + 1);
    for (size_t pass = 0; pass < 2; pass++) { /* those without weight first */
        for (size_t i = 0; i < n; i++) {
            if ((srv[i].weight == 0) != (pass == 0))
                continue;
            running += srv[i].weight;
            if (running >= chosen)
                return i;
        }
    }
    return 0;
}

static void sort_srv(struct dns_srv *srv, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct dns_srv moving = srv[i];
        size_t k = i;
        for (; k > 0 && srv[k - 1].priority > moving.priority; k--)
            srv[k] = srv[k - 1];
        srv[k] = moving;
    }
    for (size_t i = 0; i < n; i++) {
        size_t same = 1;
        while (i + same < n && srv[i + same].priority == srv[i].priority)
            same++;
        size_t k = i + choose_srv(srv + i, same);
        struct dns_srv swap = srv[i];
        srv[i] = srv[k];
        srv[k] = swap;
    }
}

enum dns_status dns_srv_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                              struct dns_answer *answer, struct err *e)
{
    const char *query;
    *answer = (struct dns_answer){0};
    if (!dns_query_name(name, a, &query))
        return no_such_name(name, answer, e);
    enum dns_status status =
        look_up(d, query, TYPE_SRV, deadline, a, answer, sizeof(struct dns_srv), take_srv, e);
    if (status == DNS_FOUND)
        sort_srv(answer->srv, answer->count);
    return status;
}

enum dns_status dns_alias_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                                struct dns_answer *answer, struct err *e)
{
    const char *query;
    *answer = (struct dns_answer){0};
    if (!dns_query_name(name, a, &query))
        return no_such_name(name, answer, e);
    return look_up(d, query, TYPE_CNAME, deadline, a, answer, sizeof(struct str), take_name, e);
}

enum dns_status dns_reverse_until(struct dns *d, const char *address, usec deadline,
                                  struct arena *a, struct dns_answer *answer, struct err *e)
{
    const char *query;
    *answer = (struct dns_answer){0};
    if (!dns_reverse_name(address, a, &query))
        return no_such_name(str_from_c(address), answer, e);
    return look_up(d, query, TYPE_PTR, deadline, a, answer, sizeof(struct str), take_name, e);
}

enum dns_status dns_reverse(struct dns *d, const char *address, struct arena *a,
                            struct dns_answer *answer, struct err *e)
{
    return dns_reverse_until(d, address, DEADLINE_NONE, a, answer, e);
}

/* The addresses of both answers by turns, IPv6 first. */
static void mix_addresses(const struct ub_result *v6, const struct ub_result *v4, struct arena *a,
                          struct dns_answer *answer)
{
    size_t n6 = v6 ? record_count(v6) : 0, n4 = v4 ? record_count(v4) : 0;
    answer->addresses = arena_array(a, n6 + n4, sizeof(struct dns_address));
    for (size_t i = 0; i < n6 || i < n4; i++) {
        if (i < n6)
            answer->count += dns_decode_address(record(v6, i), &answer->addresses[answer->count]);
        if (i < n4)
            answer->count += dns_decode_address(record(v4, i), &answer->addresses[answer->count]);
    }
}

enum dns_status dns_addresses(struct dns *d, struct str name, struct arena *a,
                              struct dns_answer *answer, struct err *e)
{
    return dns_addresses_until(d, name, DEADLINE_NONE, a, answer, e);
}

enum dns_status dns_addresses_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                                    struct dns_answer *answer, struct err *e)
{
    const char *query;
    *answer = (struct dns_answer){0};
    if (!dns_query_name(name, a, &query))
        return no_such_name(name, answer, e);
    deadline = sooner(d, deadline);
    struct dns_request *r6 = ask(d, query, TYPE_AAAA), *r4 = ask(d, query, TYPE_A);
    struct dns_answer a6 = {0}, a4 = {0};
    enum dns_status s4 = await(d, r4, query, deadline, &a4, e);
    enum dns_status s6 = await(d, r6, query, deadline, &a6, s4 == DNS_TEMPFAIL ? NULL : e);
    mix_addresses(s6 == DNS_FOUND ? r6->result : NULL, s4 == DNS_FOUND ? r4->result : NULL, a,
                  answer);
    if (answer->count > 0)
        take_canonical(s4 == DNS_FOUND ? r4->result : r6->result, a, answer);
    release(d, r6);
    release(d, r4);
    /* Who keeps back one of the two answers must not turn what is secure into what is not. */
    answer->secure = s6 == DNS_TEMPFAIL   ? a4.secure
                     : s4 == DNS_TEMPFAIL ? a6.secure
                                          : a6.secure && a4.secure;
    answer->bogus = a6.bogus || a4.bogus;
    answer->nxdomain = a6.nxdomain || a4.nxdomain;
    if (s6 == DNS_FOUND && s4 == DNS_FOUND)
        answer->ttl = a6.ttl < a4.ttl ? a6.ttl : a4.ttl;
    else
        answer->ttl = s6 == DNS_FOUND ? a6.ttl : a4.ttl;
    if (answer->count > 0)
        return DNS_FOUND;
    if (s6 == DNS_NOT_FOUND && s4 == DNS_NOT_FOUND)
        return DNS_NOT_FOUND;
    if (s6 == DNS_FOUND || s4 == DNS_FOUND)
        err_set(e, ERR_TEMP, CANNOT_ANSWER ": the answer is malformed", query);
    return DNS_TEMPFAIL;
}

static bool take_address(struct str data, struct arena *a, struct dns_answer *answer)
{
    (void)a;
    return dns_decode_address(data, &answer->addresses[answer->count]);
}

void dns_ipv4_all(struct dns *d, struct dns_question *list, size_t count, usec deadline,
                  struct arena *a)
{
    const char **names = arena_array(a, count, sizeof(*names));
    struct dns_request **requests = arena_array(a, count, sizeof(*requests));
    deadline = sooner(d, deadline);
    for (size_t i = 0; i < count; i++) {
        struct dns_question *q = &list[i];
        q->answer = (struct dns_answer){0};
        if (dns_query_name(q->name, a, &names[i]))
            requests[i] = ask(d, names[i], TYPE_A);
        else
            q->status = no_such_name(q->name, &q->answer, &q->error);
    }
    for (size_t i = 0; i < count; i++) {
        struct dns_question *q = &list[i];
        if (requests[i])
            q->status = take_answer(d, requests[i], names[i], deadline, a, &q->answer,
                                    sizeof(struct dns_address), take_address, &q->error);
    }
}
