/*
 * mailctl doctor. Everything runs in fibers on a loop of its own, so the checks wait for DNS, for
 * servers and for disks at the same time. What all of them need is fetched first: the
 * configuration, the server's status, its domains. Each check has a time limit of its own; one that
 * hangs in a call that nobody can end is told of as such, and the program ends without it.
 *
 * The server need not run: what only it knows is skipped then, and says so. Results come in the
 * order of the table, those of a check by domain, whenever they were found.
 */
#include "mailctl/doctor.h"

#include "core/loop.h"
#include "core/mem.h"
#include "core/worker.h"
#include "mailctl/crew.h"
#include "net/dns_decode.h"
#include "net/http_client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TIMEOUT     (10 * USEC_SEC)
#define PATIENCE    (3 * USEC_SEC) /* for a check that is past its limit */
#define AT_A_TIME   64
#define DOMAINS_MAX 10000
/* Every resolver has an answer for it. */
#define NAME_OF_OTHERS "arpa"
#define DAY_SECONDS    86400
#define HOUR_SECONDS   3600

const char *doctor_verdict_name(enum doctor_verdict v)
{
    static const char *const names[DOCTOR_VERDICTS] = {"good", "skipped", "warn", "bad"};
    return names[v];
}

/* --- what was found --- */

static struct str format_in(struct arena *a, const char *format, va_list args)
{
    struct buf b = BUF_EMPTY;
    buf_vprintf(&b, format, args);
    struct str text = arena_str(a, buf_str(&b));
    buf_free(&b);
    return text;
}

void doctor_found(struct doctor_job *j, enum doctor_verdict v, const char *subject,
                  const char *format, ...)
{
    va_list args;
    struct doctor_finding *f = ARENA_NEW(j->arena, struct doctor_finding);
    f->verdict = v;
    f->subject = arena_str(j->arena, str_from_c(subject));
    f->mend = STR("");
    va_start(args, format);
    f->text = format_in(j->arena, format, args);
    va_end(args);
    if (j->last)
        j->last->next = f;
    else
        j->first = f;
    j->last = f;
}

void doctor_mend(struct doctor_job *j, const char *format, ...)
{
    va_list args;
    struct doctor_finding *f = j->last;
    va_start(args, format);
    struct str line = format_in(j->arena, format, args);
    va_end(args);
    f->mend = f->mend.n > 0 ? arena_printf(j->arena, "%.*s\n%.*s", STR_ARG(f->mend), STR_ARG(line))
                            : line;
}

void doctor_mend_records(struct doctor_job *j, const char *section)
{
    const struct zone_section *s = zone_find(j->domain->zone, section);
    for (const struct zone_record *r = s ? s->records : NULL; r; r = r->next) {
        struct str line = zone_record_line(r, j->arena);
        doctor_mend(j, "%.*s", STR_ARG(line));
    }
}

void doctor_found_no_answer(struct doctor_job *j, const char *subject, const struct err *e)
{
    doctor_found(j, DOCTOR_WARN, subject, "%s", e->text);
}

void doctor_block(void (*fn)(void *arg), void *arg)
{
    worker_run(WORKER_DISK, fn, arg);
}

const char *doctor_days(struct arena *a, int64_t seconds)
{
    if (seconds < 2 * DAY_SECONDS)
        return arena_printf(a, "%lld hours", (long long)(seconds / HOUR_SECONDS)).p;
    return arena_printf(a, "%lld days", (long long)(seconds / DAY_SECONDS)).p;
}

enum doctor_verdict doctor_worst(const struct doctor_job *j)
{
    enum doctor_verdict worst = DOCTOR_GOOD;
    for (const struct doctor_finding *f = j->first; f; f = f->next)
        if (f->verdict > worst)
            worst = f->verdict;
    return worst;
}

/* --- which checks --- */

static bool is_wanted(const struct arguments *a, const struct doctor_check *c)
{
    bool any = false;
    for (size_t i = 0; i < a->option_count; i++) {
        if (strcmp(a->options[i].name, "--only") != 0)
            continue;
        struct str rest = str_from_c(a->options[i].value), name;
        any = true;
        while ((name = str_split(&rest, ',')).p)
            if (str_equal(str_trim(name), str_from_c(c->name)))
                return true;
    }
    return !any;
}

/* Every name given with --only is one. */
static bool check_names(const struct arguments *a)
{
    for (size_t i = 0; i < a->option_count; i++) {
        if (strcmp(a->options[i].name, "--only") != 0)
            continue;
        struct str rest = str_from_c(a->options[i].value), name;
        while ((name = str_trim(str_split(&rest, ','))).p) {
            const struct doctor_check *c = doctor_checks;
            while (c->name && !str_equal(name, str_from_c(c->name)))
                c++;
            if (!c->name) {
                fail_usage("there is no check \"%.*s\": mailctl doctor --list", STR_ARG(name));
                return false;
            }
        }
    }
    return true;
}

