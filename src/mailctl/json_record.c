/*
 * Objects one behind the other, so that neither side has to hold the whole file as a document. An
 * array of such objects (mailctl --json) is read as well. Flags are true and false, quotas numbers
 * where they are; strings as in CSV are taken for both.
 */
#include "mailctl/json_record.h"

#include "ctl/ctl_record.h"
#include "ctl/limits.h"

#include <stdlib.h>

struct reading {
    struct str rest;
    int64_t line; /* of the rest */
    bool array;
    json_t *records;
    struct err *error;
};

static void skip(struct reading *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x->line += x->rest.p[i] == '\n';
    x->rest = str_skip(x->rest, n);
}

static void skip_blanks(struct reading *x)
{
    size_t n = 0;
    while (n < x->rest.n && strchr(" \t\r\n", x->rest.p[n]) && x->rest.p[n])
        n++;
    skip(x, n);
}

static bool wrong(const struct reading *x, const char *what)
{
    return err_set(x->error, ERR_SYNTAX, "line %lld: %s", (long long)x->line, what);
}

static bool take_char(struct reading *x, char c)
{
    skip_blanks(x);
    bool there = x->rest.n > 0 && x->rest.p[0] == c;
    skip(x, there);
    return there;
}

/* --- values --- */

/* As CSV has it; NULL: that cannot be one. */
static json_t *take_text(const json_t *value, enum column_type type)
{
    if (json_is_string(value))
        return json_incref((json_t *)value);
    if (json_is_boolean(value) && type == COLUMN_FLAG)
        return json_string(json_is_true(value) ? "yes" : "no");
    if (json_is_integer(value) && type == COLUMN_NUMBER)
        return json_sprintf("%lld", (long long)json_integer_value(value));
    return NULL;
}

static json_t *take_list(const json_t *value)
{
    json_t *item;
    size_t i;
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return NULL;
    }
    if (json_is_string(value))
        return json_pack("[O]", value);
    if (!json_is_array(value))
        return NULL;
    /* An empty one empties, as "-" does in CSV. */
    return json_array_size(value) == 0 ? json_pack("[s]", "-") : json_incref((json_t *)value);
}

static bool take_member(struct reading *x, json_t *record, const char *key, const json_t *value)
{
    const struct record_column *column = ctl_record_column(str_from_c(key));
    if (!column)
        return err_set(x->error, ERR_SYNTAX, "line %lld: there is no member \"%.*s\"",
                       (long long)x->line, STR_ARG(str_head(str_from_c(key), 60)));
    if (json_is_null(value))
        return true;
    json_t *taken = column->type == COLUMN_LIST ? take_list(value) : take_text(value, column->type);
    if (!taken)
        return err_set(x->error, ERR_SYNTAX, "line %lld: %s: %s is expected", (long long)x->line,
                       column->name, column_type_text(column->type));
    if (json_object_get(record, column->name)) {
        json_decref(taken);
        return err_set(x->error, ERR_SYNTAX, "line %lld: %s is there twice", (long long)x->line,
                       column->name);
    }
    json_object_set_new(record, column->name, taken);
    return true;
}

/* --- objects --- */

static bool read_object(struct reading *x)
{
    json_error_t where = {.position = 0};
    json_t *object = NULL, *value;
    const char *key;
    if (x->rest.n > 0 && x->rest.p[0] == '{')
        object = json_loadb(x->rest.p, x->rest.n, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK,
                            &where);
    if (!object && x->rest.n > 0 && x->rest.p[0] == '{') {
        x->line += where.line > 1 ? where.line - 1 : 0;
        return wrong(x, where.text);
    }
    if (!object)
        return wrong(x, "an object {\"type\": ...} is expected");
    json_t *record = json_pack("{s:I}", "line", (json_int_t)x->line);
    bool ok = true;
    json_object_foreach(object, key, value)
    {
        ok = ok && take_member(x, record, key, value);
    }
    json_decref(object);
    skip(x, (size_t)where.position);
    json_array_append_new(x->records, record);
    return ok;
}

static bool read_all(struct reading *x)
{
    if (str_starts_with(x->rest, STR("\xef\xbb\xbf")))
        x->rest = str_skip(x->rest, 3);
    x->array = take_char(x, '[');
    for (;;) {
        size_t count = json_array_size(x->records);
        skip_blanks(x);
        if (x->array && take_char(x, ']'))
            break;
        if (!x->array && x->rest.n == 0)
            return true;
        if (x->array && count > 0 && !take_char(x, ','))
            return wrong(x, "a comma or the end of the array is expected");
        skip_blanks(x);
        if (count == RECORDS_MAX)
            return err_set(x->error, ERR_LIMIT, "more than %zu records", RECORDS_MAX);
        if (!read_object(x))
            return false;
    }
    skip_blanks(x);
    return x->rest.n == 0 || wrong(x, "text behind the array");
}

json_t *json_to_records(struct str text, struct err *e)
{
    struct reading x = {.rest = text, .line = 1, .records = json_array(), .error = e};
    if (read_all(&x))
        return x.records;
    json_decref(x.records);
    return NULL;
}

/* --- writing --- */

static json_t *value_of(const struct record_column *column, const json_t *value)
{
    struct str text = str_from(json_string_value(value), json_string_length(value));
    uint64_t number;
    if (column->type == COLUMN_FLAG)
        return json_boolean(str_equal(text, STR("yes")));
    if (column->type == COLUMN_NUMBER && str_to_u64(text, &number) && number <= INT64_MAX)
        return json_integer((json_int_t)number);
    return json_incref((json_t *)value);
}

void json_add_record(struct buf *b, const json_t *record)
{
    json_t *line = json_object();
    const struct record_column *c;
    for (size_t i = 0; (c = ctl_record_column_at(i)); i++) {
        const json_t *value = json_object_get(record, c->name);
        if (value)
            json_object_set_new(line, c->name, value_of(c, value));
    }
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    buf_add_c(b, text);
    buf_add_char(b, '\n');
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}
