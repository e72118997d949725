/*
 * The health of servers. One that fails is set aside and gets no questions; while it is aside a
 * thread of its own (there is one only then) looks at it:
 *
 * - One that cannot be reached or keeps silent is looked at twice a second, which costs a packet. A
 *   server that took the connection and then stopped still holds the look's question, so it is back
 *   in the moment it goes on.
 * - One that answers, but wrongly (it refuses the service account, its certificate is not good, it
 *   breaks off under each question), is looked at after a second, two, four, up to a minute: each
 *   look is a login there, and accounts get locked by those.
 *
 * A look does all that a connection needs. With no server left questions are answered at once.
 */
#include "auth/ldap_server.h"

#include "auth/ldap_connection.h"
#include "auth/ldap_hub.h"
#include "core/buf.h"
#include "core/log.h"
#include "core/random.h"
#include "net/blocking.h"

static struct ldap_server *find(struct ldap_hub *h, struct str uri)
{
    for (size_t i = 0; i < h->server_count; i++)
        if (str_equal_nocase(h->servers[i]->uri, uri))
            return h->servers[i];
    return NULL;
}

static struct ldap_server *add(struct ldap_hub *h, struct str uri)
{
    struct ldap_server *s = ARENA_NEW(h->arena, struct ldap_server);
    s->hub = h;
    s->uri = (struct str){arena_c(h->arena, uri), uri.n};
    return s;
}

/* One that SRV records named may be what passwords are not sent to: it is left out. */
static bool may_be_used(struct ldap_hub *h, struct str uri, struct err *e)
{
    if (ldap_settings_allow_server(&h->settings, uri, e))
        return true;
    log_warning("ldap", h->name, "server not used: %s", e->text);
    return false;
}

bool ldap_servers_set(struct ldap_hub *h, const struct str *uris, size_t count, struct err *e)
{
    struct ldap_server *list[LDAP_SERVERS_MAX];
    struct err why = {.kind = ERR_TEMP, .text = "there are none"};
    size_t n = 0;
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < h->server_count; i++)
        h->servers[i]->listed = false;
    for (size_t i = 0; i < count && n < LDAP_SERVERS_MAX; i++) {
        struct ldap_server *s = find(h, uris[i]);
        if (!s && may_be_used(h, uris[i], &why))
            s = add(h, uris[i]);
        if (s && !s->listed) {
            list[n++] = s;
            s->listed = true;
        }
    }
    size_t listed = n;
    /* Others are remembered with their health, while there is room. */
    for (size_t i = 0; i < h->server_count && n < LDAP_SERVERS_MAX; i++)
        if (!h->servers[i]->listed)
            list[n++] = h->servers[i];
    memcpy(h->servers, list, n * sizeof(*list));
    h->server_count = n;
    pthread_mutex_unlock(&h->lock);
    return listed > 0 || err_set(e, why.kind, "ldap %s: servers: %s", h->name, why.text);
}

struct ldap_server *ldap_servers_best(struct ldap_hub *h, const struct ldap_server *except)
{
    for (size_t i = 0; i < h->server_count; i++) {
        struct ldap_server *s = h->servers[i];
        if (s->listed && !s->aside && s != except)
            return s;
    }
    return NULL;
}

void ldap_servers_explain(struct ldap_hub *h, struct err *e)
{
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < h->server_count; i++) {
        const struct ldap_server *s = h->servers[i];
        if (s->listed && s->aside)
            buf_printf(&text, "%s%s: %s", text.n ? "; " : "", s->uri.p, s->why.text);
    }
    err_set(e, ERR_TEMP, "ldap %s: no server can be asked: %s", h->name,
            text.n ? buf_c(&text) : "none is known");
    buf_free(&text);
}

usec ldap_server_time_to_connect(const struct ldap_server *s)
{
    const struct ldap_connection_settings *c = &s->hub->settings;
    usec half = c->timeout / 2;
    return c->connect_timeout > half && ldap_servers_best(s->hub, s) ? half : c->connect_timeout;
}

void ldap_server_begin_try(const struct ldap_server *s, struct ldap_request *r)
{
    bool other = ++r->tries < 2 && ldap_servers_best(s->hub, s);
    struct str name = str_head(s->uri, sizeof(r->server) - 1);
    memcpy(r->server, name.p, name.n);
    r->server[name.n] = '\0';
    r->sent = clock_monotonic();
    r->try_deadline = other ? r->sent + (r->deadline - r->sent) / 2 : r->deadline;
}

