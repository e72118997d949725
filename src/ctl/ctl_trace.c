/*
 * The stories of messages, told from the event store (trace/story.h) on a worker. A user sees what
 * is his own: "user" is his login then, whatever was asked for (ctl_access.h).
 *
 * The store may be large, and reading it occupies a thread that others read mailboxes with. So
 * users get but a part of these threads, each user one, in the order in which they ask, and not for
 * long; what was found by then is the answer, which says that there may be more.
 */
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_private.h"

#include "auth/directory.h"
#include "core/worker.h"
#include "trace/field.h"
#include "trace/story.h"
#include "trace/trace.h"

/* Events of many years of a large server are not searched to the end while somebody waits. */
#define PATIENCE      (60 * USEC_SEC)
#define USER_PATIENCE (10 * USEC_SEC)
#define TURN_PATIENCE (20 * USEC_SEC) /* of a user, until his begins */
#define LIST_MAX      100
#define MOMENT_MAX    ((int64_t)100000000000) /* seconds since 1970 */

struct question {
    struct trace *trace;
    struct story_request request;
    struct arena *arena;
    struct story_answer answer;
    bool ok;
    struct err error;
};

static void answer_on_worker(void *arg)
{
    struct question *q = arg;
    trace_flush(q->trace);
    q->ok = story_find(&q->request, q->arena, &q->answer, &q->error);
}

/* "<abc@example.org>" is meant as it is without brackets. */
static struct str without_brackets(struct str s)
{
    bool has = s.n > 2 && s.p[0] == '<' && s.p[s.n - 1] == '>';
    return has ? str_from(s.p + 1, s.n - 2) : s;
}

static bool take_moment(const json_t *args, const char *name, usec *moment, struct err *e)
{
    int64_t seconds = json_integer_value(json_object_get(args, name));
    if (seconds < 0 || seconds > MOMENT_MAX)
        return err_set(e, ERR_SYNTAX, "%s: seconds since 1970 are expected", name);
    *moment = seconds * USEC_SEC;
    return true;
}

static bool take_request(struct question *q, const json_t *args, struct err *e)
{
    struct story_request *r = &q->request;
    int64_t limit = json_integer_value(json_object_get(args, "limit"));
    int64_t uid = json_integer_value(json_object_get(args, "uid"));
    if (!ctl_arg_optional(args, "what", &r->what, e) ||
        !ctl_arg_optional(args, "user", &r->user, e) ||
        !ctl_arg_optional(args, "mailbox", &r->mailbox, e))
        return false;
    r->what = without_brackets(str_trim(r->what));
    if (!take_moment(args, "since", &r->from, e) || !take_moment(args, "until", &r->to, e))
        return false;
    r->all = json_is_true(json_object_get(args, "all"));
    r->most = limit > 0 ? (size_t)limit : LIST_MAX;
    r->uid = uid > 0 && uid <= UINT32_MAX ? (uint32_t)uid : 0;
    if ((r->mailbox.n > 0) != (r->uid > 0))
        return err_set(e, ERR_SYNTAX, "a mailbox and a UID go together");
    if (r->mailbox.n > 0 && r->user.n > 0)
        r->what = r->user;
    if (r->what.n == 0)
        return err_set(e, ERR_SYNTAX, "an id, a message-id or an address is expected");
    return true;
}

/* --- the answer --- */

static json_t *fields_json(struct str text)
{
    json_t *fields = json_object();
    struct field f;
    while (field_next(&text, &f))
        if (f.key.n > 0) {
            char key[64] = "";
            memcpy(key, f.key.p, f.key.n < sizeof(key) ? f.key.n : sizeof(key) - 1);
            if (!json_object_get(fields, key))
                json_object_set_new(fields, key, ctl_json_str(f.value));
        }
    return fields;
}

static json_t *event_json(struct str story, const struct story_event *event)
{
    json_t *item = json_object();
    json_object_set_new(item, "story", ctl_json_str(story));
    json_object_set_new(item, "time", json_real((double)event->when / USEC_SEC));
    if (event->begin != event->when)
        json_object_set_new(item, "begin", json_real((double)event->begin / USEC_SEC));
    json_object_set_new(item, "level", ctl_json_c(log_level_names[event->level]));
    json_object_set_new(item, "component", ctl_json_str(event->component));
    json_object_set_new(item, "id", ctl_json_str(event->id));
    json_object_set_new(item, "event", ctl_json_str(field_words(event->text)));
    json_object_set_new(item, "fields", fields_json(event->text));
    json_object_set_new(item, "said", ctl_json_str(field_comment(event->text)));
    json_object_set_new(item, "text", ctl_json_str(event->text));
    return item;
}

