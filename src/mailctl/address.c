/*
 * Addresses that lead to others, and who may send as an address: the forms of the commands; the
 * running server does the work.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>

/* The words from the second one on. */
static json_t *rest_of(const struct arguments *a)
{
    json_t *list = json_array();
    for (size_t i = 1; i < a->count; i++)
        json_array_append_new(list, json_string(a->words[i]));
    return list;
}

static json_t *list_args(const struct arguments *a, const char *name)
{
    json_t *args = args_of("address", a->words[0], NULL, NULL);
    if (a->count > 1)
        json_object_set_new(args, name, rest_of(a));
    return args;
}

/* --- addresses --- */

int command_address_add(struct mailctl *m, const struct arguments *a)
{
    json_t *args = list_args(a, "destinations");
    if (option(a, "--internal"))
        json_object_set_new(args, "internal", json_true());
    int status = ask(m, "address add", args, NULL);
    for (size_t i = 1; i < a->count && status == EXIT_OK && !m->json; i++)
        printf("%s leads to %s\n", a->words[0], a->words[i]);
    return status;
}

int command_address_set(struct mailctl *m, const struct arguments *a)
{
    bool internal = option(a, "--internal"), public = option(a, "--public");
    if (internal && public)
        return fail_usage("--internal and --public contradict each other");
    if (a->count == 1 && !internal && !public)
        return fail_usage("nothing to change");
    json_t *args = list_args(a, "destinations");
    if (internal || public)
        json_object_set_new(args, "internal", json_boolean(internal));
    return ask_simply(m, "address set", args, "changed", a->words[0]);
}

int command_address_delete(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "address delete", list_args(a, "destinations"), "deleted", a->words[0]);
}

static void add_address(void *arg, const json_t *address)
{
    struct table *t = arg;
    json_t *destination, *list = json_object_get(address, "destinations");
    bool internal = json_is_true(json_object_get(address, "internal"));
    size_t i;
    json_array_foreach(list, i, destination)
    {
        table_add(t, i == 0 ? text_of(address, "address") : "");
        table_add(t, json_string_value(destination));
        table_add(t, i > 0 ? "" : internal ? "internal" : "all");
        table_add(t, i > 0 ? "" : text_of(address, "source"));
    }
}

int command_address_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"address", "leads to", "for", "source", NULL};
    struct table *t = table_new(titles);
    json_t *args = args_of("domain", argument(a, 0), NULL, NULL);
    int status = ask_items(m, "address list", args, add_address, t, NULL);
    table_end(t, status == EXIT_OK && !m->json, there_are_no(m, "addresses", argument(a, 0)));
    return status;
}

int command_address_show(struct mailctl *m, const struct arguments *a)
{
    json_t *address = NULL;
    int status = ask(m, "address show", args_of("address", a->words[0], NULL, NULL), &address);
    if (!address)
        return status;
    char *destinations = join_texts(address, "destinations", "\n         ");
    printf("address  %s\nleads to %s\nfor      %s\nsource   %s\n", text_of(address, "address"),
           destinations, json_is_true(json_object_get(address, "internal")) ? "internal" : "all",
           text_of(address, "source"));
    free(destinations);
    json_decref(address);
    return status;
}

/* --- who may send as an address --- */

int command_send_as_add(struct mailctl *m, const struct arguments *a)
{
    int status = ask(m, "send-as add", list_args(a, "grantees"), NULL);
    for (size_t i = 1; i < a->count && status == EXIT_OK && !m->json; i++)
        printf("%s may send as %s\n", a->words[i], a->words[0]);
    return status;
}

int command_send_as_delete(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "send-as delete", list_args(a, "grantees"), "changed", a->words[0]);
}

static void add_delegation(void *arg, const json_t *delegation)
{
    struct table *t = arg;
    table_add(t, text_of(delegation, "address"));
    table_add(t, text_of(delegation, "grantee"));
}

int command_send_as_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"address", "may be used by", NULL};
    struct table *t = table_new(titles);
    json_t *args = args_of("name", argument(a, 0), NULL, NULL);
    int status = ask_items(m, "send-as list", args, add_delegation, t, NULL);
    table_end(t, status == EXIT_OK && !m->json,
              argument(a, 0) ? "nothing is delegated there" : "nothing is delegated");
    return status;
}
