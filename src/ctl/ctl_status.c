/*
 * The server itself: status, reload, stop. status is one object with a part per folder, so that a
 * program that watches the server finds everything in one place.
 */
#include "core/disk.h"
#include "core/journal.h"
#include "core/load.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/session_list.h"
#include "core/worker.h"
#include "ctl/ctl.h"
#include "ctl/ctl_directory.h"
#include "ctl/ctl_json.h"
#include "net/stream.h"
#include "policy/operate.h"
#include "queue/operate.h"
#include "queue/queue.h"
#include "queue/verify.h"
#include "store/store.h"

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
    for (const struct session_entry *s = session_list_first(list); s; s = s->next) {
        const char *component = s->kind->component;
        json_int_t before = json_integer_value(json_object_get(json, component));
        set(json, component, (uint64_t)before + 1);
    }
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

static void add_verify(json_t *status, const struct queue *queue)
{
    struct verify_stats s = {0};
    queue_get_verify_stats(queue, &s);
    SET_ALL(part(status, "verify"), {"addresses", s.entries}, {"waiting", s.waiting},
            {"connections", s.connections}, {"asked", s.asked}, {"accepted", s.accepted},
            {"refused", s.refused}, {"unanswered", s.unanswered});
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
    json = part(status, "journal");
    journal_get_stats(c->journal, &j);
    SET_ALL(json, {"records", j.records}, {"bytes", j.bytes}, {"syncs", j.syncs},
            {"checkpoints", j.checkpoints}, {"segments", j.segments},
            {"segments_free", j.segments_free});
    json_t *damage = json_array();
    for (size_t i = 0; (text = journal_damage(c->journal, i)); i++)
        json_array_append_new(damage, ctl_json_c(text));
    json_object_set_new(json, "damage", damage);
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
    size_t rule_count, table_count;
    json_t *json = part(status, "policy"), *wrong = json_array();
    policy_list_rules(policy, a, &rules, &rule_count);
    policy_list_tables(policy, a, &tables, &table_count);
    SET_ALL(json, {"rules", rule_count}, {"tables", table_count});
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

struct space {
    const char *path;
    uint64_t bytes, inodes;
    bool known;
};

static void measure_space(void *arg)
{
    struct space *s = arg;
    s->known = disk_free_space(s->path, &s->bytes, &s->inodes, NULL);
}

static bool status(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    (void)args;
    (void)e;
    struct space space = {.path = c->data_dir};
    worker_run(WORKER_DISK, measure_space, &space);
    json_t *json = json_object();
    c->describe(c->arg, json);
    set(json, "pid", (uint64_t)getpid());
    json_object_set_new(json, "data_dir", ctl_json_c(c->data_dir));
    if (space.known) {
        set(json, "disk_free_bytes", space.bytes);
        set(json, "disk_free_inodes", space.inodes);
    }
    add_load(json, c->load, c->sessions);
    add_sessions(json, c->sessions);
    add_queue(json, c->queue);
    add_verify(json, c->queue);
    json_object_set_new(json, "directory", ctl_directory_json(c->directory));
    add_store(json, c);
    add_policy(json, c->policy);
    add_ground(json, c);
    *result = json;
    return true;
}

static bool reload(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    (void)args;
    *result = json_object();
    return c->reload(c->arg, *result, e);
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
    {"status", status}, {"reload", reload}, {"log flush", flush_log}, {"stop", stop}, {NULL, NULL},
};
