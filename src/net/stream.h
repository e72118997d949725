#pragma once
/*
 * A connection, plain or TLS, on one interface. A stream that is parked holds no stack and no
 * buffers: only its struct and the TLS object.
 *
 * Deadlines: each suspending call uses the stream's timeout (stream_set_timeout) counted from the
 * call. Errors: ERR_TIMEOUT, ERR_CLOSED (peer closed or reset), ERR_CANCELLED, ERR_TLS, ERR_LIMIT.
 * After any of them but ERR_LIMIT the stream can only be closed; a last line (stream_write_now)
 * still goes out after ERR_TIMEOUT, ERR_CANCELLED and a regular end of the input.
 */
#include "core/buf.h"
#include "core/fiber.h"
#include "net/socket_address.h"
#include "net/tls.h"

#include <sys/types.h>

struct stream;
struct loop;

/* Takes over a connected descriptor (made non-blocking, TCP_NODELAY). */
struct stream *stream_new(struct loop *l, int fd);
/* Connects to "host-or-ip numeric address" and port, or "unix:/path". host must be a numeric
 * address here: names are resolved by net/dns.h. source_address may be NULL. ERR_CLOSED when the
 * other side refuses, ERR_TIMEOUT, ERR_TEMP (no route, no descriptor ...), ERR_PERM when the
 * address is malformed. */
SUSPENDS struct stream *stream_connect(struct loop *l, const char *address, uint16_t port,
                                       const char *source_address, usec deadline, struct err *e);
/* Sends what is buffered if that needs no waiting, close_notify, and closes. Frees everything. Does
 * not suspend. */
void stream_close(struct stream *s);
/* Makes the present and all later calls fail with ERR_CLOSED (shutdown(2)); the owner then closes.
 * For kick and shutdown. */
void stream_abort(struct stream *s);

void stream_set_timeout(struct stream *s, usec timeout);
/* What comes may be a password: it is wiped from the stream's buffers (and OpenSSL's, when it is
 * called before TLS starts) as soon as it is consumed. When it is over, what came before still
 * is. */
void stream_expect_secrets(struct stream *s, bool expected);

/* --- reading --- */

/* What is buffered and not consumed; borrowed until the next reading call. */
struct str stream_buffered(const struct stream *s);
/* A peer that sends a long thing byte by byte would be in time for every single wait and hold a
 * fiber for days. False with ERR_TIMEOUT: since `begun` (clock_monotonic) it has sent fewer than
 * STREAM_RATE_MIN bytes a second, the stream's timeout not counted. */
#define STREAM_RATE_MIN 100
bool stream_is_in_time(const struct stream *s, usec begun, uint64_t received, struct err *e);
/* Waits for more bytes behind what is buffered; at most `max` may be buffered (ERR_LIMIT). At a
 * regular end of the stream: ERR_CLOSED. */
SUSPENDS bool stream_fill(struct stream *s, size_t max, struct err *e);
void stream_consume(struct stream *s, size_t n);
/* Acknowledges at once what was received. For who has one of several replies of a server that
 * writes each by itself, and so waits for this before it sends the next (RFC 896 and RFC 1122
 * 4.2.3.2 together: 40 ms). */
void stream_acknowledge(struct stream *s);
/* Looks without waiting: nothing has come and the connection stands. For who has asked nothing and
 * expects no word, before it says the next thing. */
bool stream_is_quiet(struct stream *s);
/* A line up to LF. *line is without the line end, borrowed until the next reading call. *crlf (may
 * be NULL) tells whether it ended in CRLF. Longer than max bytes (line end not counted): ERR_LIMIT,
 * and the line is consumed up to its LF by the next call. */
SUSPENDS bool stream_read_line(struct stream *s, size_t max, struct str *line, bool *crlf,
                               struct err *e);

/* --- writing: into a buffer, sent by flush or when it exceeds 64 KB --- */

