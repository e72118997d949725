#pragma once
/*
 * MTA-STS as a sender (RFC 8461): the policies of other domains, found by a TXT record, fetched
 * over HTTPS, kept on disk and in memory for as long as they say.
 */
#include "core/fiber.h"
#include "core/settings.h"
#include "net/dns.h"
#include "net/http_client.h"
#include "smtp/mta_sts_policy.h"

struct mta_sts;

struct mta_sts_settings {
    bool enabled;
    int64_t https_port;                  /* 443, so that tests can have their own */
    usec timeout;                        /* for one policy */
    struct string_list refused_networks; /* not asked for policies, nor given reports */
};
extern const struct settings_block mta_sts_settings_block; /* "mta_sts" */

struct mta_sts_context { /* all outlive it */
    struct loop *loop;
    struct dns *dns;
    struct http_client *http;
    const char *dir; /* DATA/mta-sts */
};

struct mta_sts *mta_sts_new(const struct mta_sts_settings *s, const struct mta_sts_context *c,
                            struct tls_context *tls);
/* Reads what is on disk; begins to refresh. */
SUSPENDS void mta_sts_start(struct mta_sts *m);
/* Ends what is under way. Nobody asks any more. */
SUSPENDS void mta_sts_stop(struct mta_sts *m);
/* NULL is allowed. */
void mta_sts_free(struct mta_sts *m);
void mta_sts_reload(struct mta_sts *m, const struct mta_sts_settings *s, struct tls_context *tls);

/* What went wrong with the newest policy, in the terms of RFC 8460 4.3.2.2. */
enum mta_sts_problem {
    MTA_STS_FINE,
    MTA_STS_FETCH_ERROR,  /* sts-policy-fetch-error */
    MTA_STS_INVALID,      /* sts-policy-invalid */
    MTA_STS_WEBPKI_ERROR, /* sts-webpki-invalid */
};

struct mta_sts_answer {
    bool found; /* there is a policy that holds: the rest of this group is set */
    struct mta_sts_policy policy;
    struct str id;
    usec fetched, expires; /* wall clock */
    /* Of the last attempt to fetch one, whether an older one holds or not. */
    enum mta_sts_problem problem;
    struct str why;
    bool tried_now;   /* this call made that attempt */
    struct str notes; /* what was seen on the way, for people */
};

/* The policy for mail to the domain, by what DNS and the cache say; fetched when it is new. Waits
 * at most the time-out of DNS and of a policy. Strings in a. */
SUSPENDS void mta_sts_find(struct mta_sts *m, struct str domain, struct arena *a,
                           struct mta_sts_answer *answer);

/* The domain as policies are kept by: A-labels, lower case; NULL: no name of a host. In a. */
const char *mta_sts_name(struct str domain, struct arena *a);

/* --- for operators --- */

/* As mta_sts_find, but fetched in any case. */
SUSPENDS void mta_sts_refresh(struct mta_sts *m, struct str domain, struct arena *a,
                              struct mta_sts_answer *answer);
/* Forgets the domain's policy, or all when the domain is empty; how many. */
SUSPENDS size_t mta_sts_forget(struct mta_sts *m, struct str domain);
size_t mta_sts_count(const struct mta_sts *m);
