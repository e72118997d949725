/*
 * Measurements of the whole server, from what its parts count. HELP stands beside each value;
 * docs/statistics.md lists the names, which are stable. Nothing here waits, whatever the server is
 * busy with.
 */
#include "ctl/ctl_metrics.h"

#include "auth/auth.h"
#include "auth/source.h"
#include "core/journal.h"
#include "core/load.h"
#include "core/loop.h"
#include "core/metrics_text.h"
#include "core/session_list.h"
#include "core/worker.h"
#include "ctl/ctl_status.h"
#include "ctl/ctl_watch.h"
#include "imap/imap.h"
#include "net/stream.h"
#include "queue/queue.h"
#include "queue/verify.h"
#include "smtp/smtp_server.h"
#include "store/store.h"

#include <malloc.h>
#include <sys/resource.h>

/* --- the process --- */

static void add_process(struct metrics_text *t, const struct ctl_context *c)
{
    struct rusage used;
    struct stream_stats s = {0};
    struct fiber_stats f = {0};
    metrics_family(t, "maild_info", METRIC_GAUGE, "Always 1; the label is the version.");
    metrics_sample(t, "version", STR(MAILD_VERSION), 1);
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        metrics_family(t, "maild_cpu_seconds_total", METRIC_COUNTER, "Time of processors.");
        metrics_sample(t, "mode", STR("user"),
                       (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / USEC_SEC);
        metrics_sample(t, "mode", STR("system"),
                       (double)used.ru_stime.tv_sec + (double)used.ru_stime.tv_usec / USEC_SEC);
    }
    struct mallinfo2 memory = mallinfo2();
    metrics_gauge(t, "maild_memory_allocated_bytes", "Memory that is allocated.",
                  (double)(memory.uordblks + memory.hblkhd));
    stream_get_stats(c->loop, &s);
    metrics_gauge(t, "maild_connections", "Open connections of all kinds.", (double)s.open);
    metrics_gauge(t, "maild_connections_idle", "Of them those that wait without a fiber.",
                  (double)s.parked);
    metrics_gauge(t, "maild_connections_tls", "Of them those with TLS.", (double)s.tls);
    metrics_counter(t, "maild_received_bytes_total", "Bytes read from connections.", s.bytes_in);
    metrics_counter(t, "maild_sent_bytes_total", "Bytes written to connections.", s.bytes_out);
    fiber_get_stats(c->loop, &f);
    metrics_gauge(t, "maild_fibers", "Fibers that live.", (double)f.live);
    metrics_family(t, "maild_jobs_waiting", METRIC_GAUGE, "Jobs that wait for a worker thread.");
    metrics_sample(t, "workers", STR("disk"), (double)worker_backlog(WORKER_DISK));
    metrics_sample(t, "workers", STR("cpu"), (double)worker_backlog(WORKER_CPU));
    metrics_sample(t, "workers", STR("auth"), (double)worker_backlog(WORKER_AUTH));
}

/* --- sessions --- */

static void add_sessions(struct metrics_text *t, const struct session_list *list)
{
    static const char *const always[] = {"smtpd", "submission", "lmtpd", "imap", "pop3"};
    const struct session_kind *kind;
    size_t count;
    metrics_family(t, "maild_sessions", METRIC_GAUGE, "Sessions of clients.");
    for (size_t n = 0; n < sizeof(always) / sizeof(*always); n++) {
        size_t found = 0;
        for (size_t i = 0; (kind = session_list_kind(list, i, &count)); i++)
            if (strcmp(kind->component, always[n]) == 0)
                found += count;
        metrics_sample(t, "service", str_from_c(always[n]), (double)found);
    }
}

static void add_load(struct metrics_text *t, const struct load *load)
{
    struct load_info info;
    load_get_info(load, &info);
    const struct load_judge *j = info.judge;
    metrics_gauge(t, "maild_load_level",
                  "0 normal, 1 busy, 2 overloaded: strangers are turned away.", (double)j->level);
    metrics_counter(t, "maild_turned_away_total", "Connections of strangers that were turned away.",
                    info.refused);
    metrics_family(t, "maild_load_measure", METRIC_GAUGE,
                   "What the level is judged by, in the units of mailctl status.");
    for (int i = 0; i < LOAD_MEASURES; i++)
        metrics_sample(t, "measure", str_from_c(j->limits[i].name), (double)j->values[i]);
}

static void add_logins(struct metrics_text *t, const struct auth *auth)
{
    struct auth_stats s;
    auth_get_stats(auth, &s);
    metrics_family(t, "maild_logins_total", METRIC_COUNTER, "Logins, of all protocols.");
    metrics_sample(t, "result", STR("succeeded"), (double)s.succeeded);
    metrics_sample(t, "result", STR("failed"), (double)s.failed);
    metrics_sample(t, "result", STR("deferred"), (double)s.deferred);
}

