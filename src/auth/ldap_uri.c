/*
 * LDAP URIs. libldap has a parser as well; this one tells what is wrong, and knows before any
 * connection whether a password would travel in the clear.
 */
#include "auth/ldap_uri.h"

#include "net/host_port.h"

static bool is_host(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = char_lower(s.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'))
            return false;
    }
    return s.n > 0 && s.n <= 253;
}

static bool parse_scheme(struct str *text, struct ldap_uri *uri)
{
    static const struct {
        struct str prefix;
        enum ldap_scheme scheme;
        uint16_t port;
    } schemes[] = {{STR("ldap://"), LDAP_SCHEME_PLAIN, 389},
                   {STR("ldaps://"), LDAP_SCHEME_TLS, 636},
                   {STR("ldapi://"), LDAP_SCHEME_UNIX, 0}};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
        if (str_starts_with_nocase(*text, schemes[i].prefix)) {
            *text = str_skip(*text, schemes[i].prefix.n);
            uri->scheme = schemes[i].scheme;
            uri->port = schemes[i].port;
            return true;
        }
    return false;
}

bool ldap_uri_parse(struct str text, struct ldap_uri *uri, struct err *e)
{
    struct str rest = text;
    if (!parse_scheme(&rest, uri))
        return err_set(e, ERR_SYNTAX,
                       "\"%.*s\" is not the address of an LDAP server, expected ldap://HOST, "
                       "ldaps://HOST or ldapi://%%2FPATH, with :PORT if need be",
                       STR_ARG(str_head(text, 100)));
    if (rest.n > 0 && rest.p[rest.n - 1] == '/')
        rest.n--;
    if (uri->scheme == LDAP_SCHEME_UNIX) {
        uri->host = rest;
        if (str_starts_with_nocase(rest, STR("%2f")) && str_find_char(rest, '/') < 0)
            return true;
        return err_set(e, ERR_SYNTAX,
                       "\"%.*s\": expected the path of a socket with %%2F for each slash",
                       STR_ARG(str_head(text, 100)));
    }
    if (host_port_parse(rest, &uri->host, &uri->port) && uri->port != 0 &&
        (is_host(uri->host) || host_is_numeric(uri->host)))
        return true;
    return err_set(e, ERR_SYNTAX, "\"%.*s\": expected HOST, HOST:PORT or [ADDRESS]:PORT there",
                   STR_ARG(str_head(text, 100)));
}

bool ldap_uri_is_local(const struct ldap_uri *uri)
{
    return uri->scheme == LDAP_SCHEME_UNIX || str_equal_nocase(uri->host, STR("localhost")) ||
           (host_is_numeric(uri->host) &&
            (str_starts_with(uri->host, STR("127.")) || str_equal(uri->host, STR("::1"))));
}

struct str ldap_uri_path(const struct ldap_uri *uri, struct arena *a)
{
    struct str from = uri->host;
    char *path = arena_alloc(a, from.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < from.n; i++) {
        bool escaped = from.p[i] == '%' && from.n - i > 2 && char_hex_value(from.p[i + 1]) >= 0 &&
                       char_hex_value(from.p[i + 2]) >= 0;
        path[n++] = escaped
                        ? (char)(char_hex_value(from.p[i + 1]) * 16 + char_hex_value(from.p[i + 2]))
                        : from.p[i];
        i += escaped ? 2 : 0;
    }
    return str_from(path, n);
}
