/*
 * The queue for operators: looking at it. Lists are sent message by message, the recipients of one
 * message in parts, so that neither a large queue nor a large message holds up the server; what
 * changes meanwhile is shown as it is when its turn comes.
 */
#include "ctl/ctl_queue.h"

#include "core/arena.h"
#include "ctl/ctl_json.h"
#include "queue/statistics.h"
#include "queue/tally.h"

/* Recipients of a message in a list of messages, and of one part of a message that is shown. */
#define LIST_RECIPIENTS 5
#define PART_RECIPIENTS 200

static bool take_count(const json_t *args, const char *name, json_int_t otherwise,
                       json_int_t *value, struct err *e)
{
    const json_t *member = json_object_get(args, name);
    *value = member ? json_integer_value(member) : otherwise;
    return (!member || json_is_integer(member)) && *value >= 0
               ? true
               : err_set(e, ERR_SYNTAX, "%s: a number is expected", name);
}

/* --- queue list, queue count --- */

SUSPENDS static bool send_message(struct ctl_call *c, const char *id, struct err *e)
{
    struct queue_message_info info;
    const struct queue_part part = {0, LIST_RECIPIENTS, true};
    struct err gone;
    struct arena *a = arena_new();
    json_t *json = queue_show(c->context->queue, str_from_c(id), &part, a, &info, &gone)
                       ? ctl_queue_message(&info, c->own)
                       : NULL;
    arena_free(a);
    return !json || ctl_send_item(c, json, e);
}

/* The first `limit` messages that match are sent, the others counted; limit 0: all. Without a
 * filter how many there are is known without looking at each. */
SUSPENDS static bool list(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct queue_filter f;
    json_int_t limit, found = 0;
    char id[ID_SIZE];
    uint64_t done, of;
    bool ok = true;
    if (!ctl_queue_filter(args, &f, e) || !take_count(args, "limit", 0, &limit, e))
        return false;
    bool count_only = json_is_true(json_object_get(args, "count")), known = false;
    bool all = json_object_size(json_object_get(args, "filter")) == 0;
    struct queue_walk *w = queue_walk_begin(c->context->queue, &f);
    while (ok && !(known = all && (count_only || (limit > 0 && found == limit))) &&
           queue_walk_next(w, id)) {
        found++;
        queue_walk_progress(w, &done, &of);
        if (!count_only && (limit == 0 || found <= limit))
            ok = send_message(c, id, e);
        ok = ok && (count_only ? ctl_progress(c, done, of, e) : ctl_breathe(c, e));
    }
    queue_walk_progress(w, &done, &of);
    queue_walk_end(w);
    if (ok)
        *result = json_pack("{s:I, s:I}", "found", known ? (json_int_t)of : found, "messages",
                            (json_int_t)of);
    return ok;
}

/* --- queue show --- */

SUSPENDS static bool send_recipients(struct ctl_call *c, struct str id, struct err *e)
{
    struct queue_part part = {0, PART_RECIPIENTS, false};
    bool ok = true, more = true;
    while (ok && more) {
        struct queue_message_info info;
        struct err gone;
        struct arena *a = arena_new();
        more = queue_show(c->context->queue, id, &part, a, &info, &gone);
        for (size_t i = 0; more && ok && i < info.recipient_count; i++)
            ok = ctl_send_item(c, ctl_queue_recipient(&info.recipients[i], c->own), e);
        more = more && info.next > 0;
        part.from = more ? info.next : 0;
        arena_free(a);
        ok = ok && ctl_breathe(c, e);
    }
    return ok;
}

/* The recipients are items, all else is the result. With "login" only a message that he sent. */
SUSPENDS static bool show(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct str id, login;
    struct queue_message_info info;
    const struct queue_part none = {0, 0, false};
    struct buf header = BUF_EMPTY;
    struct err no_header;
    if (!ctl_arg_str(args, "id", &id, e) || !ctl_arg_optional(args, "login", &login, e))
        return false;
    struct arena *a = arena_new();
    bool ok = queue_show(c->context->queue, id, &none, a, &info, e);
    if (ok && login.n > 0 && !str_equal_nocase(info.login, login))
        ok = err_set(e, ERR_NOT_FOUND, "no message %.*s in the queue",
                     STR_ARG(str_head(id, ID_SIZE)));
    if (ok) {
        *result = ctl_queue_message(&info, c->own);
        json_object_del(*result, "recipients");
        if (queue_read_header(c->context->queue, id, &header, &no_header))
            json_object_set_new(*result, "header", ctl_json_str(buf_str(&header)));
        ok = send_recipients(c, id, e);
    }
    buf_free(&header);
    arena_free(a);
    return ok;
}

