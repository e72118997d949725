/*
 * The same questions in the same order as for mail that is sent (destination_key.c, next_hop.c),
 * each written down with its answer. What decides in the end is asked of those files, so that the
 * explanation cannot say anything else than what happens.
 */
#include "queue/route_explain.h"

#include "mime/address.h"
#include "net/host_port.h"
#include "queue/destination_key.h"
#include "queue/next_hop.h"
#include "queue/queue_internal.h"
#include "queue/srs_queue.h"

/* Final addresses that are explained. */
#define WAYS_MAX 20
/* Hosts whose addresses are looked up. */
#define HOSTS_MAX 40

const char *next_hop_tls_name(enum next_hop_tls tls)
{
    static const char *const names[] = {"opportunistic", "none", "encrypt", "verify", "dane"};
    return names[tls];
}

const struct route_table *queue_route_table(const struct queue *q)
{
    static const struct route_table none = {.count = 0};
    return q->config->rules ? &q->config->rules->routes : &none;
}

struct explaining {
    struct queue *queue;
    struct arena *arena;
    struct route_question question; /* folded */
    struct str sender;              /* as it was handed in */
    struct str forwarder;           /* domain of the address here that sends it on; "" : none */
    struct route_way *way;
    bool decided;
};

static void step(struct explaining *x, const char *what, bool decides, struct str why)
{
    struct route_way *w = x->way;
    w->steps[w->step_count++] =
        (struct route_step){.what = what, .decides = decides && !x->decided, .why = why};
    x->decided |= decides;
}

/* --- rules --- */

static struct str why_not(const struct explaining *x, const struct route_rule *rule,
                          enum route_fit fit)
{
    switch (fit) {
    case ROUTE_OTHER_RECIPIENT:
        return STR("not for this recipient");
    case ROUTE_OTHER_SENDER:
        return STR("not for this sender");
    case ROUTE_OTHER_LOGIN:
        return x->question.login.n > 0 ? STR("not for this login") : STR("needs a login");
    case ROUTE_NO_CREDENTIALS:
        return arena_printf(x->arena, "neither sender nor login stands in %s",
                            rule->settings->credentials);
    case ROUTE_NOT_OF_DOMAIN:
        return STR("does not name the recipient, whose domain has its own way");
    case ROUTE_FITS:
        break;
    }
    return x->decided ? STR("would fit, but what stands above decides") : STR("fits");
}

static void ask_rules(struct explaining *x, bool by_recipient)
{
    const struct route_table *table = queue_route_table(x->queue);
    for (size_t i = 0; i < table->count; i++) {
        const struct route_rule *rule = &table->list[i];
        const struct credential *credential;
        if ((rule->recipient.count > 0) != by_recipient)
            continue;
        enum route_fit fit = route_rule_fit(rule, &x->question, &credential);
        struct str why = why_not(x, rule, fit);
        if (fit == ROUTE_FITS && credential && !x->decided)
            why = arena_printf(x->arena, "fits; logs in as %.*s does", STR_ARG(credential->key));
        step(x, arena_printf(x->arena, "route %s", rule->settings->name).p, fit == ROUTE_FITS, why);
    }
}

/* --- hosts --- */

static struct route_host *add_host(struct explaining *x, const struct route_host *host)
{
    struct route_way *w = x->way;
    if (w->host_count == HOSTS_MAX)
        return NULL;
    w->hosts[w->host_count] = *host;
    return &w->hosts[w->host_count++];
}

/* Each of its addresses, or why there is none. */
SUSPENDS static void add_addresses(struct explaining *x, struct route_host host)
{
    struct dns_answer answer = {.count = 0};
    struct err e = {.kind = ERR_NONE};
    if (host_is_numeric(host.name)) {
        host.address = host.name;
        add_host(x, &host);
        return;
    }
    switch (dns_addresses(x->queue->context.dns, host.name, x->arena, &answer, &e)) {
    case DNS_FOUND:
        for (size_t i = 0; i < answer.count; i++) {
            host.address = arena_str(x->arena, str_from_c(answer.addresses[i].text));
            add_host(x, &host);
        }
        return;
    case DNS_NOT_FOUND:
        host.problem = STR("has no address");
        break;
    case DNS_TEMPFAIL:
        host.problem = arena_str(x->arena, str_from_c(e.text));
        break;
    }
    add_host(x, &host);
}

