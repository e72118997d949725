/*
 * DNS record data and names. Only the characters of host names and the underscore are accepted in
 * names from answers: a label may hold any byte on the wire, but a dot, a blank or a line end in
 * one would mean something else to whoever reads the name as text.
 */
#include "net/dns_decode.h"

#include "net/socket_address.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <netinet/in.h>

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool dns_decode_name(struct str data, struct arena *a, struct str *name)
{
    char text[DNS_NAME_MAX + 1];
    size_t n = 0, at = 0;
    for (;;) {
        if (at >= data.n)
            return false;
        size_t label = (unsigned char)data.p[at++];
        if (label == 0)
            break;
        size_t dot = n > 0;
        if (label > DNS_LABEL_MAX || label > data.n - at || n + dot + label > DNS_NAME_MAX)
            return false;
        if (dot)
            text[n++] = '.';
        for (size_t i = 0; i < label; i++) {
            char c = char_lower(data.p[at++]);
            if (!is_host_char(c))
                return false;
            text[n++] = c;
        }
    }
    if (at != data.n)
        return false;
    *name = arena_str(a, str_from(text, n));
    return true;
}

bool dns_decode_mx(struct str data, struct arena *a, struct dns_mx *mx)
{
    if (data.n < 3)
        return false;
    const unsigned char *p = (const unsigned char *)data.p;
    mx->preference = (uint16_t)(p[0] << 8 | p[1]);
    return dns_decode_name(str_skip(data, 2), a, &mx->host);
}

bool dns_decode_srv(struct str data, struct arena *a, struct dns_srv *srv)
{
    if (data.n < 7)
        return false;
    const unsigned char *p = (const unsigned char *)data.p;
    srv->priority = (uint16_t)(p[0] << 8 | p[1]);
    srv->weight = (uint16_t)(p[2] << 8 | p[3]);
    srv->port = (uint16_t)(p[4] << 8 | p[5]);
    return dns_decode_name(str_skip(data, 6), a, &srv->host);
}

bool dns_is_host_name(struct str name)
{
    size_t label = 0;
    if (name.n == 0 || name.n > DNS_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '.' && label == 0)
            return false;
        label = name.p[i] == '.' ? 0 : label + 1;
        if (label > DNS_LABEL_MAX || (name.p[i] != '.' && !is_host_char(char_lower(name.p[i]))))
            return false;
    }
    return label > 0;
}

bool dns_decode_tlsa(struct str data, struct arena *a, struct dns_tlsa *tlsa)
{
    if (data.n < 4) /* no certificate nor hash is empty */
        return false;
    const unsigned char *p = (const unsigned char *)data.p;
    *tlsa = (struct dns_tlsa){p[0], p[1], p[2], arena_str(a, str_skip(data, 3))};
    return true;
}

bool dns_decode_text(struct str data, struct arena *a, struct str *text)
{
    char *joined = arena_alloc(a, data.n + 1);
    size_t n = 0;
    for (size_t at = 0; at < data.n;) {
        size_t length = (unsigned char)data.p[at++];
        if (length > data.n - at)
            return false;
        memcpy(joined + n, data.p + at, length);
        n += length;
        at += length;
    }
    *text = str_from(joined, n);
    return data.n > 0;
}

bool dns_decode_address(struct str data, struct dns_address *address)
{
    if (data.n != 4 && data.n != 16)
        return false;
    return inet_ntop(data.n == 4 ? AF_INET : AF_INET6, data.p, address->text,
                     sizeof(address->text)) != NULL;
}

/* Printable, and without the backslash, which libunbound would read as the start of an escape. */
static bool is_query(struct str name)
{
    size_t label = 0;
    if (name.n == 0 || name.n > DNS_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == '.' && label == 0)
            return false;
        if (c <= ' ' || c > '~' || c == '\\')
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > DNS_LABEL_MAX)
            return false;
    }
    return label > 0;
}

/* IDNA2008 (RFC 5891) with the non-transitional mapping of UTS 46, so capitals and full-width dots
 * are what users mean by them. */
static bool to_ascii(struct str name, struct arena *a, struct str *ascii)
{
    char *converted = NULL;
    if (!str_is_utf8(name) || name.n > 4 * DNS_NAME_MAX)
        return false;
    if (idn2_to_ascii_8z(arena_c(a, name), &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
        IDN2_OK)
        return false;
    *ascii = arena_str(a, str_from_c(converted));
    idn2_free(converted);
    return true;
}

bool dns_query_name(struct str name, struct arena *a, const char **query)
{
    if (!str_is_ascii(name) && !to_ascii(name, a, &name))
        return false;
    if (name.n > 0 && name.p[name.n - 1] == '.')
        name = str_head(name, name.n - 1);
    if (!is_query(name))
        return false;
    *query = arena_c(a, name);
    return true;
}

bool dns_reverse_name(const char *address, struct arena *a, const char **query)
{
    unsigned char b[16];
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool v4 = inet_pton(AF_INET, address, b) == 1;
    if (!v4 && inet_pton(AF_INET6, address, b) != 1)
        return false;
    if (!v4 && memcmp(b, mapped, sizeof(mapped)) == 0) {
        memmove(b, b + 12, 4);
        v4 = true;
    }
    if (v4) {
        *query = arena_printf(a, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]).p;
        return true;
    }
    char text[16 * 4 + sizeof("ip6.arpa")];
    char *p = text;
    for (int i = 15; i >= 0; i--) {
        *p++ = "0123456789abcdef"[b[i] & 15];
        *p++ = '.';
        *p++ = "0123456789abcdef"[b[i] >> 4];
        *p++ = '.';
    }
    memcpy(p, "ip6.arpa", sizeof("ip6.arpa"));
    *query = arena_c(a, str_from_c(text));
    return true;
}
