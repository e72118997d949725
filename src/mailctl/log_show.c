/*
 * mailctl log show: the last lines of the log's file, and with --follow those that come. The file
 * is read, not the server asked: who wants the log may want to know why there is no server.
 *
 * The last so many lines that are wanted are found from the end: a growing part of the file is
 * looked through until it has enough of them, and then once more to print them.
 */
#include "core/disk.h"
#include "core/log.h"
#include "ctl/server_settings.h"
#include "mailctl/clean_text.h"
#include "mailctl/interrupt.h"
#include "mailctl/log_file.h"
#include "mailctl/mailctl.h"
#include "trace/line.h"

#include <stdio.h>

#define LINES_DEFAULT 20
#define FIRST_PART    ((uint64_t)64 * 1024)

struct showing {
    struct str text;      /* a line has it, in any case; n 0: any */
    struct str component; /* n 0: any */
    enum log_level least;
    usec since;     /* 0: whenever */
    uint64_t lines; /* so many, the last ones; UINT64_MAX: all */

    bool json, follow;
    struct line_clock clock;
    bool early;              /* a line was older than `since` */
    uint64_t found, skipped; /* of the lines that are wanted */
    uint64_t skip;
    uint64_t printed;
};

/* --- what is wanted --- */

static bool read_since(const struct arguments *a, usec *since)
{
    json_t *moment = json_object();
    bool ok = option_moment(a, "--since", moment, "since");
    *since = number_of(moment, "since") * USEC_SEC;
    json_decref(moment);
    return ok;
}

/* EXIT_OK, or it was said what is wrong. */
static int read_arguments(const struct arguments *a, struct showing *s)
{
    const char *level = option(a, "--level"), *lines = option(a, "--lines");
    uint32_t count;
    s->text = str_from_c(argument(a, 0));
    s->component = str_from_c(option(a, "--component"));
    s->follow = option(a, "--follow") != NULL;
    s->least = LOG_LEVEL_DEBUG;
    if (level && !log_level_of_name(str_from_c(level), &s->least))
        return fail_usage("--level: debug, info, warning or error");
    if (!read_since(a, &s->since))
        return EXIT_USAGE;
    s->lines = s->since ? UINT64_MAX : LINES_DEFAULT;
    if (lines && !str_to_u32(str_from_c(lines), &count))
        return fail_usage("--lines: \"%s\" is no number", lines);
    if (lines)
        s->lines = count;
    return EXIT_OK;
}

/* What is no line of the log has no level and no component. */
static bool is_wanted(struct showing *s, struct str line, struct trace_event *event, bool *parsed)
{
    *parsed = line_parse(line, &s->clock, event);
    if (*parsed && event->when < s->since) {
        s->early = true;
        return false;
    }
    if (s->text.n > 0 && str_find_nocase(line, s->text) < 0)
        return false;
    if (!*parsed)
        return s->component.n == 0 && s->least == LOG_LEVEL_DEBUG && s->since == 0;
    return event->level >= s->least &&
           (s->component.n == 0 || str_equal(event->component, s->component));
}

/* --- printing --- */

/* The log has replaced controls, but not everything in its file must be of it. */
static json_t *clean_json(struct str text)
{
    struct buf b = BUF_EMPTY;
    clean_text_add(&b, text, "");
    json_t *json = json_stringn(b.n ? b.p : "", b.n);
    buf_free(&b);
    return json;
}

static void print_as_json(struct showing *s, struct str line, const struct trace_event *event)
{
    json_t *json = json_object();
    if (event) {
        json_object_set_new(json, "time", json_real((double)event->when / USEC_SEC));
        json_object_set_new(json, "level", json_string(log_level_names[event->level]));
        json_object_set_new(json, "component", clean_json(event->component));
        json_object_set_new(json, "id", clean_json(event->id));
    }
    json_object_set_new(json, "text", clean_json(event ? event->text : line));
    if (!s->follow)
        printf(s->printed > 0 ? ",\n" : "\n");
    json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(13));
    if (s->follow)
        putchar('\n');
    json_decref(json);
}

