/*
 * DNS through libunbound: recursion or forwarding, cache and DNSSEC validation happen in its own
 * thread, so that no answer, however laborious to validate, holds up the loop. Its descriptor in
 * the loop says that answers are there; ub_process then calls on_answer on the loop's thread. All
 * of this is made when the first question is asked.
 *
 * A waiting fiber and libunbound share a request on the heap. A fiber that stops waiting cancels
 * it: after a successful ub_cancel no callback comes; should it not succeed, the callback frees
 * the request.
 *
 * What an answer means, worst first: bogus (validation failed) and every failure to get an answer
 * are DNS_TEMPFAIL. Only NXDOMAIN and an empty answer are DNS_NOT_FOUND. A name that cannot exist
 * in DNS (an empty label, too long, not encodable) does not exist.
 *
 * Settings of libunbound: with a server to ask, that one may be on this machine, and private zones
 * are its business: the built-in empty zones (test., reverse zones of private networks) are
 * switched off, or they would answer in its place.
 */
#include "net/dns.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/random.h"
#include "net/dns_decode.h"
#include "net/socket_address.h"

#include <assert.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unbound.h>

#define CLASS_IN       1
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

struct dns {
    struct loop *loop;
    char *server, *trust_anchor;
    struct ub_ctx *context; /* NULL: nobody asked yet */
    struct event *event;
    usec timeout;
    bool validates;
    size_t waiting;
};

struct request {
    struct cond done_cond;
    bool done, abandoned;
    int id;
    int error; /* of libunbound; 0: result is there */
    struct ub_result *result;
};

/* --- settings --- */

#define FIELD(name) offsetof(struct dns_settings, name)

static const struct setting settings[] = {
    {"server", SETTING_STRING, FIELD(server), "", 0, 0, NULL,
     "DNS server to ask, as address or address@port. Not set: those of /etc/resolv.conf, and if it "
     "names none, the servers of the Internet themselves."},
    {"trust_anchor", SETTING_PATH, FIELD(trust_anchor), "", 0, 0, NULL,
     "File with DS or DNSKEY records that DNSSEC validation starts from. Not set: no answer counts "
     "as secure."},
    {"timeout", SETTING_DURATION, FIELD(timeout), "15s", USEC_SEC / 10, 300 * USEC_SEC, NULL,
     "How long to wait for the answer to one question."},
    {0},
};

/* "address@port" in two parts. */
static bool parse_server(const char *server, struct socket_address *a, struct err *e)
{
    struct str rest = str_from_c(server);
    struct str host = str_split(&rest, '@');
    uint32_t port = 53;
    if (rest.p && (!str_to_u32(rest, &port) || port == 0 || port > 65535))
        return err_set(e, ERR_SYNTAX, "server %s: expected a port after \"@\"", server);
    if (!socket_address_parse(a, host, (uint16_t)port, e) || socket_address_is_unix(a))
        return err_set(e, ERR_SYNTAX, "server %s: expected \"address\" or \"address@port\"",
                       server);
    return true;
}

static bool check_settings(const void *values, struct err *e)
{
    const struct dns_settings *s = values;
    struct socket_address a;
    return s->server[0] == '\0' || parse_server(s->server, &a, e);
}

const struct settings_block dns_settings_block = {
    .name = "dns",
    .help = "How names are looked up. All need a restart.",
    .size = sizeof(struct dns_settings),
    .settings = settings,
    .check = check_settings,
};

/* --- making --- */

static bool checked(int error, const char *what, struct err *e)
{
    return error == 0 || err_set(e, ERR_PERM, "DNS resolver: %s: %s", what, ub_strerror(error));
}

static bool set_option(struct ub_ctx *c, const char *name, const char *value, struct err *e)
{
    return checked(ub_ctx_set_option(c, name, value), name, e);
}

/* Leaves to the server what libunbound would answer itself. */
static bool leave_private_zones(struct ub_ctx *c, struct err *e)
{
    return set_option(c, "do-not-query-localhost:", "no", e) &&
           set_option(c, "unblock-lan-zones:", "yes", e) &&
           set_option(c, "local-zone:", "test. transparent", e) &&
           set_option(c, "local-zone:", "home.arpa. transparent", e) &&
           set_option(c, "local-zone:", "127.in-addr.arpa. transparent", e);
}

static bool set_servers(struct ub_ctx *c, const char *server, struct err *e)
{
    if (server[0])
        return checked(ub_ctx_set_fwd(c, server), server, e) && leave_private_zones(c, e);
    if (ub_ctx_resolvconf(c, NULL) == 0)
        return leave_private_zones(c, e);
    return true; /* no such file: recursion from the root */
}

static bool set_trust_anchor(struct ub_ctx *c, const char *path, struct err *e)
{
    return path[0] == '\0' || checked(ub_ctx_add_ta_file(c, path), path, e);
}

static bool is_readable(const char *path, struct err *e)
{
    int fd;
    if (!disk_open(path, O_RDONLY, 0, &fd, e))
        return err_prefix(e, "trust anchor");
    disk_close(fd);
    return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct dns *d = arg;
    (void)fd;
    (void)what;
    ub_process(d->context);
}

