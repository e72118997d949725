/*
 * doctor: the records of a domain that decide whether its mail arrives and is believed: MX, SPF,
 * DKIM, DMARC.
 */
#include "mailctl/doctor.h"
#include "mailctl/spf.h"

/* --- MX --- */

/* One of the addresses is this server's, as far as they are known. */
SUSPENDS static bool leads_here(struct doctor_job *j, const struct dns_answer *addresses)
{
    const char *const *own;
    size_t count;
    struct err e;
    if (doctor_find_addresses(j, &own, &count, &e) != DNS_FOUND)
        return false;
    for (size_t i = 0; i < addresses->count; i++)
        for (size_t k = 0; k < count; k++)
            if (strcmp(addresses->addresses[i].text, own[k]) == 0)
                return true;
    return false;
}

/* How a host of the domain's MX is found; *here: it is this server. */
SUSPENDS static void judge_host(struct doctor_job *j, const struct dns_mx *mx, bool *here)
{
    const struct site *s = &j->doctor->site;
    struct dns_answer answer;
    struct err e;
    bool own = str_equal_nocase(mx->host, str_from_c(s->hostname));
    *here = *here || own;
    switch (dns_addresses_until(j->doctor->dns, mx->host, j->deadline, j->arena, &answer, &e)) {
    case DNS_TEMPFAIL:
        doctor_found_no_answer(j, j->domain->name, &e);
        return;
    case DNS_NOT_FOUND:
        doctor_found(j, DOCTOR_BAD, j->domain->name,
                     "%.*s, which the MX record names, has no address", STR_ARG(mx->host));
        if (own)
            doctor_mend_records(j, "address");
        return;
    case DNS_FOUND:
        break;
    }
    *here = *here || leads_here(j, &answer);
    if (answer.canonical.n > 0 && !str_equal_nocase(answer.canonical, mx->host))
        doctor_found(j, DOCTOR_WARN, j->domain->name,
                     "%.*s is an alias (CNAME), which an MX record may not name (RFC 2181 10.3)",
                     STR_ARG(mx->host));
}

SUSPENDS static void judge_hosts(struct doctor_job *j, const struct dns_answer *mx)
{
    bool here = false;
    struct buf names = BUF_EMPTY;
    const struct doctor_finding *before = j->last;
    for (size_t i = 0; i < mx->count; i++) {
        judge_host(j, &mx->mx[i], &here);
        buf_printf(&names, "%s%.*s (%u)", i > 0 ? ", " : "", STR_ARG(mx->mx[i].host),
                   mx->mx[i].preference);
    }
    if (!here) {
        doctor_found(j, DOCTOR_BAD, j->domain->name, "its mail does not come here, but goes to %s",
                     buf_c(&names));
        doctor_mend_records(j, "mx");
    } else if (j->last == before) {
        doctor_found(j, DOCTOR_GOOD, j->domain->name, "its mail comes here: %s", buf_c(&names));
    }
    buf_free(&names);
}

/* Without an MX record the domain's own address takes its place (RFC 5321 5.1). */
SUSPENDS static void judge_no_mx(struct doctor_job *j, bool nxdomain)
{
    const char *domain = j->domain->name;
    struct dns_answer answer;
    struct err e;
    enum dns_status status = nxdomain ? DNS_NOT_FOUND
                                      : dns_addresses_until(j->doctor->dns, str_from_c(domain),
                                                            j->deadline, j->arena, &answer, &e);
    if (nxdomain)
        doctor_found(j, DOCTOR_BAD, domain, "DNS knows no such domain");
    else if (status == DNS_TEMPFAIL)
        doctor_found_no_answer(j, domain, &e);
    else if (status == DNS_NOT_FOUND)
        doctor_found(j, DOCTOR_BAD, domain, "it has no MX record");
    else if (leads_here(j, &answer))
        doctor_found(j, DOCTOR_WARN, domain,
                     "it has no MX record; its mail comes here by its address %s, with which many "
                     "spam filters find fault",
                     answer.addresses[0].text);
    else
        doctor_found(j, DOCTOR_BAD, domain,
                     "it has no MX record, so its mail goes to its address %s, which is not this "
                     "server's",
                     answer.addresses[0].text);
    if (status != DNS_TEMPFAIL)
        doctor_mend_records(j, "mx");
}

