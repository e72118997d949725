/*
 * `mailctl report`: the server counts (ctl/report.h), this prints. Days are those of the local
 * time. And the log's level.
 */
#include "core/clock.h"
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- the time --- */

static int64_t day_begin(struct tm t)
{
    t.tm_hour = t.tm_min = t.tm_sec = 0;
    t.tm_isdst = -1;
    return (int64_t)mktime(&t);
}

/* An empty text leaves the day as it is. */
static bool read_day(const char *text, struct tm *t)
{
    const char *end = text[0] ? strptime(text, "%Y-%m-%d", t) : text;
    return end && *end == '\0';
}

static bool read_times(const struct arguments *a, int64_t *from, int64_t *to)
{
    const char *day = option(a, "--day"), *hours = option(a, "--hours");
    int64_t now = clock_wall() / USEC_SEC;
    time_t seconds = (time_t)now;
    struct tm t;
    char *end = NULL;
    localtime_r(&seconds, &t);
    if ((day != NULL) + (hours != NULL) + (option(a, "--yesterday") != NULL) > 1)
        return false;
    *to = now + 1;
    if (hours) {
        long n = strtol(hours, &end, 10);
        *from = now - 3600 * (int64_t)n;
        return *end == '\0' && n > 0 && n <= 366 * 24;
    }
    if (day && !read_day(day, &t))
        return false;
    if (option(a, "--yesterday"))
        t.tm_mday--;
    *from = day_begin(t);
    t.tm_mday++;
    if (day || option(a, "--yesterday"))
        *to = day_begin(t);
    return true;
}

/* --- for people --- */

static void heading(const char *text)
{
    printf("\n%s%s%s\n", shade_begin(SHADE_BOLD), text, shade_end());
}

