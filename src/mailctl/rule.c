/*
 * Addresses by pattern: the forms of the commands; the running server does the work.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The words from `from` on are destinations. False: the options contradict each other, which was
 * said. */
static bool take_options(const struct arguments *a, size_t from, json_t *args)
{
    bool internal = option(a, "--internal"), public = option(a, "--public");
    if ((internal && public) || (option(a, "--domain") && option(a, "--all-domains"))) {
        fail_usage("these options contradict each other");
        return false;
    }
    if (internal || public)
        json_object_set_new(args, "internal", json_boolean(internal));
    if (option(a, "--domain") || option(a, "--all-domains"))
        json_object_set_new(args, "domain",
                            json_string(option(a, "--domain") ? option(a, "--domain") : ""));
    if (option(a, "--before"))
        json_object_set_new(args, "before", json_string(option(a, "--before")));
    json_t *list = json_array();
    for (size_t i = from; i < a->count; i++)
        json_array_append_new(list, json_string(a->words[i]));
    if (json_array_size(list) > 0)
        json_object_set(args, "destinations", list);
    json_decref(list);
    return true;
}

static int change(struct mailctl *m, const struct arguments *a, size_t from, json_t *args,
                  const char *verb, const char *what)
{
    if (take_options(a, from, args))
        return ask_simply(m, verb, args, what, a->words[0]);
    json_decref(args);
    return EXIT_USAGE;
}

int command_rule_add(struct mailctl *m, const struct arguments *a)
{
    json_t *args = args_of("name", a->words[0], "pattern", a->words[1]);
    return change(m, a, 2, args, "address rule add", "added");
}

int command_rule_set(struct mailctl *m, const struct arguments *a)
{
    if (a->count == 1 && a->option_count == 0)
        return fail_usage("nothing to change");
    json_t *args = args_of("name", a->words[0], "pattern", option(a, "--pattern"));
    return change(m, a, 1, args, "address rule set", "changed");
}

int command_rule_move(struct mailctl *m, const struct arguments *a)
{
    bool last = option(a, "--last");
    if (last == (option(a, "--before") != NULL))
        return fail_usage("say --before NAME or --last");
    json_t *args = args_of("name", a->words[0], NULL, NULL);
    return change(m, a, 1, args, "address rule move", "moved");
}

int command_rule_delete(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "address rule delete", args_of("name", a->words[0], NULL, NULL), "deleted",
                      a->words[0]);
}

/* --- lists --- */

static const char *domain_of(const json_t *rule)
{
    const char *domain = text_of(rule, "domain");
    return *domain ? domain : "all";
}

static void add_rule(void *arg, const json_t *rule)
{
    struct table *t = arg;
    json_t *destination;
    size_t i;
    json_array_foreach(json_object_get(rule, "destinations"), i, destination)
    {
        if (i == 0)
            table_printf(t, "%lld", (long long)number_of(rule, "number"));
        else
            table_add(t, "");
        table_add(t, i == 0 ? text_of(rule, "name") : "");
        table_add(t, i == 0 ? domain_of(rule) : "");
        table_add(t, i == 0 ? text_of(rule, "pattern") : "");
        table_add(t, json_string_value(destination));
        table_add(t, i > 0                                             ? ""
                     : json_is_true(json_object_get(rule, "internal")) ? "internal"
                                                                       : "all");
    }
}

int command_rule_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {">#",       "rule", "domain", "pattern",
                                         "leads to", "for",  NULL};
    struct table *t = table_new(titles);
    json_t *args = args_of("domain", argument(a, 0), NULL, NULL);
    int status = ask_items(m, "address rule list", args, add_rule, t, NULL);
    table_end(t, status == EXIT_OK && !m->json, there_are_no(m, "rules", argument(a, 0)));
    return status;
}

int command_rule_show(struct mailctl *m, const struct arguments *a)
{
    json_t *rule = NULL;
    int status = ask(m, "address rule show", args_of("name", a->words[0], NULL, NULL), &rule);
    if (!rule)
        return status;
    char *destinations = join_texts(rule, "destinations", "\n         ");
    printf("rule     %s\nnumber   %lld\ndomain   %s\npattern  %s\nleads to %s\nfor      %s\n",
           text_of(rule, "name"), (long long)number_of(rule, "number"), domain_of(rule),
           text_of(rule, "pattern"), destinations,
           json_is_true(json_object_get(rule, "internal")) ? "internal" : "all");
    free(destinations);
    json_decref(rule);
    return status;
}

int command_rule_test(struct mailctl *m, const struct arguments *a)
{
    json_t *found = NULL;
    int status = ask(m, "address rule test", args_of("address", a->words[0], NULL, NULL), &found);
    if (!found)
        return status;
    char *destinations = join_texts(found, "destinations", ", ");
    printf("%s fits the rule %s and leads to %s%s\n", text_of(found, "address"),
           text_of(found, "rule"), destinations,
           json_is_true(json_object_get(found, "internal")) ? " (internal)" : "");
    free(destinations);
    json_decref(found);
    return status;
}
