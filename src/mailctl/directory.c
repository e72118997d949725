/*
 * mailctl directory, cache and auth test: what is told of look-ups and logins, as indented text.
 */
#include "mailctl/clean_text.h"
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 12

static bool is(const json_t *object, const char *name, const char *value)
{
    return strcmp(text_of(object, name), value) == 0;
}

/* One line of text from outside. */
static void print_line(int indent, const char *what, const char *text)
{
    printf("%*s%-*s ", indent, "", WIDTH, what);
    clean_text_print(stdout, str_from_c(text), "");
    putchar('\n');
}

static void print_duration(struct buf *b, const json_t *object)
{
    int64_t took = number_of(object, "microseconds");
    if (took > 0)
        buf_printf(b, " (%.1f ms)", (double)took / 1000);
}

static void print_trace(int indent, const json_t *trace)
{
    const json_t *line;
    size_t i;
    json_array_foreach(trace, i, line)
        print_line(indent, text_of(line, "what"), text_of(line, "text"));
}

/* --- what was found --- */

static void print_list(int indent, const char *what, const json_t *list)
{
    const json_t *text;
    size_t i;
    json_array_foreach(list, i, text)
        print_line(indent, i == 0 ? what : "", json_string_value(text));
}

static void print_text(int indent, const json_t *object, const char *name)
{
    if (*text_of(object, name))
        print_line(indent, name, text_of(object, name));
}

static void print_found(int indent, const json_t *found)
{
    static const char *const texts[] = {"login", "address",  "name",      "home",     "kind",
                                        "relay", "no_login", "protocols", "mail_host"};
    static const char *const lists[] = {"addresses", "forwards", "groups", "destinations",
                                        "members"};
    static const char *const marks[] = {"disabled", "internal", "members_only"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        print_text(indent, found, texts[i]);
    if (*text_of(found, "mail") && !is(found, "mail", "accept"))
        print_text(indent, found, "mail");
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        print_list(indent, lists[i], json_object_get(found, lists[i]));
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
        if (json_is_true(json_object_get(found, marks[i])))
            print_line(indent, marks[i], "yes");
}

/* --- directory lookup --- */

static void print_step(int indent, const json_t *step)
{
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "%s: %s", text_of(step, "source"), text_of(step, "result"));
    if (*text_of(step, "error"))
        buf_printf(&b, ": %s", text_of(step, "error"));
    print_duration(&b, step);
    print_line(indent, "source", buf_c(&b));
    buf_free(&b);
    print_trace(indent + 2, json_object_get(step, "trace"));
}

static void print_cached(int indent, const json_t *cached)
{
    struct buf b = BUF_EMPTY;
    if (!json_is_object(cached)) {
        print_line(indent, "cache", "nothing is remembered");
        return;
    }
    buf_printf(&b, "%s", text_of(cached, "result"));
    if (*text_of(cached, "source"))
        buf_printf(&b, " by %s", text_of(cached, "source"));
    buf_add_c(&b, ", ");
    add_duration(&b, number_of(cached, "age"));
    buf_add_c(&b, " ago, ");
    if (number_of(cached, "left") > 0) {
        buf_add_c(&b, "asked again in ");
        add_duration(&b, number_of(cached, "left"));
    } else {
        buf_add_c(&b, "asked again at the next look-up");
    }
    print_line(indent, "cache", buf_c(&b));
    buf_free(&b);
}

static void print_report(int indent, const json_t *report)
{
    static const char *const kinds[] = {"account", "address", "group", "domain"};
    const json_t *step;
    size_t i;
    json_array_foreach(json_object_get(report, "steps"), i, step) print_step(indent, step);
    for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (json_is_object(json_object_get(report, kinds[i])))
            print_found(indent + 2, json_object_get(report, kinds[i]));
    print_cached(indent, json_object_get(report, "cache"));
}

int command_directory_lookup(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    const json_t *question;
    size_t i, found = 0, failed = 0;
    int status = ask(m, "directory lookup", args_of("name", a->words[0], NULL, NULL), &result);
    if (!result)
        return status;
    json_array_foreach(json_object_get(result, "questions"), i, question)
    {
        printf("%s%s %s: %s\n", i > 0 ? "\n" : "", text_of(question, "question"),
               text_of(question, "name"), text_of(question, "result"));
        found += is(question, "result", "found") && !is(question, "question", "domain");
        failed += is(question, "result", "failed");
        print_report(2, question);
    }
    json_decref(result);
    if (failed > 0)
        return fail("a source cannot answer: whether %s exists is not known", a->words[0]);
    return found > 0 ? EXIT_OK : fail_kind(ERR_NOT_FOUND, "nobody knows %s", a->words[0]);
}

/* --- directory show --- */

