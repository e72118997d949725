/*
 * Access control lists of public mailboxes: the forms of the commands.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>

static json_t *acl_args(const struct arguments *a)
{
    static const char *const names[] = {"user", "mailbox", "identifier", "rights"};
    json_t *args = json_object();
    for (size_t i = 0; i < a->count; i++)
        json_object_set_new(args, names[i], json_string(a->words[i]));
    return args;
}

static void add_entry(void *arg, const json_t *item)
{
    struct table *t = arg;
    table_add(t, text_of(item, "identifier"));
    table_add(t, text_of(item, "rights"));
    table_add(t, text_of(item, "others"));
}

int command_mailbox_acl_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"identifier", "rights", "", NULL};
    struct table *t = table_new(titles);
    int status = ask_items(m, "mailbox acl list", acl_args(a), add_entry, t, NULL);
    table_end(t, status == EXIT_OK && !m->json, "nobody has a right to it");
    return status;
}

int command_mailbox_acl_set(struct mailctl *m, const struct arguments *a)
{
    int status = ask(m, "mailbox acl set", acl_args(a), NULL);
    if (status == EXIT_OK && !m->json)
        printf("set %s for %s\n", a->words[3], a->words[2]);
    return status;
}

int command_mailbox_acl_delete(struct mailctl *m, const struct arguments *a)
{
    int status = ask(m, "mailbox acl delete", acl_args(a), NULL);
    if (status == EXIT_OK && !m->json)
        printf("deleted %s\n", a->words[2]);
    return status;
}
