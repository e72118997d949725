/*
 * Which policy holds for a domain (RFC 8461 3.3, 5.1). DNS is asked each time: its record has an
 * id, and a new one means that there is a new policy. A policy that is known and has not expired
 * holds as long as no newer one could be fetched, also when DNS has nothing to say any more, or
 * nothing at all: who can suppress an answer must not be able to switch off what the domain has
 * promised. Without one that holds, a domain whose policy cannot be had is as one that has none; it
 * is tried again after some minutes.
 *
 *   mta_sts_policy.c   the texts
 *   mta_sts_table.c    policies in memory
 *   mta_sts_file.c     policies on disk
 *   mta_sts_fetch.c    one HTTPS request
 *   mta_sts_refresh.c  fetching anew before they expire
 */
#include "smtp/mta_sts.h"

#include "core/mem.h"
#include "net/host_list.h"
#include "smtp/mta_sts_internal.h"

#include <stdlib.h>

#define OFFSET(field) offsetof(struct mta_sts_settings, field)

static const struct setting mta_sts_setting_table[] = {
    {"enabled", SETTING_BOOL, OFFSET(enabled), "yes", 0, 0, NULL,
     "Whether the policies that domains publish about TLS of their mail servers (MTA-STS, RFC "
     "8461) "
     "are obeyed."},
    {"https_port", SETTING_NUMBER, OFFSET(https_port), "443", 1, 65535, NULL,
     "Port of the servers that policies are fetched from; another one is of use for tests only."},
    {"timeout", SETTING_DURATION, OFFSET(timeout), "60s", USEC_SEC / 10, 300 * USEC_SEC, NULL,
     "How long fetching a policy may take, while mail for the domain waits."},
    {"refused_networks", SETTING_STRING_LIST, OFFSET(refused_networks),
     "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, "
     "192.168.0.0/16, ::/128, ::1, fc00::/7, fe80::/10",
     0, 0, NULL,
     "Addresses that are not asked for policies, and get no reports of tls_report over HTTPS, "
     "whatever "
     "name leads there: whoever publishes a policy could make this server speak to hosts of your "
     "own network."},
    {0},
};

static bool check(const void *values, struct err *e)
{
    const struct mta_sts_settings *s = values;
    return host_list_check(&s->refused_networks, "refused_networks", e);
}

const struct settings_block mta_sts_settings_block = {
    .name = "mta_sts",
    .help = "Policies of other domains about TLS: docs/transport-security.md.",
    .size = sizeof(struct mta_sts_settings),
    .settings = mta_sts_setting_table,
    .check = check,
};

struct mta_sts *mta_sts_new(const struct mta_sts_settings *s, const struct mta_sts_context *c,
                            struct tls_context *tls)
{
    struct mta_sts *m = MEM_NEW(struct mta_sts);
    m->settings = *s;
    m->context = *c;
    m->dir = mem_dup(c->dir, strlen(c->dir));
    m->tls = tls_context_ref(tls);
    TAILQ_INIT(&m->list);
    return m;
}

SUSPENDS void mta_sts_start(struct mta_sts *m)
{
    mta_sts_load(m);
    mta_sts_begin_passes(m);
}

SUSPENDS void mta_sts_stop(struct mta_sts *m)
{
    m->stopping = true;
    timer_clear(&m->pass_timer);
    if (m->pass)
        fiber_cancel(m->pass);
    while (m->pass)
        cond_wait_certain(&m->pass_ended);
}

void mta_sts_free(struct mta_sts *m)
{
    if (!m)
        return;
    while (!TAILQ_EMPTY(&m->list))
        mta_sts_entry_remove(m, TAILQ_FIRST(&m->list));
    timer_clear(&m->pass_timer);
    tls_context_unref(m->tls);
    free(m->dir);
    free(m);
}

void mta_sts_reload(struct mta_sts *m, const struct mta_sts_settings *s, struct tls_context *tls)
{
    tls_context_unref(m->tls);
    m->settings = *s;
    m->tls = tls_context_ref(tls);
}

size_t mta_sts_count(const struct mta_sts *m)
{
    return m->count;
}

/* --- asking --- */

struct asking {
    struct mta_sts *m;
    struct arena *arena;
    const char *name;
    struct mta_sts_answer *answer;
    struct str id; /* of DNS; p == NULL: it has none */
};

SUSPENDS static void ask_dns(struct asking *x)
{
    struct dns_answer texts;
    struct err e;
    struct str record = arena_printf(x->arena, "_mta-sts.%s", x->name);
    switch (dns_txt_until(x->m->context.dns, record, DEADLINE_NONE, x->arena, &texts, &e)) {
    case DNS_FOUND:
        if (mta_sts_find_id(texts.texts, texts.count, &x->id))
            x->answer->notes =
                arena_printf(x->arena, "DNS has a record with id %.*s", STR_ARG(x->id));
        else
            x->answer->notes = STR("DNS has no valid record for it");
        break;
    case DNS_NOT_FOUND:
        x->answer->notes = STR("DNS has no record for it");
        break;
    case DNS_TEMPFAIL:
        x->answer->notes = arena_str(x->arena, str_from_c(e.text));
        break;
    }
}

