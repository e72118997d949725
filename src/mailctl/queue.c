/*
 * Looking at the queue, and at the connected clients.
 */
#include "mailctl/queue.h"

#include "core/clock.h"
#include "mailctl/clean_text.h"

#include <stdio.h>
#include <string.h>

/* Messages that are listed unless more are asked for. */
#define LIST_LIMIT 100

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

/* Somebody stopped it. */
static bool is_stopped(const json_t *message)
{
    json_t *state;
    size_t i;
    json_array_foreach(json_object_get(message, "states"), i, state)
    {
        const char *name = json_string_value(state);
        if (strcmp(name, "held") == 0 || strcmp(name, "future") == 0 || strcmp(name, "paused") == 0)
            return true;
    }
    return false;
}

/* Why it waits: who stopped it, else what went wrong. */
static const char *reason_of(const json_t *message, const json_t *recipient)
{
    const char *why = text_of(recipient, "why"), *error = text_of(recipient, "last_error");
    return error[0] && !is_stopped(message) ? error : why;
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

static void add_more(struct table *t, int64_t count)
{
    add_message(t, NULL);
    table_printf(t, "... %lld more", (long long)count);
    for (int i = 0; i < 3; i++)
        table_add(t, "");
}

struct listing {
    struct table *table;
    int64_t shown;
};

static void list_message(void *arg, const json_t *message)
{
    struct listing *l = arg;
    json_t *recipients = json_object_get(message, "recipients"), *recipient;
    int64_t count = (int64_t)json_array_size(recipients);
    int64_t more = number_of(message, "recipients_left") - count;
    size_t i;
    l->shown++;
    json_array_foreach(recipients, i, recipient)
    {
        add_message(l->table, i == 0 ? message : NULL);
        table_add(l->table, text_of(recipient, "address"));
        table_printf(l->table, "%lld", (long long)number_of(recipient, "attempts"));
        if (is_stopped(message))
            table_add(l->table, "");
        else
            add_next_attempt(l->table, recipient);
        table_add(l->table, reason_of(message, recipient));
    }
    if (count == 0) { /* only its end, or a report, is still to be made */
        add_message(l->table, message);
        for (int column = 0; column < 4; column++)
            table_add(l->table, "");
    }
    if (more > 0)
        add_more(l->table, more);
}

static bool take_limit(const struct mailctl *m, const struct arguments *a, json_t *args)
{
    uint64_t limit = m->json ? 0 : LIST_LIMIT;
    const char *given = option(a, "--limit");
    if (given && !str_to_u64(str_from_c(given), &limit)) {
        fail_usage("--limit %s: a number is expected, 0 for all", given);
        return false;
    }
    json_object_set_new(args, "limit", json_integer((json_int_t)limit));
    return true;
}

static void ignore_item(void *arg, const json_t *item)
{
    (void)arg, (void)item;
}

/* Takes args. */
static int print_count(struct mailctl *m, json_t *args)
{
    json_t *result = NULL;
    bool as_json = m->json;
    json_object_set_new(args, "count", json_true());
    m->json = false; /* there are no items: the result is all */
    int status = ask_items(m, "queue list", args, ignore_item, NULL, &result);
    m->json = as_json;
    if (status == EXIT_OK && m->json)
        print_json(result);
    else if (status == EXIT_OK)
        printf("%lld\n", (long long)number_of(result, "found"));
    json_decref(result);
    return status;
}

int command_queue_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"id",     ">size", "age", "sender", "recipient",
                                         ">tries", "next",  "why", NULL};
    json_t *args = queue_select(a, 0, SELECT_ANYTHING), *result = NULL;
    if (!args || !take_limit(m, a, args)) {
        json_decref(args);
        return EXIT_USAGE;
    }
    if (option(a, "--count"))
        return print_count(m, args);
    bool filtered = json_object_size(json_object_get(args, "filter")) > 0;
    struct listing l = {.table = table_new(titles)};
    int status = ask_items(m, "queue list", args, list_message, &l, &result);
    int64_t found = number_of(result, "found");
    table_end(l.table, status == EXIT_OK && !m->json,
              filtered ? "no message is like that" : "the queue is empty");
    if (status == EXIT_OK && !m->json && found > l.shown)
        printf("\n%lld more: --limit N, 0 for all\n", (long long)(found - l.shown));
    json_decref(result);
    return status;
}

