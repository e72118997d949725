/*
 * The control socket's server. One fiber per connection reads a request, finds its verb, runs it
 * and writes the answer; a verb may suspend as long as it likes. A connection that sends something
 * malformed is told so and closed; nothing it sends can cost more than CTL_REQUEST_MAX bytes.
 *
 * Who may ask is decided once per connection by the kernel's word on the peer (SO_PEERCRED). Group
 * membership is looked up on a worker, because name services may wait for a network.
 *
 * Closing: connections that wait for a request are aborted, those that run one are given
 * CLOSE_PATIENCE to answer it, then they are aborted as well and their fibers cancelled.
 */
#include "ctl/ctl.h"

#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/worker.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"
#include "net/listener.h"

#include <assert.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#define REQUEST_TIMEOUT (60 * USEC_SEC) /* for the next request, and for sending an answer */
#define CLOSE_PATIENCE  (5 * USEC_SEC)
#define GROUPS_MAX      65536
#define NAME_BUFFER     65536

struct ctl_connection {
    struct ctl_connection *next, *previous;
    struct ctl *ctl;
    struct stream *stream;
    struct fiber *fiber;
    bool busy;   /* runs a request */
    bool unread; /* what is left on it cannot be told from requests */
};

struct ctl {
    struct ctl_context context;
    struct listener *listener;
    struct ctl_connection *first;
    size_t count;
    struct cond ended; /* a connection ended */
    bool closing;
};

/* --- who may ask --- */

struct membership {
    const char *group;
    uid_t uid;
    gid_t gid;
    bool member;
};

static void check_membership(void *arg)
{
    struct membership *m = arg;
    char *text = mem_alloc(NAME_BUFFER);
    struct group group, *group_found = NULL;
    struct passwd user, *user_found = NULL;
    gid_t *groups = NULL;
    int count = GROUPS_MAX;

    if (getgrnam_r(m->group, &group, text, NAME_BUFFER, &group_found) != 0 || !group_found)
        goto done;
    gid_t wanted = group.gr_gid;
    m->member = m->gid == wanted;
    if (m->member || getpwuid_r(m->uid, &user, text, NAME_BUFFER, &user_found) != 0 || !user_found)
        goto done;
    groups = mem_array(GROUPS_MAX, sizeof(*groups));
    if (getgrouplist(user.pw_name, user.pw_gid, groups, &count) < 0)
        goto done;
    for (int i = 0; i < count && !m->member; i++)
        m->member = groups[i] == wanted;
done:
    free(groups);
    free(text);
}

static SUSPENDS bool is_allowed(const struct ctl *c, const struct stream *stream)
{
    uid_t uid;
    gid_t gid;
    pid_t pid;
    if (!stream_peer_credentials(stream, &uid, &gid, &pid))
        return false;
    if (uid == 0 || uid == geteuid())
        return true;
    if (c->context.admin_group[0] == '\0')
        return false;
    struct membership m = {.group = c->context.admin_group, .uid = uid, .gid = gid};
    worker_run(WORKER_AUTH, check_membership, &m);
    return m.member;
}

/* --- requests --- */

static const struct ctl_verb *find_verb(const char *name)
{
    static const struct ctl_verb *const tables[] = {
        ctl_status_verbs,    ctl_session_verbs,      ctl_recording_verbs, ctl_user_verbs,
        ctl_verify_verbs,    ctl_explain_verbs,      ctl_route_verbs,     ctl_srs_verbs,
        ctl_mailbox_verbs,   ctl_policy_verbs,       ctl_tls_verbs,       ctl_auth_verbs,
        ctl_directory_verbs, ctl_send_as_test_verbs,
    };
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        for (const struct ctl_verb *v = tables[i]; v->name; v++)
            if (strcmp(v->name, name) == 0)
                return v;
    return NULL;
}

static const struct ctl_stream_verb *find_stream_verb(const char *name)
{
    static const struct ctl_stream_verb *const tables[] = {
        ctl_hand_over_verbs,    ctl_user_stream_verbs,   ctl_group_verbs,
        ctl_app_password_verbs, ctl_record_verbs,        ctl_mailbox_stream_verbs,
        ctl_expunged_verbs,     ctl_message_verbs,       ctl_fetch_verbs,
        ctl_quota_stream_verbs, ctl_store_verbs,         ctl_export_verbs,
        ctl_acl_verbs,          ctl_import_verbs,        ctl_policy_stream_verbs,
        ctl_queue_verbs,        ctl_queue_operate_verbs, ctl_domain_verbs,
        ctl_address_verbs,      ctl_rule_verbs,          ctl_send_as_verbs};
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        for (const struct ctl_stream_verb *v = tables[i]; v->name; v++)
            if (strcmp(v->name, name) == 0)
                return v;
    return NULL;
}

static SUSPENDS bool run_verb(struct ctl_connection *k, const char *name, const json_t *args,
                              json_t **result, struct err *e)
{
    const struct ctl_context *context = &k->ctl->context;
    const struct ctl_verb *verb = find_verb(name);
    if (verb)
        return verb->run(context, args, result, e);
    const struct ctl_stream_verb *stream_verb = find_stream_verb(name);
    if (!stream_verb)
        return err_set(e, ERR_SYNTAX, "unknown verb \"%.40s\"", name);
    struct ctl_call call = {.context = context, .stream = k->stream};
    stream_set_timeout(k->stream, CTL_STREAM_TIMEOUT);
    bool ok = stream_verb->run(&call, args, result, e);
    stream_set_timeout(k->stream, REQUEST_TIMEOUT);
    k->unread = call.unread;
    return ok;
}

