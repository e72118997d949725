/*
 * The load. Twice a second six numbers are taken, none of which costs more than a look: the delay
 * of the very timer that takes them, jobs waiting for the disk's threads, the time of the journal's
 * writes, the sessions of strangers, and whether memory or disk are short. The highest level that
 * one of them reaches counts, at once; a lower one when for LOAD_CALM none was above three quarters
 * of its limit, so that the level does not flutter.
 *
 * Delay and commit time are smoothed: one pause (a disk that woke up, a machine that was suspended)
 * is no load.
 */
#include "core/load.h"

#include "core/journal.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/session_list.h"
#include "core/worker.h"

#include <stdlib.h>

#define SPACE_INTERVAL       (10 * USEC_SEC)
#define STRANGERS_BUSY(most) ((most) - (most) / 4)

struct load {
    struct load_judge judge;
    struct session_list *sessions;
    struct journal *journal;
    struct timer timer;
    usec due; /* when the timer was to fire */
    usec space_looked;
    usec since, began; /* of the level, clock_wall; of pressure, clock_monotonic */
    void (*pressure)(void *arg);
    void *arg;
};

/* --- judging --- */

void load_judge_init(struct load_judge *j)
{
    *j = (struct load_judge){.limits = {
                                 [LOAD_STRANGERS] = {"strangers", "connections", 0, 0},
                                 [LOAD_LOOP_DELAY] = {"loop_delay", "ms", 200, 1000},
                                 [LOAD_DISK_JOBS] = {"disk_jobs", "jobs", 2000, 10000},
                                 [LOAD_COMMIT] = {"commit_time", "ms", 500, 3000},
                                 [LOAD_MEMORY] = {"memory_short", "", 0, 1},
                                 [LOAD_DISK] = {"disk_short", "", 0, 1},
                             }};
}

static bool reaches(uint64_t value, uint64_t limit)
{
    return limit > 0 && value >= limit;
}

/* The highest level, by the limits or by three quarters of them. */
static enum load_level level_of(const struct load_judge *j, bool lowered, enum load_measure *reason)
{
    enum load_level level = LOAD_NORMAL;
    for (int i = 0; i < LOAD_MEASURES; i++) {
        uint64_t busy = j->limits[i].busy, overloaded = j->limits[i].overloaded;
        if (lowered) {
            busy -= busy / 4;
            overloaded -= overloaded / 4;
        }
        enum load_level this = reaches(j->values[i], overloaded) ? LOAD_OVERLOADED
                               : reaches(j->values[i], busy)     ? LOAD_BUSY
                                                                 : LOAD_NORMAL;
        if (this > level) {
            level = this;
            *reason = (enum load_measure)i;
        }
    }
    return level;
}

bool load_judge_again(struct load_judge *j, usec now)
{
    enum load_measure reason = j->reason;
    enum load_level wanted = level_of(j, false, &reason);
    if (wanted > j->level) {
        j->level = wanted;
        j->reason = reason;
        j->calm = 0;
        return true;
    }
    enum load_level held = level_of(j, true, &reason);
    if (held >= j->level) {
        j->calm = 0;
        return false;
    }
    if (j->calm == 0)
        j->calm = now;
    if (now - j->calm < LOAD_CALM)
        return false;
    j->level = held;
    j->reason = reason;
    j->calm = 0;
    return true;
}

const char *load_level_name(enum load_level level)
{
    static const char *const names[] = {"normal", "busy", "overloaded"};
    return names[level];
}

/* --- measuring --- */

static uint64_t smooth(uint64_t before, uint64_t now)
{
    return (3 * before + now) / 4;
}

static uint64_t to_ms(usec t)
{
    return t > 0 ? (uint64_t)(t / USEC_MSEC) : 0;
}

static void measure_journal(struct load *l, usec now)
{
    uint64_t *values = l->judge.values;
    struct journal_stats stats;
    if (!l->journal)
        return;
    journal_get_stats(l->journal, &stats);
    values[LOAD_COMMIT] = smooth(values[LOAD_COMMIT], to_ms(stats.commit_time));
    if (values[LOAD_DISK] || now - l->space_looked >= SPACE_INTERVAL) {
        l->space_looked = now;
        values[LOAD_DISK] = journal_space_is_short(l->journal);
    }
}

static void measure(struct load *l, usec now)
{
    uint64_t *values = l->judge.values;
    size_t most = session_list_strangers_max(l->sessions);
    values[LOAD_LOOP_DELAY] = smooth(values[LOAD_LOOP_DELAY], to_ms(now - l->due));
    values[LOAD_DISK_JOBS] = worker_backlog(WORKER_DISK);
    values[LOAD_STRANGERS] = session_list_strangers(l->sessions);
    l->judge.limits[LOAD_STRANGERS].busy = STRANGERS_BUSY(most);
    values[LOAD_MEMORY] = mem_is_short();
    measure_journal(l, now);
}

static void tell_change(struct load *l, usec now)
{
    const struct load_judge *j = &l->judge;
    const struct load_limit *limit = &j->limits[j->reason];
    l->since = clock_wall();
    if (j->level == LOAD_NORMAL) {
        log_info("maild", NULL, "load: normal again after %lld s; strangers turned away: %llu",
                 (long long)((now - l->began) / USEC_SEC),
                 (unsigned long long)session_list_shed_count(l->sessions));
        return;
    }
    log_warning("maild", NULL, "load: %s: %s=%llu%s%s (from %llu); strangers on port 25 %s",
                load_level_name(j->level), limit->name, (unsigned long long)j->values[j->reason],
                limit->unit[0] ? " " : "", limit->unit,
                (unsigned long long)(j->level == LOAD_BUSY ? limit->busy : limit->overloaded),
                j->level == LOAD_BUSY ? "get less time" : "are turned away");
}

static void tick(void *arg)
{
    struct load *l = arg;
    usec now = clock_monotonic();
    enum load_level before = l->judge.level;
    measure(l, now);
    if (load_judge_again(&l->judge, now)) {
        if (before == LOAD_NORMAL)
            l->began = now;
        session_list_shed(l->sessions, l->judge.level == LOAD_OVERLOADED);
        tell_change(l, now);
    }
    l->due = now + LOAD_INTERVAL;
    timer_set(&l->timer, l->due, tick, l);
    if (l->judge.level > LOAD_NORMAL && l->pressure)
        l->pressure(l->arg);
}

struct load *load_new(struct session_list *sessions, struct journal *journal)
{
    struct load *l = MEM_NEW(struct load);
    load_judge_init(&l->judge);
    l->sessions = sessions;
    l->journal = journal;
    l->due = deadline_in(LOAD_INTERVAL);
    timer_set(&l->timer, l->due, tick, l);
    return l;
}

void load_free(struct load *l)
{
    if (!l)
        return;
    timer_clear(&l->timer);
    free(l);
}

void load_on_pressure(struct load *l, void (*fn)(void *arg), void *arg)
{
    l->pressure = fn;
    l->arg = arg;
}

enum load_level load_level(const struct load *l)
{
    return l ? l->judge.level : LOAD_NORMAL;
}

bool load_is_working_hard(const struct load *l)
{
    return load_level(l) > LOAD_NORMAL && l->judge.reason != LOAD_STRANGERS;
}

void load_get_info(const struct load *l, struct load_info *info)
{
    *info = (struct load_info){
        .judge = &l->judge, .since = l->since, .refused = session_list_shed_count(l->sessions)};
}
