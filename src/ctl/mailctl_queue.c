/*
 * The queue and the connected clients.
 */
#include "core/clock.h"
#include "ctl/mailctl.h"

#include <stdio.h>
#include <string.h>

static int64_t now(void)
{
    return clock_wall() / USEC_SEC;
}

static void add_next_attempt(struct table *t, const json_t *recipient)
{
    int64_t next = number_of(recipient, "next_attempt");
    if (strcmp(text_of(recipient, "state"), "waiting") != 0)
        table_add(t, text_of(recipient, "state"));
    else if (next <= now())
        table_add(t, "now");
    else
        table_add_duration(t, next - now());
}

/* Why it waits. */
static const char *reason_of(const json_t *message, const json_t *recipient)
{
    const char *error = text_of(recipient, "last_error");
    return number_of(message, "held_until") && !error[0] ? "held, as its sender asked" : error;
}

/* Only the first of a message's rows says what is the same in all of them. */
static void add_message(struct table *t, const json_t *message)
{
    if (!message) {
        for (int i = 0; i < 4; i++)
            table_add(t, "");
        return;
    }
    const char *sender = text_of(message, "sender");
    table_add(t, text_of(message, "id"));
    table_add_size(t, number_of(message, "size"));
    table_add_duration(t, now() - number_of(message, "arrival"));
    table_add(t, sender[0] ? sender : "<>");
}

int command_queue_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"id",     ">size", "age",        "sender", "recipient",
                                         ">tries", "next",  "last error", NULL};
    json_t *messages = NULL, *message, *recipient;
    size_t i, j;
    (void)a;
    int status = ask(m, "queue list", NULL, &messages);
    if (!messages)
        return status;
    if (json_array_size(messages) == 0) {
        printf("the queue is empty\n");
        json_decref(messages);
        return status;
    }
    struct table *t = table_new(titles);
    json_array_foreach(messages, i, message)
    {
        json_array_foreach(json_object_get(message, "recipients"), j, recipient)
        {
            add_message(t, j == 0 ? message : NULL);
            table_add(t, text_of(recipient, "address"));
            table_printf(t, "%lld", (long long)number_of(recipient, "attempts"));
            add_next_attempt(t, recipient);
            table_add(t, reason_of(message, recipient));
        }
    }
    table_print(t);
    json_decref(messages);
    return status;
}

/* The header of a stranger's message: control characters but line ends and tabs become '?'. */
static void print_header(const char *header)
{
    printf("\n");
    for (; *header; header++) {
        unsigned char c = (unsigned char)*header;
        putchar((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : c);
    }
}

int command_queue_show(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"recipient", "state",      ">tries", "next",
                                         "relay",     "last error", "notify", NULL};
    json_t *message = NULL, *recipient;
    size_t i;
    struct buf b = BUF_EMPTY;
    int status = ask(m, "queue show", json_pack("{s:s}", "id", a->words[0]), &message);
    if (!message)
        return status;
    const char *sender = text_of(message, "sender");
    printf("id        %s\nsender    %s\n", text_of(message, "id"), sender[0] ? sender : "<>");
    add_size(&b, number_of(message, "size"));
    buf_add_c(&b, "\narrived   ");
    add_time(&b, number_of(message, "arrival"));
    buf_add_c(&b, "\nexpires   ");
    add_time(&b, number_of(message, "expires"));
    if (number_of(message, "held_until")) {
        buf_add_c(&b, "\nheld until ");
        add_time(&b, number_of(message, "held_until"));
        buf_add_c(&b, ", as its sender asked");
    }
    if (*text_of(message, "options"))
        buf_printf(&b, "\nasked for %s", text_of(message, "options"));
    printf("size      %s\n\n", buf_c(&b));
    buf_free(&b);
    struct table *t = table_new(titles);
    json_array_foreach(json_object_get(message, "recipients"), i, recipient)
    {
        table_add(t, text_of(recipient, "address"));
        table_add(t, text_of(recipient, "state"));
        table_printf(t, "%lld", (long long)number_of(recipient, "attempts"));
        add_next_attempt(t, recipient);
        table_add(t, text_of(recipient, "relay"));
        table_add(t, reason_of(message, recipient));
        table_add(t, text_of(recipient, "notify"));
    }
    table_print(t);
    print_header(text_of(message, "header"));
    json_decref(message);
    return status;
}

int command_queue_retry(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    json_t *args = a->count ? json_pack("{s:s}", "id", a->words[0]) : json_object();
    int status = ask(m, "queue retry", args, &result);
    if (!result)
        return status;
    printf("%lld messages are tried now\n", (long long)number_of(result, "messages"));
    json_decref(result);
    return status;
}

int command_queue_delete(struct mailctl *m, const struct arguments *a)
{
    int status = EXIT_OK;
    for (size_t i = 0; i < a->count && status == EXIT_OK; i++) {
        status = ask(m, "queue delete", json_pack("{s:s}", "id", a->words[i]), NULL);
        if (status == EXIT_OK && !m->json)
            printf("deleted %s\n", a->words[i]);
    }
    return status;
}

int command_who(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"service", "id",    "client", "login",
                                         "since",   "doing", NULL};
    json_t *sessions = NULL, *session;
    size_t i;
    (void)a;
    int status = ask(m, "who", NULL, &sessions);
    if (!sessions)
        return status;
    struct table *t = table_new(titles);
    json_array_foreach(sessions, i, session)
    {
        table_add(t, text_of(session, "component"));
        table_add(t, text_of(session, "id"));
        table_add(t, text_of(session, "peer"));
        table_add(t, text_of(session, "login"));
        table_add_duration(t, now() - number_of(session, "since"));
        table_add(t, text_of(session, "state"));
    }
    table_print(t);
    json_decref(sessions);
    return status;
}
