/*
 * The blocks `policy`, `rule NAME` and `table NAME` of the configuration, and what can be said of a
 * rule by itself: does its check exist, may it be asked at that stage, do code and action fit. What
 * takes more than one block is looked at in rule.c.
 */
#include "policy/check.h"
#include "policy/limits.h"
#include "policy/policy_internal.h"
#include "policy/table.h"

#include <stddef.h>

static const char *const stages[] = {"default", "connect", "helo", "mail", "rcpt", "data", NULL};
static const char *const actions[] = {"default", "accept",     "tag", "defer",
                                      "reject",  "disconnect", NULL};
static const char *const requirements[] = {"confirmed", "any", NULL};
static const char *const dns_failures[] = {"pass", "defer", NULL};
static const char *const lookups[] = {"client", "name", "helo", "sender", NULL};
static const char *const owns[] = {"from", "sender", NULL};
static const char *const clients[] = {"default", "strangers", "all", NULL};
const char *const policy_table_types[] = {"exact", "domain", "cidr", "pcre", NULL};

const char *policy_stage_name(enum policy_stage stage)
{
    return stages[stage + 1];
}

const char *policy_action_name(enum policy_action action)
{
    return action == POLICY_PASS ? "pass" : actions[action];
}

/* --- policy --- */

#define FIELD(name) offsetof(struct policy_settings, name)

static const struct setting policy_table_of_settings[] = {
    {"trusted_networks", SETTING_STRING_LIST, FIELD(trusted_networks), "127.0.0.0/8, ::1, unix", 0,
     0, NULL,
     "Clients that rules do not ask about, unless a rule says clients = all: addresses and "
     "networks; \"!\" in front makes an exception; \"unix\" are Unix sockets."},
    {"relay_networks", SETTING_STRING_LIST, FIELD(relay_networks), "", 0, 0, NULL,
     "Clients that may send to other servers without a login, such as printers that cannot log in. "
     "They are trusted as well. Whoever has such an address can send in your name."},
    {"look_up_names", SETTING_BOOL, FIELD(look_up_names), "yes", 0, 0, NULL,
     "Ask DNS for the name of each client from outside that brings mail, so that it stands in the "
     "Received field and the log. Only a name that leads back to the address counts. Rules that "
     "need it ask in any case. Where DNS does not answer within two seconds, there is no name."},
    {0},
};

static bool check_policy(const void *values, struct err *e)
{
    const struct policy_settings *s = values;
    return host_list_check(&s->trusted_networks, "trusted_networks", e) &&
           host_list_check(&s->relay_networks, "relay_networks", e);
}

const struct settings_block policy_settings_block = {
    .name = "policy",
    .help = "Who may hand in mail. Rules have blocks of their own.",
    .size = sizeof(struct policy_settings),
    .settings = policy_table_of_settings,
    .check = check_policy,
};

/* --- table --- */

#undef FIELD
#define FIELD(name) offsetof(struct table_settings, name)

static const struct setting table_table[] = {
    {"path", SETTING_PATH, FIELD(path), NULL, 0, 0, NULL,
     "File with an entry a line: KEY [ACTION [TEXT]]. A change takes effect at once, if the file "
     "is "
     "correct."},
    {"type", SETTING_CHOICE, FIELD(type), "exact", 0, 0, policy_table_types,
     "What the keys are: whole names and addresses, domains with all below them, addresses and "
     "networks, or regular expressions."},
    {0},
};

static bool check_table(const void *values, struct err *e)
{
    const struct table_settings *s = values;
    return s->path[0] || err_set(e, ERR_SYNTAX, "path may not be empty");
}

const struct settings_block table_settings_block = {
    .name = "table",
    .help = "A list in a file, for rules that look something up.",
    .named = true,
    .size = sizeof(struct table_settings),
    .settings = table_table,
    .check = check_table,
};

/* --- rule --- */

#undef FIELD
#define FIELD(name) offsetof(struct rule_settings, name)

