/*
 * The directory for operators: who is asked and how they are, a look-up with each of its steps, and
 * the cache. A look-up here goes past the cache and leaves nothing in it, so that looking changes
 * nothing.
 */
#include "ctl/ctl_directory.h"

#include "auth/auth_explain.h"
#include "auth/directory_trace.h"
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"
#include "net/host_port.h"

#define CACHED_MAX 100000 /* entries of an answer */

static void set(json_t *json, const char *name, uint64_t value)
{
    json_object_set_new(json, name, json_integer((json_int_t)value));
}

static void set_str(json_t *json, const char *name, struct str value)
{
    json_object_set_new(json, name, ctl_json_str(value));
}

static void set_c(json_t *json, const char *name, const char *value)
{
    json_object_set_new(json, name, ctl_json_c(value));
}

static void set_list(json_t *json, const char *name, const struct str *list, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, ctl_json_str(list[i]));
    json_object_set_new(json, name, array);
}

static json_t *trace_json(const struct lookup_trace *t)
{
    json_t *lines = json_array();
    for (size_t i = 0; i < t->count; i++)
        json_array_append_new(lines, json_pack("{s:o, s:o}", "what", ctl_json_c(t->lines[i].what),
                                               "text", ctl_json_str(t->lines[i].text)));
    return lines;
}

/* --- how it is --- */

static json_t *source_json(const struct directory *d, size_t i)
{
    struct directory_source_stats stats;
    const struct source *s = directory_source(d, i, &stats);
    struct lookup_trace health = {.arena = arena_new()};
    json_t *json = json_object();
    directory_describe_source(d, i, &health);
    set_c(json, "name", s->name);
    set_c(json, "kind", s->functions->kind);
    set(json, "asked", stats.asked);
    set(json, "found", stats.found);
    set(json, "failures", stats.failures);
    set(json, "failed", (uint64_t)(stats.failed / USEC_SEC));
    set_c(json, "failure", stats.failure.text);
    set(json, "wrong", stats.wrong);
    set(json, "wrong_seen", (uint64_t)(stats.wrong_seen / USEC_SEC));
    set_c(json, "wrong_entry", stats.wrong_entry.text);
    json_object_set_new(json, "health", trace_json(&health));
    arena_free(health.arena);
    return json;
}

json_t *ctl_directory_json(const struct directory *d)
{
    struct directory_stats stats;
    json_t *json = json_object(), *cache = json_object(), *sources = json_array();
    directory_get_stats(d, &stats);
    set(cache, "hits", stats.hits);
    set(cache, "misses", stats.misses);
    set(cache, "stale", stats.stale);
    set(cache, "answers", stats.answers);
    set(cache, "missing", stats.missing);
    set(cache, "bytes", stats.bytes);
    for (size_t i = 0; i < directory_source_count(d); i++)
        json_array_append_new(sources, source_json(d, i));
    json_object_set_new(json, "cache", cache);
    json_object_set_new(json, "sources", sources);
    return json;
}

static bool show(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    (void)args, (void)e;
    *result = ctl_directory_json(c->directory);
    return true;
}

/* --- directory lookup --- */

static const char *lookup_name(enum lookup status)
{
    return status == LOOKUP_FOUND ? "found" : status == LOOKUP_NOT_FOUND ? "not found" : "failed";
}

json_t *ctl_account_json(const struct account *account)
{
    static const char *const mail[] = {"accept", "defer", "refuse"};
    struct arena *a = arena_new();
    json_t *json = json_object();
    set_str(json, "login", account->login);
    set_str(json, "name", account->name);
    set_str(json, "home", account->home);
    set_c(json, "no_login", account->no_login ? account->no_login : "");
    set_c(json, "mail", mail[account->mail]);
    set_str(json, "protocols", account_protocols_text(a, account->protocols));
    set_list(json, "addresses", account->addresses, account->address_count);
    set_list(json, "forwards", account->forwards, account->forward_count);
    json_object_set_new(json, "keep_copy", json_boolean(account->keep_copy));
    set_str(json, "mail_host", account->mail_host);
    set_list(json, "groups", account->groups, account->group_count);
    json_object_set_new(json, "quota_storage", json_integer(account->quota_storage));
    json_object_set_new(json, "quota_messages", json_integer(account->quota_messages));
    arena_free(a);
    return json;
}

