/*
 * Passwords for programs: the secret is printed once, alone on standard output, so that it can go
 * into a pipe.
 */
#include "core/clock.h"
#include "core/config_unit.h"
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>

static bool take_expiry(const struct arguments *a, json_t *args)
{
    const char *text = option(a, "--expires");
    usec duration;
    if (!text)
        return true;
    if (!unit_parse_duration(str_from_c(text), &duration) || duration < USEC_SEC) {
        fail_usage("--expires %s: a duration like 90d is expected", text);
        return false;
    }
    json_object_set_new(args, "expires", json_integer((clock_wall() + duration) / USEC_SEC));
    return true;
}

int command_app_password_add(struct mailctl *m, const struct arguments *a)
{
    json_t *args = args_of("login", a->words[0], "label", a->words[1]), *made = NULL;
    json_t *networks = json_pack("{s:o}", "networks", option_list(a, "--network"));
    char *list = join_texts(networks, "networks", " ");
    if (*list)
        json_object_set_new(args, "networks", json_string(list));
    free(list);
    json_decref(networks);
    if (option(a, "--protocols"))
        json_object_set_new(args, "protocols", json_string(option(a, "--protocols")));
    if (!take_expiry(a, args)) {
        json_decref(args);
        return EXIT_USAGE;
    }
    int status = ask(m, "user app-password add", args, &made);
    if (made)
        printf("%s\n", text_of(made, "password"));
    json_decref(made);
    return status;
}

int command_app_password_delete(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "user app-password delete",
                      args_of("login", a->words[0], "label", a->words[1]), "deleted", a->words[1]);
}

static void add_time_or(struct table *t, int64_t seconds, const char *none)
{
    if (seconds > 0)
        table_add_time(t, seconds);
    else
        table_add(t, none);
}

static void add_app_password(void *arg, const json_t *p)
{
    struct table *t = arg;
    char day[16] = "not yet";
    int64_t used = number_of(p, "last_used");
    if (used > 0) {
        struct buf b = BUF_EMPTY;
        add_time(&b, used);
        snprintf(day, sizeof(day), "%.10s", buf_c(&b)); /* it is known by the day */
        buf_free(&b);
    }
    table_add(t, text_of(p, "label"));
    table_add(t, text_of(p, "protocols"));
    table_add(t, *text_of(p, "networks") ? text_of(p, "networks") : "all");
    add_time_or(t, number_of(p, "created"), "");
    add_time_or(t, number_of(p, "expires"), "never");
    table_add(t, day);
}

int command_app_password_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"label",   "protocols", "networks", "created",
                                         "expires", "last used", NULL};
    struct table *t = table_new(titles);
    json_t *args = args_of("login", a->words[0], NULL, NULL);
    int status = ask_items(m, "user app-password list", args, add_app_password, t, NULL);
    table_end(t, status == EXIT_OK && !m->json, "there are no application passwords");
    return status;
}
