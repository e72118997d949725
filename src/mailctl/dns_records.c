/*
 * mailctl dns records: the zone of a domain as it ought to be (zone.c), to be pasted, and with
 * --check how that compares with what DNS has. Each record is asked for in a fiber of its own; a
 * server that does not answer costs the time limit once.
 */
#include "mailctl/dns_records.h"

#include "core/mem.h"
#include "mailctl/crew.h"
#include "mailctl/screen.h"
#include "net/dns_decode.h"

#include <stdio.h>

#define CHECK_TIMEOUT (10 * USEC_SEC)
#define AT_A_TIME     32
#define COMMENT_WIDTH 78

/* --- facts --- */

/* False: *e; ERR_CLOSED: nobody answers, the facts say so. */
static bool ask_domain(struct mailctl *m, const char *domain, struct zone_facts *f, struct err *e)
{
    json_t *result = NULL;
    struct client *c = client_open(m, e);
    bool ok = c && client_call(c, "domain show", args_of("name", domain, NULL, NULL), &result, e);
    if (c)
        client_close(c);
    if (!ok)
        return false;
    f->directory_known = true;
    f->dkim_selector = arena_str(m->arena, str_from_c(text_of(result, "dkim_selector")));
    f->dkim_record = arena_str(m->arena, str_from_c(text_of(result, "dkim_record")));
    json_decref(result);
    return true;
}

void dns_facts_of_site(const struct site *s, const char *domain, struct zone_facts *f)
{
    const struct queue_settings *queue = config_block(s->config, &queue_settings_block);
    struct certificates c;
    *f = (struct zone_facts){.hostname = str_from_c(s->hostname),
                             .domain = arena_lower(s->arena, str_from_c(domain)),
                             .addresses = s->addresses,
                             .address_count = s->address_count,
                             .services = s->services,
                             .service_count = s->service_count,
                             .relay = str_from_c(queue->relay_host),
                             .dkim_selector = STR(""),
                             .dkim_record = STR(""),
                             .host_signed = ZONE_MAYBE_SIGNED};
    for (size_t i = 0; i < s->listener_count; i++)
        if (s->listeners[i].settings->protocol == SERVICE_HTTP && f->pages != ZONE_PAGES)
            f->pages = s->listeners[i].outside ? ZONE_PAGES : ZONE_PAGES_BEHIND;
    if (!site_read_certificates(s, f->hostname, s->arena, &c, NULL))
        return;
    f->tlsa = arena_array(s->arena, c.count, sizeof(*f->tlsa));
    for (; f->tlsa_count < c.count; f->tlsa_count++)
        f->tlsa[f->tlsa_count] = c.list[f->tlsa_count].tlsa;
}

/* --- comparing --- */

static const char *const state_names[] = {"published", "missing", "other", "unknown"};

const char *dns_state_name(enum dns_record_state state)
{
    return state_names[state];
}

static bool same_name(struct str in_zone, struct str found)
{
    if (in_zone.n > 0 && in_zone.p[in_zone.n - 1] == '.')
        in_zone = str_head(in_zone, in_zone.n - 1);
    return str_equal_nocase(in_zone, found);
}

static struct str dotted(struct arena *a, struct str name)
{
    return arena_printf(a, "%.*s.", STR_ARG(name));
}

/* What texts of one purpose begin with; at a name others may stand beside it. */
static struct str purpose_of(struct str text)
{
    ptrdiff_t end = str_find_char(text, ';'), blank = str_find_char(text, ' ');
    if (end < 0 || (blank >= 0 && blank < end))
        end = blank;
    return end < 0 ? text : str_head(text, (size_t)end);
}

/* Of a DKIM key or another list of tags blanks around the separators say nothing. */
bool dns_same_text(struct str x, struct str y)
{
    size_t i = 0, k = 0;
    for (;; i++, k++) {
        while (i < x.n && (x.p[i] == ' ' || x.p[i] == '\t'))
            i++;
        while (k < y.n && (y.p[k] == ' ' || y.p[k] == '\t'))
            k++;
        if (i == x.n || k == y.n)
            break;
        if (x.p[i] != y.p[k])
            return false;
    }
    struct str rest = i < x.n ? str_skip(x, i) : str_skip(y, k);
    return rest.n == 0 || str_equal(str_trim(rest), STR(";"));
}

struct look {
    struct dns *dns;
    usec deadline;
    struct arena *arena;
    struct dns_check *check;
};

static void found(struct look *l, struct str data, bool same)
{
    struct dns_check *c = l->check;
    if (same)
        c->state = DNS_RECORD_PUBLISHED;
    else if (c->state == DNS_RECORD_MISSING)
        c->state = DNS_RECORD_OTHER;
    if (c->found_count < DNS_CHECK_FOUND_MAX)
        c->found[c->found_count++] = data;
}

