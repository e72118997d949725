/*
 * The first line names the columns, in any order; an empty field says nothing. In lists the items
 * are separated by spaces, those in quotes excepted: of a local part, or around a destination that
 * is no address (":public:Team Mail"), where they do not belong to it. In quotes a backslash stands
 * before a quote and before another one.
 */
#include "mailctl/csv_record.h"

#include "ctl/ctl_json.h"
#include "ctl/ctl_record.h"
#include "ctl/limits.h"

static bool read_header(struct csv_reader *r, struct arena *a,
                        const struct record_column ***columns, size_t *count, struct err *e)
{
    struct str *fields;
    int64_t line;
    bool end;
    if (!csv_read(r, a, &fields, count, &line, &end, e))
        return false;
    *columns = arena_array(a, CSV_FIELDS_MAX, sizeof(**columns));
    for (size_t i = 0; i < *count; i++) {
        (*columns)[i] = ctl_record_column(str_trim(fields[i]));
        if (!(*columns)[i])
            return err_set(e, ERR_SYNTAX, "line %lld: there is no column \"%.*s\"", (long long)line,
                           STR_ARG(str_head(fields[i], 60)));
        for (size_t j = 0; j < i; j++)
            if ((*columns)[j] == (*columns)[i])
                return err_set(e, ERR_SYNTAX, "line %lld: the column %s is there twice",
                               (long long)line, (*columns)[i]->name);
    }
    return *count > 0 || err_set(e, ERR_SYNTAX, "the file has no line with the columns' names");
}

/* --- lists --- */

/* The length of the item that the text begins with. */
static size_t item_length(struct str text)
{
    bool quoted = false;
    size_t n = 0;
    for (; n < text.n && (quoted || !char_is_space(text.p[n])); n++) {
        if (text.p[n] == '"')
            quoted = !quoted;
        else if (quoted && text.p[n] == '\\' && n + 1 < text.n)
            n++;
    }
    return n;
}

/* ":..." in quotes: what stands in them. */
static json_t *item_json(struct str item)
{
    struct buf b = BUF_EMPTY;
    size_t i = 1;
    if (!str_starts_with(item, STR("\":")))
        return ctl_json_str(item);
    for (; i < item.n && item.p[i] != '"'; i++) {
        i += item.p[i] == '\\' && i + 1 < item.n;
        buf_add_char(&b, item.p[i]);
    }
    bool whole = i + 1 == item.n; /* else it is a local part that begins with a colon */
    json_t *json = ctl_json_str(whole ? buf_str(&b) : item);
    buf_free(&b);
    return json;
}

static json_t *split_list(struct str text)
{
    json_t *list = json_array();
    for (text = str_trim(text); text.n > 0; text = str_trim(text)) {
        size_t n = item_length(text);
        json_array_append_new(list, item_json(str_head(text, n)));
        text = str_skip(text, n);
    }
    return list;
}

static void add_item(struct buf *b, struct str item)
{
    bool quoted = item.n > 0 && item.p[0] == ':';
    size_t plain = 0;
    while (quoted && plain < item.n && !char_is_space(item.p[plain]) && item.p[plain] != '"')
        plain++;
    if (!quoted || plain == item.n) {
        buf_add_str(b, item);
        return;
    }
    buf_add_char(b, '"');
    for (size_t i = 0; i < item.n; i++) {
        if (strchr("\"\\", item.p[i]))
            buf_add_char(b, '\\');
        buf_add_char(b, item.p[i]);
    }
    buf_add_char(b, '"');
}

/* --- records --- */

static bool are_texts(const struct str *fields, size_t count, int64_t line, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        if (!str_is_utf8(fields[i]))
            return err_set(e, ERR_SYNTAX, "line %lld: field %zu is no UTF-8", (long long)line,
                           i + 1);
    return true;
}

static json_t *read_record(const struct record_column **columns, const struct str *fields,
                           size_t count, int64_t line)
{
    json_t *record = json_pack("{s:I}", "line", (json_int_t)line);
    for (size_t i = 0; i < count; i++) {
        if (str_trim(fields[i]).n == 0)
            continue;
        json_t *value = columns[i]->type == COLUMN_LIST ? split_list(fields[i])
                        : columns[i]->is_verbatim       ? ctl_json_str(fields[i])
                                                        : ctl_json_str(str_trim(fields[i]));
        json_object_set_new(record, columns[i]->name, value);
    }
    return record;
}

json_t *csv_to_records(struct str text, struct err *e)
{
    struct csv_reader r = {.rest = text};
    struct arena *a = arena_new(), *each = arena_new();
    json_t *records = json_array();
    const struct record_column **columns;
    size_t column_count, count;
    struct str *fields;
    int64_t line;
    bool end = false, ok = read_header(&r, a, &columns, &column_count, e);
    while (ok && (ok = csv_read(&r, each, &fields, &count, &line, &end, e)) && !end) {
        if (count != column_count)
            ok = err_set(e, ERR_SYNTAX, "line %lld: %zu fields, but there are %zu columns",
                         (long long)line, count, column_count);
        else if (json_array_size(records) == RECORDS_MAX)
            ok = err_set(e, ERR_LIMIT, "more than %zu records", RECORDS_MAX);
        else if (are_texts(fields, count, line, e))
            json_array_append_new(records, read_record(columns, fields, count, line));
        else
            ok = false;
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
    const struct record_column *c;
    for (size_t i = 0; (c = ctl_record_column_at(i)); i++)
        csv_add(b, i == 0, str_from_c(c->name));
    csv_end(b);
}

void csv_add_record(struct buf *b, const json_t *record)
{
    const struct record_column *c;
    for (size_t i = 0; (c = ctl_record_column_at(i)); i++) {
        const json_t *value = json_object_get(record, c->name), *item;
        struct buf text = BUF_EMPTY;
        size_t n;
        if (json_is_string(value))
            buf_add(&text, json_string_value(value), json_string_length(value));
        json_array_foreach(value, n, item)
        {
            buf_add_c(&text, n > 0 ? " " : "");
            add_item(&text, str_from(json_string_value(item), json_string_length(item)));
        }
        csv_add(b, i == 0, buf_str(&text));
        buf_free(&text);
    }
    csv_end(b);
}
