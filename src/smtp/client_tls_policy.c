/*
 * One decision for one host, before it is connected to. The order:
 *
 *   a message that does without (TLS-Required: No) is bound by our own rules only
 *   DANE    TLSA records of the host, if the way to them is signed: MX, addresses, the records
 *           themselves (RFC 7672 2.2). What DNS cannot answer, or answers with a wrong signature,
 *           is never taken for "none": the host is passed over.
 *   MTA-STS the policy of the recipients' domain, for hosts without TLSA records that can be used
 *           (RFC 8461 2: it never excuses a failure of DANE)
 *   ours    what the route wants at least, REQUIRETLS
 *
 * Where MX records are not signed and no policy vouches for a host's name, whoever can forge DNS
 * could name a host of his own, with a good certificate: then only one for the domain itself counts
 * as verified.
 */
#include "smtp/client_tls_policy.h"

#include "net/host_port.h"

static const char *const policy_names[] = {"none",   "opportunistic", "encrypt",
                                           "verify", "sts",           "dane"};

const char *client_tls_policy_name(enum client_tls_policy policy)
{
    return policy_names[policy];
}

struct deciding {
    const struct client_tls_question *q;
    struct arena *arena;
    struct client_tls_decision *tls;
    struct client_failure *failure;
};

static bool refuse(struct deciding *x, bool permanent, const char *code, struct str why)
{
    client_failure_set(x->failure, permanent, code, "%s: %.*s", x->q->host, STR_ARG(why));
    return false;
}

/* --- DANE --- */

static void take_records(struct deciding *x, const char *base, const struct dns_answer *answer)
{
    struct client_tls_decision *tls = x->tls;
    size_t count = answer->count < CLIENT_TLSA_MAX ? answer->count : CLIENT_TLSA_MAX;
    size_t usable = tls_usable_records(x->q->tls, answer->tlsa, count);
    tls->dane = usable > 0 ? CLIENT_DANE_FOUND : CLIENT_DANE_UNUSABLE;
    tls->records = answer->tlsa;
    tls->record_count = count;
    const char **names = arena_array(x->arena, 2, sizeof(*names));
    names[0] = base;
    names[1] = arena_c(x->arena, x->q->domain);
    tls->expect.names = names;
    tls->expect.name_count = x->q->by_mx ? 2 : 1;
    tls->expect.sni = base;
}

static void dns_failed(struct deciding *x, const struct dns_answer *answer, const struct err *e)
{
    x->tls->dane = CLIENT_DANE_LATER;
    x->tls->dane_bogus = answer->bogus;
    x->tls->why = arena_str(x->arena, str_from_c(e->text));
}

/* True: the search is over. */
SUSPENDS static bool look_up(struct deciding *x, const char *base)
{
    struct dns_answer answer = {.count = 0};
    struct err e;
    x->tls->dane_name = arena_printf(x->arena, "_%u._tcp.%s", x->q->port, base);
    switch (dns_tlsa_until(x->q->dns, x->tls->dane_name, DEADLINE_NONE, x->arena, &answer, &e)) {
    case DNS_TEMPFAIL:
        dns_failed(x, &answer, &e);
        return true;
    case DNS_NOT_FOUND:
        return false;
    case DNS_FOUND:
        break;
    }
    if (!answer.secure)
        return false;
    take_records(x, base, &answer);
    return true;
}

/* RFC 7672 2.2.2: the alias may be signed though what it stands for is not. */
SUSPENDS static bool alias_is_secure(struct deciding *x)
{
    struct dns_answer answer = {.count = 0};
    struct err e;
    switch (
        dns_alias_until(x->q->dns, str_from_c(x->q->host), DEADLINE_NONE, x->arena, &answer, &e)) {
    case DNS_TEMPFAIL:
        dns_failed(x, &answer, &e);
        return false;
    case DNS_NOT_FOUND:
        return false;
    case DNS_FOUND:
        break;
    }
    return answer.secure;
}

/* The name behind the aliases first, then the one in the MX record (RFC 7672 2.2.3). */
SUSPENDS static void find_records(struct deciding *x)
{
    struct dns_answer answer = {.count = 0};
    struct err e;
    struct str host = str_from_c(x->q->host);
    switch (dns_addresses(x->q->dns, host, x->arena, &answer, &e)) {
    case DNS_TEMPFAIL:
        dns_failed(x, &answer, &e);
        return;
    case DNS_NOT_FOUND:
        return;
    case DNS_FOUND:
        break;
    }
    bool alias = answer.canonical.n > 0 && !str_equal_nocase(answer.canonical, host);
    if (!answer.secure && !(alias && alias_is_secure(x)))
        return;
    if (answer.secure && alias && look_up(x, arena_c(x->arena, answer.canonical)))
        return;
    look_up(x, x->q->host);
}

/* False: the host cannot be used now. */
SUSPENDS static bool decide_dane(struct deciding *x)
{
    struct client_tls_decision *tls = x->tls;
    if (!x->q->tls || !x->q->host_secure || host_is_numeric(str_from_c(x->q->host)))
        return true;
    find_records(x);
    switch (tls->dane) {
    case CLIENT_DANE_ABSENT:
        return true;
    case CLIENT_DANE_LATER:
        return refuse(x, false, tls->dane_bogus ? "4.7.5" : "4.4.3", tls->why);
    case CLIENT_DANE_UNUSABLE:
        tls->policy = CLIENT_TLS_ENCRYPT;
        tls->required = true;
        tls->why = arena_printf(x->arena, "TLSA records at %.*s are of no use for mail",
                                STR_ARG(tls->dane_name));
        return true;
    case CLIENT_DANE_FOUND:
        break;
    }
    tls->policy = CLIENT_TLS_DANE;
    tls->required = true;
    tls->expect.check = TLS_CHECK_DANE;
    tls->expect.tlsa = tls->records;
    tls->expect.tlsa_count = tls->record_count;
    tls->why = arena_printf(x->arena, "TLSA records at %.*s", STR_ARG(tls->dane_name));
    return true;
}

