#pragma once
/*
 * The limits of the pages for mail clients. Private to http.
 */
#include "core/clock.h"

/* Bytes of a line; RFC 9112 3 recommends at least 8000 for the first one. */
#define HTTP_LINE_MAX 8192
/* Fields of a header, and bytes of all of them. */
#define HTTP_FIELDS_MAX       100
#define HTTP_FIELDS_BYTES_MAX ((size_t)32 * 1024)
/* Bytes of what a client posts: Outlook sends some hundreds. */
#define HTTP_BODY_MAX ((size_t)64 * 1024)
/* Requests of one connection, then it is closed. */
#define HTTP_REQUESTS_MAX 100
/* For the next request, for each piece of one, and for taking an answer. */
#define HTTP_TIMEOUT (20 * USEC_SEC)
/* Bytes of a host's name in an answer (RFC 1035 2.3.4). */
#define HTTP_HOST_MAX 253
/* Bytes of an address in a request. */
#define HTTP_ADDRESS_MAX 320
