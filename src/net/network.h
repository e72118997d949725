#pragma once
/*
 * Addresses and networks (RFC 4632, RFC 4291), and sets of them: of all networks that hold an
 * address the narrowest one counts. Pure; nothing suspends.
 */
#include "core/err.h"
#include "core/str.h"

struct network_address {
    bool v6;
    unsigned char bytes[16]; /* IPv4: the first four */
};

struct network {
    struct network_address first;
    unsigned bits; /* of the prefix */
};

/* Numeric; IPv4 mapped into IPv6 (::ffff:192.0.2.1) is IPv4. False: no address. */
bool network_address_parse(struct network_address *a, struct str text);
/* The usual form of an address: RFC 5952. */
#define NETWORK_TEXT_SIZE 46
void network_address_text(const struct network_address *a, char text[NETWORK_TEXT_SIZE]);
/* Clears the bits behind the prefix. */
void network_address_cut(struct network_address *a, unsigned bits);
/* "192.0.2.0/24", "2001:db8::/32", or an address alone. ERR_SYNTAX; bits behind the prefix are an
 * error, since one of the two numbers is not what was meant. */
bool network_parse(struct network *n, struct str text, struct err *e);

/* Immutable: sorted beginnings of ranges, 8 bytes for IPv4, 20 for IPv6. */
struct network_set;
#define NETWORK_NONE UINT32_MAX

/* Networks with a number each, in any order; of equal ones the first counts. */
struct network_pair {
    struct network network;
    uint32_t value;
};
struct network_set *network_set_new(const struct network_pair *pairs, size_t count);
/* NULL is allowed. */
void network_set_free(struct network_set *s);
/* The number of the narrowest network that holds the address, or NETWORK_NONE. O(log n). */
uint32_t network_set_find(const struct network_set *s, const struct network_address *a);
size_t network_set_memory(const struct network_set *s);
