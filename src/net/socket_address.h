#pragma once
/*
 * Socket addresses and their text: "192.0.2.1:25", "[2001:db8::1]:25", "unix:/path".
 */
#include "core/err.h"
#include "core/str.h"

#include <sys/socket.h>

/* "[" + the longest IPv6 address with a scope + "]:65535", or "unix:" + a socket's path. */
#define ADDRESS_TEXT_SIZE 128

struct socket_address {
    struct sockaddr_storage storage;
    socklen_t length;
};

/* "unix:/path" (the port is not used) or a numeric IPv4 or IPv6 address, with or without brackets.
 * ERR_PERM on anything else. */
bool socket_address_parse(struct socket_address *a, struct str text, uint16_t port, struct err *e);
/* Splits "host:port", "[v6]:port", "*:port"; host is without brackets. ERR_PERM. */
bool socket_address_split(struct str text, struct str *host, uint16_t *port, struct err *e);
/* With port ("192.0.2.1:25", "unix:/path", "unix" when it has no path). */
void socket_address_text(const struct socket_address *a, char text[ADDRESS_TEXT_SIZE]);
/* Without port ("192.0.2.1", "2001:db8::1", "unix"). */
void socket_address_host(const struct socket_address *a, char text[ADDRESS_TEXT_SIZE]);
/* 127.0.0.0/8, ::1, or a Unix socket. */
bool socket_address_is_loopback(const struct socket_address *a);
bool socket_address_is_unix(const struct socket_address *a);
