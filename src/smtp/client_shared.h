#pragma once
/*
 * What all connections to other servers share: the settings, and what is remembered of servers.
 */
#include "smtp/client_memory.h"
#include "smtp/client_tickets.h"
#include "smtp/smtp_client.h"

struct mta_sts;
struct network_set;
struct tls_report;

/* Immutable: a connection keeps the one it began with, whatever is reloaded. */
struct client_config {
    unsigned references;
    struct smtp_client_settings settings; /* but for its lists */
    struct network_set *ignored;          /* networks that no mail is sent to by MX; NULL: none */
};

struct client_shared {
    struct client_config *config;
    struct client_memory *memory;
    struct client_tickets *tickets;
    struct mta_sts *sts;       /* NULL: no policies are asked for */
    struct tls_report *report; /* NULL: nothing is counted */
};

struct client_config *client_config_new(const struct smtp_client_settings *s);
struct client_config *client_config_ref(struct client_config *c);
void client_config_unref(struct client_config *c);
