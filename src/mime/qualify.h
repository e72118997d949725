#pragma once
/*
 * Addresses of header fields that lack a domain ("root", "Cron <root>"), completed as the server
 * that takes them from a local program must (RFC 6409 4.2). Pure; does not suspend.
 */
#include "core/buf.h"

/* Appends the value of an address field to *out, byte for byte, with "@domain" behind each address
 * that has none. What is no address (a name alone, an empty group) stays as it is. */
void address_list_qualify(struct buf *out, struct str value, struct str domain);
