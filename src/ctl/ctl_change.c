/*
 * Arguments of changes, and who made them.
 */
#include "ctl/ctl_change.h"

#include "core/log.h"
#include "ctl/ctl_queue.h"

#define LIST_MAX        10000
#define LIST_ITEM_MAX   4096
#define LOGGED_NAME_MAX 320

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
    if (!json_is_array(member) || json_array_size(member) > LIST_MAX)
        return err_set(e, ERR_SYNTAX, "%s: a list of at most %d strings is expected", name,
                       LIST_MAX);
    *list = arena_array(a, json_array_size(member), sizeof(**list));
    json_array_foreach(member, i, item)
    {
        if (!json_is_string(item) || json_string_length(item) > LIST_ITEM_MAX)
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

void ctl_log_change(struct ctl_call *c, const char *what, struct str name)
{
    struct arena *a = arena_new();
    const char *who = ctl_queue_who(c, a);
    log_info("directory", NULL, "%s name=%.*s by=%s", what,
             STR_ARG(str_head(name, LOGGED_NAME_MAX)), who);
    arena_free(a);
}

bool ctl_changed(struct ctl_call *c, bool done, const char *what, struct str name)
{
    if (done)
        ctl_log_change(c, what, name);
    return done;
}