/* The header of a stranger's message. */
static void print_header(const char *header)
{
    printf("\n");
    clean_text_print(stdout, str_from_c(header), "\n\t");
}

static void add_text(struct buf *b, const char *title, const char *text)
{
    if (*text)
        buf_printf(b, "%-11s%s\n", title, text);
}

static void add_moment(struct buf *b, const char *title, int64_t time, const char *more)
{
    if (time == 0)
        return;
    buf_printf(b, "%-11s", title);
    add_time(b, time);
    buf_printf(b, "%s\n", more);
}

static void print_message(const json_t *message)
{
    struct buf b = BUF_EMPTY, size = BUF_EMPTY;
    const char *sender = text_of(message, "sender");
    json_t *state;
    size_t i;
    add_text(&b, "id", text_of(message, "id"));
    add_text(&b, "sender", sender[0] ? sender : "<>");
    add_text(&b, "login", text_of(message, "login"));
    add_text(&b, "by", text_of(message, "component"));
    add_size(&size, number_of(message, "size"));
    add_text(&b, "size", buf_c(&size));
    add_moment(&b, "arrived", number_of(message, "arrival"), "");
    add_moment(&b, "expires", number_of(message, "expires"), "");
    add_moment(&b, "held until", number_of(message, "held_until"), ", as its sender asked");
    add_text(&b, "asked for", text_of(message, "options"));
    buf_clear(&size);
    json_array_foreach(json_object_get(message, "states"), i, state)
    {
        buf_printf(&size, "%s%s", i ? ", " : "", json_string_value(state));
    }
    add_text(&b, "state", buf_c(&size));
    clean_text_print(stdout, buf_str(&b), "\n"); /* addresses are whatever a stranger wrote */
    putchar('\n');
    buf_free(&b);
    buf_free(&size);
}

static void print_recipients(const json_t *recipients)
{
    static const char *const titles[] = {"recipient",  "state",  "destination",
                                         ">tries",     "waits",  "relay",
                                         "last error", "notify", NULL};
    struct table *t = table_new(titles);
    json_t *recipient;
    size_t i;
    json_array_foreach(recipients, i, recipient)
    {
        table_add(t, text_of(recipient, "address"));
        table_add(t, text_of(recipient, "state"));
        table_add(t, text_of(recipient, "destination"));
        table_printf(t, "%lld", (long long)number_of(recipient, "attempts"));
        if (*text_of(recipient, "why"))
            table_add(t, text_of(recipient, "why"));
        else
            add_next_attempt(t, recipient);
        table_add(t, text_of(recipient, "relay"));
        table_add(t, text_of(recipient, "last_error"));
        table_add(t, text_of(recipient, "notify"));
    }
    table_print(t);
}

static void print_tries(const json_t *recipients)
{
    static const char *const titles[] = {"at", "recipient", "relay", "said", NULL};
    struct table *t = table_new(titles);
    json_t *recipient, *try;
    size_t i, k;
    bool any = false;
    json_array_foreach(recipients, i, recipient)
    {
        json_array_foreach(json_object_get(recipient, "tries"), k, try)
        {
            any = true;
            table_add_time(t, number_of(try, "at"));
            table_add(t, text_of(recipient, "address"));
            table_add(t, text_of(try, "relay"));
            table_add(t, text_of(try, "error"));
        }
    }
    if (any)
        printf("\nthe last attempts:\n");
    table_end(t, any, NULL);
}

static void keep_recipient(void *arg, const json_t *item)
{
    json_array_append(arg, (json_t *)item);
}

int command_queue_show(struct mailctl *m, const struct arguments *a)
{
    json_t *message = NULL, *recipients = json_array();
    bool as_json = m->json;
    m->json = false; /* one object, made here */
    int status = ask_items(m, "queue show", json_pack("{s:s}", "id", a->words[0]), keep_recipient,
                           recipients, &message);
    m->json = as_json;
    if (status == EXIT_OK && m->json) {
        json_object_set(message, "recipients", recipients);
        print_json(message);
    } else if (status == EXIT_OK) {
        print_message(message);
        print_recipients(recipients);
        print_tries(recipients);
        print_header(text_of(message, "header"));
    }
    json_decref(recipients);
    json_decref(message);
    return status;
}
