/*
 * The block `route NAME`, and what is wrong in one by itself. What takes files or more than one
 * block is looked at in routes.c.
 */
#include "core/config_unit.h"
#include "mime/address.h"
#include "net/host_port.h"
#include "queue/routes.h"

#include <arpa/inet.h>
#include <stddef.h>

#define FIELD(name) offsetof(struct route_settings, name)
#define PORT_SMTPS  465

static const char *const actions[] = {"relay", "sink", NULL};
static const char *const protocols[] = {"smtp", "lmtp", NULL};
static const char *const tls_levels[] = {"opportunistic", "none", "encrypt",
                                         "verify",        "dane", NULL};
static const char *const known_mechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN",
                                               "XOAUTH2"};

static const struct setting route_setting_table[] = {
    {"recipient", SETTING_STRING_LIST, FIELD(recipient), "", 0, 0, NULL,
     "Mail to these: user@domain, domain, .domain (all below it), *. Empty: any, but not mail to "
     "relay domains, which have their own way unless a route names the recipient."},
    {"sender", SETTING_STRING_LIST, FIELD(sender), "", 0, 0, NULL,
     "Mail from these envelope senders, in the same forms; <> is the null sender. Empty: any."},
    {"login", SETTING_STRING_LIST, FIELD(login), "", 0, 0, NULL,
     "Mail of users who logged in as one of these: user@domain, domain, .domain, * (any login). "
     "Empty: any, and without a login."},
    {"action", SETTING_CHOICE, FIELD(action), "relay", 0, 0, actions,
     "relay: the mail is sent. sink: it is accepted, dropped and logged."},
    {"hosts", SETTING_STRING_LIST, FIELD(hosts), "mx", 0, 0, NULL,
     "Where to: mx (the servers of each domain), or a list in the order in which they are tried: "
     "host, host:port, [address]:port, unix:/path."},
    {"fallback", SETTING_STRING_LIST, FIELD(fallback), "", 0, 0, NULL,
     "Hosts that are tried when none of the others can be reached, in the same forms."},
    {"protocol", SETTING_CHOICE, FIELD(protocol), "smtp", 0, 0, protocols,
     "What the hosts speak: smtp, or lmtp (then with a port)."},
    {"tls", SETTING_CHOICE, FIELD(tls), "opportunistic", 0, 0, tls_levels,
     "The least that is wanted. opportunistic: what the domain publishes (DANE, MTA-STS), else TLS "
     "where it is offered. none: never. encrypt: required, the certificate is not looked at. "
     "verify: required with a certificate for the host's name. dane: required with TLSA records."},
    {"user", SETTING_STRING, FIELD(user), "", 0, 0, NULL,
     "Login at the hosts; needs a password, and tls = verify or dane."},
    {"password", SETTING_SECRET, FIELD(password), "", 0, 0, NULL,
     "Password of user; with XOAUTH2 the token."},
    {"mechanisms", SETTING_STRING_LIST, FIELD(mechanisms), "", 0, 0, NULL,
     "How to log in: SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, LOGIN, XOAUTH2. Empty: the best that is "
     "offered, XOAUTH2 excepted."},
    {"credentials", SETTING_PATH, FIELD(credentials), "", 0, 0, NULL,
     "File with a login for each sender: lines \"ADDRESS USER:PASSWORD\", where ADDRESS is a "
     "sender, a login here or @domain. The route is only for who stands there, unless user is set: "
     "then that is for the others. Read with the configuration; must not be readable by "
     "everybody."},
    {"source_ipv4", SETTING_STRING, FIELD(source_ipv4), "", 0, 0, NULL,
     "IPv4 address that connections come from. Empty: as the system chooses."},
    {"source_ipv6", SETTING_STRING, FIELD(source_ipv6), "", 0, 0, NULL, "The same for IPv6."},
    {"helo", SETTING_STRING, FIELD(helo), "", 0, 0, NULL,
     "Name in EHLO. Empty: that of this server."},
    {"connections_max", SETTING_NUMBER, FIELD(connections_max), "0", 0, 10000, NULL,
     "Connections at a time for all mail of this route together. 0: no limit of its own."},
    {"rate", SETTING_STRING, FIELD(rate), "", 0, 0, NULL,
     "Messages in a time for all mail of this route together: \"100/1m\". Empty: no limit."},
    {0},
};

