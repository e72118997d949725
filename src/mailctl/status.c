/*
 * `mailctl` alone, `mailctl status`: the state of the server on one screen. What is here is what
 * somebody looks for who wonders whether all is well; the rest is in `mailctl status --long`
 * (status_long.c) and in the commands about each part.
 */
#include "mailctl/status.h"

#include "core/clock.h"
#include "mailctl/chart.h"
#include "mailctl/screen.h"

#include <stdio.h>
#include <string.h>

/* A source that failed longer ago may be well again. */
#define FAILED_LATELY 300
/* Of what needs attention, on a screen; at least so many. */
#define WARNINGS_MIN 4

static size_t count_of_level(const json_t *warnings, const char *level)
{
    const json_t *warning;
    size_t i, n = 0;
    json_array_foreach(warnings, i, warning)
    {
        n += strcmp(text_of(warning, "level"), level) == 0;
    }
    return n;
}

static void add_count(struct buf *b, size_t n, const char *what)
{
    char text[COUNT_TEXT];
    if (n > 0)
        buf_printf(b, ", %s", count_of(text, (int64_t)n, what));
}

static void print_server(const json_t *status, struct buf *b)
{
    const json_t *warnings = json_object_get(status, "warnings");
    size_t critical = count_of_level(warnings, "critical");
    buf_printf(b, "%s on %s, up ", text_of(status, "version"), text_of(status, "hostname"));
    add_duration(b, number_of(status, "uptime"));
    buf_printf(b, ", process %lld", (long long)number_of(status, "pid"));
    add_count(b, critical, "critical problem");
    add_count(b, json_array_size(warnings) - critical, "warning");
    if (json_array_size(warnings) == 0)
        buf_add_c(b, ": all is well");
    screen_field("maild",
                 critical                        ? SHADE_BAD
                 : json_array_size(warnings) > 0 ? SHADE_WARN
                                                 : SHADE_GOOD,
                 b);
}

/* "mx 25, imap 143, lmtp socket". */
static void print_listeners(const json_t *status, struct buf *b)
{
    json_t *listener;
    size_t i;
    json_array_foreach(json_object_get(status, "listeners"), i, listener)
    {
        const char *address = text_of(listener, "address"), *port = strrchr(address, ':');
        bool is_file = strncmp(address, "unix:", 5) == 0;
        buf_printf(b, "%s%s %s", i > 0 ? ", " : "", text_of(listener, "name"),
                   is_file || !port ? "socket" : port + 1);
    }
    screen_field("listens", SHADE_NONE, b);
}

static void print_sessions(const json_t *status, struct buf *b)
{
    const json_t *sessions = json_object_get(status, "sessions");
    const json_t *load = json_object_get(status, "load");
    const char *component, *before = ": ";
    json_t *count;
    buf_printf(b, "%lld of at most %lld", (long long)number_of(load, "connections"),
               (long long)number_of(load, "connections_max"));
    json_object_foreach((json_t *)sessions, component, count)
    {
        if (strcmp(component, "total") == 0)
            continue;
        buf_printf(b, "%s%lld %s", before, (long long)json_integer_value(count), component);
        before = ", ";
    }
    screen_field("sessions", SHADE_NONE, b);
    buf_printf(b, "%s%s%s", text_of(load, "level"), text_of(load, "why")[0] ? ": " : "",
               text_of(load, "why"));
    if (number_of(load, "turned_away") > 0)
        buf_printf(b, "; strangers turned away: %lld", (long long)number_of(load, "turned_away"));
    screen_field("load", strcmp(text_of(load, "level"), "normal") == 0 ? SHADE_NONE : SHADE_WARN,
                 b);
}