/* --- queue top --- */

static json_t *row_json(const struct tally_row *r)
{
    json_t *ages = json_array();
    for (size_t i = 0; i < TALLY_AGES; i++)
        json_array_append_new(ages, json_integer((json_int_t)r->ages[i]));
    json_t *json = json_object();
    json_object_set_new(json, "name", ctl_json_str(r->key));
    json_object_set_new(json, "count", json_integer((json_int_t)r->count));
    json_object_set_new(json, "bytes", json_integer((json_int_t)r->bytes));
    json_object_set_new(json, "ages", ages);
    return json;
}

static SUSPENDS bool progress(void *arg, uint64_t done, uint64_t of, struct err *e)
{
    return ctl_progress(arg, done, of, e);
}

SUSPENDS static bool send_rows(struct ctl_call *c, struct tally *t, json_int_t limit,
                               json_t **result, struct err *e)
{
    struct tally_row *rows;
    size_t count;
    bool ok = true;
    tally_rows(t, &rows, &count);
    for (size_t i = 0; ok && i < count && (limit == 0 || i < (size_t)limit); i++)
        ok = ctl_send_item(c, row_json(&rows[i]), e) && ctl_breathe(c, e);
    if (!ok)
        return false;
    json_t *bounds = json_array();
    for (size_t i = 0; i < TALLY_AGES - 1; i++)
        json_array_append_new(bounds, json_integer(tally_ages[i]));
    *result = json_pack("{s:o, s:I, s:o}", "total", row_json(tally_total(t)), "rows",
                        (json_int_t)count, "minutes", bounds);
    return true;
}

SUSPENDS static bool top(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct queue_filter f;
    struct str by_text;
    json_int_t limit;
    enum tally_by by;
    if (!ctl_queue_filter(args, &f, e) || !ctl_arg_str(args, "by", &by_text, e) ||
        !take_count(args, "limit", 0, &limit, e))
        return false;
    if (!tally_by_find(by_text, &by))
        return err_set(e, ERR_SYNTAX,
                       "\"%.*s\": destination, route, reason, sender, sender-domain or login is "
                       "expected",
                       STR_ARG(str_head(by_text, 40)));
    struct tally *t = tally_new(&f, by);
    bool ok = tally_run(t, c->context->queue, progress, c, e) && send_rows(c, t, limit, result, e);
    tally_free(t);
    return ok;
}

/* --- queue stats --- */

static json_t *sample_json(const struct statistics_sample *s)
{
    json_t *json = json_object();
    const struct {
        const char *name;
        uint64_t value;
    } values[] = {
        {"time", (uint64_t)s->time},       {"messages", s->messages / s->minutes},
        {"messages_max", s->messages_max}, {"bytes", s->bytes / s->minutes},
        {"bytes_max", s->bytes_max},       {"accepted", s->accepted},
        {"delivered", s->delivered},       {"deferred", s->deferred},
        {"bounced", s->bounced},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        json_object_set_new(json, values[i].name, json_integer((json_int_t)values[i].value));
    return json;
}

SUSPENDS static bool stats(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    static const char *const spans[] = {"day", "week", "year"};
    struct str name;
    struct statistics_sample *list;
    size_t count;
    int span = 0;
    if (!ctl_arg_str(args, "span", &name, e))
        return false;
    while (span < STATISTICS_SPANS && !str_equal(name, str_from_c(spans[span])))
        span++;
    if (span == STATISTICS_SPANS)
        return err_set(e, ERR_SYNTAX, "day, week or year is expected");
    enum statistics_span which = (enum statistics_span)span;
    struct arena *a = arena_new();
    bool ok = statistics_read(c->context->queue, which, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = ctl_send_item(c, sample_json(&list[i]), e) && ctl_breathe(c, e);
    if (ok)
        *result = json_pack("{s:I, s:I, s:I}", "step", (json_int_t)statistics_step(which), "steps",
                            (json_int_t)statistics_steps(which), "now",
                            (json_int_t)(clock_wall() / USEC_SEC));
    arena_free(a);
    return ok;
}

const struct ctl_stream_verb ctl_queue_verbs[] = {
    {"queue list",
     CTL_OWN("filter.login", "filter filter.sender filter.states filter.age_least filter.age_most "
                             "filter.size_least filter.size_most limit count"),
     list},
    {"queue show", CTL_OWN("login", "id"), show},
    {"queue top", CTL_ADMIN, top},
    {"queue stats", CTL_ADMIN, stats},
    {0},
};
