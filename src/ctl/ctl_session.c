/*
 * Who is connected: lists, numbers, and sending people away. There may be 100,000 sessions, so the
 * list is walked in slices (core/session_list.h), and a session is shown as it is when its turn
 * comes.
 *
 * Which sessions are meant is told by arguments that must all fit:
 *
 *   user      the whole login, its local part, "@example.test" for a domain, "-": not logged in
 *   protocol  "imap", "pop3", "smtp" (port 25), "submission", "lmtp", "sieve"
 *   peer      an address, a network, or "unix"
 *   idle      at least so many seconds have passed since the client was heard of
 *   state     what it does
 */
#include "core/log.h"
#include "core/session_list.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_change.h"
#include "ctl/ctl_count.h"
#include "ctl/ctl_json.h"
#include "net/host_list.h"

#define IDLE_MAX ((json_int_t)10 * 365 * 24 * 3600)

struct filter {
    struct str user, protocol, state;
    struct host_set *peer; /* NULL: all */
    usec idle;             /* 0: all */
};

/* --- which sessions --- */

static bool take_peer(const json_t *args, struct filter *f, struct err *e)
{
    struct str text;
    if (!ctl_arg_optional(args, "peer", &text, e))
        return false;
    const char *items[] = {json_string_value(json_object_get(args, "peer"))};
    const struct string_list list = {items, 1};
    if (text.n > 0)
        f->peer = host_set_new(&list, e);
    return text.n == 0 || f->peer;
}

/* Ends with host_set_free(f->peer), whatever the outcome. */
static bool take_filter(const json_t *args, struct filter *f, struct err *e)
{
    const json_t *idle = json_object_get(args, "idle");
    *f = (struct filter){.idle = 0};
    if (idle && (!json_is_integer(idle) || json_integer_value(idle) < 0 ||
                 json_integer_value(idle) > IDLE_MAX))
        return err_set(e, ERR_SYNTAX, "idle: a number of seconds is expected");
    f->idle = (usec)json_integer_value(idle) * USEC_SEC;
    return ctl_arg_optional(args, "user", &f->user, e) &&
           ctl_arg_optional(args, "protocol", &f->protocol, e) &&
           ctl_arg_optional(args, "state", &f->state, e) && take_peer(args, f, e);
}

static bool is_everything(const struct filter *f)
{
    return f->user.n + f->protocol.n + f->state.n == 0 && !f->peer && f->idle == 0;
}

static bool fits_user(struct str user, const char *login)
{
    struct str whole = str_from_c(login);
    ptrdiff_t at = str_find_last_char(whole, '@');
    if (user.n == 0 || whole.n == 0 || str_equal(user, STR("-")))
        return user.n == 0 || (whole.n == 0 && user.p[0] == '-');
    if (user.p[0] == '@' && at >= 0)
        return str_equal_nocase(str_skip(whole, (size_t)at), user);
    if (str_find_char(user, '@') < 0 && at >= 0)
        whole = str_head(whole, (size_t)at);
    return str_equal_nocase(whole, user);
}

/* "smtp" is called smtpd in the log, and so on. */
static bool fits_protocol(struct str protocol, struct str component)
{
    if (protocol.n == 0 || str_equal_nocase(protocol, component))
        return true;
    return component.n == protocol.n + 1 && component.p[protocol.n] == 'd' &&
           str_starts_with_nocase(component, protocol);
}

/* Since when the client has been silent; 0: it is being served. */
static usec idle_for(const struct session_entry *s)
{
    usec since = s->kind->idle_since ? s->kind->idle_since(s) : 0;
    return since ? clock_monotonic() - since : 0;
}

static bool fits(const struct filter *f, const struct session_entry *s)
{
    return fits_user(f->user, s->login) &&
           fits_protocol(f->protocol, str_from_c(s->kind->component)) &&
           (f->state.n == 0 || str_equal_nocase(f->state, str_from_c(s->state))) &&
           (!f->peer || host_set_has(f->peer, s->peer)) && (f->idle == 0 || idle_for(s) >= f->idle);
}

/* fn is called for each that fits. */
static SUSPENDS bool each_session(struct ctl_call *c, const struct filter *f,
                                  bool (*fn)(void *arg, struct session_entry *s, struct err *e),
                                  void *arg, struct err *e)
{
    struct session_walk walk;
    struct session_entry *s;
    bool ok = true;
    session_walk_begin(c->context->sessions, &walk);
    while (ok && (s = session_walk_next(&walk)))
        ok = (!fits(f, s) || fn(arg, s, e)) && ctl_breathe(c, e);
    session_walk_end(c->context->sessions, &walk);
    return ok;
}

/* --- who --- */

