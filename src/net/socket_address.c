/*
 * Socket addresses as text and back. Only numeric addresses: names are resolved by net/dns.h, which
 * knows whether the answer can be trusted. IPv4 addresses that arrive in IPv6 form
 * (::ffff:192.0.2.1) are shown as IPv4, so that lists of networks and logs see one form only.
 */
#include "net/socket_address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

static const struct str unix_prefix = {"unix:", 5};

static bool parse_unix(struct socket_address *a, struct str path, struct err *e)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&a->storage;
    if (path.n == 0 || path.n >= sizeof(un->sun_path) || memchr(path.p, 0, path.n))
        return err_set(e, ERR_PERM, "unix:%.*s: a socket's path has 1 to %zu bytes", STR_ARG(path),
                       sizeof(un->sun_path) - 1);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.p, path.n);
    a->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
    return true;
}

/* fe80::1%eth0: the scope by name or number. */
static bool parse_scope(struct sockaddr_in6 *in6, const char *scope)
{
    uint32_t number;
    if (str_to_u32(str_from_c(scope), &number))
        in6->sin6_scope_id = number;
    else
        in6->sin6_scope_id = if_nametoindex(scope);
    return in6->sin6_scope_id != 0;
}

bool socket_address_parse(struct socket_address *a, struct str text, uint16_t port, struct err *e)
{
    memset(a, 0, sizeof(*a));
    if (str_starts_with(text, unix_prefix))
        return parse_unix(a, str_skip(text, unix_prefix.n), e);

    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    struct str bare = text;
    if (bare.n > 2 && bare.p[0] == '[' && bare.p[bare.n - 1] == ']')
        bare = str_from(bare.p + 1, bare.n - 2);
    if (bare.n == 0 || bare.n >= sizeof(host))
        return err_set(e, ERR_PERM, "%.*s: not a numeric address", STR_ARG(text));
    memcpy(host, bare.p, bare.n);
    host[bare.n] = '\0';

    struct sockaddr_in *in = (struct sockaddr_in *)&a->storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a->storage;
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        a->length = sizeof(*in);
        return true;
    }
    char *scope = strchr(host, '%');
    if (scope)
        *scope++ = '\0';
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1 && (!scope || parse_scope(in6, scope))) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        a->length = sizeof(*in6);
        return true;
    }
    return err_set(e, ERR_PERM, "%.*s: not a numeric address", STR_ARG(text));
}

bool socket_address_split(struct str text, struct str *host, uint16_t *port, struct err *e)
{
    ptrdiff_t colon = str_find_last_char(text, ':');
    uint32_t number;
    if (colon <= 0 || !str_to_u32(str_skip(text, (size_t)colon + 1), &number) || number > 65535)
        return err_set(e, ERR_PERM, "%.*s: expected \"address:port\"", STR_ARG(text));
    *host = str_head(text, (size_t)colon);
    *port = (uint16_t)number;
    if (host->p[0] == '[') {
        if (host->n < 3 || host->p[host->n - 1] != ']')
            return err_set(e, ERR_PERM, "%.*s: \"]\" is missing", STR_ARG(text));
        *host = str_from(host->p + 1, host->n - 2);
    } else if (str_find_char(*host, ':') >= 0) {
        return err_set(e, ERR_PERM, "%.*s: an IPv6 address is written in brackets, \"[::1]:25\"",
                       STR_ARG(text));
    }
    return true;
}

static const struct in6_addr *as_ipv6(const struct socket_address *a)
{
    return &((const struct sockaddr_in6 *)&a->storage)->sin6_addr;
}

static bool is_mapped(const struct socket_address *a)
{
    return a->storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(as_ipv6(a));
}

void socket_address_host(const struct socket_address *a, char text[ADDRESS_TEXT_SIZE])
{
    text[0] = '\0';
    if (is_mapped(a)) {
        inet_ntop(AF_INET, as_ipv6(a)->s6_addr + 12, text, ADDRESS_TEXT_SIZE);
    } else if (a->storage.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a->storage;
        inet_ntop(AF_INET, &in->sin_addr, text, ADDRESS_TEXT_SIZE);
    } else if (a->storage.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, as_ipv6(a), text, ADDRESS_TEXT_SIZE);
    } else {
        snprintf(text, ADDRESS_TEXT_SIZE, "unix");
    }
}

void socket_address_text(const struct socket_address *a, char text[ADDRESS_TEXT_SIZE])
{
    char host[ADDRESS_TEXT_SIZE];
    socket_address_host(a, host);
    if (a->storage.ss_family == AF_INET6 && !is_mapped(a)) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->storage;
        snprintf(text, ADDRESS_TEXT_SIZE, "[%.*s]:%u", INET6_ADDRSTRLEN, host,
                 (unsigned)ntohs(in6->sin6_port));
    } else if (a->storage.ss_family == AF_INET || is_mapped(a)) {
        /* The port stands at the same place in both forms. */
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a->storage;
        snprintf(text, ADDRESS_TEXT_SIZE, "%.*s:%u", INET_ADDRSTRLEN, host,
                 (unsigned)ntohs(in->sin_port));
    } else {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&a->storage;
        size_t start = offsetof(struct sockaddr_un, sun_path);
        size_t n = a->length > start ? a->length - start : 0;
        n = strnlen(un->sun_path, n);
        snprintf(text, ADDRESS_TEXT_SIZE, "unix%s%.*s", n > 0 ? ":" : "", (int)n, un->sun_path);
    }
}

bool socket_address_is_loopback(const struct socket_address *a)
{
    if (is_mapped(a))
        return as_ipv6(a)->s6_addr[12] == 127;
    if (a->storage.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(as_ipv6(a));
    if (a->storage.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a->storage;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    return true;
}

bool socket_address_is_unix(const struct socket_address *a)
{
    return a->storage.ss_family == AF_UNIX;
}
