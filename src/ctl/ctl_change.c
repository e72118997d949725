/*
 * Arguments of changes, and who made them.
 */
#include "ctl/ctl_change.h"

#include "auth/record_column.h"
#include "core/log.h"
#include "ctl/ctl_queue.h"
#include "ctl/limits.h"

#include <string.h>

bool ctl_arg_flag(const json_t *args, const char *name, bool *set, bool *value, struct err *e)
{
    const json_t *member = json_object_get(args, name);
    *set = member != NULL;
    *value = json_is_true(member);
    return !member || json_is_boolean(member) ||
           err_set(e, ERR_SYNTAX, "\"%s\" must be true or false", name);
}

bool ctl_arg_list(const json_t *args, const char *name, struct arena *a, bool *set,
                  struct str **list, size_t *count, struct err *e)
{
    json_t *member = json_object_get(args, name), *item;
    size_t i;
    *count = 0;
    if (set)
        *set = member != NULL;
    if (!member)
        return true;
    if (!json_is_array(member) || json_array_size(member) > ARG_LIST_MAX)
        return err_set(e, ERR_SYNTAX, "%s: a list of at most %d strings is expected", name,
                       ARG_LIST_MAX);
    *list = arena_array(a, json_array_size(member), sizeof(**list));
    json_array_foreach(member, i, item)
    {
        if (!json_is_string(item) || json_string_length(item) > ARG_LIST_ITEM_MAX)
            return err_set(e, ERR_SYNTAX, "%s: a list of strings is expected", name);
        (*list)[(*count)++] = str_from(json_string_value(item), json_string_length(item));
    }
    return true;
}

json_t *ctl_json_list(const struct str *list, size_t count)
{
    json_t *json = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(json, ctl_json_str(list[i]));
    return json;
}

/* --- the log --- */

/* Whose value is nobody's business; that it was given is told. */
static bool is_secret(const char *key)
{
    const struct record_column *c = record_column_find(str_from_c(key));
    return c && c->is_secret;
}

static void add_list(struct buf *b, const json_t *list)
{
    struct buf text = BUF_EMPTY;
    const json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        if (text.n < LOGGED_VALUE_MAX)
            buf_printf(&text, "%s%s", i > 0 ? " " : "", json_string_value(item));
    }
    log_add_quoted(b, str_head(buf_str(&text), LOGGED_VALUE_MAX));
    if (text.n > LOGGED_VALUE_MAX)
        buf_printf(b, " (%zu)", json_array_size(list));
    buf_free(&text);
}

void ctl_add_change(struct buf *b, const char *key, const json_t *value)
{
    if (b->n > LOGGED_CHANGE_MAX)
        return;
    buf_printf(b, " %s=", key);
    if (is_secret(key))
        buf_add_c(b, json_string_length(value) > 0 ? "set" : "none");
    else if (json_is_boolean(value))
        buf_add_c(b, json_is_true(value) ? "yes" : "no");
    else if (json_is_integer(value))
        buf_printf(b, "%lld", (long long)json_integer_value(value));
    else if (!value)
        buf_add_c(b, "none");
    else if (json_is_array(value))
        add_list(b, value);
    else
        log_add_quoted(b, str_head(str_from(json_string_value(value), json_string_length(value)),
                                   LOGGED_VALUE_MAX));
}

const char *ctl_who(struct ctl_call *c, struct arena *a)
{
    return ctl_queue_who(c, a);
}

void ctl_log_line(const char *who, const char *what, struct str name, struct buf *more)
{
    log_info("directory", NULL, "%s name=%.*s by=%s%s", what,
             STR_ARG(str_head(name, LOGGED_NAME_MAX)), who, buf_c(more));
}

static SUSPENDS void log_change(struct ctl_call *c, const char *what, struct str name,
                                struct buf *more)
{
    struct arena *a = arena_new();
    ctl_log_line(ctl_who(c, a), what, name, more);
    arena_free(a);
}

void ctl_log_change(struct ctl_call *c, const char *what, struct str name)
{
    struct buf nothing = BUF_EMPTY;
    log_change(c, what, name, &nothing);
    buf_free(&nothing);
}

bool ctl_changed(struct ctl_call *c, bool done, const char *what, struct str name)
{
    if (done)
        ctl_log_change(c, what, name);
    return done;
}

bool ctl_changed_as(struct ctl_call *c, bool done, const char *what, const char *name_key,
                    const json_t *args)
{
    struct buf more = BUF_EMPTY;
    const char *key;
    json_t *value;
    if (!done)
        return false;
    json_object_foreach((json_t *)args, key, value)
    {
        if (strcmp(key, name_key) != 0)
            ctl_add_change(&more, key, value);
    }
    const json_t *name = json_object_get(args, name_key);
    log_change(c, what, str_from(json_string_value(name), json_string_length(name)), &more);
    buf_free(&more);
    return true;
}
