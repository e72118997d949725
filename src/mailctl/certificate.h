#pragma once
/*
 * What a certificate's file says. Blocking.
 */
#include "core/arena.h"
#include "core/err.h"
#include "net/dns.h"

/* One of the file, as bytes (DER). */
struct certificate_part {
    struct str whole, key;
};

struct certificate {
    struct str subject, issuer; /* common names, or the whole name */
    struct str *names;          /* DNS names and addresses that it is good for */
    size_t name_count;
    int64_t begins, expires; /* seconds since 1970 */
    bool self_signed;
    struct certificate_part *parts; /* itself, then those behind it in the file */
    size_t part_count;
    int key_kind; /* as OpenSSL numbers them: of each a name has one certificate */
    const char *path;
    struct str problem;    /* what keeps others from trusting it (OpenSSL's words); "" : nothing */
    struct str tlsa;       /* "3 1 1 ...": DANE-EE, its key, SHA-256 */
    struct dns_tlsa whole; /* the same of all of it: 3 0 1 */
};

/* Trusted are the authorities of ca_file; "" : the system's. The dates are no part of `problem`.
 * Strings in a. ERR_*: as core/disk; ERR_SYNTAX: no certificate. */
bool certificate_read(const char *path, const char *ca_file, struct arena *a,
                      struct certificate *out, struct err *e);
/* A name with a star stands for one label (RFC 6125 6.4.3). */
bool certificate_names(const struct certificate *c, struct str host);
/* The same, but a star is one of the name's own letters. */
bool certificate_names_exactly(const struct certificate *c, struct str host);
/* RFC 6698 2.1: the record names it (DANE-EE) or one behind it (DANE-TA). */
bool certificate_fits(const struct certificate *c, const struct dns_tlsa *record);
