/*
 * Recording of sessions: the forms of the commands.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>

int command_rawlog_on(struct mailctl *m, const struct arguments *a)
{
    const char *minutes = option(a, "--minutes");
    json_t *args = json_pack("{s:s}", "login", a->words[0]), *result = NULL;
    char *end = NULL;

    if (minutes) {
        json_object_set_new(args, "minutes", json_integer(strtoll(minutes, &end, 10)));
        if (end == minutes || *end) {
            json_decref(args);
            return fail_usage("--minutes needs a number, not \"%s\"", minutes);
        }
    }
    int status = ask(m, "rawlog on", args, &result);
    if (result)
        printf("what is said in the sessions of %s is recorded below %s\n", a->words[0],
               text_of(result, "directory"));
    json_decref(result);
    return status;
}

int command_rawlog_off(struct mailctl *m, const struct arguments *a)
{
    return ask(m, "rawlog off", json_pack("{s:s}", "login", a->words[0]), NULL);
}

int command_rawlog_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"user", "until", ">sessions", NULL};
    json_t *logins = NULL, *login;
    size_t i;

    (void)a;
    int status = ask(m, "rawlog list", NULL, &logins);
    if (!logins)
        return status;
    struct table *t = table_new(titles);
    json_array_foreach(logins, i, login)
    {
        table_add(t, text_of(login, "login"));
        table_add_time(t, number_of(login, "until"));
        table_printf(t, "%lld", (long long)number_of(login, "sessions"));
    }
    table_end(t, true, "nobody is recorded");
    json_decref(logins);
    return status;
}
