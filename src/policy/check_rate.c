/*
 * How much: what a client, a login or a recipient had within the rule's period (client_rate,
 * login_rate, recipient_rate), and how many connections a client has at a time
 * (client_connections). A rule counts what its stage is about - at connect connections, at mail
 * messages, at rcpt recipients - and what it refuses is not counted, so that the allowed amount
 * gets through however hard somebody tries.
 *
 * A login that reaches its limit may have a stolen password: the postmaster is told, once a day.
 */
#include "core/log.h"
#include "policy/client_network.h"
#include "policy/state.h"

#define TELL_AGAIN (24 * 3600 * USEC_SEC)

static unsigned or_usual(int64_t bits, unsigned usual)
{
    return bits > 0 ? (unsigned)bits : usual;
}

static bool network_key(struct policy_call *c, struct str *network)
{
    const struct rule_settings *s = c->rule->settings;
    return client_network_of(c->facts->address, or_usual(s->ipv4_prefix, 32),
                             or_usual(s->ipv6_prefix, 64), c->arena, network);
}

const char *policy_unit_name(enum policy_stage stage)
{
    switch (stage) {
    case POLICY_CONNECT:
        return "connections";
    case POLICY_HELO:
        return "greetings";
    case POLICY_RCPT:
        return "recipients";
    default:
        return "messages";
    }
}

static struct str duration_text(usec duration, struct arena *a)
{
    int64_t seconds = duration / USEC_SEC;
    if (seconds > 0 && seconds % 86400 == 0)
        return arena_printf(a, "%lldd", (long long)(seconds / 86400));
    if (seconds > 0 && seconds % 3600 == 0)
        return arena_printf(a, "%lldh", (long long)(seconds / 3600));
    if (seconds > 0 && seconds % 60 == 0)
        return arena_printf(a, "%lldm", (long long)(seconds / 60));
    return arena_printf(a, "%llds", (long long)seconds);
}

static enum policy_result count(struct policy_call *c, struct str key)
{
    const struct rule_settings *s = c->rule->settings;
    struct rate_table *t = policy_state_counter(c->policy->state, c->rule);
    usec now = clock_monotonic();
    uint64_t had = rate_count(t, key, s->period, now);
    policy_why(c, "%.*s had %llu of %lld %s in %.*s", STR_ARG(key), (unsigned long long)had,
               (long long)s->limit, policy_unit_name(c->stage),
               STR_ARG(duration_text(s->period, c->arena)));
    if (had >= (uint64_t)s->limit)
        return POLICY_MATCH;
    if (!c->explain)
        rate_add(t, key, s->period, now, 1);
    return POLICY_NO_MATCH;
}

enum policy_result check_client_rate(struct policy_call *c)
{
    struct str network;
    return network_key(c, &network) ? count(c, network) : POLICY_NO_MATCH;
}

enum policy_result check_recipient_rate(struct policy_call *c)
{
    return count(c, arena_lower(c->arena, c->facts->recipient));
}

/* --- login_rate --- */

static void tell_postmaster(struct policy_call *c, struct str login)
{
    const struct rule_settings *s = c->rule->settings;
    struct policy_state *state = c->policy->state;
    usec now = clock_monotonic();
    if (!s->notice || c->explain || rate_count(state->told, login, TELL_AGAIN, now) > 0)
        return;
    rate_add(state->told, login, TELL_AGAIN, now, 1);
    log_warning(c->facts->component, c->facts->id, "sends much suddenly user=<%.*s>",
                STR_ARG(login));
    struct str period = duration_text(s->period, c->arena);
    struct str subject = arena_printf(c->arena, "%.*s sends unusually much mail", STR_ARG(login));
    struct str text = arena_printf(
        c->arena,
        "The login %.*s has reached the limit of the rule \"%s\":\n"
        "%lld %s within %.*s.\n\n"
        "%s\n"
        "Its mail comes from the address %s now.\n\n"
        "If that is not what this user wanted, the password may be in the wrong hands:\n\n"
        "  mailctl user disable %.*s\n"
        "  mailctl user password %.*s\n\n"
        "If it is, raise the limit of the rule. This login will not be reported again within a "
        "day.\n",
        STR_ARG(login), s->name, (long long)s->limit, policy_unit_name(c->stage), STR_ARG(period),
        s->dry_run ? "The rule only tries (dry_run): nothing is held up."
                   : "What exceeds it is not accepted for the time being.",
        c->facts->address, STR_ARG(login), STR_ARG(login));
    policy_notice(state, subject, text);
}

enum policy_result check_login_rate(struct policy_call *c)
{
    if (c->facts->login.n == 0)
        return POLICY_NO_MATCH;
    struct str login = arena_lower(c->arena, c->facts->login);
    enum policy_result result = count(c, login);
    if (result == POLICY_MATCH)
        tell_postmaster(c, login);
    return result;
}

/* --- client_connections --- */

static const struct held_connection *find_held(const struct policy_call *c)
{
    const struct held_connection *h = c->session->memo.held;
    while (h && h->rule != c->rule)
        h = h->next;
    return h;
}

/* This connection counts from now to its end, also when it is one too many: it is open as well. */
static uint64_t hold(struct policy_call *c, struct str key)
{
    struct held_connection *h = ARENA_NEW(c->session->arena, struct held_connection);
    h->rule = c->rule;
    h->count = connection_count_take(c->policy->state->connections, key);
    h->next = c->session->memo.held;
    c->session->memo.held = h;
    return connection_count_value(h->count);
}

enum policy_result check_client_connections(struct policy_call *c)
{
    const struct rule_settings *s = c->rule->settings;
    const struct held_connection *held = find_held(c);
    struct str network;
    uint64_t open;
    if (!network_key(c, &network))
        return POLICY_NO_MATCH;
    struct str key = arena_printf(c->arena, "%s %.*s", s->name, STR_ARG(network));
    if (held)
        open = connection_count_value(held->count);
    else if (c->explain)
        open = connection_count_of(c->policy->state->connections, key) + 1;
    else
        open = hold(c, key);
    policy_why(c, "%.*s has %llu connections, with this one", STR_ARG(network),
               (unsigned long long)open);
    return open > (uint64_t)s->limit ? POLICY_MATCH : POLICY_NO_MATCH;
}