static SUSPENDS bool run_request(struct ctl_connection *k, const json_t *request, json_t **result,
                                 struct err *e)
{
    const char *name = json_string_value(json_object_get(request, "verb"));
    json_t *args = json_object_get(request, "args");
    if (!name || (args && !json_is_object(args)))
        return err_set(e, ERR_SYNTAX, "a request is {\"verb\": \"...\", \"args\": {...}}");
    if (args)
        return run_verb(k, name, args, result, e);
    json_t *none = json_object();
    bool ok = run_verb(k, name, none, result, e);
    json_decref(none);
    return ok;
}

/* Takes result. */
static SUSPENDS bool answer(struct stream *s, bool ok, json_t *result, const struct err *why)
{
    json_t *reply = json_object();
    struct err e;
    json_object_set_new(reply, "ok", json_boolean(ok));
    if (ok) {
        json_object_set_new(reply, "result", result ? result : json_null());
    } else {
        json_decref(result);
        json_object_set_new(reply, "kind", ctl_json_c(err_kind_name(why->kind)));
        json_object_set_new(reply, "error", ctl_json_c(why->text));
    }
    char *text = json_dumps(reply, JSON_COMPACT);
    json_decref(reply);
    bool sent = text && stream_write(s, str_from_c(text), &e) && stream_write(s, STR("\n"), &e) &&
                stream_flush(s, &e);
    free(text);
    return sent;
}

/* One request; false ends the connection. */
static SUSPENDS bool serve_request(struct ctl_connection *k)
{
    struct err e = {0};
    struct str line;
    json_t *result = NULL;

    if (!stream_read_line(k->stream, CTL_REQUEST_MAX, &line, NULL, &e)) {
        if (e.kind == ERR_LIMIT)
            answer(k->stream, false, NULL, &e);
        return false;
    }
    k->busy = true;
    json_t *request = ctl_json_load(line, &e);
    if (!request) {
        answer(k->stream, false, NULL, &e);
        return false;
    }
    bool ok = run_request(k, request, &result, &e);
    json_decref(request);
    bool sent = answer(k->stream, ok, result, &e);
    k->busy = false;
    return sent && !k->unread;
}

static void run_connection(void *arg)
{
    struct ctl_connection *k = arg;
    struct ctl *c = k->ctl;
    stream_set_timeout(k->stream, REQUEST_TIMEOUT);
    stream_expect_secrets(k->stream, true);
    if (is_allowed(c, k->stream)) {
        while (!c->closing && serve_request(k))
            continue;
    } else {
        struct err e;
        err_set(&e, ERR_DENIED, "only root, the user of maild%s%s may do this",
                c->context.admin_group[0] ? " and the group " : "", c->context.admin_group);
        answer(k->stream, false, NULL, &e);
    }
    stream_close(k->stream);
    *(k->previous ? &k->previous->next : &c->first) = k->next;
    if (k->next)
        k->next->previous = k->previous;
    c->count--;
    cond_broadcast(&c->ended);
    free(k);
}

static void accept_connection(void *arg, struct stream *stream)
{
    struct ctl *c = arg;
    struct ctl_connection *k = NULL;
    if (c->count < CTL_CONNECTIONS_MAX) {
        k = MEM_NEW(struct ctl_connection);
        k->ctl = c;
        k->stream = stream;
        k->fiber = fiber_start(c->context.loop, "control", run_connection, k);
    }
    if (!k || !k->fiber) {
        log_warning("ctl", NULL, "too many control connections, one refused");
        stream_close(stream);
        free(k);
        return;
    }
    k->next = c->first;
    if (c->first)
        c->first->previous = k;
    c->first = k;
    c->count++;
}

/* --- opening and closing --- */

/* The socket belongs to the admin group, if there is one, so that its members can connect. */
static bool give_to_group(const char *path, const char *name, struct err *e)
{
    struct group *group = getgrnam(name);
    if (!group)
        return err_set(e, ERR_PERM, "admin_group: there is no group \"%s\"", name);
    if (chown(path, (uid_t)-1, group->gr_gid) != 0)
        return err_set(e, ERR_PERM, "%s: cannot be given to group %s", path, name);
    return true;
}

struct ctl *ctl_open(const struct ctl_context *context, const char *path, struct err *e)
{
    struct ctl *c = MEM_NEW(struct ctl);
    json_set_alloc_funcs(mem_alloc, mem_free_wiped); /* passwords are among it */
    bool group = context->admin_group[0] != '\0';
    c->context = *context;
    struct buf address = BUF_EMPTY;
    buf_printf(&address, "unix:%s", path);
    c->listener = listener_open(context->loop, buf_c(&address), group ? 0660 : 0600, NULL,
                                accept_connection, c, e);
    buf_free(&address);
    if (c->listener && (!group || give_to_group(path, context->admin_group, e)))
        return c;
    if (c->listener)
        listener_close(c->listener);
    free(c);
    return NULL;
}

void ctl_close(struct ctl *c)
{
    if (!c)
        return;
    usec deadline = deadline_in(CLOSE_PATIENCE);
    listener_close(c->listener);
    c->closing = true;
    for (struct ctl_connection *k = c->first; k; k = k->next)
        if (!k->busy)
            stream_abort(k->stream);
    while (c->first && cond_wait(&c->ended, deadline, NULL))
        continue;
    for (struct ctl_connection *k = c->first; k; k = k->next) {
        stream_abort(k->stream);
        fiber_cancel(k->fiber);
    }
    while (c->first)
        cond_wait_certain(&c->ended);
    free(c);
}
