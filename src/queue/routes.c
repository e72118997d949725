/*
 * Which route a message takes. Routes that name a recipient are asked before all others, whatever
 * their place in the file: who writes down a recipient means just that mail, also when it is in a
 * relay domain of the directory, whose way comes next. Routes without a recipient ("all mail of
 * alice goes over her provider") come then. Within both groups the first in the file decides.
 *
 * A route with a file of credentials is for those who stand in it, so nobody has to be listed
 * twice. A route that no mail can reach is a mistake, and said when the configuration is read.
 */
#include "queue/routes.h"

#include "queue/limits.h"

/* --- matching --- */

struct route_question route_question_fold(const struct route_question *question, struct arena *a)
{
    return (struct route_question){.mail_host = question->mail_host,
                                   .sender = address_fold(question->sender, a),
                                   .login = address_fold(question->login, a),
                                   .recipient = address_fold(question->recipient, a),
                                   .relay_domain = question->relay_domain};
}

bool route_rule_is_by_mx(const struct route_rule *rule)
{
    const struct string_list *hosts = &rule->settings->hosts;
    return hosts->count == 1 && strcmp(hosts->items[0], "mx") == 0;
}

enum route_fit route_rule_fit(const struct route_rule *rule, const struct route_question *question,
                              const struct credential **credential)
{
    *credential = NULL;
    if (question->relay_domain && rule->recipient.count == 0)
        return ROUTE_NOT_OF_DOMAIN;
    if (rule->recipient.count && !address_match_has_folded(&rule->recipient, question->recipient))
        return ROUTE_OTHER_RECIPIENT;
    if (rule->sender.count && !address_match_has_folded(&rule->sender, question->sender))
        return ROUTE_OTHER_SENDER;
    if (rule->login.count &&
        (question->login.n == 0 || !address_match_has_folded(&rule->login, question->login)))
        return ROUTE_OTHER_LOGIN;
    if (!rule->has_credentials)
        return ROUTE_FITS;
    *credential = credentials_find(&rule->credentials, question->sender, question->login);
    return *credential || *rule->settings->user ? ROUTE_FITS : ROUTE_NO_CREDENTIALS;
}

static const struct route_rule *find_in_group(const struct route_table *table,
                                              const struct route_question *question,
                                              bool by_recipient,
                                              const struct credential **credential)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct route_rule *rule = &table->list[i];
        if ((rule->recipient.count > 0) == by_recipient &&
            route_rule_fit(rule, question, credential) == ROUTE_FITS)
            return rule;
    }
    return NULL;
}

const struct route_rule *route_table_find(const struct route_table *table,
                                          const struct route_question *question,
                                          const struct credential **credential)
{
    const struct route_rule *rule = find_in_group(table, question, true, credential);
    return rule ? rule : find_in_group(table, question, false, credential);
}

const struct route_rule *route_table_get(const struct route_table *table, struct str name)
{
    for (size_t i = 0; i < table->count; i++)
        if (str_equal(name, str_from_c(table->list[i].settings->name)))
            return &table->list[i];
    return NULL;
}

struct next_hop route_rule_next_hop(const struct route_rule *rule,
                                    const struct credential *credential)
{
    const struct route_settings *s = rule->settings;
    bool by_mx = route_rule_is_by_mx(rule);
    return (struct next_hop){
        .route = s->name,
        .by_mx = by_mx,
        .hosts = by_mx ? (struct string_list){.count = 0} : s->hosts,
        .fallback = s->fallback,
        .protocol = (enum next_hop_protocol)s->protocol,
        .tls = (enum next_hop_tls)s->tls,
        .user = credential ? credential->user : s->user,
        .password = credential ? credential->password : s->password,
        .mechanisms = rule->mechanisms,
        .source_ipv4 = s->source_ipv4,
        .source_ipv6 = s->source_ipv6,
        .helo = s->helo,
        .own_choice = !by_mx,
    };
}

/* --- making the table --- */

static const char *join(const struct string_list *words, struct arena *a)
{
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < words->count; i++)
        buf_printf(&b, "%s%s", i ? " " : "", words->items[i]);
    const char *joined = arena_c(a, buf_str(&b));
    buf_free(&b);
    return joined;
}

static bool add_rule(struct route_rule *rule, const struct route_settings *s, struct arena *a,
                     struct err *e)
{
    rule->settings = s;
    rule->recipient = address_match_new(&s->recipient, a);
    rule->sender = address_match_new(&s->sender, a);
    rule->login = address_match_new(&s->login, a);
    rule->mechanisms = join(&s->mechanisms, a);
    rule->pacing.connections_max = s->connections_max;
    if (*s->rate)
        route_rate_parse(s->rate, &rule->pacing);
    rule->has_credentials = *s->credentials != '\0';
    return !rule->has_credentials || credentials_read(s->credentials, a, &rule->credentials, e);
}

static bool has_any(const struct address_match *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (str_equal(m->list[i], STR("*")))
            return true;
    return false;
}

/* Everything that its group is asked about. */
static bool takes_all(const struct route_rule *rule)
{
    return (rule->recipient.count == 0 || has_any(&rule->recipient)) &&
           (rule->sender.count == 0 || has_any(&rule->sender)) && rule->login.count == 0 &&
           (!rule->has_credentials || *rule->settings->user);
}

static bool check_reachable(const struct route_table *table, size_t last, struct err *e)
{
    const struct route_rule *rule = &table->list[last];
    for (size_t i = 0; i < last; i++) {
        const struct route_rule *before = &table->list[i];
        bool same_group = (before->recipient.count > 0) == (rule->recipient.count > 0);
        if (takes_all(before) && (same_group || before->recipient.count > 0))
            return err_set(e, ERR_SYNTAX,
                           "no mail comes to it: route %s, which stands before, takes all",
                           before->settings->name);
    }
    return true;
}

bool route_table_new(const struct config *config, struct arena *a, struct route_table *table,
                     struct err *e)
{
    size_t count = config_count(config, &route_settings_block);
    if (count > QUEUE_ROUTES_MAX)
        return err_set(e, ERR_LIMIT, "%s: more than %d routes", config_path(config),
                       QUEUE_ROUTES_MAX);
    *table = (struct route_table){.list = arena_array(a, count + 1, sizeof(*table->list))};
    for (size_t i = 0; i < count; i++) {
        const struct route_settings *s = config_at(config, &route_settings_block, i);
        if (!add_rule(&table->list[table->count++], s, a, e) || !check_reachable(table, i, e))
            return err_prefix(e, "%s: route %s", config_where(config, s), s->name);
    }
    return true;
}
