/*
 * doctor: can a stranger send through this server? Asked in three ways, none of which sends
 * anything:
 *   - the configuration: networks that may relay, or log in nowhere, and are far too wide
 *   - the server: what a stranger would hear who names a recipient elsewhere
 *   - SMTP itself, from an address that is not trusted, with the forms that have fooled others
 *     (a route in front, a percent sign, an exclamation mark)
 */
#include "core/loop.h"
#include "mailctl/doctor.h"
#include "net/host_list.h"
#include "net/network.h"
#include "net/stream.h"
#include "policy/rule.h"

#define LINE_MAX  4096
#define LINES_MAX 100 /* of a reply */
#define REPLY_MAX 200 /* bytes of one that are told */
#define ELSEWHERE "open-relay-test@relay.invalid"

/* Networks of more than so many bits are not one's own. */
#define WIDE_V4 8
#define WIDE_V6 20

static void judge_list(struct doctor_job *j, const char *setting, const struct string_list *list)
{
    struct network n;
    for (size_t i = 0; i < list->count; i++) {
        struct str item = str_from_c(list->items[i]);
        if (!network_parse(&n, item, NULL) || n.bits >= (n.first.v6 ? WIDE_V6 : WIDE_V4))
            continue;
        if (!site_network_is_public(&n)) /* fc00::/7 */
            continue;
        doctor_found(j, DOCTOR_BAD, setting,
                     "%s: strangers are in this network, and may send through this server",
                     list->items[i]);
        doctor_mend(j, "policy { %s = ... } in %s: name your own networks", setting,
                    j->doctor->mailctl->config_path);
    }
}

SUSPENDS static void ask_server(struct doctor_job *j)
{
    json_t *result = NULL;
    struct err e;
    if (!doctor_ask(j->doctor, "verify", args_of("address", ELSEWHERE, NULL, NULL), j->deadline,
                    &result, NULL, &e)) {
        doctor_found(j, DOCTOR_WARN, "", "the server cannot say: %s", e.text);
        return;
    }
    if (strcmp(text_of(result, "fate"), "accepted") == 0)
        doctor_found(j, DOCTOR_BAD, "", "the server takes mail of strangers for others");
    else
        doctor_found(j, DOCTOR_GOOD, "", "the server refuses mail of strangers for others: %lld %s",
                     (long long)number_of(result, "code"), text_of(result, "text"));
    json_decref(result);
}

/* --- SMTP --- */

/* The last line of the reply to a command; text NULL: of the greeting. */
SUSPENDS static bool command(struct doctor_job *j, struct stream *s, const char *text,
                             struct str *reply, struct err *e)
{
    doctor_limit(s, j->deadline);
    if (text && !(stream_printf(s, e, "%s\r\n", text) && stream_flush(s, e)))
        return false;
    for (size_t i = 0; i < LINES_MAX; i++) {
        doctor_limit(s, j->deadline);
        if (!stream_read_line(s, LINE_MAX, reply, NULL, e))
            return false;
        if (reply->n < 4 || reply->p[3] != '-')
            return true;
    }
    return err_set(e, ERR_LIMIT, "a reply without an end");
}

SUSPENDS static bool is_taken(struct doctor_job *j, struct stream *s, const char *text,
                              const char *what, struct err *e)
{
    struct str reply;
    return command(j, s, text, &reply, e) &&
           (str_starts_with(reply, STR("2")) ||
            err_set(e, ERR_DENIED, "%s: %.*s", what, STR_ARG(str_head(reply, REPLY_MAX))));
}

/* Up to where recipients can be named. A sender that does not exist may be refused, and the empty
 * one be taken. */
SUSPENDS static bool begin_mail(struct doctor_job *j, struct stream *s, struct err *e)
{
    if (!is_taken(j, s, NULL, "it greets with", e) ||
        !is_taken(j, s, "EHLO doctor.invalid", "EHLO", e))
        return false;
    return is_taken(j, s, "MAIL FROM:<doctor@doctor.invalid>", "MAIL FROM", e) ||
           (e->kind == ERR_DENIED && is_taken(j, s, "MAIL FROM:<>", "MAIL FROM", e));
}

/* False: *e says why it says nothing of recipients elsewhere. */
SUSPENDS static bool try_recipients(struct doctor_job *j, struct stream *s, const char *subject,
                                    struct err *e)
{
    const char *host = j->doctor->site.hostname;
    const struct str forms[] = {
        STR("<" ELSEWHERE ">"),
        arena_printf(j->arena, "<@%s:" ELSEWHERE ">", host),
        STR("<relay.invalid!open-relay-test>"),
        arena_printf(j->arena, "<open-relay-test%%relay.invalid@%s>", host),
        arena_printf(j->arena, "<\"" ELSEWHERE "\"@%s>", host),
    };
    struct str reply;
    size_t refused = 0, taken = 0;
    if (!begin_mail(j, s, e))
        return false;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        struct str line = arena_printf(j->arena, "RCPT TO:%.*s", STR_ARG(forms[i]));
        if (!command(j, s, line.p, &reply, e))
            break; /* it has had enough, which is its right */
        if (str_starts_with(reply, STR("5"))) {
            refused++;
        } else if (str_starts_with(reply, STR("2"))) {
            doctor_found(j, DOCTOR_BAD, subject, "it takes mail from a stranger for %.*s",
                         STR_ARG(forms[i]));
            taken++;
        } else {
            err_set(e, ERR_TEMP, "it says: %.*s", STR_ARG(str_head(reply, REPLY_MAX)));
        }
    }
    if (taken == 0 && refused > 0)
        doctor_found(j, DOCTOR_GOOD, subject, "it refuses recipients elsewhere, in %zu form%s",
                     refused, refused == 1 ? "" : "s");
    stream_write_now(s, STR("RSET\r\nQUIT\r\n"));
    return taken + refused > 0;
}

/* Where a connection from here comes from the same address. */
SUSPENDS static void try_address(struct doctor_job *j, const struct site_listener *l,
                                 const char *address, const struct policy_settings *policy)
{
    struct err e;
    const char *subject = arena_printf(j->arena, "%s port %u", address, l->port).p;
    if (host_list_has(&policy->trusted_networks, address) ||
        host_list_has(&policy->relay_networks, address)) {
        doctor_found(j, DOCTOR_SKIPPED, subject,
                     "this address is trusted, so it says nothing about strangers");
        return;
    }
    struct stream *s = stream_connect(j->doctor->loop, address, l->port, address, j->deadline, &e);
    if (!s) {
        doctor_found(j, DOCTOR_SKIPPED, subject, "it could not be tried: %s", e.text);
        return;
    }
    if (!try_recipients(j, s, subject, &e))
        doctor_found(j, DOCTOR_SKIPPED, subject, "it could not be tried: %s", e.text);
    stream_close(s);
}

void doctor_relay(struct doctor_job *j)
{
    const struct site *s = &j->doctor->site;
    const struct policy_settings *policy = config_block(s->config, &policy_settings_block);
    judge_list(j, "trusted_networks", &policy->trusted_networks);
    judge_list(j, "relay_networks", &policy->relay_networks);
    ask_server(j);
    for (size_t i = 0; i < s->listener_count; i++)
        if (s->listeners[i].settings->protocol == SERVICE_SMTP && s->listeners[i].outside) {
            for (size_t k = 0; k < s->address_count; k++)
                try_address(j, &s->listeners[i], s->addresses[k], policy);
            return;
        }
}
