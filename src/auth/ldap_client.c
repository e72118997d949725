/*
 * The loop's side: a fiber writes down its question, hands it to the threads, waits, and copies the
 * answer. What it waits for may come too late or never; then it leaves the question behind.
 * Shutting down ends all waits at once, gives the threads a moment, and leaves behind those that
 * hang.
 */
#include "auth/ldap_client.h"

#include "auth/ldap_logins.h"
#include "core/mem.h"

#include <ldap.h>
#include <stdlib.h>

/* Its thread says first why there is no answer. */
#define GRACE (100 * USEC_MSEC)

struct waiting {
    struct waiting *next, **at;
    struct ldap_request *request;
};

struct ldap_client {
    struct ldap_hub *hub;
    struct ldap_logins *logins;
    bool closing;
    struct waiting *waiting;
    struct cond empty;
};

struct ldap_client *ldap_client_new(struct loop *l, const struct ldap_settings *s, struct err *e)
{
    const struct ldap_connection_settings *settings = &s->connection;
    LDAPAPIInfo info = {.ldapai_info_version = LDAP_API_INFO_VERSION};
    /* The library's own start, on one thread. */
    if (ldap_get_option(NULL, LDAP_OPT_API_INFO, &info) != LDAP_OPT_SUCCESS) {
        err_set(e, ERR_PERM, "libldap cannot be set up");
        return NULL;
    }
    ldap_memfree(info.ldapai_vendor_name);
    ber_memvfree((void **)info.ldapai_extensions);
    struct ldap_hub *h = ldap_hub_new(l, s->name, settings, e);
    if (!h)
        return NULL;
    struct ldap_client *c = MEM_NEW(struct ldap_client);
    c->hub = h;
    c->logins = ldap_logins_new(l, h);
    struct str *uris = mem_array(settings->servers.count + 1, sizeof(*uris));
    for (size_t i = 0; i < settings->servers.count; i++)
        uris[i] = str_from_c(settings->servers.items[i]);
    bool ok = settings->servers.count == 0 || ldap_servers_set(h, uris, settings->servers.count, e);
    free(uris);
    if (ok)
        return c;
    ldap_client_close(c);
    return NULL;
}

bool ldap_client_set_servers(struct ldap_client *c, const struct str *uris, size_t count,
                             struct err *e)
{
    return ldap_servers_set(c->hub, uris, count, e);
}

void ldap_client_set_intervals(struct ldap_client *c, const struct ldap_intervals *i)
{
    pthread_mutex_lock(&c->hub->lock);
    c->hub->intervals = *i;
    pthread_mutex_unlock(&c->hub->lock);
}

void ldap_client_close(struct ldap_client *c)
{
    if (!c)
        return;
    struct ldap_hub *h = c->hub;
    c->closing = true;
    ldap_pools_stop(h);
    for (struct waiting *w = c->waiting; w; w = w->next)
        cond_broadcast(&w->request->changed);
    ldap_logins_stop(c->logins);
    while (c->waiting)
        cond_wait_certain(&c->empty);
    ldap_hub_await_end(h, deadline_in(LDAP_CLOSE_WAIT));
    thread_inbox_close(h->inbox);
    ldap_logins_free(c->logins);
    ldap_hub_unref(h);
    free(c);
}

/* --- waiting --- */

/* Until r has its answer or *flag is set. False: r has its error, and was left behind. */
static bool await(struct ldap_client *c, struct ldap_request *r, const bool *flag)
{
    struct waiting w = {.next = c->waiting, .at = &c->waiting, .request = r};
    struct err e = {0};
    bool ok = true;
    if (w.next)
        w.next->at = &w.next;
    c->waiting = &w;
    usec limit = deadline_in(c->hub->settings.timeout + GRACE);
    while (ok && !r->over && !*flag && !c->closing)
        ok = cond_wait(&r->changed, limit, &e);
    *w.at = w.next;
    if (w.next)
        w.next->at = w.at;
    if (c->closing && !c->waiting)
        cond_broadcast(&c->empty);
    if (r->over || *flag)
        return true;
    if (!ok && e.kind == ERR_TIMEOUT)
        ldap_pool_abandon_late(c->hub, r);
    else
        ldap_pool_abandon(c->hub, r);
    return false;
}

