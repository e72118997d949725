/*
 * Addresses cut to a prefix, as text: what counters and the greylist have for a key, and what
 * operators read and type.
 */
#include "policy/client_network.h"

#include <arpa/inet.h>

struct bytes {
    bool v6;
    unsigned char p[16];
};

static bool parse(const char *address, struct bytes *b)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    *b = (struct bytes){0};
    if (inet_pton(AF_INET, address, b->p) == 1)
        return true;
    if (inet_pton(AF_INET6, address, b->p) != 1)
        return false;
    b->v6 = memcmp(b->p, mapped, sizeof(mapped)) != 0;
    if (!b->v6)
        memmove(b->p, b->p + sizeof(mapped), 4);
    return true;
}

static unsigned width(const struct bytes *b)
{
    return b->v6 ? 128 : 32;
}

/* Whether there was nothing to cut. */
static bool cut(struct bytes *b, unsigned bits)
{
    bool clean = true;
    for (unsigned i = bits; i < width(b); i++) {
        unsigned char bit = (unsigned char)(0x80 >> i % 8);
        clean = clean && !(b->p[i / 8] & bit);
        b->p[i / 8] &= (unsigned char)~bit;
    }
    return clean;
}

static struct str text_of(const struct bytes *b, unsigned bits, struct arena *a)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(b->v6 ? AF_INET6 : AF_INET, b->p, text, sizeof(text));
    if (bits >= width(b))
        return arena_str(a, str_from_c(text));
    return arena_printf(a, "%s/%u", text, bits);
}

bool client_network_of(const char *address, unsigned bits4, unsigned bits6, struct arena *a,
                       struct str *network)
{
    struct bytes b;
    if (!parse(address, &b))
        return false;
    unsigned bits = b.v6 ? bits6 : bits4;
    cut(&b, bits);
    *network = text_of(&b, bits, a);
    return true;
}

bool client_network_parse(struct str text, struct arena *a, struct str *network, bool *v6,
                          unsigned *bits)
{
    struct bytes b;
    struct str rest = text;
    struct str address = str_split(&rest, '/');
    uint32_t given;
    if (!parse(arena_c(a, address), &b))
        return false;
    given = width(&b);
    if (rest.p && (!str_to_u32(rest, &given) || given > width(&b)))
        return false;
    if (!cut(&b, given))
        return false;
    *network = text_of(&b, given, a);
    *v6 = b.v6;
    *bits = given;
    return true;
}
