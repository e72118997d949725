/*
 * What `mailctl stats` looks at again and again: counters, and how much there is now, in one flat
 * object and cheap enough to be asked for many times a second. Who asks makes rates of two answers.
 */
#include "auth/auth.h"
#include "core/journal.h"
#include "core/session_list.h"
#include "ctl/ctl.h"
#include "imap/imap.h"
#include "net/stream.h"
#include "queue/queue.h"

#include <sys/resource.h>
#include <unistd.h>

struct value {
    const char *name;
    uint64_t value;
};

static void set_all(json_t *json, const struct value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_object_set_new(json, values[i].name, json_integer((json_int_t)values[i].value));
}
#define SET_ALL(json, ...)                                                                         \
    set_all(json, (const struct value[]){__VA_ARGS__},                                             \
            sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value))

static uint64_t processor_time(void)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0)
        return 0;
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * USEC_SEC +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void add_mail(json_t *json, const struct ctl_context *c)
{
    struct queue_stats q = {0};
    struct auth_stats a = {0};
    queue_get_stats(c->queue, &q);
    auth_get_stats(c->auth, &a);
    SET_ALL(json, {"accepted", q.accepted}, {"delivered_local", q.delivered_local},
            {"delivered_remote", q.delivered_remote}, {"deferred", q.deferred},
            {"bounced", q.bounced}, {"logins", a.succeeded}, {"logins_failed", a.failed},
            {"imap_commands", c->imap->commands.count}, {"queue", q.messages},
            {"sending", q.sending}, {"connections_out", q.connections},
            {"sessions", session_list_count(c->sessions)});
}

static void add_ground(json_t *json, const struct ctl_context *c)
{
    struct stream_stats s = {0};
    struct journal_stats j = {0};
    stream_get_stats(c->loop, &s);
    journal_get_stats(c->journal, &j);
    SET_ALL(json, {"bytes_in", s.bytes_in}, {"bytes_out", s.bytes_out},
            {"journal_writes", j.commits.count}, {"journal_write_time", (uint64_t)j.commits.sum},
            {"processor_time", processor_time()});
}

static bool counters(const struct ctl_context *c, const json_t *args, json_t **result,
                     struct err *e)
{
    (void)args, (void)e;
    *result = json_object();
    SET_ALL(*result, {"pid", (uint64_t)getpid()}, {"clock", (uint64_t)clock_monotonic()});
    add_mail(*result, c);
    add_ground(*result, c);
    return true;
}

const struct ctl_verb ctl_counters_verbs[] = {{"counters", CTL_ADMIN, counters}, {0}};
