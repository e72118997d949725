/*
 * Users: the forms of the commands; the running server does the work.
 */
#include "ctl/mailctl.h"

#include <stdio.h>

int command_user_add(struct mailctl *m, const struct arguments *a)
{
    int status = EXIT_OK;
    const char *login = a->words[0], *password = read_password(m, a, login, &status);
    if (!password)
        return status;
    json_t *args = args_of("login", login, "password", password);
    if (option(a, "--name"))
        json_object_set_new(args, "name", json_string(option(a, "--name")));
    return ask_simply(m, "user add", args, "added", login);
}

int command_user_password(struct mailctl *m, const struct arguments *a)
{
    int status = EXIT_OK;
    const char *login = a->words[0], *password = read_password(m, a, login, &status);
    if (!password)
        return status;
    return ask_simply(m, "user password", args_of("login", login, "password", password),
                      "password set of", login);
}

static void add_user(void *arg, const json_t *user)
{
    struct table *t = arg;
    table_add(t, text_of(user, "login"));
    table_add(t, text_of(user, "name"));
    table_add(t, json_is_true(json_object_get(user, "disabled")) ? "disabled" : "active");
}

int command_user_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"login", "name", "state", NULL};
    struct table *t = table_new(titles);
    json_t *args = args_of("domain", argument(a, 0), NULL, NULL);
    int status = ask_items(m, "user list", args, add_user, t, NULL);
    table_end(t, status == EXIT_OK && !m->json);
    return status;
}

int command_user_show(struct mailctl *m, const struct arguments *a)
{
    json_t *user = NULL;
    int status = ask(m, "user show", args_of("login", a->words[0], NULL, NULL), &user);
    if (!user)
        return status;
    printf("login   %s\nname    %s\nstate   %s\nhome    %s\n", text_of(user, "login"),
           text_of(user, "name"),
           json_is_true(json_object_get(user, "disabled")) ? "disabled" : "active",
           text_of(user, "home"));
    json_decref(user);
    return status;
}

int command_user_delete(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "user delete", args_of("login", a->words[0], NULL, NULL), "deleted",
                      a->words[0]);
}

int command_user_disable(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "user disable", args_of("login", a->words[0], NULL, NULL), "disabled",
                      a->words[0]);
}

int command_user_enable(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "user enable", args_of("login", a->words[0], NULL, NULL), "enabled",
                      a->words[0]);
}
