/*
 * The sender of the envelope, as far as this server alone can judge it: is its domain whole, and
 * does it belong to who has logged in.
 */
#include "auth/directory.h"
#include "mime/address.h"
#include "policy/policy_internal.h"

/* Addresses that lead to addresses that lead to the login. */
#define OWNER_DEPTH_MAX 5
/* Addresses that are looked up for one sender: lists of lists can have any number. */
#define OWNER_LOOKUPS_MAX 1000

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

/* --- does the address belong to the login --- */

struct ownership {
    struct policy_call *call;
    bool exists; /* the address is one of ours */
    bool owned;  /* mail for it goes to the login */
    size_t lookups;
};

/* Nobody's own. */
static SUSPENDS enum lookup find_group(struct ownership *o, struct str address, struct err *e)
{
    struct directory_group group;
    enum lookup result = directory_find_group(o->call->policy->context.directory, address,
                                              o->call->arena, &group, e);
    o->exists |= result == LOOKUP_FOUND;
    return result;
}

static SUSPENDS enum lookup find_owner(struct ownership *o, struct str address, int depth,
                                       struct err *e)
{
    struct directory *d = o->call->policy->context.directory;
    struct arena *a = o->call->arena;
    struct account account;
    struct str *destinations;
    size_t count;
    /* Found under each of its addresses. */
    enum lookup result = directory_find_account(d, address, a, &account, e);
    if (result == LOOKUP_FOUND) {
        o->exists = true;
        o->owned |= str_equal_nocase(account.login, o->call->facts->login);
    }
    if (result != LOOKUP_NOT_FOUND)
        return result;
    result = directory_find_address(d, address, a, &destinations, &count, e);
    if (result == LOOKUP_NOT_FOUND)
        return find_group(o, address, e);
    if (result != LOOKUP_FOUND)
        return result;
    o->exists = true;
    for (size_t i = 0; i < count && !o->owned && depth < OWNER_DEPTH_MAX; i++)
        if (++o->lookups > OWNER_LOOKUPS_MAX)
            return LOOKUP_FOUND;
        else if (find_owner(o, destinations[i], depth + 1, e) == LOOKUP_TEMPFAIL)
            return LOOKUP_TEMPFAIL;
    return LOOKUP_FOUND;
}

enum policy_result check_sender_login(struct policy_call *c)
{
    const struct policy_facts *f = c->facts;
    struct ownership o = {.call = c};
    struct err e;
    if (f->sender.n == 0) /* reports of delivery and reading (RFC 8098) come from nobody */
        return POLICY_NO_MATCH;
    if (f->login.n == 0 && policy_rules_trust(c->session->rules, f->address))
        return POLICY_NO_MATCH;
    if (find_owner(&o, f->sender, 0, &e) == LOOKUP_TEMPFAIL) {
        policy_why(c, "the directory does not answer: %s", e.text);
        c->has_action = true;
        c->action = POLICY_DEFER;
        c->text = STR("The directory does not answer, try again later");
        return POLICY_MATCH;
    }
    if (o.owned || (f->login.n == 0 && !o.exists))
        return POLICY_NO_MATCH;
    if (f->login.n > 0)
        policy_why(c, "<%.*s> does not belong to %.*s", STR_ARG(f->sender), STR_ARG(f->login));
    else
        policy_why(c, "<%.*s> is an address of this server, and nobody has logged in",
                   STR_ARG(f->sender));
    return POLICY_MATCH;
}
