/*
 * Names of message files, as maildir(5) and Dovecot have them. The info letters are sorted by their
 * ASCII code: D(raft) F(lagged) R(eplied) S(een) T(rashed), then a to z for the keywords of
 * dovecot-keywords. Letters with no meaning here (P, passed) and everything behind a further comma
 * belong to other programs and are kept.
 */
#include "store/maildir_name.h"

#include "store/mailbox.h"

static const struct {
    char letter;
    uint8_t flag;
} letters[] = {
    {'D', MESSAGE_DRAFT}, {'F', MESSAGE_FLAGGED}, {'R', MESSAGE_ANSWERED},
    {'S', MESSAGE_SEEN},  {'T', MESSAGE_DELETED},
};

#define LETTER_COUNT (sizeof(letters) / sizeof(*letters))

void maildir_name_split(struct str name, struct str *base, struct str *info)
{
    ptrdiff_t at = str_find_char(name, ':');
    size_t n = at < 0 ? name.n : (size_t)at;
    *base = str_head(name, n);
    *info = str_skip(name, n);
}

bool maildir_name_get_size(struct str base, char key, uint64_t *size)
{
    struct str rest = base;

    str_split(&rest, ',');
    while (rest.p) {
        struct str field = str_split(&rest, ',');
        if (field.n > 2 && field.p[0] == key && field.p[1] == '=')
            return str_to_u64(str_skip(field, 2), size);
    }
    return false;
}

static uint8_t letter_flag(char c)
{
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        if (letters[i].letter == c)
            return letters[i].flag;
    }
    return 0;
}

bool maildir_info_parse(struct str info, uint8_t *flags, uint32_t *keywords)
{
    char canonical[MAILDIR_INFO_MAX];
    struct str part = info;

    *flags = 0;
    *keywords = 0;
    if (!str_starts_with(info, STR(":2,")))
        return false;
    part = str_skip(part, 3);
    part = str_split(&part, ',');
    for (size_t i = 0; i < part.n; i++) {
        *flags |= letter_flag(part.p[i]);
        if (part.p[i] >= 'a' && part.p[i] <= 'z')
            *keywords |= 1u << (part.p[i] - 'a');
    }
    size_t n = maildir_info_format(canonical, *flags, *keywords);
    return str_equal(info, str_from(canonical, n));
}

size_t maildir_info_format(char out[MAILDIR_INFO_MAX], uint8_t flags, uint32_t keywords)
{
    size_t n = 0;

    out[n++] = ':';
    out[n++] = '2';
    out[n++] = ',';
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        if (flags & letters[i].flag)
            out[n++] = letters[i].letter;
    }
    for (int i = 0; i < 26; i++) {
        if (keywords & 1u << i)
            out[n++] = (char)('a' + i);
    }
    return n;
}

void maildir_info_merge(struct buf *b, struct str old_info, uint8_t flags, uint32_t keywords)
{
    bool have[256] = {0};
    struct str rest = str_starts_with(old_info, STR(":2,")) ? str_skip(old_info, 3) : STR("");
    struct str old = str_split(&rest, ',');

    for (size_t i = 0; i < old.n; i++) {
        unsigned char c = (unsigned char)old.p[i];
        have[c] = !letter_flag(old.p[i]) && !(c >= 'a' && c <= 'z');
    }
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        if (flags & letters[i].flag)
            have[(unsigned char)letters[i].letter] = true;
    }
    for (int i = 0; i < 26; i++) {
        if (keywords & 1u << i)
            have['a' + i] = true;
    }
    buf_add_c(b, ":2,");
    for (int c = 1; c < 256; c++) {
        if (have[c])
            buf_add_char(b, (char)c);
    }
    if (rest.p) {
        buf_add_char(b, ',');
        buf_add_str(b, rest);
    }
}

static uint64_t leading_number(struct str s)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && v < UINT64_MAX / 16; i++)
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    return v;
}

static uint64_t name_usec(struct str name)
{
    ptrdiff_t dot = str_find_char(name, '.');
    if (dot < 0)
        return 0;
    struct str part = str_skip(name, (size_t)dot + 1);
    part = str_split(&part, '.');
    ptrdiff_t m = str_find_char(part, 'M');
    return m < 0 ? 0 : leading_number(str_skip(part, (size_t)m + 1));
}

int maildir_name_compare(struct str a, struct str b)
{
    uint64_t x = leading_number(a), y = leading_number(b);
    if (x == y) {
        x = name_usec(a);
        y = name_usec(b);
    }
    if (x != y)
        return x < y ? -1 : 1;
    return str_compare(a, b);
}

void maildir_name_add_host(struct buf *b, const char *hostname)
{
    for (const char *p = hostname; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c >= 0x7f || c == '/' || c == ':' || c == ',')
            buf_printf(b, "\\%03o", c);
        else
            buf_add_char(b, *p);
    }
}

static void add_number(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    buf_add(b, digits + n, sizeof(digits) - n);
}

void maildir_name_make(struct buf *b, usec now, int64_t pid, char kind, uint64_t number,
                       const char *hostname, uint64_t size, uint64_t size_crlf)
{
    add_number(b, (uint64_t)(now / USEC_SEC));
    buf_add(b, ".M", 2);
    add_number(b, (uint64_t)(now % USEC_SEC));
    buf_add_char(b, 'P');
    add_number(b, (uint64_t)pid);
    buf_add_char(b, kind);
    add_number(b, number);
    buf_add_char(b, '.');
    buf_add_c(b, hostname);
    buf_add(b, ",S=", 3);
    add_number(b, size);
    buf_add(b, ",W=", 3);
    add_number(b, size_crlf);
}

static bool skip_digits(struct str *s)
{
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    *s = str_skip(*s, n);
    return n > 0;
}

static bool skip_char(struct str *s, const char *one_of)
{
    if (s->n == 0 || !strchr(one_of, s->p[0]))
        return false;
    *s = str_skip(*s, 1);
    return true;
}

bool maildir_name_is_ours(struct str base)
{
    return skip_digits(&base) && skip_char(&base, ".") && skip_char(&base, "M") &&
           skip_digits(&base) && skip_char(&base, "P") && skip_digits(&base) &&
           skip_char(&base, "QR") && skip_digits(&base) && skip_char(&base, ".");
}
