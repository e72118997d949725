/*
 * Changing the queue: what is done to messages, and pauses. Before many messages are deleted the
 * server counts them and somebody has to say yes.
 */
#include "mailctl/queue.h"

#include <stdio.h>
#include <string.h>

struct operation {
    const char *verb;
    const char *done; /* "12 messages are on hold" */
};

static void print_error(void *arg, const json_t *item)
{
    (void)arg;
    fail("%s", text_of(item, "error"));
}

/* With --json the result, whatever could not be done being in it. */
static int print_result(struct mailctl *m, json_t *failures, json_t *result, const char *done)
{
    char messages[COUNT_TEXT];
    int64_t failed = number_of(result, "failed"), count = number_of(result, "messages");
    if (m->json) {
        json_object_set(result, "failures", failures);
        print_json(result);
    } else {
        printf("%s %s %s\n", count_of(messages, count, "message"), count == 1 ? "is" : "are", done);
    }
    return failed ? EXIT_FAILED : EXIT_OK;
}

/* Takes args. */
static int operate(struct mailctl *m, json_t *args, const struct operation *o)
{
    struct err e;
    enum client_got got = CLIENT_FAILED;
    json_t *json = NULL, *failures = json_array();
    struct client *c = client_open(m, &e);
    if (!c)
        json_decref(args);
    else if (client_begin(c, o->verb, args, &e))
        while ((got = client_next(c, &json, &e)) == CLIENT_ITEM) {
            if (!m->json)
                print_error(NULL, json);
            json_array_append_new(failures, json);
        }
    if (c)
        client_close(c);
    int status = got == CLIENT_DONE ? print_result(m, failures, json, o->done) : fail_error(&e);
    json_decref(failures);
    if (got == CLIENT_DONE)
        json_decref(json);
    return status;
}

static int select_and_operate(struct mailctl *m, const struct arguments *a, int least,
                              const struct operation *o)
{
    json_t *args = queue_select(a, 0, least);
    return args ? operate(m, args, o) : EXIT_USAGE;
}

/* Without anything: all. */
int command_queue_retry(struct mailctl *m, const struct arguments *a)
{
    static const struct operation o = {"queue retry", "tried now"};
    return select_and_operate(m, a, SELECT_ANYTHING, &o);
}

int command_queue_hold(struct mailctl *m, const struct arguments *a)
{
    static const struct operation o = {"queue hold", "on hold"};
    return select_and_operate(m, a, SELECT_SOMETHING, &o);
}

int command_queue_release(struct mailctl *m, const struct arguments *a)
{
    static const struct operation o = {"queue release", "released"};
    return select_and_operate(m, a, SELECT_SOMETHING, &o);
}

int command_queue_requeue(struct mailctl *m, const struct arguments *a)
{
    static const struct operation o = {"queue requeue", "on the way again from the start"};
    return select_and_operate(m, a, SELECT_SOMETHING, &o);
}

int command_queue_flush(struct mailctl *m, const struct arguments *a)
{
    static const struct operation o = {"queue flush", "tried now"};
    json_t *args = json_pack("{s:{}}", "filter");
    json_object_set_new(args, "destination", json_string(a->words[0]));
    return operate(m, args, &o);
}

/* How many are meant; -1: *status, which was said. */
static int64_t count_messages(struct mailctl *m, const json_t *args, int *status)
{
    struct err e;
    json_t *result = NULL, *count = json_deep_copy(args);
    if (json_object_get(args, "ids")) {
        json_decref(count);
        return (int64_t)json_array_size(json_object_get(args, "ids"));
    }
    json_object_set_new(count, "count", json_true());
    struct client *c = client_open(m, &e);
    if (!c)
        json_decref(count);
    bool ok = c && client_call(c, "queue list", count, &result, &e);
    if (c)
        client_close(c);
    int64_t found = ok ? number_of(result, "found") : -1;
    json_decref(result);
    if (!ok)
        *status = fail_error(&e);
    return found;
}

static int confirm_deletion(struct mailctl *m, const struct arguments *a, const json_t *args)
{
    char messages[COUNT_TEXT];
    int status = EXIT_FAILED;
    int64_t found = option(a, "--yes") ? 0 : count_messages(m, args, &status);
    if (found < 0)
        return status;
    return found == 0 || confirm(a, "Delete %s without telling their senders?",
                                 count_of(messages, found, "message"))
               ? EXIT_OK
               : EXIT_FAILED;
}

int command_queue_delete(struct mailctl *m, const struct arguments *a)
{
    static const struct operation o = {"queue delete", "deleted"};
    json_t *args = queue_select(a, 0, SELECT_SOMETHING);
    if (!args)
        return EXIT_USAGE;
    int status = confirm_deletion(m, a, args);
    if (status == EXIT_OK)
        return operate(m, args, &o);
    json_decref(args);
    return status;
}

/* --- pauses --- */

/* The key of a destination, or of a route; "" : everything. In the arena. */
static const char *pause_key(struct mailctl *m, const struct arguments *a)
{
    const char *route = option(a, "--route");
    if (route)
        return arena_printf(m->arena, "rule %s", route).p;
    return a->count ? a->words[0] : "";
}

static int change_pause(struct mailctl *m, const struct arguments *a, const char *verb,
                        const char *done)
{
    if (a->count && option(a, "--route"))
        return fail_usage("a destination or --route, not both");
    const char *key = pause_key(m, a);
    int status = ask(m, verb, args_of("destination", key, NULL, NULL), NULL);
    if (status == EXIT_OK && !m->json)
        printf("%s: %s\n", done, key[0] ? key : "all sending");
    return status;
}

int command_queue_pause(struct mailctl *m, const struct arguments *a)
{
    return change_pause(m, a, "queue pause", "paused");
}

int command_queue_resume(struct mailctl *m, const struct arguments *a)
{
    return change_pause(m, a, "queue resume", "goes on");
}
