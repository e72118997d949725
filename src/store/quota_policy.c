/*
 * The settings of quota and what they mean for an account and a mailbox.
 *
 * A limit comes from the user in the directory, else from the settings; a rule may change it for
 * what is put into one mailbox ("Trash:storage=+10%", so that a full account can still delete by
 * moving to Trash), or take a mailbox out of it all ("Junk:ignore"). The rules are Dovecot's
 * quota_rule with the same words.
 */
#include "core/mem.h"
#include "store/folder_name.h"
#include "store/store_internal.h"

#include <stdlib.h>

#define FIELD(name) offsetof(struct quota_settings, name)
#define SIZE_LIMIT  ((int64_t)1 << 60)

static const char *const over_quota_choices[] = {"refuse", "later", NULL};

static const struct setting table[] = {
    {"storage", SETTING_SIZE, FIELD(storage), "0", 0, SIZE_LIMIT, NULL,
     "Size of all mail of an account; 0 is no limit. A user may have an own one: `mailctl quota "
     "set`."},
    {"messages", SETTING_NUMBER, FIELD(messages), "0", 0, SIZE_LIMIT, NULL,
     "Number of messages of an account; 0 is no limit. A user may have an own one."},
    {"mailboxes", SETTING_NUMBER, FIELD(mailboxes), "0", 0, 1000000, NULL,
     "Number of mailboxes of an account; 0 is no limit."},
    {"grace", SETTING_SIZE, FIELD(grace), "10M", 0, SIZE_LIMIT, NULL,
     "The last message that fits may exceed the storage by this much, so that one large message "
     "does not have to wait until there is room for all of it."},
    {"rules", SETTING_STRING_LIST, FIELD(rules), "Trash:storage=+10%:messages=+10%", 0, 0, NULL,
     "Other limits for what is put into a mailbox: NAME:storage=+10%, NAME:storage=+100M, "
     "NAME:messages=+1000; without the + they stand for themselves. NAME:ignore: the mailbox does "
     "not count and has no limit. NAME/* are the mailboxes below NAME."},
    {"warnings", SETTING_STRING_LIST, FIELD(warnings), "80%, 95%", 0, 0, NULL,
     "When an account's usage grows beyond one of these shares of its limit, the user gets a "
     "message that says so; again only after it was below."},
    {"over_quota", SETTING_CHOICE, FIELD(over_quota), "refuse", 0, 0, over_quota_choices,
     "Mail for an account that is full: refuse answers 552 5.2.2, the sender hears of it at once; "
     "later answers 452 4.2.2, other servers try again for days."},
    {0},
};

/* --- reading --- */

bool quota_parse_size(struct str text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    unsigned shift = 0;

    if (text.n > 0) {
        char last = text.p[text.n - 1];
        const char *unit = strchr(units, last >= 'a' ? last - 32 : last);
        if (unit && *unit) {
            shift = 10 * (unsigned)(unit - units + 1);
            text.n--;
        }
    }
    if (!str_to_u64(text, bytes) || *bytes > (uint64_t)SIZE_LIMIT >> shift)
        return false;
    *bytes <<= shift;
    return true;
}

static bool parse_amount(struct str text, bool is_size, struct quota_amount *amount)
{
    bool add = text.n > 0 && text.p[0] == '+';

    text = str_skip(text, add);
    amount->kind = add ? QUOTA_ADD : QUOTA_SET;
    if (add && text.n > 0 && text.p[text.n - 1] == '%') {
        amount->kind = QUOTA_ADD_PERCENT;
        return str_to_u64(str_head(text, text.n - 1), &amount->value) && amount->value <= 10000;
    }
    if (is_size)
        return quota_parse_size(text, &amount->value);
    return str_to_u64(text, &amount->value) && amount->value <= (uint64_t)SIZE_LIMIT;
}

/* rule->name points into text. */
static bool parse_rule(struct str text, struct quota_rule *rule)
{
    struct str rest = text;

    *rule = (struct quota_rule){.name = str_split(&rest, ':')};
    if (rule->name.n > 2 && memcmp(rule->name.p + rule->name.n - 2, "/*", 2) == 0) {
        rule->below = true;
        rule->name.n -= 2;
    }
    if (rule->name.n == 0 || !rest.p || !str_is_utf8(rule->name))
        return false;
    while (rest.p) {
        struct str value = str_split(&rest, ':');
        struct str word = str_split(&value, '=');
        bool ok = false;
        if (str_equal(word, STR("ignore")))
            ok = rule->ignore = !value.p;
        else if (str_equal(word, STR("storage")))
            ok = parse_amount(value, true, &rule->storage);
        else if (str_equal(word, STR("messages")))
            ok = parse_amount(value, false, &rule->messages);
        if (!ok)
            return false;
    }
    return true;
}

static bool parse_warning(struct str text, unsigned *percent)
{
    uint32_t value;

    if (text.n < 2 || text.p[text.n - 1] != '%' || !str_to_u32(str_head(text, text.n - 1), &value))
        return false;
    *percent = value;
    return value > 0 && value <= 1000;
}

