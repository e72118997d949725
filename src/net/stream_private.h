#pragma once
/*
 * The stream as its own files see it: stream.c (life, events, waiting), stream_io.c (buffers),
 * stream_tls.c (OpenSSL), stream_deflate.c, stream_park.c, stream_connect.c.
 */
#include "net/hub.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>

enum park_state {
    PARK_NOT,     /* belongs to a fiber or to nobody */
    PARK_WAITING, /* until the descriptor says something */
    PARK_READY,   /* in hub->ready */
    PARK_LATER,   /* in hub->later */
};

struct stream_deflate;
struct proxy_header;

struct stream {
    struct hub *hub;
    struct event event;        /* readable: persistent and edge-triggered */
    struct event *write_event; /* writable: only once a write has blocked */
    struct cond readers, writers;

    struct buf in, out;
    size_t in_offset, out_offset; /* consumed, sent */
    size_t burst;                 /* bytes moved since the fiber last waited */

    SSL *ssl; /* NULL: plain */
    struct tls_context *tls;
    SSL_SESSION *resume;            /* offered to the server by the next handshake; NULL: none */
    struct stream_deflate *deflate; /* NULL: not compressed */
    bool tls_named;                 /* the peer's certificate is compared with names or records */
    unsigned long tls_error;        /* OpenSSL's code, when broken is ERR_TLS */

    usec timeout;
    int socket_error; /* errno, when broken is ERR_CLOSED; 0: aborted here */

    /* Parking. */
    TAILQ_ENTRY(stream) link;
    void (*park_fn)(void *arg, enum stream_event event);
    void *park_arg;
    struct timer park_timer;

    void (*tap)(void *arg, bool input, struct str bytes);
    void *tap_arg;

    uint8_t park;       /* enum park_state */
    uint8_t broken;     /* enum err_kind; ERR_NONE: works */
    bool readable;      /* a read may find something */
    bool writable;      /* a write may find room */
    bool hangup;        /* the peer ended its side; the end is behind what is unread */
    bool ended;         /* ... and has been read */
    bool skipping;      /* the rest of an over-long line is to be dropped */
    bool handshaken;    /* TLS is established */
    bool small_records; /* TLS: what is written has been small, and so is the buffer for it */
    bool more;          /* TLS: the next record follows at once */
    bool loopback;      /* the peer is on this machine */
    bool unix_socket;
    bool secret;         /* the input is wiped */
    bool secret_ended;   /* ... until it is empty */
    uint8_t text_length; /* of the first string in `peer` */
    char *local;         /* made when asked for */
    char peer[];         /* "192.0.2.1:4711" NUL "192.0.2.1" NUL */
};

/* How a step of input or output ended. */
enum io {
    IO_DONE,
    IO_WANT_READ,
    IO_WANT_WRITE,
    IO_ENDED,  /* regular end of the input; stream->ended */
    IO_BROKEN, /* stream->broken says why */
};

/* Takes over a descriptor that is non-blocking and has its options. */
struct stream *stream_take(struct loop *l, int fd, const struct socket_address *peer);
/* The same with the addresses that a PROXY header says. */
struct stream *stream_take_proxied(struct loop *l, int fd, const struct proxy_header *h);
/* Non-blocking, no delay, keep-alive. A listening socket hands these on to what it accepts. */
void stream_socket_options(int fd);
/* A socket on its way to the address; -1: *e. */
int stream_connect_begin(const char *address, uint16_t port, const char *source,
                         struct socket_address *target, bool *connected, struct err *e);
/* The outcome, once the socket is writable. */
bool stream_connect_end(int fd, const struct socket_address *target, struct err *e);

/* recv and send on the socket; -1 with errno (EAGAIN ...). They keep readable, writable, hangup. */
ssize_t stream_socket_read(struct stream *s, void *p, size_t n);
ssize_t stream_socket_write(struct stream *s, const void *p, size_t n);
/* One step through TLS or not. */
enum io stream_step_read(struct stream *s, void *p, size_t n, size_t *got);
enum io stream_step_write(struct stream *s, const void *p, size_t n, size_t *sent);
enum io stream_tls_read(struct stream *s, void *p, size_t n, size_t *got);
enum io stream_tls_write(struct stream *s, const void *p, size_t n, size_t *sent);
/* close_notify, once, without waiting. */
void stream_tls_goodbye(struct stream *s);
void stream_tls_free(struct stream *s);

/* The same above that, decoded; and all of the output, compressed (stream_deflate.c). */
enum io stream_deflate_read(struct stream *s, void *p, size_t n, size_t *got);
enum io stream_deflate_send(struct stream *s);
/* Compressed bytes that are not sent. */
size_t stream_deflate_unsent(const struct stream *s);
/* Received bytes that are not decoded. */
bool stream_deflate_has_input(const struct stream *s);
void stream_deflate_park(struct stream *s);
void stream_deflate_free(struct stream *s);

/* Sends of the output what can be sent without waiting. */
enum io stream_send_some(struct stream *s);
/* Reads once, at most n bytes, into the input buffer. */
enum io stream_receive_some(struct stream *s, size_t n);

/* Frees the input buffer, which is empty or of no use any more. */
void stream_drop_input(struct stream *s);

/* Asks to be told when the socket has room. */
void stream_watch_writable(struct stream *s);
/* Waits for what a step wanted. */
SUSPENDS bool stream_wait(struct stream *s, enum io want, usec deadline, struct err *e);
/* Fills *e for a stream that is broken or has ended; returns false. */
bool stream_report(struct stream *s, struct err *e);

/* The descriptor became readable or writable, or the stream was aborted, while parked. */
void stream_parked_input(struct stream *s);
void stream_parked_output(struct stream *s);
void stream_parked_abort(struct stream *s);
