/*
 * Records as objects of JSON: their columns, and "type" for the kind.
 */
#include "ctl/ctl_record.h"

#include "core/buf.h"
#include "ctl/ctl_change.h"

/* Columns that go by another name elsewhere. */
static const char *const aliases[][2] = {
    {"login", "address"},    {"email", "address"},        {"mail", "address"},
    {"forward", "forwards"}, {"destinations", "members"}, {"quota", "quota_storage"},
    {"domain_kind", "kind"}, {"display_name", "name"},    {"grantees", "members"},
};

static const struct record_column type_column = {"type", COLUMN_TEXT, false, false, 0, 0};

const struct record_column *ctl_record_column_at(size_t i)
{
    if (i == 0)
        return &type_column;
    return record_columns[i - 1].name ? &record_columns[i - 1] : NULL;
}

const char *column_type_text(enum column_type type)
{
    static const char *const texts[] = {"a string", "true or false", "a number or a string",
                                        "a list of strings"};
    return texts[type];
}

const struct record_column *ctl_record_column(struct str name)
{
    for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
        if (str_equal_nocase(name, str_from_c(aliases[i][0])))
            name = str_from_c(aliases[i][1]);
    return str_equal_nocase(name, STR("type")) ? &type_column : record_column_find(name);
}

/* --- kinds --- */

/* "send-as" is "send_as". */
static bool same_word(struct str left, struct str right)
{
    bool same = left.n == right.n;
    for (size_t i = 0; same && i < left.n; i++)
        same = char_lower(left.p[i]) == right.p[i] || (left.p[i] == '-' && right.p[i] == '_');
    return same;
}

bool ctl_record_kind_parse(struct str text, enum record_kind *kind, struct err *e)
{
    struct buf names = BUF_EMPTY;
    for (*kind = 0; *kind < RECORD_KINDS; (*kind)++)
        if (same_word(text, str_from_c(record_kind_name(*kind))))
            return true;
    for (enum record_kind k = 0; k < RECORD_KINDS; k++)
        buf_printf(&names, "%s%s",
                   k == 0                 ? ""
                   : k + 1 < RECORD_KINDS ? ", "
                                          : " and ",
                   record_kind_name(k));
    err_set(e, ERR_SYNTAX, "\"%.*s\" is none of %s", STR_ARG(str_head(text, 40)), buf_c(&names));
    buf_free(&names);
    return false;
}

bool ctl_record_kinds_parse(struct str text, unsigned *kinds, struct err *e)
{
    struct str word;
    enum record_kind kind;
    *kinds = 0;
    if (text.n == 0)
        *kinds = (1U << RECORD_KINDS) - 1;
    for (struct str rest = text; text.n > 0 && (word = str_split(&rest, ',')).p;) {
        if (!ctl_record_kind_parse(str_trim(word), &kind, e))
            return false;
        *kinds |= 1U << kind;
    }
    return true;
}

/* --- JSON --- */

json_t *ctl_column_json(const struct record_column *c, const struct str *texts, size_t count)
{
    if (count == 0)
        return NULL;
    return c->type == COLUMN_LIST ? ctl_json_list(texts, count) : ctl_json_str(texts[0]);
}

json_t *ctl_record_json(const struct directory_record *r)
{
    json_t *json = json_pack("{s:s}", "type", record_kind_name(r->kind));
    for (const struct record_column *c = record_columns; c->name; c++) {
        size_t count;
        const struct str *texts = record_column_get(r, c, &count);
        json_t *value = ctl_column_json(c, texts, count);
        if (value)
            json_object_set_new(json, c->name, value);
    }
    return json;
}

static bool parse_list(const json_t *list, const char *name, struct arena *a, struct str **texts,
                       size_t *count, struct err *e)
{
    json_t *item;
    size_t i;
    *texts = arena_array(a, json_array_size(list), sizeof(**texts));
    *count = 0;
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return err_set(e, ERR_SYNTAX, "%s: a list of strings is expected", name);
        (*texts)[(*count)++] =
            arena_str(a, str_from(json_string_value(item), json_string_length(item)));
    }
    return true;
}

static bool parse_column(const json_t *json, const struct record_column *c, struct arena *a,
                         struct directory_record *r, struct err *e)
{
    struct str text, *texts = &text;
    size_t count = 1;
    const json_t *value = json_object_get(json, c->name);
    if (!value)
        return true;
    if (c->type == COLUMN_LIST) {
        if (!parse_list(value, c->name, a, &texts, &count, e))
            return false;
    } else if (ctl_arg_given(json, c->name, &text, e)) {
        text = arena_str(a, text);
    } else {
        return false;
    }
    record_column_set(r, c, texts, count);
    return true;
}

bool ctl_record_parse(const json_t *json, struct arena *a, struct directory_record *r,
                      struct err *e)
{
    struct str type;
    *r = (struct directory_record){.kind = RECORD_USER,
                                   .line = json_integer_value(json_object_get(json, "line"))};
    for (const struct record_column *c = record_columns; c->name; c++)
        if (!parse_column(json, c, a, r, e))
            return false;
    return ctl_arg_optional(json, "type", &type, e) &&
           (type.n == 0 || ctl_record_kind_parse(type, &r->kind, e) || err_prefix(e, "type"));
}
