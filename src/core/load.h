#pragma once
/*
 * How busy the machine is, in three levels, so that those who can wait are put off before those who
 * cannot: who has no business with our users but mail for them is the first to go. What that means
 * is the protocols' own matter; here is only the measuring. Only on the loop's thread.
 */
#include "core/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load;
struct journal;
struct session_list;

enum load_level {
    LOAD_NORMAL,
    LOAD_BUSY,       /* strangers are slowed: less time, fewer errors */
    LOAD_OVERLOADED, /* new ones are turned away */
};

enum load_measure {
    LOAD_STRANGERS,  /* sessions of strangers */
    LOAD_LOOP_DELAY, /* how late the loop is */
    LOAD_DISK_JOBS,  /* that wait for a thread */
    LOAD_COMMIT,     /* how long a write of the journal takes */
    LOAD_MEMORY,     /* short */
    LOAD_DISK,       /* little space left */
    LOAD_MEASURES
};

/* A measure is at a level when its value reaches that limit; 0: it never is. */
struct load_limit {
    const char *name, *unit;
    uint64_t busy, overloaded;
};

/* --- judging: pure --- */

struct load_judge {
    struct load_limit limits[LOAD_MEASURES];
    uint64_t values[LOAD_MEASURES];
    enum load_level level;
    enum load_measure reason; /* of a level above normal */
    usec calm;                /* since when it could be lower; 0: it could not */
};
/* The limits that do not depend on settings. */
void load_judge_init(struct load_judge *j);
/* What the values say now (clock_monotonic). Up at once; down when all of them have been clearly
 * below for LOAD_CALM. True: the level is another one. */
#define LOAD_CALM (10 * USEC_SEC)
bool load_judge_again(struct load_judge *j, usec now);

/* --- of this machine --- */

/* journal may be NULL. Both outlive it. */
struct load *load_new(struct session_list *sessions, struct journal *journal);
/* NULL is allowed, here and below. */
void load_free(struct load *l);
enum load_level load_level(const struct load *l);
/* There is too much to do, not only too many connections. */
bool load_is_working_hard(const struct load *l);
/* fn(arg) is called every LOAD_INTERVAL as long as the level is above normal; NULL: nobody. */
#define LOAD_INTERVAL (USEC_SEC / 2)
void load_on_pressure(struct load *l, void (*fn)(void *arg), void *arg);

struct load_info {
    const struct load_judge *judge;
    usec since;       /* clock_wall of the last change; 0: there was none */
    uint64_t refused; /* strangers turned away since the start */
};
void load_get_info(const struct load *l, struct load_info *info);
const char *load_level_name(enum load_level level);
