/*
 * Delivery status notifications (RFC 3464, RFC 6522; RFC 6533 with UTF-8): multipart/report of
 *
 *     text/plain                     for people (report_text.c)
 *     message/delivery-status        for programs; message/global-delivery-status with UTF-8
 *     text/rfc822-headers            the original's header; message/global-headers with UTF-8
 *       or message/rfc822            the whole original; message/global with UTF-8
 *
 * All that comes from outside (addresses, replies of other servers, the original's Message-ID) is
 * cleaned of control characters and cut, so that nothing in it can begin a field or a part. Without
 * UTF-8 the report's own words are ASCII: international addresses take the form of RFC 6533 3
 * (\x{E9}), the text is quoted-printable where needed. The boundary is tried until the original's
 * header does not contain it. A body may be large and is copied by the caller, who reads it from a
 * file; it cannot contain the boundary, which is made of the report's random id.
 */
#include "mime/report.h"

#include "mime/date.h"
#include "mime/header.h"
#include "mime/limits.h"
#include "mime/report_text.h"

#include <unistr.h>

enum { FIELD_MAX = 900, FOLD_WIDTH = 76, MESSAGE_ID_MAX = 900 };

static const char *const action_names[] = {
    [REPORT_FAILED] = "failed",   [REPORT_DELAYED] = "delayed",   [REPORT_DELIVERED] = "delivered",
    [REPORT_RELAYED] = "relayed", [REPORT_EXPANDED] = "expanded",
};

static void add_date_field(struct buf *out, const char *name, int64_t seconds)
{
    buf_printf(out, "%s: ", name);
    date_write_header(out, seconds);
    buf_add_char(out, '\n');
}

/* UTF-8 as it is, or each character beyond ASCII as \x{HEX}. */
static void add_encoded(struct buf *out, struct str s, bool utf8)
{
    if (utf8 || str_is_ascii(s)) {
        buf_add_str(out, s);
        return;
    }
    const uint8_t *p = (const uint8_t *)s.p, *end = p + s.n;
    while (p < end) {
        ucs4_t c;
        p += u8_mbtouc(&c, p, (size_t)(end - p));
        if (c < 128)
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "\\x{%X}", (unsigned)c);
    }
}

/* "Name: value", folded at spaces. */
static void add_field(struct buf *out, const char *name, const char *prefix, struct str value,
                      bool utf8)
{
    struct buf clean = BUF_EMPTY, text = BUF_EMPTY;
    report_add_clean(&clean, value, FIELD_MAX);
    buf_printf(&text, "%s: %s", name, prefix);
    add_encoded(&text, buf_str(&clean), utf8);
    struct str rest = buf_str(&text);
    while (rest.n > FOLD_WIDTH) {
        ptrdiff_t space = str_find_last_char(str_head(rest, FOLD_WIDTH), ' ');
        if (space <= (ptrdiff_t)strlen(name) + 1)
            space = str_find_char(str_skip(rest, FOLD_WIDTH), ' ') < 0
                        ? -1
                        : FOLD_WIDTH + str_find_char(str_skip(rest, FOLD_WIDTH), ' ');
        if (space < 0)
            break;
        buf_add_str(out, str_head(rest, (size_t)space));
        buf_add_char(out, '\n');
        rest = str_skip(rest, (size_t)space); /* the space begins the next line */
    }
    buf_add_str(out, rest);
    buf_add_char(out, '\n');
    buf_free(&clean);
    buf_free(&text);
}

/* An address of type utf-8 (RFC 6533 3): "\\", "+" and "=" take the form \x{HEX} as well, so that
 * who reads it knows where an escape begins. */
static void add_utf8_address(struct buf *out, const char *name, const char *type,
                             struct str address, bool utf8)
{
    struct buf value = BUF_EMPTY;
    for (size_t i = 0; i < address.n; i++) {
        char c = address.p[i];
        if (c == '\\' || c == '+' || c == '=')
            buf_printf(&value, "\\x{%X}", (unsigned)c);
        else
            buf_add_char(&value, c);
    }
    add_field(out, name, type, buf_str(&value), utf8);
    buf_free(&value);
}

static void add_final_recipient(struct buf *out, struct str address, bool utf8)
{
    if (str_is_ascii(address))
        add_field(out, "Final-Recipient", "rfc822; ", address, utf8);
    else
        add_utf8_address(out, "Final-Recipient", "utf-8; ", address, utf8);
}