static void explain_leaving(struct ldap_client *c, struct err *e)
{
    if (c->closing || fiber_is_cancelled(fiber_self()))
        err_set(e, ERR_CANCELLED, "ldap %s: ended", c->hub->name);
    else
        err_set(e, ERR_TEMP, "ldap %s: no answer within %lld ms", c->hub->name,
                (long long)(c->hub->settings.timeout / USEC_MSEC));
}

/* What r was answered; the caller's reference stays. */
static enum lookup tell_answer(const struct ldap_request *r, struct lookup_trace *t, struct err *e)
{
    if (r->answer != LOOKUP_FOUND && e)
        *e = r->error;
    if (r->server[0])
        lookup_trace_add(t, "server", "%s answered after %lld us", r->server,
                         (long long)(clock_monotonic() - r->begun));
    return r->answer;
}

static bool begin(struct ldap_client *c, struct ldap_request *r, struct err *e)
{
    r->deadline = r->begun + c->hub->settings.timeout;
    return !c->closing || err_set(e, ERR_CANCELLED, "ldap %s: ended", c->hub->name);
}

/* The whole way of a request that has one answer. */
static enum lookup ask(struct ldap_client *c, enum ldap_pool_kind kind, struct ldap_request *r,
                       struct lookup_trace *t, struct err *e)
{
    static const bool never;
    if (!begin(c, r, e))
        return LOOKUP_TEMPFAIL;
    if (ldap_pool_submit(c->hub, kind, ldap_request_ref(r)) && !await(c, r, &never)) {
        explain_leaving(c, e);
        return LOOKUP_TEMPFAIL;
    }
    return tell_answer(r, t, e);
}

/* The same over the connections for logins. */
static enum lookup ask_as_user(struct ldap_client *c, struct ldap_request *r,
                               struct lookup_trace *t, struct err *e)
{
    if (!begin(c, r, e))
        return LOOKUP_TEMPFAIL;
    ldap_logins_ask(c->logins, r);
    return tell_answer(r, t, e);
}

/* --- searches --- */

static struct str terminated(struct ldap_request *r, struct str s)
{
    return arena_str(r->arena, s.p ? s : STR(""));
}

static struct ldap_request *new_search(const struct ldap_query *q)
{
    struct ldap_request *r = ldap_request_new(LDAP_OPERATION_SEARCH);
    struct ldap_question *to = &r->question;
    size_t n = 0;
    while (q->attributes && q->attributes[n])
        n++;
    to->dn = terminated(r, q->base);
    to->filter = terminated(r, q->filter);
    to->scope = q->scope;
    to->attributes = arena_array(r->arena, n + 2, sizeof(*to->attributes));
    for (size_t i = 0; i < n; i++)
        to->attributes[i] = arena_c(r->arena, str_from_c(q->attributes[i]));
    if (n == 0) /* no list would be all attributes */
        to->attributes[0] = LDAP_NO_ATTRS;
    to->entries_max = q->entries_max ? q->entries_max : LDAP_ENTRIES_MAX;
    to->page = q->page;
    return r;
}

static void copy_attribute(struct arena *a, struct ldap_attribute *to,
                           const struct ldap_attribute *from)
{
    to->name = arena_str(a, from->name);
    to->count = from->count;
    to->values = arena_array(a, from->count ? from->count : 1, sizeof(*to->values));
    for (size_t i = 0; i < from->count; i++)
        to->values[i] = arena_str(a, from->values[i]);
}

