#pragma once
/* The rest of a replaced DNS: nothing is signed, and no policies are published. */
#include "net/dns.h"

static enum dns_status nothing_there(struct dns_answer *answer, struct err *e)
{
    *answer = (struct dns_answer){.nxdomain = true};
    err_set(e, ERR_NOT_FOUND, "no such name");
    return DNS_NOT_FOUND;
}

enum dns_status dns_tlsa_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                               struct dns_answer *answer, struct err *e)
{
    (void)d, (void)name, (void)deadline, (void)a;
    return nothing_there(answer, e);
}

enum dns_status dns_alias_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                                struct dns_answer *answer, struct err *e)
{
    (void)d, (void)name, (void)deadline, (void)a;
    return nothing_there(answer, e);
}

enum dns_status dns_txt_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                              struct dns_answer *answer, struct err *e)
{
    (void)d, (void)name, (void)deadline, (void)a;
    return nothing_there(answer, e);
}

enum dns_status dns_addresses_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                                    struct dns_answer *answer, struct err *e)
{
    (void)d, (void)name, (void)deadline, (void)a;
    return nothing_there(answer, e);
}
