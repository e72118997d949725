/*
 * Values of Active Directory. Numbers that do not fit are not numbers: an entry with one is treated
 * as if it did not have the attribute, except for flags, where the account then may not log in.
 */
#include "auth/ldap_ad.h"

#define FILETIME_TO_1970 ((int64_t)11644473600) /* seconds */
#define FILETIME_NEVER   INT64_MAX
#define DAYS_MAX         10000000 /* more days than this are no days but a FILETIME */

bool ldap_number_parse(struct str text, int64_t *value)
{
    uint64_t n;
    bool negative = text.n > 0 && text.p[0] == '-';
    if (!str_to_u64(str_skip(text, negative), &n) || n > INT64_MAX)
        return false;
    *value = negative ? -(int64_t)n : (int64_t)n;
    return true;
}

static bool digits(struct str text, size_t at, size_t n, int *value)
{
    uint32_t v;
    if (at + n > text.n || !str_to_u32(str_from(text.p + at, n), &v))
        return false;
    *value = (int)v;
    return true;
}

/* "YYYYmmddHH[MM[SS]][.f]Z"; other zones than Z are not used for this. */
static bool generalized_time(struct str text, usec *when)
{
    struct tm t = {0};
    if (text.n < 11 || char_lower(text.p[text.n - 1]) != 'z' || !digits(text, 0, 4, &t.tm_year) ||
        !digits(text, 4, 2, &t.tm_mon) || !digits(text, 6, 2, &t.tm_mday) ||
        !digits(text, 8, 2, &t.tm_hour))
        return false;
    if (digits(text, 10, 2, &t.tm_min))
        digits(text, 12, 2, &t.tm_sec);
    if (t.tm_mon < 1 || t.tm_mon > 12 || t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour > 23 ||
        t.tm_min > 59 || t.tm_sec > 60)
        return false;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    *when = (usec)timegm(&t) * USEC_SEC;
    return true;
}

bool ldap_expiry_parse(struct str text, usec *when)
{
    int64_t n;
    *when = DEADLINE_NONE;
    if (!ldap_number_parse(text, &n))
        return generalized_time(text, when);
    if (n == 0 || n == -1 || n == FILETIME_NEVER)
        return true;
    if (n < 0)
        return false;
    if (n < DAYS_MAX)
        *when = n * 86400 * USEC_SEC;
    else
        *when = n / 10 - FILETIME_TO_1970 * USEC_SEC;
    return true;
}

/* --- security identifiers --- */

bool ad_sid_is_valid(struct str sid)
{
    if (sid.n < 12 || sid.p[0] != 1)
        return false;
    size_t count = (unsigned char)sid.p[1];
    return count >= 1 && count <= 15 && sid.n == 8 + 4 * count;
}

uint32_t ad_sid_rid(struct str sid)
{
    struct reader r = {sid.p + sid.n - 4, 4, false};
    return read_u32(&r);
}

bool ad_sid_same_domain(struct str a, struct str b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n - 4) == 0;
}

struct str ad_sid_sibling(struct arena *a, struct str sid, uint32_t rid)
{
    struct buf b = BUF_EMPTY;
    buf_add(&b, sid.p, sid.n - 4);
    buf_add_u32(&b, rid);
    struct str sibling = arena_str(a, buf_str(&b));
    buf_free(&b);
    return sibling;
}

/* --- identifiers, passwords, ranges --- */

static bool is_text(struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < '!' || value.p[i] > '~')
            return false;
    return true;
}

struct str ldap_id_text(struct arena *a, struct str value)
{
    const unsigned char *p = (const unsigned char *)value.p;
    if (is_text(value))
        return arena_lower(a, value);
    if (value.n != 16) {
        struct buf b = BUF_EMPTY;
        buf_add_hex(&b, str_head(value, 64));
        struct str text = arena_str(a, buf_str(&b));
        buf_free(&b);
        return text;
    }
    return arena_printf(a, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                        p[3], p[2], p[1], p[0], p[5], p[4], p[7], p[6], p[8], p[9], p[10], p[11],
                        p[12], p[13], p[14], p[15]);
}

static uint32_t code_point(const unsigned char *p, size_t n)
{
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = p[0] & first[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3f);
    return c;
}

static void add_utf16(struct buf *b, uint32_t c)
{
    if (c >= 0x10000) {
        c -= 0x10000;
        buf_add_u16(b, (uint16_t)(0xd800 + (c >> 10)));
        c = 0xdc00 + (c & 0x3ff);
    }
    buf_add_u16(b, (uint16_t)c);
}

bool ad_password_value(struct buf *b, struct str password)
{
    buf_reserve(b, 2 * password.n + 4); /* no copies are left behind by growing */
    add_utf16(b, '"');
    while (password.n > 0) {
        size_t n = str_character(password);
        if (n == 0)
            return false;
        add_utf16(b, code_point((const unsigned char *)password.p, n));
        password = str_skip(password, n);
    }
    add_utf16(b, '"');
    return true;
}

static bool to_size(struct str text, size_t *value)
{
    uint64_t n;
    if (!str_to_u64(text, &n) || n >= SIZE_MAX)
        return false;
    *value = (size_t)n;
    return true;
}

bool ad_range_parse(struct str name, size_t *first, size_t *last)
{
    ptrdiff_t at = str_find_nocase(name, STR(";range="));
    if (at < 0)
        return false;
    struct str end = str_skip(name, (size_t)at + sizeof(";range=") - 1);
    struct str begin = str_split(&end, '-');
    if (!end.p || !to_size(begin, first))
        return false;
    *last = SIZE_MAX;
    return str_equal(end, STR("*")) || (to_size(end, last) && *last >= *first);
}

/* --- whether an account may log in --- */

/* False: the entry has none; flags that are no number are all flags. */
static bool flags_of(const struct ldap_entry *entry, const char *name, uint32_t *flags)
{
    const struct ldap_attribute *attribute = ldap_attribute_of(entry, name);
    int64_t n;
    if (!attribute || attribute->count == 0)
        return false;
    *flags = ldap_number_parse(attribute->values[0], &n) ? (uint32_t)n : UINT32_MAX;
    return true;
}

static bool is_number(const struct ldap_entry *entry, const char *name, bool zero)
{
    const struct ldap_attribute *attribute = ldap_attribute_of(entry, name);
    int64_t n;
    return attribute && attribute->count > 0 && ldap_number_parse(attribute->values[0], &n) &&
           (n == 0) == zero;
}

const char *ad_no_login(const struct ldap_entry *entry, bool *disabled)
{
    uint32_t control = 0, computed = 0;
    flags_of(entry, "userAccountControl", &control);
    bool has_computed = flags_of(entry, "msDS-User-Account-Control-Computed", &computed);
    *disabled = control & AD_ACCOUNT_DISABLED;
    if (*disabled)
        return "disabled";
    /* lockoutTime stays until the next login, even when the lock is over: only the computed flag
     * knows that. */
    if (has_computed ? computed & AD_LOCKED_OUT : is_number(entry, "lockoutTime", false))
        return "locked";
    if (computed & AD_PASSWORD_EXPIRED || is_number(entry, "pwdLastSet", true))
        return "password_expired";
    return NULL;
}
