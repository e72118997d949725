/*
 * What an operator must see to. Each kind of trouble is a row of the table and a function that
 * finds it in the object that status is, so that what a person reads, what `mailctl check` counts
 * and what programs are told never differ. Nothing is asked of the parts here.
 */
#include "ctl/ctl_status.h"

#include "core/buf.h"
#include "core/clock.h"
#include "ctl/ctl_json.h"

#include <stdarg.h>
#include <string.h>

/* A source that failed longer ago may be well again: nobody has asked it since. */
#define FAILED_LATELY  300 /* seconds */
#define FREE_PERCENT   5
#define FREE_PLENTY    ((json_int_t)20 * 1024 * 1024 * 1024) /* bytes, whatever the share */
#define NEARLY_PERCENT 90

enum level { WARNING, CRITICAL };

struct finding {
    json_t *list;
    const char *kind;
};

static void add(const struct finding *f, enum level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(const struct finding *f, enum level level, const char *format, ...)
{
    struct buf b = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    json_array_append_new(f->list, json_pack("{s:s, s:s, s:o}", "kind", f->kind, "level",
                                             level == CRITICAL ? "critical" : "warning", "text",
                                             ctl_json_c(buf_c(&b))));
    buf_free(&b);
}

static const json_t *at(const json_t *json, const char *part, const char *name)
{
    return json_object_get(json_object_get(json, part), name);
}

static const char *text(const json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));
    return value ? value : "";
}

