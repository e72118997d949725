#pragma once
/*
 * The network that a client belongs to: neighbours are often one sender with many addresses.
 */
#include "core/arena.h"

/* "192.0.2.0/24" or "2001:db8::/64"; the bare address for all its bits. IPv4 in its mapped form is
 * IPv4. False when the address is not numeric ("unix"). */
bool client_network_of(const char *address, unsigned bits4, unsigned bits6, struct arena *a,
                       struct str *network);
/* An address, or a network whose bits behind the prefix are zero, in the form that
 * client_network_of gives it. *bits: of its prefix. */
bool client_network_parse(struct str text, struct arena *a, struct str *network, bool *v6,
                          unsigned *bits);
