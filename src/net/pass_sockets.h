#pragma once
/*
 * Handing sockets to another process on the other end of a Unix stream, with a line of text.
 */
#include "net/stream.h"

/* What one message can carry (unix(7)). */
#define PASS_SOCKETS_MAX 250

/* line: without LF; nothing may wait in the stream to be written. They stay open here. ERR_LIMIT:
 * too many. ERR_CLOSED. */
bool stream_pass_sockets(struct stream *s, struct str line, const int *fds, size_t count,
                         struct err *e);
/* The other end, blocking: text is what arrived with them, *count of *fds, which are the caller's.
 */
bool receive_sockets(int fd, struct buf *text, int fds[PASS_SOCKETS_MAX], size_t *count,
                     struct err *e);