static const struct setting rule_table[] = {
    {"check", SETTING_STRING, FIELD(check), NULL, 0, 0, NULL,
     "What the rule looks at: one of the checks that \"mailctl policy checks\" lists."},
    {"enabled", SETTING_BOOL, FIELD(enabled), "yes", 0, 0, NULL, "No: the rule is not asked."},
    {"dry_run", SETTING_BOOL, FIELD(dry_run), "no", 0, 0, NULL,
     "Yes: the rule only writes into the log what it would have done."},
    {"at", SETTING_CHOICE, FIELD(at), "default", 0, 0, stages,
     "When the rule is asked. At rcpt everything but the message is known, and the log names "
     "sender "
     "and recipient; earlier saves work, and cannot spare postmaster."},
    {"action", SETTING_CHOICE, FIELD(action), "default", 0, 0, actions,
     "What happens when the check matches. accept: no rule behind this one is asked. tag: the "
     "message gets a header line. defer: the client may try again later. disconnect: the "
     "connection is closed after the reply."},
    {"code", SETTING_NUMBER, FIELD(code), "0", 0, 599, NULL,
     "Of the reply: 450 to 459 with defer, 550 to 559 with reject, 421 or 554 with disconnect. 0: "
     "the usual one."},
    {"enhanced", SETTING_STRING, FIELD(enhanced), "", 0, 0, NULL,
     "Enhanced status code of the reply (RFC 3463), such as 5.7.1. Empty: the usual one."},
    {"text", SETTING_STRING, FIELD(text), "", 0, 0, NULL,
     "Of the reply. {client}, {name}, {helo}, {login}, {sender}, {recipient}, {rule} and {why} "
     "stand for what they say. Empty: the usual one."},
    {"header", SETTING_STRING, FIELD(header), "", 0, 0, NULL,
     "Line that the action tag adds to the message: \"X-Listed: yes\". May have the same words in "
     "braces as text."},
    {"delay", SETTING_DURATION, FIELD(delay), "0", 0, POLICY_DELAY_MAX, NULL,
     "Time that the client has to wait for the reply when the check matches."},
    {"protocols", SETTING_STRING_LIST, FIELD(protocols), "", 0, 0, NULL,
     "Where the rule is asked: smtp, submission, lmtp. Empty: as usual for the check, mostly "
     "smtp."},
    {"clients", SETTING_CHOICE, FIELD(clients), "default", 0, 0, clients,
     "Whom the rule is asked about: strangers only, or also those who have logged in or belong to "
     "a "
     "trusted network."},
    {"table", SETTING_STRING, FIELD(table), "", 0, 0, NULL,
     "Name of a table: for client_table, helo_table, sender_table, recipient_table."},
    {"require", SETTING_CHOICE, FIELD(require), "confirmed", 0, 0, requirements,
     "For client_name. confirmed: the address must have a name that leads back to it; any: a name "
     "is enough."},
    {"dns_failure", SETTING_CHOICE, FIELD(dns_failure), "pass", 0, 0, dns_failures,
     "For client_name and sender_domain: what happens when DNS does not answer. defer: the client "
     "shall come again."},
    {"lists", SETTING_STRING_LIST, FIELD(lists), "", 0, 0, NULL,
     "For dns_list: domains of the lists, each with the answers that count and its weight: "
     "zen.example, bad.example=127.0.0.2..11*3, good.example*-2."},
    {"threshold", SETTING_NUMBER, FIELD(threshold), "1", -1000, 10000, NULL,
     "For dns_list: the rule matches when the weights of the lists that name the client add up to "
     "this."},
    {"lookup", SETTING_CHOICE, FIELD(lookup), "client", 0, 0, lookups,
     "For dns_list, what is looked up: the client's address, its confirmed name, the name in HELO "
     "or EHLO, or the sender's domain."},
    {"timeout", SETTING_DURATION, FIELD(timeout), "5s", USEC_SEC / 10, 60 * USEC_SEC, NULL,
     "For dns_list and sender_domain: the longest wait for DNS. A list without an answer by then "
     "does not name the client."},
    {"wait", SETTING_DURATION, FIELD(wait), "5s", 0, 60 * USEC_SEC, NULL,
     "For early_talker: how long the greeting is held back to see whether the client waits for "
     "it."},
    {"limit", SETTING_NUMBER, FIELD(limit), "0", 0, 1000000000, NULL,
     "For client_rate, login_rate and recipient_rate: what is allowed within the period. At "
     "connect connections are counted, at rcpt recipients, at the others messages. For "
     "client_connections: connections at a time."},
    {"period", SETTING_DURATION, FIELD(period), "1h", USEC_SEC, 31 * 86400 * USEC_SEC, NULL,
     "For client_rate, login_rate and recipient_rate: it slides along."},
    {"notice", SETTING_BOOL, FIELD(notice), "yes", 0, 0, NULL,
     "For login_rate: tell the postmaster about a login that reaches the limit, once a day."},
    {"ipv4_prefix", SETTING_NUMBER, FIELD(ipv4_prefix), "0", 0, 32, NULL,
     "For client_rate, client_connections and greylist: clients whose addresses are alike in so "
     "many bits count as one. 0: 24 for greylist, else 32."},
    {"ipv6_prefix", SETTING_NUMBER, FIELD(ipv6_prefix), "0", 0, 128, NULL,
     "The same for IPv6. 0: 64."},
    {"retry_after", SETTING_DURATION, FIELD(retry_after), "5m", USEC_SEC, 86400 * USEC_SEC, NULL,
     "For greylist: how long a client that was not seen before has to wait with this message."},
    {"retry_within", SETTING_DURATION, FIELD(retry_within), "2d", 60 * USEC_SEC,
     30 * 86400 * USEC_SEC, NULL,
     "For greylist: a message that has not come again by then counts as new."},
    {"remember", SETTING_DURATION, FIELD(remember), "36d", 3600 * USEC_SEC, 3660 * 86400 * USEC_SEC,
     NULL,
     "For greylist: how long client, sender and recipient are known after their last message."},
    {"allow_after", SETTING_NUMBER, FIELD(allow_after), "5", 0, 1000000, NULL,
     "For greylist: a client whose messages came again so often, once an hour at most, does not "
     "wait any more. 0: never."},
    {"own", SETTING_CHOICE, FIELD(own), "from", 0, 0, owns,
     "For from_login, what must belong to the login. from: each address in From, and in Sender "
     "where there is one. sender: who sent the message by RFC 5322: Sender if there is one, else "
     "From; of a message that was sent on as it is, Resent-Sender or Resent-From."},
    {0},
};

