/*
 * Each event goes to the function of its first words (docs/log.md). Attempts are counted, not
 * messages: a message that was deferred three times and then sent is three and one; so the sums of
 * hours, domains and reasons are those of the whole.
 */
#include "ctl/report.h"

#include "core/mem.h"
#include "ctl/limits.h"
#include "ctl/report_table.h"
#include "trace/field.h"

#include <stdlib.h>
#include <string.h>

#define HOUR (3600 * USEC_SEC)

/* What is counted as a whole and by hour. */
struct sums {
    uint64_t accepted, bytes, recipients, queued, sent_local, sent_remote, dropped, deferred,
        bounced, refused, logins, logins_failed;
};

enum list {
    LIST_SENDERS,
    LIST_SENDER_DOMAINS,
    LIST_RECIPIENTS,
    LIST_RECIPIENT_DOMAINS,
    LIST_RELAYS,
    LIST_DEFERRED,
    LIST_BOUNCED,
    LIST_REFUSED,
    LIST_REFUSED_CLIENTS,
    LIST_POLICY,
    LIST_SERVICES, /* messages by the way they came */
    LIST_LOGINS,   /* by service: count, failed */
    LIST_LOGIN_REASONS,
    LIST_LOGIN_CLIENTS,
    LIST_LOGIN_USERS,
    LIST_ACTIONS, /* what users did: messages */
    LIST_REPORTS,
    LIST_WARNINGS,
    LIST_ERRORS,
    LISTS
};

struct report {
    usec from, to;
    struct sums all, *hours;
    size_t hour_count;
    uint64_t events, tls, lockouts, handshakes;
    usec delay, delay_max;
    struct report_table lists[LISTS];
};

/* One event while it is counted. */
struct counting {
    struct report *r;
    const struct trace_event *event;
    struct sums *hour;
};

/* --- parts of events --- */

static struct str field(const struct counting *c, const char *key)
{
    struct str value = field_get(c->event->text, key);
    return value.p ? value : STR("");
}

static uint64_t number(const struct counting *c, const char *key)
{
    uint64_t n;
    return str_to_u64(field(c, key), &n) ? n : 0;
}

/* "0.25", in seconds. */
static usec seconds(const struct counting *c, const char *key)
{
    struct str text = field(c, key), fraction = text;
    struct str whole = str_split(&fraction, '.');
    uint64_t s, f = 0;
    if (!str_to_u64(whole, &s) || s > INT32_MAX)
        return 0;
    usec unit = USEC_SEC;
    for (size_t i = 0; i < fraction.n && i < 6; i++)
        f = f * 10 + (uint64_t)(fraction.p[i] - '0'), unit /= 10;
    return (usec)s * USEC_SEC + (usec)f * unit;
}

static struct str sender_of(const struct counting *c)
{
    struct str from = field(c, "from");
    return from.n > 0 ? from : STR("<>");
}

static struct report_row *row(const struct counting *c, enum list list, struct str name)
{
    return report_table_row(&c->r->lists[list], name);
}

/* Of the whole and of the hour. */
#define COUNT(c, member, n) ((c)->r->all.member += (n), (c)->hour->member += (n))

/* A reason with what differs each time left out: what stands between < and >, and ids. */
static struct str plain(struct str reason, char out[REPORT_NAME_MAX])
{
    size_t n = 0;
    bool inside = false;
    for (size_t i = 0; i < reason.n && n < REPORT_NAME_MAX; i++) {
        char ch = reason.p[i];
        inside &= ch != '>';
        if (!inside)
            out[n++] = ch;
        inside |= ch == '<' && memchr(reason.p + i, '>', reason.n - i);
    }
    return (struct str){out, n};
}

static void count_reason(const struct counting *c, enum list list, struct str reason)
{
    char text[REPORT_NAME_MAX];
    row(c, list, plain(reason, text))->count++;
}

/* --- events --- */

