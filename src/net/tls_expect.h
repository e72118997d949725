#pragma once
/*
 * What a client asks of the certificate that a server shows, and what came of it: nothing, the name
 * by an authority (RFC 6125), or records that the domain's owner has put into DNS (DANE, RFC 7671).
 */
#include "net/dns.h"
#include "net/stream.h"

enum tls_check {
    TLS_CHECK_NOTHING, /* any goes; whether it is good for the names is still told afterwards */
    TLS_CHECK_NAMES,   /* one of our authorities vouches for one of the names */
    TLS_CHECK_DANE,    /* one of the records names it, or its issuer; then one of the names */
};

struct tls_expectation {
    enum tls_check check;
    const char *sni;          /* the name shown to the server; NULL: none */
    const char *const *names; /* DNS names, or one numeric address; the first is DANE's base */
    size_t name_count;
    const struct dns_tlsa *tlsa; /* those that cannot be used are passed over */
    size_t tlsa_count;
};

/* stream_start_tls_client with more to ask for. ERR_TLS also when no record can be used. */
SUSPENDS bool stream_start_tls_expecting(struct stream *s, struct tls_context *c,
                                         const struct tls_expectation *x, struct err *e);

enum tls_verdict {
    TLS_UNKNOWN,        /* no handshake, or nothing to compare with */
    TLS_VERIFIED,       /* good for one of the names, or one of the records fits */
    TLS_EXPIRED,        /* or not valid yet */
    TLS_OTHER_NAME,     /* good, for others */
    TLS_UNTRUSTED,      /* nobody we know vouches for it */
    TLS_NO_RECORD_FITS, /* DANE */
    TLS_FAILED,         /* the handshake, before or beside all that */
};
/* After stream_start_tls_expecting, whatever it returned. */
enum tls_verdict stream_tls_verdict(const struct stream *s);
/* The same in OpenSSL's words; "" for TLS_UNKNOWN and TLS_FAILED. */
const char *stream_tls_verdict_text(const struct stream *s);

/* With how many of the records DANE for mail knows what to do: usages DANE-TA and DANE-EE (RFC 7672
 * 3.1.3), a known selector and matching type, data that is what it should be. */
size_t tls_usable_records(struct tls_context *c, const struct dns_tlsa *records, size_t count);
/* "3 1 1 0123...": as in a zone. */
void tls_record_write(struct buf *out, const struct dns_tlsa *record);