static json_t *address_json(const struct directory_address *address)
{
    json_t *json = json_object();
    set_str(json, "address", address->address);
    set_list(json, "destinations", address->destinations, address->count);
    json_object_set_new(json, "internal", json_boolean(address->internal));
    return json;
}

static json_t *group_json(const struct directory_group *group)
{
    json_t *json = json_object();
    set_str(json, "address", group->address);
    set_str(json, "name", group->name);
    set_list(json, "members", group->members, group->member_count);
    json_object_set_new(json, "disabled", json_boolean(group->disabled));
    json_object_set_new(json, "internal", json_boolean(group->internal));
    json_object_set_new(json, "members_only", json_boolean(group->members_only));
    return json;
}

static json_t *domain_json(const struct domain *domain)
{
    json_t *json = json_object();
    set_str(json, "name", domain->name);
    set_c(json, "kind", domain_kind_name(domain->kind));
    set_str(json, "relay", domain->relay);
    return json;
}

static json_t *step_json(const struct directory_step *step)
{
    json_t *json = json_object();
    set_c(json, "source", step->source);
    set_c(json, "kind", step->kind);
    set_c(json, "result", lookup_name(step->status));
    set_c(json, "error", step->error.text);
    set(json, "microseconds", (uint64_t)step->took);
    json_object_set_new(json, "trace", trace_json(&step->trace));
    return json;
}

static json_t *cached_json(const struct directory_cached *cached)
{
    json_t *json = json_object();
    set_str(json, "question", cached->question);
    set_str(json, "name", cached->name);
    set_c(json, "result", cached->exists ? "found" : "not found");
    set_c(json, "source", cached->exists ? cached->source : "");
    set(json, "age", (uint64_t)(cached->age / USEC_SEC));
    set(json, "left", (uint64_t)((cached->left > 0 ? cached->left : 0) / USEC_SEC));
    return json;
}

static json_t *report_json(const struct directory_report *r)
{
    json_t *json = json_object(), *steps = json_array();
    set_str(json, "name", r->name);
    set_c(json, "result", lookup_name(r->status));
    set_c(json, "error", r->error.text);
    for (size_t i = 0; i < r->step_count; i++)
        json_array_append_new(steps, step_json(&r->steps[i]));
    json_object_set_new(json, "steps", steps);
    json_object_set_new(json, "cache", r->is_cached ? cached_json(&r->cached) : json_null());
    if (r->account)
        json_object_set_new(json, "account", ctl_account_json(r->account));
    if (r->address)
        json_object_set_new(json, "address", address_json(r->address));
    if (r->group)
        json_object_set_new(json, "group", group_json(r->group));
    if (r->domain)
        json_object_set_new(json, "domain", domain_json(r->domain));
    return json;
}

static bool lookup(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct str name;
    struct directory_report r;
    if (!ctl_arg_str(args, "name", &name, e))
        return false;
    json_t *questions = json_array();
    for (int q = 0; q < QUESTIONS; q++) {
        struct arena *a = arena_new();
        if (directory_trace(c->directory, (enum directory_question)q, name, a, &r)) {
            json_t *json = report_json(&r);
            set_c(json, "question", directory_question_name((enum directory_question)q));
            json_array_append_new(questions, json);
        }
        arena_free(a);
    }
    *result = json_pack("{s:o, s:o}", "name", ctl_json_str(name), "questions", questions);
    return true;
}

/* --- cache --- */

struct showing {
    json_t *entries;
    size_t count, max;
};

static bool show_cached(void *arg, const struct directory_cached *cached)
{
    struct showing *s = arg;
    if (s->count++ < s->max)
        json_array_append_new(s->entries, cached_json(cached));
    return s->count <= s->max;
}

static bool cache_show(const struct ctl_context *c, const json_t *args, json_t **result,
                       struct err *e)
{
    struct str name;
    json_int_t max = json_integer_value(json_object_get(args, "limit"));
    struct showing s = {.max = max > 0 && max < CACHED_MAX ? (size_t)max : CACHED_MAX};
    if (!ctl_arg_optional(args, "name", &name, e))
        return false;
    s.entries = json_array();
    directory_each_cached(c->directory, name, show_cached, &s);
    *result = ctl_directory_json(c->directory);
    json_object_del(*result, "sources");
    json_object_set_new(*result, "entries", s.entries);
    json_object_set_new(*result, "more", json_boolean(s.count > s.max));
    return true;
}

