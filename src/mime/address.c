/*
 * Addresses of the envelope (RFC 5321 4.1.2, RFC 6531 3.3), read strictly: what is accepted here
 * goes into journals, paths, log lines and replies, so there are no control characters, no bare
 * spaces and no lengths beyond limits.h. What is between the angle brackets is:
 *
 *     [ "@" domain *( "," "@" domain ) ":" ]  local-part  "@"  domain
 *
 * The source route is checked and dropped (RFC 5321 appendix C). The local part is kept without
 * quotes, so that "alice"@example.test and alice@example.test are one address; address_text puts
 * quotes back where they are needed. Domains compare in lower case, hence are kept so.
 */
#include "mime/address.h"

#include "core/buf.h"
#include "mime/limits.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>

static bool is_high(char c)
{
    return (unsigned char)c >= 128;
}

static bool is_letter_or_digit(char c)
{
    return char_is_digit(c) || (char_lower(c) >= 'a' && char_lower(c) <= 'z');
}

/* atext of RFC 5322 3.2.3. */
static bool is_atom_char(char c)
{
    return is_letter_or_digit(c) || is_high(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_dot_string(struct str s)
{
    if (s.n == 0 || s.p[0] == '.' || s.p[s.n - 1] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_atom_char(s.p[i]) && !(s.p[i] == '.' && s.p[i - 1] != '.'))
            return false;
    return true;
}

/* U+0080 to U+009F: control characters that are well-formed UTF-8. */
static bool has_c1_control(struct str s)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == '\xc2' && (unsigned char)s.p[i + 1] < 0xa0)
            return true;
    return false;
}

static bool literal_is_valid(struct str inner)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    int family = AF_INET;
    if (str_starts_with_nocase(inner, STR("IPv6:"))) {
        inner = str_skip(inner, 5);
        family = AF_INET6;
    }
    if (inner.n == 0 || inner.n >= sizeof(text))
        return false;
    memcpy(text, inner.p, inner.n);
    text[inner.n] = '\0';
    return strlen(text) == inner.n && inet_pton(family, text, &address) == 1;
}

static bool label_is_valid(struct str label, bool utf8)
{
    if (label.n == 0 || label.n > ADDRESS_LABEL_MAX || label.p[0] == '-' ||
        label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++)
        if (!is_letter_or_digit(label.p[i]) && label.p[i] != '-' && !(utf8 && is_high(label.p[i])))
            return false;
    return true;
}

bool domain_is_valid(struct str domain, bool utf8)
{
    if (domain.n == 0 || domain.n > ADDRESS_DOMAIN_MAX)
        return false;
    if (domain.p[0] == '[')
        return domain.n > 2 && domain.p[domain.n - 1] == ']' &&
               literal_is_valid(str_from(domain.p + 1, domain.n - 2));
    if (domain.p[domain.n - 1] == '.')
        return false;
    if (utf8 && (!str_is_utf8(domain) || has_c1_control(domain)))
        return false;
    struct str rest = domain, label;
    while (label = str_split(&rest, '.'), label.p != NULL)
        if (!label_is_valid(label, utf8))
            return false;
    return true;
}

/* Lower case in NFC; plain ASCII without the library. */
static struct str lower_case(struct arena *a, struct str s)
{
    if (str_is_ascii(s)) {
        struct str copy = arena_str(a, s);
        for (size_t i = 0; i < copy.n; i++)
            ((char *)copy.p)[i] = char_lower(copy.p[i]);
        return copy;
    }
    size_t n = 0;
    uint8_t *lower = u8_tolower((const uint8_t *)s.p, s.n, NULL, UNINORM_NFC, NULL, &n);
    struct str result = lower ? arena_str(a, str_from((const char *)lower, n)) : arena_str(a, s);
    free(lower);
    return result;
}

/* Moves *rest behind "@a,@b:". */
static bool skip_route(struct str *rest, bool utf8)
{
    ptrdiff_t colon = str_find_char(*rest, ':');
    if (colon < 0)
        return false;
    struct str route = str_head(*rest, (size_t)colon), hop;
    while (hop = str_split(&route, ','), hop.p != NULL)
        if (hop.n < 2 || hop.p[0] != '@' || !domain_is_valid(str_skip(hop, 1), utf8))
            return false;
    *rest = str_skip(*rest, (size_t)colon + 1);
    return true;
}

