/*
 * Messages that were expunged and mailboxes that were deleted: see them, bring them back, remove
 * them for good.
 */
#include "core/clock.h"
#include "core/config_unit.h"
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "2h", "7d": before now; "2026-11-21", "2026-11-21 14:30": local time. */
static bool parse_moment(const char *text, int64_t *seconds)
{
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
                                        "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};
    usec duration;

    if (unit_parse_duration(str_from_c(text), &duration)) {
        *seconds = (clock_wall() - duration) / USEC_SEC;
        return true;
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        struct tm local = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &local);
        if (end && *end == '\0') {
            local.tm_isdst = -1;
            *seconds = (int64_t)mktime(&local);
            return *seconds != -1;
        }
    }
    return false;
}

bool option_moment(const struct arguments *a, const char *name, json_t *args, const char *as)
{
    const char *text = option(a, name);
    int64_t seconds;

    if (!text)
        return true;
    if (!parse_moment(text, &seconds)) {
        fail_usage("%s: \"%s\" is neither a duration (2h, 7d) nor a date (2026-11-21, "
                   "\"2026-11-21 14:30\")",
                   name, text);
        return false;
    }
    json_object_set_new(args, as, json_integer(seconds));
    return true;
}

struct kept {
    struct table *table;
    size_t messages, mailboxes, failed;
};

static void add_kept(void *arg, const json_t *item)
{
    struct kept *k = arg;

    table_add(k->table, text_of(item, "mailbox"));
    if (json_object_get(item, "deleted")) {
        struct buf b = BUF_EMPTY;
        buf_printf(&b, "the mailbox with %lld messages", (long long)number_of(item, "messages"));
        table_add(k->table, "");
        table_add_time(k->table, number_of(item, "deleted"));
        table_add(k->table, "");
        table_add(k->table, "");
        table_add(k->table, buf_c(&b));
        buf_free(&b);
        k->mailboxes++;
        return;
    }
    table_printf(k->table, "%lld", (long long)number_of(item, "uid"));
    table_add_time(k->table, number_of(item, "expunged"));
    table_add_size(k->table, number_of(item, "size"));
    table_add(k->table, text_of(item, "from"));
    table_add(k->table, text_of(item, "subject"));
    k->messages++;
}

static int list_kept(struct mailctl *m, json_t *args)
{
    static const char *const titles[] = {"mailbox", ">uid",    "expunged", ">size",
                                         "from",    "subject", NULL};
    struct kept k = {.table = table_new(titles)};
    int status = ask_items(m, "mailbox expunged", args, add_kept, &k, NULL);

    table_end(k.table, status == EXIT_OK && !m->json, "nothing that could be brought back");
    return status;
}

static void print_undeleted(void *arg, const json_t *item)
{
    struct kept *k = arg;
    const char *name = text_of(item, "mailbox"), *into = text_of(item, "into");
    const char *error = text_of(item, "error");
    long long messages = (long long)number_of(item, "messages");
    bool whole = json_is_true(json_object_get(item, "whole"));

    if (messages > 0 || whole)
        printf("%s%s%s%s: %lld message%s back\n", whole ? "mailbox " : "", into,
               strcmp(name, into) != 0 ? ", which was " : "", strcmp(name, into) != 0 ? name : "",
               messages, messages == 1 ? " is" : "s are");
    if (error[0]) {
        fail("%s: %s", name, error);
        k->failed++;
    }
    k->messages += (size_t)messages;
    k->mailboxes += whole;
}

int command_mailbox_undelete(struct mailctl *m, const struct arguments *a)
{
    json_t *args = json_pack("{s:s}", "user", a->words[0]);
    struct kept k = {0};

    if (a->count > 1)
        json_object_set_new(args, "mailbox", json_string(a->words[1]));
    if (option(a, "--uid"))
        json_object_set_new(args, "uid", json_string(option(a, "--uid")));
    if (!option_moment(a, "--since", args, "since")) {
        json_decref(args);
        return EXIT_USAGE;
    }
    if (option(a, "--list"))
        return list_kept(m, args);
    int status = ask_items(m, "mailbox undelete", args, print_undeleted, &k, NULL);
    if (status == EXIT_OK && !m->json && k.messages + k.mailboxes + k.failed == 0)
        printf("nothing that could be brought back\n");
    return status == EXIT_OK && k.failed > 0 ? EXIT_FAILED : status;
}

int command_mailbox_purge(struct mailctl *m, const struct arguments *a)
{
    char text[COUNT_TEXT];
    json_t *args = user_args(a), *result = NULL;

    if (!args)
        return EXIT_USAGE;
    if (!option_moment(a, "--before", args, "before")) {
        json_decref(args);
        return EXIT_USAGE;
    }
    if (!confirm(a, "Remove expunged messages of %s for good?",
                 a->count ? a->words[0] : "all users")) {
        json_decref(args);
        return EXIT_FAILED;
    }
    int status = ask(m, "mailbox purge", args, &result);
    if (result)
        printf("removed %s\n", count_of(text, number_of(result, "removed"), "file"));
    json_decref(result);
    return status;
}