static void count_accepted(struct counting *c)
{
    uint64_t size = number(c, "size");
    const enum list lists[] = {LIST_SENDERS, LIST_SENDER_DOMAINS, LIST_SERVICES};
    struct str sender = sender_of(c);
    const struct str names[] = {sender, str_after_last(sender, '@'), c->event->component};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct report_row *x = row(c, lists[i], names[i]);
        x->count++;
        x->bytes += size;
    }
    struct str tls = field(c, "tls");
    c->r->tls += tls.n > 0 && !str_equal(tls, STR("none"));
    COUNT(c, accepted, 1);
    COUNT(c, bytes, size);
    COUNT(c, recipients, number(c, "recipients"));
}

static void count_sent(struct counting *c, struct report_row *const *rows, size_t count)
{
    struct str relay = field(c, "relay");
    usec delay = seconds(c, "delay");
    uint64_t size = number(c, "size");
    for (size_t i = 0; i < count; i++) {
        rows[i]->count++;
        rows[i]->bytes += size;
        rows[i]->delay += delay;
        rows[i]->delay_max = delay > rows[i]->delay_max ? delay : rows[i]->delay_max;
    }
    c->r->delay += delay;
    c->r->delay_max = delay > c->r->delay_max ? delay : c->r->delay_max;
    if (str_equal(relay, STR("local")))
        COUNT(c, sent_local, 1);
    else if (str_equal(relay, STR("none")))
        COUNT(c, dropped, 1);
    else
        COUNT(c, sent_remote, 1);
}

/* The result for one recipient. */
static void count_delivery(struct counting *c)
{
    struct str to = field(c, "to"), status = field(c, "status"), relay = field(c, "relay");
    struct str said = field_comment(c->event->text);
    bool deferred = str_equal(status, STR("deferred"));
    if (str_equal(status, STR("passed")))
        return;
    const enum list lists[] = {LIST_RECIPIENTS, LIST_RECIPIENT_DOMAINS, LIST_RELAYS};
    const struct str names[] = {to, str_after_last(to, '@'), str_split(&relay, '[')};
    struct report_row *rows[3];
    for (size_t i = 0; i < 3; i++)
        rows[i] = row(c, lists[i], names[i]);
    if (str_equal(status, STR("sent"))) {
        count_sent(c, rows, 3);
        return;
    }
    for (size_t i = 0; i < 3; i++)
        *(deferred ? &rows[i]->deferred : &rows[i]->failed) += 1;
    if (deferred) {
        COUNT(c, deferred, 1);
        count_reason(c, LIST_DEFERRED, said);
    } else if (str_equal(status, STR("bounced"))) {
        COUNT(c, bounced, 1);
        count_reason(c, LIST_BOUNCED, said);
    } /* refused: the session says so as well */
}

static void count_refused(struct counting *c)
{
    struct str peer = field(c, "peer");
    COUNT(c, refused, 1);
    count_reason(c, LIST_REFUSED, field(c, "reason"));
    if (peer.n > 0)
        row(c, LIST_REFUSED_CLIENTS, peer)->count++;
}

static void count_policy(struct counting *c)
{
    char text[REPORT_NAME_MAX];
    struct str rule = field(c, "rule"), action = field(c, "action");
    size_t n = rule.n < 100 ? rule.n : 100, m = action.n < 50 ? action.n : 50;
    memcpy(text, rule.p, n);
    text[n] = ' ';
    memcpy(text + n + 1, action.p, m);
    row(c, LIST_POLICY, (struct str){text, n + 1 + m})->count++;
}

static void count_login(struct counting *c)
{
    COUNT(c, logins, 1);
    row(c, LIST_LOGINS, c->event->component)->count++;
}

static void count_login_failed(struct counting *c)
{
    COUNT(c, logins_failed, 1);
    row(c, LIST_LOGINS, field(c, "service"))->failed++;
    row(c, LIST_LOGIN_REASONS, field(c, "reason"))->count++;
    row(c, LIST_LOGIN_CLIENTS, field(c, "peer"))->count++;
    row(c, LIST_LOGIN_USERS, field(c, "user"))->count++;
}

static void count_lockout(struct counting *c)
{
    c->r->lockouts++;
}

static void count_handshake(struct counting *c)
{
    c->r->handshakes++;
}

static void count_queued(struct counting *c)
{
    COUNT(c, queued, 1);
}

static void count_report(struct counting *c)
{
    row(c, LIST_REPORTS, field(c, "kind"))->count++;
}

