/*
 * The first line names the columns, in any order; an empty field says nothing. In lists the items
 * are separated by spaces, those in quotes (of a local part) excepted.
 */
#include "ctl/csv_record.h"

#include "ctl/ctl_json.h"
#include "ctl/ctl_record.h"

/* Columns that go by another name elsewhere. */
static const char *const aliases[][2] = {
    {"login", "address"},    {"email", "address"},        {"mail", "address"},
    {"forward", "forwards"}, {"destinations", "members"}, {"quota", "quota_storage"},
    {"domain_kind", "kind"}, {"display_name", "name"},
};

static const char *find_column(struct str name)
{
    for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
        if (str_equal_nocase(name, str_from_c(aliases[i][0])))
            name = str_from_c(aliases[i][1]);
    for (size_t i = 0; ctl_record_columns[i]; i++)
        if (str_equal_nocase(name, str_from_c(ctl_record_columns[i])))
            return ctl_record_columns[i];
    return NULL;
}

static bool read_header(struct csv_reader *r, struct arena *a, const char ***columns, size_t *count,
                        struct err *e)
{
    struct str *fields;
    int64_t line;
    bool end;
    if (!csv_read(r, a, &fields, count, &line, &end, e))
        return false;
    *columns = arena_array(a, CSV_FIELDS_MAX, sizeof(**columns));
    for (size_t i = 0; i < *count; i++) {
        (*columns)[i] = find_column(str_trim(fields[i]));
        if (!(*columns)[i])
            return err_set(e, ERR_SYNTAX, "line %lld: there is no column \"%.*s\"", (long long)line,
                           STR_ARG(str_head(fields[i], 60)));
        for (size_t j = 0; j < i; j++)
            if ((*columns)[j] == (*columns)[i])
                return err_set(e, ERR_SYNTAX, "line %lld: the column %s is there twice",
                               (long long)line, (*columns)[i]);
    }
    return *count > 0 || err_set(e, ERR_SYNTAX, "the file has no line with the columns' names");
}

static json_t *split_list(struct str text)
{
    json_t *list = json_array();
    bool quoted = false;
    size_t start = 0;
    for (size_t i = 0; i <= text.n; i++) {
        bool between = i == text.n || (!quoted && strchr(" \t\r\n", text.p[i]) && text.p[i]);
        if (i < text.n && text.p[i] == '"')
            quoted = !quoted;
        if (!between)
            continue;
        if (i > start)
            json_array_append_new(list, ctl_json_str(str_from(text.p + start, i - start)));
        start = i + 1;
    }
    return list;
}

static json_t *read_record(const char **columns, const struct str *fields, size_t count,
                           int64_t line)
{
    json_t *record = json_pack("{s:I}", "line", (json_int_t)line);
    for (size_t i = 0; i < count; i++) {
        if (str_trim(fields[i]).n == 0)
            continue;
        json_t *value = ctl_record_is_list(columns[i]) ? split_list(fields[i])
                        : strcmp(columns[i], "password") == 0
                            ? ctl_json_str(fields[i]) /* spaces belong to it */
                            : ctl_json_str(str_trim(fields[i]));
        json_object_set_new(record, columns[i], value);
    }
    return record;
}

json_t *csv_to_records(struct str text, struct err *e)
{
    struct csv_reader r = {.rest = text};
    struct arena *a = arena_new(), *each = arena_new();
    json_t *records = json_array();
    const char **columns;
    size_t column_count, count;
    struct str *fields;
    int64_t line;
    bool end = false, ok = read_header(&r, a, &columns, &column_count, e);
    while (ok && (ok = csv_read(&r, each, &fields, &count, &line, &end, e)) && !end) {
        if (count == column_count)
            json_array_append_new(records, read_record(columns, fields, count, line));
        else
            ok = err_set(e, ERR_SYNTAX, "line %lld: %zu fields, but there are %zu columns",
                         (long long)line, count, column_count);
        arena_reset(each);
    }
    arena_free(each);
    arena_free(a);
    if (ok)
        return records;
    json_decref(records);
    return NULL;
}

void csv_add_header(struct buf *b)
{
    for (size_t i = 0; ctl_record_columns[i]; i++)
        csv_add(b, i == 0, str_from_c(ctl_record_columns[i]));
    csv_end(b);
}

void csv_add_record(struct buf *b, const json_t *record)
{
    for (size_t i = 0; ctl_record_columns[i]; i++) {
        const json_t *value = json_object_get(record, ctl_record_columns[i]), *item;
        struct buf text = BUF_EMPTY;
        size_t n;
        if (json_is_string(value))
            buf_add(&text, json_string_value(value), json_string_length(value));
        json_array_foreach(value, n, item)
        {
            buf_add_c(&text, n > 0 ? " " : "");
            buf_add(&text, json_string_value(item), json_string_length(item));
        }
        csv_add(b, i == 0, buf_str(&text));
        buf_free(&text);
    }
    csv_end(b);
}
