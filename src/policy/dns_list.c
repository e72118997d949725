/*
 * A question is the address backwards in front of the list's zone (RFC 5782 section 2.1, IPv6: 2.4)
 * and the answer an address within 127.0.0.0/8. Two kinds of answers are none: 127.0.0.1 and
 * 127.255.255.x say that the list will not serve us (a public resolver, too many questions), and an
 * address outside of 127.0.0.0/8 comes from a domain that has been sold or a resolver that lies.
 * Both would name every address of the world, so both are taken for "not listed", with a warning in
 * the log.
 *
 * Answers are kept for a minute at most, by question, so that a client that comes with many
 * connections costs one round of questions. What failed is kept as well: a rule looks at its lists
 * for each recipient, and must not wait for each.
 */
#include "policy/dns_list.h"

#include "core/log.h"
#include "core/lru.h"
#include "core/mem.h"
#include "net/dns.h"
#include "net/dns_decode.h"
#include "policy/state_limits.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct answer {
    usec until; /* clock_monotonic */
    bool failed;
    uint8_t count;
    uint8_t addresses[DNS_LIST_ADDRESSES_MAX][4];
};

struct zone {
    unsigned failures; /* in a row */
    usec silent_until, warned;
};

struct dns_lists {
    struct lru *answers, *zones;
};

/* --- "zone=127.0.0.2..11*3" --- */

static bool parse_octet(struct str *rest, uint8_t *value)
{
    uint32_t n;
    size_t digits = 0;
    while (digits < rest->n && rest->p[digits] >= '0' && rest->p[digits] <= '9')
        digits++;
    if (!str_to_u32(str_head(*rest, digits), &n) || n > 255)
        return false;
    *value = (uint8_t)n;
    *rest = str_skip(*rest, digits);
    return true;
}

static bool parse_answers(struct str text, struct dns_list *list)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && !str_starts_with(text, STR(".")))
            return false;
        text = i > 0 ? str_skip(text, 1) : text;
        if (!parse_octet(&text, &list->octets[i].first))
            return false;
        list->octets[i].last = list->octets[i].first;
        if (!str_starts_with(text, STR("..")))
            continue;
        text = str_skip(text, 2);
        if (!parse_octet(&text, &list->octets[i].last) ||
            list->octets[i].last < list->octets[i].first)
            return false;
    }
    return text.n == 0 && list->octets[0].first == 127 && list->octets[0].last == 127;
}

static bool parse_weight(struct str text, int *weight)
{
    uint32_t n;
    bool negative = str_starts_with(text, STR("-"));
    if (!str_to_u32(negative ? str_skip(text, 1) : text, &n) || n == 0 || n > 1000)
        return false;
    *weight = negative ? -(int)n : (int)n;
    return true;
}

bool dns_list_parse(struct str text, struct arena *a, struct dns_list *list, struct err *e)
{
    struct str before_weight = text, weight, answers;
    const char *query;
    *list = (struct dns_list){.weight = 1, .any = true};
    weight = before_weight;
    before_weight = str_split(&weight, '*');
    answers = before_weight;
    struct str zone = str_split(&answers, '=');
    if (weight.p && !parse_weight(weight, &list->weight))
        return err_set(e, ERR_SYNTAX, "\"%.*s\": a weight from -1000 to 1000 is expected after *",
                       STR_ARG(text));
    list->any = answers.p == NULL;
    if (answers.p && !parse_answers(answers, list))
        return err_set(e, ERR_SYNTAX,
                       "\"%.*s\": answers such as 127.0.0.2 or 127.0.0.2..11 are expected after =",
                       STR_ARG(text));
    if (str_find_char(zone, '.') < 0 || !dns_query_name(zone, a, &query))
        return err_set(e, ERR_SYNTAX, "\"%.*s\": the domain of a list is expected", STR_ARG(text));
    list->zone = arena_lower(a, str_from_c(query));
    return true;
}

static bool matches(const struct dns_list *list, const struct answer *answer)
{
    for (int i = 0; i < answer->count; i++) {
        bool all = true;
        for (int k = 0; k < 4 && !list->any; k++)
            all = all && answer->addresses[i][k] >= list->octets[k].first &&
                  answer->addresses[i][k] <= list->octets[k].last;
        if (all)
            return true;
    }
    return false;
}

/* --- what is known --- */

