/*
 * Reading goes through a buffer of READ_SIZE bytes: only the beginning of a line is ever looked at,
 * so a line may be as long as it likes. A line "From ..." is a separator if an empty line (or
 * nothing) is before it and a date is in it; any other is text of a mailbox that was written
 * without quoting. The empty line before a separator, and before the end, belongs to it.
 *
 * Headers are read whole up to HEADER_MAX, because flags stand in them; of a longer one the rest is
 * taken as it is.
 */
#include "mailctl/mbox.h"

#include "mime/date.h"
#include "store/mailbox.h"

#define READ_SIZE  65536
#define HEADER_MAX ((size_t)1024 * 1024)
#define LINE_LOOK  2000 /* bytes of a line that are looked at */

/* --- the From line --- */

static bool starts_with_day(struct str s)
{
    static const char days[] = "Mon Tue Wed Thu Fri Sat Sun ";
    for (size_t i = 0; i + 4 < sizeof(days); i += 4)
        if (str_starts_with(s, str_from(days + i, 4)))
            return true;
    return false;
}

bool mbox_parse_from_line(struct str line, int64_t *date)
{
    int zone;
    if (!str_starts_with(line, STR("From ")) || str_find_char(line, ':') < 0)
        return false;
    line = str_trim(line);
    for (size_t i = 5; i < line.n; i++)
        if (line.p[i - 1] == ' ' && starts_with_day(str_skip(line, i)))
            return date_parse_header(str_skip(line, i), date, &zone);
    return false;
}

/* --- the buffer --- */

static struct str unread(const struct mbox_reader *r)
{
    return str_skip(buf_str(&r->in), r->at);
}

static bool fill(struct mbox_reader *r, struct err *e)
{
    size_t got;
    buf_consume(&r->in, r->at);
    r->at = 0;
    if (!r->from.read(r->from.arg, buf_reserve(&r->in, READ_SIZE), READ_SIZE, &got, e))
        return false;
    r->in.n += got;
    r->ended = got == 0;
    return true;
}

/* The next line with its end, or as much of a long one; empty at the end. */
static bool look(struct mbox_reader *r, struct str *line, struct err *e)
{
    for (;;) {
        struct str there = unread(r);
        ptrdiff_t end = str_find_char(str_head(there, LINE_LOOK), '\n');
        if (end >= 0 || there.n >= LINE_LOOK || r->ended) {
            *line = str_head(there, end >= 0 ? (size_t)end + 1 : LINE_LOOK);
            return true;
        }
        if (!fill(r, e))
            return false;
    }
}

static bool ends_line(struct str s)
{
    return s.n > 0 && s.p[s.n - 1] == '\n';
}

static bool is_blank(struct str line)
{
    return str_equal(line, STR("\n")) || str_equal(line, STR("\r\n"));
}

/* ">From ", ">>From ": a line that was quoted. */
static bool is_quoted(struct str line)
{
    size_t n = 0;
    while (n < line.n && line.p[n] == '>')
        n++;
    return n > 0 && str_starts_with(str_skip(line, n), STR("From "));
}

/* --- the message --- */

bool mbox_read(struct mbox_reader *r, struct str *piece, struct err *e)
{
    struct str line;
    int64_t date;
    buf_clear(&r->out);
    while (!r->message_end && r->out.n < READ_SIZE) {
        if (!look(r, &line, e))
            return false;
        if (line.n == 0 || (r->line_start && r->blank && mbox_parse_from_line(line, &date))) {
            r->message_end = true;
            break;
        }
        if (r->blank)
            buf_add_char(&r->out, '\n');
        r->blank = r->line_start && is_blank(line);
        if (!r->blank)
            buf_add_str(&r->out, str_skip(line, r->line_start && is_quoted(line)));
        r->line_start = ends_line(line);
        r->at += line.n;
    }
    *piece = buf_str(&r->out);
    return true;
}