SUSPENDS static enum dns_status look_at_mx(struct look *l, struct err *e)
{
    const struct zone_record *r = l->check->record;
    struct dns_answer answer;
    enum dns_status status = dns_mx_until(l->dns, r->name, l->deadline, l->arena, &answer, e);
    struct str host = r->data;
    str_word(&host);
    for (size_t i = 0; status == DNS_FOUND && i < answer.count; i++)
        found(
            l,
            arena_printf(l->arena, "%u %.*s.", answer.mx[i].preference, STR_ARG(answer.mx[i].host)),
            same_name(str_trim(host), answer.mx[i].host));
    return status;
}

SUSPENDS static enum dns_status look_at_address(struct look *l, struct err *e)
{
    const struct zone_record *r = l->check->record;
    struct dns_answer answer;
    bool v6 = strcmp(r->type, "AAAA") == 0;
    enum dns_status status =
        dns_addresses_until(l->dns, r->name, l->deadline, l->arena, &answer, e);
    for (size_t i = 0; status == DNS_FOUND && i < answer.count; i++) {
        struct str text = str_from_c(answer.addresses[i].text);
        if ((str_find_char(text, ':') >= 0) == v6)
            found(l, text, str_equal(text, r->data));
    }
    return status;
}

SUSPENDS static enum dns_status look_at_text(struct look *l, struct err *e)
{
    const struct zone_record *r = l->check->record;
    struct dns_answer answer;
    enum dns_status status = dns_txt_until(l->dns, r->name, l->deadline, l->arena, &answer, e);
    struct str purpose = purpose_of(r->text);
    for (size_t i = 0; status == DNS_FOUND && i < answer.count; i++)
        if (str_equal_nocase(purpose_of(answer.texts[i]), purpose) || purpose.n == r->text.n)
            found(l, answer.texts[i], dns_same_text(answer.texts[i], r->text));
    return status;
}

SUSPENDS static enum dns_status look_at_pointer(struct look *l, struct err *e)
{
    const struct zone_record *r = l->check->record;
    struct dns_answer answer;
    /* The address is what the name was made of. */
    enum dns_status status =
        dns_reverse_until(l->dns, l->check->address, l->deadline, l->arena, &answer, e);
    for (size_t i = 0; status == DNS_FOUND && i < answer.count; i++)
        found(l, dotted(l->arena, answer.texts[i]), same_name(r->data, answer.texts[i]));
    return status;
}

SUSPENDS static enum dns_status look_at_tlsa(struct look *l, struct err *e)
{
    const struct zone_record *r = l->check->record;
    struct dns_answer answer;
    struct buf b = BUF_EMPTY;
    enum dns_status status = dns_tlsa_until(l->dns, r->name, l->deadline, l->arena, &answer, e);
    for (size_t i = 0; status == DNS_FOUND && i < answer.count; i++) {
        buf_clear(&b);
        tls_record_write(&b, &answer.tlsa[i]);
        found(l, arena_str(l->arena, buf_str(&b)), str_equal_nocase(buf_str(&b), r->data));
    }
    buf_free(&b);
    return status;
}

SUSPENDS static enum dns_status look_at_srv(struct look *l, struct err *e)
{
    const struct zone_record *r = l->check->record;
    struct dns_answer answer;
    struct str words = r->data;
    uint32_t port = 0;
    str_word(&words);
    str_word(&words);
    str_to_u32(str_word(&words), &port);
    enum dns_status status = dns_srv_until(l->dns, r->name, l->deadline, l->arena, &answer, e);
    for (size_t i = 0; status == DNS_FOUND && i < answer.count; i++) {
        const struct dns_srv *s = &answer.srv[i];
        found(l,
              arena_printf(l->arena, "%u %u %u %.*s.", s->priority, s->weight, s->port,
                           STR_ARG(s->host)),
              (s->port == port || s->host.n == 0) && same_name(str_trim(words), s->host));
    }
    return status;
}

SUSPENDS static enum dns_status look_at_alias(struct look *l, struct err *e)
{
    const struct zone_record *r = l->check->record;
    struct dns_answer answer;
    enum dns_status status = dns_alias_until(l->dns, r->name, l->deadline, l->arena, &answer, e);
    for (size_t i = 0; status == DNS_FOUND && i < answer.count; i++)
        found(l, dotted(l->arena, answer.texts[i]), same_name(r->data, answer.texts[i]));
    return status;
}