SUSPENDS static void add_named(struct explaining *x, const struct string_list *list, bool fallback)
{
    for (size_t i = 0; i < list->count; i++) {
        struct str text = str_from_c(list->items[i]);
        uint16_t port = (uint16_t)x->queue->config->settings.smtp_port;
        struct route_host host = {.preference = -1, .fallback = fallback};
        if (str_starts_with(text, STR("unix:"))) {
            host.name = host.address = str_skip(text, 5);
            add_host(x, &host);
        } else if (host_port_parse(text, &host.name, &port)) {
            host.port = port;
            add_addresses(x, host);
        }
    }
}

SUSPENDS static void add_by_mx(struct explaining *x, struct str domain)
{
    struct dns_answer mx = {.count = 0};
    struct err e = {.kind = ERR_NONE};
    struct route_host host = {
        .name = domain, .port = (uint16_t)x->queue->config->settings.smtp_port, .preference = -1};
    if (str_starts_with(domain, STR("["))) {
        add_host(x, &host);
        return;
    }
    switch (dns_mx(x->queue->context.dns, domain, x->arena, &mx, &e)) {
    case DNS_NOT_FOUND:
        add_addresses(x, host);
        return;
    case DNS_TEMPFAIL:
        host.problem = arena_str(x->arena, str_from_c(e.text));
        add_host(x, &host);
        return;
    case DNS_FOUND:
        break;
    }
    for (size_t i = 0; i < mx.count && x->way->host_count < HOSTS_MAX; i++) {
        host.name = mx.mx[i].host;
        host.preference = mx.mx[i].preference;
        host.problem = STR("the domain takes no mail (null MX)");
        if (host.name.n == 0) {
            add_host(x, &host);
            continue;
        }
        host.problem = STR("");
        add_addresses(x, host);
    }
}

/* --- a way --- */

/* Where the key leads, in the words of those who send. */
SUSPENDS static void follow_key(struct explaining *x)
{
    struct route_way *w = x->way;
    struct queue_config *config = queue_config_ref(x->queue->config);
    struct err e = {.kind = ERR_NONE};
    w->key = arena_str(x->arena, destination_key_of(config, &x->question, x->arena));
    w->pacing = destination_key_pacing(config, w->key);
    switch (next_hop_find(x->queue->context.directory, config, w->key, x->arena, &w->hop, &e)) {
    case NEXT_HOP_SINK:
        w->outcome = ROUTE_IS_DROPPED;
        break;
    case NEXT_HOP_HERE:
        w->outcome = ROUTE_STAYS_HERE;
        break;
    case NEXT_HOP_LATER:
        w->outcome = ROUTE_GOES_NOWHERE;
        w->text = arena_str(x->arena, str_from_c(e.text));
        break;
    case NEXT_HOP_SEND:
        w->outcome = ROUTE_GOES_OUT;
        if (w->hop.by_mx)
            add_by_mx(x, destination_key_domain(w->key));
        else
            add_named(x, &w->hop.hosts, false);
        add_named(x, &w->hop.fallback, true);
        break;
    }
    /* The strings of the hop live as long as the configuration. */
    w->hop.route = arena_c(x->arena, str_from_c(w->hop.route));
    w->hop.user = arena_c(x->arena, str_from_c(w->hop.user));
    w->hop.mechanisms = arena_c(x->arena, str_from_c(w->hop.mechanisms));
    w->hop.source_ipv4 = arena_c(x->arena, str_from_c(w->hop.source_ipv4));
    w->hop.source_ipv6 = arena_c(x->arena, str_from_c(w->hop.source_ipv6));
    w->hop.helo = arena_c(x->arena, str_from_c(w->hop.helo));
    w->hop.password = "";
    for (size_t i = 0; i < w->host_count; i++)
        w->hosts[i].name = arena_str(x->arena, w->hosts[i].name);
    queue_config_unref(config);
}

/* Of mail that an address here sends on. */
SUSPENDS static struct str sender_of_forwarded(struct explaining *x)
{
    struct str sender = x->sender;
    struct domain domain;
    struct err ignored;
    if (x->forwarder.n == 0 || x->question.relay_domain || sender.n == 0 ||
        directory_find_domain_or_parent(x->queue->context.directory, str_after_last(sender, '@'),
                                        x->arena, &domain, &ignored) == LOOKUP_FOUND)
        return STR("");
    return queue_srs_forward(x->queue, sender, x->forwarder, x->arena);
}

