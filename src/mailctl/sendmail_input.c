/*
 * The message from standard input: the header in memory, because recipients and sender may be in
 * it, the rest in memory up to a size and then in a temporary file that has no name. All of it is
 * read before the server is asked, so a program that takes its time keeps no connection, and a
 * server that goes away in the middle costs nothing.
 *
 * Recipients of -t: Resent-To, Resent-Cc and Resent-Bcc when there are any, else To, Cc and Bcc, in
 * addition to those of the command line. The server removes Bcc from all it takes from users, but
 * it is removed here as well: what lies in the maildrop is not meant for anybody's eyes either.
 */
#include "core/disk.h"
#include "mailctl/sendmail.h"
#include "mime/address.h"
#include "mime/header.h"
#include "smtp/limits.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 * 1024)
#define COMPARED_MAX                                                                               \
    5000 /* recipients that a further one is compared with; the server does it too */

/* --- recipients --- */

static void add_recipient(struct sendmail *s, struct str address)
{
    for (size_t i = 0; i < s->recipient_count && i < COMPARED_MAX; i++)
        if (str_equal(s->recipients[i], address))
            return;
    s->recipients = arena_grow(s->arena, s->recipients, s->recipient_count, &s->recipient_capacity,
                               sizeof(*s->recipients), 16);
    s->recipients[s->recipient_count++] = address;
}

bool sendmail_add_recipients(struct sendmail *s, struct str list, struct err *e)
{
    size_t count;
    struct mailbox_address *found = address_list_parse(s->arena, list, &count);
    for (size_t i = 0; i < count; i++) {
        struct address address = {found[i].local, found[i].domain}, checked;
        const char *reason = NULL;
        if (!found[i].domain.p) /* begin or end of a group */
            continue;
        struct str text = address_text(s->arena, &address);
        if (address.local.n == 0 ||
            !address_parse(s->arena, text, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &checked, &reason))
            return err_set(e, ERR_SYNTAX, "%.*s: %s", STR_ARG(str_head(str_trim(list), 200)),
                           reason ? reason : "no address");
        add_recipient(s, text);
    }
    return true;
}

/* --- the bytes --- */

static bool keep_body(struct sendmail *s, struct str bytes, struct err *e)
{
    s->body_size += bytes.n;
    if (s->file < 0 && s->body.n + bytes.n <= SENDMAIL_MEMORY_MAX) {
        buf_add_str(&s->body, bytes);
        return true;
    }
    if (s->file < 0) {
        FILE *file = tmpfile();
        s->file = file ? dup(fileno(file)) : -1;
        if (file)
            fclose(file);
        if (s->file < 0)
            return err_set_errno(e, errno, "a temporary file");
        if (!disk_write(s->file, s->body.p, s->body.n, "a temporary file", e))
            return false;
        buf_free(&s->body);
    }
    return disk_write(s->file, bytes.p, bytes.n, "a temporary file", e);
}

struct input {
    struct sendmail *s;
    struct buf block; /* what was read and not used yet */
    bool header;      /* its end was not seen yet */
    size_t header_at; /* lines before are fields */
    bool line_start;
    bool ended; /* by a dot */
    bool at_end;
};

static bool is_eight_bit(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return true;
    return false;
}

/* Bytes in front of a line that is only a dot; all when there is none. A dot that may become such a
 * line with the next bytes is left over. */
static size_t before_dot(struct input *in, struct str bytes)
{
    bool line_start = in->line_start;
    for (size_t at = 0; at < bytes.n;) {
        struct str rest = str_skip(bytes, at);
        if (line_start && *rest.p == '.') {
            bool crlf = rest.n > 1 && rest.p[1] == '\r';
            size_t end = crlf ? 2 : 1;
            if (rest.n <= end) { /* wait for more; at the end of the input it is the end as well */
                in->ended = in->at_end;
                return at;
            }
            if (rest.p[end] == '\n') {
                in->ended = true;
                return at;
            }
        }
        ptrdiff_t newline = str_find_char(rest, '\n');
        line_start = newline >= 0;
        at += newline >= 0 ? (size_t)newline + 1 : rest.n;
    }
    return bytes.n;
}

