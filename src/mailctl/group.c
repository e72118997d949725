/*
 * Groups: the forms of the commands; the running server does the work.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *address_args(const struct arguments *a)
{
    json_t *args = args_of("address", a->words[0], NULL, NULL), *members = json_array();
    for (size_t i = 1; i < a->count; i++)
        json_array_append_new(members, json_string(a->words[i]));
    if (a->count > 1)
        json_object_set(args, "members", members);
    json_decref(members);
    return args;
}

static void set_flag(json_t *args, const char *name, bool yes, bool no)
{
    if (yes || no)
        json_object_set_new(args, name, json_boolean(yes));
}

/* False: the options contradict each other, which was said. */
static bool take_options(const struct arguments *a, json_t *args)
{
    bool internal = option(a, "--internal"), members_only = option(a, "--members-only"),
         public = option(a, "--public"), disable = option(a, "--disable"),
         enable = option(a, "--enable"), send_as = option(a, "--send-as"),
         no_send_as = option(a, "--no-send-as"), no_mailbox = option(a, "--no-public-mailbox");
    const char *mailbox = option(a, "--public-mailbox");
    if ((public && (internal || members_only)) || (disable && enable) || (send_as && no_send_as) ||
        (mailbox && no_mailbox)) {
        fail_usage("these options contradict each other");
        return false;
    }
    if (option(a, "--name"))
        json_object_set_new(args, "name", json_string(option(a, "--name")));
    set_flag(args, "internal", internal, public);
    set_flag(args, "members_only", members_only, public);
    set_flag(args, "disabled", disable, enable);
    set_flag(args, "send_as", send_as, no_send_as);
    if (mailbox || no_mailbox)
        json_object_set_new(args, "public_mailbox", json_string(mailbox ? mailbox : ""));
    return true;
}

static int change_group(struct mailctl *m, const struct arguments *a, const char *verb,
                        const char *what)
{
    json_t *args = address_args(a);
    if (take_options(a, args))
        return ask_simply(m, verb, args, what, a->words[0]);
    json_decref(args);
    return EXIT_USAGE;
}

int command_group_add(struct mailctl *m, const struct arguments *a)
{
    return change_group(m, a, "group add", "added");
}

int command_group_set(struct mailctl *m, const struct arguments *a)
{
    if (a->option_count == 0)
        return fail_usage("nothing to change");
    return change_group(m, a, "group set", "changed");
}

int command_group_delete(struct mailctl *m, const struct arguments *a)
{
    if (!confirm(a, "Delete group %s with its list of members?", a->words[0]))
        return EXIT_FAILED;
    return ask_simply(m, "group delete", address_args(a), "deleted", a->words[0]);
}

int command_group_member_add(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "group member add", address_args(a), "changed", a->words[0]);
}

int command_group_member_delete(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "group member delete", address_args(a), "changed", a->words[0]);
}

/* --- lists --- */

static const char *who_may_write(const json_t *group)
{
    bool internal = json_is_true(json_object_get(group, "internal"));
    if (json_is_true(json_object_get(group, "disabled")))
        return "nobody (disabled)";
    if (json_is_true(json_object_get(group, "members_only")))
        return "members";
    return internal ? "internal" : "all";
}

/* The public mailbox, or a member. */
static const char *goes_to(const json_t *group, size_t i)
{
    const char *mailbox = text_of(group, "public_mailbox");
    const json_t *member = json_array_get(json_object_get(group, "members"), i);
    return *mailbox ? mailbox : member ? json_string_value(member) : "";
}

static void add_group(void *arg, const json_t *group)
{
    struct table *t = arg;
    json_t *members = json_object_get(group, "members");
    size_t i;
    table_add(t, text_of(group, "address"));
    table_add(t, text_of(group, "name"));
    table_add(t, who_may_write(group));
    table_add(t, json_is_true(json_object_get(group, "send_as")) ? "members" : "");
    table_add(t, text_of(group, "source"));
    table_add(t, goes_to(group, 0));
    for (i = 1; i < json_array_size(members) && !*text_of(group, "public_mailbox"); i++) {
        for (int column = 0; column < 5; column++)
            table_add(t, "");
        table_add(t, goes_to(group, i));
    }
}

int command_group_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"group",  "name",    "for", "sent as by",
                                         "source", "goes to", NULL};
    struct table *t = table_new(titles);
    json_t *args = args_of("domain", argument(a, 0), NULL, NULL);
    int status = ask_items(m, "group list", args, add_group, t, NULL);
    table_end(t, status == EXIT_OK && !m->json, there_are_no(m, "groups", argument(a, 0)));
    return status;
}

int command_group_show(struct mailctl *m, const struct arguments *a)
{
    json_t *group = NULL;
    int status = ask(m, "group show", args_of("address", a->words[0], NULL, NULL), &group);
    if (!group)
        return status;
    char *members = join_texts(group, "members", "\n           ");
    printf("group      %s\nname       %s\nfor        %s\n", text_of(group, "address"),
           text_of(group, "name"), who_may_write(group));
    if (*text_of(group, "public_mailbox"))
        printf("goes to    public mailbox %s\n", text_of(group, "public_mailbox"));
    printf("%s %s\nsent as by %s\nsource     %s\n",
           *text_of(group, "public_mailbox") ? "members   " : "reaches   ", members,
           json_is_true(json_object_get(group, "send_as")) ? "members" : "nobody",
           text_of(group, "source"));
    free(members);
    json_decref(group);
    return status;
}
