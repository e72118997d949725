/*
 * One spelling for every name. Domains become lower-case A-labels (RFC 5890, through libidn2 with
 * the mapping of UTS 46), local parts lower-case NFC without quotes (mime/address.h), so that
 * "ALICE@Bücher.example" and "alice@xn--bcher-kva.example" are one account.
 *
 * The home on disk is made from that spelling. '/' and '%' and control characters, and a dot in
 * front, become %XX: the result is one path component, never "." or "..", never hidden, and no two
 * names share it.
 */
#include "auth/directory_name.h"

#include "core/buf.h"
#include "mime/address.h"
#include "mime/limits.h"

#include <idn2.h>

/* What is longer may be an address all the same; it is not a usual one. */
#define PLAIN_MAX       250
#define PLAIN_LOCAL_MAX 64
#define LABEL_MAX       63

bool name_domain(struct arena *a, struct str text, struct str *domain)
{
    if (!domain_is_valid(text, true) || text.p[0] == '[')
        return false;
    if (str_is_ascii(text)) {
        *domain = arena_lower(a, text);
        return true;
    }
    uint8_t *ascii = NULL;
    int result = idn2_lookup_u8((const uint8_t *)arena_c(a, text), &ascii,
                                IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result != IDN2_OK)
        return false;
    *domain = arena_lower(a, str_from_c((const char *)ascii));
    idn2_free(ascii);
    return domain_is_valid(*domain, false);
}

/* --- the usual case --- */

/* What a plain character becomes; 0: not plain. */
static char plain(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        return c;
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : 0;
}

bool name_normal_domain(struct str text, struct buf *normal)
{
    char *out = buf_reserve(normal, text.n);
    size_t label = 0;
    if (text.n == 0 || text.n > PLAIN_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool inside = label > 0 && i + 1 < text.n;
        if (text.p[i] == '.' && inside && text.p[i - 1] != '-') {
            out[i] = '.';
            label = 0;
            continue;
        }
        out[i] = text.p[i] == '-' && inside ? '-' : plain(text.p[i]);
        if (out[i] == 0 || ++label > LABEL_MAX)
            return false;
    }
    normal->n += text.n;
    return true;
}

bool name_normal_local(struct str text, struct buf *normal)
{
    char *out = buf_reserve(normal, text.n);
    if (text.n == 0 || text.n > PLAIN_LOCAL_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool mark = c == '-' || c == '_' || c == '+';
        bool dot = c == '.' && i > 0 && text.p[i - 1] != '.' && i + 1 < text.n;
        out[i] = mark || dot ? c : plain(c);
        if (out[i] == 0)
            return false;
    }
    normal->n += text.n;
    return true;
}

bool name_normal(struct str text, struct buf *normal)
{
    const char *at = text.n > 0 ? memchr(text.p, '@', text.n) : NULL;
    size_t local = at ? (size_t)(at - text.p) : 0;
    if (!at || text.n > PLAIN_MAX || !name_normal_local(str_head(text, local), normal))
        return false;
    buf_add_char(normal, '@');
    return name_normal_domain(str_skip(text, local + 1), normal);
}

/* --- any --- */

static bool parse(struct arena *a, struct str text, struct address *address, const char **reason)
{
    if (!address_parse(a, text, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, address, reason))
        return false;
    const char *wrong = NULL;
    if (address->domain.n > 0 && !name_domain(a, address->domain, &address->domain))
        wrong = "invalid domain";
    else if (address->local.n + 1 + address->domain.n > ADDRESS_MAX) /* A-labels are longer */
        wrong = "address too long";
    if (wrong && reason)
        *reason = wrong;
    return wrong == NULL;
}

bool name_parse(struct arena *a, struct str text, struct name *name, const char **reason)
{
    struct address address;
    if (!parse(a, text, &address, reason))
        return false;
    name->domain = address.domain;
    address.domain = STR("");
    name->local = address_key(a, &address);
    return true;
}

struct str name_text(struct arena *a, const struct name *name)
{
    return arena_printf(a, "%.*s@%.*s", STR_ARG(name->local), STR_ARG(name->domain));
}

bool name_of_text(struct arena *a, struct str text, struct name *name)
{
    ptrdiff_t at = str_find_last_char(text, '@');
    if (at <= 0 || !name_domain(a, str_skip(text, (size_t)at + 1), &name->domain))
        return false;
    name->local = arena_lower(a, str_head(text, (size_t)at));
    return true;
}

struct str name_written(struct arena *a, struct str text)
{
    ptrdiff_t at = str_find_last_char(text, '@');
    if (at <= 0)
        return text;
    struct address address = {str_head(text, (size_t)at), str_skip(text, (size_t)at + 1)};
    return address_text(a, &address);
}

bool name_read(struct arena *a, struct str text, struct name *name, const char **reason)
{
    return name_parse(a, text, name, reason) || name_of_text(a, text, name);
}

bool name_destination(struct arena *a, struct str text, struct str *destination, struct name *name,
                      const char **reason)
{
    struct address address;
    if (!parse(a, text, &address, reason))
        return false;
    if (address.domain.n == 0) {
        *reason = "domain missing";
        return false;
    }
    *destination = address_text(a, &address);
    name->domain = address.domain;
    address.domain = STR("");
    name->local = address_key(a, &address);
    return true;
}

struct str name_home(struct arena *a, const struct name *name)
{
    struct buf home = BUF_EMPTY;
    buf_add_str(&home, name->domain);
    buf_add_char(&home, '/');
    for (size_t i = 0; i < name->local.n; i++) {
        unsigned char c = (unsigned char)name->local.p[i];
        if (c < ' ' || c == 0x7f || c == '/' || c == '%' || (c == '.' && i == 0))
            buf_printf(&home, "%%%02X", c);
        else
            buf_add_char(&home, (char)c);
    }
    struct str result = arena_str(a, buf_str(&home));
    buf_free(&home);
    return result;
}