static void count_action(struct counting *c)
{
    uint64_t messages = number(c, "count");
    if (messages > 0 && field(c, "user").n > 0)
        row(c, LIST_ACTIONS, field_words(c->event->text))->count += messages;
}

static const struct {
    struct str words;
    void (*count)(struct counting *c);
} kinds[] = {
    {{"accepted", 8}, count_accepted},
    {{"delivery", 8}, count_delivery},
    {{"queued", 6}, count_queued},
    {{"refused", 7}, count_refused},
    {{"policy:", 7}, count_policy},
    {{"login", 5}, count_login},
    {{"login failed", 12}, count_login_failed},
    {{"locked out", 10}, count_lockout},
    {{"TLS handshake failed", 20}, count_handshake},
    {{"report", 6}, count_report},
    {{"append", 6}, count_action},
    {{"copy", 4}, count_action},
    {{"move", 4}, count_action},
    {{"delete", 6}, count_action},
    {{"expunge", 7}, count_action},
};

/* Without numbers, which differ from one time to the next, and the sentence about them: "the loop
 * was held: 12.5 ms, longest start with 12.5 ms". */
static struct str complaint_kind(struct str words)
{
    size_t n = 0, sentence = 0;
    for (; n < words.n; n++) {
        bool begins = n == 0 || words.p[n - 1] == ' ';
        if (begins && n >= 2 && words.p[n - 2] == ':')
            sentence = n - 2;
        if (begins && char_is_digit(words.p[n]))
            return str_trim(str_head(words, sentence ? sentence : n));
    }
    return words;
}

/* "smtpd: out of fibers" */
static void count_complaint(struct counting *c, enum list list, struct str words)
{
    char text[REPORT_NAME_MAX];
    struct str component = str_head(c->event->component, 40);
    words = str_head(complaint_kind(words), sizeof text - component.n - 2);
    memcpy(text, component.p, component.n);
    memcpy(text + component.n, ": ", 2);
    memcpy(text + component.n + 2, words.p, words.n);
    row(c, list, (struct str){text, component.n + 2 + words.n})->count++;
}

void report_add(struct report *r, const struct trace_event *event)
{
    size_t hour = event->when < r->from ? 0 : (size_t)((event->when - r->from) / HOUR);
    struct counting c = {r, event, &r->hours[hour < r->hour_count ? hour : r->hour_count - 1]};
    struct str words = field_words(event->text);
    r->events++;
    if (event->level >= LOG_LEVEL_WARNING)
        count_complaint(&c, event->level == LOG_LEVEL_ERROR ? LIST_ERRORS : LIST_WARNINGS, words);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_equal(words, kinds[i].words)) {
            kinds[i].count(&c);
            return;
        }
}

/* --- the whole --- */

struct report *report_new(usec from, usec to)
{
    static const enum list texts[] = {LIST_DEFERRED, LIST_BOUNCED,  LIST_REFUSED,
                                      LIST_POLICY,   LIST_WARNINGS, LIST_ERRORS};
    struct report *r = MEM_NEW(struct report);
    usec hours = (to - from + HOUR - 1) / HOUR;
    r->from = from;
    r->to = to;
    r->hour_count = hours < 1 ? 1 : hours > REPORT_HOURS_MAX ? REPORT_HOURS_MAX : (size_t)hours;
    r->hours = mem_array(r->hour_count, sizeof *r->hours);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        r->lists[texts[i]].keep_case = true;
    return r;
}

void report_free(struct report *r)
{
    if (!r)
        return;
    for (int i = 0; i < LISTS; i++)
        report_table_free(&r->lists[i]);
    free(r->hours);
    free(r);
}

static void set(json_t *json, const char *name, uint64_t n)
{
    json_object_set_new(json, name, json_integer((json_int_t)n));
}

static json_t *sums_json(const struct sums *s)
{
    json_t *json = json_object();
    set(json, "accepted", s->accepted);
    set(json, "bytes", s->bytes);
    set(json, "recipients", s->recipients);
    set(json, "queued", s->queued);
    set(json, "sent_local", s->sent_local);
    set(json, "sent_remote", s->sent_remote);
    set(json, "dropped", s->dropped);
    set(json, "deferred", s->deferred);
    set(json, "bounced", s->bounced);
    set(json, "refused", s->refused);
    set(json, "logins", s->logins);
    set(json, "logins_failed", s->logins_failed);
    return json;
}