static void copy_entries(struct arena *a, const struct ldap_request *r, struct ldap_entries *to)
{
    to->count = r->count;
    to->list = arena_array(a, r->count ? r->count : 1, sizeof(*to->list));
    for (size_t i = 0; i < r->count; i++) {
        const struct ldap_entry *from = &r->list[i];
        struct ldap_entry *entry = &to->list[i];
        entry->dn = arena_str(a, from->dn);
        entry->count = from->count;
        entry->attributes =
            arena_array(a, from->count ? from->count : 1, sizeof(*entry->attributes));
        for (size_t j = 0; j < from->count; j++)
            copy_attribute(a, &entry->attributes[j], &from->attributes[j]);
    }
}

static bool holds_nul(struct str s)
{
    return s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
}

enum lookup ldap_client_search(struct ldap_client *c, const struct ldap_query *q, struct arena *a,
                               struct ldap_entries *found, struct lookup_trace *t, struct err *e)
{
    *found = (struct ldap_entries){0};
    if (holds_nul(q->base) || holds_nul(q->filter)) {
        err_set(e, ERR_PERM, "ldap %s: a NUL in a base or filter", c->hub->name);
        return LOOKUP_TEMPFAIL;
    }
    struct ldap_request *r = new_search(q);
    enum lookup answer = ask(c, q->page ? LDAP_POOL_PAGED : LDAP_POOL_SEARCH, r, t, e);
    if (answer == LOOKUP_FOUND)
        copy_entries(a, r, found);
    ldap_request_unref(r);
    return answer;
}

static bool tell(const struct ldap_request *r, bool (*fn)(void *arg, const struct ldap_entry *),
                 void *arg)
{
    for (size_t i = 0; i < r->count; i++)
        if (!fn(arg, &r->list[i]))
            return false;
    return true;
}

/* One page after the other, while fn wants more. */
static bool read_pages(struct ldap_client *c, struct ldap_request *r,
                       bool (*fn)(void *arg, const struct ldap_entry *), void *arg, struct err *e)
{
    for (;;) {
        if (!await(c, r, &r->page_ready)) {
            explain_leaving(c, e);
            return false;
        }
        bool last = r->over;
        if (last && r->answer == LOOKUP_TEMPFAIL) {
            if (e)
                *e = r->error;
            return false;
        }
        r->page_ready = false;
        bool more = tell(r, fn, arg);
        if (last)
            return more;
        if (!more) {
            ldap_pool_abandon(c->hub, r);
            return false;
        }
        ldap_pool_go_on(c->hub, r);
    }
}

bool ldap_client_search_pages(struct ldap_client *c, const struct ldap_query *q,
                              bool (*fn)(void *arg, const struct ldap_entry *entry), void *arg,
                              struct err *e)
{
    if (c->closing)
        return err_set(e, ERR_CANCELLED, "ldap %s: ended", c->hub->name);
    if (holds_nul(q->base) || holds_nul(q->filter))
        return err_set(e, ERR_PERM, "ldap %s: a NUL in a base or filter", c->hub->name);
    struct ldap_request *r = new_search(q);
    r->question.stream = true;
    r->deadline = r->begun + c->hub->settings.timeout;
    bool ok = ldap_pool_submit(c->hub, LDAP_POOL_PAGED, ldap_request_ref(r));
    if (ok)
        ok = read_pages(c, r, fn, arg, e);
    else if (e)
        *e = r->error;
    ldap_request_unref(r);
    return ok;
}

const struct ldap_attribute *ldap_attribute_of(const struct ldap_entry *entry, const char *name)
{
    struct str wanted = str_from_c(name);
    for (size_t i = 0; i < entry->count; i++) {
        struct str rest = entry->attributes[i].name;
        if (str_equal_nocase(str_split(&rest, ';'), wanted))
            return &entry->attributes[i];
    }
    return NULL;
}

/* --- passwords --- */

enum lookup ldap_client_bind(struct ldap_client *c, struct str dn, struct str password,
                             struct lookup_trace *t, struct err *e)
{
    /* Without a name or password a server takes it as anonymous, and says success. */
    if (password.n == 0) {
        err_set(e, ERR_DENIED, "wrong_password");
        return LOOKUP_NOT_FOUND;
    }
    if (dn.n == 0 || holds_nul(dn)) {
        err_set(e, ERR_PERM, "ldap %s: a login without a name", c->hub->name);
        return LOOKUP_TEMPFAIL;
    }
    struct ldap_request *r = ldap_request_new(LDAP_OPERATION_BIND);
    r->question.dn = terminated(r, dn);
    r->question.secret = ldap_request_secret(r, password);
    enum lookup answer = ask_as_user(c, r, t, e);
    ldap_request_unref(r);
    return answer;
}