void doctor_mx(struct doctor_job *j)
{
    struct dns_answer answer;
    struct err e;
    const char *domain = j->domain->name;
    switch (dns_mx_until(j->doctor->dns, str_from_c(domain), j->deadline, j->arena, &answer, &e)) {
    case DNS_TEMPFAIL:
        doctor_found_no_answer(j, domain, &e);
        return;
    case DNS_NOT_FOUND:
        judge_no_mx(j, answer.nxdomain);
        return;
    case DNS_FOUND:
        break;
    }
    if (answer.mx[0].host.n == 0) {
        doctor_found(j, DOCTOR_BAD, domain, "its MX record says that it takes no mail (RFC 7505)");
        doctor_mend_records(j, "mx");
        return;
    }
    judge_hosts(j, &answer);
}

/* --- SPF --- */

static void judge_record(struct doctor_job *j, struct str record)
{
    switch (spf_record_default(record)) {
    case '+':
        doctor_found(j, DOCTOR_BAD, j->domain->name, "everybody may send in its name: %.*s",
                     STR_ARG(record));
        doctor_mend_records(j, "spf");
        break;
    case '?':
    case 0:
        doctor_found(j, DOCTOR_WARN, j->domain->name,
                     "the record says nothing of other servers: %.*s", STR_ARG(record));
        doctor_mend(j, "end it with -all, or ~all while you are not sure");
        break;
    default:
        break;
    }
}

/* What the record says of one of the addresses. */
struct spf_answer {
    struct spf spf;
    enum spf_result result;
};

static bool is_missing(enum spf_result result)
{
    return result == SPF_FAIL || result == SPF_SOFTFAIL || result == SPF_NEUTRAL;
}

/* One record for all: with two of them a domain has none (RFC 7208 4.5). */
static void mend_spf(struct doctor_job *j, const struct spf_answer *answers, size_t count)
{
    struct str record = answers[0].spf.record;
    for (size_t i = 0; i < count; i++) {
        const char *address = answers[i].spf.address;
        if (is_missing(answers[i].result))
            record = spf_record_with(
                record,
                arena_printf(j->arena, "%s:%s", strchr(address, ':') ? "ip6" : "ip4", address),
                j->arena);
    }
    struct str data = zone_text_data(record, j->arena);
    doctor_mend(j, "%s. %d IN TXT %.*s", j->domain->name, ZONE_TTL, STR_ARG(data));
}

static void judge_spf(struct doctor_job *j, const struct spf_answer *answer)
{
    const struct spf *s = &answer->spf;
    const char *domain = j->domain->name;
    switch (answer->result) {
    case SPF_NONE:
        doctor_found(j, DOCTOR_BAD, domain, "it has no SPF record");
        doctor_mend_records(j, "spf");
        break;
    case SPF_PASS:
        doctor_found(j, DOCTOR_GOOD, domain, "mail from %s passes: %.*s", s->address,
                     STR_ARG(s->record));
        break;
    case SPF_FAIL:
    case SPF_SOFTFAIL:
    case SPF_NEUTRAL:
        doctor_found(j, DOCTOR_BAD, domain, "mail from %s gets \"%s\": %.*s", s->address,
                     spf_result_name(answer->result), STR_ARG(s->record));
        break;
    case SPF_WRONG:
        doctor_found(j, DOCTOR_BAD, domain, "the record is wrong, %.*s", STR_ARG(s->why));
        break;
    case SPF_NO_ANSWER:
        doctor_found(j, DOCTOR_WARN, domain, "%.*s", STR_ARG(s->why));
        break;
    case SPF_UNKNOWN:
        doctor_found(j, DOCTOR_SKIPPED, domain, "the record depends on more than the address: %.*s",
                     STR_ARG(s->record));
        break;
    }
}

static bool has_record(enum spf_result result)
{
    return result != SPF_NONE && result != SPF_WRONG && result != SPF_NO_ANSWER;
}