static void print_totals(const json_t *all)
{
    static const struct {
        const char *name, *text;
    } rows[] = {{"accepted", "messages accepted"},
                {"recipients", "  for recipients"},
                {"accepted_with_tls", "  over TLS"},
                {"queued", "messages queued"},
                {"sent_local", "recipients delivered here"},
                {"sent_remote", "recipients sent to other servers"},
                {"dropped", "recipients dropped"},
                {"deferred", "attempts deferred"},
                {"bounced", "recipients bounced"},
                {"refused", "connections, recipients and messages refused"},
                {"logins", "logins"},
                {"logins_failed", "logins failed"},
                {"lockouts", "lock-outs"},
                {"tls_failures", "TLS handshakes failed"},
                {"sender_domains", "domains of senders"},
                {"recipient_domains", "domains of recipients"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("%10lld  %s\n", (long long)number_of(all, rows[i].name), rows[i].text);
    struct buf size = BUF_EMPTY;
    add_size(&size, number_of(all, "bytes"));
    printf("%10s  accepted\n", buf_c(&size));
    buf_free(&size);
    printf("%9.3fs  from arrival to delivery on the average, %.3fs the slowest\n",
           json_number_value(json_object_get(all, "delay")),
           json_number_value(json_object_get(all, "delay_max")));
}

/* "07:00", and with the day when there are several. */
static void add_hour(struct table *t, int64_t from, bool days)
{
    char text[32];
    time_t seconds = (time_t)from;
    struct tm tm;
    localtime_r(&seconds, &tm);
    strftime(text, sizeof(text), days ? "%m-%d %H:%M" : "%H:%M", &tm);
    table_add(t, text);
}

static bool spans_days(const json_t *hours)
{
    const json_t *last = json_array_get(hours, json_array_size(hours) - 1);
    time_t ends[] = {(time_t)number_of(json_array_get(hours, 0), "from"),
                     (time_t)number_of(last, "from")};
    struct tm tm[2];
    localtime_r(&ends[0], &tm[0]);
    localtime_r(&ends[1], &tm[1]);
    return tm[0].tm_yday != tm[1].tm_yday || tm[0].tm_year != tm[1].tm_year;
}

static void print_hours(const json_t *hours)
{
    bool days = spans_days(hours);
    static const char *const titles[] = {"hour",     ">accepted", ">here",   ">sent",   ">deferred",
                                         ">bounced", ">refused",  ">logins", ">failed", NULL};
    static const char *const members[] = {"accepted", "sent_local", "sent_remote", "deferred",
                                          "bounced",  "refused",    "logins",      "logins_failed"};
    struct table *t = table_new(titles);
    const json_t *hour;
    size_t i;
    json_array_foreach(hours, i, hour)
    {
        add_hour(t, number_of(hour, "from"), days);
        for (size_t m = 0; m < sizeof members / sizeof *members; m++)
            table_printf(t, "%lld", (long long)number_of(hour, members[m]));
    }
    table_print(t);
}

/* A list as a table: a column of numbers for each member, then the name. */
static void print_list(const json_t *report, const char *list, const char *title,
                       const char *const *titles, const char *const *members)
{
    const json_t *rows = json_object_get(report, list), *row;
    size_t i;
    if (json_array_size(rows) == 0)
        return;
    heading(title);
    struct table *t = table_new(titles);
    json_array_foreach(rows, i, row)
    {
        for (size_t m = 0; members[m]; m++) {
            const json_t *value = json_object_get(row, members[m]);
            if (strcmp(members[m], "bytes") == 0)
                table_add_size(t, json_integer_value(value));
            else if (json_is_real(value))
                table_printf(t, "%.3fs", json_real_value(value));
            else
                table_printf(t, "%lld", (long long)json_integer_value(value));
        }
        table_add(t, text_of(row, "name"));
    }
    table_print(t);
}

static const char *const count_titles[] = {">count", "", NULL};
static const char *const count_members[] = {"count", NULL};
static const char *const message_titles[] = {">messages", ">size", "", NULL};
static const char *const message_members[] = {"messages", "bytes", NULL};
static const char *const result_titles[] = {">sent",  ">size",    ">deferred", ">failed",
                                            ">delay", ">slowest", "",          NULL};
static const char *const result_members[] = {"sent",  "bytes",     "deferred", "failed",
                                             "delay", "delay_max", NULL};
static const char *const login_titles[] = {">logins", ">failed", "", NULL};
static const char *const login_members[] = {"logins", "failed", NULL};

static const struct {
    const char *list, *title;
    const char *const *titles, *const *members;
} lists[] = {
    {"services", "Messages by the way they came", message_titles, message_members},
    {"sender_domains", "Domains of senders", message_titles, message_members},
    {"recipient_domains", "Domains of recipients", result_titles, result_members},
    {"senders", "Senders", message_titles, message_members},
    {"recipients", "Recipients", result_titles, result_members},
    {"relays", "Servers that mail was sent to", result_titles, result_members},
    {"deferred", "Why mail was deferred", count_titles, count_members},
    {"bounced", "Why mail bounced", count_titles, count_members},
    {"refused", "Why mail was refused", count_titles, count_members},
    {"refused_clients", "Clients that were refused", count_titles, count_members},
    {"policy", "Rules of the access policy", count_titles, count_members},
    {"reports", "Reports to senders", count_titles, count_members},
    {"logins", "Logins by protocol", login_titles, login_members},
    {"login_failures", "Why logins failed", count_titles, count_members},
    {"login_failure_clients", "Clients whose logins failed", count_titles, count_members},
    {"login_failure_users", "Users whose logins failed", count_titles, count_members},
    {"actions", "What users did, in messages", count_titles, count_members},
    {"warnings", "Warnings", count_titles, count_members},
    {"errors", "Errors", count_titles, count_members},
};

static void print_report(const json_t *report)
{
    struct buf from = BUF_EMPTY, to = BUF_EMPTY;
    add_time(&from, number_of(report, "from"));
    add_time(&to, number_of(report, "to"));
    printf("%s to %s\n", buf_c(&from), buf_c(&to));
    buf_free(&from);
    buf_free(&to);
    heading("All");
    print_totals(json_object_get(report, "total"));
    heading("By hour");
    print_hours(json_object_get(report, "hours"));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        print_list(report, lists[i].list, lists[i].title, lists[i].titles, lists[i].members);
}

int command_report(struct mailctl *m, const struct arguments *a)
{
    int64_t from, to;
    const char *top = option(a, "--top");
    uint32_t most = 0;
    json_t *result = NULL;
    if (!read_times(a, &from, &to))
        return fail_usage("one of --day YYYY-MM-DD, --yesterday, --hours N (at most %d)", 366 * 24);
    if (top && (!str_to_u32(str_from_c(top), &most) || most == 0))
        return fail_usage("--top %s: expected how many entries a list may have", top);
    json_t *args = json_pack("{s:I, s:I}", "from", (json_int_t)from, "to", (json_int_t)to);
    if (top)
        json_object_set_new(args, "top", json_integer(most));
    int status = ask(m, "report", args, &result);
    if (status == EXIT_OK && result)
        print_report(result);
    json_decref(result);
    return status;
}

/* --- the level --- */

int command_log_level(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    int status = ask(m, "log level", args_of("level", argument(a, 0), NULL, NULL), &result);
    if (status == EXIT_OK && result)
        printf("%s\n", text_of(result, "level"));
    json_decref(result);
    return status;
}