static json_t *session_json(const struct session_entry *s)
{
    json_t *json = json_object();
    json_object_set_new(json, "component", ctl_json_c(s->kind->component));
    json_object_set_new(json, "id", ctl_json_c(s->id));
    json_object_set_new(json, "peer", ctl_json_c(s->peer));
    json_object_set_new(json, "login", ctl_json_c(s->login));
    json_object_set_new(json, "state", ctl_json_c(s->state));
    json_object_set_new(json, "since", json_integer(s->since / USEC_SEC));
    json_object_set_new(json, "idle", json_integer(idle_for(s) / USEC_SEC));
    return json;
}

struct listing {
    struct ctl_call *call;
    struct ctl_counts *counts; /* NULL: each is sent */
    int by;
    uint64_t found;
};

enum { BY_USER, BY_PROTOCOL, BY_PEER, BY_STATE };

static struct str key_of(const struct session_entry *s, int by)
{
    const char *const keys[] = {[BY_USER] = s->login,
                                [BY_PROTOCOL] = s->kind->component,
                                [BY_PEER] = s->peer,
                                [BY_STATE] = s->state};
    return str_from_c(keys[by]);
}

static SUSPENDS bool list_one(void *arg, struct session_entry *s, struct err *e)
{
    struct listing *l = arg;
    l->found++;
    if (!l->counts)
        return ctl_send_item(l->call, session_json(s), e);
    ctl_counts_add(l->counts, key_of(s, l->by));
    return true;
}

static bool take_by(const json_t *args, struct listing *l, struct err *e)
{
    static const char *const names[] = {"user", "protocol", "peer", "state", NULL};
    struct str by;
    if (!ctl_arg_optional(args, "count", &by, e))
        return false;
    if (by.n == 0)
        return true;
    while (names[l->by] && !str_equal(by, str_from_c(names[l->by])))
        l->by++;
    if (!names[l->by])
        return err_set(e, ERR_SYNTAX, "count: user, protocol, peer or state is expected");
    l->counts = ctl_counts_new();
    return true;
}

static SUSPENDS bool send_counts(struct listing *l, struct err *e)
{
    size_t count;
    bool ok = true;
    struct ctl_counted *const *list = ctl_counts_sorted(l->counts, &count);
    for (size_t i = 0; ok && i < count; i++)
        ok = ctl_send_item(l->call,
                           json_pack("{s:o, s:I}", "name", ctl_json_str(list[i]->name), "sessions",
                                     (json_int_t)list[i]->count),
                           e) &&
             ctl_breathe(l->call, e);
    return ok;
}

static bool who(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct listing l = {.call = c};
    struct filter f;
    bool ok = take_filter(args, &f, e) && take_by(args, &l, e) &&
              each_session(c, &f, list_one, &l, e) && (!l.counts || send_counts(&l, e));
    if (ok)
        *result = json_pack("{s:I}", "sessions", (json_int_t)l.found);
    ctl_counts_free(l.counts);
    host_set_free(f.peer);
    return ok;
}

/* --- kick --- */

struct kicking {
    const char *who;
    uint64_t kicked;
};

/* The session may be gone when this returns. */
static bool kick_one(void *arg, struct session_entry *s, struct err *e)
{
    struct kicking *k = arg;
    (void)e;
    log_info("ctl", s->id, "kick service=%s peer=%s user=<%s> by=%s", s->kind->component, s->peer,
             s->login ? s->login : "", k->who);
    s->kind->kick(s, "ended by the administrator");
    k->kicked++;
    return true;
}

static bool kick_named(struct ctl_call *c, const char *id, struct kicking *k, struct err *e)
{
    struct session_entry *s = session_list_find(c->context->sessions, id);
    return s ? kick_one(k, s, e) : err_set(e, ERR_NOT_FOUND, "there is no session %.60s", id);
}

static bool kick(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct arena *a = arena_new();
    struct kicking k = {.who = ctl_who(c, a)};
    struct str id;
    struct filter f;
    bool ok = take_filter(args, &f, e) && ctl_arg_optional(args, "id", &id, e);
    if (ok && (id.n == 0) == is_everything(&f))
        ok = err_set(e, ERR_SYNTAX,
                     "a session's id is needed, or which sessions are meant: user, protocol, peer, "
                     "idle, state");
    else if (ok)
        ok = id.n > 0 ? kick_named(c, json_string_value(json_object_get(args, "id")), &k, e)
                      : each_session(c, &f, kick_one, &k, e) &&
                            (k.kicked > 0 || err_set(e, ERR_NOT_FOUND, "there is no such session"));
    if (ok)
        *result = json_pack("{s:I}", "sessions", (json_int_t)k.kicked);
    host_set_free(f.peer);
    arena_free(a);
    return ok;
}

const struct ctl_stream_verb ctl_session_verbs[] = {
    {"who", CTL_OWN("user", "protocol peer idle state count"), who},
    {"kick", CTL_ADMIN, kick},
    {0},
};
