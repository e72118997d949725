/*
 * mailctl trace: the story of a message, or the list of those of an address.
 */
#include "mailctl/trace.h"

#include "core/mem.h"
#include "mailctl/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORDS_COLUMN 16 /* behind "  10:11:12.123  " */

struct telling {
    struct table *list;
    char *story, day[16];
    size_t count;
};

/* "2026-11-22" and "10:11:12.123", local time. */
static void split_time(const json_t *item, char day[16], char time[24])
{
    const json_t *begin = json_object_get(item, "begin");
    double when = json_number_value(begin ? begin : json_object_get(item, "time"));
    time_t seconds = (time_t)when;
    struct tm local;
    localtime_r(&seconds, &local);
    strftime(day, 16, "%Y-%m-%d", &local);
    size_t n = strftime(time, 24, "%H:%M:%S", &local);
    int msec = (int)((when - (double)seconds) * 1000 + 0.5);
    snprintf(time + n, 24 - n, ".%03d", msec < 1000 ? msec : 999);
}

static void add_row(struct telling *t, const json_t *item)
{
    static const char *const titles[] = {"time", "id", "from", "to", ">size", "status", NULL};
    const char *status = text_of(item, "status");
    if (!t->list)
        t->list = table_new(titles);
    table_add_time(t->list, (int64_t)json_number_value(json_object_get(item, "time")));
    table_add(t->list, text_of(item, "message"));
    table_add(t->list, *text_of(item, "from") ? text_of(item, "from") : "<>");
    if (number_of(item, "recipients") > 1)
        table_printf(t->list, "%s +%lld", text_of(item, "to"),
                     (long long)number_of(item, "recipients") - 1);
    else
        table_add(t->list, text_of(item, "to"));
    table_add_size(t->list, number_of(item, "size"));
    table_add_shaded(t->list,
                     strcmp(status, "sent") == 0                                        ? SHADE_GOOD
                     : strcmp(status, "bounced") == 0 || strcmp(status, "refused") == 0 ? SHADE_BAD
                     : strcmp(status, "deferred") == 0                                  ? SHADE_WARN
                                                       : SHADE_NONE,
                     status);
}

static void begin_story(struct telling *t, const char *id)
{
    printf("%s%s%s%s\n", t->count > 0 ? "\n" : "", shade_begin(SHADE_BOLD),
           *id ? id : "without an id", shade_end());
    free(t->story);
    t->story = mem_dup(id, strlen(id));
    t->day[0] = '\0';
    t->count++;
}

static void tell_event(struct telling *t, const json_t *item)
{
    struct buf words = BUF_EMPTY;
    char day[16], time[24];
    const char *id = text_of(item, "id"), *story = text_of(item, "story");
    if (!t->story || strcmp(t->story, story) != 0)
        begin_story(t, story);
    split_time(item, day, time);
    if (strcmp(day, t->day) != 0)
        printf("  %s%s%s\n", shade_begin(SHADE_DIM), day, shade_end());
    memcpy(t->day, day, sizeof(day));
    if (*id && strcmp(id, story) != 0)
        buf_printf(&words, "[%s] ", id);
    trace_say(&words, item);
    enum shade shade = trace_shade(item);
    printf("  %s%s%s  %s", shade_begin(SHADE_DIM), time, shade_end(), shade_begin(shade));
    screen_words(buf_str(&words), WORDS_COLUMN);
    printf("%s\n", shade == SHADE_NONE ? "" : shade_end());
    buf_free(&words);
}

static void tell(void *arg, const json_t *item)
{
    if (json_object_get(item, "message"))
        add_row(arg, item);
    else
        tell_event(arg, item);
}

static void add_notes(const json_t *result, bool list)
{
    if (json_is_true(json_object_get(result, "more")))
        printf("There are more, earlier ones: --limit, --since, --until.\n");
    if (json_is_true(json_object_get(result, "incomplete")) && number_of(result, "late") == 0)
        printf("There is more than this; it was too much to be followed to the end.\n");
    if (number_of(result, "damaged") > 0)
        printf("Some of what was kept is damaged (%lld blocks); something may be missing.\n",
               (long long)number_of(result, "damaged"));
    if (list)
        printf("The story of one: mailctl trace ID; of all of these: --all.\n");
}

static bool add_options(const struct arguments *a, json_t *args)
{
    static const char *const numbers[][2] = {{"--limit", "limit"}, {"--uid", "uid"}};
    uint32_t n;
    for (size_t i = 0; i < 2; i++) {
        const char *text = option(a, numbers[i][0]);
        if (!text)
            continue;
        if (!str_to_u32(str_from_c(text), &n) || n == 0) {
            fail_usage("%s: \"%s\" is no number above 0", numbers[i][0], text);
            return false;
        }
        json_object_set_new(args, numbers[i][1], json_integer(n));
    }
    if (option(a, "--all"))
        json_object_set_new(args, "all", json_true());
    return option_moment(a, "--since", args, "since") && option_moment(a, "--until", args, "until");
}

int command_trace(struct mailctl *m, const struct arguments *a)
{
    struct telling t = {0};
    json_t *result = NULL, *args = args_of("what", argument(a, 0), "user", option(a, "--user"));
    if (option(a, "--mailbox"))
        json_object_set_new(args, "mailbox", json_string(option(a, "--mailbox")));
    if (!add_options(a, args)) {
        json_decref(args);
        return EXIT_USAGE;
    }
    int status = ask_items(m, "trace", args, tell, &t, &result);
    int64_t late = result ? number_of(result, "late") : 0;
    bool found = result && number_of(result, "messages") + number_of(result, "stories") > 0;
    if (t.list)
        table_print(t.list);
    if (result && !m->json)
        add_notes(result, t.list != NULL);
    if (late > 0)
        fprintf(stderr,
                "mailctl: the search was cut off after %lld seconds, there may be more; --since "
                "and --until narrow it down\n",
                (long long)late);
    json_decref(result);
    free(t.story);
    if (status == EXIT_OK && late > 0)
        return EXIT_FAILED;
    if (status == EXIT_OK && !found)
        return fail_kind(ERR_NOT_FOUND, "nothing is known of %s",
                         argument(a, 0) ? argument(a, 0) : "it");
    return status;
}
