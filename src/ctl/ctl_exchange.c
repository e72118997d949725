/*
 * Export and import of the directory. Both sides speak of records; the formats of files are
 * mailctl's. An import is gathered in memory, bounded, before anything is done.
 */
#include "core/mem.h"
#include "ctl/ctl_change.h"
#include "ctl/ctl_record.h"
#include "ctl/limits.h"

#include <stdlib.h>

/* --- export --- */

struct sending {
    struct ctl_call *call;
    unsigned kinds;
    struct err *error;
};

static bool send_record(void *arg, const struct directory_record *r)
{
    struct sending *s = arg;
    return !(s->kinds & 1U << r->kind) ||
           (ctl_send_item(s->call, ctl_record_json(r), s->error) && ctl_breathe(s->call, s->error));
}

static bool directory_export_verb(struct ctl_call *call, const json_t *args, json_t **result,
                                  struct err *e)
{
    struct str domain, kinds;
    struct sending s = {.call = call, .error = e};
    (void)result;
    if (!ctl_arg_optional(args, "domain", &domain, e) ||
        !ctl_arg_optional(args, "kinds", &kinds, e) ||
        !ctl_record_kinds_parse(kinds, &s.kinds, e) ||
        !directory_export(call->context->directory, domain, send_record, &s, e))
        return false;
    ctl_log_change(call, "directory export", domain.n > 0 ? domain : STR("all"));
    return true;
}

/* --- import --- */

struct receiving {
    struct ctl_call *call;
    struct arena *arena;
    struct directory_record *records;
    struct record_result *results;
    size_t count, capacity;
};

static bool take_item(struct receiving *x, const json_t *item, struct err *e)
{
    if (x->count == RECORDS_MAX)
        return err_set(e, ERR_LIMIT, "more than %zu records", RECORDS_MAX);
    x->records = mem_grow(x->records, x->count, &x->capacity, sizeof(*x->records), 64);
    if (!ctl_record_parse(item, x->arena, &x->records[x->count], e))
        return err_prefix(e, "line %lld",
                          (long long)json_integer_value(json_object_get(item, "line")));
    x->count++;
    return true;
}

static SUSPENDS bool receive_records(struct receiving *x, struct err *e)
{
    struct ctl_incoming in = {.item = NULL};
    bool ok;
    x->call->unread = true;
    while (ok = ctl_receive(x->call, &in, e), ok && !in.end)
        if (in.item && !(ok = take_item(x, in.item, e) && ctl_breathe(x->call, e)))
            break;
    ctl_incoming_free(&in);
    if (ok)
        x->call->unread = false;
    x->results = arena_array(x->arena, x->count, sizeof(*x->results));
    return ok;
}

static bool show_progress(void *arg, size_t done, size_t of)
{
    struct receiving *x = arg;
    struct err e;
    return ctl_progress(x->call, done, of, &e);
}

/* --- what came of it --- */

/* What a column held, for people and programs; of secrets only that they are there. */
static json_t *shown(const struct record_column *c, const struct str *texts, size_t count,
                     const char *secret)
{
    if (c->is_secret)
        return count > 0 ? json_string(secret) : json_null();
    json_t *json = ctl_column_json(c, texts, count);
    return json ? json : json_null();
}

/* Verifiers change with the password. */
static bool goes_without_saying(const struct record_result *r, size_t i)
{
    return i > 0 && r->differences[i].column->is_secret && r->differences[i - 1].column->is_secret;
}

static json_t *differences_json(const struct record_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->difference_count; i++) {
        const struct record_difference *d = &r->differences[i];
        if (goes_without_saying(r, i))
            continue;
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "field", d->column->name, "old",
                                              shown(d->column, d->before, d->before_count, "(set)"),
                                              "new",
                                              shown(d->column, d->after, d->after_count, "(new)")));
    }
    return list;
}

static const char *const change_names[] = {"unchanged", "added", "changed", "wrong"};

static json_t *result_json(const struct directory_record *r, const struct record_result *result)
{
    json_t *json = json_pack("{s:I, s:s, s:o, s:s}", "line", (json_int_t)r->line, "type",
                             record_kind_name(r->kind), "address", ctl_json_str(r->address),
                             "change", change_names[result->change]);
    if (result->error)
        json_object_set_new(json, "error", ctl_json_c(result->error));
    if (result->change == RECORD_CHANGED)
        json_object_set_new(json, "fields", differences_json(result));
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

/* "address import name=info@example.test by=root members="a@example.test"". */
static void add_columns(struct buf *b, const struct directory_record *r)
{
    for (const struct record_column *c = record_columns + 1; c->name; c++) {
        size_t count;
        const struct str *texts = record_column_get(r, c, &count);
        json_t *value = ctl_column_json(c, texts, count);
        if (value)
            ctl_add_change(b, c->name, value);
        json_decref(value);
    }
}

static void add_differences(struct buf *b, const struct record_result *r)
{
    for (size_t i = 0; i < r->difference_count; i++) {
        const struct record_difference *d = &r->differences[i];
        json_t *value = ctl_column_json(d->column, d->after, d->after_count);
        if (!goes_without_saying(r, i))
            ctl_add_change(b, d->column->name, value);
        json_decref(value);
    }
}

/* A line for each record that was added or changed. */
static SUSPENDS bool log_changes(struct receiving *x, struct err *e)
{
    const char *who = ctl_who(x->call, x->arena);
    struct buf what = BUF_EMPTY, more = BUF_EMPTY;
    bool ok = true;
    for (size_t i = 0; ok && i < x->count; i++) {
        const struct directory_record *r = &x->records[i];
        const struct record_result *result = &x->results[i];
        if (result->change == RECORD_UNCHANGED)
            continue;
        buf_clear(&what);
        buf_clear(&more);
        buf_printf(&what, "%s %s", record_kind_name(r->kind),
                   result->change == RECORD_ADDED ? "add" : "set");
        if (result->change == RECORD_ADDED)
            add_columns(&more, r);
        else
            add_differences(&more, result);
        ctl_log_line(who, buf_c(&what), r->address, &more);
        ok = ctl_breathe(x->call, e);
    }
    buf_free(&what);
    buf_free(&more);
    return ok;
}

static bool directory_import_verb(struct ctl_call *call, const json_t *args, json_t **result,
                                  struct err *e)
{
    struct receiving x = {.call = call, .arena = arena_new()};
    bool dry_run = json_is_true(json_object_get(args, "dry_run"));
    bool ok = receive_records(&x, e);
    if (ok) {
        struct err why = {0}, unheard;
        ok = directory_import(call->context->directory, x.records, x.count, dry_run, x.arena,
                              x.results, show_progress, &x, &why);
        if (ok && !dry_run) {
            ctl_log_change(call, "directory import", arena_printf(x.arena, "%zu-records", x.count));
            log_changes(&x, &unheard);
        }
        bool told = (ok || why.kind == ERR_SYNTAX) && tell(&x, result, e);
        if (!ok && !(told && why.kind == ERR_SYNTAX))
            *e = why;
        ok = told; /* what is wrong is in the items */
    }
    free(x.records);
    arena_free(x.arena);
    return ok;
}

const struct ctl_stream_verb ctl_record_verbs[] = {
    {"directory export", CTL_ADMIN, directory_export_verb},
    {"directory import", CTL_ADMIN, directory_import_verb},
    {0},
};
