/*
 * Export and import of the directory. Both sides speak of records; the formats of files are
 * mailctl's. An import is gathered in memory, bounded, before anything is done.
 */
#include "ctl/ctl_record.h"

#include "ctl/ctl_change.h"

#include <stddef.h>

#define RECORDS_MAX ((size_t)1000000)

#define FIELD(name) offsetof(struct directory_record, name)

static const struct {
    const char *column;
    size_t offset;
} texts[] = {
    {"address", FIELD(address)},
    {"name", FIELD(name)},
    {"disabled", FIELD(disabled)},
    {"password", FIELD(password)},
    {"scram_sha256", FIELD(scram_sha256)},
    {"scram_sha1", FIELD(scram_sha1)},
    {"cram_md5", FIELD(cram_md5)},
    {"protocols", FIELD(protocols)},
    {"quota_storage", FIELD(quota_storage)},
    {"quota_messages", FIELD(quota_messages)},
    {"keep_copy", FIELD(keep_copy)},
    {"internal", FIELD(internal)},
    {"members_only", FIELD(members_only)},
    {"kind", FIELD(domain_kind)},
    {"relay", FIELD(relay)},
    {"verify", FIELD(verify)},
};
#define TEXTS (sizeof(texts) / sizeof(*texts))

const char *const ctl_record_columns[] = {
    "type",           "address",  "name",      "password",  "scram_sha256",
    "scram_sha1",     "cram_md5", "disabled",  "protocols", "quota_storage",
    "quota_messages", "forwards", "keep_copy", "members",   "internal",
    "members_only",   "kind",     "relay",     "verify",    NULL};

bool ctl_record_is_list(const char *column)
{
    return strcmp(column, "forwards") == 0 || strcmp(column, "members") == 0;
}

json_t *ctl_record_json(const struct directory_record *r)
{
    json_t *json = json_pack("{s:s}", "type", record_kind_name(r->kind));
    for (size_t i = 0; i < TEXTS; i++) {
        const struct str *text = (const void *)((const char *)r + texts[i].offset);
        if (text->n > 0)
            json_object_set_new(json, texts[i].column, ctl_json_str(*text));
    }
    if (r->forward_count > 0)
        json_object_set_new(json, "forwards", ctl_json_list(r->forwards, r->forward_count));
    if (r->member_count > 0)
        json_object_set_new(json, "members", ctl_json_list(r->members, r->member_count));
    return json;
}

static bool parse_type(const json_t *json, enum record_kind *kind, struct err *e)
{
    struct str type;
    *kind = RECORD_USER;
    if (!ctl_arg_optional(json, "type", &type, e) || type.n == 0)
        return type.n == 0;
    for (*kind = 0; *kind < RECORD_KINDS; (*kind)++)
        if (str_equal_nocase(type, str_from_c(record_kind_name(*kind))))
            return true;
    return err_set(e, ERR_SYNTAX, "type: \"%.*s\" is none of domain, user, group and address",
                   STR_ARG(str_head(type, 40)));
}

static bool parse_list(const json_t *json, const char *name, struct arena *a, struct str **list,
                       size_t *count, struct err *e)
{
    json_t *member = json_object_get(json, name), *item;
    size_t i;
    *list = arena_array(a, json_array_size(member), sizeof(**list));
    *count = 0;
    json_array_foreach(member, i, item)
    {
        if (!json_is_string(item))
            return err_set(e, ERR_SYNTAX, "%s: a list of strings is expected", name);
        (*list)[(*count)++] = str_from(json_string_value(item), json_string_length(item));
    }
    return true;
}

bool ctl_record_parse(const json_t *json, struct arena *a, struct directory_record *r,
                      struct err *e)
{
    *r = (struct directory_record){.line = json_integer_value(json_object_get(json, "line"))};
    for (size_t i = 0; i < TEXTS; i++)
        if (!ctl_arg_optional(json, texts[i].column,
                              (struct str *)(void *)((char *)r + texts[i].offset), e))
            return false;
    return parse_type(json, &r->kind, e) &&
           parse_list(json, "forwards", a, &r->forwards, &r->forward_count, e) &&
           parse_list(json, "members", a, &r->members, &r->member_count, e);
}

/* --- export --- */

struct sending {
    struct ctl_call *call;
    struct err *error;
};

static bool send_record(void *arg, const struct directory_record *r)
{
    struct sending *s = arg;
    return ctl_send_item(s->call, ctl_record_json(r), s->error) && ctl_breathe(s->call, s->error);
}

