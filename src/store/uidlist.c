/*
 * dovecot-uidlist:
 *
 *   3 V<uidvalidity> N<next uid> G<guid of the mailbox> ...
 *   <uid> [S<size>] [W<size with CRLF>] [P<POP3 UIDL>] [O<POP3 order>] [G<guid>] :<base name>
 *
 * New lines are appended in place, so N is a lower bound: the next UID is above the last line's as
 * well. Lines of expunged messages stay until the list is written anew; a line counts only
 * together with its file. Fields with other letters are kept as they are. Version 1
 * (`1 <validity> <next>`, then `<uid> <name>`) comes from old Dovecots and from Courier.
 */
#include "store/uidlist.h"

#include "store/maildir_name.h"

static struct str cut_line(struct str *text, bool *complete)
{
    ptrdiff_t end = str_find_char(*text, '\n');
    struct str line = end < 0 ? *text : str_head(*text, (size_t)end);
    *complete = end >= 0;
    *text = str_skip(*text, line.n + (end >= 0));
    return line;
}

void guid_format(char out[2 * GUID_SIZE], const uint8_t guid[GUID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < GUID_SIZE; i++) {
        out[2 * i] = digits[guid[i] >> 4];
        out[2 * i + 1] = digits[guid[i] & 15];
    }
}

bool guid_parse(struct str hex, uint8_t guid[GUID_SIZE])
{
    if (hex.n != 2 * (size_t)GUID_SIZE)
        return false;
    for (size_t i = 0; i < GUID_SIZE; i++) {
        int high = char_hex_value(hex.p[2 * i]), low = char_hex_value(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        guid[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* A field and all behind it, without spaces at the end. */
static struct str from_field(struct str field, struct str rest)
{
    size_t n = rest.n > 0 ? (size_t)(rest.p + rest.n - field.p) : field.n;
    while (n > 0 && (field.p[n - 1] == ' ' || field.p[n - 1] == '\t'))
        n--;
    return str_from(field.p, n);
}

static bool read_header_fields(struct str line, struct uidlist_header *h)
{
    while (line.n > 0) {
        struct str field = str_word(&line);
        if (field.n == 0)
            break;
        struct str value = str_skip(field, 1);
        if (field.p[0] == 'V') {
            if (!str_to_u32(value, &h->validity))
                return false;
        } else if (field.p[0] == 'N') {
            if (!str_to_u32(value, &h->next))
                return false;
        } else if (field.p[0] == 'G' && !h->has_guid) {
            h->has_guid = guid_parse(value, h->guid);
        } else {
            /* From the first unknown field on: Dovecot writes them last. */
            h->extra = from_field(field, line);
            break;
        }
    }
    return true;
}

bool uidlist_read_header(struct str *text, struct uidlist_header *h)
{
    bool complete;
    struct str line = cut_line(text, &complete);
    struct str version = str_word(&line);

    *h = (struct uidlist_header){0};
    if (!complete)
        return false;
    if (str_equal(version, STR("3")))
        return read_header_fields(line, h) && h->validity > 0;
    if (str_equal(version, STR("1")))
        return str_to_u32(str_word(&line), &h->validity) && str_to_u32(str_word(&line), &h->next) &&
               h->validity > 0;
    return false;
}

/* The fields between the UID and the name. */
static void read_fields(struct str fields, struct uidlist_line *line)
{
    while (fields.n > 0) {
        struct str field = str_word(&fields);
        if (field.n == 0)
            break;
        struct str value = str_skip(field, 1);
        if (field.p[0] == 'S' && str_to_u64(value, &line->size)) {
            line->has_size = true;
        } else if (field.p[0] == 'W' && str_to_u64(value, &line->size_crlf)) {
            line->has_size_crlf = true;
        } else {
            line->extra = from_field(field, fields);
            break;
        }
    }
}

bool uidlist_read_line(struct str *text, uint32_t last, struct uidlist_line *line, bool *damaged)
{
    bool complete;
    struct str rest = cut_line(text, &complete);

    *line = (struct uidlist_line){0};
    *damaged = !complete && rest.n > 0;
    if (!complete)
        return false;
    *damaged = true;
    struct str number = str_split(&rest, ' ');
    if (!rest.p || !str_to_u32(number, &line->uid) || line->uid <= last || line->uid == UINT32_MAX)
        return false;
    /* " :" ends the fields; without fields the name follows at once; version 1 has no colon. */
    ptrdiff_t colon = rest.n > 0 && rest.p[0] == ':' ? 0 : str_find(rest, STR(" :"));
    if (colon >= 0) {
        bool fields = rest.p[0] != ':';
        if (fields)
            read_fields(str_head(rest, (size_t)colon), line);
        rest = str_skip(rest, (size_t)colon + (fields ? 2 : 1));
    }
    struct str info;
    maildir_name_split(rest, &line->base, &info);
    if (line->base.n == 0 || str_find_char(line->base, '/') >= 0)
        return false;
    *damaged = false;
    return true;
}

void uidlist_add_header(struct buf *b, const struct uidlist_header *h)
{
    char guid[2 * GUID_SIZE];

    guid_format(guid, h->guid);
    buf_printf(b, "3 V%u N%u G%.*s", h->validity, h->next, (int)sizeof(guid), guid);
    if (h->extra.n > 0) {
        buf_add_char(b, ' ');
        buf_add_str(b, h->extra);
    }
    buf_add_char(b, '\n');
}

void uidlist_add_line(struct buf *b, const struct uidlist_line *line)
{
    uint64_t known;

    buf_printf(b, "%u ", line->uid);
    if (!maildir_name_get_size(line->base, 'S', &known) || known != line->size)
        buf_printf(b, "S%llu ", (unsigned long long)line->size);
    if (!maildir_name_get_size(line->base, 'W', &known) || known != line->size_crlf)
        buf_printf(b, "W%llu ", (unsigned long long)line->size_crlf);
    if (line->extra.n > 0) {
        buf_add_str(b, line->extra);
        buf_add_char(b, ' ');
    }
    buf_add_char(b, ':');
    buf_add_str(b, line->base);
    buf_add_char(b, '\n');
}