/* "type;address", as ORCPT had it. */
static void add_original_recipient(struct buf *out, struct str original, bool utf8)
{
    if (str_starts_with_nocase(original, STR("utf-8;")))
        add_utf8_address(out, "Original-Recipient", "utf-8;", str_skip(original, 6), utf8);
    else if (original.n > 0)
        add_field(out, "Original-Recipient", "", original, utf8);
}

/* The original's Message-ID; n == 0 when it has none that can be quoted. */
static struct str original_message_id(const struct report *r)
{
    struct str value;
    if (!header_find(r->original_header, STR("Message-ID"), &value))
        return STR("");
    value = str_trim(value);
    if (value.n < 3 || value.n > MESSAGE_ID_MAX || value.p[0] != '<' ||
        value.p[value.n - 1] != '>' || (!r->utf8 && !str_is_ascii(value)) || !str_is_utf8(value))
        return STR("");
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] <= ' ' || value.p[i] == 127)
            return STR("");
    return value;
}

static void write_header(struct buf *out, const struct report *r, struct str boundary)
{
    struct str id = original_message_id(r);
    add_date_field(out, "Date", r->now);
    struct buf from = BUF_EMPTY;
    buf_printf(&from, "Mail Delivery System <%.*s>", STR_ARG(r->postmaster));
    add_field(out, "From", "", buf_str(&from), r->utf8);
    buf_free(&from);
    add_field(out, "To", "", r->to, r->utf8);
    buf_printf(out, "Subject: %s\n", report_subject(r));
    buf_printf(out, "Message-ID: <%.*s>\n", STR_ARG(r->message_id));
    if (id.n > 0)
        buf_printf(out, "In-Reply-To: %.*s\nReferences: %.*s\n", STR_ARG(id), STR_ARG(id));
    buf_printf(out,
               "Auto-Submitted: auto-replied\n"
               "Precedence: bulk\n"
               "MIME-Version: 1.0\n"
               "Content-Type: multipart/report; report-type=delivery-status;\n"
               "\tboundary=\"%.*s\"\n"
               "\n",
               STR_ARG(boundary));
}

static void add_quoted_printable(struct buf *out, struct str text)
{
    size_t column = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool at_end = i + 1 == text.n || text.p[i + 1] == '\n';
        bool plain = (c > ' ' && c < 127 && c != '=') || (c == ' ' && !at_end);
        if (c == '\n') {
            buf_add_char(out, '\n');
            column = 0;
            continue;
        }
        if (column + (plain ? 1 : 3) > 75) {
            buf_add_c(out, "=\n");
            column = 0;
        }
        if (plain)
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "=%02X", c);
        column += plain ? 1 : 3;
    }
}

static void write_text_part(struct buf *out, const struct report *r)
{
    struct buf text = BUF_EMPTY;
    report_write_text(&text, r);
    bool ascii = str_is_ascii(buf_str(&text));
    buf_printf(out,
               "Content-Type: text/plain; charset=%s\n"
               "Content-Transfer-Encoding: %s\n"
               "\n",
               ascii ? "us-ascii" : "utf-8", ascii ? "7bit" : "quoted-printable");
    if (ascii)
        buf_add_str(out, buf_str(&text));
    else
        add_quoted_printable(out, buf_str(&text));
    buf_free(&text);
}

static bool status_is_valid(struct str s)
{
    uint32_t number;
    for (int i = 0; i < 3; i++) {
        struct str part = str_split(&s, '.');
        if (part.p == NULL || part.n == 0 || part.n > 3 || !str_to_u32(part, &number) ||
            (i == 0 && number != 2 && number != 4 && number != 5))
            return false;
    }
    return s.p == NULL;
}

