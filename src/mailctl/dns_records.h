#pragma once
/*
 * A domain's zone, and how it compares with what DNS has.
 */
#include "mailctl/certificate.h"
#include "mailctl/site.h"
#include "mailctl/zone.h"
#include "net/dns.h"
#include "net/tls_expect.h"
#include "queue/queue.h"

/* But for what the server knows of the domain, and whether the host's zone is signed. Blocking. */
void dns_facts_of_site(const struct site *s, const char *domain, struct zone_facts *f);

enum dns_record_state {
    DNS_RECORD_PUBLISHED,
    DNS_RECORD_MISSING,
    DNS_RECORD_OTHER, /* there are other ones of the kind */
    DNS_RECORD_UNKNOWN,
};
const char *dns_state_name(enum dns_record_state state);

#define DNS_CHECK_FOUND_MAX 10
struct dns_check {
    const struct zone_section *section;
    const struct zone_record *record;
    const char *address; /* PTR: of which address */
    enum dns_record_state state;
    struct str found[DNS_CHECK_FOUND_MAX]; /* of the kind */
    size_t found_count;
    struct err error; /* DNS_RECORD_UNKNOWN */
};
SUSPENDS void dns_check_record(struct dns *dns, usec deadline, struct arena *a,
                               struct dns_check *c);
/* That it is so keeps mail from working as it should. */
bool dns_check_fails(const struct dns_check *c);
/* Blanks around the separators of tags make no difference. */
bool dns_same_text(struct str x, struct str y);
