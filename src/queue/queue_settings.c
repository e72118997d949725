/*
 * The settings of the queue, and the copy of them that deliveries use: a reload replaces the
 * queue's copy, while a delivery under way keeps the one it began with.
 */
#include "core/mem.h"
#include "net/host_port.h"
#include "net/tls.h"
#include "queue/queue_internal.h"
#include "queue/routes.h"

#include <stdlib.h>

static const char *const relay_tls_choices[] = {"opportunistic", "required", NULL};

#define OFFSET(field) offsetof(struct queue_settings, field)
#define HOUR          (3600 * USEC_SEC)
#define DAY           (24 * HOUR)

static const struct setting queue_setting_table[] = {
    {"retry_first", SETTING_DURATION, OFFSET(retry_first), "5m", USEC_SEC, DAY, NULL,
     "Time until the second attempt to deliver to another server; doubled with each further one."},
    {"retry_max", SETTING_DURATION, OFFSET(retry_max), "1h", USEC_SEC, DAY, NULL,
     "Longest time between two attempts."},
    {"lifetime", SETTING_DURATION, OFFSET(lifetime), "4d", USEC_SEC, 30 * DAY, NULL,
     "After this time a message that could not be delivered goes back to its sender."},
    {"delay_warning", SETTING_DURATION, OFFSET(delay_warning), "4h", 0, 30 * DAY, NULL,
     "After this time the sender is told once that the message is delayed; 0: not at all."},
    {"memory_max", SETTING_SIZE, OFFSET(memory_max), "512M", 0, (int64_t)1 << 40, NULL,
     "Memory for what waits; when it is used up, mail for others is refused for the time being "
     "(452 "
     "4.3.1). A message takes about 600 bytes, and each further recipient of it 100 to 500. 0: no "
     "limit."},
    {"connections_max", SETTING_NUMBER, OFFSET(connections_max), "200", 1, 10000, NULL,
     "Outgoing connections at a time that carry mail. Attempts to reach servers that have not "
     "answered lately are counted apart, so that dead ones do not take the others' connections."},
    {"connections_per_destination", SETTING_NUMBER, OFFSET(connections_per_destination), "20", 1,
     1000, NULL,
     "Outgoing connections at a time to one destination. How many there really are is found out "
     "by trying: more while mail gets through, fewer when connections are refused."},
    {"connections_at_first", SETTING_NUMBER, OFFSET(connections_at_first), "5", 1, 1000, NULL,
     "Connections to a destination to begin with, when its server has answered for the first "
     "time."},
    {"connection_linger", SETTING_DURATION, OFFSET(connection_linger), "2s", 0, 60 * USEC_SEC, NULL,
     "A connection with nothing left to do waits so long for more mail to the same destination, "
     "if that gets mail often and no other destination needs the connection; 0: not at all."},
    {"rate", SETTING_STRING, OFFSET(rate), "", 0, 0, NULL,
     "Most messages to one destination in a time, such as 100/1m; the limits of routes count "
     "beside it. Reports are not held up. Empty: no limit."},
    {"source_rate", SETTING_STRING, OFFSET(source_rate), "", 0, 0, NULL,
     "The same for all messages that leave from one address of this server, whatever their "
     "destination."},
    {"relay_host", SETTING_STRING, OFFSET(relay_host), "", 0, 0, NULL,
     "Server that all mail for others goes to: \"host:port\" or \"[address]:port\". TLS from the "
     "first byte on port 465. Empty: by the MX records of each domain."},
    {"relay_user", SETTING_STRING, OFFSET(relay_user), "", 0, 0, NULL,
     "Login at the relay host (AUTH PLAIN); needs relay_tls required."},
    {"relay_password", SETTING_SECRET, OFFSET(relay_password), "", 0, 0, NULL,
     "Password at the relay host."},
    {"relay_tls", SETTING_CHOICE, OFFSET(relay_tls), "opportunistic", 0, 0, relay_tls_choices,
     "Required: mail goes to the relay host over TLS with a verified certificate or not at all. "
     "Opportunistic: TLS without verification where it is offered."},
    {"smtp_port", SETTING_NUMBER, OFFSET(smtp_port), "25", 1, 65535, NULL,
     "Port of other servers."},
    {"return_size_max", SETTING_SIZE, OFFSET(return_size_max), "1M", 0, (int64_t)1 << 30, NULL,
     "Largest message that is returned whole with the report of its failure, when its sender asked "
     "for that (RET=FULL); of larger ones the header is."},
    {"report_text", SETTING_STRING, OFFSET(report_text), "", 0, 0, NULL,
     "Words added to the text of reports, about who helps: \"Our help desk: extension 123\"."},
    {"double_bounces", SETTING_BOOL, OFFSET(double_bounces), "yes", 0, 0, NULL,
     "The postmaster gets what could not be delivered and has no sender who could be told: reports "
     "that nobody takes, most of all. At most 50 in an hour; when the postmaster cannot be reached "
     "either, it stands in the log."},
    {"soft_bounce", SETTING_BOOL, OFFSET(soft_bounce), "no", 0, 0, NULL,
     "Permanent failures are treated as temporary ones until the end of a message's life: a net "
     "for the time of changes, so that no mail goes back to its sender because of a mistake."},
    {0},
};