/* --- mail --- */

static void add_queue(struct metrics_text *t, const struct queue *queue)
{
    struct queue_stats s = {0};
    queue_get_stats(queue, &s);
    metrics_gauge(t, "maild_queue_messages", "Messages that wait.", (double)s.messages);
    metrics_gauge(t, "maild_queue_recipients", "Their recipients.", (double)s.recipients);
    metrics_gauge(t, "maild_queue_bytes", "Their size.", (double)s.bytes);
    metrics_gauge(t, "maild_queue_connections", "Connections to other servers.",
                  (double)s.connections);
    metrics_counter(t, "maild_accepted_messages_total", "Messages that were taken.", s.accepted);
    metrics_family(t, "maild_delivered_recipients_total", METRIC_COUNTER,
                   "Recipients that have their message.");
    metrics_sample(t, "to", STR("local"), (double)s.delivered_local);
    metrics_sample(t, "to", STR("remote"), (double)s.delivered_remote);
    metrics_counter(t, "maild_deferred_attempts_total", "Attempts that will be repeated.",
                    s.deferred);
    metrics_counter(t, "maild_bounced_recipients_total", "Recipients that were given up.",
                    s.bounced);
    metrics_family(t, "maild_accept_duration_seconds", METRIC_HISTOGRAM,
                   "From the last byte of a message to the answer: routing, delivery, the disk.");
    metrics_histogram(t, NULL, STR(""), &s.accepting);
    metrics_family(t, "maild_queue_delay_seconds", METRIC_HISTOGRAM,
                   "From arrival to delivery, of recipients that went through the queue.");
    metrics_histogram(t, NULL, STR(""), &s.delays);
}

static void add_verify(struct metrics_text *t, const struct queue *queue)
{
    struct verify_stats s = {0};
    queue_get_verify_stats(queue, &s);
    metrics_counter(t, "maild_verify_questions_total",
                    "Recipients that servers of relay domains were asked about.", s.asked);
    metrics_counter(t, "maild_verify_unanswered_total", "Of them those without an answer.",
                    s.unanswered);
}

static void add_store(struct metrics_text *t, const struct ctl_context *c)
{
    struct store_stats s = {0};
    struct journal_stats j = {0};
    store_get_stats(c->store, &s);
    journal_get_stats(c->journal, &j);
    metrics_family(t, "maild_store_messages_total", METRIC_COUNTER,
                   "Messages that came into mailboxes and left them.");
    metrics_sample(t, "event", STR("delivered"), (double)s.delivered);
    metrics_sample(t, "event", STR("appended"), (double)s.appended);
    metrics_sample(t, "event", STR("expunged"), (double)s.expunged);
    metrics_gauge(t, "maild_mailboxes_open", "Mailboxes in memory.", (double)s.mailboxes_open);
    metrics_gauge(t, "maild_files_pending",
                  "Messages that are in the journal and not yet in files of their own.",
                  (double)s.files_pending);
    metrics_counter(t, "maild_journal_records_total", "Records of the journal.", j.records);
    metrics_counter(t, "maild_journal_bytes_total", "Their size.", j.bytes);
    metrics_counter(t, "maild_journal_checkpoints_total", "Checkpoints.", j.checkpoints);
    metrics_gauge(t, "maild_journal_segments", "Files of the journal.", (double)j.segments);
    metrics_gauge(t, "maild_journal_segments_free", "Of them those that can be used again.",
                  (double)j.segments_free);
    metrics_family(t, "maild_journal_write_duration_seconds", METRIC_HISTOGRAM,
                   "Durable writes of the journal: each releases all that wait for it.");
    metrics_histogram(t, NULL, STR(""), &j.commits);
    metrics_family(t, "maild_imap_command_duration_seconds", METRIC_HISTOGRAM,
                   "Commands of IMAP, with sending what they answer.");
    metrics_histogram(t, NULL, STR(""), &c->imap->commands);
}

static void add_source_counts(struct metrics_text *t, const struct directory *d, const char *name,
                              const char *help, size_t offset)
{
    struct directory_source_stats s;
    metrics_family(t, name, METRIC_COUNTER, help);
    for (size_t i = 0; i < directory_source_count(d); i++) {
        const struct source *source = directory_source(d, i, &s);
        const uint64_t *value = (const uint64_t *)(const void *)((const char *)&s + offset);
        metrics_sample(t, "source", str_from_c(source->name), (double)*value);
    }
}

