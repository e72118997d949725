#pragma once
/*
 * What a client keeps of a TLS connection: a session that makes the next handshake with the same
 * server a short one (RFC 8446 2.2, RFC 5077), and the value that binds a login to the connection.
 */
#include "net/stream.h"

/* What was verified of the server then is believed at the next connection, since the server shows
 * no certificate again: a session may be used only where no more is asked for, of the same server.
 */
struct tls_session;
/* The newest that the server has given; NULL: none that could be used. For tls_session_free. */
struct tls_session *stream_tls_session(const struct stream *s);
void tls_session_free(struct tls_session *t);
/* For the next stream_start_tls_client; the stream keeps a reference of its own. */
void stream_resume_tls(struct stream *s, struct tls_session *t);
/* The server took it. */
bool stream_tls_is_resumed(const struct stream *s);

/* Bytes of the channel binding of this type ("tls-exporter", "tls-server-end-point", "tls-unique":
 * RFC 9266, RFC 5929), appended, as a server has them. False: a plain connection, or the type is
 * not known or does not fit the version of TLS. */
bool stream_tls_channel_binding(const struct stream *s, const char *type, struct buf *bytes);

/* Channel binding "tls-exporter" (RFC 9266): both ends of this connection compute the same value.
 * False: plain, or older than TLS 1.3. */
#define TLS_BINDING_SIZE 32
bool stream_tls_binding(const struct stream *s, unsigned char binding[TLS_BINDING_SIZE]);
