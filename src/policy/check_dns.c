/*
 * What DNS says: lists of clients and domains (dns_list), and whether there can be mail for the
 * sender (sender_domain; RFC 5321 5.1: an MX, or else an address; RFC 7505: a null MX says that
 * there is none). A failure of DNS is never a reason to refuse, only to defer where the rule says
 * so.
 */
#include "auth/directory.h"
#include "net/dns.h"
#include "policy/state.h"

enum policy_result policy_dns_failed(struct policy_call *c, const char *why)
{
    policy_why(c, "%s", why);
    if (c->rule->settings->dns_failure != RULE_DNS_FAILURE_DEFER)
        return POLICY_UNKNOWN;
    c->has_action = true;
    c->action = POLICY_DEFER;
    c->code = 451;
    c->text = STR("DNS does not answer, please try again later: {why}");
    return POLICY_MATCH;
}

/* --- dns_list --- */

struct dns_list_rule {
    struct dns_list *lists;
    size_t count;
};

bool check_dns_list_prepare(struct policy_rule *rule, struct arena *a, struct err *e)
{
    const struct string_list *texts = &rule->settings->lists;
    struct dns_list_rule *data = ARENA_NEW(a, struct dns_list_rule);
    data->lists = arena_array(a, texts->count, sizeof(*data->lists));
    for (; data->count < texts->count; data->count++)
        if (!dns_list_parse(str_from_c(texts->items[data->count]), a, &data->lists[data->count], e))
            return err_prefix(e, "lists");
    rule->data = data;
    return true;
}

static struct str domain_of(struct str address)
{
    ptrdiff_t at = str_find_last_char(address, '@');
    return at < 0 ? STR("") : str_skip(address, (size_t)at + 1);
}

/* What is looked up; "" : there is nothing. */
static SUSPENDS struct str subject_of(struct policy_call *c)
{
    struct str name;
    switch (c->rule->settings->lookup) {
    case RULE_LOOKUP_NAME:
        return policy_client_name(c, &name) == CLIENT_NAME_CONFIRMED ? name : STR("");
    case RULE_LOOKUP_HELO:
        return c->facts->helo.p ? c->facts->helo : STR("");
    case RULE_LOOKUP_SENDER:
        return domain_of(c->facts->sender);
    default:
        return str_from_c(c->facts->address);
    }
}

/* The list's own words, asked for once a connection. */
static SUSPENDS struct str reason_of(struct policy_call *c, struct str zone, usec deadline)
{
    struct policy_memo *m = &c->session->memo;
    if (c->rule->settings->lookup != RULE_LOOKUP_CLIENT)
        return STR("");
    if (!str_equal(m->list_reason_zone, zone)) {
        m->list_reason = dns_lists_reason(c->policy->context.dns, c->facts->address, zone, deadline,
                                          c->session->arena);
        m->list_reason_zone = arena_str(c->session->arena, zone);
    }
    return m->list_reason;
}

enum policy_result check_dns_list(struct policy_call *c)
{
    const struct rule_settings *s = c->rule->settings;
    const struct dns_list_rule *data = c->rule->data;
    struct policy_state *state = c->policy->state;
    struct dns_list_result r;
    usec deadline = deadline_in(s->timeout);
    struct str subject = subject_of(c);
    bool ok = s->lookup == RULE_LOOKUP_CLIENT
                  ? dns_lists_ask(state->lists, c->policy->context.dns, c->facts->address,
                                  data->lists, data->count, deadline, c->arena, &r)
                  : dns_lists_ask_name(state->lists, c->policy->context.dns, subject, data->lists,
                                       data->count, deadline, c->arena, &r);
    if (!ok)
        return POLICY_NO_MATCH;
    if (r.score < s->threshold) {
        if (r.zones.n > 0 || r.failed > 0)
            policy_why(c, "score %d: %.*s%s%zu without an answer", r.score, STR_ARG(r.zones),
                       r.zones.n ? ", " : "", r.failed);
        return r.failed > 0 && r.zones.n == 0 ? POLICY_UNKNOWN : POLICY_NO_MATCH;
    }
    struct str reason = reason_of(c, r.listed, deadline);
    policy_why(c, "%.*s is listed, score %d: %.*s%s%.*s", STR_ARG(subject), r.score,
               STR_ARG(r.zones), reason.n ? "; " : "", STR_ARG(reason));
    return POLICY_MATCH;
}

/* --- sender_domain --- */

static enum policy_result has_no_addresses(struct policy_call *c, struct str domain, usec deadline,
                                           struct err *e)
{
    struct dns_answer answer;
    switch (dns_addresses_until(c->policy->context.dns, domain, deadline, c->arena, &answer, e)) {
    case DNS_FOUND:
        return POLICY_NO_MATCH;
    case DNS_NOT_FOUND:
        policy_why(c, "%.*s has neither MX nor address", STR_ARG(domain));
        return POLICY_MATCH;
    case DNS_TEMPFAIL:
        break;
    }
    return policy_dns_failed(c, e->text);
}

static enum policy_result has_no_mail(struct policy_call *c, struct str domain)
{
    struct dns_answer answer;
    struct err e;
    usec deadline = deadline_in(c->rule->settings->timeout);
    switch (dns_mx_until(c->policy->context.dns, domain, deadline, c->arena, &answer, &e)) {
    case DNS_FOUND:
        if (answer.count != 1 || answer.mx[0].host.n > 0)
            return POLICY_NO_MATCH;
        policy_why(c, "%.*s says that it has no mail (null MX)", STR_ARG(domain));
        return POLICY_MATCH;
    case DNS_NOT_FOUND:
        return has_no_addresses(c, domain, deadline, &e);
    case DNS_TEMPFAIL:
        break;
    }
    return policy_dns_failed(c, e.text);
}

enum policy_result check_sender_domain(struct policy_call *c)
{
    struct str domain = domain_of(c->facts->sender);
    struct domain ours;
    struct err e;
    if (domain.n == 0 || domain.p[0] == '[')
        return POLICY_NO_MATCH;
    if (directory_find_domain(c->policy->context.directory, domain, c->arena, &ours, &e) ==
        LOOKUP_FOUND)
        return POLICY_NO_MATCH;
    return has_no_mail(c, domain);
}
