#pragma once
/*
 * A request of HTTP/1.0 or 1.1 (RFC 9112): its first line and the fields that matter here. Pure.
 */
#include "core/arena.h"

#include <stdint.h>

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OTHER };

struct http_request {
    enum http_method method;
    struct str path;  /* decoded, begins with "/"; without what stands behind "?" */
    struct str query; /* what stands behind it, not decoded; p == NULL: nothing */
    struct str host;  /* of the Host field, without port; "" : none */
    bool keep_alive;  /* the connection stays */
    bool has_host, has_length;
    uint64_t length; /* of the body */
};

/* Each returns 0, or the status of the answer that says what is wrong with the line: 400, 414, 501,
 * 505. Strings are copies in `a`. Lines come without their CRLF. */
int http_request_begin(struct http_request *r, struct arena *a, struct str line);
int http_request_field(struct http_request *r, struct arena *a, struct str line);
/* All fields are there: is the request whole? */
int http_request_end(const struct http_request *r);

/* A value of the query, decoded; "" : it is not there, or cannot be decoded. In `a`. */
struct str http_query_value(const struct http_request *r, struct arena *a, struct str name);
