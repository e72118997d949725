/*
 * Mailboxes: the forms of the commands.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <string.h>

/* {"user": first word, or "all": true, "mailboxes": [the others]} */
static json_t *patterns_of(const struct arguments *a)
{
    json_t *args = json_object(), *list = json_array();
    size_t i = 0;
    if (option(a, "--all"))
        json_object_set_new(args, "all", json_true());
    else
        json_object_set_new(args, "user", json_string(a->words[i++]));
    for (; i < a->count; i++)
        json_array_append_new(list, json_string(a->words[i]));
    json_object_set_new(args, "mailboxes", list);
    return args;
}

static bool lacks_user(const struct arguments *a)
{
    if (a->count > 0 || option(a, "--all"))
        return false;
    fail_usage("a user is missing (or --all)");
    return true;
}

/* --- list, status --- */

struct listing {
    struct table *table;
    bool users, failed;
};

static void add_listed(void *arg, const json_t *item)
{
    struct listing *l = arg;
    if (l->users)
        table_add(l->table, text_of(item, "user"));
    table_add(l->table, text_of(item, "mailbox"));
    table_add(l->table, text_of(item, "special_use"));
    table_add(l->table, json_is_true(json_object_get(item, "subscribed")) ? "yes" : "");
    table_add(l->table, json_is_true(json_object_get(item, "exists")) ? "" : "no mailbox");
}

int command_mailbox_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"user", "mailbox", "special use", "subscribed", "", NULL};
    struct listing l = {.users = option(a, "--all") != NULL};
    if (lacks_user(a))
        return EXIT_USAGE;
    l.table = table_new(titles + !l.users);
    int status = ask_items(m, "mailbox list", patterns_of(a), add_listed, &l, NULL);
    table_end(l.table, status == EXIT_OK && !m->json, NULL);
    return status;
}

static void add_status(void *arg, const json_t *item)
{
    static const char *const numbers[] = {"messages", "unseen", "deleted"};
    struct listing *l = arg;
    if (print_failure(item)) {
        l->failed = true;
        return;
    }
    if (l->users)
        table_add(l->table, text_of(item, "user"));
    table_add(l->table, text_of(item, "mailbox"));
    for (size_t i = 0; i < 3; i++)
        table_printf(l->table, "%lld", (long long)number_of(item, numbers[i]));
    table_add_size(l->table, number_of(item, "size"));
    table_printf(l->table, "%lld", (long long)number_of(item, "uid_validity"));
    table_printf(l->table, "%lld", (long long)number_of(item, "uid_next"));
}

int command_mailbox_status(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"user",         "mailbox",  ">messages",
                                         ">unseen",      ">deleted", ">size",
                                         ">uidvalidity", ">uidnext", NULL};
    struct listing l = {.users = option(a, "--all") != NULL};
    if (lacks_user(a))
        return EXIT_USAGE;
    l.table = table_new(titles + !l.users);
    int status = ask_items(m, "mailbox status", patterns_of(a), add_status, &l, NULL);
    table_end(l.table, status == EXIT_OK && !m->json, NULL);
    return l.failed && status == EXIT_OK ? EXIT_FAILED : status;
}

/* --- changes --- */

static json_t *mailbox_args(const char *user, const char *mailbox)
{
    return json_pack("{s:s, s:s}", "user", user, "mailbox", mailbox);
}

/* One call for each mailbox named. */
static int for_each(struct mailctl *m, const struct arguments *a, const char *verb,
                    const char *what)
{
    int status = EXIT_OK;
    for (size_t i = 1; i < a->count && status == EXIT_OK; i++) {
        status = ask(m, verb, mailbox_args(a->words[0], a->words[i]), NULL);
        if (status == EXIT_OK && !m->json)
            printf("%s %s\n", what, a->words[i]);
    }
    return status;
}

int command_mailbox_create(struct mailctl *m, const struct arguments *a)
{
    int status = for_each(m, a, "mailbox create", "created");
    if (status == EXIT_OK && option(a, "--subscribe"))
        status = for_each(m, a, "mailbox subscribe", "subscribed to");
    return status;
}

int command_mailbox_delete(struct mailctl *m, const struct arguments *a)
{
    bool one = a->count == 2;
    if (!confirm(a, "Delete %s%s of %s with all messages?", one ? "mailbox " : "these mailboxes",
                 one ? a->words[1] : "", a->words[0]))
        return EXIT_FAILED;
    return for_each(m, a, "mailbox delete", "deleted");
}

int command_mailbox_rename(struct mailctl *m, const struct arguments *a)
{
    json_t *args = mailbox_args(a->words[0], a->words[1]);
    json_object_set_new(args, "to", json_string(a->words[2]));
    int status = ask(m, "mailbox rename", args, NULL);
    if (status == EXIT_OK && !m->json)
        printf("renamed %s to %s\n", a->words[1], a->words[2]);
    return status;
}

int command_mailbox_subscribe(struct mailctl *m, const struct arguments *a)
{
    return for_each(m, a, "mailbox subscribe", "subscribed to");
}

int command_mailbox_unsubscribe(struct mailctl *m, const struct arguments *a)
{
    return for_each(m, a, "mailbox unsubscribe", "unsubscribed from");
}

int command_mailbox_path(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    const char *name = a->count > 1 ? a->words[1] : "INBOX";
    int status = ask(m, "mailbox path", mailbox_args(a->words[0], name), &result);
    if (result)
        printf("%s\n", text_of(result, "path"));
    json_decref(result);
    return status;
}
