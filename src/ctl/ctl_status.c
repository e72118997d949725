/*
 * The server itself: status, reload, stop. status is one object with a part per folder, so that a
 * program that watches the server finds everything in one place.
 */
#include "ctl/ctl_status.h"

#include "auth/auth.h"
#include "core/crash.h"
#include "core/journal.h"
#include "core/load.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/session_list.h"
#include "core/worker.h"
#include "ctl/ctl_directory.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_watch.h"
#include "net/dns.h"
#include "net/stream.h"
#include "policy/operate.h"
#include "queue/operate.h"
#include "queue/queue.h"
#include "queue/verify.h"
#include "store/store.h"
#include "trace/trace.h"

#include <unistd.h>

static void set(json_t *json, const char *name, uint64_t value)
{
    json_object_set_new(json, name, json_integer((json_int_t)value));
}

struct value {
    const char *name;
    uint64_t value;
};

static void set_all(json_t *json, const struct value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        set(json, values[i].name, values[i].value);
}
#define SET_ALL(json, ...)                                                                         \
    set_all(json, (const struct value[]){__VA_ARGS__},                                             \
            sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value))

static json_t *part(json_t *status, const char *name)
{
    json_t *json = json_object();
    json_object_set_new(status, name, json);
    return json;
}

static void add_sessions(json_t *status, const struct session_list *list)
{
    json_t *json = part(status, "sessions");
    set(json, "total", session_list_count(list));
    const struct session_kind *kind;
    size_t count;
    for (size_t i = 0; (kind = session_list_kind(list, i, &count)); i++)
        if (count > 0)
            set(json, kind->component, count);
}

static void add_load(json_t *status, const struct load *load, const struct session_list *list)
{
    struct load_info info;
    json_t *json = part(status, "load"), *measures = json_array();
    load_get_info(load, &info);
    const struct load_judge *j = info.judge;
    json_object_set_new(json, "level", ctl_json_c(load_level_name(j->level)));
    json_object_set_new(json, "why",
                        ctl_json_c(j->level == LOAD_NORMAL ? "" : j->limits[j->reason].name));
    SET_ALL(json, {"since", (uint64_t)(info.since / USEC_SEC)}, {"turned_away", info.refused},
            {"connections", session_list_count(list)},
            {"connections_max", session_list_total_max(list)},
            {"strangers", session_list_strangers(list)},
            {"strangers_max", session_list_strangers_max(list)});
    for (int i = 0; i < LOAD_MEASURES; i++) {
        json_t *measure = json_object();
        json_object_set_new(measure, "name", ctl_json_c(j->limits[i].name));
        json_object_set_new(measure, "unit", ctl_json_c(j->limits[i].unit));
        SET_ALL(measure, {"value", j->values[i]}, {"busy", j->limits[i].busy},
                {"overloaded", j->limits[i].overloaded});
        json_array_append_new(measures, measure);
    }
    json_object_set_new(json, "measures", measures);
}