SUSPENDS static void ask_spf(struct doctor_job *j, const char *address, struct spf_answer *answer)
{
    answer->spf = (struct spf){
        .dns = j->doctor->dns, .deadline = j->deadline, .arena = j->arena, .address = address};
    answer->result = spf_check(&answer->spf, str_from_c(j->domain->name));
}

/* The record, for each of the addresses that mail comes from. */
SUSPENDS static struct str judge_addresses(struct doctor_job *j, const char *const *addresses,
                                           size_t count)
{
    struct spf_answer *answers = arena_array(j->arena, count, sizeof(*answers));
    size_t asked = 0, missing = 0;
    while (asked < count) {
        struct spf_answer *answer = &answers[asked];
        ask_spf(j, addresses[asked++], answer);
        if (is_missing(answer->result))
            missing = asked;
        if (answer->result == SPF_NONE || answer->result == SPF_WRONG)
            break; /* the same for all */
    }
    for (size_t i = 0; i < asked; i++) {
        judge_spf(j, &answers[i]);
        if (i + 1 == missing)
            mend_spf(j, answers, asked);
    }
    return answers[0].spf.record;
}

/* The record by itself, where mail does not come from here, or nobody knows from where. */
SUSPENDS static struct str judge_alone(struct doctor_job *j)
{
    const struct zone_facts *f = &j->domain->facts;
    struct spf_answer answer;
    ask_spf(j, "192.0.2.1", &answer); /* nobody's (RFC 5737) */
    if (!has_record(answer.result))
        judge_spf(j, &answer);
    else if (f->relay.n > 0)
        doctor_found(j, DOCTOR_SKIPPED, j->domain->name,
                     "mail leaves through %.*s, whose addresses are not known here: %.*s",
                     STR_ARG(f->relay), STR_ARG(answer.spf.record));
    return answer.spf.record;
}

void doctor_spf(struct doctor_job *j)
{
    const char *const *addresses;
    size_t count;
    bool leaves_here = j->domain->facts.relay.n == 0;
    struct str record = leaves_here && doctor_addresses(j, &addresses, &count)
                            ? judge_addresses(j, addresses, count)
                            : judge_alone(j);
    if (record.n > 0)
        judge_record(j, record);
}

/* --- DKIM --- */

/* Of a list of tags (RFC 6376 3.2), which DMARC has as well. p NULL: it is not there. */
static struct str tag_of(struct str record, const char *name)
{
    struct str tag, wanted = str_from_c(name);
    while ((tag = str_split(&record, ';')).p) {
        ptrdiff_t equals = str_find_char(tag, '=');
        if (equals > 0 && str_equal_nocase(str_trim(str_head(tag, (size_t)equals)), wanted))
            return str_trim(str_skip(tag, (size_t)equals + 1));
    }
    return (struct str){0};
}

static bool has_no_key(struct str record)
{
    struct str key = tag_of(record, "p");
    return key.p && key.n == 0;
}

static struct str kind_of_key(struct str record)
{
    struct str kind = tag_of(record, "k");
    return kind.n > 0 ? kind : STR("rsa");
}

/* Whatever else the record says (RFC 6376 3.6.1). */
static bool is_same_key(struct str record, struct str own)
{
    struct str version = tag_of(record, "v");
    return (!version.p || str_equal(version, STR("DKIM1"))) &&
           str_equal_nocase(kind_of_key(record), kind_of_key(own)) &&
           dns_same_text(tag_of(record, "p"), tag_of(own, "p"));
}

void doctor_dkim(struct doctor_job *j)
{
    const struct zone_facts *f = &j->domain->facts;
    const char *domain = j->domain->name;
    struct dns_answer answer;
    struct err e;
    if (f->dkim_record.n == 0 || f->dkim_selector.n == 0) {
        doctor_found(j, DOCTOR_SKIPPED, domain, "it has no key here");
        doctor_mend(j, "mailctl dns records %s tells how to make one", domain);
        return;
    }
    struct str name =
        arena_printf(j->arena, "%.*s._domainkey.%s", STR_ARG(f->dkim_selector), domain);
    switch (dns_txt_until(j->doctor->dns, name, j->deadline, j->arena, &answer, &e)) {
    case DNS_TEMPFAIL:
        doctor_found_no_answer(j, domain, &e);
        return;
    case DNS_NOT_FOUND:
        doctor_found(j, DOCTOR_BAD, domain, "its key is not in DNS: %.*s", STR_ARG(name));
        doctor_mend_records(j, "dkim");
        return;
    case DNS_FOUND:
        break;
    }
    for (size_t i = 0; i < answer.count; i++)
        if (is_same_key(answer.texts[i], f->dkim_record)) {
            doctor_found(j, DOCTOR_GOOD, domain, "its key is in DNS: %.*s", STR_ARG(name));
            return;
        }
    doctor_found(j, DOCTOR_BAD, domain, "%.*s has %s", STR_ARG(name),
                 has_no_key(answer.texts[0]) ? "taken the key back (p=)"
                                             : "another key than this server");
    doctor_mend_records(j, "dkim");
}