/* Takes the value of a field that is meant for us. */
static bool take_own_field(struct mbox_message *m, struct str line)
{
    static const struct {
        char letter;
        uint8_t flag;
    } letters[] = {{'R', MESSAGE_SEEN},
                   {'A', MESSAGE_ANSWERED},
                   {'F', MESSAGE_FLAGGED},
                   {'D', MESSAGE_DELETED},
                   {'T', MESSAGE_DRAFT}};
    struct str value = line, name = str_split(&value, ':'), word;
    if (!value.p)
        return false;
    name = str_trim(name);
    if (str_equal_nocase(name, STR("Status")) || str_equal_nocase(name, STR("X-Status"))) {
        for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++)
            if (str_find_char(value, letters[i].letter) >= 0)
                m->flags |= letters[i].flag;
        return true;
    }
    if (!str_equal_nocase(name, STR("X-Keywords")))
        return false;
    value = str_trim(value);
    while ((word = str_word(&value)).p) {
        if (m->keywords.n > 0)
            buf_add_char(&m->keywords, ' ');
        buf_add_str(&m->keywords, word);
    }
    return true;
}

static bool read_header(struct mbox_reader *r, struct mbox_message *m, struct err *e)
{
    struct str line;
    int64_t date;
    bool start = true;
    while (m->header.n < HEADER_MAX) {
        if (!look(r, &line, e))
            return false;
        /* Without an empty line there is no body, and no separator either. */
        if (line.n == 0)
            return true;
        r->at += line.n;
        if (!start || !take_own_field(m, line))
            buf_add_str(&m->header, str_skip(line, start && is_quoted(line)));
        bool end = start && is_blank(line);
        start = ends_line(line);
        if (end) {
            /* The empty line behind a header without a body may be the separator's. */
            if (!look(r, &line, e))
                return false;
            r->message_end = mbox_parse_from_line(line, &date);
            return true;
        }
    }
    r->line_start = start;
    return true;
}

static bool skip_message(struct mbox_reader *r, struct err *e)
{
    struct str piece;
    do {
        if (!mbox_read(r, &piece, e))
            return false;
    } while (piece.n > 0);
    return true;
}

/* The separator, and empty lines before it. */
static bool take_from_line(struct mbox_reader *r, struct mbox_message *m, bool *end, struct err *e)
{
    struct str line;
    do {
        if (!look(r, &line, e))
            return false;
        *end = line.n == 0;
        bool blank = is_blank(line);
        if (blank)
            r->at += line.n;
        if (*end || !blank)
            break;
    } while (true);
    if (*end)
        return true;
    if (!mbox_parse_from_line(line, &m->date) && !str_starts_with(line, STR("From ")))
        return err_set(e, ERR_SYNTAX, "this is no mbox: it does not begin with a line \"From \"");
    while (!ends_line(line) && line.n > 0) {
        r->at += line.n;
        if (!look(r, &line, e))
            return false;
    }
    r->at += line.n;
    return true;
}

bool mbox_read_message(struct mbox_reader *r, struct mbox_message *m, bool *end, struct err *e)
{
    if (r->started && !skip_message(r, e))
        return false;
    r->started = true;
    r->message_end = r->blank = false;
    r->line_start = true;
    buf_clear(&m->header);
    buf_clear(&m->keywords);
    m->flags = 0;
    m->date = INT64_MIN;
    return take_from_line(r, m, end, e) && (*end || read_header(r, m, e));
}

void mbox_message_free(struct mbox_message *m)
{
    buf_free(&m->header);
    buf_free(&m->keywords);
}

void mbox_reader_free(struct mbox_reader *r)
{
    buf_free(&r->in);
    buf_free(&r->out);
}

/* --- writing --- */

static void add_from_line(struct mbox_writer *w, struct buf *out)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    time_t seconds = (time_t)w->date;
    struct tm t;
    if (!gmtime_r(&seconds, &t) || t.tm_year < 0 || t.tm_year > 8000) {
        seconds = 0;
        gmtime_r(&seconds, &t);
    }
    buf_add_c(out, "From ");
    buf_add_str(out, w->sender.n > 0 ? w->sender : STR("MAILER-DAEMON"));
    buf_printf(out, " %s %s %2d %02d:%02d:%02d %d\n", days[t.tm_wday], months[t.tm_mon], t.tm_mday,
               t.tm_hour, t.tm_min, t.tm_sec, t.tm_year + 1900);
}