static void print_queue(const json_t *status, struct buf *b)
{
    const json_t *queue = json_object_get(status, "queue");
    char text[COUNT_TEXT];
    buf_printf(b, "%s, ", count_of(text, number_of(queue, "messages"), "message"));
    add_size(b, number_of(queue, "bytes"));
    buf_printf(b, ", %s, %lld being sent",
               count_of(text, number_of(queue, "recipients"), "recipient"),
               (long long)number_of(queue, "sending"));
    if (number_of(queue, "oldest") > 0) {
        int64_t age = clock_wall() / USEC_SEC - number_of(queue, "oldest");
        buf_add_c(b, ", the oldest ");
        add_duration(b, age > 0 ? age : 0);
        buf_add_c(b, " old");
    }
    screen_field("queue", SHADE_NONE, b);
}

/* --- the last hour --- */

static void add_rate(struct buf *b, int64_t n)
{
    if (n < 100000)
        buf_printf(b, " %lld/min", (long long)n);
    else
        buf_printf(b, " %lldk/min", (long long)(n / 1000));
}

static void print_chart(const json_t *status, const char *name, struct buf *b)
{
    const json_t *minutes = json_object_get(json_object_get(status, "minutes"), name), *value;
    int64_t most = 0;
    size_t i;
    json_array_foreach(minutes, i, value)
    {
        if (json_integer_value(value) > most)
            most = json_integer_value(value);
    }
    json_array_foreach(minutes, i, value)
    {
        chart_add(b, json_is_integer(value) ? json_integer_value(value) : -1, most);
    }
    add_rate(b, number_of(json_object_get(status, "per_minute"), name));
    printf("%s%-*s%s%s\n", shade_begin(SHADE_DIM), SCREEN_TITLE, name, shade_end(), buf_c(b));
    buf_clear(b);
}

static void print_hour(const json_t *status, struct buf *b)
{
    print_chart(status, "accepted", b);
    print_chart(status, "delivered", b);
    print_chart(status, "deferred", b);
    printf("%s%-*s%-15s%-15s%-15s%-12s%s%s\n", shade_begin(SHADE_DIM), SCREEN_TITLE, "",
           "60 minutes ago", "|45", "|30", "|15", "now", shade_end());
}

static void print_logins(const json_t *status, struct buf *b)
{
    const json_t *now = json_object_get(status, "per_minute");
    const json_t *all = json_object_get(status, "logins");
    buf_printf(b, "%lld/min, %lld failed; since the start %lld, %lld failed",
               (long long)number_of(now, "logins"), (long long)number_of(now, "logins_failed"),
               (long long)number_of(all, "succeeded"), (long long)number_of(all, "failed"));
    if (number_of(all, "deferred") > 0)
        buf_printf(b, ", %lld could not be checked", (long long)number_of(all, "deferred"));
    screen_field("logins", SHADE_NONE, b);
}

/* --- others --- */

static void print_directory(const json_t *status, struct buf *b)
{
    const json_t *source;
    size_t i;
    bool fails = false;
    int64_t lately = clock_wall() / USEC_SEC - FAILED_LATELY;
    json_array_foreach(json_object_get(json_object_get(status, "directory"), "sources"), i, source)
    {
        bool failed = number_of(source, "failed") >= lately;
        fails = fails || failed;
        buf_printf(b, "%s%s %s", i > 0 ? ", " : "", text_of(source, "name"),
                   failed ? "FAILS" : "good");
    }
    screen_field("directory", fails ? SHADE_BAD : SHADE_NONE, b);
}

/* Those that the access policy asks. */
static void print_partners(const json_t *status, struct buf *b)
{
    const json_t *policy = json_object_get(status, "policy");
    size_t silent = json_array_size(json_object_get(policy, "silent_lists"));
    if (number_of(policy, "dns_list_rules") == 0)
        return;
    if (silent > 0)
        buf_printf(b, "DNS lists: %zu SILENT", silent);
    else
        buf_add_c(b, "DNS lists good");
    screen_field("partners", silent > 0 ? SHADE_WARN : SHADE_NONE, b);
}