static bool check_kind(const struct rule_settings *s, const struct policy_check_row **row,
                       struct err *e)
{
    *row = policy_check_find(str_from_c(s->check));
    if (*row)
        return true;
    struct buf names = BUF_EMPTY;
    for (const struct policy_check_row *r = policy_checks; r->name; r++)
        buf_printf(&names, "%s%s", names.n ? ", " : "", r->name);
    err_set(e, ERR_SYNTAX, "check: \"%.40s\" is unknown, expected one of %s", s->check,
            buf_c(&names));
    buf_free(&names);
    return false;
}

static bool check_stage(const struct rule_settings *s, const struct policy_check_row *row,
                        struct err *e)
{
    enum policy_stage at = s->at ? (enum policy_stage)(s->at - 1) : row->at;
    if (at >= row->first && at <= row->last)
        return true;
    if (row->first == row->last)
        return err_set(e, ERR_SYNTAX, "at: %s can be asked at %s only", row->name,
                       policy_stage_name(row->first));
    return err_set(e, ERR_SYNTAX, "at: %s can be asked at %s to %s", row->name,
                   policy_stage_name(row->first), policy_stage_name(row->last));
}

static bool code_fits(enum policy_action action, int64_t code)
{
    switch (action) {
    case POLICY_DEFER:
        return code == 421 || (code >= 450 && code <= 459);
    case POLICY_REJECT:
        return code == 521 || (code >= 550 && code <= 559);
    case POLICY_DISCONNECT:
        return code == 421 || code == 521 || code == 554;
    default:
        return true;
    }
}