/* Reads a quoted local part at the start of *rest into out. */
static const char *read_quoted_local(struct str *rest, char *out, size_t *n)
{
    size_t i = 1;
    for (; i < rest->n && rest->p[i] != '"'; i++) {
        if (rest->p[i] == '\\' && ++i == rest->n)
            break;
        char c = rest->p[i];
        if (!is_high(c) && (c < ' ' || c > '~'))
            return "control character in the local part";
        if (*n == ADDRESS_LOCAL_MAX)
            return "local part too long";
        out[(*n)++] = c;
    }
    if (i >= rest->n)
        return "quotes not closed";
    if (*n == 0)
        return "empty local part";
    *rest = str_skip(*rest, i + 1);
    return NULL;
}

static const char *read_dot_local(struct str *rest, char *out, size_t *n)
{
    ptrdiff_t at = str_find_last_char(*rest, '@');
    struct str local = at < 0 ? *rest : str_head(*rest, (size_t)at);
    if (local.n == 0)
        return "empty local part";
    if (local.n > ADDRESS_LOCAL_MAX)
        return "local part too long";
    if (!is_dot_string(local))
        return "invalid character or dot in the local part";
    memcpy(out, local.p, local.n);
    *n = local.n;
    *rest = str_skip(*rest, local.n);
    return NULL;
}

static const char *parse(struct arena *a, struct str text, int flags, struct address *address)
{
    bool utf8 = (flags & ADDRESS_UTF8) != 0;
    char local[ADDRESS_LOCAL_MAX];
    size_t n = 0;
    *address = (struct address){STR(""), STR("")};
    if (text.n == 0)
        return flags & ADDRESS_NULL ? NULL : "empty address";
    if (text.n > ADDRESS_TEXT_MAX)
        return "address too long";
    if (!utf8 && !str_is_ascii(text))
        return "international address without SMTPUTF8";
    if (utf8 && (!str_is_utf8(text) || has_c1_control(text)))
        return "invalid UTF-8";
    if (text.p[0] == '@' && !skip_route(&text, utf8))
        return "invalid source route";
    if (text.n == 0)
        return "empty local part";

    const char *wrong =
        text.p[0] == '"' ? read_quoted_local(&text, local, &n) : read_dot_local(&text, local, &n);
    if (wrong)
        return wrong;
    if (text.n == 0) {
        if (!(flags & ADDRESS_NO_DOMAIN))
            return "domain missing";
        address->local = arena_str(a, str_from(local, n));
        return NULL;
    }
    if (text.p[0] != '@')
        return "garbage behind the local part";
    text = str_skip(text, 1);
    if (!domain_is_valid(text, utf8))
        return "invalid domain";
    if (n + 1 + text.n > ADDRESS_MAX)
        return "address too long";
    address->local = arena_str(a, str_from(local, n));
    address->domain = lower_case(a, text);
    return NULL;
}

bool address_parse(struct arena *a, struct str text, int flags, struct address *address,
                   const char **reason)
{
    const char *wrong = parse(a, text, flags, address);
    if (reason)
        *reason = wrong;
    return wrong == NULL;
}

struct str address_text(struct arena *a, const struct address *address)
{
    struct buf out = BUF_EMPTY;
    if (address->local.n == 0 || is_dot_string(address->local)) {
        buf_add_str(&out, address->local);
    } else {
        buf_add_char(&out, '"');
        for (size_t i = 0; i < address->local.n; i++) {
            char c = address->local.p[i];
            if (c == '"' || c == '\\')
                buf_add_char(&out, '\\');
            buf_add_char(&out, c);
        }
        buf_add_char(&out, '"');
    }
    if (address->domain.n > 0) {
        buf_add_char(&out, '@');
        buf_add_str(&out, address->domain);
    }
    struct str text = arena_str(a, buf_str(&out));
    buf_free(&out);
    return text;
}

struct str address_key(struct arena *a, const struct address *address)
{
    struct str local = lower_case(a, address->local);
    if (address->domain.n == 0)
        return local;
    struct str domain = lower_case(a, address->domain);
    return arena_printf(a, "%.*s@%.*s", STR_ARG(local), STR_ARG(domain));
}
