/*
 * How fast fibers are switched: pairs that pass a token through conds (a wait, a wake and a way
 * through the loop's ready queue per switch), starting and ending one, and calls on a worker from
 * one fiber and from fifty. Prints a line for each.
 */
#include "core/fiber.h"
#include "core/loop.h"
#include "core/worker.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 5000000
#define CALLS  100000

struct pair {
    struct loop *loop;
    struct cond cond[2];
    int turn;
    int running;
    long left;
};

struct player {
    struct pair *pair;
    int side;
};

static void play(void *arg)
{
    struct player *p = arg;
    struct pair *pair = p->pair;
    while (pair->left > 0) {
        while (pair->turn != p->side && pair->left > 0)
            cond_wait(&pair->cond[p->side], DEADLINE_NONE, NULL);
        pair->left--;
        pair->turn = !p->side;
        cond_signal(&pair->cond[!p->side]);
    }
    if (--pair->running == 0)
        loop_stop(pair->loop);
}

static long starts_left;

static void start_next(void *arg)
{
    struct loop *l = arg;
    if (--starts_left > 0)
        fiber_start(l, "start", start_next, l);
    else
        loop_stop(l);
}

static long calls_left, callers;

static void nothing(void *arg)
{
    (void)arg;
}

static void call_worker(void *arg)
{
    while (calls_left-- > 0)
        worker_run(WORKER_DISK, nothing, NULL);
    if (--callers == 0)
        loop_stop(arg);
}

static void report(const char *what, long count, usec took)
{
    printf("%-28s %12.0f /s %8.1f ns\n", what, (double)count / ((double)took / USEC_SEC),
           (double)took * 1000 / (double)count);
}

int main(void)
{
    struct err e;
    struct loop *l = loop_new(&e);
    if (!l) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    struct pair pair = {.loop = l, .running = 2, .left = ROUNDS};
    struct player players[2] = {{&pair, 0}, {&pair, 1}};
    fiber_start(l, "left", play, &players[0]);
    fiber_start(l, "right", play, &players[1]);
    struct fiber_stats before, after;
    fiber_get_stats(l, &before);
    usec began = clock_monotonic();
    loop_run(l);
    usec took = clock_monotonic() - began;
    fiber_get_stats(l, &after);
    report("fiber switch", (long)(after.switches - before.switches), took);

    starts_left = ROUNDS;
    fiber_start(l, "start", start_next, l);
    began = clock_monotonic();
    loop_run(l);
    report("fiber start and end", ROUNDS, clock_monotonic() - began);

    for (int n = 1; n <= 50; n += 49) {
        calls_left = CALLS;
        callers = n;
        for (int i = 0; i < n; i++)
            fiber_start(l, "caller", call_worker, l);
        began = clock_monotonic();
        loop_run(l);
        report(n == 1 ? "worker call, 1 fiber" : "worker call, 50 fibers", CALLS,
               clock_monotonic() - began);
    }
    loop_free(l);
    return 0;
}