bool relay_host_parse(struct str text, struct str *host, uint16_t *port)
{
    return host_port_parse(text, host, port);
}

static bool check_settings(const void *values, struct err *e)
{
    const struct queue_settings *s = values;
    struct str host;
    uint16_t port = 0;
    struct pacing ignored;
    if ((*s->rate && !route_rate_parse(s->rate, &ignored)) ||
        (*s->source_rate && !route_rate_parse(s->source_rate, &ignored)))
        return err_set(e, ERR_SYNTAX,
                       "rate, source_rate: expected messages in a time such as 100/1m");
    if (s->retry_max < s->retry_first)
        return err_set(e, ERR_SYNTAX, "retry_max is less than retry_first");
    if (*s->relay_host && !relay_host_parse(str_from_c(s->relay_host), &host, &port))
        return err_set(e, ERR_SYNTAX,
                       "relay_host \"%s\": expected \"host:port\" or \"[address]:port\"",
                       s->relay_host);
    if (*s->relay_user && !*s->relay_host)
        return err_set(e, ERR_SYNTAX, "relay_user is set, but no relay_host");
    if (*s->relay_user && s->relay_tls != QUEUE_RELAY_TLS_REQUIRED)
        return err_set(e, ERR_SYNTAX,
                       "relay_user needs \"relay_tls required\": a password is only sent to a "
                       "server whose certificate was verified");
    return true;
}

const struct settings_block queue_settings_block = {
    .name = "queue",
    .help = "Mail for other servers: retries, reports, and where it goes.",
    .size = sizeof(struct queue_settings),
    .settings = queue_setting_table,
    .check = check_settings,
};

struct queue_config *queue_config_new(const struct queue_settings *s, struct tls_context *tls,
                                      struct queue_rules *rules)
{
    struct queue_config *c = MEM_NEW(struct queue_config);
    c->references = 1;
    c->strings = arena_new();
    c->settings = *s;
    c->settings.relay_host = arena_c(c->strings, str_from_c(s->relay_host));
    c->settings.relay_user = arena_c(c->strings, str_from_c(s->relay_user));
    c->settings.relay_password = arena_c(c->strings, str_from_c(s->relay_password));
    c->settings.report_text = arena_c(c->strings, str_from_c(s->report_text));
    /* Parsed here, the texts do not live as long. */
    route_rate_parse(s->rate, &c->destination_rate);
    route_rate_parse(s->source_rate, &c->source_rate);
    c->settings.rate = c->settings.source_rate = "";
    c->tls = tls ? tls_context_ref(tls) : NULL;
    c->rules = rules ? queue_rules_ref(rules) : NULL;
    return c;
}

struct queue_config *queue_config_ref(struct queue_config *c)
{
    c->references++;
    return c;
}

void queue_config_unref(struct queue_config *c)
{
    if (--c->references > 0)
        return;
    if (c->tls)
        tls_context_unref(c->tls);
    queue_rules_unref(c->rules);
    arena_free(c->strings);
    free(c);
}