struct dns_lists *dns_lists_new(void)
{
    struct dns_lists *l = MEM_NEW(struct dns_lists);
    l->answers = lru_new(sizeof(struct answer), DNS_LIST_ANSWERS_MAX);
    l->zones = lru_new(sizeof(struct zone), DNS_LIST_ZONES_MAX);
    return l;
}

void dns_lists_free(struct dns_lists *l)
{
    if (!l)
        return;
    lru_free(l->answers);
    lru_free(l->zones);
    free(l);
}

static bool is_silent(struct dns_lists *l, struct str zone)
{
    const struct zone *z = lru_peek(l->zones, zone);
    return z && clock_monotonic() < z->silent_until;
}

static void note_failure(struct dns_lists *l, struct str zone, const struct err *e)
{
    struct zone *z = lru_add(l->zones, zone);
    if (++z->failures < DNS_LIST_FAILURES_MAX)
        return;
    z->silent_until = clock_monotonic() + DNS_LIST_PAUSE;
    if (z->failures == DNS_LIST_FAILURES_MAX)
        log_warning("policy", NULL, "list does not answer list=%.*s reason=\"%s\": it is left out",
                    STR_ARG(zone), e->text);
}

static void note_success(struct dns_lists *l, struct str zone)
{
    struct zone *z = lru_peek(l->zones, zone);
    if (!z || z->failures == 0)
        return;
    if (z->failures >= DNS_LIST_FAILURES_MAX)
        log_info("policy", NULL, "list answers again list=%.*s", STR_ARG(zone));
    z->failures = 0;
    z->silent_until = 0;
}

static void warn_of_answer(struct dns_lists *l, struct str zone, const char *address)
{
    struct zone *z = lru_add(l->zones, zone);
    usec now = clock_monotonic();
    if (z->warned && now - z->warned < 3600 * USEC_SEC)
        return;
    z->warned = now;
    log_warning("policy", NULL,
                "list names nobody list=%.*s answer=%s: is it still in service, and for us?",
                STR_ARG(zone), address);
}

static void keep_address(struct dns_lists *l, struct str zone, struct answer *answer,
                         const char *text)
{
    uint8_t b[4];
    if (answer->count == DNS_LIST_ADDRESSES_MAX || inet_pton(AF_INET, text, b) != 1)
        return;
    bool refused = (b[1] == 255 && b[2] == 255) || (b[1] == 0 && b[2] == 0 && b[3] == 1);
    if (b[0] != 127 || refused)
        warn_of_answer(l, zone, text);
    else
        memcpy(answer->addresses[answer->count++], b, 4);
}

static void keep_answer(struct dns_lists *l, struct str zone, const struct dns_question *q)
{
    if (q->status == DNS_TEMPFAIL && q->error.kind == ERR_CANCELLED)
        return; /* the client has gone */
    struct answer *answer = lru_add(l->answers, q->name);
    usec ttl = (usec)q->answer.ttl * USEC_SEC;
    *answer = (struct answer){.failed = q->status == DNS_TEMPFAIL};
    if (q->status != DNS_FOUND || ttl > DNS_LIST_KEEP)
        ttl = DNS_LIST_KEEP;
    answer->until = clock_monotonic() + (ttl > DNS_LIST_KEEP_MIN ? ttl : DNS_LIST_KEEP_MIN);
    if (answer->failed) {
        note_failure(l, zone, &q->error);
        return;
    }
    note_success(l, zone);
    for (size_t i = 0; i < q->answer.count; i++)
        keep_address(l, zone, answer, q->answer.addresses[i].text);
}

static const struct answer *known(struct dns_lists *l, struct str name)
{
    const struct answer *answer = lru_find(l->answers, name);
    return answer && clock_monotonic() < answer->until ? answer : NULL;
}

/* --- asking --- */

struct asking {
    struct dns_lists *lists;
    struct arena *arena;
    struct str prefix;              /* "2.0.0.127." */
    struct dns_question *questions; /* to be sent */
    struct str *zones;              /* of each question */
    size_t count;
};

/* "2.0.0.127." */
static bool reversed(const char *address, struct arena *a, struct str *prefix)
{
    const char *query;
    if (!dns_reverse_name(address, a, &query))
        return false;
    struct str name = str_from_c(query);
    *prefix = str_head(name, name.n - (str_ends_with_nocase(name, STR("in-addr.arpa"))
                                           ? strlen("in-addr.arpa")
                                           : strlen("ip6.arpa")));
    return true;
}

