/*
 * A relay domain of ours has a way of its own, which goes before the relay host of the settings.
 * Any other domain goes the way of all. A domain that has become local (or a sink) since the mail
 * was accepted is not sent anywhere: that would be a loop.
 */
#include "queue/next_hop.h"

struct next_hop next_hop_of(const struct domain *domain)
{
    if (domain_relays_by_mx(domain))
        return (struct next_hop){.kind = NEXT_HOP_MX};
    return (struct next_hop){.kind = NEXT_HOP_HOST, .host = domain->relay};
}

SUSPENDS enum next_hop_answer next_hop_find(struct directory *directory, struct str name,
                                            struct arena *a, struct next_hop *hop, struct err *e)
{
    struct domain domain;
    *hop = (struct next_hop){.kind = NEXT_HOP_DEFAULT};
    switch (directory_find_domain(directory, name, a, &domain, e)) {
    case LOOKUP_TEMPFAIL:
        return NEXT_HOP_LATER;
    case LOOKUP_NOT_FOUND:
        return NEXT_HOP_SEND;
    case LOOKUP_FOUND:
        break;
    }
    if (domain.kind != DOMAIN_RELAY)
        return NEXT_HOP_HERE;
    *hop = next_hop_of(&domain);
    return NEXT_HOP_SEND;
}