/* --- hosts --- */

static bool hosts_are_mx(const struct string_list *hosts)
{
    return hosts->count == 1 && strcmp(hosts->items[0], "mx") == 0;
}

bool route_host_is_valid(struct str text, uint16_t *port)
{
    struct str host;
    *port = 0;
    if (str_starts_with(text, STR("unix:")))
        return text.n > 6 && text.p[5] == '/' && text.n - 5 < 108;
    if (!host_port_parse(text, &host, port) || host.n == 0 || host.n > 255)
        return false;
    if (host_is_numeric(host))
        return str_find_char(host, ':') < 0 || text.p[0] == '[';
    return text.p[0] != '[' && domain_is_valid(host, true);
}

static bool check_hosts(const struct route_settings *s, const struct string_list *list,
                        const char *setting, struct err *e)
{
    for (size_t i = 0; i < list->count; i++) {
        uint16_t port;
        struct str text = str_from_c(list->items[i]);
        if (str_equal(text, STR("mx")))
            return err_set(e, ERR_SYNTAX, "%s: mx stands alone", setting);
        if (!route_host_is_valid(text, &port))
            return err_set(e, ERR_SYNTAX,
                           "%s: \"%.80s\" is no host: expected host, host:port, [address]:port or "
                           "unix:/path",
                           setting, list->items[i]);
        bool local = str_starts_with(text, STR("unix:"));
        if (s->protocol == NEXT_HOP_LMTP && !local && port == 0)
            return err_set(e, ERR_SYNTAX,
                           "%s: \"%.80s\" needs a port: LMTP has none of its own (%.80s:24)",
                           setting, list->items[i], list->items[i]);
        if (port == PORT_SMTPS && s->tls == NEXT_HOP_TLS_NONE)
            return err_set(e, ERR_SYNTAX, "%s: port 465 begins with TLS, but tls = none", setting);
        if (local && s->tls >= NEXT_HOP_TLS_VERIFY)
            return err_set(e, ERR_SYNTAX, "%s: \"%.80s\" has no name that TLS could verify",
                           setting, list->items[i]);
    }
    return true;
}

/* --- logging in --- */

static bool mechanism_is_known(struct str name)
{
    for (size_t i = 0; i < sizeof(known_mechanisms) / sizeof(*known_mechanisms); i++)
        if (str_equal_nocase(name, str_from_c(known_mechanisms[i])))
            return true;
    return false;
}

static bool check_mechanisms(const struct route_settings *s, struct err *e)
{
    for (size_t i = 0; i < s->mechanisms.count; i++)
        if (!mechanism_is_known(str_from_c(s->mechanisms.items[i])))
            return err_set(e, ERR_SYNTAX,
                           "mechanisms: \"%.40s\" is unknown, expected SCRAM-SHA-256, "
                           "SCRAM-SHA-1, PLAIN, LOGIN or XOAUTH2",
                           s->mechanisms.items[i]);
    return true;
}

static bool check_login(const struct route_settings *s, struct err *e)
{
    bool logs_in = *s->user || *s->credentials;
    if (*s->user && !*s->password)
        return err_set(e, ERR_SYNTAX, "user \"%.80s\" has no password", s->user);
    if (*s->password && !*s->user)
        return err_set(e, ERR_SYNTAX, "password is set, but no user");
    if (logs_in && s->tls != NEXT_HOP_TLS_VERIFY && s->tls != NEXT_HOP_TLS_DANE)
        return err_set(e, ERR_SYNTAX,
                       "%s needs tls = verify (or dane): a password is only sent to a server whose "
                       "certificate was verified",
                       *s->user ? "user" : "credentials");
    if (logs_in && hosts_are_mx(&s->hosts))
        return err_set(e, ERR_SYNTAX,
                       "%s needs hosts: a password is not for whoever a domain's MX records name",
                       *s->user ? "user" : "credentials");
    return check_mechanisms(s, e);
}

