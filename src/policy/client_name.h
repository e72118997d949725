#pragma once
/*
 * The name of a client that its address and its name agree on (RFC 1912 section 2.1): its reverse
 * DNS names a host, and that host has this address.
 */
#include "core/arena.h"
#include "core/fiber.h"

struct dns;

enum client_name_status {
    CLIENT_NAME_UNASKED,
    CLIENT_NAME_CONFIRMED,
    CLIENT_NAME_UNCONFIRMED, /* there are names, but none of them has this address */
    CLIENT_NAME_NONE,        /* no reverse DNS */
    CLIENT_NAME_UNKNOWN,     /* DNS failed */
};

/* *name: the confirmed one; of an unconfirmed one the first that was claimed; else "". Waits no
 * longer than the deadline. */
SUSPENDS enum client_name_status client_name_find(struct dns *d, const char *address, usec deadline,
                                                  struct arena *a, struct str *name, struct err *e);
