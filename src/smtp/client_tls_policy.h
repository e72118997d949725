#pragma once
/*
 * What TLS with a mail server has to be like, and why: by our administrator's rule, by records that
 * the server's owner has signed in DNS (DANE, RFC 7672), by the policy of the recipients' domain
 * (MTA-STS, RFC 8461), by what the message asks for (RFC 8689).
 */
#include "net/tls_expect.h"
#include "queue/transport.h"
#include "smtp/client_failure.h"
#include "smtp/mta_sts.h"

/* TLSA records of a host that are looked at; more than a handful would be a mistake. */
#define CLIENT_TLSA_MAX 50

enum client_tls_policy {
    CLIENT_TLS_NONE,          /* not even where offered */
    CLIENT_TLS_OPPORTUNISTIC, /* where offered, whoever it is */
    CLIENT_TLS_ENCRYPT,       /* whoever it is */
    CLIENT_TLS_VERIFY,        /* an authority vouches for the name */
    CLIENT_TLS_STS,           /* the same, and the policy names the host */
    CLIENT_TLS_DANE,          /* a TLSA record fits */
};
/* "none", "opportunistic" ... as in logs. */
const char *client_tls_policy_name(enum client_tls_policy policy);

/* What is known of a TLSA look-up. */
enum client_dane {
    CLIENT_DANE_ABSENT,   /* none that DNSSEC vouches for */
    CLIENT_DANE_UNUSABLE, /* there are, of kinds that mail does not use: TLS is required all the
                             same */
    CLIENT_DANE_FOUND,
    CLIENT_DANE_LATER, /* DNS cannot answer: the host is not used now */
};

struct client_tls_question {
    struct dns *dns;
    struct mta_sts *sts; /* NULL: none is asked for */
    struct tls_context *tls;
    struct str domain; /* of the recipients; of a fixed host for texts only */
    bool by_mx;        /* the host is one that DNS names for the domain */
    bool host_secure;  /* DNSSEC vouches for that, or our administrator */
    const char *host;  /* name or numeric address */
    uint16_t port;
    enum next_hop_tls level; /* the least that our rule wants */
    bool require_tls;        /* the message: RFC 8689 4.2 */
    bool tls_optional;       /* the message: RFC 8689 4.3 */
};

struct client_tls_decision {
    enum client_tls_policy policy;
    bool required; /* nothing is sent unless the handshake meets `expect` */
    bool testing;  /* of MTA-STS: what fails is reported, and the mail is sent */
    struct tls_expectation expect;
    struct str why; /* for logs and operators */
    /* What was found on the way, for reports (RFC 8460) and operators. */
    enum client_dane dane;
    struct str dane_name; /* of the TLSA records: "_25._tcp.mx.example.org" */
    bool dane_bogus;      /* CLIENT_DANE_LATER: a signature is wrong */
    const struct dns_tlsa *records;
    size_t record_count;
    bool sts_asked, sts_names_host;
    struct mta_sts_answer sts;
};

/* False: the host must not be used for this message now, *f says why. Strings in a. */
SUSPENDS bool client_tls_decide(const struct client_tls_question *q, struct arena *a,
                                struct client_tls_decision *tls, struct client_failure *f);
