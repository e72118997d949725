#pragma once
/*
 * The PROXY protocol, versions 1 and 2 (HAProxy, doc/proxy-protocol.txt): what a load balancer says
 * in front of a connection about who its client is. Pure.
 */
#include "net/socket_address.h"

#define PROXY_V1_MAX 107 /* with CRLF */
/* Version 2 could say 64 KB; what balancers send has less than 300 bytes, with a certificate 4 KB.
 */
#define PROXY_HEADER_MAX (16 * 1024)

enum proxy_result { PROXY_COMPLETE, PROXY_INCOMPLETE, PROXY_MALFORMED };

struct proxy_header {
    size_t length; /* of the header; what follows is the client's */
    /* False (LOCAL, UNKNOWN, a Unix socket or a datagram on the balancer's other side): it speaks
     * for itself, the socket's addresses stand. */
    bool proxied;
    struct socket_address client, local;
};

/* bytes: from the beginning of the connection. PROXY_INCOMPLETE: nothing wrong yet, ask again with
 * more. PROXY_MALFORMED: *wrong says why, a constant. */
enum proxy_result proxy_header_parse(struct proxy_header *h, struct str bytes, const char **wrong);
