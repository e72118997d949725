/*
 * The names of the address are asked for, then the addresses of each name, until one fits. Both are
 * under the control of strangers: only the first few names are looked at, and a deadline holds for
 * all of it. A failure of DNS is never taken for "has no name".
 */
#include "policy/client_name.h"

#include "net/dns.h"
#include "net/network.h"
#include "policy/state_limits.h"

static bool same_address(const char *x, const char *y)
{
    struct network_address a, b;
    return network_address_parse(&a, str_from_c(x)) && network_address_parse(&b, str_from_c(y)) &&
           a.v6 == b.v6 && memcmp(a.bytes, b.bytes, a.v6 ? 16 : 4) == 0;
}

static bool has_address(const struct dns_answer *answer, const char *address)
{
    for (size_t i = 0; i < answer->count; i++)
        if (same_address(answer->addresses[i].text, address))
            return true;
    return false;
}

enum client_name_status client_name_find(struct dns *d, const char *address, usec deadline,
                                         struct arena *a, struct str *name, struct err *e)
{
    struct dns_answer names, addresses;
    bool failed = false;
    *name = STR("");
    enum dns_status status = dns_reverse_until(d, address, deadline, a, &names, e);
    if (status != DNS_FOUND)
        return status == DNS_NOT_FOUND ? CLIENT_NAME_NONE : CLIENT_NAME_UNKNOWN;
    for (size_t i = 0; i < names.count && i < CLIENT_NAMES_MAX; i++) {
        status = dns_addresses_until(d, names.texts[i], deadline, a, &addresses, e);
        failed |= status == DNS_TEMPFAIL;
        if (status == DNS_FOUND && has_address(&addresses, address)) {
            *name = names.texts[i];
            return CLIENT_NAME_CONFIRMED;
        }
    }
    *name = names.texts[0];
    return failed ? CLIENT_NAME_UNKNOWN : CLIENT_NAME_UNCONFIRMED;
}
