/*
 * Dates. Those of header fields are read leniently, in the order in which the elements come
 * (RFC 5322 3.3, 4.3, RFC 822, and what old programs wrote):
 *
 *     [day-name ","] day month year hour ":" minute [":" second] [zone] [(comment)]
 *     day-name month day hour ":" minute ":" second [zone] year          (asctime)
 *
 * Months are recognised by three letters; years of two digits are 1950 to 2049, of three digits
 * count from 1900; a missing time is midnight, a missing or unknown zone is UTC, so are the
 * military letters, which RFC 822 defined with the wrong sign (RFC 5322 4.3). Dates of IMAP (RFC
 * 3501 date-time) and of RFC 3339 are read strictly. Days are counted by the rules of the Gregorian
 * calendar, not by libc, so that any year works; only the local zone for writing comes from libc.
 */
#include "mime/date.h"

#include "mime/lexer.h"
#include "mime/limits.h"

#define DAY_SECONDS 86400

struct moment {
    int year, month, day; /* month 1 to 12 */
    int hour, minute, second;
    int zone; /* minutes east of UTC */
};

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const day_names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

/* Days since 1970-01-01. Years begin in March here, so that the leap day is the last one. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_length(int year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : lengths[month - 1];
}

static bool moment_is_valid(const struct moment *m)
{
    return m->year >= 1 && m->year <= 9999 && m->month >= 1 && m->month <= 12 && m->day >= 1 &&
           m->day <= month_length(m->year, m->month) && m->hour <= 23 && m->minute <= 59 &&
           m->second <= 60;
}

static int64_t moment_seconds(const struct moment *m)
{
    return days_from_civil(m->year, m->month, m->day) * DAY_SECONDS + m->hour * 3600 +
           m->minute * 60 + m->second - (int64_t)m->zone * 60;
}

/* Month of the first three letters, 0: none. */
static int month_number(struct str word)
{
    if (word.n < 3)
        return 0;
    for (int i = 0; i < 12; i++)
        if (str_equal_nocase(str_head(word, 3), str_from(months + 3 * i, 3)))
            return i + 1;
    return 0;
}

