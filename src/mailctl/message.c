/*
 * Messages by query: search, expunge, move, copy, flags. The words of the query go to the server as
 * they are.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <string.h>

json_t *user_args(const struct arguments *a)
{
    bool all = option(a, "--all");
    if (a->count + all != 1) {
        fail_usage("one user is needed, or --all");
        return NULL;
    }
    json_t *args = json_object();
    if (all)
        json_object_set_new(args, "all", json_true());
    else
        json_object_set_new(args, "user", json_string(a->words[0]));
    return args;
}

json_t *query_args(const struct arguments *a, size_t words, size_t *next)
{
    json_t *args = json_object(), *query = json_array();
    *next = 0;
    if (option(a, "--all"))
        json_object_set_new(args, "all", json_true());
    else if (a->count > 0)
        json_object_set_new(args, "user", json_string(a->words[(*next)++]));
    for (size_t i = *next + words; i < a->count; i++)
        json_array_append_new(query, json_string(a->words[i]));
    bool complete = json_array_size(query) > 0;
    json_object_set_new(args, "query", query);
    if (complete)
        return args;
    json_decref(args);
    fail_usage("%s is missing; the query \"all\" finds all messages",
               a->count == 0 && !option(a, "--all") ? "a user (or --all)"
               : a->count < words + *next           ? "what stands before the query"
                                                    : "a query");
    return NULL;
}

bool print_failure(const json_t *item)
{
    const char *error = text_of(item, "error"), *mailbox = text_of(item, "mailbox");
    if (!error[0])
        return false;
    fail("%s%s%s: %s", text_of(item, "user"), mailbox[0] ? ", " : "", mailbox, error);
    return true;
}

int end_counted(struct mailctl *m, int status, json_t *result, const char *what)
{
    int64_t failed = number_of(result, "failed");
    char messages[COUNT_TEXT], mailboxes[COUNT_TEXT];
    if (status == EXIT_OK && m->json)
        print_json(result);
    else if (status == EXIT_OK && what)
        printf("%s %s in %s\n", what, count_of(messages, number_of(result, "messages"), "message"),
               count_of(mailboxes, number_of(result, "mailboxes"), "mailbox"));
    json_decref(result);
    return status == EXIT_OK && failed > 0 ? EXIT_FAILED : status;
}

/* --- search --- */

static void add_found(void *arg, const json_t *item)
{
    struct table *t = arg;
    if (print_failure(item))
        return;
    table_add(t, text_of(item, "user"));
    table_add(t, text_of(item, "mailbox"));
    table_printf(t, "%lld", (long long)number_of(item, "count"));
    table_add(t, text_of(item, "uids"));
}

int command_search(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"user", "mailbox", ">messages", "uids", NULL};
    json_t *result = NULL;
    size_t next;
    json_t *args = query_args(a, 0, &next);
    if (!args)
        return EXIT_USAGE;
    struct table *t = table_new(titles);
    int status = ask_items(m, "search", args, add_found, t, &result);
    if (status == EXIT_OK && number_of(result, "failed") > 0)
        status = EXIT_FAILED;
    table_end(t, result && !m->json, status == EXIT_OK ? "no message is like that" : NULL);
    json_decref(result);
    return status;
}

/* --- changes --- */

static void note_failure(void *arg, const json_t *item)
{
    (void)arg;
    print_failure(item);
}

/* What the verb did is its result, also with --json. Takes args. */
static int change(struct mailctl *m, const char *verb, json_t *args, const char *what)
{
    json_t *result = NULL;
    bool json = m->json;
    m->json = false;
    int status = ask_items(m, verb, args, note_failure, NULL, &result);
    m->json = json;
    return end_counted(m, status, result, what);
}

static void count_found(void *arg, const json_t *item)
{
    int64_t *counts = arg;
    counts[0] += number_of(item, "count");
    counts[1]++;
}

/* How much is there to be lost? */
static int confirm_expunge(struct mailctl *m, const struct arguments *a, const json_t *args)
{
    int64_t counts[2] = {0};
    char messages[COUNT_TEXT], mailboxes[COUNT_TEXT];
    bool json = m->json;
    if (option(a, "--yes"))
        return EXIT_OK;
    m->json = false;
    int status = ask_items(m, "search", json_deep_copy(args), count_found, counts, NULL);
    m->json = json;
    if (status != EXIT_OK || counts[0] == 0)
        return status;
    return confirm(a, "Expunge %s in %s?", count_of(messages, counts[0], "message"),
                   count_of(mailboxes, counts[1], "mailbox"))
               ? EXIT_OK
               : EXIT_FAILED;
}

int command_expunge(struct mailctl *m, const struct arguments *a)
{
    size_t next;
    json_t *args = query_args(a, 0, &next);
    if (!args)
        return EXIT_USAGE;
    int status = confirm_expunge(m, a, args);
    if (status == EXIT_OK)
        return change(m, "expunge", args, "expunged");
    json_decref(args);
    return status;
}

static int transfer(struct mailctl *m, const struct arguments *a, const char *verb,
                    const char *what)
{
    size_t next;
    if (option(a, "--all") && !option(a, "--to-user"))
        return fail_usage("--all needs --to-user: whose mailbox it is");
    json_t *args = query_args(a, 1, &next);
    if (!args)
        return EXIT_USAGE;
    json_object_set_new(args, "to", json_string(a->words[next]));
    if (option(a, "--to-user"))
        json_object_set_new(args, "to_user", json_string(option(a, "--to-user")));
    if (option(a, "--create"))
        json_object_set_new(args, "create", json_true());
    return change(m, verb, args, what);
}

int command_move(struct mailctl *m, const struct arguments *a)
{
    return transfer(m, a, "move", "moved");
}

int command_copy(struct mailctl *m, const struct arguments *a)
{
    return transfer(m, a, "copy", "copied");
}

static int flags(struct mailctl *m, const struct arguments *a, const char *how)
{
    size_t next;
    json_t *args = query_args(a, 1, &next);
    if (!args)
        return EXIT_USAGE;
    json_object_set_new(args, "change", json_string(how));
    json_object_set_new(args, "flags", json_string(a->words[next]));
    return change(m, "flags", args, "changed flags of");
}

int command_flags_add(struct mailctl *m, const struct arguments *a)
{
    return flags(m, a, "add");
}

int command_flags_remove(struct mailctl *m, const struct arguments *a)
{
    return flags(m, a, "remove");
}

int command_flags_set(struct mailctl *m, const struct arguments *a)
{
    return flags(m, a, "set");
}
