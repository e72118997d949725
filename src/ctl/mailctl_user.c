/*
 * Users, domains, addresses: the forms of the commands; the running server does the work.
 */
#include "ctl/mailctl.h"

#include <stdio.h>

/* {"name": value, "name2": value2}; a NULL value is left out. */
static json_t *args_of(const char *name, const char *value, const char *name2, const char *value2)
{
    json_t *args = json_object();
    if (value)
        json_object_set_new(args, name, json_string(value));
    if (value2)
        json_object_set_new(args, name2, json_string(value2));
    return args;
}

static int done(int status, const char *what, const char *of)
{
    if (status == EXIT_OK)
        printf("%s %s\n", what, of);
    return status;
}

static int ask_simply(struct mailctl *m, const char *verb, json_t *args, const char *what,
                      const char *of)
{
    int status = ask(m, verb, args, NULL);
    return m->json ? status : done(status, what, of);
}

/* --- users --- */

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

int command_user_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"login", "name", "state", NULL};
    json_t *users = NULL, *user;
    size_t i;
    int status = ask(m, "user list", args_of("domain", argument(a, 0), NULL, NULL), &users);
    if (!users)
        return status;
    struct table *t = table_new(titles);
    json_array_foreach(users, i, user)
    {
        table_add(t, text_of(user, "login"));
        table_add(t, text_of(user, "name"));
        table_add(t, json_is_true(json_object_get(user, "disabled")) ? "disabled" : "active");
    }
    table_print(t);
    json_decref(users);
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

/* --- domains --- */

int command_domain_add(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "domain add", args_of("name", a->words[0], NULL, NULL), "added",
                      a->words[0]);
}

int command_domain_delete(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "domain delete", args_of("name", a->words[0], NULL, NULL), "deleted",
                      a->words[0]);
}

int command_domain_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"domain", NULL};
    json_t *domains = NULL, *domain;
    size_t i;
    (void)a;
    int status = ask(m, "domain list", NULL, &domains);
    if (!domains)
        return status;
    struct table *t = table_new(titles);
    json_array_foreach(domains, i, domain) table_add(t, text_of(domain, "name"));
    table_print(t);
    json_decref(domains);
    return status;
}

/* --- addresses --- */

int command_address_add(struct mailctl *m, const struct arguments *a)
{
    int status = EXIT_OK;
    for (size_t i = 1; i < a->count && status == EXIT_OK; i++) {
        status = ask(m, "address add", args_of("address", a->words[0], "destination", a->words[i]),
                     NULL);
        if (status == EXIT_OK && !m->json)
            printf("%s leads to %s\n", a->words[0], a->words[i]);
    }
    return status;
}

int command_address_delete(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "address delete",
                      args_of("address", a->words[0], "destination", argument(a, 1)), "deleted",
                      a->words[0]);
}

int command_address_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"address", "leads to", NULL};
    json_t *addresses = NULL, *address, *destination;
    size_t i, j;
    int status = ask(m, "address list", args_of("domain", argument(a, 0), NULL, NULL), &addresses);
    if (!addresses)
        return status;
    struct table *t = table_new(titles);
    json_array_foreach(addresses, i, address)
    {
        json_array_foreach(json_object_get(address, "destinations"), j, destination)
        {
            table_add(t, j == 0 ? text_of(address, "address") : "");
            table_add(t, json_string_value(destination));
        }
    }
    table_print(t);
    json_decref(addresses);
    return status;
}
