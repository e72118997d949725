/*
 * Between JSON and the server's types. Arguments are strings of a bounded length; what goes out is
 * always well-formed, whatever a client put into an address or a server into an error text.
 */
#include "ctl/ctl_json.h"

#include "core/buf.h"
#include "core/worker.h"
#include "ctl/limits.h"

static bool take_text(const json_t *member, const char *name, size_t most, struct str *value,
                      struct err *e)
{
    if (!json_is_string(member))
        return err_set(e, ERR_SYNTAX, "%s: a string is expected", name);
    *value = str_from(json_string_value(member), json_string_length(member));
    return value->n <= most || err_set(e, ERR_SYNTAX, "%s: longer than %zu bytes", name, most);
}

bool ctl_arg_optional(const json_t *args, const char *name, struct str *value, struct err *e)
{
    const json_t *member = json_object_get(args, name);
    *value = STR("");
    return !member || take_text(member, name, ARG_MAX_BYTES, value, e);
}

bool ctl_arg_given(const json_t *args, const char *name, struct str *value, struct err *e)
{
    const json_t *member = json_object_get(args, name);
    *value = (struct str){NULL, 0};
    return !member || take_text(member, name, ARG_TEXT_BYTES, value, e);
}

bool ctl_arg_str(const json_t *args, const char *name, struct str *value, struct err *e)
{
    if (!ctl_arg_optional(args, name, value, e))
        return false;
    return value->n > 0 || err_set(e, ERR_SYNTAX, "%s: missing", name);
}

static bool is_deep(struct str line)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < line.n && depth <= JSON_DEPTH_MAX; i++) {
        char c = line.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{'))
            depth++;
        else if (!quoted && (c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return depth > JSON_DEPTH_MAX;
}

json_t *ctl_json_load(struct str line, struct err *e)
{
    json_error_t where = {.text = "nested too deep"};
    json_t *json =
        is_deep(line) ? NULL : json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &where);
    if (!json)
        err_set(e, ERR_SYNTAX, "not a line of JSON: %s", where.text);
    return json;
}

struct load_job {
    struct str line;
    json_t *json;
    struct err error;
};

static void load_line(void *arg)
{
    struct load_job *j = arg;
    j->json = ctl_json_load(j->line, &j->error);
}

json_t *ctl_json_read(struct str line, struct err *e)
{
    struct load_job j = {.line = line};
    if (line.n <= CTL_PARSE_HERE_MAX)
        return ctl_json_load(line, e);
    worker_run(WORKER_CPU, load_line, &j);
    if (!j.json)
        *e = j.error;
    return j.json;
}

json_t *ctl_json_str(struct str s)
{
    json_t *json = json_stringn(s.p, s.n);
    if (json)
        return json;
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(&b, (unsigned char)s.p[i] < 0x80 ? s.p[i] : '?');
    json = json_stringn(buf_str(&b).p, b.n);
    buf_free(&b);
    return json;
}

json_t *ctl_json_c(const char *s)
{
    return ctl_json_str(str_from_c(s));
}
