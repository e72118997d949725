/*
 * The access policy: what it would say to a client, its rules and tables, what its checks remember.
 * Asking changes nothing.
 */
#include "core/arena.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"
#include "mime/address.h"
#include "policy/operate.h"

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
    f->sender = address_without_brackets(f->sender);
    f->recipient = address_without_brackets(f->recipient);
    if (!is_given(args, "to"))
        f->recipient = (struct str){0};
    if (!is_given(args, "helo"))
        f->helo = (struct str){0};
    return true;
}

/* The message, as far as it is given: its From field. */
static bool take_header(const json_t *args, struct policy_header *header, struct policy_facts *f,
                        struct err *e)
{
    if (!ctl_arg_optional(args, "header-from", &header->from, e))
        return false;
    header->from_fields = 1;
    f->header = is_given(args, "header-from") ? header : NULL;
    return true;
}

static SUSPENDS bool test(const struct ctl_context *c, const json_t *args, json_t **result,
                          struct err *e)
{
    struct arena *a = arena_new();
    struct policy_facts facts = {.id = "test", .component = "policy", .protocol = SERVICE_SMTP};
    struct policy_header header = {0};
    struct policy_finding *list;
    size_t count;
    bool ok = take_facts(args, a, &facts, e) && take_header(args, &header, &facts, e);
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

/* --- policy limits --- */

#define KEYS_SHOWN 20

static json_t *limit_json(const struct policy_limit_info *l)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < l->key_count; i++)
        json_array_append_new(keys, json_pack("{s:o, s:I}", "key", ctl_json_str(l->keys[i].key),
                                              "count", (json_int_t)l->keys[i].count));
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:I, s:I}", "rule", l->rule, "check", l->check,
                     "unit", l->unit, "limit", (json_int_t)l->limit, "period",
                     (json_int_t)(l->period / USEC_SEC), "keys", keys, "known",
                     (json_int_t)l->known, "evicted", (json_int_t)l->evicted);
}

static json_t *greylist_json(const struct greylist_stats *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "in_memory", (json_int_t)s->in_memory,
                     "unwritten", (json_int_t)s->unwritten, "triplets", (json_int_t)s->triplets,
                     "clients", (json_int_t)s->clients, "lost", (json_int_t)s->lost, "error",
                     ctl_json_c(s->error));
}

static bool limits(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct arena *a = arena_new();
    struct policy_limit_info *list;
    struct policy_silent_list *silent;
    struct greylist_stats stats;
    size_t count;
    (void)args;
    (void)e;
    json_t *rules = json_array(), *zones = json_array();
    policy_list_limits(c->policy, KEYS_SHOWN, a, &list, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rules, limit_json(&list[i]));
    policy_list_silent(c->policy, a, &silent, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(zones, json_pack("{s:o, s:I}", "zone", ctl_json_str(silent[i].zone),
                                               "seconds", (json_int_t)silent[i].seconds));
    *result = json_pack("{s:o, s:o}", "rules", rules, "silent_lists", zones);
    if (policy_greylist_stats(c->policy, &stats))
        json_object_set_new(*result, "greylist", greylist_json(&stats));
    arena_free(a);
    return true;
}

/* --- policy greylist --- */

#define GREYLIST_PAGE 200

static json_t *triplet_json(const struct greylist_triplet *t)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "network", ctl_json_str(t->network),
                     "sender", ctl_json_str(t->sender), "recipient", ctl_json_str(t->recipient),
                     "first", (json_int_t)t->first, "last", (json_int_t)t->last, "passed",
                     (json_int_t)t->passed, "expires", (json_int_t)t->expires);
}

static json_t *client_json(const struct greylist_client *c)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:b}", "client", ctl_json_str(c->network), "good",
                     (json_int_t)c->good, "last", (json_int_t)c->last, "expires",
                     (json_int_t)c->expires, "by_hand", (int)c->by_hand);
}

static SUSPENDS bool send_clients(struct ctl_call *call, struct str text, struct err *e)
{
    struct greylist *g = policy_greylist(call->context->policy);
    struct greylist_client list[GREYLIST_PAGE];
    struct str after = STR("");
    size_t count = GREYLIST_PAGE;
    bool ok = true;
    struct arena *a = NULL;
    while (ok && count == GREYLIST_PAGE) {
        struct arena *page = arena_new();
        ok = greylist_list_clients(g, after, text, GREYLIST_PAGE, page, list, &count, e);
        for (size_t i = 0; ok && i < count; i++)
            ok = ctl_send_item(call, client_json(&list[i]), e);
        after = count > 0 ? list[count - 1].network : after;
        arena_free(a);
        a = page;
    }
    arena_free(a);
    return ok;
}

static SUSPENDS bool send_triplets(struct ctl_call *call, struct str text, struct err *e)
{
    struct greylist *g = policy_greylist(call->context->policy);
    struct greylist_triplet list[GREYLIST_PAGE], after = {.expires = INT64_MIN};
    size_t count = GREYLIST_PAGE;
    bool ok = true;
    while (ok && count == GREYLIST_PAGE) {
        struct arena *a = arena_new();
        ok = greylist_list(g, &after, text, GREYLIST_PAGE, a, list, &count, e);
        for (size_t i = 0; ok && i < count; i++)
            ok = ctl_send_item(call, triplet_json(&list[i]), e);
        if (count > 0)
            after = list[count - 1];
        arena_free(a);
    }
    return ok;
}

static SUSPENDS bool greylist_items(struct ctl_call *call, const json_t *args, json_t **result,
                                    struct err *e)
{
    struct str text;
    (void)result;
    return ctl_arg_optional(args, "text", &text, e) && send_clients(call, text, e) &&
           send_triplets(call, text, e);
}

static SUSPENDS bool allow(const struct ctl_context *c, const json_t *args, json_t **result,
                           struct err *e)
{
    struct str client;
    (void)result;
    return ctl_arg_str(args, "client", &client, e) && policy_greylist_allow(c->policy, client, e);
}

static SUSPENDS bool delete (const struct ctl_context *c, const json_t *args, json_t **result,
                             struct err *e)
{
    struct str text;
    int64_t deleted;
    if (!ctl_arg_str(args, "text", &text, e) ||
        !policy_greylist_delete(c->policy, text, &deleted, e))
        return false;
    *result = json_pack("{s:I}", "deleted", (json_int_t)deleted);
    return true;
}

const struct ctl_stream_verb ctl_policy_stream_verbs[] = {
    {"policy greylist list", CTL_ADMIN, greylist_items},
    {0},
};

const struct ctl_verb ctl_policy_verbs[] = {
    {"policy test", CTL_ADMIN, test},
    {"policy list", CTL_ADMIN, list},
    {"policy limits", CTL_ADMIN, limits},
    {"policy greylist allow", CTL_ADMIN, allow},
    {"policy greylist delete", CTL_ADMIN, delete},
    {0},
};