static json_int_t number(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static void add_time(struct buf *b, json_int_t seconds)
{
    char day[32];
    time_t t = (time_t)seconds;
    struct tm local;
    if (localtime_r(&t, &local) && strftime(day, sizeof(day), "%Y-%m-%d %H:%M", &local) > 0)
        buf_add_c(b, day);
}

static json_int_t now(void)
{
    return clock_wall() / USEC_SEC;
}

/* --- what was lost, or is about to be --- */

static void find_journal(const struct finding *f, const json_t *status)
{
    const json_t *damage;
    size_t i;
    if (json_is_true(at(status, "journal", "failed")))
        add(f, CRITICAL,
            "the journal cannot be written: nothing is taken any more; the log says why, restart "
            "the server when that is mended");
    json_array_foreach(at(status, "journal", "damage"), i, damage)
    {
        add(f, CRITICAL, "the journal was damaged: %s", json_string_value(damage));
    }
}

static void find_queue_files(const struct finding *f, const json_t *status)
{
    json_int_t damaged = number(json_object_get(status, "queue"), "damaged_files");
    if (damaged > 0)
        add(f, CRITICAL,
            "files of the queue were damaged, waiting messages may be missing: what there was is "
            "kept as %s/queue/*.damaged (%lld), remove it when it is not needed any more",
            text(status, "data_dir"), (long long)damaged);
}

static void find_set_aside(const struct finding *f, const json_t *status)
{
    const json_t *account;
    size_t i;
    json_array_foreach(at(status, "store", "set_aside"), i, account)
    {
        add(f, CRITICAL, "%s", json_string_value(account));
    }
}

/* The last time with each thing. */
static bool comes_again(const json_t *crashes, size_t i)
{
    const json_t *one = json_array_get(crashes, i), *other;
    for (size_t k = i + 1; (other = json_array_get(crashes, k)); k++)
        if (strcmp(text(one, "kind"), text(other, "kind")) == 0 &&
            strcmp(text(one, "name"), text(other, "name")) == 0 &&
            strcmp(text(one, "part"), text(other, "part")) == 0)
            return true;
    return false;
}

static void find_crashes(const struct finding *f, const json_t *status)
{
    const json_t *crashes = json_object_get(status, "crashes"), *crash;
    size_t i;
    json_array_foreach((json_t *)crashes, i, crash)
    {
        bool mailbox = strcmp(text(crash, "kind"), "mailbox") == 0;
        bool aside = json_is_true(json_object_get(crash, "set_aside"));
        struct buf when = BUF_EMPTY;
        if (comes_again(crashes, i))
            continue;
        add_time(&when, number(crash, "time"));
        if (mailbox && aside)
            add(f, CRITICAL,
                "mailbox %s of %s is set aside, the server crashed with it twice, the last time on "
                "%s: mailctl store release",
                text(crash, "part"), text(crash, "name"), buf_c(&when));
        else
            add(f, WARNING, "the server crashed on %s (signal %lld) at work on %s %s%s%s",
                buf_c(&when), (long long)number(crash, "signal"), text(crash, "kind"),
                text(crash, "name"), text(crash, "part")[0] ? " " : "", text(crash, "part"));
        buf_free(&when);
    }
}

static bool is_little(json_int_t free, json_int_t of)
{
    return of > 0 && free < of / 100 * FREE_PERCENT;
}

static void find_disk(const struct finding *f, const json_t *status)
{
    const json_t *disk;
    size_t i;
    json_array_foreach(json_object_get(status, "disks"), i, disk)
    {
        json_int_t bytes = number(disk, "bytes_free"), inodes = number(disk, "inodes_free");
        if (!json_is_true(json_object_get(disk, "known")))
            continue;
        if (is_little(bytes, number(disk, "bytes")) && bytes < FREE_PLENTY)
            add(f, WARNING, "%s has only %lld MB left of %lld MB", text(disk, "path"),
                (long long)bytes >> 20, (long long)number(disk, "bytes") >> 20);
        if (is_little(inodes, number(disk, "inodes")))
            add(f, WARNING, "%s has only %lld inodes left of %lld", text(disk, "path"),
                (long long)inodes, (long long)number(disk, "inodes"));
    }
}

/* --- who cannot be asked --- */

static void find_sources(const struct finding *f, const json_t *status)
{
    const json_t *source;
    size_t i;
    json_array_foreach(at(status, "directory", "sources"), i, source)
    {
        if (number(source, "failed") >= now() - FAILED_LATELY)
            add(f, CRITICAL, "the directory %s cannot answer: %s", text(source, "name"),
                text(source, "failure"));
        if (number(source, "wrong_seen") >= now() - FAILED_LATELY)
            add(f, WARNING, "entries of the directory %s are wrong: %s", text(source, "name"),
                text(source, "wrong_entry"));
    }
}

static void find_lists(const struct finding *f, const json_t *status)
{
    const json_t *zone;
    size_t i;
    json_array_foreach(at(status, "policy", "silent_lists"), i, zone)
    {
        add(f, WARNING, "the list %s does not answer, rules go on without it",
            json_string_value(zone));
    }
}

static void find_tables(const struct finding *f, const json_t *status)
{
    const json_t *table;
    size_t i;
    json_array_foreach(at(status, "policy", "wrong"), i, table)
    {
        add(f, WARNING, "table %s %s: %s", text(table, "table"),
            json_is_true(json_object_get(table, "in_use"))
                ? "is wrong, what was read before stays"
                : "cannot be used, its rules match nothing",
            text(table, "error"));
    }
}

static void find_greylist(const struct finding *f, const json_t *status)
{
    const char *error = text(json_object_get(status, "policy"), "greylist_error");
    if (error[0])
        add(f, WARNING, "greylisting goes on without its database: %s", error);
}

/* --- what runs out --- */

static void find_certificates(const struct finding *f, const json_t *status)
{
    const json_t *certificate;
    size_t i;
    json_array_foreach(json_object_get(status, "certificates"), i, certificate)
    {
        json_int_t expires = number(certificate, "expires");
        bool chain = expires < number(certificate, "not_after");
        const char *what = chain ? "a certificate of the chain in" : "the certificate";
        const char *file = text(certificate, "file");
        struct buf when = BUF_EMPTY;
        add_time(&when, expires);
        if (expires <= now())
            add(f, CRITICAL, "%s %s has expired on %s: no client trusts the server", what, file,
                buf_c(&when));
        else if (number(certificate, "not_before") > now())
            add(f, CRITICAL, "%s %s is not valid yet: is the clock right?", what, file);
        else if (number(certificate, "late_from") <= now())
            add(f, WARNING, "%s %s expires on %s", what, file, buf_c(&when));
        buf_free(&when);
    }
}

static void find_stale_certificates(const struct finding *f, const json_t *status)
{
    const char *error = json_string_value(json_object_get(status, "certificates_error"));
    if (error)
        add(f, WARNING, "the certificates in use are not those of the files: %s", error);
}

static void find_shadowed_certificates(const struct finding *f, const json_t *status)
{
    const json_t *text;
    size_t i;
    json_array_foreach(json_object_get(status, "certificates_shadowed"), i, text)
        add(f, WARNING, "%s", json_string_value(text));
}

static void find_restart(const struct finding *f, const json_t *status)
{
    const json_t *list = json_object_get(status, "restart_needed"), *name;
    struct buf names = BUF_EMPTY;
    size_t i;
    json_array_foreach((json_t *)list, i, name)
        buf_printf(&names, "%s%s", i ? ", " : "", json_string_value(name));
    if (names.n > 0)
        add(f, WARNING, "a restart is needed for settings that have changed: %s", buf_c(&names));
    buf_free(&names);
}

/* What a measure of core/load.h means to who has to mend it. */
static const char *measure_words(const char *measure)
{
    static const struct {
        const char *measure, *words;
    } all[] = {{"strangers", "many connections"},
               {"loop_delay", "the processor cannot keep up"},
               {"disk_jobs", "much waits for the disk"},
               {"commit_time", "the disk is slow to sync"},
               {"memory_short", "memory is short"},
               {"disk_short", "too little room on the disk: mail is refused"}};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (strcmp(measure, all[i].measure) == 0)
            return all[i].words;
    return measure;
}

static void find_load(const struct finding *f, const json_t *status)
{
    const json_t *load = json_object_get(status, "load");
    const char *level = text(load, "level");
    if (strcmp(level, "overloaded") == 0)
        add(f, CRITICAL, "overloaded (%s): strangers are turned away",
            measure_words(text(load, "why")));
    else if (strcmp(level, "busy") == 0)
        add(f, WARNING, "busy (%s): strangers have less time", measure_words(text(load, "why")));
    json_int_t most = number(load, "connections_max");
    if (most > 0 && number(load, "connections") > most / 100 * NEARLY_PERCENT)
        add(f, WARNING, "%lld of at most %lld connections are open: connections_max",
            (long long)number(load, "connections"), (long long)most);
}

/* What is told of this component by itself, a line each. */
static void find_troubles(const struct finding *f, const json_t *status)
{
    const json_t *line;
    size_t i;
    json_array_foreach(at(status, "troubles", f->kind), i, line)
    {
        add(f, WARNING, "%s", json_string_value(line));
    }
}

/* --- what operators have done --- */

static void find_paused(const struct finding *f, const json_t *status)
{
    const json_t *pause;
    size_t i;
    json_array_foreach(at(status, "queue", "paused"), i, pause)
    {
        const char *what = text(pause, "destination");
        struct buf since = BUF_EMPTY;
        add_time(&since, number(pause, "since"));
        add(f, WARNING, "%s%s is paused since %s by %s: mailctl queue resume%s%s",
            what[0] ? "sending to " : "all sending", what, buf_c(&since), text(pause, "by"),
            what[0] ? " " : "", what);
        buf_free(&since);
    }
}

static void find_soft_bounce(const struct finding *f, const json_t *status)
{
    if (json_is_true(at(status, "queue", "soft_bounce")))
        add(f, WARNING, "queue.soft_bounce: what fails for good is tried again");
}

/* --- all --- */

static const struct {
    const char *kind;
    void (*find)(const struct finding *f, const json_t *status);
} kinds[] = {
    {"journal", find_journal},
    {"queue-files", find_queue_files},
    {"set-aside", find_set_aside},
    {"crash", find_crashes},
    {"certificate", find_certificates},
    {"directory", find_sources},
    {"disk", find_disk},
    {"load", find_load},
    {"table", find_tables},
    {"dns-list", find_lists},
    {"greylist", find_greylist},
    {"log", find_troubles},
    {"trace", find_troubles},
    {"dns", find_troubles},
    {"paused", find_paused},
    {"soft-bounce", find_soft_bounce},
    {"certificate-files", find_stale_certificates},
    {"certificate-names", find_shadowed_certificates},
    {"restart", find_restart},
};

static void append_level(json_t *to, const json_t *from, const char *level)
{
    json_t *warning;
    size_t i;
    json_array_foreach((json_t *)from, i, warning)
    {
        if (strcmp(text(warning, "level"), level) == 0)
            json_array_append(to, warning);
    }
}

json_t *ctl_warnings(const json_t *status)
{
    json_t *found = json_array(), *sorted = json_array();
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        kinds[i].find(&(struct finding){found, kinds[i].kind}, status);
    append_level(sorted, found, "critical");
    append_level(sorted, found, "warning");
    json_decref(found);
    return sorted;
}
