#pragma once
/*
 * Replies of another SMTP server (RFC 5321 4.2, enhanced codes of RFC 2034 and 3463). Pure: takes
 * lines, does no I/O.
 */
#include "core/buf.h"

/* One line without its line end; RFC 5321 4.5.3.1.5: servers send at most 512. */
#define CLIENT_REPLY_LINE_MAX  1000
#define CLIENT_REPLY_LINES_MAX 100

struct client_reply {
    int code;          /* 200..599; 0: no line yet */
    char enhanced[12]; /* "5.1.1" of the first line, if its class fits the code; "" */
    struct buf text;   /* the lines' texts behind the code, each ended with LF, printable */
    unsigned lines;
};

enum client_reply_status {
    CLIENT_REPLY_MORE,
    CLIENT_REPLY_COMPLETE,
    CLIENT_REPLY_BAD, /* not a reply, or longer than anyone needs: the connection is useless */
};

/* Keeps the memory. */
void client_reply_clear(struct client_reply *r);
void client_reply_free(struct client_reply *r);
enum client_reply_status client_reply_add_line(struct client_reply *r, struct str line);
/* "550 5.1.1 no such user", the lines joined by spaces, appended. */
void client_reply_write(struct buf *out, const struct client_reply *r);
