/*
 * Which servers clients are told of: the listeners for users that can be reached from other
 * machines and have TLS. Ports with TLS from the first byte come first, as RFC 8314 3 wants it;
 * of several listeners on one port only one is told.
 */
#include "http/pages.h"

#include "net/socket_address.h"

static bool is_for_users(const struct listener_settings *l)
{
    return (l->protocol == SERVICE_IMAP || l->protocol == SERVICE_POP3 ||
            l->protocol == SERVICE_SUBMISSION) &&
           l->tls != SERVICE_TLS_NONE && l->client_certificates != TLS_CLIENTS_REQUIRED;
}

/* The port of an address that other machines reach; 0: it is none. */
static uint16_t port_of(struct str address)
{
    struct str host;
    struct socket_address a;
    uint16_t port = 0;
    struct err e;
    if (str_starts_with(address, STR("unix:")) ||
        !socket_address_split(address, &host, &port, &e) ||
        str_equal_nocase(host, STR("localhost")))
        return 0;
    if (!str_equal(host, STR("*")) &&
        (!socket_address_parse(&a, host, port, &e) || socket_address_is_loopback(&a)))
        return 0;
    return port;
}

static bool is_before(const struct offer *a, const struct offer *b)
{
    if (a->protocol != b->protocol)
        return a->protocol == SERVICE_IMAP ||
               (a->protocol == SERVICE_POP3 && b->protocol == SERVICE_SUBMISSION);
    return a->implicit && !b->implicit;
}

static size_t add(struct offer *list, size_t count, struct offer o)
{
    size_t i = count;
    for (size_t k = 0; k < count; k++)
        if (list[k].port == o.port)
            return count;
    if (count == OFFERS_MAX)
        return count;
    for (; i > 0 && is_before(&o, &list[i - 1]); i--)
        list[i] = list[i - 1];
    list[i] = o;
    return count + 1;
}

size_t offers_find(const struct config *config, struct offer list[OFFERS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < config_count(config, &listener_settings_block); i++) {
        const struct listener_settings *l = config_at(config, &listener_settings_block, i);
        for (size_t n = 0; is_for_users(l) && n < l->address.count; n++) {
            uint16_t port = port_of(str_from_c(l->address.items[n]));
            if (port)
                count = add(list, count,
                            (struct offer){l->protocol, port, l->tls == SERVICE_TLS_IMPLICIT});
        }
    }
    return count;
}

const char *offer_protocol(const struct offer *o)
{
    return o->protocol == SERVICE_IMAP ? "imap" : o->protocol == SERVICE_POP3 ? "pop3" : "smtp";
}
