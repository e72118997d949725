/*
 * The limits on clients, how much of them is used, and who is at them. What counts for one address
 * or one login is found by walking over the sessions in slices, since there may be very many. The
 * limits of rules are in "policy limits".
 *
 * An item has the setting, "limit" (0: none), "present": how many there are, of limits of single
 * ones the most that one of them has, and "most": the ones with the most, those who are at their
 * limit first. A measure of the load has "busy" as well.
 */
#include "auth/auth.h"
#include "core/disk.h"
#include "core/load.h"
#include "core/session_list.h"
#include "core/worker.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_count.h"
#include "ctl/ctl_json.h"
#include "ctl/limits.h"

#include <arpa/inet.h>
#include <sys/resource.h>

static SUSPENDS bool send_limit(struct ctl_call *c, const char *name, const char *unit,
                                uint64_t present, uint64_t limit, json_t *most, struct err *e)
{
    json_t *item = json_pack("{s:s, s:s, s:I, s:I}", "name", name, "unit", unit, "present",
                             (json_int_t)present, "limit", (json_int_t)limit);
    json_object_set_new(item, "most", most ? most : json_array());
    return ctl_send_item(c, item, e);
}

/* --- of single addresses and logins --- */

struct counting {
    struct ctl_call *call;
    struct ctl_counts *addresses, *logins, *pairs;
};

/* Addresses are counted as session_list.c does: of IPv6 the network. */
static void add_address(struct buf *b, const char *peer)
{
    struct in6_addr v6;
    char text[INET6_ADDRSTRLEN];
    if (inet_pton(AF_INET6, peer, &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6)) {
        buf_add_c(b, peer);
        return;
    }
    memset(&v6.s6_addr[8], 0, 8);
    inet_ntop(AF_INET6, &v6, text, sizeof(text));
    buf_printf(b, "%s/64", text);
}

static void count_session(struct counting *c, const struct session_entry *s)
{
    struct buf key = BUF_EMPTY;
    bool counted = session_address_count(s) > 0;
    if (counted) {
        add_address(&key, s->peer);
        ctl_counts_add(c->addresses, buf_str(&key));
    }
    if (session_login_count(s) > 0) {
        buf_clear(&key);
        buf_printf(&key, "%s %s", s->kind->component, s->login);
        ctl_counts_add(c->logins, buf_str(&key));
        if (counted) {
            buf_add_char(&key, ' ');
            add_address(&key, s->peer);
            ctl_counts_add(c->pairs, buf_str(&key));
        }
    }
    buf_free(&key);
}

static SUSPENDS bool count_sessions(struct counting *c, struct err *e)
{
    struct session_list *list = c->call->context->sessions;
    struct session_walk walk;
    struct session_entry *s;
    bool ok = true;
    session_walk_begin(list, &walk);
    while (ok && (s = session_walk_next(&walk))) {
        count_session(c, s);
        ok = ctl_breathe(c->call, e);
    }
    session_walk_end(list, &walk);
    return ok;
}

static SUSPENDS bool send_most(struct counting *c, const char *name, struct ctl_counts *counts,
                               size_t limit, struct err *e)
{
    size_t count;
    struct ctl_counted *const *sorted = ctl_counts_sorted(counts, &count);
    json_t *most = json_array();
    for (size_t i = 0; i < count && i < LIMIT_HOLDERS_SHOWN; i++)
        json_array_append_new(most, json_pack("{s:o, s:I}", "name", ctl_json_str(sorted[i]->name),
                                              "present", (json_int_t)sorted[i]->count));
    return send_limit(c->call, name, "sessions", count > 0 ? sorted[0]->count : 0, limit, most, e);
}

static SUSPENDS bool send_sessions(struct ctl_call *call, struct err *e)
{
    struct counting c = {.call = call,
                         .addresses = ctl_counts_new(),
                         .logins = ctl_counts_new(),
                         .pairs = ctl_counts_new()};
    const struct session_list *list = call->context->sessions;
    struct session_limits limits = *session_list_limits(list);
    bool ok = send_limit(call, "connections_max", "sessions", session_list_count(list),
                         limits.total, NULL, e) &&
              send_limit(call, "connections_reserved", "sessions of strangers",
                         session_list_strangers(list), limits.strangers, NULL, e) &&
              send_limit(call, "connections_http", "sessions of pages", session_list_pages(list),
                         limits.pages, NULL, e) &&
              count_sessions(&c, e) &&
              send_most(&c, "connections_per_address", c.addresses, limits.per_address, e) &&
              send_most(&c, "connections_per_login", c.logins, limits.per_login, e) &&
              send_most(&c, "connections_per_login_and_address", c.pairs,
                        limits.per_login_and_address, e);
    ctl_counts_free(c.addresses);
    ctl_counts_free(c.logins);
    ctl_counts_free(c.pairs);
    return ok;
}

/* --- of the process --- */

static bool count_entry(void *arg, const char *name, unsigned char type)
{
    uint64_t *count = arg;
    (void)name;
    (void)type;
    ++*count;
    return true;
}

static void count_descriptors(void *arg)
{
    disk_list("/proc/self/fd", count_entry, arg, NULL);
}

static SUSPENDS bool send_descriptors(struct ctl_call *c, struct err *e)
{
    struct rlimit limit = {.rlim_cur = 0};
    uint64_t present = 0;
    getrlimit(RLIMIT_NOFILE, &limit);
    worker_run(WORKER_DISK, count_descriptors, &present);
    return send_limit(c, "ulimit -n", "descriptors", present, limit.rlim_cur, NULL, e);
}

static SUSPENDS bool send_load(struct ctl_call *c, struct err *e)
{
    struct load_info info;
    bool ok = true;
    if (!c->context->load)
        return true;
    load_get_info(c->context->load, &info);
    const struct load_judge judge = *info.judge;
    for (int i = 0; ok && i < LOAD_MEASURES; i++) {
        const struct load_limit *l = &judge.limits[i];
        json_t *item = json_pack("{s:s+, s:s, s:I, s:I, s:I, s:[]}", "name", "load: ", l->name,
                                 "unit", l->unit, "present", (json_int_t)judge.values[i], "busy",
                                 (json_int_t)l->busy, "limit", (json_int_t)l->overloaded, "most");
        ok = ctl_send_item(c, item, e);
    }
    return ok;
}

/* --- logins --- */

struct locked {
    json_t *most;
    uint64_t count;
};

static void add_locked(void *arg, const struct penalty_line *line)
{
    struct locked *l = arg;
    if (line->locked_for == 0)
        return;
    if (l->count++ >= LIMIT_HOLDERS_SHOWN)
        return;
    struct str name = line->login.n > 0 ? line->login : line->network;
    json_array_append_new(l->most, json_pack("{s:o, s:I}", "name", ctl_json_str(name), "present",
                                             (json_int_t)(line->failures + 0.5)));
}

static SUSPENDS bool send_locked(struct ctl_call *c, struct err *e)
{
    struct locked l = {.most = json_array()};
    if (c->context->auth)
        penalty_each(auth_penalties(c->context->auth), add_locked, &l);
    return send_limit(c, "auth: locked out for guessing", "logins and networks", l.count, 0, l.most,
                      e);
}

static bool limits(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    (void)args;
    (void)result;
    return send_sessions(c, e) &&
           send_limit(c, "control socket", "connections", ctl_connections(c->ctl),
                      CTL_CONNECTIONS_MAX, NULL, e) &&
           send_descriptors(c, e) && send_locked(c, e) && send_load(c, e);
}

const struct ctl_stream_verb ctl_limits_verbs[] = {
    {"limits", CTL_ADMIN, limits},
    {0},
};
