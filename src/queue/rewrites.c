/*
 * Rules for addresses: a table says what an address becomes, or a masquerade cuts off the names of
 * hosts ("alice@mail.example.org" is "alice@example.org"). Each rule is for some mail and some of
 * its addresses; it is asked once for each address, with what the rules before made of it, so there
 * are no loops.
 */
#include "queue/rewrites.h"

#include "mime/address.h"
#include "queue/address_match.h"
#include "queue/limits.h"
#include "queue/queue_internal.h"
#include "queue/rewrite_table.h"

#include <stddef.h>

#define FIELD(name) offsetof(struct rewrite_settings, name)

struct word {
    const char *name;
    unsigned bits;
};
static const struct word origin_words[] = {
    {"users", REWRITE_USERS},
    {"programs", REWRITE_PROGRAMS},
    {"relay", REWRITE_RELAY},
    {"outside", REWRITE_OUTSIDE},
    {"all", REWRITE_USERS | REWRITE_PROGRAMS | REWRITE_RELAY | REWRITE_OUTSIDE},
    {0},
};
static const struct word part_words[] = {
    {"envelope_sender", REWRITE_ENVELOPE_SENDER},
    {"envelope_recipient", REWRITE_ENVELOPE_RECIPIENT},
    {"header_sender", REWRITE_HEADER_SENDER},
    {"header_recipient", REWRITE_HEADER_RECIPIENT},
    {0},
};
static const char *const types[] = {"exact", "domain", "pcre", NULL};

static const struct setting rewrite_setting_table[] = {
    {"for", SETTING_STRING_LIST, FIELD(origins), "users, programs", 0, 0, NULL,
     "Whose mail: users (logged in), programs (of this machine: sendmail, submission without a "
     "login), relay (clients of relay_networks), outside, all."},
    {"parts", SETTING_STRING_LIST, FIELD(parts), "envelope_sender, header_sender", 0, 0, NULL,
     "Which addresses: envelope_sender, envelope_recipient, header_sender (From, Sender, "
     "Reply-To), header_recipient (To, Cc)."},
    {"table", SETTING_PATH, FIELD(table), "", 0, 0, NULL,
     "File with an entry a line: KEY NEW-ADDRESS. NEW-ADDRESS is user@domain, or @domain to keep "
     "the local part. Read with the configuration."},
    {"type", SETTING_CHOICE, FIELD(type), "exact", 0, 0, types,
     "What the keys of the table are: addresses and @domain; domains with all below them (.domain: "
     "only below); regular expressions, /pattern/ $1@example.org."},
    {"masquerade", SETTING_STRING_LIST, FIELD(masquerade), "", 0, 0, NULL,
     "Instead of a table: addresses of hosts below one of these domains become addresses of the "
     "domain. \"!\" in front: what is below stays."},
    {"except", SETTING_STRING_LIST, FIELD(except), "", 0, 0, NULL,
     "Local parts that stay as they are, such as root."},
    {0},
};

static bool bits_of(const struct string_list *list, const struct word *words, const char *setting,
                    unsigned *bits, struct err *e)
{
    *bits = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct word *w = words;
        while (w->name && strcmp(w->name, list->items[i]) != 0)
            w++;
        if (!w->name)
            return err_set(
                e, ERR_SYNTAX, "%s: \"%.40s\" is unknown, expected %s", setting, list->items[i],
                words == origin_words ? "users, programs, relay, outside or all"
                                      : "envelope_sender, envelope_recipient, header_sender or "
                                        "header_recipient");
        *bits |= w->bits;
    }
    return *bits != 0 || err_set(e, ERR_SYNTAX, "%s may not be empty", setting);
}

static bool check_masquerade(const struct rewrite_settings *s, struct err *e)
{
    for (size_t i = 0; i < s->masquerade.count; i++) {
        const char *item = s->masquerade.items[i];
        if (!domain_is_valid(str_from_c(item + (*item == '!')), true))
            return err_set(e, ERR_SYNTAX, "masquerade: \"%.80s\" is no domain", item);
    }
    return true;
}

static bool check_rewrite(const void *values, struct err *e)
{
    const struct rewrite_settings *s = values;
    unsigned bits;
    if ((*s->table != '\0') == (s->masquerade.count > 0))
        return err_set(e, ERR_SYNTAX, "expected either a table or masquerade");
    return bits_of(&s->origins, origin_words, "for", &bits, e) &&
           bits_of(&s->parts, part_words, "parts", &bits, e) && check_masquerade(s, e);
}

const struct settings_block rewrite_settings_block = {
    .name = "rewrite",
    .help = "Addresses that become others, in the envelope and in the header.",
    .named = true,
    .size = sizeof(struct rewrite_settings),
    .settings = rewrite_setting_table,
    .check = check_rewrite,
};

/* --- making the list --- */

