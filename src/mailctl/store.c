/*
 * The store as a whole: check, rebuild, release, flush.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <string.h>

struct findings {
    size_t count, bad; /* bad: neither harmless nor repaired */
};

static void print_finding(void *arg, const json_t *item)
{
    struct findings *f = arg;
    bool harmless = json_is_true(json_object_get(item, "harmless"));
    bool repaired = json_is_true(json_object_get(item, "repaired"));
    const char *mailbox = text_of(item, "mailbox");

    printf("%s%s%s: %s%s\n", text_of(item, "user"), mailbox[0] ? " " : "", mailbox,
           text_of(item, "finding"),
           repaired   ? " - repaired"
           : harmless ? " - harmless"
                      : "");
    f->count++;
    f->bad += !harmless && !repaired;
}

static int end_check(const json_t *result, const struct findings *f)
{
    struct buf size = BUF_EMPTY;
    char texts[3][COUNT_TEXT];

    add_size(&size, number_of(result, "bytes"));
    printf("%s, %s, %s, %s: %s\n", count_of(texts[0], number_of(result, "users"), "user"),
           count_of(texts[1], number_of(result, "mailboxes"), "mailbox"),
           count_of(texts[2], number_of(result, "messages"), "message"), buf_c(&size),
           f->count == 0 ? "everything fits"
           : f->bad == 0 ? "nothing is wrong but what was repaired or is harmless"
                         : "see above");
    buf_free(&size);
    return f->bad > 0 ? EXIT_FAILED : EXIT_OK;
}

int command_store_check(struct mailctl *m, const struct arguments *a)
{
    json_t *args = user_args(a), *result = NULL;
    struct findings f = {0};

    if (!args)
        return EXIT_USAGE;
    if (option(a, "--repair"))
        json_object_set_new(args, "repair", json_true());
    int status = ask_items(m, "store check", args, print_finding, &f, &result);
    if (status == EXIT_OK && !m->json)
        status = end_check(result, &f);
    json_decref(result);
    return status;
}

static void print_rebuilt(void *arg, const json_t *item)
{
    struct findings *f = arg;
    const char *error = text_of(item, "error");

    if (error[0]) {
        fail("%s: %s", text_of(item, "mailbox"), error);
        f->bad++;
        return;
    }
    printf("%s: %lld messages%s\n", text_of(item, "mailbox"),
           (long long)number_of(item, "messages"),
           json_is_true(json_object_get(item, "in_use"))
               ? "; a client has it open, so what is in memory stays"
               : "");
}

int command_store_rebuild(struct mailctl *m, const struct arguments *a)
{
    json_t *args = json_pack("{s:s}", "user", a->words[0]);
    struct findings f = {0};

    if (a->count > 1)
        json_object_set_new(args, "mailbox", json_string(a->words[1]));
    int status = ask_items(m, "store rebuild", args, print_rebuilt, &f, NULL);
    return status == EXIT_OK && f.bad > 0 ? EXIT_FAILED : status;
}

int command_store_release(struct mailctl *m, const struct arguments *a)
{
    json_t *args = args_of("user", a->words[0], "mailbox", argument(a, 1)), *result = NULL;
    int status = ask(m, "store release", args, &result);
    if (result && number_of(result, "crashes") == 0)
        printf("%s: nothing is set aside because of a crash\n", a->words[0]);
    else if (result)
        printf("%s: taken up again%s\n", a->words[0],
               json_is_true(json_object_get(result, "restart"))
                   ? "; changes that wait for a start need a restart"
                   : "");
    json_decref(result);
    return status;
}

int command_store_flush(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    (void)a;
    int status = ask(m, "store flush", NULL, &result);
    if (result)
        printf("%lld records of the journal are in files and synced now, in %lld ms\n",
               (long long)number_of(result, "records"),
               (long long)number_of(result, "milliseconds"));
    json_decref(result);
    return status;
}
