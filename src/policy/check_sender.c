/*
 * The sender of the envelope, as far as this server alone can judge it: is its domain whole?
 */
#include "mime/address.h"
#include "policy/policy_internal.h"

enum policy_result check_sender_not_qualified(struct policy_call *c)
{
    struct str sender = c->facts->sender, domain = address_domain(sender);
    ptrdiff_t dot = str_find_char(domain, '.');
    if (sender.n == 0)
        return POLICY_NO_MATCH; /* the null sender has none */
    if (domain.n > 0 && domain.p[0] == '[')
        policy_why(c, "%.*s is an address literal", STR_ARG(domain));
    else if (dot <= 0 || (size_t)dot + 1 == domain.n)
        policy_why(c, "the domain \"%.*s\" is a single word", STR_ARG(domain));
    else
        return POLICY_NO_MATCH;
    return POLICY_MATCH;
}