static void add_own_fields(const struct mbox_writer *w, struct buf *out)
{
    bool seen = w->flags & MESSAGE_SEEN;
    buf_printf(out, "Status: %sO\n", seen ? "R" : "");
    if (w->flags & ~MESSAGE_SEEN) {
        buf_printf(out, "X-Status: %s%s%s%s\n", w->flags & MESSAGE_ANSWERED ? "A" : "",
                   w->flags & MESSAGE_FLAGGED ? "F" : "", w->flags & MESSAGE_DRAFT ? "T" : "",
                   w->flags & MESSAGE_DELETED ? "D" : "");
    }
    if (w->keywords.n > 0)
        buf_printf(out, "X-Keywords: %.*s\n", STR_ARG(w->keywords));
}

/* Might it become ">From " with what follows? */
static bool may_become_from(struct str s)
{
    while (s.n > 0 && s.p[0] == '>')
        s = str_skip(s, 1);
    return s.n < 5 && str_starts_with(STR("From "), s);
}

/* What cannot be decided yet is kept in w->start. */
static void add_lines(struct mbox_writer *w, struct buf *out, struct str s)
{
    struct buf joined = BUF_EMPTY;
    if (w->start.n > 0) {
        buf_add_str(&joined, buf_str(&w->start));
        buf_add_str(&joined, s);
        buf_clear(&w->start);
        s = buf_str(&joined);
    }
    while (s.n > 0) {
        ptrdiff_t end = str_find_char(s, '\n');
        struct str line = str_head(s, end >= 0 ? (size_t)end + 1 : s.n);
        if (w->line_start && end < 0 && line.n < LINE_LOOK && may_become_from(line)) {
            buf_add_str(&w->start, line);
            break;
        }
        if (w->line_start && (is_quoted(line) || str_starts_with(line, STR("From "))))
            buf_add_char(out, '>');
        buf_add_str(out, line);
        w->line_start = ends_line(line);
        s = str_skip(s, line.n);
    }
    buf_free(&joined);
}

static void add_rest(struct mbox_writer *w, struct buf *out)
{
    if (w->start.n == 0)
        return;
    buf_add_str(out, buf_str(&w->start));
    w->line_start = false;
    buf_clear(&w->start);
}

/* The fields of the header but those that are ours, then ours. */
static void add_header(struct mbox_writer *w, struct buf *out)
{
    struct mbox_message ignored = {0};
    struct str rest = buf_str(&w->header);
    bool blank = false;
    while (rest.n > 0 && !blank) {
        ptrdiff_t end = str_find_char(rest, '\n');
        struct str line = str_head(rest, end >= 0 ? (size_t)end + 1 : rest.n);
        blank = is_blank(line);
        if (!blank && !take_own_field(&ignored, line)) {
            w->line_start = true;
            add_lines(w, out, line);
            add_rest(w, out);
        }
        rest = str_skip(rest, line.n);
    }
    if (out->n > 0 && out->p[out->n - 1] != '\n')
        buf_add_char(out, '\n');
    add_own_fields(w, out);
    buf_add_char(out, '\n');
    w->line_start = w->in_body = true;
    buf_clear(&w->header);
    mbox_message_free(&ignored);
    add_lines(w, out, rest);
}

void mbox_write_begin(struct mbox_writer *w)
{
    buf_clear(&w->header);
    buf_clear(&w->start);
    w->in_body = false;
    w->line_start = true;
    w->any = false;
}

static bool header_is_whole(const struct mbox_writer *w)
{
    struct str s = buf_str(&w->header);
    return str_find(s, STR("\n\n")) >= 0 || str_find(s, STR("\n\r\n")) >= 0 ||
           (s.n > 0 && s.p[0] == '\n') || s.n > HEADER_MAX;
}

void mbox_write(struct mbox_writer *w, struct buf *out, struct str bytes)
{
    if (!w->any)
        add_from_line(w, out);
    w->any = true;
    if (w->in_body) {
        add_lines(w, out, bytes);
        return;
    }
    buf_add_str(&w->header, bytes);
    if (header_is_whole(w))
        add_header(w, out);
}

void mbox_write_end(struct mbox_writer *w, struct buf *out)
{
    mbox_write(w, out, STR(""));
    if (!w->in_body)
        add_header(w, out);
    add_rest(w, out);
    if (!w->line_start)
        buf_add_char(out, '\n');
    buf_add_char(out, '\n');
    buf_free(&w->header);
    buf_free(&w->start);
}
