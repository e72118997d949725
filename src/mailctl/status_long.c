/*
 * `mailctl status --long`: all that status has, a line or more for each part.
 */
#include "mailctl/status.h"

#include "mailctl/clean_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts of other servers are among it. */
static void line(const char *title, struct buf *value)
{
    printf("%-14s ", title);
    clean_text_print(stdout, buf_str(value), "");
    putchar('\n');
    buf_clear(value);
}

static void print_sessions(const json_t *sessions, struct buf *b)
{
    const char *component;
    json_t *count;
    buf_printf(b, "%lld", (long long)number_of(sessions, "total"));
    const char *before = " (";
    json_object_foreach((json_t *)sessions, component, count)
    {
        if (strcmp(component, "total") == 0)
            continue;
        buf_printf(b, "%s%lld %s", before, (long long)json_integer_value(count), component);
        before = ", ";
    }
    if (before[0] == ',')
        buf_add_char(b, ')');
    line("sessions", b);
}

static void add_measure(const json_t *measure, struct buf *b)
{
    const char *unit = text_of(measure, "unit");
    long long busy = number_of(measure, "busy"), overloaded = number_of(measure, "overloaded");
    buf_printf(b, "%s%s %lld%s%s", b->n ? ", " : "", text_of(measure, "name"),
               (long long)number_of(measure, "value"), unit[0] ? " " : "", unit);
    if (busy)
        buf_printf(b, " (busy from %lld", busy);
    if (overloaded && unit[0])
        buf_printf(b, "%soverloaded from %lld", busy ? ", " : " (", overloaded);
    if (busy || (overloaded && unit[0]))
        buf_add_char(b, ')');
}

static void print_load(const json_t *load, struct buf *b)
{
    size_t i;
    json_t *measure;
    buf_printf(b, "%s%s%s", text_of(load, "level"), text_of(load, "why")[0] ? ": " : "",
               text_of(load, "why"));
    if (number_of(load, "turned_away"))
        buf_printf(b, "; strangers turned away: %lld", (long long)number_of(load, "turned_away"));
    line("load", b);
    buf_printf(
        b, "%lld of at most %lld, strangers %lld of %lld",
        (long long)number_of(load, "connections"), (long long)number_of(load, "connections_max"),
        (long long)number_of(load, "strangers"), (long long)number_of(load, "strangers_max"));
    line("connections", b);
    json_array_foreach(json_object_get(load, "measures"), i, measure)
    {
        add_measure(measure, b);
    }
    line("measures", b);
}

static void print_counts(const json_t *status, struct buf *b)
{
    const json_t *queue = json_object_get(status, "queue");
    const json_t *store = json_object_get(status, "store");
    buf_printf(b, "%lld messages for %lld recipients, %lld being sent",
               (long long)number_of(queue, "messages"), (long long)number_of(queue, "recipients"),
               (long long)number_of(queue, "sending"));
    line("queue", b);
    buf_printf(b, "%lld accepted, %lld delivered here, %lld sent, %lld deferred, %lld bounced",
               (long long)number_of(queue, "accepted"),
               (long long)number_of(queue, "delivered_local"),
               (long long)number_of(queue, "delivered_remote"),
               (long long)number_of(queue, "deferred"), (long long)number_of(queue, "bounced"));
    line("since start", b);
    buf_printf(b, "%lld open", (long long)number_of(store, "mailboxes_open"));
    line("mailboxes", b);
}

/* Of relay domains whose servers are asked. */
static void print_verify(const json_t *status, struct buf *b)
{
    const json_t *verify = json_object_get(status, "verify");
    if (number_of(verify, "addresses") == 0)
        return;
    buf_printf(b, "%lld remembered; %lld questions since start: %lld accepted, %lld refused",
               (long long)number_of(verify, "addresses"), (long long)number_of(verify, "asked"),
               (long long)number_of(verify, "accepted"), (long long)number_of(verify, "refused"));
    line("recipients", b);
}

/* What an operator must see to. */
static void print_attention(const json_t *status, struct buf *b)
{
    json_t *warning;
    size_t i;
    json_array_foreach(json_object_get(status, "warnings"), i, warning)
    {
        buf_add_c(b, text_of(warning, "text"));
        line("attention", b);
    }
}

static void print_disks(const json_t *status, struct buf *b)
{
    json_t *disk;
    size_t i;
    json_array_foreach(json_object_get(status, "disks"), i, disk)
    {
        buf_printf(b, "%s, ", text_of(disk, "path"));
        add_size(b, number_of(disk, "bytes_free"));
        buf_add_c(b, " of ");
        add_size(b, number_of(disk, "bytes"));
        buf_printf(b, " free, %lld of %lld inodes", (long long)number_of(disk, "inodes_free"),
                   (long long)number_of(disk, "inodes"));
        line("data", b);
    }
}

static void print_certificates(const json_t *status, struct buf *b)
{
    json_t *certificate;
    size_t i;
    json_array_foreach(json_object_get(status, "certificates"), i, certificate)
    {
        char *names = join_texts(certificate, "names", ", ");
        buf_printf(b, "%s: %s, %s %lld, %s%s, until ", text_of(certificate, "file"), names,
                   text_of(certificate, "key_type"), (long long)number_of(certificate, "key_bits"),
                   json_is_true(json_object_get(certificate, "self_signed")) ? "self-signed"
                                                                             : "issued by ",
                   json_is_true(json_object_get(certificate, "self_signed"))
                       ? ""
                       : text_of(certificate, "issuer"));
        add_time(b, number_of(certificate, "expires"));
        buf_printf(b, " (%lld days)", (long long)number_of(certificate, "days_left"));
        line("certificate", b);
        free(names);
    }
}

static void print_listeners(const json_t *status)
{
    static const char *const titles[] = {"listener", "protocol", "tls", "address", "logins", NULL};
    struct table *t = table_new(titles);
    size_t i;
    json_t *listener;
    json_array_foreach(json_object_get(status, "listeners"), i, listener)
    {
        table_add(t, text_of(listener, "name"));
        table_add(t, text_of(listener, "protocol"));
        table_add(t, text_of(listener, "tls"));
        table_add(t, text_of(listener, "address"));
        table_add(t, text_of(listener, "mechanisms"));
    }
    putchar('\n');
    table_print(t);
}

void print_long_status(const json_t *status)
{
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "maild %s on %s, process %lld, up ", text_of(status, "version"),
               text_of(status, "hostname"), (long long)number_of(status, "pid"));
    add_duration(&b, number_of(status, "uptime"));
    line("server", &b);
    buf_add_c(&b, text_of(status, "config"));
    line("configuration", &b);
    print_disks(status, &b);
    print_certificates(status, &b);
    print_load(json_object_get(status, "load"), &b);
    print_sessions(json_object_get(status, "sessions"), &b);
    print_counts(status, &b);
    print_verify(status, &b);
    print_attention(status, &b);
    print_listeners(status);
    buf_free(&b);
}
