#pragma once
/*
 * Would a server that asks the domain's SPF record take mail from this address (RFC 7208)? For
 * advice: without macros, which say that of it.
 */
#include "net/dns.h"

enum spf_result {
    SPF_NONE, /* there is no record */
    SPF_PASS,
    SPF_FAIL, /* -all */
    SPF_SOFTFAIL,
    SPF_NEUTRAL, /* ?all, or nothing fits */
    SPF_WRONG,   /* the record is malformed, or asks for too much */
    SPF_NO_ANSWER,
    SPF_UNKNOWN, /* it has macros, or asks for names of the client */
};
const char *spf_result_name(enum spf_result r);

#define SPF_LOOKUPS_MAX 10 /* RFC 7208 4.6.4 */

struct spf {
    struct dns *dns;
    usec deadline;
    struct arena *arena;
    const char *address; /* of the server that sends */
    /* Results. */
    struct str record;  /* of the domain itself */
    unsigned lookups;   /* terms that ask DNS */
    struct str why;     /* of SPF_WRONG and SPF_NO_ANSWER */
    struct str matched; /* the term that decided; "" : none did */
};

SUSPENDS enum spf_result spf_check(struct spf *s, struct str domain);
/* The record with a mechanism put in front of its "all", or at the end. In a. */
struct str spf_record_with(struct str record, struct str mechanism, struct arena *a);
/* What it says of all others: '-', '~', '?', '+'; 0: nothing, and no redirect. */
char spf_record_default(struct str record);