static void add_job(struct doctor *d, const struct doctor_check *c, const struct doctor_domain *of)
{
    struct doctor_job *j = &d->jobs[d->job_count++];
    *j = (struct doctor_job){.doctor = d, .check = c, .domain = of, .arena = arena_new()};
}

static void make_jobs(struct doctor *d)
{
    size_t checks = 0;
    while (doctor_checks[checks].name)
        checks++;
    d->jobs = mem_array(checks * (d->domain_count + 1), sizeof(*d->jobs));
    for (const struct doctor_check *c = doctor_checks; c->name; c++) {
        if (!is_wanted(d->arguments, c))
            continue;
        if (!c->each_domain || d->domain_count == 0)
            add_job(d, c, NULL);
        for (size_t i = 0; c->each_domain && i < d->domain_count; i++)
            add_job(d, c, &d->domains[i]);
    }
}

/* --- one check --- */

/* Why it cannot be done; NULL: it can. */
static const char *obstacle(const struct doctor_job *j)
{
    const struct doctor *d = j->doctor;
    unsigned needs = j->check->needs;
    if ((needs & DOCTOR_NEEDS_CONFIG) && !d->configured)
        return "the configuration cannot be read";
    if ((needs & DOCTOR_NEEDS_SERVER) && !d->status)
        return "the server does not answer";
    if ((needs & DOCTOR_NEEDS_DNS) && !d->dns)
        return d->dns_error.text;
    if ((needs & DOCTOR_NEEDS_DNS) && d->dns_dead && j->check->run != doctor_resolver)
        return "DNS does not answer";
    if (j->check->each_domain && !j->domain)
        return "the server has no domain, or does not answer: name one";
    return NULL;
}

static void run_job(void *arg, size_t i)
{
    struct doctor *d = arg;
    struct doctor_job *j = &d->jobs[i];
    const char *why = obstacle(j);
    j->begun = true;
    j->deadline = deadline_in(d->timeout);
    if (why)
        doctor_found(j, DOCTOR_SKIPPED, j->domain ? j->domain->name : "", "%s", why);
    else
        j->check->run(j);
    j->ended = true;
}

static void run_jobs(struct doctor *d)
{
    usec limit = (d->timeout + PATIENCE) * (usec)(1 + d->job_count / AT_A_TIME);
    if (crew_run(d->loop, d->job_count, AT_A_TIME, run_job, d, deadline_in(limit)))
        return;
    d->hangs = true;
    for (size_t i = 0; i < d->job_count; i++) {
        struct doctor_job *j = &d->jobs[i];
        if (j->ended)
            continue;
        if (j->begun)
            j->arena = arena_new(); /* the old one is in use */
        j->first = j->last = NULL;
        doctor_found(j, DOCTOR_BAD, j->domain ? j->domain->name : "",
                     j->begun ? "this check hangs: a disk or a server neither does its work nor "
                                "says that it cannot"
                              : "there was no time for this check");
    }
}

/* --- what all need --- */

/* DNS waits no longer than a check may. */
static void open_dns(struct doctor *d)
{
    struct dns_settings s =
        *(const struct dns_settings *)config_block(d->site.config, &dns_settings_block);
    if (s.timeout > d->timeout / 2)
        s.timeout = d->timeout / 2;
    d->dns = dns_new(d->loop, &s, &d->dns_error);
    if (d->dns)
        d->http = http_client_new(d->loop, d->dns);
}

SUSPENDS static bool is_answered(struct doctor *d, const char *name, bool mx)
{
    struct dns_answer answer;
    struct arena *a = arena_new();
    struct err e;
    usec deadline = deadline_in(d->timeout / 2);
    enum dns_status status =
        mx ? dns_mx_until(d->dns, str_from_c(name), deadline, a, &answer, &e)
           : dns_addresses_until(d->dns, str_from_c(name), deadline, a, &answer, &e);
    if (status == DNS_TEMPFAIL && d->dns_error.text[0] == '\0')
        d->dns_error = e;
    arena_free(a);
    return status != DNS_TEMPFAIL;
}

/* When nobody answers, that is told once, and not by each check after its time limit. Of one's own
 * names there may be no answer because their zone is broken: then somebody else's has one. */
SUSPENDS static void try_dns(struct doctor *d)
{
    usec begun = clock_monotonic();
    d->dns_dead = !is_answered(d, d->site.hostname, false) &&
                  !(d->domain_count > 0 && is_answered(d, d->domains[0].name, true)) &&
                  !is_answered(d, NAME_OF_OTHERS, true);
    d->dns_took = clock_monotonic() - begun;
}

/* A server that has fallen silent is asked once more, and not for each of ten thousand domains. */
SUSPENDS static bool ask_for_domain(struct doctor *d, const char *name, json_t **result)
{
    struct err e;
    if (!d->status || d->silent)
        return false;
    bool ok = doctor_ask(d, "domain show", args_of("name", name, NULL, NULL),
                         deadline_in(d->timeout), result, NULL, &e);
    d->silent = !ok && e.kind == ERR_TIMEOUT;
    return ok;
}

