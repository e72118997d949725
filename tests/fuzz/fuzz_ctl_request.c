/*
 * Any bytes as a request of somebody who is no administrator: whatever verb it is for, what is let
 * through is about his own account and has no argument but those that the verb's row allows.
 */
#include "ctl/ctl_access.h"
#include "ctl/ctl_json.h"

#include <stdio.h>
#include <string.h>

#define LOGIN "alice@example.test"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_listed(const char *words, const char *name)
{
    struct str rest = str_from_c(words), word;
    while ((word = str_word(&rest)).p)
        if (str_equal(word, str_from_c(name)))
            return true;
    return false;
}

/* "login" of "filter.login", in the object "filter". */
static void check_inner(const struct ctl_access *access, json_t *place, const char *name)
{
    const char *key;
    json_t *value;
    char whole[256];
    json_object_foreach(place, key, value)
    {
        snprintf(whole, sizeof(whole), "filter.%s", key);
        if (strcmp(key, name) != 0 && !is_listed(access->arguments, whole))
            __builtin_trap();
    }
}

static void check_own(const struct ctl_access *access, json_t *args)
{
    const char *dot = strchr(access->account, '.'), *key;
    const char *name = dot ? dot + 1 : access->account;
    json_t *place = dot ? json_object_get(args, "filter") : args;
    const char *own = json_string_value(json_object_get(place, name));
    json_t *value;
    if (!own || strcmp(own, LOGIN) != 0)
        __builtin_trap();
    if (dot)
        check_inner(access, place, name);
    json_object_foreach(args, key, value)
    {
        if (!is_listed(access->arguments, key) && (dot || strcmp(key, name) != 0))
            __builtin_trap();
    }
}

static void try_verb(const struct ctl_row *row, const json_t *args)
{
    struct err e = {0};
    json_t *copy = json_deep_copy(args);
    bool passed = ctl_access_apply(row->access, STR(LOGIN), copy, &e);
    if (!passed && e.kind != ERR_DENIED && e.kind != ERR_SYNTAX)
        __builtin_trap();
    if (passed && row->access->class != CTL_CLASS_OWN)
        __builtin_trap();
    if (passed)
        check_own(row->access, copy);
    json_decref(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct ctl_row row;
    json_t *request = ctl_json_load(str_from((const char *)data, size), &e);
    if (!request)
        return e.kind == ERR_SYNTAX ? 0 : (__builtin_trap(), 0);
    const char *name = json_string_value(json_object_get(request, "verb"));
    const json_t *args = json_object_get(request, "args");
    if (name && !ctl_verb_find(name, &row, &e) && e.kind != ERR_SYNTAX)
        __builtin_trap();
    for (size_t i = 0; json_is_object(args) && ctl_verb_at(i, &row); i++)
        try_verb(&row, args);
    json_decref(request);
    return 0;
}