static bool is_field(struct str line)
{
    size_t n = 0;
    while (n < line.n && line.p[n] > ' ' && line.p[n] < 127 && line.p[n] != ':')
        n++;
    line = str_trim(str_skip(line, n));
    return n > 0 && line.n > 0 && *line.p == ':';
}

/* The header ends with an empty line, or before a line that is no field. Looks at the lines from
 * *at on, which moves to the first that is not complete. */
static bool find_header_end(struct buf *head, size_t *at)
{
    for (;;) {
        struct str rest = str_skip(buf_str(head), *at);
        ptrdiff_t newline = str_find_char(rest, '\n');
        if (newline < 0)
            return false;
        struct str line = str_head(rest, (size_t)newline);
        bool mbox = *at == 0 &&
                    (str_starts_with(line, STR("From ")) || str_starts_with(line, STR(">From ")));
        bool folded = *at > 0 && line.n > 0 && (*line.p == ' ' || *line.p == '\t');
        if (mbox) {
            buf_consume(head, line.n + 1);
            continue;
        }
        if (!folded && str_trim(line).n > 0 && !is_field(line))
            return true;
        *at += line.n + 1;
        if (str_trim(line).n == 0 && !folded)
            return true;
    }
}

/* What is behind the header goes to the body. */
static bool end_header(struct input *in, struct err *e)
{
    struct sendmail *s = in->s;
    in->header = false;
    bool ok = keep_body(s, str_skip(buf_str(&s->head), in->header_at), e);
    s->head.n = in->header_at;
    return ok;
}

static bool take_bytes(struct input *in, struct err *e)
{
    struct sendmail *s = in->s;
    struct str bytes = buf_str(&in->block);
    size_t n = s->dots ? bytes.n : before_dot(in, bytes);
    bool ok = true;
    bytes = str_head(bytes, n);
    if (n > 0)
        in->line_start = bytes.p[n - 1] == '\n';
    s->eight_bit |= !s->eight_bit && is_eight_bit(bytes);
    if (in->header) {
        buf_add_str(&s->head, bytes);
        if (find_header_end(&s->head, &in->header_at))
            ok = end_header(in, e);
        else if (s->head.n > SMTP_HEADER_MAX && in->header_at == 0)
            ok = end_header(in, e); /* one long line: no header */
    } else {
        ok = keep_body(s, bytes, e);
    }
    buf_consume(&in->block, n);
    if (ok && s->head.n > SMTP_HEADER_MAX)
        return err_set(e, ERR_LIMIT, "the header of the message is larger than %d bytes",
                       SMTP_HEADER_MAX);
    if (ok && sendmail_size(s) > s->size_max)
        return err_set(e, ERR_LIMIT, "the message is larger than the limit of %llu bytes",
                       (unsigned long long)s->size_max);
    return ok;
}

