/*
 * Which mail is copied. All conditions of a rule have to hold, and a rule without any has to say
 * `all = yes`: a forgotten condition shall not send everybody's mail to somebody.
 *
 * What a message is, is decided by its envelope: the addresses of MAIL and RCPT as they were given,
 * and who handed it in. Mail from the null sender - reports, mostly about mail that was copied
 * itself - is left out unless it is asked for.
 */
#include "queue/copies.h"

#include "mime/address.h"
#include "queue/envelope.h"
#include "queue/limits.h"

#include <stddef.h>

#define FIELD(name) offsetof(struct copy_settings, name)

static const char *const directions[] = {"any", "in", "out", NULL};

static const struct setting copy_setting_table[] = {
    {"to", SETTING_STRING_LIST, FIELD(to), NULL, 0, 0, NULL,
     "Addresses that get the copies, here or elsewhere."},
    {"all", SETTING_BOOL, FIELD(all), "no", 0, 0, NULL,
     "Yes: of all mail. Needed when there is no other condition."},
    {"sender", SETTING_STRING_LIST, FIELD(sender), "", 0, 0, NULL,
     "Of mail from these envelope senders: user@domain, domain, .domain (all below it), *, <>."},
    {"recipient", SETTING_STRING_LIST, FIELD(recipient), "", 0, 0, NULL,
     "Of mail that has one of these among its recipients."},
    {"domain", SETTING_STRING_LIST, FIELD(domain), "", 0, 0, NULL,
     "Of mail from or to these domains or addresses."},
    {"login", SETTING_STRING_LIST, FIELD(login), "", 0, 0, NULL,
     "Of mail from users who logged in as one of these."},
    {"direction", SETTING_CHOICE, FIELD(direction), "any", 0, 0, directions,
     "in: only of mail that comes from other servers. out: only of what users and programs here "
     "hand in."},
    {"reports", SETTING_BOOL, FIELD(reports), "no", 0, 0, NULL,
     "Yes: also of reports and other mail from the null sender."},
    {0},
};

static bool check_targets(const struct copy_settings *s, struct err *e)
{
    bool good = s->to.count > 0;
    struct arena *a = arena_new();
    struct address address;
    size_t i = 0;
    for (; i < s->to.count && good; i++)
        good = address_parse(a, str_from_c(s->to.items[i]), ADDRESS_UTF8, &address, NULL);
    if (!good && s->to.count > 0)
        err_set(e, ERR_SYNTAX, "to: \"%.80s\" is no address", s->to.items[i - 1]);
    else if (!good)
        err_set(e, ERR_SYNTAX, "to may not be empty");
    arena_free(a);
    return good;
}

static bool check_copy(const void *values, struct err *e)
{
    const struct copy_settings *s = values;
    size_t conditions = s->sender.count + s->recipient.count + s->domain.count + s->login.count;
    if (!s->all && conditions == 0 && s->direction == COPY_ANY)
        return err_set(e, ERR_SYNTAX, "of which mail? Without a condition it needs all = yes");
    if (s->all && conditions > 0)
        return err_set(e, ERR_SYNTAX,
                       "all = yes is of all mail: it goes with no other condition "
                       "but direction");
    if (s->to.count > QUEUE_COPIES_MAX)
        return err_set(e, ERR_SYNTAX, "to: more than %d addresses, make a list of them",
                       QUEUE_COPIES_MAX);
    return check_targets(s, e) && address_match_check(&s->sender, MATCH_SENDERS, "sender", e) &&
           address_match_check(&s->recipient, MATCH_RECIPIENTS, "recipient", e) &&
           address_match_check(&s->domain, MATCH_RECIPIENTS, "domain", e) &&
           address_match_check(&s->login, MATCH_RECIPIENTS, "login", e);
}

const struct settings_block copy_settings_block = {
    .name = "copy",
    .help = "Hidden copies: whose mail somebody else gets as well, without anybody's knowing.",
    .named = true,
    .size = sizeof(struct copy_settings),
    .settings = copy_setting_table,
    .check = check_copy,
};

bool copy_table_new(const struct config *config, struct arena *a, struct copy_table *table,
                    struct err *e)
{
    size_t count = config_count(config, &copy_settings_block);
    if (count > QUEUE_COPIES_MAX)
        return err_set(e, ERR_LIMIT, "%s: more than %d blocks \"copy\"", config_path(config),
                       QUEUE_COPIES_MAX);
    *table = (struct copy_table){.list = arena_array(a, count + 1, sizeof(*table->list)),
                                 .count = count};
    for (size_t i = 0; i < count; i++) {
        const struct copy_settings *s = config_at(config, &copy_settings_block, i);
        table->list[i] = (struct copy_rule){.settings = s,
                                            .sender = address_match_new(&s->sender, a),
                                            .recipient = address_match_new(&s->recipient, a),
                                            .domain = address_match_new(&s->domain, a),
                                            .login = address_match_new(&s->login, a)};
    }
    return true;
}

/* --- matching --- */

static bool is_from_here(const struct envelope *e)
{
    return e->login.n > 0 || (strcmp(e->component, "smtpd") != 0 && strcmp(e->component, "lmtpd"));
}

static bool any_recipient(const struct address_match *m, const struct envelope *e)
{
    for (size_t i = 0; i < e->recipient_count; i++)
        if (address_match_has(m, e->recipients[i].address))
            return true;
    return false;
}

static bool direction_fits(const struct copy_rule *rule, const struct envelope *e)
{
    switch ((enum copy_direction)rule->settings->direction) {
    case COPY_IN:
        return !is_from_here(e);
    case COPY_OUT:
        return is_from_here(e);
    case COPY_ANY:
        break;
    }
    return true;
}

bool copy_rule_wants(const struct copy_rule *rule, const struct envelope *e)
{
    if (e->sender.n == 0 && !rule->settings->reports)
        return false;
    return direction_fits(rule, e) &&
           (rule->sender.count == 0 || address_match_has(&rule->sender, e->sender)) &&
           (rule->login.count == 0 ||
            (e->login.n > 0 && address_match_has(&rule->login, e->login))) &&
           (rule->recipient.count == 0 || any_recipient(&rule->recipient, e)) &&
           (rule->domain.count == 0 || address_match_has(&rule->domain, e->sender) ||
            any_recipient(&rule->domain, e));
}
