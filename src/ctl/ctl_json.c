/*
 * Between JSON and the server's types. Arguments are strings of a bounded length; what goes out is
 * always well-formed, whatever a client put into an address or a server into an error text.
 */
#include "ctl/ctl_json.h"

#include "core/buf.h"

#define ARG_MAX_BYTES 4096

bool ctl_arg_optional(const json_t *args, const char *name, struct str *value, struct err *e)
{
    const json_t *member = json_object_get(args, name);
    *value = STR("");
    if (!member)
        return true;
    if (!json_is_string(member))
        return err_set(e, ERR_SYNTAX, "%s: a string is expected", name);
    *value = str_from(json_string_value(member), json_string_length(member));
    if (value->n > ARG_MAX_BYTES)
        return err_set(e, ERR_SYNTAX, "%s: longer than %d bytes", name, ARG_MAX_BYTES);
    return true;
}

bool ctl_arg_str(const json_t *args, const char *name, struct str *value, struct err *e)
{
    if (!ctl_arg_optional(args, name, value, e))
        return false;
    return value->n > 0 || err_set(e, ERR_SYNTAX, "%s: missing", name);
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