static bool check_settings(const void *values, struct err *e)
{
    const struct quota_settings *s = values;
    struct quota_rule rule;
    unsigned percent;

    for (size_t i = 0; i < s->rules.count; i++) {
        if (!parse_rule(str_from_c(s->rules.items[i]), &rule))
            return err_set(e, ERR_SYNTAX,
                           "rules: \"%s\" is not NAME:storage=SIZE, NAME:messages=N or NAME:ignore",
                           s->rules.items[i]);
    }
    for (size_t i = 0; i < s->warnings.count; i++) {
        if (!parse_warning(str_from_c(s->warnings.items[i]), &percent))
            return err_set(e, ERR_SYNTAX, "warnings: \"%s\" is no share such as 80%%",
                           s->warnings.items[i]);
    }
    return true;
}

const struct settings_block quota_settings_block = {
    .name = "quota",
    .help = "How much mail an account may keep. Usage is exact and shown to mail programs; mail "
            "for a full account is refused when its recipient is named.",
    .size = sizeof(struct quota_settings),
    .settings = table,
    .check = check_settings,
};

/* --- the policy --- */

static int compare_percent(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

void quota_policy_free(struct quota_policy *p)
{
    for (size_t i = 0; i < p->rule_count; i++)
        free((char *)p->rules[i].name.p);
    free(p->rules);
    free(p->warnings);
    *p = (struct quota_policy){0};
}

static void add_rule(struct quota_policy *p, struct str text)
{
    struct quota_rule rule;
    struct buf name = BUF_EMPTY;

    if (!parse_rule(text, &rule))
        return;
    if (!folder_name_check(rule.name, &name, NULL))
        buf_add_str(&name, rule.name);
    rule.name = str_from(mem_dup(name.p, name.n), name.n);
    p->rules[p->rule_count++] = rule;
    buf_free(&name);
}

static void policy_init(struct quota_policy *p, const struct quota_settings *s)
{
    *p = (struct quota_policy){.limits = {.storage = (uint64_t)s->storage,
                                          .messages = (uint64_t)s->messages,
                                          .mailboxes = (uint64_t)s->mailboxes},
                               .grace = (uint64_t)s->grace,
                               .later = s->over_quota == OVER_QUOTA_LATER};
    p->rules = mem_array(s->rules.count, sizeof(*p->rules));
    for (size_t i = 0; i < s->rules.count; i++)
        add_rule(p, str_from_c(s->rules.items[i]));
    p->warnings = mem_array(s->warnings.count, sizeof(*p->warnings));
    for (size_t i = 0; i < s->warnings.count; i++)
        p->warning_count +=
            parse_warning(str_from_c(s->warnings.items[i]), &p->warnings[p->warning_count]);
    if (p->warning_count > 1)
        qsort(p->warnings, p->warning_count, sizeof(*p->warnings), compare_percent);
}

static bool same_rules(const struct quota_policy *a, const struct quota_policy *b)
{
    bool same = a->rule_count == b->rule_count;

    for (size_t i = 0; same && i < a->rule_count; i++)
        same = str_equal(a->rules[i].name, b->rules[i].name) &&
               a->rules[i].below == b->rules[i].below && a->rules[i].ignore == b->rules[i].ignore;
    return same;
}

void store_set_quota(struct store *s, const struct quota_settings *settings)
{
    struct quota_policy old = s->quota;

    policy_init(&s->quota, settings);
    /* What is ignored decides what is counted. */
    if (!same_rules(&old, &s->quota))
        quota_forget_all(s);
    quota_policy_free(&old);
}

static const struct quota_rule *find_rule(const struct quota_policy *p, struct str mailbox)
{
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct quota_rule *r = &p->rules[i];
        if (r->below ? folder_name_is_below(mailbox, r->name) : str_equal(mailbox, r->name))
            return r;
    }
    return NULL;
}

bool quota_is_ignored(const struct quota_policy *p, struct str mailbox)
{
    const struct quota_rule *r = find_rule(p, mailbox);
    return r && r->ignore;
}

struct quota_limits quota_limits_of(const struct quota_policy *p, const struct store_account *a)
{
    struct quota_limits l = p->limits;

    if (!a->quota.login || a->is_public)
        return (struct quota_limits){0};
    if (a->quota.storage >= 0)
        l.storage = (uint64_t)a->quota.storage;
    if (a->quota.messages >= 0)
        l.messages = (uint64_t)a->quota.messages;
    return l;
}

static uint64_t amount(const struct quota_amount *a, uint64_t limit)
{
    switch (a->kind) {
    case QUOTA_SAME:
        break;
    case QUOTA_ADD:
        return limit > 0 ? limit + a->value : 0;
    case QUOTA_ADD_PERCENT:
        return limit > 0 ? limit + (uint64_t)((double)limit * (double)a->value / 100) : 0;
    case QUOTA_SET:
        return a->value;
    }
    return limit;
}

struct quota_limits quota_limits_in(const struct quota_policy *p, const struct store_account *a,
                                    struct str mailbox)
{
    struct quota_limits l = quota_limits_of(p, a);
    const struct quota_rule *r = find_rule(p, mailbox);

    if (!r)
        return l;
    if (r->ignore)
        return (struct quota_limits){0};
    l.storage = amount(&r->storage, l.storage);
    l.messages = amount(&r->messages, l.messages);
    return l;
}