/* target: of the question's recipient. */
SUSPENDS static void explain_remote(struct explaining *x, const struct route_target *target)
{
    struct str domain = str_after_last(target->address, '@');
    const struct queue_settings *s = &x->queue->config->settings;
    x->question.recipient = address_fold(target->address, x->arena);
    bool is_host = target->kind == TARGET_HOST;
    x->question.relay_domain = target->kind == TARGET_RELAY || is_host;
    x->question.mail_host = is_host ? arena_lower(x->arena, target->account.mail_host) : STR("");
    x->way->sender = sender_of_forwarded(x);
    x->question.sender = x->way->sender.n > 0 ? address_fold(x->way->sender, x->arena) : x->sender;
    if (!x->question.relay_domain)
        step(x, "directory", false, arena_printf(x->arena, "%.*s is not ours", STR_ARG(domain)));
    ask_rules(x, true);
    if (is_host)
        step(x, "directory", true,
             arena_printf(x->arena, "%.*s has the mailbox", STR_ARG(x->question.mail_host)));
    else if (x->question.relay_domain)
        step(x, "directory", true,
             arena_printf(x->arena, "%.*s is a relay domain", STR_ARG(domain)));
    ask_rules(x, false);
    if (*s->relay_host)
        step(x, "relay host", true, arena_str(x->arena, str_from_c(s->relay_host)));
    step(x, "MX", true, arena_printf(x->arena, "the servers of %.*s", STR_ARG(domain)));
    follow_key(x);
}

SUSPENDS static void explain_target(struct explaining *x, const struct route_target *target)
{
    x->way->recipient = arena_str(x->arena, target->address);
    x->decided = false;
    switch (target->kind) {
    case TARGET_MAILBOX:
        step(x, "directory", true, STR("a mailbox here"));
        x->way->outcome = ROUTE_STAYS_HERE;
        return;
    case TARGET_WAITING:
        step(x, "directory", true, STR("it takes no mail just now"));
        x->way->outcome = ROUTE_GOES_NOWHERE;
        x->way->text = STR("it waits in the queue until the mailbox takes mail again");
        return;
    case TARGET_PUBLIC:
        step(x, "directory", true, STR("a public mailbox here"));
        x->way->outcome = ROUTE_STAYS_HERE;
        return;
    case TARGET_SINK:
        step(x, "directory", true, STR("it is accepted and dropped"));
        x->way->outcome = ROUTE_IS_DROPPED;
        return;
    case TARGET_HOST:
    case TARGET_RELAY:
    case TARGET_REMOTE:
        explain_remote(x, target);
        return;
    }
}

SUSPENDS bool route_explain(struct queue *q, const struct route_question *question, struct arena *a,
                            struct route_way **ways, size_t *count, struct err *e)
{
    struct address address;
    const char *reason;
    struct explaining x = {.queue = q, .arena = a, .question = route_question_fold(question, a)};
    if (!address_parse(a, question->recipient, ADDRESS_UTF8, &address, &reason))
        return err_set(e, ERR_SYNTAX, "\"%.*s\": %s", STR_ARG(str_head(question->recipient, 80)),
                       reason);
    struct route *route = route_recipient(q->context.router, question->recipient, a);
    x.sender = x.question.sender;
    x.forwarder = route->domain ? route->domain->name : STR("");
    size_t targets = route->count < WAYS_MAX ? route->count : WAYS_MAX;
    size_t steps = queue_route_table(q)->count + 4;
    *count = targets ? targets : 1;
    *ways = arena_array(a, *count, sizeof(**ways));
    for (size_t i = 0; i < *count; i++) {
        x.way = &(*ways)[i];
        x.way->steps = arena_array(a, steps, sizeof(*x.way->steps));
        x.way->hosts = arena_array(a, HOSTS_MAX, sizeof(*x.way->hosts));
        x.way->hop = next_hop_by_mx();
        if (targets)
            explain_target(&x, &route->targets[i]);
    }
    if (targets == 0) {
        x.way = *ways;
        x.way->recipient = arena_str(a, question->recipient);
        x.way->outcome = ROUTE_GOES_NOWHERE;
        x.way->text = arena_str(a, str_from_c(route->error->text));
        step(&x, "directory", true, x.way->text);
    }
    return true;
}