static struct str question_name(const struct asking *x, struct str zone)
{
    return arena_printf(x->arena, "%.*s%.*s", STR_ARG(x->prefix), STR_ARG(zone));
}

static void add_question(struct asking *x, struct str zone)
{
    struct str name = question_name(x, zone);
    if (known(x->lists, name) || is_silent(x->lists, zone))
        return;
    for (size_t i = 0; i < x->count; i++)
        if (str_equal(x->zones[i], zone))
            return;
    x->zones[x->count] = zone;
    x->questions[x->count++].name = name;
}

static void add_hit(struct dns_list_result *result, const struct dns_list *list, int *highest,
                    struct arena *a)
{
    result->score += list->weight;
    result->zones = arena_printf(a, "%.*s%s%.*s*%d", STR_ARG(result->zones),
                                 result->zones.n ? ", " : "", STR_ARG(list->zone), list->weight);
    if (list->weight > *highest) {
        *highest = list->weight;
        result->listed = list->zone;
    }
}

static SUSPENDS void ask(struct asking *x, struct dns *d, const struct dns_list *lists,
                         size_t count, usec deadline, struct dns_list_result *result)
{
    int highest = 0;
    *result = (struct dns_list_result){.zones = STR(""), .listed = STR("")};
    x->questions = arena_array(x->arena, count, sizeof(*x->questions));
    x->zones = arena_array(x->arena, count, sizeof(*x->zones));
    for (size_t i = 0; i < count; i++)
        add_question(x, lists[i].zone);
    if (x->count > 0)
        dns_ipv4_all(d, x->questions, x->count, deadline, x->arena);
    for (size_t i = 0; i < x->count; i++)
        keep_answer(x->lists, x->zones[i], &x->questions[i]);
    for (size_t i = 0; i < count; i++) {
        const struct answer *answer = known(x->lists, question_name(x, lists[i].zone));
        if (!answer || answer->failed)
            result->failed++;
        else if (answer->count > 0 && matches(&lists[i], answer))
            add_hit(result, &lists[i], &highest, x->arena);
    }
}

bool dns_lists_ask(struct dns_lists *l, struct dns *d, const char *address,
                   const struct dns_list *lists, size_t count, usec deadline, struct arena *a,
                   struct dns_list_result *result)
{
    struct asking x = {.lists = l, .arena = a};
    if (!reversed(address, a, &x.prefix))
        return false;
    ask(&x, d, lists, count, deadline, result);
    return true;
}

bool dns_lists_ask_name(struct dns_lists *l, struct dns *d, struct str name,
                        const struct dns_list *lists, size_t count, usec deadline, struct arena *a,
                        struct dns_list_result *result)
{
    const char *query;
    struct asking x = {.lists = l, .arena = a};
    if (!dns_query_name(name, a, &query) || *query == '\0')
        return false;
    struct str lower = arena_lower(a, str_from_c(query));
    x.prefix = arena_printf(a, "%.*s.", STR_ARG(lower));
    ask(&x, d, lists, count, deadline, result);
    return true;
}

/* --- why --- */

struct str dns_lists_reason(struct dns *d, const char *address, struct str zone, usec deadline,
                            struct arena *a)
{
    struct dns_answer answer;
    struct err e;
    struct str prefix;
    if (!reversed(address, a, &prefix))
        return STR("");
    struct str name = arena_printf(a, "%.*s%.*s", STR_ARG(prefix), STR_ARG(zone));
    if (dns_txt_until(d, name, deadline, a, &answer, &e) != DNS_FOUND)
        return STR("");
    struct str text = str_head(answer.texts[0], DNS_LIST_REASON_MAX);
    char *clean = arena_c(a, text);
    for (size_t i = 0; i < text.n; i++)
        if (clean[i] < ' ' || clean[i] > '~')
            clean[i] = '?';
    return str_from(clean, text.n);
}

struct each_silent {
    usec now;
    void (*fn)(void *arg, struct str zone, usec until);
    void *arg;
};

static bool tell_silent(void *arg, void *value)
{
    const struct each_silent *x = arg;
    const struct zone *z = value;
    if (x->now < z->silent_until)
        x->fn(x->arg, lru_key(value), z->silent_until);
    return true;
}

void dns_lists_each_silent(struct dns_lists *l, usec now,
                           void (*fn)(void *arg, struct str zone, usec until), void *arg)
{
    struct each_silent x = {now, fn, arg};
    lru_each(l->zones, tell_silent, &x);
}
