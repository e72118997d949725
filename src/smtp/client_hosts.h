#pragma once
/*
 * Which hosts take mail for a destination, and at which addresses.
 */
#include "queue/transport.h"
#include "smtp/client_failure.h"

/* Addresses that are tried for one destination. */
#define CLIENT_HOSTS_MAX 10
/* MX hosts whose addresses are looked up. */
#define CLIENT_MX_MAX 20

struct client_host {
    const char *name;    /* as TLS wants it verified, and for logs */
    const char *address; /* numeric */
    uint16_t port;
};

struct client_hosts {
    struct client_host host[CLIENT_HOSTS_MAX];
    size_t count;
    /* The names are what the domain's owner or our administrator said: nobody on the way could have
     * put others in their place. */
    bool secure;
};

/* False: *failure. Strings in a. */
SUSPENDS bool client_hosts_find(const struct transport_job *job, struct arena *a,
                                struct client_hosts *hosts, struct client_failure *failure);