static bool read_all(struct sendmail *s, struct err *e)
{
    struct input in = {.s = s, .header = true, .line_start = true};
    bool ok = true;
    while (ok && !in.ended && !in.at_end) {
        ssize_t n = read(STDIN_FILENO, buf_reserve(&in.block, READ_SIZE), READ_SIZE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            ok = err_set_errno(e, errno, "standard input");
        in.at_end = n <= 0;
        in.block.n += n > 0 ? (size_t)n : 0;
        ok = ok && take_bytes(&in, e);
    }
    buf_free(&in.block);
    return ok;
}

/* --- the header --- */

static bool is_recipient_field(struct str name, bool resent)
{
    static const char *const plain[] = {"To", "Cc", "Bcc"};
    static const char *const again[] = {"Resent-To", "Resent-Cc", "Resent-Bcc"};
    for (size_t i = 0; i < 3; i++)
        if (str_equal_nocase(name, str_from_c(resent ? again[i] : plain[i])))
            return true;
    return false;
}

static bool take_recipients(struct sendmail *s, struct err *e)
{
    struct header_field field;
    bool resent = false;
    for (struct str rest = buf_str(&s->head); header_next(&rest, &field);)
        resent |= is_recipient_field(field.name, true);
    for (struct str rest = buf_str(&s->head); header_next(&rest, &field);)
        if (is_recipient_field(field.name, resent) && !sendmail_add_recipients(s, field.value, e))
            return false;
    return true;
}

static void remove_bcc(struct sendmail *s)
{
    struct buf kept = BUF_EMPTY;
    struct header_field field;
    struct str all = buf_str(&s->head), rest = all;
    const char *copied = all.p;
    while (header_next(&rest, &field)) {
        if (!str_equal_nocase(field.name, STR("Bcc")) &&
            !str_equal_nocase(field.name, STR("Resent-Bcc")))
            continue;
        buf_add(&kept, copied, (size_t)(field.whole.p - copied));
        copied = field.whole.p + field.whole.n;
    }
    buf_add(&kept, copied, (size_t)(all.p + all.n - copied));
    buf_free(&s->head);
    s->head = kept;
}

/* As a phrase (RFC 5322 3.2.5), or as an encoded word. */
static void add_name(struct buf *out, struct str name)
{
    if (!str_is_ascii(name)) {
        buf_add_c(out, "=?utf-8?b?");
        buf_add_base64(out, name);
        buf_add_c(out, "?= ");
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"' || name.p[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, (unsigned char)name.p[i] < ' ' ? ' ' : name.p[i]);
    }
    buf_add_c(out, "\" ");
}

/* -F, else what the system knows of the user, if it is the user who sends. */
static struct str full_name(const struct sendmail *s)
{
    if (s->full_name || s->sender_given)
        return str_trim(str_from_c(s->full_name));
    const struct passwd *user = getpwuid(getuid());
    struct str gecos = str_from_c(user ? user->pw_gecos : "");
    return str_trim(str_split(&gecos, ','));
}

/* In front of a message that has no From; the server completes the address. */
static void add_from(struct sendmail *s)
{
    struct str value, name = full_name(s), sender = str_from_c(s->sender);
    struct buf line = BUF_EMPTY;
    struct header_field field;
    struct str rest = buf_str(&s->head);
    bool header = header_next(&rest, &field);
    if (header_find(buf_str(&s->head), STR("From"), &value) || sender.n == 0)
        return;
    buf_add_c(&line, "From: ");
    if (name.n > 0 && name.n < 200)
        add_name(&line, name);
    buf_printf(&line, name.n > 0 && name.n < 200 ? "<%.*s>\n" : "%.*s\n", STR_ARG(sender));
    if (!header && s->head.n == 0) /* only a body */
        buf_add_char(&line, '\n');
    buf_add_str(&line, buf_str(&s->head));
    buf_free(&s->head);
    s->head = line;
}

int sendmail_read(struct sendmail *s)
{
    struct err e;
    if (!read_all(s, &e))
        return sendmail_fail(e.kind == ERR_LIMIT      ? EX_DATAERR
                             : e.kind == ERR_NO_SPACE ? EX_TEMPFAIL
                                                      : EX_IOERR,
                             "%s", e.text);
    if (s->from_header && !take_recipients(s, &e))
        return sendmail_fail(EX_DATAERR, "%s", e.text);
    remove_bcc(s);
    add_from(s);
    return EX_OK;
}

uint64_t sendmail_size(const struct sendmail *s)
{
    return s->head.n + s->body_size;
}

bool sendmail_each_piece(struct sendmail *s, bool (*fn)(void *arg, struct str piece, struct err *e),
                         void *arg, struct err *e)
{
    if (!fn(arg, buf_str(&s->head), e))
        return false;
    if (s->file < 0)
        return fn(arg, buf_str(&s->body), e);
    struct buf block = BUF_EMPTY;
    bool ok = true;
    for (uint64_t at = 0; ok && at < s->body_size; at += block.n) {
        buf_clear(&block);
        ok = disk_read_at(s->file, buf_reserve(&block, READ_SIZE), READ_SIZE, at, &block.n,
                          "a temporary file", e) &&
             fn(arg, buf_str(&block), e);
        if (ok && block.n == 0)
            ok = err_set(e, ERR_IO, "a temporary file became shorter");
    }
    buf_free(&block);
    return ok;
}
