#pragma once
/*
 * What this installation is, as the outside sees it: its name, its addresses, and what listens on
 * them. From the configuration and the interfaces of this machine; blocking.
 */
#include "ctl/server_settings.h"
#include "mailctl/certificate.h"
#include "mailctl/mailctl.h"
#include "mailctl/zone.h"
#include "net/service.h"

struct site_listener {
    const struct listener_settings *settings;
    const char *address; /* as configured */
    const char *host;    /* "*", or numeric without brackets; "" : a Unix socket */
    uint16_t port;
    bool
        outside; /* reachable under one of the site's addresses, or where a router sends those on */
};

struct site_certificate {
    const char *block; /* "tls", "certificate shop" */
    const char *path, *key;
    const struct string_list *names; /* clients that name one of these get it, none: those that it
                                      * has; NULL: all others get it */
};

/* With keys of different kinds. */
struct certificates {
    struct certificate *list;
    size_t count;
};

/* Where the addresses come from. */
enum site_source {
    SITE_GIVEN,      /* --address */
    SITE_LISTENERS,  /* a listener has a public address of its own */
    SITE_INTERFACES, /* the public addresses of this machine */
    SITE_NOWHERE,    /* it has none: behind a router that translates addresses, or alone */
};

struct site {
    struct arena *arena;
    struct config *config;
    const struct server_settings *server;
    const char *hostname; /* lower case, no dot at the end */
    const char **addresses;
    size_t address_count;
    enum site_source source;
    struct site_listener *listeners;
    size_t listener_count;
    struct site_certificate *certificates; /* those of the block tls are the first */
    size_t certificate_count;
    struct zone_service services[6]; /* for clients from outside */
    size_t service_count;
};

/* m->config has been read. Takes addresses from the option --address. ERR_SYNTAX: one of them is
 * none. */
bool site_load(struct mailctl *m, const struct arguments *a, struct site *s, struct err *e);
bool site_has_address(const struct site *s, const char *address);
/* Somebody elsewhere in the Internet can have a connection to it. */
bool site_is_public(const char *address);
/* So may somebody elsewhere have one of its addresses. */
struct network;
bool site_network_is_public(const struct network *n);
/* The certificates of which a client gets one who asks for this host, at least one. Strings in a;
 * errors as certificate_read, ERR_NOT_FOUND: there is none. Does not touch the site: for workers.
 */
bool site_read_certificates(const struct site *s, struct str host, struct arena *a,
                            struct certificates *out, struct err *e);