static bool directory_export_verb(struct ctl_call *call, const json_t *args, json_t **result,
                                  struct err *e)
{
    struct str domain;
    struct sending s = {call, e};
    (void)result;
    if (!ctl_arg_optional(args, "domain", &domain, e) ||
        !directory_export(call->context->directory, domain, send_record, &s, e))
        return false;
    ctl_log_change(call, "directory export", domain.n > 0 ? domain : STR("all"));
    return true;
}

/* --- import --- */

struct receiving {
    struct ctl_call *call;
    struct arena *arena;
    json_t *items; /* keeps what the records borrow */
    struct directory_record *records;
    struct record_result *results;
    size_t count;
};

static SUSPENDS bool receive_items(struct receiving *x, struct err *e)
{
    struct ctl_incoming in = {.item = NULL};
    bool ok;
    x->items = json_array();
    x->call->unread = true;
    while (ok = ctl_receive(x->call, &in, e), ok && !in.end) {
        if (in.item)
            json_array_append(x->items, in.item);
        if (json_array_size(x->items) > RECORDS_MAX) {
            ok = err_set(e, ERR_LIMIT, "more than %zu records", RECORDS_MAX);
            break;
        }
    }
    ctl_incoming_free(&in);
    if (ok)
        x->call->unread = false;
    return ok;
}

static bool parse_items(struct receiving *x, struct err *e)
{
    json_t *item;
    size_t i;
    x->records = arena_array(x->arena, json_array_size(x->items), sizeof(*x->records));
    x->results = arena_array(x->arena, json_array_size(x->items), sizeof(*x->results));
    json_array_foreach(x->items, i, item)
    {
        struct directory_record *r = &x->records[x->count];
        if (!ctl_record_parse(item, x->arena, r, e))
            return err_prefix(e, "line %lld",
                              (long long)json_integer_value(json_object_get(item, "line")));
        x->count++;
    }
    return true;
}

static bool show_progress(void *arg, size_t done, size_t of)
{
    struct receiving *x = arg;
    struct err e;
    return ctl_progress(x->call, done, of, &e);
}

static json_t *result_json(const struct directory_record *r, const struct record_result *result)
{
    static const char *const changes[] = {"unchanged", "added", "changed", "wrong"};
    json_t *json = json_pack("{s:I, s:s, s:o, s:s}", "line", (json_int_t)r->line, "type",
                             record_kind_name(r->kind), "address", ctl_json_str(r->address),
                             "change", changes[result->change]);
    if (result->error)
        json_object_set_new(json, "error", ctl_json_c(result->error));
    return json;
}

/* What is unchanged is only counted. */
static SUSPENDS bool tell(struct receiving *x, json_t **result, struct err *e)
{
    int64_t counts[4] = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < x->count; i++) {
        counts[x->results[i].change]++;
        if (x->results[i].change != RECORD_UNCHANGED)
            ok = ctl_send_item(x->call, result_json(&x->records[i], &x->results[i]), e) &&
                 ctl_breathe(x->call, e);
    }
    *result =
        json_pack("{s:I, s:I, s:I, s:I}", "unchanged", (json_int_t)counts[RECORD_UNCHANGED],
                  "added", (json_int_t)counts[RECORD_ADDED], "changed",
                  (json_int_t)counts[RECORD_CHANGED], "wrong", (json_int_t)counts[RECORD_WRONG]);
    return ok;
}

static bool directory_import_verb(struct ctl_call *call, const json_t *args, json_t **result,
                                  struct err *e)
{
    struct receiving x = {.call = call, .arena = arena_new()};
    bool dry_run = json_is_true(json_object_get(args, "dry_run"));
    bool ok = receive_items(&x, e) && parse_items(&x, e);
    if (ok) {
        struct err why = {0};
        ok = directory_import(call->context->directory, x.records, x.count, dry_run, x.arena,
                              x.results, show_progress, &x, &why);
        if (ok && !dry_run)
            ctl_log_change(call, "directory import", arena_printf(x.arena, "%zu-records", x.count));
        bool told = (ok || why.kind == ERR_SYNTAX) && tell(&x, result, e);
        if (!ok && !(told && why.kind == ERR_SYNTAX))
            *e = why;
        ok = told; /* what is wrong is in the items */
    }
    json_decref(x.items);
    arena_free(x.arena);
    return ok;
}

const struct ctl_stream_verb ctl_record_verbs[] = {
    {"directory export", directory_export_verb},
    {"directory import", directory_import_verb},
    {NULL, NULL},
};