static bool check_code(const struct rule_settings *s, enum policy_action action, struct err *e)
{
    if (s->code == 0)
        return true;
    if (action == POLICY_DEFER || action == POLICY_REJECT || action == POLICY_DISCONNECT)
        return code_fits(action, s->code) ||
               err_set(e, ERR_SYNTAX, "code: %d does not fit the action %s, expected %s",
                       (int)s->code, policy_action_name(action),
                       action == POLICY_DEFER    ? "450 to 459"
                       : action == POLICY_REJECT ? "550 to 559"
                                                 : "421 or 554");
    return err_set(e, ERR_SYNTAX, "code: the action %s gives no reply", policy_action_name(action));
}

/* RFC 3463 2: class "." subject "." detail. */
static bool check_enhanced(const struct rule_settings *s, enum policy_action action, struct err *e)
{
    struct str rest = str_from_c(s->enhanced);
    if (rest.n == 0)
        return true;
    struct str class = str_split(&rest, '.'), subject = str_split(&rest, '.');
    uint32_t number;
    bool defers = action == POLICY_DEFER || (action == POLICY_DISCONNECT && s->code != 554);
    bool good = str_equal(class, defers ? STR("4") : STR("5")) && subject.n <= 3 && rest.n <= 3 &&
                str_to_u32(subject, &number) && rest.p && str_to_u32(rest, &number);
    return good || err_set(e, ERR_SYNTAX, "enhanced: \"%.20s\", expected a code such as %s.7.1",
                           s->enhanced, defers ? "4" : "5");
}

static bool check_header(const struct rule_settings *s, enum policy_action action, struct err *e)
{
    if (action == POLICY_TAG && !policy_header_is_valid(str_from_c(s->header)))
        return err_set(e, ERR_SYNTAX,
                       "header: the action tag needs a line such as \"X-Listed: yes\"");
    if (action != POLICY_TAG && s->header[0] && !s->table[0])
        return err_set(e, ERR_SYNTAX, "header: only the action tag adds one");
    if (s->header[0] && !policy_header_is_valid(str_from_c(s->header)))
        return err_set(e, ERR_SYNTAX, "header: expected a line such as \"X-Listed: yes\"");
    return true;
}

static bool check_protocols(const struct rule_settings *s, struct err *e)
{
    for (size_t i = 0; i < s->protocols.count; i++)
        if (policy_protocol_bit(s->protocols.items[i]) == 0)
            return err_set(e, ERR_SYNTAX, "protocols: \"%.40s\", expected smtp, submission or lmtp",
                           s->protocols.items[i]);
    return true;
}

static bool check_rule(const void *values, struct err *e)
{
    const struct rule_settings *s = values;
    const struct policy_check_row *row;
    if (!check_kind(s, &row, e))
        return false;
    enum policy_action action = s->action ? (enum policy_action)s->action : row->action;
    if (!policy_text_is_valid(str_from_c(s->text), e))
        return err_prefix(e, "text");
    if (!policy_text_is_valid(str_from_c(s->header), e))
        return err_prefix(e, "header");
    return check_stage(s, row, e) && check_code(s, action, e) && check_enhanced(s, action, e) &&
           check_header(s, action, e) && check_protocols(s, e);
}

const struct settings_block rule_settings_block = {
    .name = "rule",
    .help = "A rule of the access policy. Rules are asked in the order in which they stand here.",
    .named = true,
    .size = sizeof(struct rule_settings),
    .settings = rule_table,
    .check = check_rule,
};
