/*
 * The record at _smtp._tls.DOMAIN (RFC 8460 3): "v=TLSRPTv1; rua=mailto:a@example.org,https://...".
 * Exactly one record may begin with that version. URIs of other kinds are passed over.
 */
#include "mime/address.h"
#include "smtp/tls_report_internal.h"

#define URI_MAX 1000

/* RFC 3986 2.1; false: malformed, or a control character. */
static bool decode(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (i + 2 >= s.n || char_hex_value(s.p[i + 1]) < 0 || char_hex_value(s.p[i + 2]) < 0)
                return false;
            c = (char)(char_hex_value(s.p[i + 1]) * 16 + char_hex_value(s.p[i + 2]));
            i += 2;
        }
        if ((unsigned char)c < ' ' || c == 127)
            return false;
        buf_add_char(out, c);
    }
    return true;
}

/* RFC 6068 without header fields: who wants reports does not write our subject. */
static const char *mail_address(struct str uri, struct arena *a)
{
    struct buf text = BUF_EMPTY;
    struct address address;
    struct str rest = uri;
    const char *found = NULL;
    if (decode(str_split(&rest, '?'), &text) &&
        address_parse(a, buf_str(&text), ADDRESS_UTF8, &address, NULL))
        found = address_text(a, &address).p;
    buf_free(&text);
    return found;
}

static bool is_url(struct str uri)
{
    for (size_t i = 0; i < uri.n; i++)
        if (uri.p[i] <= ' ' || uri.p[i] > '~')
            return false;
    return uri.n > 8;
}

static bool take_uri(struct str uri, struct arena *a, struct tls_report_target *target)
{
    if (uri.n > URI_MAX)
        return false;
    if (str_starts_with_nocase(uri, STR("mailto:"))) {
        *target = (struct tls_report_target){TLS_REPORT_MAIL, mail_address(str_skip(uri, 7), a)};
        return target->to != NULL;
    }
    if (!str_starts_with_nocase(uri, STR("https://")) || !is_url(uri))
        return false;
    *target = (struct tls_report_target){TLS_REPORT_HTTPS, arena_c(a, uri)};
    return true;
}

/* *rest is behind the version and its delimiter. */
static bool is_version(struct str text, struct str *rest)
{
    if (!str_starts_with(text, STR("v=TLSRPTv1")))
        return false;
    *rest = str_trim(str_skip(text, 10));
    if (rest->n == 0 || rest->p[0] != ';')
        return false;
    *rest = str_skip(*rest, 1);
    return true;
}

size_t tls_report_targets(const struct str *texts, size_t count, struct arena *a,
                          struct tls_report_target targets[TLS_REPORT_TARGETS_MAX])
{
    struct str record = {0}, rest, uris = {0};
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_version(texts[i], &rest))
            continue;
        if (record.p)
            return 0;
        record = rest;
    }
    while (record.n > 0 && !uris.p) {
        struct str field = str_trim(str_split(&record, ';'));
        if (str_starts_with(field, STR("rua=")))
            uris = str_skip(field, 4);
    }
    while (uris.n > 0 && found < TLS_REPORT_TARGETS_MAX)
        found += take_uri(str_trim(str_split(&uris, ',')), a, &targets[found]);
    return found;
}
