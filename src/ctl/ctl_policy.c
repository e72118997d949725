/*
 * The access policy: what it would say to a client, its rules and tables. Asking changes nothing.
 */
#include "core/arena.h"
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"
#include "policy/policy.h"

/* --- policy test --- */

static json_t *finding_json(const struct policy_finding *f)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:o, s:b, s:b, s:b}", "rule", f->rule, "check",
                             f->check, "stage", policy_stage_name(f->stage), "result", f->result,
                             "why", ctl_json_str(f->why), "dry_run", (int)f->dry_run, "reached",
                             (int)f->reached, "decides", (int)f->decides);
    const struct policy_verdict *v = &f->verdict;
    if (!v->rule)
        return json;
    json_object_set_new(json, "action", json_string(policy_action_name(v->action)));
    if (v->delay > 0)
        json_object_set_new(json, "delay", json_real((double)v->delay / USEC_SEC));
    json_object_set_new(json, "text", ctl_json_str(v->text));
    if (v->code > 0) {
        json_object_set_new(json, "code", json_integer(v->code));
        json_object_set_new(json, "enhanced", json_string(v->enhanced));
    }
    return json;
}

static bool is_given(const json_t *args, const char *name)
{
    return json_is_string(json_object_get(args, name));
}

/* <a@b> is a@b. */
static struct str without_brackets(struct str s)
{
    bool both = s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>';
    return both ? str_from(s.p + 1, s.n - 2) : s;
}

static bool take_facts(const json_t *args, struct arena *a, struct policy_facts *f, struct err *e)
{
    struct str client, name, protocol;
    if (!ctl_arg_optional(args, "client", &client, e) ||
        !ctl_arg_optional(args, "name", &name, e) ||
        !ctl_arg_optional(args, "protocol", &protocol, e) ||
        !ctl_arg_optional(args, "helo", &f->helo, e) ||
        !ctl_arg_optional(args, "login", &f->login, e) ||
        !ctl_arg_optional(args, "from", &f->sender, e) ||
        !ctl_arg_optional(args, "to", &f->recipient, e))
        return false;
    f->address = arena_c(a, client);
    if (!policy_address_is_valid(f->address))
        return err_set(e, ERR_SYNTAX, "\"%.60s\" is no address", f->address);
    if (protocol.n > 0 && !policy_protocol_find(protocol, &f->protocol))
        return err_set(e, ERR_SYNTAX, "the protocol is smtp, submission or lmtp");
    f->name = name.n > 0 ? arena_c(a, name) : NULL;
    f->has_sender = is_given(args, "from");
    f->sender = without_brackets(f->sender);
    f->recipient = without_brackets(f->recipient);
    if (!is_given(args, "to"))
        f->recipient = (struct str){0};
    if (!is_given(args, "helo"))
        f->helo = (struct str){0};
    return true;
}

static SUSPENDS bool test(const struct ctl_context *c, const json_t *args, json_t **result,
                          struct err *e)
{
    struct arena *a = arena_new();
    struct policy_facts facts = {.id = "test", .component = "policy", .protocol = SERVICE_SMTP};
    struct policy_finding *list;
    size_t count;
    bool ok = take_facts(args, a, &facts, e);
    if (ok) {
        policy_explain(c->policy, &facts, a, &list, &count);
        json_t *findings = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(findings, finding_json(&list[i]));
        *result = json_pack("{s:o, s:b, s:b}", "findings", findings, "trusted",
                            (int)policy_is_trusted(c->policy, facts.address), "may_relay",
                            (int)policy_may_relay(c->policy, facts.address));
    }
    arena_free(a);
    return ok;
}

/* --- policy list --- */

static json_t *rules_json(const struct policy *p, struct arena *a)
{
    struct policy_rule_info *list;
    size_t count;
    json_t *json = json_array();
    policy_list_rules(p, a, &list, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            json, json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I}", "rule", list[i].name,
                            "check", list[i].check, "stage", policy_stage_name(list[i].at),
                            "action", list[i].action, "enabled", (int)list[i].enabled, "dry_run",
                            (int)list[i].dry_run, "asked", (json_int_t)list[i].asked, "matched",
                            (json_int_t)list[i].matched));
    return json;
}

static json_t *tables_json(const struct policy *p, struct arena *a)
{
    struct policy_table_info *list;
    size_t count;
    json_t *json = json_array();
    policy_list_tables(p, a, &list, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            json, json_pack("{s:o, s:o, s:s, s:I, s:I, s:o}", "table", ctl_json_c(list[i].name),
                            "path", ctl_json_c(list[i].path), "type", list[i].type, "entries",
                            (json_int_t)list[i].entries, "loaded", (json_int_t)list[i].loaded,
                            "error", ctl_json_c(list[i].error)));
    return json;
}

static bool list(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct arena *a = arena_new();
    (void)args;
    (void)e;
    *result = json_pack("{s:o, s:o}", "rules", rules_json(c->policy, a), "tables",
                        tables_json(c->policy, a));
    arena_free(a);
    return true;
}

const struct ctl_verb ctl_policy_verbs[] = {
    {"policy test", test},
    {"policy list", list},
    {NULL, NULL},
};
