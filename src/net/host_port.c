/*
 * "mail.example.test:25" and "[2001:db8::1]:25": only brackets tell an address with colons from
 * its port.
 */
#include "net/host_port.h"

#include <arpa/inet.h>

bool host_port_parse(struct str text, struct str *host, uint16_t *port)
{
    struct str rest = text;
    if (str_starts_with(text, STR("["))) {
        ptrdiff_t end = str_find_char(text, ']');
        if (end < 2)
            return false;
        *host = str_from(text.p + 1, (size_t)end - 1);
        rest = str_skip(text, (size_t)end + 1);
        if (rest.n == 0)
            return true;
        if (rest.p[0] != ':')
            return false;
        rest = str_skip(rest, 1);
    } else {
        *host = str_split(&rest, ':');
        if (host->n == 0)
            return false;
        if (!rest.p)
            return true;
    }
    uint32_t number;
    if (!str_to_u32(rest, &number) || number == 0 || number > 65535)
        return false;
    *port = (uint16_t)number;
    return true;
}

bool host_is_numeric(struct str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr any;
    if (host.n >= sizeof(text))
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}
