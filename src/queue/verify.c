/*
 * Verification of recipients in relay domains: does the domain's own server take them? Otherwise
 * mail for addresses that do not exist would be accepted here, refused there, and a report sent to
 * a sender who is most likely forged.
 *
 * What a server said holds for a while, a "yes" longer than a "no". Shortly before, when somebody
 * names the address again, the server is asked anew in the background. When it cannot be asked, an
 * old "yes" goes on to hold; of an address nobody has asked for before nothing is known, and the
 * sender has to try later. An old "no" does not hold on: the address may have been made meanwhile.
 *
 * A server that takes any address (many check later, or never) is found out once a day with a name
 * that nobody has; then it is not asked for anything else.
 *
 * What is known is kept in a file, written now and then and at the end: after a restart nothing has
 * to be asked again, and known recipients get their mail also when their server is down just then.
 * Losing the file costs questions only, so it is not in the journal.
 *
 *   verify_table.c  what is known, bounded
 *   verify_ask.c    connections and questions
 *   verify_file.c   the file
 *   smtp/client_probe.c  says it in SMTP
 */
#include "core/log.h"
#include "core/mem.h"
#include "queue/verify_internal.h"

#include <assert.h>
#include <stdlib.h>

#define OFFSET(field) offsetof(struct verify_settings, field)
#define HOUR          (3600 * USEC_SEC)
#define DAY           (24 * HOUR)

static const struct setting verify_setting_table[] = {
    {"timeout", SETTING_DURATION, OFFSET(timeout), "6s", USEC_MSEC, 300 * USEC_SEC, NULL,
     "How long the reply to RCPT waits for the answer of the domain's server. After that the "
     "sender "
     "is asked to try later, and the question goes on."},
    {"positive_lifetime", SETTING_DURATION, OFFSET(positive_lifetime), "7d", USEC_SEC, 365 * DAY,
     NULL, "How long an address is known to exist."},
    {"positive_refresh", SETTING_DURATION, OFFSET(positive_refresh), "1d", USEC_SEC, 365 * DAY,
     NULL, "After this time the server is asked again when the address is named, without waiting."},
    {"negative_lifetime", SETTING_DURATION, OFFSET(negative_lifetime), "2h", USEC_SEC, 365 * DAY,
     NULL, "How long an address is known not to exist."},
    {"negative_refresh", SETTING_DURATION, OFFSET(negative_refresh), "10m", USEC_SEC, 365 * DAY,
     NULL, "After this time the server is asked again when the address is named, without waiting."},
    {"accept_all_refresh", SETTING_DURATION, OFFSET(accept_all_refresh), "1d", USEC_SEC, 365 * DAY,
     NULL, "How often it is tried whether a server takes any address."},
    {"entries_max", SETTING_NUMBER, OFFSET(entries_max), "20000", 100, 10000000, NULL,
     "Addresses that are remembered, about 300 bytes each."},
    {"connections", SETTING_NUMBER, OFFSET(connections), "2", 1, 100, NULL,
     "Connections at a time to the servers of one domain, for such questions."},
    {"sender", SETTING_STRING, OFFSET(sender), "", 0, 0, NULL,
     "Sender in the questions, for servers that refuse the null sender. Empty: the null sender."},
    {0},
};

static bool check_settings(const void *values, struct err *e)
{
    const struct verify_settings *s = values;
    struct arena *a = arena_new();
    struct address sender;
    const char *reason = NULL;
    bool ok = address_parse(a, str_from_c(s->sender), ADDRESS_NULL, &sender, &reason);
    arena_free(a);
    return ok || err_set(e, ERR_SYNTAX, "sender \"%s\": %s", s->sender, reason);
}

const struct settings_block verify_settings_block = {
    .name = "verify",
    .help = "Asking the servers of relay domains whether recipients exist.",
    .size = sizeof(struct verify_settings),
    .settings = verify_setting_table,
    .check = check_settings,
};

/* --- life --- */

struct verify *verify_new(struct queue *q, const struct verify_settings *s)
{
    struct verify *v = MEM_NEW(struct verify);
    v->queue = q;
    v->file = (struct kept_file){.form = &verify_file_form, .arg = v};
    verify_entries_init(v, (size_t)s->entries_max);
    link_init(&v->connections);
    verify_reload(v, s);
    q->verify = v;
    return v;
}

void verify_reload(struct verify *v, const struct verify_settings *s)
{
    arena_free(v->strings);
    v->strings = arena_new();
    v->settings = *s;
    lru_set_max(v->entries, (size_t)s->entries_max);
    v->settings.sender = arena_c(v->strings, str_from_c(s->sender));
}

SUSPENDS void verify_stop(struct verify *v)
{
    v->stopping = true;
    verify_ask_stop(v);
    kept_file_close(&v->file);
}

void verify_free(struct verify *v)
{
    assert(link_is_empty(&v->connections));
    v->queue->verify = NULL;
    verify_entries_free(v);
    while (v->servers) {
        struct verify_server *s = v->servers;
        v->servers = s->next;
        free((char *)s->words.p);
        free(s->name);
        free(s);
    }
    arena_free(v->strings);
    kept_file_free(&v->file);
    free(v);
}

void queue_set_prober(struct queue *q, SUSPENDS void (*probe)(void *arg, struct probe_job *job),
                      void *arg)
{
    q->probe = probe;
    q->probe_arg = arg;
}

