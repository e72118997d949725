#pragma once
/*
 * The text of a server's place: "host", "host:port", "[address]", "[address]:port". Pure.
 */
#include "core/str.h"

/* Without a port *port stays as it is. host is without brackets, borrowed. */
bool host_port_parse(struct str text, struct str *host, uint16_t *port);
/* An IPv4 or IPv6 address. */
bool host_is_numeric(struct str host);
