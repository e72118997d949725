#pragma once
/*
 * Limits of the POP3 server that are not settings, with the RFC's minimum.
 */
#include "core/clock.h"

/* A command line without CRLF. RFC 2449 4: 255 octets with CRLF. */
#define POP3_LINE_MAX 1000
/* Before the login: AUTH with an initial response. RFC 4954 4 (for SMTP): 12288. */
#define POP3_LOGIN_LINE_MAX 12288
/* Malformed commands of one connection, then it is closed. */
#define POP3_ERRORS_MAX 20
/* For the TLS handshake. */
#define POP3_HANDSHAKE_TIMEOUT (60 * USEC_SEC)
/* Of a message at a time, on the way from disk to client. */
#define POP3_CHUNK (32 * 1024)