/* --- names --- */

static void expect_names(struct deciding *x, enum client_tls_policy policy, bool host, bool domain)
{
    struct client_tls_decision *tls = x->tls;
    const char **names = arena_array(x->arena, 2, sizeof(*names));
    size_t count = 0;
    if (host)
        names[count++] = x->q->host;
    if (domain)
        names[count++] = arena_c(x->arena, x->q->domain);
    tls->policy = policy;
    tls->required = true;
    tls->expect.check = TLS_CHECK_NAMES;
    tls->expect.names = names;
    tls->expect.name_count = count;
}

/* --- MTA-STS --- */

/* False: the policy does not name the host. */
SUSPENDS static bool decide_sts(struct deciding *x)
{
    struct client_tls_decision *tls = x->tls;
    if (!x->q->sts || !x->q->by_mx)
        return true;
    mta_sts_find(x->q->sts, x->q->domain, x->arena, &tls->sts);
    tls->sts_asked = true;
    if (!tls->sts.found || tls->sts.policy.mode == MTA_STS_NONE)
        return true;
    tls->sts_names_host = mta_sts_policy_allows(&tls->sts.policy, str_from_c(x->q->host));
    tls->why = arena_printf(x->arena, "MTA-STS policy %.*s of %.*s, mode %s", STR_ARG(tls->sts.id),
                            STR_ARG(x->q->domain), mta_sts_mode_name(tls->sts.policy.mode));
    if (tls->sts.policy.mode == MTA_STS_TESTING) {
        tls->testing = true;
        return true;
    }
    expect_names(x, CLIENT_TLS_STS, true, false);
    return tls->sts_names_host ||
           refuse(x, false, "4.7.5",
                  arena_printf(x->arena,
                               "is none of the mail servers that the MTA-STS policy of "
                               "%.*s names",
                               STR_ARG(x->q->domain)));
}

/* --- our own rules --- */

static void at_least_encrypt(struct deciding *x)
{
    if (x->tls->policy < CLIENT_TLS_ENCRYPT)
        x->tls->policy = CLIENT_TLS_ENCRYPT;
    x->tls->required = true;
}

static bool decide_verify(struct deciding *x)
{
    if (x->tls->policy < CLIENT_TLS_VERIFY)
        expect_names(x, CLIENT_TLS_VERIFY, x->q->host_secure, x->q->by_mx);
    return true;
}

/* RFC 8689 4.2.1: somebody must vouch for the host's name. */
static bool decide_require_tls(struct deciding *x)
{
    if (!x->q->host_secure && x->tls->policy != CLIENT_TLS_STS)
        return refuse(x, true, "5.7.10",
                      arena_printf(x->arena,
                                   "neither DNSSEC nor MTA-STS says that it is a mail server of "
                                   "%.*s, which this message requires (REQUIRETLS)",
                                   STR_ARG(x->q->domain)));
    if (x->tls->policy < CLIENT_TLS_VERIFY)
        expect_names(x, CLIENT_TLS_VERIFY, true, false);
    return true;
}

static bool decide_ours(struct deciding *x)
{
    switch (x->q->level) {
    case NEXT_HOP_TLS_NONE:
    case NEXT_HOP_TLS_OPPORTUNISTIC:
        break;
    case NEXT_HOP_TLS_ENCRYPT:
        at_least_encrypt(x);
        break;
    case NEXT_HOP_TLS_VERIFY:
        decide_verify(x);
        break;
    case NEXT_HOP_TLS_DANE:
        if (x->tls->policy != CLIENT_TLS_DANE)
            return refuse(x, false, "4.7.5",
                          x->tls->dane == CLIENT_DANE_UNUSABLE
                              ? x->tls->why
                              : STR("has no TLSA records in signed DNS, which are required here"));
        break;
    }
    return !x->q->require_tls || decide_require_tls(x);
}

/* --- all of it --- */

static void begin(struct deciding *x)
{
    const struct client_tls_question *q = x->q;
    bool numeric = host_is_numeric(str_from_c(q->host));
    const char **names = arena_array(x->arena, 1, sizeof(*names));
    names[0] = q->host;
    *x->tls = (struct client_tls_decision){
        .policy = CLIENT_TLS_OPPORTUNISTIC,
        .expect = {.sni = numeric ? NULL : q->host, .names = names, .name_count = 1},
        .why = q->level == NEXT_HOP_TLS_OPPORTUNISTIC ? STR("nothing is published") : STR("route"),
    };
}

SUSPENDS bool client_tls_decide(const struct client_tls_question *q, struct arena *a,
                                struct client_tls_decision *tls, struct client_failure *f)
{
    struct deciding x = {.q = q, .arena = a, .tls = tls, .failure = f};
    begin(&x);
    if (q->level == NEXT_HOP_TLS_NONE && !q->require_tls) {
        tls->policy = CLIENT_TLS_NONE;
        return true;
    }
    /* What a recipient's domain publishes does not bind this one; our own rule does. */
    bool without = q->tls_optional && q->level != NEXT_HOP_TLS_DANE;
    if (without)
        tls->why = STR("the message does without (TLS-Required: No)");
    if (!without && !decide_dane(&x))
        return false;
    bool found = tls->dane == CLIENT_DANE_FOUND;
    if (!without && !found && !decide_sts(&x))
        return false;
    return decide_ours(&x);
}