/* Zone names of RFC 822; others, and military letters, count as UTC. */
static int zone_by_name(struct str name)
{
    static const struct {
        const char *name;
        int hours;
    } zones[] = {
        {"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5}, {"MST", -7}, {"MDT", -6},
        {"PST", -8}, {"PDT", -7}, {"CET", 1},  {"MET", 1},  {"MEZ", 1},  {"CEST", 2},
        {"MEST", 2}, {"BST", 1},  {"EET", 2},  {"EEST", 3}, {"JST", 9},
    };
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
        if (str_equal_nocase(name, str_from_c(zones[i].name)))
            return zones[i].hours * 60;
    return 0;
}

/* Reading of a header date: numbers and words one after the other. */
struct scan {
    struct lexer lexer;
    struct moment m;
    bool have_day, have_year, have_time;
};

/* Digits at the lexer, at most 6 counted; moves behind all of them. */
static int read_number(struct lexer *l, size_t *digits)
{
    int value = 0;
    for (*digits = 0; !lexer_at_end(l) && char_is_digit(*l->p); l->p++, ++*digits)
        if (*digits < 6)
            value = value * 10 + (*l->p - '0');
    return value;
}

/* ":mm[:ss]" behind the hour; some programs write dots, which RFC 822 never allowed. */
static bool read_time(struct scan *s, int hour, char separator)
{
    size_t digits;
    s->m.hour = hour;
    for (int i = 0; i < 2; i++) {
        lexer_skip_space(&s->lexer);
        if (!lexer_at(&s->lexer, separator))
            break;
        s->lexer.p++;
        lexer_skip_space(&s->lexer);
        int value = read_number(&s->lexer, &digits);
        if (digits == 0 || digits > 2)
            return false;
        *(i == 0 ? &s->m.minute : &s->m.second) = value;
    }
    if (lexer_at(&s->lexer, '.')) { /* fractions of a second */
        s->lexer.p++;
        read_number(&s->lexer, &digits);
    }
    s->have_time = true;
    return true;
}

/* "+hhmm" or "+hh:mm" behind the sign. */
static void read_zone(struct scan *s, bool west)
{
    size_t digits;
    int value = read_number(&s->lexer, &digits), minutes = value % 100, hours = value / 100;
    if (digits <= 2) {
        hours = value;
        minutes = 0;
        if (lexer_at(&s->lexer, ':')) {
            s->lexer.p++;
            minutes = read_number(&s->lexer, &digits);
        }
    }
    if (hours > 24 || minutes > 59)
        return;
    s->m.zone = (hours * 60 + minutes) * (west ? -1 : 1);
}

static void set_year(struct scan *s, int value, size_t digits)
{
    s->m.year = digits > 3 ? value : digits == 3 || value >= 50 ? 1900 + value : 2000 + value;
    s->have_year = true;
}

/* A number: day, year or hour, by what is known already and what follows. */
static bool take_number(struct scan *s)
{
    size_t digits;
    int value = read_number(&s->lexer, &digits);
    lexer_skip_space(&s->lexer);
    bool dot = lexer_at(&s->lexer, '.') && s->have_day && s->have_year;
    if (!s->have_time && digits <= 2 && (lexer_at(&s->lexer, ':') || dot))
        return read_time(s, value, *s->lexer.p);
    if (!s->have_day && digits <= 2) {
        s->m.day = value;
        s->have_day = true;
    } else if (!s->have_year && s->m.month > 0) {
        set_year(s, value, digits);
    } else if (!s->have_day) {
        return false;
    }
    return true;
}

static void take_word(struct scan *s)
{
    const char *start = s->lexer.p;
    while (!lexer_at_end(&s->lexer) &&
           ((char_lower(*s->lexer.p) >= 'a' && char_lower(*s->lexer.p) <= 'z')))
        s->lexer.p++;
    struct str word = str_from(start, (size_t)(s->lexer.p - start));
    if (word.n == 0)
        s->lexer.p++; /* a comma, a stray character */
    else if (s->m.month == 0 && month_number(word) > 0)
        s->m.month = month_number(word);
    else if (s->have_time && s->m.zone == 0)
        s->m.zone = zone_by_name(word);
}

bool date_parse_header(struct str value, int64_t *seconds, int *zone)
{
    struct scan s = {.lexer = lexer_on(str_head(value, MIME_DATE_MAX))};
    while (lexer_skip_space(&s.lexer), !lexer_at_end(&s.lexer)) {
        char c = *s.lexer.p;
        if (char_is_digit(c)) {
            if (!take_number(&s))
                return false;
        } else if ((c == '+' || c == '-') && s.have_time) {
            s.lexer.p++;
            read_zone(&s, c == '-');
        } else {
            take_word(&s);
        }
    }
    if (!s.have_day || !s.have_year || !moment_is_valid(&s.m))
        return false;
    *seconds = moment_seconds(&s.m);
    if (zone)
        *zone = s.m.zone;
    return true;
}

/* Fixed digits, moved behind them; -1 when there are others. */
static int fixed_number(struct str *s, size_t digits)
{
    int value = 0;
    if (s->n < digits)
        return -1;
    for (size_t i = 0; i < digits; i++) {
        if (!char_is_digit(s->p[i]))
            return -1;
        value = value * 10 + (s->p[i] - '0');
    }
    *s = str_skip(*s, digits);
    return value;
}

static bool skip_char(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = str_skip(*s, 1);
    return true;
}

/* "d-Mon-yyyy" with one or two digits, or a space in front of one. */
static bool read_imap_day(struct str *s, struct moment *m)
{
    skip_char(s, ' ');
    bool two = s->n > 1 && char_is_digit(s->p[1]);
    m->day = fixed_number(s, two ? 2 : 1);
    if (m->day < 0 || !skip_char(s, '-') || s->n < 4)
        return false;
    m->month = month_number(str_head(*s, 3));
    *s = str_skip(*s, 3);
    if (m->month == 0 || !skip_char(s, '-'))
        return false;
    m->year = fixed_number(s, 4);
    return moment_is_valid(m);
}

static struct str unquote(struct str s)
{
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
        return str_from(s.p + 1, s.n - 2);
    return s;
}

bool date_parse_imap(struct str text, int64_t *seconds)
{
    struct moment m = {0};
    struct str s = unquote(text);
    if (!read_imap_day(&s, &m) || !skip_char(&s, ' '))
        return false;
    m.hour = fixed_number(&s, 2);
    if (m.hour < 0 || !skip_char(&s, ':'))
        return false;
    m.minute = fixed_number(&s, 2);
    if (m.minute < 0 || !skip_char(&s, ':'))
        return false;
    m.second = fixed_number(&s, 2);
    if (m.second < 0 || !skip_char(&s, ' '))
        return false;
    bool west = skip_char(&s, '-');
    if (!west && !skip_char(&s, '+'))
        return false;
    int zone = fixed_number(&s, 4);
    if (zone < 0 || zone % 100 > 59 || zone > 2400 || s.n > 0 || !moment_is_valid(&m))
        return false;
    m.zone = (zone / 100 * 60 + zone % 100) * (west ? -1 : 1);
    *seconds = moment_seconds(&m);
    return true;
}

bool date_parse_imap_day(struct str text, int64_t *day)
{
    struct moment m = {0};
    struct str s = unquote(text);
    if (!read_imap_day(&s, &m) || s.n > 0)
        return false;
    *day = days_from_civil(m.year, m.month, m.day);
    return true;
}

int64_t date_day(int64_t seconds, int zone_minutes)
{
    int64_t local = seconds + (int64_t)zone_minutes * 60;
    return local / DAY_SECONDS - (local % DAY_SECONDS < 0);
}

/* The local time; of what libc cannot express, the epoch. */
static struct tm local_time(int64_t seconds, char *sign, int *hours, int *minutes)
{
    struct tm tm;
    time_t t = (time_t)seconds;
    if (localtime_r(&t, &tm) == NULL || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900) {
        t = 0;
        gmtime_r(&t, &tm);
    }
    int east = (int)(tm.tm_gmtoff / 60);
    *sign = east < 0 ? '-' : '+';
    east = east < 0 ? -east : east;
    *hours = east / 60;
    *minutes = east % 60;
    return tm;
}

void date_write_header(struct buf *out, int64_t seconds)
{
    char sign;
    int hours, minutes;
    struct tm tm = local_time(seconds, &sign, &hours, &minutes);
    buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d", day_names[tm.tm_wday], tm.tm_mday,
               month_names[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, sign,
               hours, minutes);
}

void date_write_imap(struct buf *out, int64_t seconds)
{
    char sign;
    int hours, minutes;
    struct tm tm = local_time(seconds, &sign, &hours, &minutes);
    buf_printf(out, "%2d-%s-%04d %02d:%02d:%02d %c%02d%02d", tm.tm_mday, month_names[tm.tm_mon],
               tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, sign, hours, minutes);
}

/* --- RFC 3339 --- */

/* `count` digits. */
static bool take_digits(struct str *s, size_t count, int *number)
{
    *number = 0;
    for (size_t i = 0; i < count; i++) {
        if (i >= s->n || !char_is_digit(s->p[i]))
            return false;
        *number = *number * 10 + (s->p[i] - '0');
    }
    *s = str_skip(*s, count);
    return true;
}

static bool take_char(struct str *s, char c)
{
    if (s->n == 0 || char_lower(s->p[0]) != c)
        return false;
    *s = str_skip(*s, 1);
    return true;
}

static bool take_offset(struct str *s, int *minutes_east)
{
    int hours, minutes;
    *minutes_east = 0;
    if (take_char(s, 'z'))
        return true;
    bool west = s->n > 0 && s->p[0] == '-';
    if (!take_char(s, west ? '-' : '+') || !take_digits(s, 2, &hours) || !take_char(s, ':') ||
        !take_digits(s, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *minutes_east = (west ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool date_parse_rfc3339(struct str text, int64_t *seconds)
{
    struct moment m = {.zone = 0};
    int digit;
    if (!take_digits(&text, 4, &m.year) || !take_char(&text, '-') ||
        !take_digits(&text, 2, &m.month) || !take_char(&text, '-') ||
        !take_digits(&text, 2, &m.day) || !take_char(&text, 't') ||
        !take_digits(&text, 2, &m.hour) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &m.minute) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &m.second))
        return false;
    if (take_char(&text, '.')) {
        if (!take_digits(&text, 1, &digit))
            return false;
        while (take_digits(&text, 1, &digit)) {
        }
    }
    if (!take_offset(&text, &m.zone) || text.n > 0 || !moment_is_valid(&m))
        return false;
    *seconds = moment_seconds(&m);
    return true;
}

void date_write_rfc3339(struct buf *out, int64_t seconds)
{
    struct tm tm;
    time_t t = (time_t)seconds;
    if (gmtime_r(&t, &tm) == NULL || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900) {
        t = 0;
        gmtime_r(&t, &tm);
    }
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec);
}