static void add_count(json_t *json, const struct report_row *x)
{
    set(json, "count", x->count);
}

static void add_messages(json_t *json, const struct report_row *x)
{
    set(json, "messages", x->count);
    set(json, "bytes", x->bytes);
}

static double average(usec sum, uint64_t count)
{
    return count ? (double)(sum / USEC_MSEC) / 1000 / (double)count : 0;
}

static void add_results(json_t *json, const struct report_row *x)
{
    set(json, "sent", x->count);
    set(json, "bytes", x->bytes);
    set(json, "deferred", x->deferred);
    set(json, "failed", x->failed);
    json_object_set_new(json, "delay", json_real(average(x->delay, x->count)));
    json_object_set_new(json, "delay_max", json_real(average(x->delay_max, 1)));
}

static void add_logins(json_t *json, const struct report_row *x)
{
    set(json, "logins", x->count);
    set(json, "failed", x->failed);
}

static const struct {
    const char *name;
    void (*add)(json_t *json, const struct report_row *row);
} list_forms[LISTS] = {
    [LIST_SENDERS] = {"senders", add_messages},
    [LIST_SENDER_DOMAINS] = {"sender_domains", add_messages},
    [LIST_RECIPIENTS] = {"recipients", add_results},
    [LIST_RECIPIENT_DOMAINS] = {"recipient_domains", add_results},
    [LIST_RELAYS] = {"relays", add_results},
    [LIST_DEFERRED] = {"deferred", add_count},
    [LIST_BOUNCED] = {"bounced", add_count},
    [LIST_REFUSED] = {"refused", add_count},
    [LIST_REFUSED_CLIENTS] = {"refused_clients", add_count},
    [LIST_POLICY] = {"policy", add_count},
    [LIST_SERVICES] = {"services", add_messages},
    [LIST_LOGINS] = {"logins", add_logins},
    [LIST_LOGIN_REASONS] = {"login_failures", add_count},
    [LIST_LOGIN_CLIENTS] = {"login_failure_clients", add_count},
    [LIST_LOGIN_USERS] = {"login_failure_users", add_count},
    [LIST_ACTIONS] = {"actions", add_count},
    [LIST_REPORTS] = {"reports", add_count},
    [LIST_WARNINGS] = {"warnings", add_count},
    [LIST_ERRORS] = {"errors", add_count},
};

static json_t *total_json(const struct report *r)
{
    json_t *json = sums_json(&r->all);
    uint64_t sent = r->all.sent_local + r->all.sent_remote + r->all.dropped;
    set(json, "events", r->events);
    set(json, "accepted_with_tls", r->tls);
    set(json, "lockouts", r->lockouts);
    set(json, "tls_failures", r->handshakes);
    set(json, "sender_domains", r->lists[LIST_SENDER_DOMAINS].count);
    set(json, "recipient_domains", r->lists[LIST_RECIPIENT_DOMAINS].count);
    json_object_set_new(json, "delay", json_real(average(r->delay, sent)));
    json_object_set_new(json, "delay_max", json_real(average(r->delay_max, 1)));
    return json;
}

json_t *report_json(struct report *r, size_t top)
{
    json_t *json = json_object(), *hours = json_array();
    set(json, "from", (uint64_t)(r->from / USEC_SEC));
    set(json, "to", (uint64_t)(r->to / USEC_SEC));
    json_object_set_new(json, "total", total_json(r));
    for (size_t i = 0; i < r->hour_count; i++) {
        json_t *hour = sums_json(&r->hours[i]);
        set(hour, "from", (uint64_t)(r->from / USEC_SEC) + 3600 * i);
        json_array_append_new(hours, hour);
    }
    json_object_set_new(json, "hours", hours);
    for (int i = 0; i < LISTS; i++)
        json_object_set_new(json, list_forms[i].name,
                            report_table_json(&r->lists[i], top, list_forms[i].add));
    return json;
}
