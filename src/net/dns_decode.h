#pragma once
/*
 * Record data as DNS servers send it (RFC 1035 section 3.3), uncompressed as libunbound hands it
 * on, and names on their way to it. Everything here comes from strangers: every length is checked,
 * and a name with bytes that no host has is no name.
 */
#include "core/arena.h"
#include "net/dns.h"

#define DNS_NAME_MAX  253 /* as text, without the dot at the end (RFC 1035 section 2.3.4) */
#define DNS_LABEL_MAX 63

/* Each returns false when the data is malformed, or names a host that cannot be one. Names come in
 * lower case, without the dot at the end; the root is "". */
bool dns_decode_name(struct str data, struct arena *a, struct str *name);
bool dns_decode_mx(struct str data, struct arena *a, struct dns_mx *mx);
/* The strings of the record joined (RFC 7208 section 3.3). */
bool dns_decode_text(struct str data, struct arena *a, struct str *text);
/* Usage, selector, matching type, data (RFC 6698 section 2.1). */
bool dns_decode_tlsa(struct str data, struct arena *a, struct dns_tlsa *tlsa);
/* Priority, weight, port, target (RFC 2782). */
bool dns_decode_srv(struct str data, struct arena *a, struct dns_srv *srv);
/* 4 or 16 bytes. */
bool dns_decode_address(struct str data, struct dns_address *address);

/* Labels of letters, digits, hyphens and underscores, no dot at the end. */
bool dns_is_host_name(struct str name);
/* A question's name: U-labels become A-labels, the dot at the end goes; NUL-terminated. False when
 * no such name can exist in DNS. */
bool dns_query_name(struct str name, struct arena *a, const char **query);
/* "4.3.2.192.in-addr.arpa" for a numeric address; false when it is none. */
bool dns_reverse_name(const char *address, struct arena *a, const char **query);
