/*
 * The check "greylist" (RFC 6647): greylist.c knows who has been seen.
 */
#include "policy/state.h"

struct greylist_terms policy_greylist_terms(const struct rule_settings *s)
{
    return (struct greylist_terms){
        .delay = s->retry_after,
        .retry_window = s->retry_within,
        .lifetime = s->remember,
        .allow_after = s->allow_after,
        .bits4 = s->ipv4_prefix > 0 ? (unsigned)s->ipv4_prefix : 24,
        .bits6 = s->ipv6_prefix > 0 ? (unsigned)s->ipv6_prefix : 64,
    };
}

bool check_greylist_prepare(struct policy_rule *rule, struct arena *a, struct err *e)
{
    const struct rule_settings *s = rule->settings;
    (void)a;
    return s->retry_within > s->retry_after ||
           err_set(e, ERR_SYNTAX, "retry_within: must be longer than retry_after");
}

enum policy_result check_greylist(struct policy_call *c)
{
    struct greylist_terms terms = policy_greylist_terms(c->rule->settings);
    struct greylist_result r;
    greylist_check(policy_state_greylist(c->policy->state), &terms, c->facts->address,
                   c->facts->sender, c->facts->recipient, c->explain, c->arena, &r);
    policy_why(c, "%.*s", STR_ARG(r.why));
    return r.answer == GREYLIST_WAIT ? POLICY_MATCH : POLICY_NO_MATCH;
}
