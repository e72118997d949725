/*
 * A URL is taken apart from the left: what names the server (if it does, it must be this one and
 * this user), the mailbox, and then ";NAME=value" pairs, between which "/" may stand. Names of
 * pairs are upper-case in the RFC and any case in the world. Escapes are decoded last.
 */
#include "imap/url.h"

static bool decode(struct arena *a, struct str text, struct str *decoded)
{
    char *out = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? char_hex_value(text.p[i + 1]) : -1;
            int low = i + 2 < text.n ? char_hex_value(text.p[i + 2]) : -1;
            if (i + 2 == text.n || high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == 0)
            return false;
        out[n++] = c;
    }
    *decoded = str_from(out, n);
    return true;
}

/* Without "imap://user;AUTH=*@host:port", which must be us. */
static bool take_server(struct arena *a, struct str *rest, struct str server, struct str login)
{
    struct str user, host;
    if (!str_starts_with_nocase(*rest, STR("imap://")))
        return true;
    *rest = str_skip(*rest, 7);
    ptrdiff_t slash = str_find_char(*rest, '/');
    if (slash < 0)
        return false;
    host = str_head(*rest, (size_t)slash);
    *rest = str_skip(*rest, (size_t)slash);
    ptrdiff_t at = str_find_last_char(host, '@');
    if (at >= 0) {
        user = str_head(host, (size_t)at);
        host = str_skip(host, (size_t)at + 1);
        user = str_split(&user, ';');
        if (!decode(a, user, &user) || !str_equal_nocase(user, login))
            return false;
    }
    host = str_split(&host, ':');
    return str_equal_nocase(host, server);
}

/* number ["." nz-number] */
static bool take_partial(struct str value, struct imap_url *url)
{
    uint64_t length = UINT64_MAX;
    struct str rest = value, offset = str_split(&rest, '.');
    if (!url->uid || url->partial || !str_to_u64(offset, &url->offset))
        return false;
    if (rest.p && (!str_to_u64(rest, &length) || !length))
        return false;
    url->partial = true;
    url->end = length < UINT64_MAX - url->offset ? url->offset + length : UINT64_MAX;
    return true;
}

static bool take_pair(struct arena *a, struct str name, struct str value, struct imap_url *url)
{
    if (str_equal_nocase(name, STR("UIDVALIDITY")))
        return str_to_u32(value, &url->uid_validity) && url->uid_validity > 0;
    if (str_equal_nocase(name, STR("UID")))
        return !url->uid && str_to_u32(value, &url->uid) && url->uid > 0;
    if (str_equal_nocase(name, STR("SECTION")))
        return !url->section.n && !url->partial && url->uid && decode(a, value, &url->section) &&
               url->section.n > 0;
    return str_equal_nocase(name, STR("PARTIAL")) && take_partial(value, url);
}

static bool take_pairs(struct arena *a, struct str rest, struct imap_url *url)
{
    while (rest.p) {
        struct str value = str_split(&rest, ';');
        while (value.n > 0 && value.p[value.n - 1] == '/')
            value.n--;
        ptrdiff_t equals = str_find_char(value, '=');
        if (equals < 0 || !take_pair(a, str_head(value, (size_t)equals),
                                     str_skip(value, (size_t)equals + 1), url))
            return false;
    }
    return url->uid > 0;
}

bool imap_url_parse(struct arena *a, struct str text, struct str server, struct str login,
                    struct imap_url *url)
{
    *url = (struct imap_url){.section = STR("")};
    if (!take_server(a, &text, server, login))
        return false;
    ptrdiff_t pairs = str_find_char(text, ';');
    if (pairs < 0)
        return false;
    struct str path = str_head(text, (size_t)pairs);
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    if (path.n > 0 && path.p[0] != '/')
        return false;
    path = str_skip(path, path.n > 0);
    if (path.n > 0 && !decode(a, path, &url->mailbox))
        return false;
    return take_pairs(a, str_skip(text, (size_t)pairs + 1), url);
}
