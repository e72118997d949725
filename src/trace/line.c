/*
 * A line is taken apart by what core/log.c puts in front of its text: a time of fixed width, the
 * level, the component, the id. Anything else is damage, or was written by somebody else.
 */
#include "trace/line.h"

#define TIME_SIZE   (sizeof "2026-11-22T08:03:32.123Z " - 1)
#define MINUTE_SIZE (sizeof((struct line_clock *)0)->minute)

static bool take_number(const char *p, size_t n, int *number)
{
    *number = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *number = 10 * *number + (p[i] - '0');
    }
    return true;
}

/* Of a day since 1970, by Howard Hinnant's way of counting in eras of 400 years. */
static int64_t days_of(int year, int month, int day)
{
    year -= month <= 2;
    int era = year / 400, of_era = year % 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool take_minute(const char *p, struct line_clock *clock)
{
    int year, month, day, hour, minute;
    if (!take_number(p, 4, &year) || !take_number(p + 5, 2, &month) ||
        !take_number(p + 8, 2, &day) || !take_number(p + 11, 2, &hour) ||
        !take_number(p + 14, 2, &minute) || p[4] != '-' || p[7] != '-' || p[10] != 'T' ||
        p[13] != ':' || p[16] != ':' || month < 1 || month > 12 || day < 1 || day > 31 ||
        hour > 23 || minute > 59)
        return false;
    memcpy(clock->minute, p, MINUTE_SIZE);
    clock->begin = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 * USEC_SEC;
    return true;
}

bool line_time(struct str line, struct line_clock *clock, usec *when)
{
    int second, msec;
    const char *p = line.p;
    if (line.n < TIME_SIZE ||
        (memcmp(p, clock->minute, MINUTE_SIZE) != 0 && !take_minute(p, clock)))
        return false;
    if (!take_number(p + 17, 2, &second) || second > 60 || p[19] != '.' ||
        !take_number(p + 20, 3, &msec) || p[23] != 'Z' || p[24] != ' ')
        return false;
    *when = clock->begin + second * USEC_SEC + msec * USEC_MSEC;
    return true;
}

bool line_parse(struct str line, struct line_clock *clock, struct trace_event *event)
{
    if (!line_time(line, clock, &event->when))
        return false;
    struct str rest = str_skip(line, TIME_SIZE);
    if (!log_level_of_name(str_split(&rest, ' '), &event->level))
        return false;
    ptrdiff_t end = str_find(rest, STR(": "));
    if (end <= 0)
        return false;
    struct str head = str_head(rest, (size_t)end);
    event->text = str_skip(rest, (size_t)end + 2);
    ptrdiff_t bracket = str_find_char(head, '[');
    if (bracket < 0) {
        event->component = head;
        event->id = STR("");
        return true;
    }
    event->component = str_head(head, (size_t)bracket);
    event->id = str_skip(head, (size_t)bracket + 1);
    if (event->id.n == 0 || event->id.p[event->id.n - 1] != ']')
        return false;
    event->id.n--;
    return true;
}