SUSPENDS static void add_domain(struct doctor *d, const char *name,
                                const struct zone_facts *of_site)
{
    struct doctor_domain *domain = &d->domains[d->domain_count++];
    json_t *result = NULL;
    domain->name = name;
    domain->facts = *of_site;
    domain->facts.domain = str_from_c(name);
    if (ask_for_domain(d, name, &result)) {
        domain->facts.directory_known = true;
        domain->facts.dkim_selector =
            arena_str(d->arena, str_from_c(text_of(result, "dkim_selector")));
        domain->facts.dkim_record = arena_str(d->arena, str_from_c(text_of(result, "dkim_record")));
    }
    json_decref(result);
    domain->zone = zone_build(&domain->facts, d->arena);
}

SUSPENDS static void list_domains(struct doctor *d)
{
    json_t *result = NULL, *items = NULL;
    const json_t *item;
    const char *name;
    struct zone_facts facts;
    struct err e;
    size_t i, given = d->arguments->count;
    dns_facts_of_site(&d->site, "", &facts);
    if (given == 0 && d->status)
        doctor_ask(d, "domain list", NULL, deadline_in(d->timeout), &result, &items, &e);
    size_t room = given + json_array_size(items);
    d->domains = arena_array(d->arena, room, sizeof(*d->domains));
    for (i = 0; i < given; i++)
        if (dns_query_name(str_from_c(d->arguments->words[i]), d->arena, &name))
            add_domain(d, name, &facts);
    json_array_foreach(items, i, item) if (i < DOMAINS_MAX)
        add_domain(d, arena_c(d->arena, str_from_c(text_of(item, "name"))), &facts);
    json_decref(result);
    json_decref(items);
}

SUSPENDS static void prepare(struct doctor *d)
{
    struct err e;
    const struct tls_settings *tls = config_block(d->site.config, &tls_settings_block);
    json_t *result = NULL;
    if (doctor_ask(d, "status", NULL, deadline_in(d->timeout), &result, NULL, &d->server_error))
        d->status = result;
    d->tls = tls_client_context(tls, &e);
    open_dns(d);
    list_domains(d);
    if (d->dns)
        try_dns(d);
}

static void finish(struct doctor *d)
{
    http_client_free(d->http);
    dns_free(d->dns);
    tls_context_unref(d->tls);
}

static void examine(struct loop *l, void *arg)
{
    struct doctor *d = arg;
    d->loop = l;
    if (d->configured)
        prepare(d);
    make_jobs(d);
    run_jobs(d);
    if (!d->hangs)
        finish(d);
}

/* --- the command --- */

static int tell(struct doctor *d)
{
    bool problems = option(d->arguments, "--problems") != NULL;
    int status = EXIT_OK;
    if (d->mailctl->json)
        doctor_print_json(d, problems);
    else
        doctor_print(d, problems);
    for (size_t i = 0; i < d->job_count; i++)
        if (doctor_worst(&d->jobs[i]) == DOCTOR_BAD)
            status = EXIT_FAILED;
    return status;
}

static bool take_timeout(struct doctor *d)
{
    const char *text = option(d->arguments, "--timeout");
    uint32_t seconds = TIMEOUT / USEC_SEC;
    if (text && (!str_to_u32(str_from_c(text), &seconds) || seconds < 1 || seconds > 600))
        return false;
    d->timeout = seconds * USEC_SEC;
    return true;
}

/* The loop cannot be ended while fibers hang: what was found is told from within. */
static void examine_and_tell(struct loop *l, void *arg)
{
    struct doctor *d = arg;
    examine(l, d);
    if (!d->hangs)
        return;
    int status = tell(d);
    fflush(stdout);
    _exit(status);
}

/* Every domain that is named can be one. */
static bool check_domains(const struct arguments *a, struct arena *arena)
{
    const char *name;
    for (size_t i = 0; i < a->count; i++)
        if (!dns_query_name(str_from_c(a->words[i]), arena, &name)) {
            fail_usage("%s: no such domain is possible", a->words[i]);
            return false;
        }
    return true;
}

int command_doctor(struct mailctl *m, const struct arguments *a)
{
    struct err e;
    struct doctor d = {.mailctl = m, .arguments = a, .arena = m->arena};
    if (option(a, "--list")) {
        doctor_print_checks(m->json);
        return EXIT_OK;
    }
    if (!take_timeout(&d))
        return fail_usage("--timeout %s: expected seconds, 1 to 600", option(a, "--timeout"));
    if (!check_names(a) || !check_domains(a, m->arena))
        return EXIT_USAGE;
    d.configured = mailctl_settings(m, &d.config_error);
    if (d.configured && !site_load(m, a, &d.site, &e))
        return fail_error(&e);
    if (!with_loop(examine_and_tell, &d, &e))
        return fail_error(&e);
    int status = tell(&d);
    for (size_t i = 0; i < d.job_count; i++)
        arena_free(d.jobs[i].arena);
    free(d.jobs);
    json_decref(d.status);
    return status;
}