static void write_recipient(struct buf *out, const struct report *r,
                            const struct report_recipient *p)
{
    bool utf8 = r->utf8;
    buf_add_char(out, '\n');
    add_original_recipient(out, p->original, utf8);
    add_final_recipient(out, p->address, utf8);
    buf_printf(out, "Action: %s\n", action_names[p->action]);
    struct str otherwise = p->action == REPORT_FAILED    ? STR("5.0.0")
                           : p->action == REPORT_DELAYED ? STR("4.0.0")
                                                         : STR("2.0.0");
    add_field(out, "Status", "", status_is_valid(p->status) ? p->status : otherwise, utf8);
    if (p->remote_host.n > 0 && !str_starts_with(p->remote_host, STR("unix:")))
        add_field(out, "Remote-MTA", "dns; ", p->remote_host, utf8);
    if (p->diagnostic.n > 0)
        add_field(out, "Diagnostic-Code", report_quotes_server(p) ? "smtp; " : "x-maild; ",
                  str_head(p->diagnostic,
                           r->recipient_count > REPORT_FULL_MAX ? REPORT_WORDS_SHORT : FIELD_MAX),
                  utf8);
    if (p->passed_to.n > 0)
        add_field(out, "SMTP-Remote-Recipient", "", p->passed_to, utf8);
    if (p->last_attempt > 0)
        add_date_field(out, "Last-Attempt-Date", p->last_attempt);
    if (r->queue_id.n > 0)
        add_field(out, "Final-Log-ID", "", r->queue_id, utf8);
    if (p->will_retry_until > 0)
        add_date_field(out, "Will-Retry-Until", p->will_retry_until);
}

static void write_status_part(struct buf *out, const struct report *r)
{
    buf_add_c(out, r->utf8 ? "Content-Type: message/global-delivery-status\n"
                             "Content-Transfer-Encoding: 8bit\n"
                             "\n"
                           : "Content-Type: message/delivery-status\n"
                             "\n");
    add_field(out, "Reporting-MTA", "dns; ", r->reporting_host, r->utf8);
    if (r->envelope_id.n > 0)
        add_field(out, "Original-Envelope-Id", "", r->envelope_id, r->utf8);
    if (r->queue_id.n > 0)
        add_field(out, "X-Maild-Queue-Id", "", r->queue_id, r->utf8);
    add_date_field(out, "Arrival-Date", r->arrival);
    if (r->deliver_by != 0)
        add_date_field(out, "Deliver-By-Date", r->deliver_by);
    if (r->hold_request.n > 0)
        add_field(out, "Future-Release-Request", "", r->hold_request, r->utf8);
    for (size_t i = 0; i < r->recipient_count; i++)
        write_recipient(out, r, &r->recipients[i]);
}

/* The header block without the empty line at its end. */
static struct str without_empty_line(struct str header)
{
    while (header.n > 0 && (header.p[header.n - 1] == '\n' || header.p[header.n - 1] == '\r'))
        header.n--;
    return header;
}

static void write_original(struct buf *out, const struct report *r)
{
    bool ascii = str_is_ascii(r->original_header) && !(r->whole && r->eight_bit);
    const char *type = r->whole ? (r->utf8 ? "message/global" : "message/rfc822")
                                : (r->utf8 ? "message/global-headers" : "text/rfc822-headers");
    buf_printf(out, "Content-Type: %s\nContent-Transfer-Encoding: %s\n\n", type,
               ascii ? "7bit" : "8bit");
    buf_add_str(out, without_empty_line(r->original_header));
    buf_add_char(out, '\n');
    if (r->whole)
        buf_add_char(out, '\n');
}

static void write_boundary(struct buf *out, const struct report *r)
{
    unsigned n = 0;
    do {
        buf_clear(out);
        buf_printf(out, "=_report_%016llx_%u",
                   (unsigned long long)(str_hash(r->message_id) ^ (uint64_t)r->now), n++);
    } while (str_find(r->original_header, buf_str(out)) >= 0);
}

void report_write_start(struct buf *out, const struct report *r)
{
    struct buf boundary = BUF_EMPTY;
    write_boundary(&boundary, r);
    struct str b = buf_str(&boundary);
    write_header(out, r, b);
    buf_printf(out, "--%.*s\n", STR_ARG(b));
    write_text_part(out, r);
    buf_printf(out, "\n--%.*s\n", STR_ARG(b));
    write_status_part(out, r);
    buf_printf(out, "\n--%.*s\n", STR_ARG(b));
    write_original(out, r);
    buf_free(&boundary);
}

void report_write_end(struct buf *out, const struct report *r)
{
    struct buf boundary = BUF_EMPTY;
    write_boundary(&boundary, r);
    buf_printf(out, "\n--%.*s--\n", STR_ARG(buf_str(&boundary)));
    buf_free(&boundary);
}