static void add_paused(json_t *json, const struct queue *queue)
{
    struct queue_pause_info *list;
    size_t count;
    json_t *paused = json_array();
    struct arena *a = arena_new();
    queue_list_paused(queue, a, &list, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(paused,
                              json_pack("{s:o, s:I, s:o}", "destination", ctl_json_str(list[i].key),
                                        "since", (json_int_t)(list[i].since / USEC_SEC), "by",
                                        ctl_json_str(list[i].by)));
    json_object_set_new(json, "paused", paused);
    arena_free(a);
}

static void add_queue(json_t *status, const struct queue *queue)
{
    struct queue_stats s = {0};
    json_t *json = part(status, "queue");
    queue_get_stats(queue, &s);
    SET_ALL(json, {"messages", s.messages}, {"recipients", s.recipients}, {"sending", s.sending},
            {"connections", s.connections}, {"accepted", s.accepted},
            {"delivered_local", s.delivered_local}, {"delivered_remote", s.delivered_remote},
            {"deferred", s.deferred}, {"bounced", s.bounced}, {"bytes", s.bytes},
            {"damaged_files", s.damaged_files});
    json_object_set_new(json, "soft_bounce", json_boolean(s.soft_bounce));
    add_paused(json, queue);
}

static void add_logins(json_t *status, const struct auth *auth)
{
    struct auth_stats s;
    auth_get_stats(auth, &s);
    SET_ALL(part(status, "logins"), {"succeeded", s.succeeded}, {"failed", s.failed},
            {"deferred", s.deferred});
}

static void add_verify(json_t *status, const struct queue *queue)
{
    struct verify_stats s = {0};
    queue_get_verify_stats(queue, &s);
    SET_ALL(part(status, "verify"), {"addresses", s.entries}, {"waiting", s.waiting},
            {"connections", s.connections}, {"asked", s.asked}, {"accepted", s.accepted},
            {"refused", s.refused}, {"unanswered", s.unanswered});
}

static json_t *crashes_json(const struct crashes *c)
{
    json_t *list = json_array();
    const struct crash *x;
    for (size_t i = 0; (x = crashes_at(c, i)); i++)
        json_array_append_new(list,
                              json_pack("{s:I, s:i, s:s, s:o, s:o, s:b}", "time",
                                        (json_int_t)(x->when / USEC_SEC), "signal", x->signal,
                                        "kind", suspect_kind_name(x->kind), "name",
                                        ctl_json_str(x->name), "part", ctl_json_str(x->part),
                                        "set_aside", crashes_accuse(c, x->kind, x->name, x->part)));
    return list;
}

static void add_store(json_t *status, const struct ctl_context *c)
{
    struct store_stats s = {0};
    struct journal_stats j = {0};
    json_t *json = part(status, "store");
    store_get_stats(c->store, &s);
    SET_ALL(json, {"delivered", s.delivered}, {"appended", s.appended}, {"expunged", s.expunged},
            {"mailboxes_open", s.mailboxes_open}, {"files_pending", s.files_pending});
    json_t *aside = json_array();
    const char *text;
    for (size_t i = 0; (text = store_set_aside(c->store, i)); i++)
        json_array_append_new(aside, ctl_json_c(text));
    json_object_set_new(json, "set_aside", aside);
    json_object_set_new(status, "crashes", crashes_json(c->crashes));
    json = part(status, "journal");
    journal_get_stats(c->journal, &j);
    SET_ALL(json, {"records", j.records}, {"bytes", j.bytes}, {"syncs", j.syncs},
            {"checkpoints", j.checkpoints}, {"segments", j.segments},
            {"segments_free", j.segments_free});
    json_t *damage = json_array();
    for (size_t i = 0; (text = journal_damage(c->journal, i)); i++)
        json_array_append_new(damage, ctl_json_c(text));
    json_object_set_new(json, "damage", damage);
    json_object_set_new(json, "failed", json_boolean(journal_has_failed(c->journal)));
}

/* Mail goes on, but a check cannot do its work. */
static void add_policy_troubles(json_t *json, const struct policy *policy, struct arena *a)
{
    struct policy_silent_list *silent;
    struct greylist_stats greylist;
    size_t count;
    json_t *zones = json_array();
    policy_list_silent(policy, a, &silent, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(zones, ctl_json_str(silent[i].zone));
    json_object_set_new(json, "silent_lists", zones);
    if (policy_greylist_stats(policy, &greylist) && greylist.error[0])
        json_object_set_new(json, "greylist_error", ctl_json_c(greylist.error));
}

static void add_policy(json_t *status, const struct policy *policy)
{
    struct arena *a = arena_new();
    struct policy_rule_info *rules;
    struct policy_table_info *tables;
    size_t rule_count, table_count, dns_lists = 0;
    json_t *json = part(status, "policy"), *wrong = json_array();
    policy_list_rules(policy, a, &rules, &rule_count);
    policy_list_tables(policy, a, &tables, &table_count);
    for (size_t i = 0; i < rule_count; i++)
        dns_lists += rules[i].enabled && strcmp(rules[i].check, "dns_list") == 0;
    SET_ALL(json, {"rules", rule_count}, {"tables", table_count}, {"dns_list_rules", dns_lists});
    for (size_t i = 0; i < table_count; i++)
        if (tables[i].error[0])
            json_array_append_new(
                wrong, json_pack("{s:o, s:o, s:b}", "table", ctl_json_c(tables[i].name), "error",
                                 ctl_json_c(tables[i].error), "in_use", tables[i].loaded > 0));
    json_object_set_new(json, "wrong", wrong);
    add_policy_troubles(json, policy, a);
    arena_free(a);
}

static void add_ground(json_t *status, const struct ctl_context *c)
{
    struct stream_stats s = {0};
    struct fiber_stats f = {0};
    json_t *json = part(status, "connections");
    stream_get_stats(c->loop, &s);
    SET_ALL(json, {"open", s.open}, {"parked", s.parked}, {"tls", s.tls}, {"bytes_in", s.bytes_in},
            {"bytes_out", s.bytes_out});
    json = part(status, "fibers");
    fiber_get_stats(c->loop, &f);
    SET_ALL(json, {"live", f.live}, {"live_high", f.live_high}, {"pooled", f.pooled},
            {"started", f.started}, {"switches", f.switches});
    json = part(status, "workers_waiting");
    SET_ALL(json, {"disk", worker_backlog(WORKER_DISK)}, {"cpu", worker_backlog(WORKER_CPU)},
            {"auth", worker_backlog(WORKER_AUTH)});
}

/* --- over time --- */

static json_t *counts_json(const struct ctl_counts *c)
{
    json_t *json = json_object();
    SET_ALL(json, {"accepted", c->accepted}, {"delivered", c->delivered}, {"deferred", c->deferred},
            {"bounced", c->bounced}, {"logins", c->logins}, {"logins_failed", c->logins_failed});
    return json;
}

static void add_column(json_t *json, const char *name, const struct ctl_minute *minutes,
                       size_t offset)
{
    json_t *column = json_array();
    for (size_t i = 0; i < CTL_MINUTES; i++) {
        const char *counts = (const char *)&minutes[i].counts;
        uint64_t value = *(const uint64_t *)(const void *)(counts + offset);
        json_array_append_new(column,
                              minutes[i].known ? json_integer((json_int_t)value) : json_null());
    }
    json_object_set_new(json, name, column);
}
#define ADD_COLUMN(json, name, minutes)                                                            \
    add_column(json, #name, minutes, offsetof(struct ctl_counts, name))

static void add_rates(json_t *status, struct ctl_watch *watch)
{
    struct ctl_minute minutes[CTL_MINUTES];
    ctl_watch_minutes(watch, minutes);
    struct ctl_counts now = ctl_watch_per_minute(watch);
    json_t *json = part(status, "minutes");
    ADD_COLUMN(json, accepted, minutes);
    ADD_COLUMN(json, delivered, minutes);
    ADD_COLUMN(json, deferred, minutes);
    ADD_COLUMN(json, bounced, minutes);
    ADD_COLUMN(json, logins, minutes);
    ADD_COLUMN(json, logins_failed, minutes);
    json_object_set_new(status, "per_minute", counts_json(&now));
}

static void add_space(json_t *status, const struct ctl_watch *watch)
{
    const struct ctl_space *s;
    json_t *list = json_array();
    for (size_t i = 0; (s = ctl_watch_space(watch, i)); i++) {
        json_t *json = json_object();
        json_object_set_new(json, "path", ctl_json_c(s->path));
        json_object_set_new(json, "known", json_boolean(s->known));
        SET_ALL(json, {"bytes", s->space.bytes}, {"bytes_free", s->space.bytes_free},
                {"inodes", s->space.inodes}, {"inodes_free", s->space.inodes_free});
        json_array_append_new(list, json);
    }
    json_object_set_new(status, "disks", list);
}

/* --- what tells of its own troubles --- */

static json_t *lines_json(struct buf *b)
{
    json_t *list = json_array();
    struct str rest = buf_str(b), line;
    while (rest.n > 0) {
        line = str_split(&rest, '\n');
        json_array_append_new(list, ctl_json_str(line));
    }
    buf_clear(b);
    return list;
}

static void add_troubles(json_t *status, const struct ctl_context *c)
{
    struct buf b = BUF_EMPTY;
    json_t *json = part(status, "troubles");
    log_troubles(&b);
    json_object_set_new(json, "log", lines_json(&b));
    if (c->trace)
        trace_troubles(c->trace, &b);
    json_object_set_new(json, "trace", lines_json(&b));
    if (c->dns)
        dns_troubles(c->dns, &b);
    json_object_set_new(json, "dns", lines_json(&b));
    buf_free(&b);
}

/* --- status --- */

json_t *ctl_status(const struct ctl_context *c)
{
    json_t *json = json_object();
    c->describe(c->arg, json);
    set(json, "pid", (uint64_t)getpid());
    json_object_set_new(json, "data_dir", ctl_json_c(c->data_dir));
    add_space(json, c->watch);
    add_load(json, c->load, c->sessions);
    add_sessions(json, c->sessions);
    add_queue(json, c->queue);
    add_rates(json, c->watch);
    add_logins(json, c->auth);
    add_verify(json, c->queue);
    json_object_set_new(json, "directory", ctl_directory_json(c->directory));
    add_store(json, c);
    add_policy(json, c->policy);
    add_ground(json, c);
    add_troubles(json, c);
    json_object_set_new(json, "warnings", ctl_warnings(json));
    return json;
}

/* Arrival of the first message that waits. */
static SUSPENDS void add_oldest(json_t *queue, struct queue *q)
{
    const struct queue_filter all = {.age_least = 0};
    const struct queue_part none = {0, 0, false};
    struct queue_message_info info;
    struct err gone;
    char id[ID_SIZE];
    struct arena *a = arena_new();
    struct queue_walk *w = queue_walk_begin(q, &all);
    if (queue_walk_next(w, id) && queue_show(q, str_from_c(id), &none, a, &info, &gone))
        set(queue, "oldest", (uint64_t)info.arrival);
    queue_walk_end(w);
    arena_free(a);
}

static bool status(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    (void)args;
    (void)e;
    *result = ctl_status(c);
    add_oldest(json_object_get(*result, "queue"), c->queue);
    return true;
}

static bool reload(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    *result = json_object();
    return c->reload(c->arg, json_is_true(json_object_get(args, "dry_run")), *result, e);
}

static void flush_on_worker(void *arg)
{
    (void)arg;
    log_flush();
}

static bool flush_log(const struct ctl_context *c, const json_t *args, json_t **result,
                      struct err *e)
{
    (void)c;
    (void)args;
    (void)result;
    (void)e;
    worker_run(WORKER_DISK, flush_on_worker, NULL);
    return true;
}

static bool stop(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    (void)args;
    (void)e;
    *result = json_pack("{s:I}", "pid", (json_int_t)getpid());
    c->stop(c->arg);
    return true;
}

const struct ctl_verb ctl_status_verbs[] = {
    {"status", CTL_ADMIN, status},
    {"reload", CTL_ADMIN, reload},
    {"log flush", CTL_ADMIN, flush_log},
    {"stop", CTL_ADMIN, stop},
    {0},
};
