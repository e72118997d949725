/*
 * The name in HELO and EHLO (RFC 5321 4.1.1.1): the client's own domain name, or its address as a
 * literal. Nothing of it is verified here; these checks find names that no honest server has.
 */
#include "auth/directory.h"
#include "mime/address.h"
#include "policy/policy_internal.h"

/* RFC 1123 2.1, with the underscore that many hosts have all the same. */
static bool is_label(struct str label)
{
    if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++) {
        char c = char_lower(label.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

static bool is_host_name(struct str name)
{
    struct str rest = str_ends_with_nocase(name, STR(".")) ? str_head(name, name.n - 1) : name;
    if (name.n > 255)
        return false;
    do {
        if (!is_label(str_split(&rest, '.')))
            return false;
    } while (rest.p);
    return true;
}

/* RFC 5321 4.1.3: [192.0.2.1], [IPv6:2001:db8::1]. */
static bool parse_literal(struct str name, struct network_address *a)
{
    if (name.n < 3 || name.p[0] != '[' || name.p[name.n - 1] != ']')
        return false;
    struct str inside = str_from(name.p + 1, name.n - 2);
    bool v6 = str_starts_with_nocase(inside, STR("IPv6:"));
    return network_address_parse(a, str_skip(inside, v6 ? 5 : 0)) && (v6 || !a->v6);
}

static bool has_letter(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (char_lower(name.p[i]) >= 'a' && char_lower(name.p[i]) <= 'z')
            return true;
    return false;
}

enum policy_result check_helo_syntax(struct policy_call *c)
{
    struct network_address a;
    struct str helo = c->facts->helo;
    if (parse_literal(helo, &a))
        return POLICY_NO_MATCH;
    if (helo.n > 0 && helo.p[0] == '[')
        policy_why(c, "%.*s is no address literal", STR_ARG(helo));
    else if (network_address_parse(&a, helo))
        policy_why(c, "%.*s is an address without brackets", STR_ARG(helo));
    else if (!is_host_name(helo))
        policy_why(c, "%.*s is no host name", STR_ARG(helo));
    else if (!has_letter(helo))
        policy_why(c, "%.*s has no letter", STR_ARG(helo));
    else
        return POLICY_NO_MATCH;
    return POLICY_MATCH;
}

enum policy_result check_helo_not_qualified(struct policy_call *c)
{
    struct str helo = c->facts->helo;
    ptrdiff_t dot = str_find_char(helo, '.');
    if ((helo.n > 0 && helo.p[0] == '[') || (dot > 0 && (size_t)dot + 1 < helo.n))
        return POLICY_NO_MATCH;
    policy_why(c, "%.*s has no domain", STR_ARG(helo));
    return POLICY_MATCH;
}

static enum policy_result is_our_literal(struct policy_call *c, struct str helo)
{
    struct network_address said, ours, theirs;
    const struct policy_facts *f = c->facts;
    if (!parse_literal(helo, &said) || !network_address_parse(&ours, str_from_c(f->local)) ||
        memcmp(&said, &ours, sizeof(said)) != 0)
        return POLICY_NO_MATCH;
    if (network_address_parse(&theirs, str_from_c(f->address)) &&
        memcmp(&said, &theirs, sizeof(said)) == 0)
        return POLICY_NO_MATCH; /* from this machine to itself */
    policy_why(c, "%.*s is the address of this server", STR_ARG(helo));
    return POLICY_MATCH;
}

enum policy_result check_helo_is_ours(struct policy_call *c)
{
    struct str helo = c->facts->helo, name = helo;
    struct domain domain;
    struct err e;
    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;
    if (str_equal_nocase(name, str_from_c(c->policy->context.hostname))) {
        policy_why(c, "%.*s is the name of this server", STR_ARG(helo));
        return POLICY_MATCH;
    }
    if (name.n > 0 && name.p[0] == '[')
        return is_our_literal(c, name);
    if (name.n == 0)
        return POLICY_NO_MATCH;
    switch (directory_find_domain(c->policy->context.directory, name, c->arena, &domain, &e)) {
    case LOOKUP_FOUND:
        policy_why(c, "%.*s is a domain of this server", STR_ARG(helo));
        return POLICY_MATCH;
    case LOOKUP_NOT_FOUND:
        return POLICY_NO_MATCH;
    case LOOKUP_TEMPFAIL:
        break;
    }
    policy_why(c, "the directory does not answer: %s", e.text);
    return POLICY_UNKNOWN;
}