static bool cache_flush(const struct ctl_context *c, const json_t *args, json_t **result,
                        struct err *e)
{
    struct str name;
    struct directory_stats stats;
    if (!ctl_arg_optional(args, "name", &name, e))
        return false;
    directory_get_stats(c->directory, &stats);
    size_t count = stats.answers + stats.missing;
    if (name.n > 0)
        count = directory_forget_name(c->directory, name);
    else if (!directory_reload(c->directory, e))
        return false;
    *result = json_pack("{s:I}", "forgotten", (json_int_t)count);
    return true;
}

/* --- auth test --- */

static const struct protocol {
    const char *name, *service, *component;
} protocols[] = {
    {"imap", "imap", "imap"},       {"pop3", "pop3", "pop3"},
    {"smtp", "smtp", "submission"}, {"submission", "smtp", "submission"},
    {"sieve", "sieve", "sieve"},
};
#define PROTOCOLS (sizeof(protocols) / sizeof(*protocols))

static const struct protocol *protocol_of(struct str name, struct err *e)
{
    if (name.n == 0)
        return &protocols[0];
    for (size_t i = 0; i < PROTOCOLS; i++)
        if (str_equal_nocase(name, str_from_c(protocols[i].name)))
            return &protocols[i];
    err_set(e, ERR_SYNTAX, "\"%.*s\" is no protocol: it is one of imap, pop3, smtp, sieve",
            STR_ARG(str_head(name, 40)));
    return NULL;
}

static json_t *auth_step_json(const struct auth_step *step)
{
    json_t *json = json_object();
    set_c(json, "step", step->name);
    set_c(json, "result", auth_step_result_name(step->result));
    set_str(json, "text", step->text);
    set(json, "microseconds", (uint64_t)step->took);
    json_object_set_new(json, "trace", trace_json(&step->trace));
    if (step->report)
        json_object_set_new(json, "lookup", report_json(step->report));
    return json;
}

static json_t *explanation_json(const struct auth_explanation *x)
{
    json_t *json = json_object(), *steps = json_array();
    for (size_t i = 0; i < x->count; i++)
        json_array_append_new(steps, auth_step_json(&x->steps[i]));
    json_object_set_new(json, "steps", steps);
    set_c(json, "result", auth_step_result_name(x->result));
    set_str(json, "reason", x->reason);
    set_str(json, "login", x->account ? x->account->login : STR(""));
    return json;
}

static bool auth_test(const struct ctl_context *c, const json_t *args, json_t **result,
                      struct err *e)
{
    struct str user, password, name, address;
    struct auth_explanation x;
    if (!ctl_arg_str(args, "user", &user, e) || !ctl_arg_str(args, "password", &password, e) ||
        !ctl_arg_optional(args, "protocol", &name, e) ||
        !ctl_arg_optional(args, "address", &address, e))
        return false;
    const struct protocol *protocol = protocol_of(name, e);
    if (!protocol)
        return false;
    struct arena *a = arena_new();
    struct auth_peer peer = {.service = protocol->service,
                             .component = protocol->component,
                             .id = "test",
                             .address = address.n > 0 ? arena_c(a, address) : "127.0.0.1",
                             .secure = true};
    bool ok = host_is_numeric(str_from_c(peer.address));
    if (!ok)
        err_set(e, ERR_SYNTAX, "\"%.*s\" is no IP address", STR_ARG(str_head(address, 60)));
    else
        auth_explain(c->auth, &peer, user, password, a, &x);
    if (ok)
        *result = explanation_json(&x);
    arena_free(a);
    return ok;
}

const struct ctl_verb ctl_directory_verbs[] = {
    {"directory show", CTL_ADMIN, show},   {"directory lookup", CTL_ADMIN, lookup},
    {"cache show", CTL_ADMIN, cache_show}, {"cache flush", CTL_ADMIN, cache_flush},
    {"auth test", CTL_ADMIN, auth_test},   {0},
};
