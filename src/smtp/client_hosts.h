#pragma once
/*
 * Which hosts take mail for a destination, in the order in which they are tried, and at which
 * addresses.
 */
#include "queue/transport.h"
#include "smtp/client_failure.h"

struct network_set;

/* Hosts that are tried for one destination. */
#define CLIENT_HOSTS_MAX 20
/* Addresses of one host that are tried. */
#define CLIENT_ADDRESSES_MAX 8

struct client_host {
    const char *name; /* as TLS wants it verified, and for logs; of a Unix socket its path */
    uint16_t port;    /* 0: Unix socket */
    /* Nobody on the way could have put another name in its place: it was validated, or the domain's
     * owner or our administrator said it. */
    bool secure;
    bool by_mx; /* found in DNS: its addresses are what strangers say */
    /* Numeric, or "unix:/path"; of a name only after client_host_resolve. */
    const char *addresses[CLIENT_ADDRESSES_MAX];
    size_t address_count;
};

struct client_hosts {
    struct client_host host[CLIENT_HOSTS_MAX];
    size_t count;
};

/* False: *failure. Strings in a. */
SUSPENDS bool client_hosts_find(const struct transport_job *job, struct arena *a,
                                struct client_hosts *hosts, struct client_failure *failure);
/* Looks the host's addresses up, unless they are known; of one found in DNS without those in
 * ignored (may be NULL). False: *failure. */
SUSPENDS bool client_host_resolve(const struct transport_job *job, struct arena *a,
                                  struct client_host *host, const struct network_set *ignored,
                                  struct client_failure *failure);