static bool change(struct ldap_client *c, bool as_user, struct ldap_request *r, struct err *e)
{
    struct err why = {0};
    enum lookup answer =
        as_user ? ask_as_user(c, r, NULL, &why) : ask(c, LDAP_POOL_SEARCH, r, NULL, &why);
    bool ok = answer == LOOKUP_FOUND;
    if (!ok && e)
        *e = why;
    ldap_request_unref(r);
    return ok;
}

bool ldap_client_password_modify(struct ldap_client *c, struct str dn, struct str old,
                                 struct str password, struct err *e)
{
    if (password.n == 0 || dn.n == 0 || holds_nul(dn))
        return err_set(e, ERR_PERM, "a name and a password are needed");
    if (old.p && old.n == 0)
        return err_set(e, ERR_DENIED, "wrong_password");
    struct ldap_request *r = ldap_request_new(LDAP_OPERATION_PASSWORD_MODIFY);
    r->question.dn = terminated(r, dn);
    r->question.old = ldap_request_secret(r, old);
    r->question.secret = ldap_request_secret(r, password);
    return change(c, old.p != NULL, r, e);
}

bool ldap_client_replace(struct ldap_client *c, struct str dn, const char *attribute,
                         struct str old, struct str value, bool secret, struct err *e)
{
    if (dn.n == 0 || holds_nul(dn))
        return err_set(e, ERR_PERM, "a name is needed");
    struct ldap_request *r = ldap_request_new(LDAP_OPERATION_REPLACE);
    r->question.dn = terminated(r, dn);
    r->question.old = ldap_request_secret(r, old);
    r->question.secret = ldap_request_secret(r, value);
    r->question.wants_encryption = secret;
    r->question.attributes = arena_array(r->arena, 2, sizeof(char *));
    r->question.attributes[0] = arena_c(r->arena, str_from_c(attribute));
    return change(c, false, r, e);
}

/* --- what is told of it --- */

static void describe_server(const struct ldap_server *s, struct lookup_trace *t)
{
    usec now = clock_monotonic();
    if (!s->aside)
        lookup_trace_add(t, "server", "%s: well, connections=%zu answers=%llu set_aside=%llu",
                         s->uri.p, s->connections, (unsigned long long)s->answers,
                         (unsigned long long)s->times_aside);
    else
        lookup_trace_add(t, "server", "%s: set aside for %llds: %s", s->uri.p,
                         (long long)((now - s->aside_since) / USEC_SEC), s->why.text);
}

void ldap_client_describe(struct ldap_client *c, struct lookup_trace *t)
{
    static const char *const names[] = {
        [LDAP_POOL_SEARCH] = "searches", [LDAP_POOL_PAGED] = "searches in pages"};
    struct ldap_hub *h = c->hub;
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < h->server_count; i++)
        if (h->servers[i]->listed)
            describe_server(h->servers[i], t);
    for (size_t i = 0; i < LDAP_POOLS; i++) {
        const struct ldap_pool *p = &h->pools[i];
        lookup_trace_add(t, names[i],
                         "asked=%llu answered=%llu failed=%llu timed_out=%llu waiting=%zu "
                         "threads=%zu of %zu",
                         (unsigned long long)p->asked, (unsigned long long)p->answered,
                         (unsigned long long)p->failed, (unsigned long long)p->timed_out,
                         p->waiting, p->thread_count, p->thread_max);
    }
    ldap_logins_describe(c->logins, t);
    if (h->left > 0)
        lookup_trace_add(t, "hanging threads", "%zu", h->left);
    pthread_mutex_unlock(&h->lock);
}
