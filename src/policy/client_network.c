/*
 * Addresses cut to a prefix, as text: what counters and the greylist have for a key, and what
 * operators read and type.
 */
#include "policy/client_network.h"

#include "net/network.h"

static struct str text_of(const struct network *n, struct arena *a)
{
    char text[NETWORK_TEXT_SIZE];
    network_address_text(&n->first, text);
    if (n->bits >= (n->first.v6 ? 128 : 32))
        return arena_str(a, str_from_c(text));
    return arena_printf(a, "%s/%u", text, n->bits);
}

bool client_network_of(const char *address, unsigned bits4, unsigned bits6, struct arena *a,
                       struct str *network)
{
    struct network n;
    if (!network_address_parse(&n.first, str_from_c(address)))
        return false;
    n.bits = n.first.v6 ? bits6 : bits4;
    network_address_cut(&n.first, n.bits);
    *network = text_of(&n, a);
    return true;
}

bool client_network_parse(struct str text, struct arena *a, struct str *network, bool *v6,
                          unsigned *bits)
{
    struct network n;
    if (!network_parse(&n, text, NULL))
        return false;
    *network = text_of(&n, a);
    *v6 = n.first.v6;
    *bits = n.bits;
    return true;
}