/* --- DMARC --- */

/* The record at this name: DNS_NOT_FOUND also when what is there is none. */
SUSPENDS static enum dns_status find_dmarc(struct doctor_job *j, struct str domain,
                                           struct str *record, size_t *count, struct err *e)
{
    struct dns_answer answer;
    struct str name = arena_printf(j->arena, "_dmarc.%.*s", STR_ARG(domain));
    enum dns_status status = dns_txt_until(j->doctor->dns, name, j->deadline, j->arena, &answer, e);
    *count = 0;
    for (size_t i = 0; status == DNS_FOUND && i < answer.count; i++)
        if (str_starts_with_nocase(answer.texts[i], STR("v=DMARC1"))) {
            *record = answer.texts[i];
            ++*count;
        }
    return status == DNS_FOUND && *count == 0 ? DNS_NOT_FOUND : status;
}

static void judge_dmarc(struct doctor_job *j, struct str record, struct str at)
{
    const struct zone_facts *f = &j->domain->facts;
    struct str p = tag_of(record, "p"), sp = tag_of(record, "sp");
    bool own = str_equal(at, str_from_c(j->domain->name));
    struct str policy = own || sp.n == 0 ? p : sp;
    bool strict =
        str_equal_nocase(policy, STR("quarantine")) || str_equal_nocase(policy, STR("reject"));
    if (!strict && !str_equal_nocase(policy, STR("none"))) {
        doctor_found(j, DOCTOR_BAD, j->domain->name,
                     "its policy is none of none, quarantine, reject: %.*s", STR_ARG(record));
        doctor_mend_records(j, "dmarc");
    } else if (strict && f->directory_known && f->dkim_record.n == 0) {
        doctor_found(j, DOCTOR_WARN, j->domain->name,
                     "p=%.*s, and no key for DKIM here: mail that somebody forwards fails",
                     STR_ARG(policy));
        doctor_mend(j, "p=none, until mail is signed");
    } else {
        doctor_found(j, DOCTOR_GOOD, j->domain->name, "p=%.*s%s%.*s%s", STR_ARG(policy),
                     own ? "" : ", that of ", own ? 0 : (int)at.n, at.p,
                     tag_of(record, "rua").n > 0 ? "" : "; nobody gets reports (rua)");
    }
}

void doctor_dmarc(struct doctor_job *j)
{
    const char *domain = j->domain->name;
    struct str at = str_from_c(domain), record;
    struct err e;
    size_t count;
    /* Without one of its own the domain has that of one above it (RFC 7489 6.6.3). */
    for (;;) {
        enum dns_status status = find_dmarc(j, at, &record, &count, &e);
        if (status == DNS_TEMPFAIL) {
            doctor_found_no_answer(j, domain, &e);
            return;
        }
        if (status == DNS_FOUND)
            break;
        ptrdiff_t dot = str_find_char(at, '.');
        if (dot < 0 || str_find_char(str_skip(at, (size_t)dot + 1), '.') < 0) {
            doctor_found(j, DOCTOR_WARN, domain, "it has no DMARC record");
            doctor_mend_records(j, "dmarc");
            return;
        }
        at = str_skip(at, (size_t)dot + 1);
    }
    if (count > 1) {
        doctor_found(j, DOCTOR_BAD, domain, "it has %zu DMARC records, so none counts", count);
        return;
    }
    judge_dmarc(j, record, at);
}