SUSPENDS void dns_check_record(struct dns *dns, usec deadline, struct arena *a, struct dns_check *c)
{
    static const struct {
        const char *type;
        enum dns_status (*look)(struct look *l, struct err *e);
    } ways[] = {{"MX", look_at_mx},    {"A", look_at_address},   {"AAAA", look_at_address},
                {"TXT", look_at_text}, {"PTR", look_at_pointer}, {"TLSA", look_at_tlsa},
                {"SRV", look_at_srv},  {"CNAME", look_at_alias}};
    struct look l = {.dns = dns, .deadline = deadline, .arena = a, .check = c};
    c->state = DNS_RECORD_MISSING;
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
        if (strcmp(ways[i].type, c->record->type) == 0 &&
            ways[i].look(&l, &c->error) == DNS_TEMPFAIL)
            c->state = DNS_RECORD_UNKNOWN;
}

/* --- the command --- */

struct asking {
    const struct site *site;
    struct zone_facts *facts;
    const struct dns_settings *settings;
    bool check;
    struct zone_section *zone;
    struct dns *dns;
    struct loop *loop;
    struct dns_check *checks;
    size_t count;
    struct err error;
};

static void check_one(void *arg, size_t i)
{
    struct asking *a = arg;
    dns_check_record(a->dns, deadline_in(CHECK_TIMEOUT), a->site->arena, &a->checks[i]);
}

static size_t list_checks(const struct site *s, const struct zone_section *zone,
                          struct dns_check **list)
{
    size_t n = 0, pointers = 0;
    for (const struct zone_section *z = zone; z; z = z->next)
        for (const struct zone_record *r = z->records; r; r = r->next)
            n++;
    *list = arena_array(s->arena, n, sizeof(**list));
    n = 0;
    for (const struct zone_section *z = zone; z; z = z->next)
        for (const struct zone_record *r = z->records; r; r = r->next) {
            struct dns_check *c = &(*list)[n++];
            c->section = z;
            c->record = r;
            if (strcmp(r->type, "PTR") == 0)
                c->address = s->addresses[pointers++];
        }
    return n;
}

SUSPENDS static void see_whether_signed(struct dns *dns, const struct site *s, struct zone_facts *f)
{
    struct dns_answer answer;
    struct err e;
    if (!dns_validates(dns))
        return;
    switch (
        dns_addresses_until(dns, f->hostname, deadline_in(CHECK_TIMEOUT), s->arena, &answer, &e)) {
    case DNS_FOUND:
    case DNS_NOT_FOUND:
        f->host_signed = answer.secure ? ZONE_SIGNED : ZONE_UNSIGNED;
        break;
    case DNS_TEMPFAIL:
        break;
    }
}

static void ask_dns(struct loop *l, void *arg)
{
    struct asking *a = arg;
    a->loop = l;
    a->dns = dns_new(l, a->settings, &a->error);
    if (!a->dns)
        return;
    see_whether_signed(a->dns, a->site, a->facts);
    a->zone = zone_build(a->facts, a->site->arena);
    a->count = list_checks(a->site, a->zone, &a->checks);
    if (a->check)
        crew_run(l, a->count, AT_A_TIME, check_one, a, DEADLINE_NONE);
    dns_free(a->dns);
}

/* --- printing --- */

/* Lines of a comment; those that begin with a blank stay as they are. */
static void print_comment(struct str text)
{
    struct str line, word;
    for (struct str rest = text; rest.n > 0 && (line = str_split(&rest, '\n')).p;) {
        if (str_starts_with(line, STR(" "))) {
            printf("; %.*s\n", STR_ARG(line));
            continue;
        }
        size_t column = 0;
        while ((word = str_word(&line)).p) {
            bool wrap = column > 0 && column + 1 + word.n > COMMENT_WIDTH;
            printf("%s%.*s", column == 0 ? "; " : wrap ? "\n; " : " ", STR_ARG(word));
            column = (column == 0 || wrap ? 1 : column + 1) + word.n;
        }
        printf("\n");
    }
}

static void print_record(const struct zone_record *r)
{
    printf("%s%.*s.%*s %d IN %-4s %.*s\n", r->waits || r->elsewhere ? ";" : "", STR_ARG(r->name),
           r->name.n < 34 ? (int)(34 - r->name.n) : 0, "", ZONE_TTL, r->type, STR_ARG(r->data));
}

static void print_state(const struct dns_check *c)
{
    switch (c->state) {
    case DNS_RECORD_PUBLISHED:
        printf(";   %spublished%s\n", shade_begin(SHADE_GOOD), shade_end());
        return;
    case DNS_RECORD_MISSING:
        printf(";   %smissing%s\n", shade_begin(dns_check_fails(c) ? SHADE_BAD : SHADE_DIM),
               shade_end());
        return;
    case DNS_RECORD_UNKNOWN:
        printf(";   %sunknown%s: ", shade_begin(SHADE_WARN), shade_end());
        print_clean(str_from_c(c->error.text));
        putchar('\n');
        return;
    case DNS_RECORD_OTHER:
        break;
    }
    for (size_t i = 0; i < c->found_count; i++) {
        printf(";   %sother%s: ", shade_begin(SHADE_WARN), shade_end());
        print_clean(c->found[i]);
        putchar('\n');
    }
}