struct dns *dns_new(struct loop *l, const struct dns_settings *s, struct err *e)
{
    struct socket_address a;
    if ((s->server[0] && !parse_server(s->server, &a, e)) ||
        (s->trust_anchor[0] && !is_readable(s->trust_anchor, e)))
        return NULL;
    struct dns *d = MEM_NEW(struct dns);
    d->loop = l;
    d->server = mem_dup(s->server, strlen(s->server));
    d->trust_anchor = mem_dup(s->trust_anchor, strlen(s->trust_anchor));
    d->timeout = s->timeout;
    d->validates = s->trust_anchor[0] != '\0';
    return d;
}

static struct ub_ctx *make_context(const struct dns *d, struct err *e)
{
    struct ub_ctx *c = ub_ctx_create();
    if (!c) {
        err_set(e, ERR_PERM, "DNS resolver: libunbound cannot be set up");
        return NULL;
    }
    if (checked(ub_ctx_debugout(c, NULL), "log", e) && checked(ub_ctx_async(c, 1), "thread", e) &&
        set_servers(c, d->server, e) && set_trust_anchor(c, d->trust_anchor, e))
        return c;
    ub_ctx_delete(c);
    return NULL;
}

static bool prepare(struct dns *d)
{
    struct err e;
    if (d->context)
        return true;
    d->context = make_context(d, &e);
    if (!d->context) {
        log_error("dns", NULL, "resolver: %s", e.text);
        return false;
    }
    d->event =
        event_new(loop_events(d->loop), ub_fd(d->context), EV_READ | EV_PERSIST, on_readable, d);
    if (!d->event || event_add(d->event, NULL) < 0)
        abort();
    return true;
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    assert(d->waiting == 0);
    if (d->event)
        event_free(d->event);
    ub_ctx_delete(d->context);
    free(d->server);
    free(d->trust_anchor);
    free(d);
}

bool dns_validates(const struct dns *d)
{
    return d->validates;
}

/* --- asking --- */

static void request_free(struct request *r)
{
    ub_resolve_free(r->result);
    free(r);
}

static void on_answer(void *arg, int error, struct ub_result *result)
{
    struct request *r = arg;
    r->done = true;
    r->error = error;
    r->result = result;
    if (r->abandoned)
        request_free(r);
    else
        cond_signal(&r->done_cond);
}

static struct request *ask(struct dns *d, const char *name, int type)
{
    struct request *r = MEM_NEW(struct request);
    d->waiting++;
    r->error = prepare(d) ? ub_resolve_async(d->context, name, type, CLASS_IN, r, on_answer, &r->id)
                          : UB_INITFAIL;
    r->done = r->error != 0;
    return r;
}

/* The waiter needs the request no more, answered or not. */
static void release(struct dns *d, struct request *r)
{
    d->waiting--;
    if (r->done || ub_cancel(d->context, r->id) == 0)
        request_free(r);
    else
        r->abandoned = true;
}

/* DNS_FOUND: r->result has data, which may still be of no use. */
static enum dns_status await(struct request *r, const char *name, usec deadline,
                             struct dns_answer *answer, struct err *e)
{
    while (!r->done)
        if (!cond_wait(&r->done_cond, deadline, e)) {
            err_prefix(e, "DNS: %s", name);
            return DNS_TEMPFAIL;
        }
    const struct ub_result *result = r->result;
    if (r->error || !result) {
        err_set(e, ERR_TEMP, "DNS: %s: %s", name, ub_strerror(r->error));
        return DNS_TEMPFAIL;
    }
    if (result->bogus) { /* before all else: a bogus answer may have data */
        answer->bogus = true;
        err_set(e, ERR_TEMP, "DNS: %s: %s", name,
                result->why_bogus ? result->why_bogus : "validation failure");
        return DNS_TEMPFAIL;
    }
    if (result->rcode != 0 && result->rcode != RCODE_NXDOMAIN) {
        err_set(e, ERR_TEMP, "DNS: %s: the server failed (code %d)", name, result->rcode);
        return DNS_TEMPFAIL;
    }
    answer->secure = result->secure;
    answer->nxdomain = result->rcode == RCODE_NXDOMAIN;
    answer->ttl = result->ttl > 0 ? (uint32_t)result->ttl : 0;
    return result->havedata && !answer->nxdomain ? DNS_FOUND : DNS_NOT_FOUND;
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
static enum dns_status take_answer(struct dns *d, struct request *r, const char *name,
                                   usec deadline, struct arena *a, struct dns_answer *answer,
                                   size_t size, take_record *take, struct err *e)
{
    enum dns_status status = await(r, name, deadline, answer, e);
    if (status == DNS_FOUND) {
        size_t n = record_count(r->result);
        answer->mx = arena_array(a, n, size);
        for (size_t i = 0; i < n; i++)
            answer->count += take(record(r->result, i), a, answer);
        take_canonical(r->result, a, answer);
        if (answer->count == 0) {
            err_set(e, ERR_TEMP, "DNS: %s: the answer is malformed", name);
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
    err_set(e, ERR_NOT_FOUND, "DNS: %.*s: no such name is possible", STR_ARG(str_head(name, 255)));
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
    struct request *r6 = ask(d, query, TYPE_AAAA), *r4 = ask(d, query, TYPE_A);
    struct dns_answer a6 = {0}, a4 = {0};
    enum dns_status s4 = await(r4, query, deadline, &a4, e);
    enum dns_status s6 = await(r6, query, deadline, &a6, s4 == DNS_TEMPFAIL ? NULL : e);
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
        err_set(e, ERR_TEMP, "DNS: %s: the answer is malformed", query);
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
    struct request **requests = arena_array(a, count, sizeof(*requests));
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
