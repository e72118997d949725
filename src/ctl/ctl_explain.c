/*
 * Where mail for an address goes, step by step, and what a sender hears who names it.
 */
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"
#include "mime/address.h"
#include "queue/queue.h"
#include "queue/recipient.h"
#include "route/route_trace.h"

/* Targets that are told; of the others only how many there are. */
#define TARGETS_MAX 1000

static json_t *steps_json(const struct route_trace *trace)
{
    json_t *list = json_array();
    for (size_t i = 0; i < trace->count; i++) {
        const struct route_trace_step *s = &trace->steps[i];
        json_t *step = json_object();
        json_object_set_new(step, "depth", json_integer(s->depth));
        json_object_set_new(step, "address", ctl_json_str(s->address));
        json_object_set_new(step, "question", ctl_json_c(s->question));
        json_object_set_new(step, "answer", ctl_json_str(s->answer));
        json_object_set_new(step, "decides", json_boolean(s->decides));
        json_array_append_new(list, step);
    }
    return list;
}

static json_t *targets_json(const struct route *route)
{
    json_t *list = json_array();
    for (size_t i = 0; i < route->count && i < TARGETS_MAX; i++) {
        const struct route_target *t = &route->targets[i];
        json_t *target = json_object();
        json_object_set_new(target, "kind", ctl_json_c(route_target_kind_name(t->kind)));
        json_object_set_new(target, "address", ctl_json_str(t->address));
        if (t->detail.n > 0)
            json_object_set_new(target, "detail", ctl_json_str(t->detail));
        if (t->kind == TARGET_PUBLIC)
            json_object_set_new(target, "mailbox", ctl_json_str(t->mailbox));
        if (t->kind == TARGET_HOST)
            json_object_set_new(target, "host", ctl_json_str(t->account.mail_host));
        json_array_append_new(list, target);
    }
    return list;
}

static json_t *answer_json(const struct recipient_answer *answer)
{
    static const char *const fates[] = {"accepted", "refused", "later"};
    json_t *json = json_object();
    json_object_set_new(json, "fate", ctl_json_c(fates[answer->fate]));
    json_object_set_new(json, "code", json_integer(answer->code));
    json_object_set_new(json, "status", ctl_json_c(answer->enhanced));
    json_object_set_new(json, "text", ctl_json_str(answer->text));
    json_object_set_new(json, "reason", ctl_json_str(answer->reason));
    return json;
}

/* <a@b> is a@b; "<>" is the null sender. */
static bool parse(struct str text, int flags, struct arena *a, struct str *address, struct err *e)
{
    struct address parsed;
    const char *reason;
    if (text.n >= 2 && text.p[0] == '<' && text.p[text.n - 1] == '>')
        text = str_from(text.p + 1, text.n - 2);
    *address = STR("");
    if (text.n == 0 && (flags & ADDRESS_NULL))
        return true;
    if (!address_parse(a, text, flags, &parsed, &reason))
        return err_set(e, ERR_SYNTAX, "\"%.*s\": %s", STR_ARG(str_head(text, 80)), reason);
    *address = address_text(a, &parsed);
    return true;
}

SUSPENDS static json_t *explain_question(const struct ctl_context *c,
                                         const struct recipient_question *question, struct arena *a)
{
    struct recipient_answer answer;
    struct route_trace trace = {.arena = a};
    const struct route *route =
        route_recipient_traced(queue_router(c->queue), question->address, &trace, a);
    json_t *json = json_object();
    recipient_check(c->queue, question, a, &answer);
    json_object_set_new(json, "address", ctl_json_str(question->address));
    json_object_set_new(json, "steps", steps_json(&trace));
    json_object_set_new(json, "steps_left_out", json_integer((json_int_t)trace.left_out));
    json_object_set_new(json, "targets", targets_json(route));
    json_object_set_new(json, "target_count", json_integer((json_int_t)route->count));
    json_object_set_new(json, "answer", answer_json(&answer));
    return json;
}

SUSPENDS static bool explain(const struct ctl_context *c, const json_t *args, json_t **result,
                             struct err *e)
{
    struct str address, from, login;
    struct recipient_question question = {
        .sender_unknown = !json_object_get(args, "from"),
    };
    if (!ctl_arg_str(args, "address", &address, e) || !ctl_arg_optional(args, "from", &from, e) ||
        !ctl_arg_optional(args, "login", &login, e))
        return false;
    question.trusted = question.may_relay = login.n > 0;
    struct arena *a = arena_new();
    bool ok = parse(address, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, a, &question.address, e) &&
              parse(from, ADDRESS_UTF8 | ADDRESS_NULL, a, &question.sender, e);
    if (ok)
        *result = explain_question(c, &question, a);
    arena_free(a);
    return ok;
}

const struct ctl_verb ctl_explain_verbs[] = {
    {"address explain", CTL_ADMIN, explain},
    {0},
};
