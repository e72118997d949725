/*
 * A resolver: libunbound with its settings. Recursion or forwarding, cache and DNSSEC validation
 * happen in its own thread, so that no answer, however laborious to validate, holds up the loop.
 * Its descriptor in the loop says that answers are there; ub_process then calls on_answer on the
 * loop's thread.
 *
 * A resolver is counted: its owner has one reference, each question another. So one that was
 * exchanged lives until its last question is answered or given up. Its thread is waited for at the
 * end, which is done on a worker.
 *
 * A waiting fiber and libunbound share a request on the heap. A fiber that stops waiting cancels
 * it: after a successful ub_cancel no callback comes; should it not succeed, the callback frees
 * the request.
 *
 * Settings of libunbound: with a server to ask, that one may be on this machine, and private zones
 * are its business: the built-in empty zones (test., reverse zones of private networks) are
 * switched off, or they would answer in its place.
 */
#include "net/dns_resolver.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/worker.h"
#include "net/socket_address.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unbound.h>

#define CLASS_IN    1
#define RESOLV_CONF "/etc/resolv.conf"

struct dns_resolver {
    unsigned references;
    char *server, *trust_anchor;
    struct buf stamp;       /* of the files it is made of */
    struct ub_ctx *context; /* NULL: not made yet */
    struct event *event;    /* NULL: nobody asked yet */
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
    .help =
        "How names are looked up. A reload that changes something here, or finds that one of the "
        "files has changed, begins with an empty cache; questions that wait are answered.",
    .size = sizeof(struct dns_settings),
    .settings = settings,
    .check = check_settings,
};

/* --- making --- */

/* What tells one version of the files from another. */
static void stamp_file(const char *path, struct buf *stamp)
{
    struct stat st;
    if (disk_stat(path, &st, NULL))
        buf_printf(stamp, "%llu %lld %lld.%09ld;", (unsigned long long)st.st_ino,
                   (long long)st.st_size, (long long)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec);
    else
        buf_add_c(stamp, "none;");
}

static void stamp_files(const char *server, const char *trust_anchor, struct buf *stamp)
{
    if (server[0] == '\0')
        stamp_file(RESOLV_CONF, stamp);
    if (trust_anchor[0])
        stamp_file(trust_anchor, stamp);
}

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

struct dns_resolver *dns_resolver_new(const struct dns_settings *s, struct err *e)
{
    struct socket_address a;
    if ((s->server[0] && !parse_server(s->server, &a, e)) ||
        (s->trust_anchor[0] && !is_readable(s->trust_anchor, e)))
        return NULL;
    struct dns_resolver *r = MEM_NEW(struct dns_resolver);
    r->references = 1;
    r->server = mem_dup(s->server, strlen(s->server));
    r->trust_anchor = mem_dup(s->trust_anchor, strlen(s->trust_anchor));
    stamp_files(r->server, r->trust_anchor, &r->stamp);
    return r;
}

/* libunbound reads files when it first needs them; a change of its local data is such a need. */
static bool read_files(struct ub_ctx *c, const char *trust_anchor, struct err *e)
{
    const char *what = trust_anchor[0] ? trust_anchor : "settings";
    return checked(ub_ctx_data_remove(c, "maild.invalid."), what, e);
}

bool dns_resolver_make(struct dns_resolver *r, struct err *e)
{
    if (r->context)
        return true;
    struct ub_ctx *c = ub_ctx_create();
    if (!c)
        return err_set(e, ERR_PERM, "DNS resolver: libunbound cannot be set up");
    if (checked(ub_ctx_debugout(c, NULL), "log", e) && checked(ub_ctx_async(c, 1), "thread", e) &&
        set_servers(c, r->server, e) && set_trust_anchor(c, r->trust_anchor, e) &&
        read_files(c, r->trust_anchor, e)) {
        r->context = c;
        return true;
    }
    ub_ctx_delete(c);
    return false;
}

static void free_on_worker(void *arg)
{
    struct dns_resolver *r = arg;
    ub_ctx_delete(r->context);
    buf_free(&r->stamp);
    free(r->server);
    free(r->trust_anchor);
    free(r);
}

void dns_resolver_unref(struct dns_resolver *r)
{
    if (!r || --r->references > 0)
        return;
    if (r->event)
        event_free(r->event);
    if (r->event && loop_current())
        worker_start(WORKER_DISK, free_on_worker, NULL, r);
    else
        free_on_worker(r);
}

bool dns_resolver_is_like(const struct dns_resolver *r, const struct dns_settings *s)
{
    struct buf stamp = BUF_EMPTY;
    if (strcmp(r->server, s->server) != 0 || strcmp(r->trust_anchor, s->trust_anchor) != 0)
        return false;
    stamp_files(s->server, s->trust_anchor, &stamp);
    bool same = str_equal(buf_str(&stamp), buf_str(&r->stamp));
    buf_free(&stamp);
    return same;
}

bool dns_resolver_validates(const struct dns_resolver *r)
{
    return r->trust_anchor[0] != '\0';
}

/* --- asking --- */

static struct dns_resolver *resolver_ref(struct dns_resolver *r)
{
    r->references++;
    return r;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct dns_resolver *r = resolver_ref(arg); /* an abandoned request may be the last one */
    (void)fd;
    (void)what;
    ub_process(r->context);
    dns_resolver_unref(r);
}

static bool begin(struct dns_resolver *r, struct loop *l)
{
    struct err e;
    if (r->event)
        return true;
    if (!dns_resolver_make(r, &e)) {
        log_error("dns", NULL, "resolver: %s", e.text);
        return false;
    }
    r->event = event_new(loop_events(l), ub_fd(r->context), EV_READ | EV_PERSIST, on_readable, r);
    if (!r->event || event_add(r->event, NULL) < 0)
        abort();
    return true;
}

static void request_free(struct dns_request *q)
{
    ub_resolve_free(q->result);
    dns_resolver_unref(q->resolver);
    free(q);
}

static void on_answer(void *arg, int error, struct ub_result *result)
{
    struct dns_request *q = arg;
    q->done = true;
    q->error = error;
    q->result = result;
    if (q->abandoned)
        request_free(q);
    else
        cond_signal(&q->done_cond);
}

struct dns_request *dns_request_new(struct dns_resolver *r, struct loop *l, const char *name,
                                    int type)
{
    struct dns_request *q = MEM_NEW(struct dns_request);
    q->resolver = resolver_ref(r);
    q->error = begin(r, l)
                   ? ub_resolve_async(r->context, name, type, CLASS_IN, q, on_answer, &q->id)
                   : UB_INITFAIL;
    q->done = q->error != 0;
    return q;
}

void dns_request_release(struct dns_request *q)
{
    if (q->done || ub_cancel(q->resolver->context, q->id) == 0)
        request_free(q);
    else
        q->abandoned = true;
}