static json_t *summary_json(const struct story_summary *s)
{
    json_t *item = json_object();
    json_object_set_new(item, "message", ctl_json_str(s->id));
    json_object_set_new(item, "time", json_real((double)s->when / USEC_SEC));
    json_object_set_new(item, "from", ctl_json_str(s->from));
    json_object_set_new(item, "to", ctl_json_str(s->to));
    json_object_set_new(item, "message_id", ctl_json_str(s->message_id));
    json_object_set_new(item, "recipients", json_integer((json_int_t)s->recipients));
    json_object_set_new(item, "size", json_integer((json_int_t)s->size));
    json_object_set_new(item, "status", ctl_json_str(s->status));
    return item;
}

static SUSPENDS bool send_answer(struct ctl_call *c, const struct story_answer *x, bool *cut,
                                 struct err *e)
{
    for (size_t i = 0; i < x->list_count; i++)
        if (!ctl_send_item(c, summary_json(&x->list[i]), e))
            return false;
    for (size_t i = 0; i < x->story_count; i++) {
        const struct story *s = &x->stories[i];
        struct str id = s->id.n > 0 || s->count == 0 ? s->id : s->events[0].id;
        *cut |= s->cut;
        for (size_t k = 0; k < s->count; k++)
            if (!ctl_send_item(c, event_json(id, &s->events[k]), e) || !ctl_breathe(c, e))
                return false;
    }
    return true;
}

/* --- turns of users --- */

/* Where to note whose trace runs; NULL: he has one that runs, or there are too many. */
static struct str *find_turn(struct ctl *ctl, struct str login)
{
    struct str *found = NULL;
    for (size_t i = 0; i < CTL_USER_TRACES_MAX; i++) {
        if (str_equal(ctl->tracing[i], login))
            return NULL;
        if (ctl->tracing[i].n == 0)
            found = &ctl->tracing[i];
    }
    return found;
}

static SUSPENDS struct str *wait_for_turn(struct ctl_call *c, struct err *e)
{
    usec deadline = deadline_in(TURN_PATIENCE);
    struct str *turn;
    while (!(turn = find_turn(c->ctl, c->own->login)))
        if (!cond_wait(&c->ctl->traced, deadline, e)) {
            if (e->kind == ERR_TIMEOUT)
                err_set(e, ERR_TEMP,
                        "too many users trace messages at the moment (%d at a time, one of each "
                        "user); try again in a minute",
                        CTL_USER_TRACES_MAX);
            return NULL;
        }
    *turn = c->own->login;
    return turn;
}

static SUSPENDS bool find_stories(struct ctl_call *c, struct question *q, struct err *e)
{
    struct str *turn = NULL;
    if (c->own && !(turn = wait_for_turn(c, e)))
        return false;
    q->request.dir = trace_dir(q->trace);
    q->request.deadline = deadline_in(c->own ? USER_PATIENCE : PATIENCE);
    worker_run(WORKER_READ, answer_on_worker, q);
    if (turn) {
        *turn = STR("");
        cond_broadcast(&c->ctl->traced);
    }
    if (!q->ok)
        *e = q->error;
    return q->ok;
}

static SUSPENDS bool trace(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct question q = {.trace = c->context->trace, .arena = arena_new()};
    bool cut = false, ok = take_request(&q, args, e);
    ok = ok && find_stories(c, &q, e) && send_answer(c, &q.answer, &cut, e);
    if (ok) {
        usec patience = c->own ? USER_PATIENCE : PATIENCE;
        *result = json_pack(
            "{s:I, s:I, s:b, s:b, s:I, s:I}", "messages", (json_int_t)q.answer.list_count,
            "stories", (json_int_t)q.answer.story_count, "more", q.answer.more, "incomplete",
            cut || q.answer.late, "late", (json_int_t)(q.answer.late ? patience / USEC_SEC : 0),
            "damaged", (json_int_t)q.answer.damaged);
    }
    arena_free(q.arena);
    return ok;
}

const struct ctl_stream_verb ctl_trace_verbs[] = {
    {"trace", CTL_OWN("user", "what since until mailbox uid all limit"), trace},
    {0},
};
