/*
 * Guessing of passwords: the forms of the commands.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>

int command_auth_penalties(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"counted by", "login",        "network", ">failures",
                                         "locked for", "forgotten in", NULL};
    json_t *result = NULL, *line;
    size_t i;

    (void)a;
    int status = ask(m, "auth penalties", NULL, &result);
    if (!result)
        return status;
    json_t *list = json_object_get(result, "penalties");
    struct table *t = table_new(titles);
    json_array_foreach(list, i, line)
    {
        table_add(t, text_of(line, "kind"));
        table_add(t, text_of(line, "login"));
        table_add(t, text_of(line, "network"));
        table_printf(t, "%lld", (long long)number_of(line, "failures"));
        if (number_of(line, "locked_for"))
            table_add_duration(t, number_of(line, "locked_for"));
        else
            table_add(t, "");
        table_add_duration(t, number_of(line, "forgotten_in"));
    }
    table_end(t, true, "no failed logins are remembered");
    if (number_of(result, "total") > (int64_t)json_array_size(list))
        printf("... and %lld more\n",
               (long long)(number_of(result, "total") - (int64_t)json_array_size(list)));
    json_decref(result);
    return status;
}

int command_auth_unlock(struct mailctl *m, const struct arguments *a)
{
    const char *what = argument(a, 0);
    json_t *result = NULL;
    bool all = option(a, "--all") != NULL;

    if (all == (what != NULL))
        return fail_usage("usage: mailctl auth unlock LOGIN|ADDRESS|NETWORK|--all");
    json_t *args = all ? json_pack("{s:b}", "all", 1) : json_pack("{s:s}", "what", what);
    int status = ask(m, "auth unlock", args, &result);
    if (result)
        printf("%lld forgotten\n", (long long)number_of(result, "forgotten"));
    json_decref(result);
    return status;
}