static void print_zone(const struct asking *a)
{
    const struct zone_facts *f = a->facts;
    const struct dns_check *c = a->checks;
    struct arena *arena = a->site->arena;
    print_comment(arena_printf(
        arena,
        "Records for mail of %.*s; its server is %.*s. To be pasted into the zone; what begins "
        "with a semicolon is a comment: words, and records that something has to be done for "
        "first or that belong into another zone.",
        STR_ARG(f->domain), STR_ARG(f->hostname)));
    for (const struct zone_section *z = a->zone; z; z = z->next) {
        printf("\n");
        print_comment(arena_printf(arena, "%s: %.*s", z->title, STR_ARG(z->why)));
        if (z->notes.n > 0)
            print_comment(z->notes);
        for (const struct zone_record *r = z->records; r; r = r->next, c++) {
            if (r->elsewhere && strcmp(r->type, "PTR") != 0)
                print_comment(arena_printf(arena, "In the zone of %.*s:", STR_ARG(r->name)));
            print_record(r);
            if (a->check)
                print_state(c);
        }
    }
}

static json_t *record_json(const struct asking *a, const struct dns_check *c)
{
    static const char *const needs[] = {"must", "should", "may"};
    const struct zone_record *r = c->record;
    json_t *json = json_pack("{s:s, s:s, s:o, s:s, s:i, s:o, s:b, s:b}", "section", c->section->key,
                             "need", needs[c->section->need], "name", json_str(r->name), "type",
                             r->type, "ttl", ZONE_TTL, "data", json_str(r->data), "waits", r->waits,
                             "elsewhere", r->elsewhere);
    if (!a->check)
        return json;
    json_t *list = json_array();
    for (size_t i = 0; i < c->found_count; i++)
        json_array_append_new(list, json_str(c->found[i]));
    json_object_set_new(json, "state", json_string(dns_state_name(c->state)));
    json_object_set_new(json, "found", list);
    if (c->state == DNS_RECORD_UNKNOWN)
        json_object_set_new(json, "error", json_string(c->error.text));
    return json;
}

static void print_zone_json(const struct asking *a)
{
    json_t *json = json_object(), *records = json_array(), *notes = json_object();
    for (size_t i = 0; i < a->count; i++)
        json_array_append_new(records, record_json(a, &a->checks[i]));
    for (const struct zone_section *z = a->zone; z; z = z->next)
        if (z->notes.n > 0)
            json_object_set_new(notes, z->key, json_str(z->notes));
    json_object_set_new(json, "domain", json_str(a->facts->domain));
    json_object_set_new(json, "hostname", json_str(a->facts->hostname));
    json_object_set_new(json, "records", records);
    json_object_set_new(json, "notes", notes);
    print_json(json);
    json_decref(json);
}

/* Of SPF and DMARC another record may be just as good: doctor judges it. */
bool dns_check_fails(const struct dns_check *c)
{
    bool free = strcmp(c->section->key, "spf") == 0 || strcmp(c->section->key, "dmarc") == 0;
    if (c->section->need == ZONE_MAY || c->record->waits)
        return c->state == DNS_RECORD_OTHER && strcmp(c->section->key, "tlsa") == 0;
    return c->state == DNS_RECORD_UNKNOWN || c->state == DNS_RECORD_MISSING ||
           (c->state == DNS_RECORD_OTHER && !free);
}

static int exit_status(const struct asking *a)
{
    for (size_t i = 0; a->check && i < a->count; i++)
        if (dns_check_fails(&a->checks[i]))
            return EXIT_FAILED;
    return EXIT_OK;
}

int command_dns_records(struct mailctl *m, const struct arguments *a)
{
    struct err e;
    struct site site;
    struct zone_facts facts;
    const char *domain;
    if (!mailctl_settings(m, &e) || !site_load(m, a, &site, &e))
        return fail_error(&e);
    if (!dns_query_name(str_from_c(a->words[0]), m->arena, &domain))
        return fail("%s: no such name is possible", a->words[0]);
    dns_facts_of_site(&site, domain, &facts);
    if (!ask_domain(m, domain, &facts, &e) && e.kind != ERR_CLOSED)
        return fail_error(&e);
    struct asking asking = {.site = &site,
                            .facts = &facts,
                            .settings = config_block(m->config, &dns_settings_block),
                            .check = option(a, "--check") != NULL};
    if (!with_loop(ask_dns, &asking, &e) || !asking.zone)
        return fail_error(asking.error.kind ? &asking.error : &e);
    if (m->json)
        print_zone_json(&asking);
    else
        print_zone(&asking);
    return exit_status(&asking);
}
