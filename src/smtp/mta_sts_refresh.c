/*
 * A policy is fetched anew each day as long as mail asks for it (RFC 8461 10.2), so that who could
 * block DNS or HTTPS for an hour does not hit the hour in which it expires. One domain after the
 * other; what is neither asked for nor holds any more is forgotten.
 */
#include "core/mem.h"
#include "smtp/mta_sts_internal.h"

static bool is_due(const struct mta_sts_entry *e)
{
    usec now = clock_wall(), life = (usec)e->policy.max_age * USEC_SEC;
    usec after = life / 2 < MTA_STS_REFRESH_AGE ? life / 2 : MTA_STS_REFRESH_AGE;
    return e->arena && !e->fetching && now >= e->fetched + after &&
           now >= e->tried + MTA_STS_BACK_OFF && now < e->used + MTA_STS_UNUSED_MAX;
}

/* The domain may have given up MTA-STS; then its last policy holds until it expires. */
SUSPENDS static void refresh(struct mta_sts *m, const char *name)
{
    struct arena *a = arena_new();
    struct dns_answer texts;
    struct str id;
    struct err ignored;
    struct str record = arena_printf(a, "_mta-sts.%s", name);
    bool published =
        dns_txt_until(m->context.dns, record, DEADLINE_NONE, a, &texts, &ignored) == DNS_FOUND &&
        mta_sts_find_id(texts.texts, texts.count, &id);
    struct mta_sts_entry *e = mta_sts_entry_find(m, name);
    if (e && published)
        mta_sts_fetch(m, e, id);
    else if (e && mta_sts_entry_holds(e))
        e->tried = clock_wall();
    arena_free(a);
}

static bool is_over(const struct mta_sts_entry *e)
{
    return e->holds == 0 && !mta_sts_entry_holds(e) && clock_wall() >= e->tried + MTA_STS_BACK_OFF;
}

/* The names first: entries come and go while a fiber waits. */
static size_t collect(struct mta_sts *m, bool (*wanted)(const struct mta_sts_entry *e),
                      struct arena *a, const char ***names)
{
    size_t count = 0;
    const struct mta_sts_entry *e;
    *names = arena_array(a, m->count + 1, sizeof(**names));
    TAILQ_FOREACH(e, &m->list, link)
    if (wanted(e))
        (*names)[count++] = arena_c(a, e->domain);
    return count;
}

SUSPENDS void mta_sts_refresh_all(struct mta_sts *m)
{
    struct arena *a = arena_new();
    const char **names;
    size_t count = collect(m, is_due, a, &names);
    for (size_t i = 0; i < count && !m->stopping; i++)
        refresh(m, names[i]);
    count = collect(m, is_over, a, &names);
    for (size_t i = 0; i < count && !m->stopping; i++) {
        struct mta_sts_entry *e = mta_sts_entry_find(m, names[i]);
        bool on_disk = e && e->arena;
        if (e && is_over(e))
            mta_sts_entry_remove(m, e);
        if (on_disk)
            mta_sts_remove_file(m, names[i]);
    }
    arena_free(a);
}

static void set_timer(struct mta_sts *m);

static void pass(void *arg)
{
    struct mta_sts *m = arg;
    if (m->settings.enabled)
        mta_sts_refresh_all(m);
    m->pass = NULL;
    cond_broadcast(&m->pass_ended);
    if (!m->stopping)
        set_timer(m);
}

static void on_timer(void *arg)
{
    struct mta_sts *m = arg;
    m->pass = fiber_start(m->context.loop, "mta-sts refresh", pass, m);
    if (!m->pass)
        set_timer(m);
}

static void set_timer(struct mta_sts *m)
{
    timer_set(&m->pass_timer, deadline_in(MTA_STS_PASS), on_timer, m);
}

void mta_sts_begin_passes(struct mta_sts *m)
{
    set_timer(m);
}
