/*
 * Who asks, and the sessions of clients: who is connected, sending away, limits.
 */
#include "core/clock.h"
#include "mailctl/mailctl.h"
#include "mailctl/queue.h"

#include <stdio.h>
#include <unistd.h>

/* --- who asks --- */

/* What the server says of the caller; NULL: *e. */
static json_t *ask_who(struct mailctl *m, struct err *e)
{
    json_t *who = NULL;
    struct client *c = client_open(m, e);
    bool ok = c && client_call(c, "whoami", NULL, &who, e);
    if (c)
        client_close(c);
    return ok ? who : NULL;
}

bool find_own_login(struct mailctl *m, const char **login, struct err *e)
{
    *login = NULL;
    if (geteuid() == 0)
        return true;
    json_t *who = ask_who(m, e);
    if (who && !json_is_true(json_object_get(who, "administrator")))
        *login = arena_c(m->arena, str_from_c(text_of(who, "login")));
    json_decref(who);
    return who != NULL;
}

int command_whoami(struct mailctl *m, const struct arguments *a)
{
    json_t *who = NULL, *verb;
    size_t i;
    (void)a;
    int status = ask(m, "whoami", NULL, &who);
    if (!who)
        return status;
    if (json_is_true(json_object_get(who, "administrator"))) {
        puts("an administrator: everything");
    } else {
        printf("%s, for what is his own:\n", text_of(who, "login"));
        json_array_foreach(json_object_get(who, "verbs"), i, verb)
            printf("  %s\n", json_string_value(verb));
    }
    json_decref(who);
    return status;
}

/* --- which sessions --- */

static const char *const filters[] = {"--user", "--protocol", "--peer", "--state"};

/* NULL: a mistake, which was said. */
static json_t *session_args(const struct arguments *a)
{
    json_t *args = json_object();
    const char *idle = option(a, "--idle");
    int64_t seconds;
    for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++)
        if (option(a, filters[i]))
            json_object_set_new(args, filters[i] + 2, json_string(option(a, filters[i])));
    if (idle && !queue_parse_duration(str_from_c(idle), &seconds)) {
        fail_usage("--idle %s: 30s, 10m, 2h is expected", idle);
        json_decref(args);
        return NULL;
    }
    if (idle)
        json_object_set_new(args, "idle", json_integer(seconds));
    return args;
}

/* --- who --- */

static void add_session(void *arg, const json_t *session)
{
    struct table *t = arg;
    table_add(t, text_of(session, "component"));
    table_add(t, text_of(session, "id"));
    table_add(t, text_of(session, "peer"));
    table_add(t, text_of(session, "login"));
    table_add_duration(t, clock_wall() / USEC_SEC - number_of(session, "since"));
    table_add_duration(t, number_of(session, "idle"));
    table_add(t, text_of(session, "state"));
}

static void add_count(void *arg, const json_t *item)
{
    struct table *t = arg;
    const char *name = text_of(item, "name");
    table_printf(t, "%lld", (long long)number_of(item, "sessions"));
    table_add(t, name[0] ? name : "-");
}

int command_who(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"service", "id",   "client", "login",
                                         "since",   "idle", "doing",  NULL};
    const char *by = option(a, "--count");
    const char *counted[] = {">sessions", by, NULL};
    json_t *args = session_args(a);
    if (!args)
        return EXIT_USAGE;
    if (by)
        json_object_set_new(args, "count", json_string(by));
    struct table *t = table_new(by ? counted : titles);
    int status = ask_items(m, "who", args, by ? add_count : add_session, t, NULL);
    table_end(t, status == EXIT_OK && !m->json,
              a->option_count > 0 ? "nobody of that kind is connected" : "nobody is connected");
    return status;
}

/* --- kick --- */

/* How many fit; negative: *e says why it could not be asked. Takes args. */
static int64_t count_sessions(struct mailctl *m, json_t *args, struct err *e)
{
    enum client_got got = CLIENT_FAILED;
    json_t *json = NULL;
    int64_t count = -1;
    struct client *c = client_open(m, e);
    json_object_set_new(args, "count", json_string("protocol"));
    if (!c)
        json_decref(args);
    else if (client_begin(c, "who", args, e))
        while ((got = client_next(c, &json, e)) == CLIENT_ITEM)
            json_decref(json);
    if (got == CLIENT_DONE) {
        count = number_of(json, "sessions");
        json_decref(json);
    }
    if (c)
        client_close(c);
    return count;
}

static int do_kick(struct mailctl *m, json_t *args)
{
    char sessions[COUNT_TEXT];
    json_t *result = NULL;
    int status = ask(m, "kick", args, &result);
    if (result)
        printf("%s ended\n", count_of(sessions, number_of(result, "sessions"), "session"));
    json_decref(result);
    return status;
}

int command_kick(struct mailctl *m, const struct arguments *a)
{
    char sessions[COUNT_TEXT];
    struct err e = {0};
    json_t *args = session_args(a);
    if (!args)
        return EXIT_USAGE;
    if ((a->count > 0) == (json_object_size(args) > 0)) {
        json_decref(args);
        return fail_usage("a session's id, or options that say which sessions");
    }
    if (a->count > 0)
        json_object_set_new(args, "id", json_string(a->words[0]));
    else if (!option(a, "--yes")) {
        int64_t count = count_sessions(m, json_deep_copy(args), &e);
        if (count < 0 ||
            (count > 1 && !confirm(a, "End %s?", count_of(sessions, count, "session")))) {
            json_decref(args);
            return count < 0 ? fail_error(&e) : EXIT_FAILED;
        }
    }
    return do_kick(m, args);
}

/* --- limits --- */

#define MOST_SHOWN 3

static void add_most(struct table *t, const json_t *item)
{
    struct buf text = BUF_EMPTY;
    const json_t *most = json_object_get(item, "most"), *one;
    int64_t limit = number_of(item, "limit");
    size_t i;
    json_array_foreach(most, i, one)
    {
        bool full = limit > 0 && number_of(one, "present") >= limit;
        if (i < MOST_SHOWN || full)
            buf_printf(&text, "%s%s: %lld%s", i > 0 ? ", " : "", text_of(one, "name"),
                       (long long)number_of(one, "present"), full ? " (full)" : "");
    }
    table_add(t, buf_c(&text));
    buf_free(&text);
}

static void add_limit(void *arg, const json_t *item)
{
    struct table *t = arg;
    int64_t limit = number_of(item, "limit"), busy = number_of(item, "busy");
    int64_t present = number_of(item, "present");
    const char *unit = text_of(item, "unit");
    struct buf text = BUF_EMPTY;
    bool full = limit > 0 && present >= limit, near = busy > 0 && present >= busy;
    table_add(t, text_of(item, "name"));
    buf_printf(&text, "%lld", (long long)present);
    table_add_shaded(t, full ? SHADE_BAD : near ? SHADE_WARN : SHADE_NONE, buf_c(&text));
    if (limit > 0)
        table_printf(t, "%lld", (long long)limit);
    else
        table_add(t, "none");
    table_add(t, unit);
    add_most(t, item);
    buf_free(&text);
}

int command_limits(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"limit", ">present", ">of", "what", "most", NULL};
    struct table *t = table_new(titles);
    (void)a;
    int status = ask_items(m, "limits", NULL, add_limit, t, NULL);
    table_end(t, status == EXIT_OK && !m->json, "there are no limits");
    return status;
}