/* Of what the server warns about. */
static enum shade warned_shade(const json_t *status, const char *kind)
{
    const json_t *warning;
    size_t i;
    json_array_foreach(json_object_get(status, "warnings"), i, warning)
    {
        if (strcmp(text_of(warning, "kind"), kind) == 0)
            return strcmp(text_of(warning, "level"), "critical") == 0 ? SHADE_BAD : SHADE_WARN;
    }
    return SHADE_NONE;
}

static void print_disks(const json_t *status, struct buf *b)
{
    const json_t *disk;
    size_t i;
    json_array_foreach(json_object_get(status, "disks"), i, disk)
    {
        int64_t bytes = number_of(disk, "bytes"), inodes = number_of(disk, "inodes");
        buf_printf(b, "%s: ", text_of(disk, "path"));
        add_size(b, number_of(disk, "bytes_free"));
        buf_add_c(b, " of ");
        add_size(b, bytes);
        buf_printf(b, " free (%lld %%)",
                   (long long)(bytes > 0 ? number_of(disk, "bytes_free") * 100 / bytes : 0));
        if (inodes > 0)
            buf_printf(b, ", inodes %lld %%",
                       (long long)(number_of(disk, "inodes_free") * 100 / inodes));
        screen_field("disk", warned_shade(status, "disk"), b);
    }
}

static void print_certificates(const json_t *status, struct buf *b)
{
    const json_t *certificate;
    size_t i;
    json_array_foreach(json_object_get(status, "certificates"), i, certificate)
    {
        const json_t *names = json_object_get(certificate, "names");
        int64_t days = number_of(certificate, "days_left");
        size_t more = json_array_size(names) > 1 ? json_array_size(names) - 1 : 0;
        const char *name = json_string_value(json_array_get(names, 0));
        buf_add_c(b, name ? name : text_of(certificate, "file"));
        if (more > 0)
            buf_printf(b, " and %zu more", more);
        if (json_array_size(json_object_get(status, "certificates")) > 1)
            buf_printf(b, " (%s)", text_of(certificate, "key_type"));
        buf_printf(b, days < 0 ? ": EXPIRED" : ": %lld days left", (long long)days);
        if (json_is_true(json_object_get(certificate, "self_signed")))
            buf_add_c(b, ", self-signed");
        screen_field("TLS", warned_shade(status, "certificate"), b);
    }
}

static void print_warnings(const json_t *status, size_t most, struct buf *b)
{
    const json_t *warnings = json_object_get(status, "warnings"), *warning;
    size_t i;
    json_array_foreach(warnings, i, warning)
    {
        if (i == most)
            break;
        bool critical = strcmp(text_of(warning, "level"), "critical") == 0;
        buf_add_c(b, text_of(warning, "text"));
        screen_field("attention", critical ? SHADE_BAD : SHADE_WARN, b);
    }
    if (json_array_size(warnings) > most)
        printf("%*s%zu more: mailctl status --long\n", SCREEN_TITLE, "",
               json_array_size(warnings) - most);
}

static void print_screen(const json_t *status)
{
    struct buf b = BUF_EMPTY;
    size_t rows = screen_rows();
    print_server(status, &b);
    print_listeners(status, &b);
    print_sessions(status, &b);
    print_queue(status, &b);
    print_hour(status, &b);
    print_logins(status, &b);
    print_directory(status, &b);
    print_partners(status, &b);
    print_disks(status, &b);
    print_certificates(status, &b);
    size_t most = !screen_is_terminal()          ? SIZE_MAX
                  : rows > 2 * 16 + WARNINGS_MIN ? (rows - 16) / 2
                                                 : WARNINGS_MIN;
    print_warnings(status, most, &b);
    buf_free(&b);
}

int command_status(struct mailctl *m, const struct arguments *a)
{
    json_t *status = NULL;
    int exit_status = ask(m, "status", NULL, &status);
    if (!status)
        return exit_status;
    if (option(a, "--long"))
        print_long_status(status);
    else
        print_screen(status);
    json_decref(status);
    return exit_status;
}