int command_directory_show(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    const json_t *source;
    size_t i;
    (void)a;
    int status = ask(m, "directory show", NULL, &result);
    if (!result)
        return status;
    json_array_foreach(json_object_get(result, "sources"), i, source)
    {
        struct buf b = BUF_EMPTY;
        printf("%s%s (%s)\n", i > 0 ? "\n" : "", text_of(source, "name"), text_of(source, "kind"));
        buf_printf(&b, "%lld, found %lld, failed %lld", (long long)number_of(source, "asked"),
                   (long long)number_of(source, "found"), (long long)number_of(source, "failures"));
        print_line(2, "asked", buf_c(&b));
        if (number_of(source, "failed") > 0) {
            buf_clear(&b);
            add_time(&b, number_of(source, "failed"));
            buf_printf(&b, ": %s", text_of(source, "failure"));
            print_line(2, "last failed", buf_c(&b));
        }
        if (number_of(source, "wrong_seen") > 0) {
            buf_clear(&b);
            add_time(&b, number_of(source, "wrong_seen"));
            buf_printf(&b, ": %s", text_of(source, "wrong_entry"));
            print_line(2, "wrong entry", buf_c(&b));
        }
        print_trace(2, json_object_get(source, "health"));
        buf_free(&b);
    }
    json_decref(result);
    return status;
}

/* --- cache --- */

static void print_cache(const json_t *cache)
{
    struct buf b = BUF_EMPTY;
    char answers[COUNT_TEXT], missing[COUNT_TEXT];
    printf("%s and %s that nobody has, ", count_of(answers, number_of(cache, "answers"), "answer"),
           count_of(missing, number_of(cache, "missing"), "name"));
    add_size(&b, number_of(cache, "bytes"));
    printf("%s\n%lld look-ups were answered from here, %lld were not; %lld by old answers while a "
           "source failed\n",
           buf_c(&b), (long long)number_of(cache, "hits"), (long long)number_of(cache, "misses"),
           (long long)number_of(cache, "stale"));
    buf_free(&b);
}

static void print_entries(const json_t *entries)
{
    static const char *const titles[] = {"question", "name",           "answer", "source",
                                         "age",      "asked again in", NULL};
    struct table *t = table_new(titles);
    const json_t *entry;
    size_t i;
    json_array_foreach(entries, i, entry)
    {
        table_add(t, text_of(entry, "question"));
        table_add(t, text_of(entry, "name"));
        table_add(t, text_of(entry, "result"));
        table_add(t, text_of(entry, "source"));
        table_add_duration(t, number_of(entry, "age"));
        table_add_duration(t, number_of(entry, "left"));
    }
    table_print(t);
}

int command_cache_show(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL, *args = args_of("name", argument(a, 0), NULL, NULL);
    json_object_set_new(args, "limit", json_integer(option(a, "--all") ? 0 : 100));
    int status = ask(m, "cache show", args, &result);
    if (!result)
        return status;
    if (a->count == 0)
        print_cache(json_object_get(result, "cache"));
    const json_t *entries = json_object_get(result, "entries");
    if (json_array_size(entries) > 0) {
        putchar('\n');
        print_entries(entries);
    } else if (a->count > 0) {
        printf("nothing is remembered of %s\n", a->words[0]);
    }
    if (json_is_true(json_object_get(result, "more")))
        printf("and more: --all shows them\n");
    json_decref(result);
    return status;
}

int command_cache_flush(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    char count[COUNT_TEXT];
    int status = ask(m, "cache flush", args_of("name", argument(a, 0), NULL, NULL), &result);
    if (result)
        printf("forgot %s\n", count_of(count, number_of(result, "forgotten"), "answer"));
    json_decref(result);
    return status;
}

/* --- auth test --- */

static void print_auth_step(const json_t *step)
{
    struct buf b = BUF_EMPTY;
    const char *text = text_of(step, "text");
    buf_printf(&b, "%s%s%s", text_of(step, "result"), *text ? ": " : "", text);
    print_duration(&b, step);
    print_line(0, text_of(step, "step"), buf_c(&b));
    buf_free(&b);
    print_trace(4, json_object_get(step, "trace"));
    if (json_object_get(step, "lookup"))
        print_report(4, json_object_get(step, "lookup"));
}

int command_auth_test(struct mailctl *m, const struct arguments *a)
{
    int status = EXIT_OK;
    json_t *result = NULL;
    const json_t *step;
    size_t i;
    const char *user = a->words[0], *password = read_known_password(m, a, user, &status);
    if (!password)
        return status;
    json_t *args = args_of("user", user, "password", password);
    if (option(a, "--protocol"))
        json_object_set_new(args, "protocol", json_string(option(a, "--protocol")));
    if (option(a, "--address"))
        json_object_set_new(args, "address", json_string(option(a, "--address")));
    status = ask(m, "auth test", args, &result);
    if (!result)
        return status;
    json_array_foreach(json_object_get(result, "steps"), i, step) print_auth_step(step);
    bool ok = is(result, "result", "ok");
    printf("\n%s%s\n",
           ok ? "logged in as " : "not logged in: ", text_of(result, ok ? "login" : "reason"));
    json_decref(result);
    return ok ? EXIT_OK : EXIT_FAILED;
}