/* --- the rest --- */

static bool check_sources(const struct route_settings *s, struct err *e)
{
    struct in6_addr any;
    if (*s->source_ipv4 && inet_pton(AF_INET, s->source_ipv4, &any) != 1)
        return err_set(e, ERR_SYNTAX, "source_ipv4: \"%.80s\" is no IPv4 address", s->source_ipv4);
    if (*s->source_ipv6 && inet_pton(AF_INET6, s->source_ipv6, &any) != 1)
        return err_set(e, ERR_SYNTAX, "source_ipv6: \"%.80s\" is no IPv6 address", s->source_ipv6);
    if (*s->helo && !domain_is_valid(str_from_c(s->helo), false))
        return err_set(e, ERR_SYNTAX, "helo: \"%.80s\" is no name of a host", s->helo);
    return true;
}

static bool check_sink(const struct route_settings *s, struct err *e)
{
    const char *extra = !hosts_are_mx(&s->hosts) ? "hosts"
                        : s->fallback.count      ? "fallback"
                        : s->protocol            ? "protocol"
                        : s->tls                 ? "tls"
                        : *s->user               ? "user"
                        : *s->credentials        ? "credentials"
                        : *s->helo               ? "helo"
                        : *s->rate               ? "rate"
                                                 : NULL;
    if (s->action == ROUTE_ACTION_SINK && extra)
        return err_set(e, ERR_SYNTAX, "%s means nothing with action = sink", extra);
    return true;
}

bool route_rate_parse(const char *text, struct pacing *pacing)
{
    struct str rest = str_from_c(text);
    struct str number = str_trim(str_split(&rest, '/'));
    uint32_t rate;
    if (!str_to_u32(number, &rate) || rate == 0 || !rest.p)
        return false;
    pacing->rate = rate;
    return unit_parse_duration(str_trim(rest), &pacing->rate_period) && pacing->rate_period > 0 &&
           pacing->rate_period <= 31 * 86400 * USEC_SEC;
}

static bool check_name(const struct route_settings *s, struct err *e)
{
    for (const char *p = s->name; *p; p++)
        if (*p == '/' || (unsigned char)*p <= ' ')
            return err_set(e, ERR_SYNTAX, "the name may have no blanks and no \"/\"");
    return true;
}

static bool check_route(const void *values, struct err *e)
{
    const struct route_settings *s = values;
    struct pacing ignored = {.rate = 0};
    if (*s->rate && !route_rate_parse(s->rate, &ignored))
        return err_set(e, ERR_SYNTAX, "rate: \"%.40s\", expected messages in a time such as 100/1m",
                       s->rate);
    if (s->hosts.count == 0)
        return err_set(e, ERR_SYNTAX, "hosts may not be empty");
    if (s->protocol == NEXT_HOP_LMTP && hosts_are_mx(&s->hosts))
        return err_set(e, ERR_SYNTAX, "protocol = lmtp needs hosts: nobody's MX speaks LMTP");
    return check_name(s, e) &&
           address_match_check(&s->recipient, MATCH_RECIPIENTS, "recipient", e) &&
           address_match_check(&s->sender, MATCH_SENDERS, "sender", e) &&
           address_match_check(&s->login, MATCH_RECIPIENTS, "login", e) && check_sink(s, e) &&
           (hosts_are_mx(&s->hosts) || check_hosts(s, &s->hosts, "hosts", e)) &&
           check_hosts(s, &s->fallback, "fallback", e) && check_login(s, e) && check_sources(s, e);
}

const struct settings_block route_settings_block = {
    .name = "route",
    .help = "Where mail for other servers goes: the first route that is for a message decides.",
    .named = true,
    .size = sizeof(struct route_settings),
    .settings = route_setting_table,
    .check = check_route,
};
