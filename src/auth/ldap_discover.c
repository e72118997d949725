/*
 * Servers by SRV records (RFC 2782). Domain controllers of Active Directory are in
 * _ldap._tcp.dc._msdcs.DOMAIN, other directories in _ldap._tcp.DOMAIN, global catalogs in
 * _gc._tcp.DOMAIN (MS-ADTS 6.3.2.3). They are looked up when the source opens and every
 * discover_interval; a failure is tried again after half a minute, and what was found before stays.
 * The client hears of it only when the set of servers is another one: chance sorts them anew each
 * time, and connections need not move for that.
 *
 * DNS that is not signed can be forged: what keeps a stranger's server from being believed is TLS,
 * whose certificate must be made for the name that was found. The settings insist on it.
 */
#include "auth/ldap_discover.h"

#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/dns.h"

#include <stdlib.h>

#define RETRY       (30 * USEC_SEC)
#define SERVERS_MAX 64

struct ldap_discovery {
    struct dns *dns;
    struct ldap_client *client;
    const struct ldap_settings *settings;
    struct fiber *fiber;
    struct cond ended;
    struct arena *arena; /* of servers */
    struct str *servers;
    size_t count;
    usec found_at;  /* clock_wall; 0: never */
    struct err why; /* of the last failure; kind ERR_NONE: there was none since */
};

static struct str question(const struct ldap_discovery *d, size_t i, struct arena *a)
{
    static const char *const names[] = {"_ldap._tcp.dc._msdcs", "_ldap._tcp"};
    const char *domain = d->settings->connection.discover;
    if (d->settings->mapping.global_catalog)
        return i == 0 ? arena_printf(a, "_gc._tcp.%s", domain) : (struct str){0};
    return i < 2 ? arena_printf(a, "%s.%s", names[i], domain) : (struct str){0};
}

static bool find(struct ldap_discovery *d, struct arena *a, struct dns_answer *answer,
                 struct err *e)
{
    struct str name;
    for (size_t i = 0; name = question(d, i, a), name.p; i++) {
        enum dns_status status = dns_srv_until(d->dns, name, DEADLINE_NONE, a, answer, e);
        if (status == DNS_TEMPFAIL)
            return false;
        if (status == DNS_FOUND && answer->srv[0].host.n > 0)
            return true;
        err_set(e, ERR_TEMP, "DNS: no SRV records %.*s", STR_ARG(name));
    }
    return false;
}

static bool has(const struct str *list, size_t count, struct str uri)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(list[i], uri))
            return true;
    return false;
}

static void add(struct str *list, size_t *count, struct str uri)
{
    if (*count < SERVERS_MAX && !has(list, *count, uri))
        list[(*count)++] = uri;
}

static bool is_the_same(const struct ldap_discovery *d, const struct str *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!has(d->servers, d->count, list[i]))
            return false;
    return count == d->count;
}

/* Those of the settings come after what was found. */
static bool take(struct ldap_discovery *d, const struct dns_answer *answer, struct err *e)
{
    const struct string_list *given = &d->settings->connection.servers;
    struct arena *a = arena_new();
    struct str *list = arena_array(a, SERVERS_MAX, sizeof(*list));
    size_t count = 0;
    for (size_t i = 0; i < answer->count; i++)
        if (answer->srv[i].host.n > 0)
            add(list, &count,
                arena_printf(a, "ldap://%.*s:%u", STR_ARG(answer->srv[i].host),
                             (unsigned)answer->srv[i].port));
    for (size_t i = 0; i < given->count; i++)
        add(list, &count, str_from_c(given->items[i]));
    if (is_the_same(d, list, count)) {
        arena_free(a);
        return true;
    }
    if (!ldap_client_set_servers(d->client, list, count, e)) {
        arena_free(a);
        return false;
    }
    arena_free(d->arena);
    d->arena = a;
    d->servers = list;
    d->count = count;
    log_info("ldap", d->settings->name, "servers found domain=%s count=%zu first=%.*s",
             d->settings->connection.discover, answer->count, STR_ARG(list[0]));
    return true;
}

static bool look(struct ldap_discovery *d)
{
    struct arena *a = arena_new();
    struct dns_answer answer;
    struct err e;
    bool ok = find(d, a, &answer, &e) && take(d, &answer, &e);
    if (ok) {
        d->found_at = clock_wall();
        d->why = (struct err){0};
    } else if (e.kind != ERR_CANCELLED) {
        if (d->why.kind == ERR_NONE)
            log_warning("ldap", d->settings->name, "servers not found domain=%s reason=\"%s\"",
                        d->settings->connection.discover, e.text);
        d->why = e;
    }
    arena_free(a);
    return ok;
}

static void run(void *arg)
{
    struct ldap_discovery *d = arg;
    struct err e;
    do {
        usec pause = look(d) ? d->settings->mapping.discover_interval : RETRY;
        if (!fiber_sleep(pause, &e))
            break;
    } while (!fiber_is_cancelled(d->fiber));
    d->fiber = NULL;
    cond_broadcast(&d->ended);
}

struct ldap_discovery *ldap_discovery_start(struct loop *l, struct dns *dns, struct ldap_client *c,
                                            const struct ldap_settings *s)
{
    struct ldap_discovery *d = MEM_NEW(struct ldap_discovery);
    d->dns = dns;
    d->client = c;
    d->settings = s;
    d->arena = arena_new();
    d->fiber = fiber_start(l, "ldap discovery", run, d);
    if (!d->fiber)
        err_set(&d->why, ERR_LIMIT, "no fiber to look with");
    return d;
}

void ldap_discovery_end(struct ldap_discovery *d)
{
    if (!d)
        return;
    if (d->fiber)
        fiber_cancel(d->fiber);
    while (d->fiber)
        cond_wait_certain(&d->ended);
    arena_free(d->arena);
    free(d);
}

void ldap_discovery_describe(const struct ldap_discovery *d, struct lookup_trace *t)
{
    const char *domain = d->settings->connection.discover;
    if (d->found_at)
        lookup_trace_add(t, "discover", "%s: %zu servers, %lld s ago", domain, d->count,
                         (long long)((clock_wall() - d->found_at) / USEC_SEC));
    if (d->why.kind != ERR_NONE)
        lookup_trace_add(t, "discover", "%s: %s", domain, d->why.text);
}
