/*
 * The log: its level, and the report of a time from the event store. A report is one walk over the
 * events on a worker.
 */
#include "core/log.h"
#include "core/worker.h"
#include "ctl/ctl.h"
#include "ctl/report.h"
#include "trace/trace.h"

#define TOP_DEFAULT 10
#define TOP_MAX     10000
#define HOURS_MAX   (366 * 24)

/* --- log level --- */

static bool set_level(const json_t *name, struct err *e)
{
    enum log_level level;
    if (!json_is_string(name) || !log_level_of_name(str_from_c(json_string_value(name)), &level))
        return err_set(e, ERR_SYNTAX, "a level is one of debug, info, warning, error");
    log_set_level(level);
    return true;
}

static bool level(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    const json_t *name = json_object_get(args, "level");
    (void)c;
    if (name && !set_level(name, e))
        return false;
    *result = json_pack("{s:s}", "level", log_level_names[log_level()]);
    return true;
}

/* --- report --- */

struct job {
    struct trace *trace;
    usec from, to;
    size_t top;
    json_t *json;
    struct err error;
};

static bool add_event(void *arg, const struct trace_event *event)
{
    report_add(arg, event);
    return true;
}

static void count(void *arg)
{
    struct job *j = arg;
    struct report *r = report_new(j->from, j->to);
    trace_flush(j->trace);
    if (trace_scan(trace_dir(j->trace), j->from, j->to, add_event, r, &j->error))
        j->json = report_json(r, j->top);
    report_free(r);
}

static bool read_times(const json_t *args, struct job *j, struct err *e)
{
    json_int_t from = json_integer_value(json_object_get(args, "from"));
    json_int_t to = json_integer_value(json_object_get(args, "to"));
    const json_t *top = json_object_get(args, "top");
    json_int_t n = top ? json_integer_value(top) : TOP_DEFAULT;
    if (from < 0 || to <= from || to > INT32_MAX * (json_int_t)100 || to - from > HOURS_MAX * 3600)
        return err_set(e, ERR_SYNTAX, "from and to are seconds, at most a year apart");
    if (n < 1 || n > TOP_MAX)
        return err_set(e, ERR_SYNTAX, "a list has from 1 to %d entries", TOP_MAX);
    j->from = (usec)from * USEC_SEC;
    j->to = (usec)to * USEC_SEC;
    j->top = (size_t)n;
    return true;
}

static SUSPENDS bool report(const struct ctl_context *c, const json_t *args, json_t **result,
                            struct err *e)
{
    struct job j = {.trace = c->trace};
    if (!read_times(args, &j, e))
        return false;
    worker_run(WORKER_CPU, count, &j);
    if (!j.json) {
        *e = j.error;
        return false;
    }
    *result = j.json;
    return true;
}

const struct ctl_verb ctl_log_verbs[] = {
    {"log level", CTL_ADMIN, level}, {"report", CTL_ADMIN, report}, {0}};
