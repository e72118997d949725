#pragma once
/*
 * mailctl doctor: a table of checks. Each looks at one thing and says what it found, in words, with
 * the record or command that mends it.
 *
 *   doctor.c            the command: which checks, all at the same time, each with a time limit
 *   doctor_checks.c     the table
 *   doctor_print.c      what was found, for people and programs
 *   doctor_ask.c        asking the running server
 *   doctor_*.c, spf.c   the checks
 */
#include "mailctl/dns_records.h"

struct dns;
struct doctor;
struct doctor_job;

enum doctor_verdict { DOCTOR_GOOD, DOCTOR_SKIPPED, DOCTOR_WARN, DOCTOR_BAD };
#define DOCTOR_VERDICTS 4
/* "good" ... */
const char *doctor_verdict_name(enum doctor_verdict v);

struct doctor_finding {
    struct doctor_finding *next;
    enum doctor_verdict verdict;
    struct str subject; /* what it is about: a domain, a file; "" : there is but one thing */
    struct str text;
    struct str mend; /* lines: a record, a command; "" : nothing can be said */
};

/* What a check cannot do without. */
enum { DOCTOR_NEEDS_CONFIG = 1, DOCTOR_NEEDS_SERVER = 2, DOCTOR_NEEDS_DNS = 4 };

struct doctor_check {
    const char *name;
    const char *looks_at; /* "the MX records of the domain" */
    const char *why;      /* a sentence: why it matters */
    unsigned needs;       /* set of DOCTOR_NEEDS_* */
    bool each_domain;     /* run for each domain */
    SUSPENDS void (*run)(struct doctor_job *j);
};
/* The last one has no name. */
extern const struct doctor_check doctor_checks[];

struct doctor_domain {
    const char *name; /* A-labels */
    struct zone_facts facts;
    const struct zone_section *zone; /* as it ought to be */
};

struct doctor_job {
    struct doctor *doctor;
    const struct doctor_check *check;
    const struct doctor_domain *domain; /* NULL: not of a domain */
    usec deadline;
    struct arena *arena; /* its own: a worker may use it while the job waits for it */
    struct doctor_finding *first, *last;
    bool begun, ended;
};

struct doctor {
    struct mailctl *mailctl;
    const struct arguments *arguments;
    struct arena *arena;
    struct loop *loop;
    usec timeout;            /* of a check */
    struct err config_error; /* the configuration cannot be read: no site, no DNS */
    bool configured;
    struct site site;
    struct err server_error; /* the server does not answer: no status */
    json_t *status;          /* as `mailctl --json status`; NULL */
    bool silent;             /* it answered, and then no more */
    struct dns *dns;         /* NULL: see dns_error */
    struct err dns_error;    /* or it does not answer */
    bool dns_dead;
    usec dns_took;            /* the first answer */
    struct http_client *http; /* NULL: as dns */
    struct tls_context *tls;  /* a client's; NULL: no TLS */
    struct doctor_domain *domains;
    size_t domain_count;
    struct doctor_job *jobs;
    size_t job_count;
    bool hangs; /* something does not end: fibers are left */
};

/* --- for checks --- */

void doctor_found(struct doctor_job *j, enum doctor_verdict v, const char *subject,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A line that mends what was found last. */
void doctor_mend(struct doctor_job *j, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The records of a section of the domain's zone. */
void doctor_mend_records(struct doctor_job *j, const char *section);
/* What DNS cannot answer is no fault of the record. */
void doctor_found_no_answer(struct doctor_job *j, const char *subject, const struct err *e);
/* Runs fn(arg) on a worker. */
SUSPENDS void doctor_block(void (*fn)(void *arg), void *arg);
/* "2 errors" and the like are count_of's. Seconds until then, as words, in the arena. */
const char *doctor_days(struct arena *a, int64_t seconds);
enum doctor_verdict doctor_worst(const struct doctor_job *j);

/* --- doctor_server.c --- */

/* Nobody listens at its control socket. */
bool doctor_server_is_down(const struct doctor *d);

/* --- doctor_names.c --- */

/* Addresses that mail comes from: those of the site, or, where they are not known, those that DNS
 * has for the server's name. */
SUSPENDS enum dns_status doctor_find_addresses(struct doctor_job *j, const char *const **list,
                                               size_t *count, struct err *e);
/* False: there are none, or DNS does not answer; that was told. */
SUSPENDS bool doctor_addresses(struct doctor_job *j, const char *const **list, size_t *count);

/* --- doctor_ask.c --- */

/* Takes args. *result is the caller's; items (may be NULL) gets an array of the items. */
SUSPENDS bool doctor_ask(struct doctor *d, const char *verb, json_t *args, usec deadline,
                         json_t **result, json_t **items, struct err *e);

/* The next calls wait no longer than this. */
void doctor_limit(struct stream *s, usec deadline);

/* --- doctor_print.c --- */

void doctor_print(const struct doctor *d, bool problems_only);
void doctor_print_json(const struct doctor *d, bool problems_only);
void doctor_print_checks(bool json);

/* --- the checks --- */

SUSPENDS void doctor_configuration(struct doctor_job *j);
SUSPENDS void doctor_server(struct doctor_job *j);
SUSPENDS void doctor_directory(struct doctor_job *j);
SUSPENDS void doctor_permissions(struct doctor_job *j);
SUSPENDS void doctor_limits(struct doctor_job *j);
SUSPENDS void doctor_clock(struct doctor_job *j);
SUSPENDS void doctor_leftovers(struct doctor_job *j);
SUSPENDS void doctor_disk(struct doctor_job *j);
SUSPENDS void doctor_filesystem(struct doctor_job *j);
SUSPENDS void doctor_sync(struct doctor_job *j);
SUSPENDS void doctor_certificate(struct doctor_job *j);
SUSPENDS void doctor_ports(struct doctor_job *j);
SUSPENDS void doctor_relay(struct doctor_job *j);
SUSPENDS void doctor_resolver(struct doctor_job *j);
SUSPENDS void doctor_hostname(struct doctor_job *j);
SUSPENDS void doctor_ptr(struct doctor_job *j);
SUSPENDS void doctor_blocklists(struct doctor_job *j);
SUSPENDS void doctor_mx(struct doctor_job *j);
SUSPENDS void doctor_spf(struct doctor_job *j);
SUSPENDS void doctor_dkim(struct doctor_job *j);
SUSPENDS void doctor_dmarc(struct doctor_job *j);
SUSPENDS void doctor_mta_sts(struct doctor_job *j);
SUSPENDS void doctor_tls_rpt(struct doctor_job *j);
SUSPENDS void doctor_tlsa(struct doctor_job *j);
SUSPENDS void doctor_srv(struct doctor_job *j);
