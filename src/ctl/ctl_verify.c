/*
 * What a sender would hear who names a recipient, and what is known of it.
 */
#include "auth/directory.h"
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"
#include "mime/address.h"
#include "queue/recipient.h"

static const char *fate_name(const struct recipient_answer *answer)
{
    static const char *const names[] = {"accepted", "refused", "later"};
    return names[answer->fate];
}

static json_t *verified_json(const struct verify_answer *v)
{
    static const char *const names[] = {"unknown", "accepted", "refused"};
    json_t *json = json_object();
    json_object_set_new(json, "verdict", ctl_json_c(names[v->verdict]));
    json_object_set_new(json, "checked", json_integer(v->checked / USEC_SEC));
    json_object_set_new(json, "stale", json_boolean(v->stale));
    json_object_set_new(json, "accepts_all", json_boolean(v->accepts_all));
    json_object_set_new(json, "text", ctl_json_str(v->text));
    return json;
}

static json_t *answer_json(struct str address, const struct recipient_answer *answer)
{
    json_t *json = json_object();
    const struct domain *domain = answer->route->domain;
    json_object_set_new(json, "address", ctl_json_str(address));
    json_object_set_new(json, "fate", ctl_json_c(fate_name(answer)));
    json_object_set_new(json, "certain", json_boolean(answer->certain));
    json_object_set_new(json, "code", json_integer(answer->code));
    json_object_set_new(json, "status", ctl_json_c(answer->enhanced));
    json_object_set_new(json, "text", ctl_json_str(answer->text));
    json_object_set_new(json, "reason", ctl_json_str(answer->reason));
    json_object_set_new(json, "domain", ctl_json_c(domain ? domain_kind_name(domain->kind) : ""));
    if (answer->verified)
        json_object_set_new(json, "verified", verified_json(answer->verified));
    return json;
}

static bool parse(struct str text, struct arena *a, struct str *address, struct err *e)
{
    struct address parsed;
    const char *reason;
    if (!address_parse(a, text, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &parsed, &reason))
        return err_set(e, ERR_SYNTAX, "\"%.*s\": %s", STR_ARG(str_head(text, 80)), reason);
    *address = address_text(a, &parsed);
    return true;
}

static bool verify(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct str text;
    struct recipient_answer answer;
    bool trusted = json_is_true(json_object_get(args, "trusted"));
    struct recipient_question question = {
        .sender_unknown = true, .trusted = trusted, .may_relay = trusted};
    if (!ctl_arg_str(args, "address", &text, e))
        return false;
    struct arena *a = arena_new();
    bool ok = parse(text, a, &question.address, e);
    if (ok) {
        question.ask_anew = json_is_true(json_object_get(args, "probe"));
        recipient_check(c->queue, &question, a, &answer);
        *result = answer_json(question.address, &answer);
    }
    arena_free(a);
    return ok;
}

const struct ctl_verb ctl_verify_verbs[] = {
    {"verify", CTL_ADMIN, verify},
    {0},
};