static void add_directory(struct metrics_text *t, const struct directory *d)
{
    struct directory_stats all;
    struct directory_source_stats s;
    directory_get_stats(d, &all);
    metrics_family(t, "maild_directory_lookups_total", METRIC_COUNTER,
                   "Look-ups of users, addresses and groups.");
    metrics_sample(t, "answered", STR("from memory"), (double)all.hits);
    metrics_sample(t, "answered", STR("by a source"), (double)all.misses);
    metrics_sample(t, "answered", STR("from memory while a source failed"), (double)all.stale);
    add_source_counts(t, d, "maild_directory_questions_total", "Questions to a source.",
                      offsetof(struct directory_source_stats, asked));
    add_source_counts(t, d, "maild_directory_failures_total", "Of them those that failed.",
                      offsetof(struct directory_source_stats, failures));
    metrics_family(t, "maild_directory_question_duration_seconds", METRIC_HISTOGRAM,
                   "Time of a source's answers.");
    for (size_t i = 0; i < directory_source_count(d); i++) {
        const struct source *source = directory_source(d, i, &s);
        metrics_histogram(t, "source", str_from_c(source->name), &s.times);
    }
}

/* --- what an operator must see to --- */

static void add_disks(struct metrics_text *t, const struct ctl_watch *watch)
{
    const struct ctl_space *s;
    metrics_family(t, "maild_disk_free_bytes", METRIC_GAUGE, "Space left for the server's files.");
    for (size_t i = 0; (s = ctl_watch_space(watch, i)); i++)
        if (s->known)
            metrics_sample(t, "path", str_from_c(s->path), (double)s->space.bytes_free);
    metrics_family(t, "maild_disk_free_inodes", METRIC_GAUGE, "Inodes left for them.");
    for (size_t i = 0; (s = ctl_watch_space(watch, i)); i++)
        if (s->known && s->space.inodes > 0)
            metrics_sample(t, "path", str_from_c(s->path), (double)s->space.inodes_free);
}

/* A file that stands in two blocks is one sample. */
static void add_certificates(struct metrics_text *t, const json_t *status)
{
    json_t *seen = json_object(), *item;
    size_t i;
    metrics_family(t, "maild_certificate_expiry_seconds", METRIC_GAUGE,
                   "When a certificate expires, in seconds since 1970.");
    json_array_foreach(json_object_get(status, "certificates"), i, item)
    {
        const char *file = json_string_value(json_object_get(item, "file"));
        if (json_object_get(seen, file))
            continue;
        json_object_set_new(seen, file, json_true());
        metrics_sample(t, "file", str_from_c(file),
                       (double)json_integer_value(json_object_get(item, "expires")));
    }
    json_decref(seen);
}

static void add_warnings(struct metrics_text *t, const struct ctl_context *c)
{
    json_t *status = ctl_status(c), *item;
    size_t i, critical = 0;
    const json_t *warnings = json_object_get(status, "warnings");
    add_certificates(t, status);
    json_array_foreach(warnings, i, item)
    {
        critical += strcmp(json_string_value(json_object_get(item, "level")), "critical") == 0;
    }
    metrics_family(t, "maild_warnings", METRIC_GAUGE,
                   "What needs attention: mailctl status says what it is.");
    metrics_sample(t, "level", STR("critical"), (double)critical);
    metrics_sample(t, "level", STR("warning"), (double)(json_array_size(warnings) - critical));
    json_decref(status);
}

void ctl_metrics_write(const struct ctl_context *c, struct buf *out)
{
    struct metrics_text t = {.out = out};
    add_process(&t, c);
    add_load(&t, c->load);
    add_sessions(&t, c->sessions);
    add_logins(&t, c->auth);
    add_queue(&t, c->queue);
    add_verify(&t, c->queue);
    add_store(&t, c);
    add_directory(&t, c->directory);
    add_disks(&t, c->watch);
    add_warnings(&t, c);
}

bool ctl_is_healthy(const struct ctl_context *c, struct buf *why)
{
    struct load_info info;
    size_t before = why->n;
    load_get_info(c->load, &info);
    if (journal_has_failed(c->journal))
        buf_add_c(why, "the journal has failed: restart the server\n");
    if (info.judge->level == LOAD_OVERLOADED)
        buf_printf(why, "overloaded: %s\n", info.judge->limits[info.judge->reason].name);
    if (info.judge->values[LOAD_DISK] >= info.judge->limits[LOAD_DISK].overloaded &&
        info.judge->limits[LOAD_DISK].overloaded > 0)
        buf_add_c(why, "little space is left on the disk\n");
    return why->n == before;
}