static void print_for_people(struct str line, const struct trace_event *event)
{
    struct buf b = BUF_EMPTY;
    enum shade shade = !event                              ? SHADE_DIM
                       : event->level == LOG_LEVEL_ERROR   ? SHADE_BAD
                       : event->level == LOG_LEVEL_WARNING ? SHADE_WARN
                       : event->level == LOG_LEVEL_DEBUG   ? SHADE_DIM
                                                           : SHADE_NONE;
    clean_text_add(&b, line, "");
    printf("%s%s%s\n", shade_begin(shade), buf_c(&b), shade == SHADE_NONE ? "" : shade_end());
    buf_free(&b);
}

static bool count_line(void *arg, struct str line)
{
    struct showing *s = arg;
    struct trace_event event;
    bool parsed;
    s->found += is_wanted(s, line, &event, &parsed);
    return !is_interrupted();
}

static bool show_line(void *arg, struct str line)
{
    struct showing *s = arg;
    struct trace_event event;
    bool parsed;
    if (!is_wanted(s, line, &event, &parsed))
        return !is_interrupted();
    if (s->skipped < s->skip) {
        s->skipped++;
        return !is_interrupted();
    }
    if (s->json)
        print_as_json(s, line, parsed ? &event : NULL);
    else
        print_for_people(line, parsed ? &event : NULL);
    s->printed++;
    return !is_interrupted() && !ferror(stdout);
}

/* --- the last lines --- */

/* Goes to where enough of them begin, and says how many are before those. */
static bool find_last(struct showing *s, struct log_file *f, struct err *e)
{
    uint64_t size = 0, part = FIRST_PART;
    if (f->fd >= 0)
        disk_size(f->fd, &size);
    for (bool all = false; !all; part *= 4) {
        uint64_t from = size > part ? size - part : 0;
        all = from == 0;
        s->found = 0;
        s->early = false;
        if (!log_file_seek(f, from, e) || !log_file_read(f, count_line, s, e))
            return false;
        all = all || s->found >= s->lines || s->early;
        if (all && !log_file_seek(f, from, e))
            return false;
    }
    s->skip = s->found > s->lines ? s->found - s->lines : 0;
    return true;
}

static bool follow(struct showing *s, struct log_file *f, struct err *e)
{
    bool more = true;
    log_file_wait(f);
    while (more && !is_interrupted()) {
        more = log_file_read_new(f, show_line, s, e);
        fflush(stdout);
        if (more)
            log_file_wait(f);
    }
    return more || e->kind == ERR_NONE;
}

static bool show(struct showing *s, struct log_file *f, struct err *e)
{
    if (!find_last(s, f, e) || !log_file_read(f, show_line, s, e))
        return e->kind == ERR_NONE;
    fflush(stdout);
    return !s->follow || follow(s, f, e);
}

/* --- the command --- */

/* NULL: *e. */
static const char *path_of_log(struct mailctl *m, struct err *e)
{
    struct log_target list[LOG_KINDS];
    size_t count = 0;
    if (!mailctl_settings(m, e) || !server_log_targets(m->settings, list, &count, e))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (list[i].kind == LOG_KIND_FILE)
            return list[i].path;
    err_set(e, ERR_NOT_FOUND,
            "the log goes to no file (settings log and log_to); with systemd: journalctl -u maild");
    return NULL;
}

int command_log_show(struct mailctl *m, const struct arguments *a)
{
    struct showing s = {.json = m->json};
    struct log_file f;
    struct err e = {0};
    int status = read_arguments(a, &s);
    const char *path = status == EXIT_OK ? path_of_log(m, &e) : NULL;
    if (!path)
        return status == EXIT_OK ? fail_error(&e) : status;
    interrupt_catch();
    bool ok = log_file_open(&f, path, &e) || (s.follow && e.kind == ERR_NOT_FOUND);
    if (ok && s.json && !s.follow)
        printf("{\"lines\": [");
    ok = ok && show(&s, &f, &e);
    if (s.json && !s.follow && (ok || s.printed > 0))
        printf("\n]}\n");
    if (ok || s.printed > 0)
        json_told();
    log_file_close(&f);
    return ok ? EXIT_OK : fail_error(&e);
}