static bool is_wanted(const struct asking *x, const struct mta_sts_entry *e)
{
    if (!x->id.p || (mta_sts_entry_holds(e) && str_equal(e->id, x->id)))
        return false;
    bool again = e->tried && str_equal(str_from_c(e->tried_id), x->id);
    return !again || clock_wall() >= e->tried + MTA_STS_BACK_OFF || clock_wall() < e->tried;
}

static void copy_policy(struct asking *x, const struct mta_sts_entry *e)
{
    struct mta_sts_answer *answer = x->answer;
    struct str *mx = arena_array(x->arena, e->policy.mx_count + 1, sizeof(*mx));
    for (size_t i = 0; i < e->policy.mx_count; i++)
        mx[i] = arena_str(x->arena, e->policy.mx[i]);
    answer->found = true;
    answer->policy = e->policy;
    answer->policy.mx = mx;
    answer->id = arena_str(x->arena, e->id);
    answer->fetched = e->fetched;
    answer->expires = mta_sts_entry_expires(e);
}

static void take_answer(struct asking *x)
{
    struct mta_sts_entry *e = mta_sts_entry_find(x->m, x->name);
    if (!e)
        return;
    TAILQ_REMOVE(&x->m->list, e, link);
    TAILQ_INSERT_TAIL(&x->m->list, e, link);
    e->used = clock_wall();
    x->answer->problem = e->problem;
    if (e->problem != MTA_STS_FINE)
        x->answer->why = arena_str(x->arena, str_from_c(e->error.text));
    if (mta_sts_entry_holds(e))
        copy_policy(x, e);
}

/* The least recently used goes, with its file. */
SUSPENDS static void make_room(struct mta_sts *m, struct arena *a)
{
    struct mta_sts_entry *e;
    if (mta_sts_count(m) < MTA_STS_DOMAINS_MAX)
        return;
    TAILQ_FOREACH(e, &m->list, link)
    if (e->holds == 0)
        break;
    if (!e)
        return;
    const char *name = arena_c(a, e->domain);
    mta_sts_entry_remove(m, e);
    mta_sts_remove_file(m, name);
}

SUSPENDS static void find(struct mta_sts *m, struct str domain, bool anew, struct arena *a,
                          struct mta_sts_answer *answer)
{
    struct asking x = {.m = m, .arena = a, .answer = answer, .name = mta_sts_name(domain, a)};
    *answer = (struct mta_sts_answer){.notes = STR("switched off")};
    if (!m->settings.enabled || m->stopping || !x.name)
        return;
    ask_dns(&x);
    if (x.id.p && !mta_sts_entry_find(m, x.name))
        make_room(m, a);
    struct mta_sts_entry *e = x.id.p ? mta_sts_entry_get(m, x.name) : NULL;
    if (e && !e->used)
        e->used = clock_wall();
    if (e && (anew || is_wanted(&x, e)))
        answer->tried_now = mta_sts_fetch(m, e, x.id);
    take_answer(&x);
}

SUSPENDS void mta_sts_find(struct mta_sts *m, struct str domain, struct arena *a,
                           struct mta_sts_answer *answer)
{
    find(m, domain, false, a, answer);
}

SUSPENDS void mta_sts_refresh(struct mta_sts *m, struct str domain, struct arena *a,
                              struct mta_sts_answer *answer)
{
    find(m, domain, true, a, answer);
}

SUSPENDS static size_t forget_one(struct mta_sts *m, const char *name)
{
    struct mta_sts_entry *e = mta_sts_entry_find(m, name);
    if (!e || e->holds > 0)
        return 0;
    size_t known = e->arena ? 1 : 0;
    mta_sts_entry_remove(m, e);
    if (known)
        mta_sts_remove_file(m, name);
    return known;
}

SUSPENDS size_t mta_sts_forget(struct mta_sts *m, struct str domain)
{
    struct arena *a = arena_new();
    size_t forgotten = 0;
    if (domain.n > 0) {
        const char *name = mta_sts_name(domain, a);
        forgotten = name ? forget_one(m, name) : 0;
    } else {
        size_t count = 0;
        const char **names = arena_array(a, m->count + 1, sizeof(*names));
        const struct mta_sts_entry *e;
        TAILQ_FOREACH(e, &m->list, link)
        names[count++] = arena_c(a, e->domain);
        for (size_t i = 0; i < count; i++)
            forgotten += forget_one(m, names[i]);
    }
    arena_free(a);
    return forgotten;
}