/* --- looking --- */

static bool is_silence(const struct err *e)
{
    return e->kind == ERR_TIMEOUT || e->kind == ERR_CLOSED || e->kind == ERR_TEMP;
}

/* A second, two, four ... a minute, a quarter more or less. */
static usec back_off(const struct ldap_server *s, unsigned failures)
{
    const struct ldap_intervals *i = &s->hub->intervals;
    unsigned doubled = failures > 7 ? 6 : failures > 0 ? failures - 1 : 0;
    usec wait = i->back_off_least << doubled;
    if (wait > i->back_off_most)
        wait = i->back_off_most;
    return wait * 3 / 4 + (usec)random_below((uint64_t)wait / 2 + 1);
}

static bool look(struct ldap_server *s, struct err *e)
{
    struct ldap_connection c;
    const struct ldap_connection_settings *settings = &s->hub->settings;
    usec reach =
        settings->connect_timeout < LDAP_PROBE_REACH ? settings->connect_timeout : LDAP_PROBE_REACH;
    usec limit = deadline_in(LDAP_PROBE_PATIENCE);
    if (!ldap_connection_open(&c, settings, s->uri, true, s->hub->stop, deadline_in(reach), limit,
                              e))
        return false;
    /* The kernel takes connections for a server that is stopped, and anonymous ones say nothing. */
    bool well = ldap_connection_ask_anything(&c, s->hub->stop, limit, e);
    ldap_connection_close(&c);
    return well;
}

/* With the lock held. */
static void came_back(struct ldap_server *s)
{
    log_info("ldap", s->hub->name, "server answers again server=%s seconds=%lld", s->uri.p,
             (long long)((clock_monotonic() - s->aside_since) / USEC_SEC));
    s->aside = false;
}

static void look_until_well(void *arg)
{
    struct ldap_server *s = arg;
    struct ldap_hub *h = s->hub;
    pthread_mutex_lock(&h->lock);
    while (!h->stopping && s->aside && s->listed) {
        struct err e = {0};
        usec at = s->probe_at;
        pthread_mutex_unlock(&h->lock);
        /* Only `stop` can make this wait end early. */
        blocking_wait(-1, 0, h->stop, at, NULL);
        bool well = look(s, &e);
        pthread_mutex_lock(&h->lock);
        if (well) {
            came_back(s);
        } else if (e.kind != ERR_CANCELLED) {
            s->why = e;
            s->failures++;
            s->probe_at =
                clock_monotonic() + (is_silence(&e) ? h->intervals.look : back_off(s, s->failures));
        }
    }
    s->probing = false;
    if (!s->listed)
        s->aside = false;
    pthread_mutex_unlock(&h->lock);
    ldap_hub_end_thread(h);
}

static void set_aside(struct ldap_server *s, const struct err *why, usec first_look)
{
    if (s->aside)
        return;
    s->aside = true;
    s->why = *why;
    s->failures++;
    s->times_aside++;
    s->aside_since = clock_monotonic();
    s->probe_at = s->aside_since + first_look;
    log_warning("ldap", s->hub->name, "server set aside server=%s reason=\"%s\"", s->uri.p,
                why->text);
    if (s->probing || s->hub->stopping)
        return;
    s->probing = ldap_hub_start_thread(s->hub, "maild-ldap-look", look_until_well, s);
    if (!s->probing) /* no thread: questions have to find out */
        s->aside = false;
}

void ldap_server_failed(struct ldap_server *s, const struct err *why)
{
    /* Where another is well, what is asked again shall not meet this one at once. */
    usec soon = ldap_servers_best(s->hub, s) ? s->hub->intervals.look : 0;
    set_aside(s, why, is_silence(why) ? soon : back_off(s, s->failures + 1));
}

/* Connections that were made before the last loss are part of it. */
void ldap_server_lost(struct ldap_server *s, usec opened, const struct err *why)
{
    if (opened >= s->lost_at)
        s->lost++;
    s->lost_at = clock_monotonic();
    if (s->lost > 1 || ldap_servers_best(s->hub, s))
        set_aside(s, why, back_off(s, s->failures + 1));
}

void ldap_server_answered(struct ldap_server *s)
{
    s->answers++;
    s->failures = 0;
    s->lost = 0;
}