SUSPENDS bool stream_write(struct stream *s, struct str bytes, struct err *e);
SUSPENDS bool stream_printf(struct stream *s, struct err *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
SUSPENDS bool stream_flush(struct stream *s, struct err *e);
/* For bytes that must not wait (a last line before a kick, news for an idling client): tries once
 * without suspending. What could not be sent goes with the next flush, or by itself while parked; a
 * peer that lets STREAM_UNSENT_MAX bytes pile up is aborted. */
#define STREAM_UNSENT_MAX (256 * 1024)
void stream_write_now(struct stream *s, struct str bytes);
/* For much that can be made again: sends, straight from there, what goes without waiting, and
 * returns how many of the bytes are done with. Unless that is all, stream_flush waits for what of
 * them had to be buffered, a few kilobytes, and the next call sends more. 0 also when the stream
 * has failed, which stream_flush tells. */
size_t stream_write_some(struct stream *s, struct str bytes);
/* Gives back the memory of buffers that are empty. */
void stream_trim(struct stream *s);
/* Bytes written but not yet sent. */
size_t stream_unsent(const struct stream *s);

/* --- TLS --- */

/* Sends what is buffered, then the handshake as server. Everything that was received before it is
 * dropped: a STARTTLS command followed by more in plain text (CVE-2011-0411) returns ERR_TLS before
 * the handshake. */
SUSPENDS bool stream_start_tls_server(struct stream *s, struct tls_context *c, struct err *e);
/* Handshake as client; sni (a DNS name or NULL) and the name or numeric address the certificate
 * must be valid for (NULL: no verification). Bytes received before it: ERR_TLS as well. */
SUSPENDS bool stream_start_tls_client(struct stream *s, struct tls_context *c, const char *sni,
                                      const char *verify_name, struct err *e);
bool stream_is_tls(const struct stream *s);
/* "TLSv1.3", "TLS_AES_256_GCM_SHA384"; NULL when plain. */
const char *stream_tls_version(const struct stream *s);
const char *stream_tls_cipher(const struct stream *s);
/* The name in the peer's certificate (its common name, else its first host name), appended. False:
 * it has shown none, or none that our authorities have signed. */
bool stream_tls_peer_name(const struct stream *s, struct buf *name);
/* The client has shown a certificate that our authorities have signed and that is valid now, on a
 * listener where that counts as a login (tls_context_for_clients). */
bool stream_tls_client_may_log_in(const struct stream *s);
enum tls_client_name {
    TLS_CLIENT_EMAIL,     /* the first rfc822Name */
    TLS_CLIENT_PRINCIPAL, /* the first user principal name (an otherName) */
    TLS_CLIENT_COMMON_NAME,
};
/* Appends that name of it, in UTF-8 without NUL. False: it has none. */
bool stream_tls_client_name(const struct stream *s, enum tls_client_name kind, struct buf *name);

/* --- compression (RFC 4978: raw deflate, above TLS) --- */

/* From here on both directions are compressed. The reply that tells so must have been flushed. */
void stream_start_deflate(struct stream *s);
/* Both directions are plain from now on: the output has been flushed, the peer flushed its own
 * before it went over. */
void stream_end_deflate(struct stream *s);
bool stream_is_compressed(const struct stream *s);

/* --- waiting without a fiber --- */

enum stream_event { STREAM_READABLE, STREAM_TIMEOUT, STREAM_ENDED };
/* Buffers are freed; `fn` is called once, on the loop, not in a fiber, when bytes (of the
 * application) can be read, when the timeout passes or when the peer closed. It usually starts a
 * fiber. When input is already buffered it is called in this turn. Output that is still unsent goes
 * out while the stream is parked. */
void stream_park(struct stream *s, usec timeout, void (*fn)(void *arg, enum stream_event event),
                 void *arg);
/* Takes the stream back; fn is not called any more. No error when it was not parked. */
void stream_unpark(struct stream *s);
bool stream_is_parked(const struct stream *s);

/* --- listening in --- */

/* fn sees every piece as it is read or written, in the form the protocol has it; NULL: nobody. Must
 * not suspend. */
void stream_set_tap(struct stream *s, void (*fn)(void *arg, bool input, struct str bytes),
                    void *arg);
/* NULL when there is none. */
void *stream_tap_argument(const struct stream *s);

/* --- who --- */

/* Numeric address without port ("192.0.2.1", "2001:db8::1", "unix"), constant for its life. */
const char *stream_peer(const struct stream *s);
const char *stream_local(const struct stream *s);
/* "192.0.2.1:4711" for logs. */
const char *stream_peer_text(const struct stream *s);
bool stream_peer_is_loopback(const struct stream *s); /* or a Unix socket */
/* Unix sockets: credentials of the peer; false otherwise. */
bool stream_peer_credentials(const struct stream *s, uid_t *uid, gid_t *gid, pid_t *pid);
int stream_fd(const struct stream *s);

struct stream_stats {
    size_t open, parked, tls;
    uint64_t bytes_in, bytes_out;
};
void stream_get_stats(struct loop *l, struct stream_stats *s);