static bool add_rule(struct rewrite_rule *rule, const struct rewrite_settings *s, struct arena *a,
                     struct err *e)
{
    rule->settings = s;
    if (!bits_of(&s->origins, origin_words, "for", &rule->origins, e) ||
        !bits_of(&s->parts, part_words, "parts", &rule->parts, e))
        return false;
    struct str *masquerade = arena_array(a, s->masquerade.count + 1, sizeof(*masquerade));
    for (size_t i = 0; i < s->masquerade.count; i++) {
        const char *item = s->masquerade.items[i];
        struct str folded = address_fold(str_from_c(item + (*item == '!')), a);
        masquerade[i] = arena_printf(a, "%s%.*s", *item == '!' ? "!" : "", STR_ARG(folded));
    }
    rule->masquerade = masquerade;
    rule->masquerade_count = s->masquerade.count;
    if (*s->table)
        rule->table = rewrite_table_read(s->table, (enum rewrite_type)s->type, a, e);
    return !*s->table || rule->table;
}

bool rewrite_list_new(const struct config *config, struct arena *a, struct rewrite_list *list,
                      struct err *e)
{
    size_t count = config_count(config, &rewrite_settings_block);
    if (count > QUEUE_REWRITES_MAX)
        return err_set(e, ERR_LIMIT, "%s: more than %d blocks \"rewrite\"", config_path(config),
                       QUEUE_REWRITES_MAX);
    *list = (struct rewrite_list){.list = arena_array(a, count + 1, sizeof(*list->list)),
                                  .count = count};
    for (size_t i = 0; i < count; i++) {
        const struct rewrite_settings *s = config_at(config, &rewrite_settings_block, i);
        if (!add_rule(&list->list[i], s, a, e))
            return err_prefix(e, "%s: rewrite %s", config_where(config, s), s->name);
    }
    return true;
}

/* --- a message --- */

void rewriter_begin(struct rewriter *r, struct queue *q, enum rewrite_origin origin)
{
    struct queue_rules *rules = q->config->rules;
    *r = (struct rewriter){.origin = origin};
    if (rules && rules->rewrites.count > 0)
        r->rules = queue_rules_ref(rules);
}

void rewriter_end(struct rewriter *r)
{
    queue_rules_unref(r->rules);
    r->rules = NULL;
}

static bool is_for(const struct rewriter *r, const struct rewrite_rule *rule,
                   enum rewrite_part part)
{
    return (rule->origins & r->origin) && (rule->parts & part);
}

bool rewriter_wants(const struct rewriter *r, enum rewrite_part part)
{
    if (!r || !r->rules)
        return false;
    for (size_t i = 0; i < r->rules->rewrites.count; i++)
        if (is_for(r, &r->rules->rewrites.list[i], part))
            return true;
    return false;
}

static bool is_excepted(const struct rewrite_rule *rule, struct str local)
{
    for (size_t i = 0; i < rule->settings->except.count; i++)
        if (str_equal_nocase(local, str_from_c(rule->settings->except.items[i])))
            return true;
    return false;
}

static bool is_below(struct str domain, struct str parent)
{
    return domain.n > parent.n && domain.p[domain.n - parent.n - 1] == '.' &&
           str_equal(str_skip(domain, domain.n - parent.n), parent);
}

/* The longest entry that the domain is below, or, of one with "!", that it is. */
static struct str masquerade(const struct rewrite_rule *rule, struct str folded, struct str given,
                             struct arena *a)
{
    struct str domain = str_after_last(folded, '@');
    struct str best = STR("");
    bool stays = true;
    for (size_t i = 0; i < rule->masquerade_count; i++) {
        bool exception = rule->masquerade[i].p[0] == '!';
        struct str parent = str_skip(rule->masquerade[i], exception);
        bool fits = is_below(domain, parent) || (exception && str_equal(domain, parent));
        if (!fits || parent.n < best.n)
            continue;
        best = parent;
        stays = exception;
    }
    if (stays)
        return STR("");
    struct str local = str_head(given, (size_t)str_find_last_char(given, '@'));
    return arena_printf(a, "%.*s@%.*s", STR_ARG(local), STR_ARG(best));
}

struct str rewriter_address(struct rewriter *r, enum rewrite_part part, struct str address,
                            struct arena *a)
{
    if (!rewriter_wants(r, part) || str_find_char(address, '@') < 0)
        return address;
    for (size_t i = 0; i < r->rules->rewrites.count; i++) {
        const struct rewrite_rule *rule = &r->rules->rewrites.list[i];
        struct str local = str_head(address, (size_t)str_find_last_char(address, '@'));
        if (!is_for(r, rule, part) || is_excepted(rule, local))
            continue;
        struct str folded = address_fold(address, a);
        struct str result = rule->table
                                ? rewrite_table_find(rule->table, folded, address, &r->tries, a)
                                : masquerade(rule, folded, address, a);
        if (result.n > 0)
            address = result;
    }
    return address;
}
