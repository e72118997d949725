/*
 * Items and bytes on the control socket, and which accounts are meant.
 *
 * Sending waits for the peer: a slow one slows the verb down, and one that is gone ends it.
 */
#include "ctl/ctl_call.h"

#include "auth/directory.h"
#include "ctl/ctl_json.h"
#include "ctl/limits.h"
#include "net/stream.h"
#include "store/store.h"

#include <stdlib.h>

#define PROGRESS_INTERVAL (USEC_SEC / 2)

/* --- sending --- */

/* Takes line. */
static bool send_line(struct ctl_call *c, json_t *line, struct err *e)
{
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    bool sent =
        stream_write(c->stream, str_from_c(text), e) && stream_write(c->stream, STR("\n"), e);
    free(text);
    return sent;
}

bool ctl_send_item(struct ctl_call *c, json_t *item, struct err *e)
{
    return send_line(c, json_pack("{s:o}", "item", item), e);
}

bool ctl_send_bytes(struct ctl_call *c, json_t *item, struct str bytes, bool more, struct err *e)
{
    json_t *line = json_object();
    if (item)
        json_object_set_new(line, "item", item);
    json_object_set_new(line, "bytes", json_integer((json_int_t)bytes.n));
    if (more)
        json_object_set_new(line, "more", json_true());
    return send_line(c, line, e) && stream_write(c->stream, bytes, e);
}

bool ctl_send_broken(struct ctl_call *c, const struct err *why, struct err *e)
{
    return send_line(c, json_pack("{s:i, s:o}", "bytes", 0, "broken", ctl_json_c(why->text)), e);
}

bool ctl_breathe(struct ctl_call *c, struct err *e)
{
    if (c->slice && clock_monotonic() - c->slice <= CTL_SLICE)
        return true;
    fiber_yield();
    c->slice = clock_monotonic();
    return !fiber_is_cancelled(fiber_self()) || err_set(e, ERR_CANCELLED, "the server is stopping");
}

bool ctl_progress(struct ctl_call *c, uint64_t done, uint64_t of, struct err *e)
{
    usec now = clock_monotonic();
    if (!ctl_breathe(c, e))
        return false;
    if (!c->told)
        c->told = now;
    if (now - c->told < PROGRESS_INTERVAL)
        return true;
    c->told = now;
    return send_line(c, json_pack("{s:I, s:I}", "progress", (json_int_t)done, "of", (json_int_t)of),
                     e) &&
           stream_flush(c->stream, e);
}

/* --- receiving --- */

void ctl_incoming_free(struct ctl_incoming *in)
{
    json_decref(in->item);
    in->item = NULL;
}

bool ctl_receive(struct ctl_call *c, struct ctl_incoming *in, struct err *e)
{
    struct str line;
    ctl_incoming_free(in);
    size_t most = c->own ? CTL_USER_REQUEST_MAX : CTL_REQUEST_MAX;
    if (!stream_read_line(c->stream, most, &line, NULL, e))
        return false;
    json_t *json = ctl_json_read(line, e);
    if (!json)
        return false;
    json_int_t bytes = json_integer_value(json_object_get(json, "bytes"));
    in->item = json_incref(json_object_get(json, "item"));
    in->end = json_is_true(json_object_get(json, "end"));
    in->more = json_is_true(json_object_get(json, "more"));
    in->bytes = bytes > 0 ? (size_t)bytes : 0;
    json_decref(json);
    return (bytes >= 0 && in->bytes <= CTL_PART_MAX) ||
           err_set(e, ERR_SYNTAX, "a part may have %zu bytes", CTL_PART_MAX);
}

bool ctl_receive_bytes(struct ctl_call *c, struct ctl_incoming *in, struct str *piece,
                       struct err *e)
{
    struct ctl_incoming part = {0};
    *piece = STR("");
    while (in->bytes == 0 && in->more) {
        if (!ctl_receive(c, &part, e))
            return false;
        if (part.item || part.end) {
            ctl_incoming_free(&part);
            return err_set(e, ERR_SYNTAX, "more bytes of the message were announced");
        }
        in->bytes = part.bytes;
        in->more = part.more;
    }
    if (in->bytes == 0)
        return true;
    if (stream_buffered(c->stream).n == 0 && !stream_fill(c->stream, 2 * CTL_PART_MAX, e))
        return false;
    struct str there = str_head(stream_buffered(c->stream), in->bytes);
    stream_consume(c->stream, there.n);
    in->bytes -= there.n;
    *piece = there;
    return true;
}

/* --- accounts --- */

bool ctl_account(const struct ctl_context *c, const json_t *args, struct arena *a,
                 struct account *account, struct err *e)
{
    struct str login;
    if (!ctl_arg_str(args, "user", &login, e))
        return false;
    const struct account *public = store_public_account(c->store);
    if (str_equal_nocase(login, public->login)) {
        *account = *public;
        return true;
    }
    enum lookup found = directory_find_account(c->directory, login, a, account, e);
    if (found == LOOKUP_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "there is no user %.*s", STR_ARG(login));
    return found == LOOKUP_FOUND;
}

struct gathering {
    struct arena *arena;
    struct account *list;
    size_t count, capacity;
};

static bool gather(void *arg, const struct account *account)
{
    struct gathering *g = arg;
    g->list = arena_grow(g->arena, g->list, g->count, &g->capacity, sizeof(*g->list), 64);
    g->list[g->count++] = account_copy(g->arena, account);
    return true;
}

/* As long as it has no mailboxes nobody has to know of it. */
static SUSPENDS bool gather_public(const struct ctl_context *c, struct gathering *g, struct err *e)
{
    const struct account *public = store_public_account(c->store);
    struct mailbox_info *mailboxes;
    size_t count;

    return store_list_mailboxes(c->store, public, g->arena, &mailboxes, &count, e) &&
           (count == 0 || gather(g, public));
}

bool ctl_accounts(const struct ctl_context *c, const json_t *args, struct arena *a,
                  struct account **list, size_t *count, struct err *e)
{
    struct gathering all = {.arena = a};
    if (json_is_true(json_object_get(args, "all"))) {
        bool ok = directory_list_users(c->directory, STR(""), gather, &all, e) &&
                  gather_public(c, &all, e);
        *list = all.list;
        *count = all.count;
        return ok;
    }
    *list = ARENA_NEW(a, struct account);
    *count = 1;
    return ctl_account(c, args, a, *list, e);
}
