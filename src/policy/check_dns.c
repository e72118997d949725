/*
 * What DNS says: lists of clients and domains (dns_list), and whether there can be mail for the
 * sender (sender_domain; RFC 5321 5.1: an MX, or else an address; RFC 7505: a null MX says that
 * there is none). A failure of DNS is never a reason to refuse, only to defer where the rule says
 * so.
 */
#include "auth/directory.h"
#include "mime/address.h"
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
    c->text = STR("Please try again later: {why}");
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
    if (rule->settings->lookup == RULE_LOOKUP_HELO && rule->at < POLICY_HELO)
        return err_set(e, ERR_SYNTAX, "lookup: helo is not known at connect");
    if (rule->settings->lookup == RULE_LOOKUP_SENDER && rule->at < POLICY_MAIL)
        return err_set(e, ERR_SYNTAX, "lookup: sender is not known before mail");
    return true;
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
        return address_domain(c->facts->sender);
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

/* Asked once for all recipients of a message. */
enum sender_mail {
    SENDER_UNASKED,
    SENDER_HAS_MAIL,
    SENDER_HAS_NONE,
    SENDER_NULL_MX,
    SENDER_FAILED
};

static SUSPENDS enum sender_mail ask_addresses(struct dns *d, struct str domain, usec deadline,
                                               struct arena *a, struct err *e)
{
    struct dns_answer answer;
    switch (dns_addresses_until(d, domain, deadline, a, &answer, e)) {
    case DNS_FOUND:
        return SENDER_HAS_MAIL;
    case DNS_NOT_FOUND:
        return SENDER_HAS_NONE;
    default:
        return SENDER_FAILED;
    }
}

static SUSPENDS enum sender_mail ask_mail(struct dns *d, struct str domain, usec deadline,
                                          struct arena *a, struct err *e)
{
    struct dns_answer answer;
    switch (dns_mx_until(d, domain, deadline, a, &answer, e)) {
    case DNS_FOUND:
        return answer.count == 1 && answer.mx[0].host.n == 0 ? SENDER_NULL_MX : SENDER_HAS_MAIL;
    case DNS_NOT_FOUND:
        return ask_addresses(d, domain, deadline, a, e);
    default:
        return SENDER_FAILED;
    }
}

static SUSPENDS enum sender_mail sender_mail(struct policy_call *c, struct str domain)
{
    struct policy_memo *m = &c->session->memo;
    struct arena *a = c->session->arena;
    struct err e = {0};
    if (m->sender_mail != SENDER_UNASKED && str_equal_nocase(m->sender_domain, domain))
        return (enum sender_mail)m->sender_mail;
    m->sender_mail = SENDER_UNASKED;
    enum sender_mail mail = ask_mail(c->policy->context.dns, domain,
                                     deadline_in(c->rule->settings->timeout), c->arena, &e);
    m->sender_domain = arena_str(a, domain);
    m->sender_error = arena_str(a, str_from_c(e.text));
    m->sender_mail = mail;
    return mail;
}

enum policy_result check_sender_domain(struct policy_call *c)
{
    struct str domain = address_domain(c->facts->sender);
    struct domain ours;
    struct err e;
    if (domain.n == 0 || domain.p[0] == '[')
        return POLICY_NO_MATCH;
    if (directory_find_domain(c->policy->context.directory, domain, c->arena, &ours, &e) ==
        LOOKUP_FOUND)
        return POLICY_NO_MATCH;
    switch (sender_mail(c, domain)) {
    case SENDER_HAS_NONE:
        policy_why(c, "%.*s has neither MX nor address", STR_ARG(domain));
        return POLICY_MATCH;
    case SENDER_NULL_MX:
        policy_why(c, "%.*s says that it has no mail (null MX)", STR_ARG(domain));
        return POLICY_MATCH;
    case SENDER_FAILED:
        return policy_dns_failed(c, c->session->memo.sender_error.p);
    default:
        return POLICY_NO_MATCH;
    }
}
