/*
 * The queue for operators: list, show, retry, delete.
 */
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"
#include "queue/queue.h"

static json_t *recipient_json(const struct queue_recipient_info *r)
{
    json_t *json = json_object();
    json_object_set_new(json, "address", ctl_json_str(r->address));
    json_object_set_new(json, "state", ctl_json_c(r->state));
    json_object_set_new(json, "attempts", json_integer(r->attempts));
    json_object_set_new(json, "next_attempt", json_integer(r->next_attempt));
    json_object_set_new(json, "last_error", ctl_json_str(r->last_error));
    json_object_set_new(json, "relay", ctl_json_str(r->relay));
    json_object_set_new(json, "notify", ctl_json_str(r->notify));
    return json;
}

static json_t *message_json(const struct queue_message_info *m)
{
    json_t *json = json_object(), *recipients = json_array();
    for (size_t i = 0; i < m->recipient_count; i++)
        json_array_append_new(recipients, recipient_json(&m->recipients[i]));
    json_object_set_new(json, "id", ctl_json_c(m->id));
    json_object_set_new(json, "sender", ctl_json_str(m->sender));
    json_object_set_new(json, "arrival", json_integer(m->arrival));
    json_object_set_new(json, "expires", json_integer(m->expires));
    json_object_set_new(json, "size", json_integer((json_int_t)m->size));
    json_object_set_new(json, "held_until", json_integer(m->held_until));
    json_object_set_new(json, "options", ctl_json_str(m->options));
    json_object_set_new(json, "recipients", recipients);
    return json;
}

static bool list(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct queue_message_info *messages = NULL;
    size_t count = 0;
    (void)args;
    struct arena *a = arena_new();
    bool ok = queue_list(c->queue, a, &messages, &count) ||
              err_set(e, ERR_TEMP, "the queue cannot be listed now");
    if (ok) {
        *result = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(*result, message_json(&messages[i]));
    }
    arena_free(a);
    return ok;
}

static bool show(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct str id;
    struct queue_message_info info = {0};
    struct buf header = BUF_EMPTY;
    if (!ctl_arg_str(args, "id", &id, e))
        return false;
    struct arena *a = arena_new();
    bool ok = queue_show(c->queue, id, a, &info, e);
    if (ok) {
        json_t *json = message_json(&info);
        struct err no_header;
        if (queue_read_header(c->queue, id, &header, &no_header))
            json_object_set_new(json, "header", ctl_json_str(buf_str(&header)));
        *result = json;
    }
    buf_free(&header);
    arena_free(a);
    return ok;
}

static bool is_held(const struct ctl_context *c, struct str id)
{
    struct queue_message_info info = {0};
    struct err e;
    struct arena *a = arena_new();
    bool held = queue_show(c->queue, id, a, &info, &e) && info.held_until != 0;
    arena_free(a);
    return held;
}

static bool retry(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct str id;
    if (!ctl_arg_optional(args, "id", &id, e))
        return false;
    size_t count = queue_retry(c->queue, id);
    if (id.n > 0 && count == 0 && is_held(c, id))
        return err_set(e, ERR_DENIED, "message %.*s is held, as its sender asked", STR_ARG(id));
    if (id.n > 0 && count == 0)
        return err_set(e, ERR_NOT_FOUND, "there is no message %.*s in the queue", STR_ARG(id));
    *result = json_pack("{s:I}", "messages", (json_int_t)count);
    return true;
}

static bool delete (const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct str id;
    (void)result;
    return ctl_arg_str(args, "id", &id, e) && queue_delete(c->queue, id, e);
}

const struct ctl_verb ctl_queue_verbs[] = {
    {"queue list", list},     {"queue show", show}, {"queue retry", retry},
    {"queue delete", delete}, {NULL, NULL},
};