void verify_get_stats(const struct verify *v, struct verify_stats *s)
{
    *s = v->stats;
    s->entries = lru_count(v->entries);
    for (const struct verify_server *server = v->servers; server; server = server->next) {
        s->waiting += server->waiting_count;
        s->connections += server->connections;
    }
}

void queue_get_verify_stats(const struct queue *q, struct verify_stats *s)
{
    *s = (struct verify_stats){.entries = 0};
    if (q->verify)
        verify_get_stats(q->verify, s);
}

/* --- answers --- */

static bool is_fresh(const struct verify_entry *e)
{
    usec now = clock_wall();
    return e->verdict != PROBE_UNKNOWN && e->checked <= now && now < e->expires;
}

static void fill(const struct verify_entry *e, struct arena *a, struct verify_answer *answer)
{
    answer->verdict = e->verdict;
    answer->checked = e->checked;
    answer->status = arena_str(a, str_from_c(e->status));
    answer->text = arena_str(a, e->text);
}

/* Whether the server takes anything. The first one to ask learns it with a question of its own. */
static bool takes_all(struct verify *v, const struct domain *domain, struct str key,
                      struct arena *a, struct verify_answer *answer)
{
    struct verify_entry *e = verify_entry_get(v, key);
    if (!e)
        return false;
    if (!is_fresh(e))
        verify_ask(v, e, domain->name);
    if (e->verdict != PROBE_ACCEPTED)
        return false;
    fill(e, a, answer);
    answer->accepts_all = true;
    return true;
}

/* Until when an answer is waited for: a server that keeps silent is not waited for again and again,
 * by each recipient of a message. */
static usec patience(const struct verify *v, const struct verify_entry *e)
{
    usec timeout = v->settings.timeout, now = clock_monotonic();
    usec silent = now - e->server->progress;
    return now + (silent < timeout ? timeout - silent : 0);
}

SUSPENDS static void wait_for(struct verify *v, struct verify_entry *e, usec until)
{
    struct err error;
    usec patient_until = patience(v, e), deadline = until < patient_until ? until : patient_until;
    e->pins++;
    while (verify_is_asked(e) && clock_monotonic() < deadline &&
           cond_wait(&e->answered, deadline, &error)) {
    }
    e->pins--;
}

/* An old answer is better than none, if it is yes. */
static void fill_unanswered(const struct verify_entry *e, struct arena *a,
                            struct verify_answer *answer)
{
    fill(e, a, answer);
    answer->stale = e->verdict == PROBE_ACCEPTED;
    if (!answer->stale)
        answer->verdict = PROBE_UNKNOWN;
    if (verify_is_asked(e))
        answer->text = STR("no answer yet");
}

SUSPENDS static void decide(struct verify *v, const struct domain *domain, struct str key,
                            usec until, struct arena *a, struct verify_answer *answer)
{
    struct verify_entry *e = verify_entry_get(v, key);
    if (!e) {
        answer->text = STR("too many addresses are being asked for");
        return;
    }
    bool fresh = is_fresh(e);
    if (!fresh || clock_wall() >= e->refresh) {
        bool asked = verify_ask(v, e, domain->name);
        if (asked && !fresh)
            wait_for(v, e, until);
    }
    if (is_fresh(e))
        fill(e, a, answer);
    else
        fill_unanswered(e, a, answer);
}

/* Whether the case of a local part matters is for its server to say (RFC 5321 2.4): it is asked for
 * each spelling, so that a refused one does not stand for another. */
static struct str key_of(struct arena *a, const struct domain *domain, struct str address)
{
    struct str local = str_head(address, (size_t)str_find_last_char(address, '@'));
    return arena_printf(a, "%.*s@%.*s", STR_ARG(local), STR_ARG(domain->name));
}

static struct str key_of_all(struct arena *a, const struct domain *domain)
{
    return arena_printf(a, "@%.*s", STR_ARG(domain->name));
}

SUSPENDS void verify_address(struct verify *v, const struct domain *domain, struct str address,
                             usec until, struct arena *a, struct verify_answer *answer)
{
    *answer = (struct verify_answer){.verdict = PROBE_UNKNOWN, .status = STR(""), .text = STR("")};
    if (!takes_all(v, domain, key_of_all(a, domain), a, answer))
        decide(v, domain, key_of(a, domain, address), until, a, answer);
}

bool verify_begin(struct verify *v, const struct domain *domain, struct str address)
{
    struct arena *a = arena_new();
    struct verify_answer known;
    struct verify_entry *e = takes_all(v, domain, key_of_all(a, domain), a, &known)
                                 ? NULL
                                 : verify_entry_get(v, key_of(a, domain, address));
    bool wanted = e && !verify_is_asked(e) && (!is_fresh(e) || clock_wall() >= e->refresh);
    bool begun = wanted && verify_ask(v, e, domain->name);
    arena_free(a);
    return begun;
}

/* A yes goes on to be one should the server be down. That it takes anything has to be seen again.
 */
void verify_forget(struct verify *v, const struct domain *domain, struct str address)
{
    struct arena *a = arena_new();
    struct verify_entry *all = verify_entry_find(v, key_of_all(a, domain));
    struct verify_entry *e = verify_entry_find(v, key_of(a, domain, address));
    if (all)
        all->verdict = PROBE_UNKNOWN;
    if (e)
        e->expires = e->pause = 0;
    verify_ask_soon(v, domain->name);
    arena_free(a);
}
