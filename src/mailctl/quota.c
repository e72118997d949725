/*
 * Quota: the forms of the commands.
 */
#include "mailctl/mailctl.h"

static const char *const titles[] = {"user",      ">storage", ">of", ">%",
                                     ">messages", ">of",      ">%",  NULL};

static void add_share(struct table *t, int64_t used, int64_t limit)
{
    if (limit > 0)
        table_printf(t, "%.0f", (double)used * 100 / (double)limit);
    else
        table_add(t, "");
}

static void add_quota(void *arg, const json_t *item)
{
    struct table *t = arg;
    int64_t storage = number_of(item, "storage"), storage_limit = number_of(item, "storage_limit");
    int64_t messages = number_of(item, "messages");
    int64_t messages_limit = number_of(item, "messages_limit");

    table_add(t, text_of(item, "user"));
    table_add_size(t, storage);
    if (storage_limit > 0)
        table_add_size(t, storage_limit);
    else
        table_add(t, "unlimited");
    add_share(t, storage, storage_limit);
    table_printf(t, "%lld", (long long)messages);
    if (messages_limit > 0)
        table_printf(t, "%lld", (long long)messages_limit);
    else
        table_add(t, "unlimited");
    add_share(t, messages, messages_limit);
}

static json_t *users_of(const struct arguments *a, bool all)
{
    json_t *args = json_object(), *list = json_array();

    for (size_t i = 0; i < a->count; i++)
        json_array_append_new(list, json_string(a->words[i]));
    if (a->count == 1) { /* so may a user ask, for himself */
        json_object_set_new(args, "user", json_string(a->words[0]));
        json_decref(list);
        return args;
    }
    json_object_set_new(args, "users", list);
    if (all)
        json_object_set_new(args, "all", json_true());
    return args;
}

static int show(struct mailctl *m, const char *verb, json_t *args)
{
    struct table *t = table_new(titles);
    int status = ask_items(m, verb, args, add_quota, t, NULL);

    table_end(t, status == EXIT_OK && !m->json, "there are no users");
    return status;
}

int command_quota_get(struct mailctl *m, const struct arguments *a)
{
    return show(m, "quota get", users_of(a, a->count == 0));
}

int command_quota_recalc(struct mailctl *m, const struct arguments *a)
{
    bool all = option(a, "--all");

    if ((a->count > 0) == all)
        return fail_usage("a user is needed, or --all");
    return show(m, "quota recalc", users_of(a, all));
}

int command_quota_set(struct mailctl *m, const struct arguments *a)
{
    static const char *const names[][2] = {{"--storage", "storage"}, {"--messages", "messages"}};
    json_t *args = json_pack("{s:s}", "user", a->words[0]), *result = NULL;
    size_t given = 0;

    for (size_t i = 0; i < 2; i++) {
        if (!option(a, names[i][0]))
            continue;
        given++;
        json_object_set_new(args, names[i][1], json_string(option(a, names[i][0])));
    }
    if (given == 0) {
        json_decref(args);
        return fail_usage("--storage or --messages is needed");
    }
    int status = ask(m, "quota set", args, &result);
    if (result) {
        struct table *t = table_new(titles);
        add_quota(t, result);
        table_print(t);
    }
    json_decref(result);
    return status;
}
