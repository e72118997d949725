/*
 * The route table, and where a message would go.
 */
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"
#include "mime/address.h"
#include "queue/route_explain.h"

static json_t *list_json(const struct string_list *list)
{
    json_t *json = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(json, ctl_json_c(list->items[i]));
    return json;
}

static const char *protocol_name(int protocol)
{
    return protocol == NEXT_HOP_LMTP ? "lmtp" : "smtp";
}

static void set_pacing(json_t *json, const struct pacing *p)
{
    json_object_set_new(json, "connections_max", json_integer(p->connections_max));
    json_object_set_new(json, "rate", json_integer(p->rate));
    json_object_set_new(json, "rate_period", json_integer(p->rate_period / USEC_SEC));
}

/* --- route list --- */

static json_t *rule_json(const struct route_rule *rule)
{
    const struct route_settings *s = rule->settings;
    json_t *json = json_object();
    json_object_set_new(json, "route", ctl_json_c(s->name));
    json_object_set_new(json, "recipient", list_json(&s->recipient));
    json_object_set_new(json, "sender", list_json(&s->sender));
    json_object_set_new(json, "login", list_json(&s->login));
    json_object_set_new(json, "action",
                        ctl_json_c(s->action == ROUTE_ACTION_SINK ? "sink" : "relay"));
    json_object_set_new(json, "hosts", list_json(&s->hosts));
    json_object_set_new(json, "fallback", list_json(&s->fallback));
    json_object_set_new(json, "protocol", ctl_json_c(protocol_name(s->protocol)));
    json_object_set_new(json, "tls", ctl_json_c(next_hop_tls_name((enum next_hop_tls)s->tls)));
    json_object_set_new(json, "user", ctl_json_c(s->user));
    json_object_set_new(json, "credentials", json_integer((json_int_t)rule->credentials.count));
    set_pacing(json, &rule->pacing);
    return json;
}

static bool list(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    const struct route_table *table = queue_route_table(c->queue);
    (void)args;
    (void)e;
    *result = json_array();
    for (size_t i = 0; i < table->count; i++)
        json_array_append_new(*result, rule_json(&table->list[i]));
    return true;
}

/* --- route test --- */

static json_t *host_json(const struct route_host *h)
{
    json_t *json = json_object();
    json_object_set_new(json, "name", ctl_json_str(h->name));
    json_object_set_new(json, "address", ctl_json_str(h->address));
    json_object_set_new(json, "port", json_integer(h->port));
    json_object_set_new(json, "preference",
                        h->preference < 0 ? json_null() : json_integer(h->preference));
    json_object_set_new(json, "fallback", json_boolean(h->fallback));
    json_object_set_new(json, "problem", ctl_json_str(h->problem));
    return json;
}

static const char *outcome_name(enum route_outcome outcome)
{
    static const char *const names[] = {"sent", "here", "dropped", "refused"};
    return names[outcome];
}

static void set_hop(json_t *json, const struct route_way *w)
{
    json_t *hosts = json_array();
    for (size_t i = 0; i < w->host_count; i++)
        json_array_append_new(hosts, host_json(&w->hosts[i]));
    json_object_set_new(json, "route", ctl_json_c(w->hop.route));
    json_object_set_new(json, "sender", ctl_json_str(w->sender));
    json_object_set_new(json, "destination", ctl_json_str(w->key));
    json_object_set_new(json, "hosts", hosts);
    json_object_set_new(json, "protocol", ctl_json_c(protocol_name(w->hop.protocol)));
    json_object_set_new(json, "tls", ctl_json_c(next_hop_tls_name(w->hop.tls)));
    json_object_set_new(json, "user", ctl_json_c(w->hop.user));
    json_object_set_new(json, "mechanisms", ctl_json_c(w->hop.mechanisms));
    json_object_set_new(json, "source_ipv4", ctl_json_c(w->hop.source_ipv4));
    json_object_set_new(json, "source_ipv6", ctl_json_c(w->hop.source_ipv6));
    json_object_set_new(json, "helo", ctl_json_c(w->hop.helo));
    set_pacing(json, &w->pacing);
}

static json_t *way_json(const struct route_way *w)
{
    json_t *json = json_object(), *steps = json_array();
    for (size_t i = 0; i < w->step_count; i++)
        json_array_append_new(
            steps, json_pack("{s:o, s:b, s:o}", "step", ctl_json_c(w->steps[i].what), "decides",
                             (int)w->steps[i].decides, "why", ctl_json_str(w->steps[i].why)));
    json_object_set_new(json, "recipient", ctl_json_str(w->recipient));
    json_object_set_new(json, "outcome", ctl_json_c(outcome_name(w->outcome)));
    json_object_set_new(json, "steps", steps);
    json_object_set_new(json, "text", ctl_json_str(w->text));
    if (w->outcome == ROUTE_GOES_OUT || *w->hop.route)
        set_hop(json, w);
    return json;
}

SUSPENDS static bool test(const struct ctl_context *c, const json_t *args, json_t **result,
                          struct err *e)
{
    struct route_question question = {.relay_domain = false};
    struct route_way *ways;
    size_t count;
    if (!ctl_arg_str(args, "from", &question.sender, e) ||
        !ctl_arg_str(args, "to", &question.recipient, e) ||
        !ctl_arg_optional(args, "login", &question.login, e))
        return false;
    question.sender = address_without_brackets(question.sender);
    question.recipient = address_without_brackets(question.recipient);
    struct arena *a = arena_new();
    bool ok = route_explain(c->queue, &question, a, &ways, &count, e);
    if (ok) {
        *result = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(*result, way_json(&ways[i]));
    }
    arena_free(a);
    return ok;
}

const struct ctl_verb ctl_route_verbs[] = {
    {"route list", CTL_ADMIN, list},
    {"route test", CTL_ADMIN, test},
    {0},
};
