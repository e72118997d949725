/*
 * A preset and the settings that replace parts of it become one immutable mapping: filters parsed,
 * names of attributes split, words checked. Everything that can be wrong with it is found here,
 * when the server starts, and named by the setting.
 *
 * Filters for addresses that are not given are made of the attributes: an account has the address
 * that is in one of the attributes of mail_attribute and alias_attribute, or is the user name of
 * one without any in the default domain. One who adds an attribute gets the filter with it.
 */
#include "auth/ldap_mapping.h"

#include "auth/directory_name.h"
#include "core/buf.h"

enum field_kind {
    FIELD_WORDS, /* any words */
    FIELD_BASE,
    FIELD_FILTER,
    FIELD_NAMES,  /* of attributes, the first that has a value counts, or all */
    FIELD_CHOICE, /* one of a few words */
    FIELD_PATH,
};

#define IN_ADDRESS                                                                                 \
    (LDAP_HAS(LDAP_LOGIN) | LDAP_HAS(LDAP_ADDRESS) | LDAP_HAS(LDAP_LOCAL) |                        \
     LDAP_HAS(LDAP_DEFAULT_LOCAL) | LDAP_HAS(LDAP_DOMAIN) | LDAP_HAS(LDAP_HOST))
#define IN_LOGIN      (IN_ADDRESS | LDAP_HAS(LDAP_USER))
#define IN_BASE       (LDAP_HAS(LDAP_DOMAIN) | LDAP_HAS(LDAP_DOMAIN_DN) | LDAP_HAS(LDAP_HOST))
#define IN_MEMBERSHIP (LDAP_HAS(LDAP_DN) | LDAP_HAS(LDAP_USER) | LDAP_HAS(LDAP_ADDRESS))
#define IN_HOME                                                                                    \
    (LDAP_HAS(LDAP_ADDRESS) | LDAP_HAS(LDAP_LOCAL) | LDAP_HAS(LDAP_DOMAIN) | LDAP_HAS(LDAP_USER) | \
     LDAP_HAS(LDAP_ID))

static const struct field {
    enum field_kind kind;
    unsigned placeholders;
    const char *choices; /* FIELD_CHOICE */
} fields[LDAP_FIELDS] = {
    [LDAP_USER_BASE] = {FIELD_BASE, IN_BASE, NULL},
    [LDAP_USER_SCOPE] = {FIELD_CHOICE, 0, "subtree one entry"},
    [LDAP_USER_FILTER] = {FIELD_FILTER, LDAP_HAS(LDAP_HOST), NULL},
    [LDAP_LOGIN_FILTER] = {FIELD_FILTER, IN_LOGIN, NULL},
    [LDAP_ADDRESS_FILTER] = {FIELD_FILTER, IN_ADDRESS, NULL},
    [LDAP_USER_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_ID_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_NAME_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_MAIL_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_ALIAS_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_FORWARD_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_DELIVERY_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_QUOTA_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_QUOTA_UNIT] = {FIELD_CHOICE, 0, "bytes kilobytes megabytes gigabytes"},
    [LDAP_QUOTA_MESSAGES_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_STATUS_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_EXPIRES_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_ACCOUNT_CONTROL] = {FIELD_CHOICE, 0, "no yes"},
    [LDAP_DISABLED_ACCOUNTS_RECEIVE] = {FIELD_CHOICE, 0, "yes defer no"},
    [LDAP_MAIL_HOST_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_PROTOCOLS_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_HOME_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_HOME] = {FIELD_PATH, IN_HOME, NULL},
    [LDAP_GROUP_BASE] = {FIELD_BASE, IN_BASE, NULL},
    [LDAP_GROUP_SCOPE] = {FIELD_CHOICE, 0, "subtree one entry"},
    [LDAP_GROUP_FILTER] = {FIELD_FILTER, LDAP_HAS(LDAP_HOST), NULL},
    [LDAP_GROUP_ADDRESS_FILTER] = {FIELD_FILTER, IN_ADDRESS, NULL},
    [LDAP_GROUP_NAME_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_GROUP_MAIL_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_GROUP_ALIAS_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_GROUP_INTERNAL_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_MEMBER_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_MEMBER_NAME_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_MEMBER_ADDRESS_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_MEMBER_OF_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_MEMBERSHIP_FILTER] = {FIELD_FILTER, IN_MEMBERSHIP, NULL},
    [LDAP_NESTED_GROUPS] = {FIELD_CHOICE, 0, "no breadth chain"},
    [LDAP_PRIMARY_GROUP] = {FIELD_CHOICE, 0, "no yes"},
    [LDAP_DN_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_ALIAS_BASE] = {FIELD_BASE, IN_BASE, NULL},
    [LDAP_ALIAS_FILTER] = {FIELD_FILTER, IN_ADDRESS, NULL},
    [LDAP_ALIAS_MEMBER_ATTRIBUTE] = {FIELD_NAMES, 0, NULL},
    [LDAP_PASSWORD_CHANGE] = {FIELD_CHOICE, 0, "none modify unicodePwd"},
};

#define NAMES_MAX 16 /* attributes of one field */

struct maker {
    struct arena *a;
    const struct ldap_mapping_settings *s;
    struct ldap_mapping *m;
    const struct ldap_template *templates[LDAP_FIELDS];
    struct err *e;
};

/* --- words --- */

/* Next word of a list separated by blanks or commas; p == NULL: none. */
static struct str next_word(struct str *rest)
{
    size_t i = 0;
    while (i < rest->n && strchr(" \t,", rest->p[i]))
        i++;
    *rest = str_skip(*rest, i);
    for (i = 0; i < rest->n && !strchr(" \t,", rest->p[i]);)
        i++;
    struct str word = str_head(*rest, i);
    *rest = str_skip(*rest, i);
    return word.n ? word : (struct str){0};
}

bool ldap_words_have(struct str words, struct str word)
{
    struct str w;
    while (w = next_word(&words), w.p)
        if (str_equal_nocase(w, word))
            return true;
    return false;
}

static int choice_index(const char *choices, struct str word)
{
    struct str rest = str_from_c(choices), w;
    for (int i = 0; w = next_word(&rest), w.p; i++)
        if (str_equal_nocase(w, word))
            return i;
    return -1;
}

static bool is_attribute_name(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = char_lower(name.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
              c == ';' || c == '_'))
            return false;
    }
    return name.n > 0;
}

static bool take_names(struct maker *k, enum ldap_field field, struct str text)
{
    struct ldap_names *names = &k->m->names[field];
    struct ldap_name *list = arena_array(k->a, NAMES_MAX, sizeof(*list));
    struct str word;
    names->list = list;
    while (word = next_word(&text), word.p) {
        struct str prefix = word, name = str_split(&prefix, ':');
        if (!is_attribute_name(name))
            return err_set(k->e, ERR_SYNTAX, "%s: \"%.*s\" is no name of an attribute",
                           ldap_field_names[field], STR_ARG(str_head(word, 60)));
        if (names->count == NAMES_MAX)
            return err_set(k->e, ERR_SYNTAX, "%s: more than %d attributes", ldap_field_names[field],
                           NAMES_MAX);
        list[names->count++] = (struct ldap_name){
            arena_c(k->a, name), arena_str(k->a, str_from(prefix.p ? prefix.p : "", prefix.n))};
    }
    return true;
}

/* --- fields --- */

/* "{base}" at the end of a base of a preset, and a base that is not given. */
static struct str whole_base(struct maker *k, struct str text)
{
    struct str base = str_from_c(k->s->base);
    if (text.n == 0)
        return base;
    if (!str_ends_with_nocase(text, STR(",{base}")))
        return text;
    text = str_head(text, text.n - sizeof(",{base}") + 1);
    return base.n ? arena_printf(k->a, "%.*s,%.*s", STR_ARG(text), STR_ARG(base)) : text;
}

static bool take_template(struct maker *k, enum ldap_field field, enum ldap_template_kind kind,
                          struct str text)
{
    if (text.n == 0 && kind != LDAP_TEMPLATE_BASE)
        return true;
    k->templates[field] = ldap_template_parse(k->a, kind, ldap_field_names[field], text,
                                              fields[field].placeholders, k->e);
    if (!k->templates[field])
        return false;
    if (ldap_template_needs(k->templates[field]) & LDAP_HAS(LDAP_HOST) &&
        k->s->local_hosts.count == 0)
        return err_set(k->e, ERR_SYNTAX, "%s: {host} needs local_hosts", ldap_field_names[field]);
    return true;
}

static bool take_field(struct maker *k, enum ldap_field field)
{
    struct str text = str_from_c(k->m->text[field]);
    switch (fields[field].kind) {
    case FIELD_BASE:
        return take_template(k, field, LDAP_TEMPLATE_BASE, whole_base(k, text));
    case FIELD_FILTER:
        return take_template(k, field, LDAP_TEMPLATE_FILTER, text);
    case FIELD_PATH:
        return take_template(k, field, LDAP_TEMPLATE_PATH, text);
    case FIELD_NAMES:
        return take_names(k, field, text);
    case FIELD_CHOICE:
        return choice_index(fields[field].choices, text) >= 0 ||
               err_set(k->e, ERR_SYNTAX, "%s: \"%.*s\": expected one of: %s",
                       ldap_field_names[field], STR_ARG(str_head(text, 60)), fields[field].choices);
    case FIELD_WORDS:
        break;
    }
    k->m->status_words[field] = text;
    return true;
}

static void choose_text(struct maker *k, enum ldap_field field)
{
    const char *given = k->s->fields[field], *preset = ldap_presets[k->s->preset].fields[field];
    const char *text = given && given[0] ? given : preset ? preset : "";
    if (strcmp(text, "none") == 0 && fields[field].kind != FIELD_CHOICE)
        text = "";
    if (text[0] == '\0' && fields[field].kind == FIELD_CHOICE) { /* the first word */
        struct str choices = str_from_c(fields[field].choices);
        text = arena_c(k->a, next_word(&choices));
    }
    k->m->text[field] = arena_c(k->a, str_from_c(text));
}

static int chosen(const struct maker *k, enum ldap_field field)
{
    return choice_index(fields[field].choices, str_from_c(k->m->text[field]));
}

/* --- filters made of attributes --- */

static void add_comparisons(const struct ldap_names *names, struct buf *b)
{
    for (size_t i = 0; i < names->count; i++)
        buf_printf(b, "(%s=%.*s%s{address})", names->list[i].name, STR_ARG(names->list[i].prefix),
                   names->list[i].prefix.n ? ":" : "");
}

static void add_none_of(const struct ldap_names *names, struct buf *b)
{
    for (size_t i = 0; i < names->count; i++)
        buf_printf(b, "(!(%s=%.*s%s*))", names->list[i].name, STR_ARG(names->list[i].prefix),
                   names->list[i].prefix.n ? ":" : "");
}

/* user_attribute: of accounts that have no address; NULL: all have one. */
static const char *made_filter(struct maker *k, enum ldap_field mail, enum ldap_field alias,
                               const struct ldap_names *user)
{
    const struct ldap_names *names = k->m->names;
    struct buf b = BUF_EMPTY;
    if (names[mail].count + names[alias].count + (user ? user->count : 0) == 0)
        return "";
    buf_add_c(&b, "(|");
    add_comparisons(&names[mail], &b);
    add_comparisons(&names[alias], &b);
    for (size_t i = 0; user && i < user->count; i++) {
        buf_printf(&b, "(&(%s={default_local})", user->list[i].name);
        add_none_of(&names[mail], &b);
        for (size_t j = 0; j < names[alias].count; j++) /* only those with a main one */
            if (names[alias].list[j].prefix.n)
                add_none_of(&(struct ldap_names){&names[alias].list[j], 1}, &b);
        buf_add_c(&b, ")");
    }
    buf_add_c(&b, ")");
    const char *text = arena_c(k->a, buf_str(&b));
    buf_free(&b);
    return text;
}

static bool make_filters(struct maker *k)
{
    const char **text = k->m->text;
    if (text[LDAP_ADDRESS_FILTER][0] == '\0')
        text[LDAP_ADDRESS_FILTER] = made_filter(k, LDAP_MAIL_ATTRIBUTE, LDAP_ALIAS_ATTRIBUTE,
                                                &k->m->names[LDAP_USER_ATTRIBUTE]);
    if (text[LDAP_GROUP_ADDRESS_FILTER][0] == '\0')
        text[LDAP_GROUP_ADDRESS_FILTER] =
            made_filter(k, LDAP_GROUP_MAIL_ATTRIBUTE, LDAP_GROUP_ALIAS_ATTRIBUTE, NULL);
    return take_field(k, LDAP_ADDRESS_FILTER) && take_field(k, LDAP_GROUP_ADDRESS_FILTER);
}

/* --- what is asked for --- */

static const char *const *attribute_list(struct maker *k, const enum ldap_field *list, size_t count,
                                         const char *const *more)
{
    size_t n = 0, room = 32 + count * NAMES_MAX;
    const char **result = arena_array(k->a, room, sizeof(*result));
    for (; more && *more; more++)
        result[n++] = *more;
    for (size_t i = 0; i < count; i++) {
        const struct ldap_names *names = &k->m->names[list[i]];
        for (size_t j = 0; j < names->count; j++) {
            bool known = false;
            for (size_t x = 0; x < n; x++)
                known |= str_equal_nocase(str_from_c(result[x]), str_from_c(names->list[j].name));
            if (!known)
                result[n++] = names->list[j].name;
        }
    }
    return result;
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const enum ldap_field account_fields[] = {
    LDAP_USER_ATTRIBUTE,      LDAP_ID_ATTRIBUTE,      LDAP_NAME_ATTRIBUTE,
    LDAP_MAIL_ATTRIBUTE,      LDAP_ALIAS_ATTRIBUTE,   LDAP_FORWARD_ATTRIBUTE,
    LDAP_DELIVERY_ATTRIBUTE,  LDAP_QUOTA_ATTRIBUTE,   LDAP_QUOTA_MESSAGES_ATTRIBUTE,
    LDAP_STATUS_ATTRIBUTE,    LDAP_EXPIRES_ATTRIBUTE, LDAP_MAIL_HOST_ATTRIBUTE,
    LDAP_PROTOCOLS_ATTRIBUTE, LDAP_HOME_ATTRIBUTE,    LDAP_MEMBER_OF_ATTRIBUTE,
};
static const enum ldap_field group_fields[] = {
    LDAP_GROUP_NAME_ATTRIBUTE,  LDAP_GROUP_MAIL_ATTRIBUTE,     LDAP_GROUP_ALIAS_ATTRIBUTE,
    LDAP_NAME_ATTRIBUTE,        LDAP_GROUP_INTERNAL_ATTRIBUTE, LDAP_MEMBER_ATTRIBUTE,
    LDAP_MEMBER_NAME_ATTRIBUTE, LDAP_MEMBER_ADDRESS_ATTRIBUTE, LDAP_MEMBER_OF_ATTRIBUTE,
};
static const enum ldap_field member_fields[] = {
    LDAP_USER_ATTRIBUTE,       LDAP_MAIL_ATTRIBUTE,        LDAP_ALIAS_ATTRIBUTE,
    LDAP_GROUP_NAME_ATTRIBUTE, LDAP_GROUP_MAIL_ATTRIBUTE,  LDAP_GROUP_ALIAS_ATTRIBUTE,
    LDAP_MEMBER_ATTRIBUTE,     LDAP_MEMBER_NAME_ATTRIBUTE, LDAP_MEMBER_ADDRESS_ATTRIBUTE,
};
static const enum ldap_field membership_fields[] = {LDAP_GROUP_NAME_ATTRIBUTE,
                                                    LDAP_MEMBER_OF_ATTRIBUTE};
static const enum ldap_field alias_fields[] = {LDAP_ALIAS_MEMBER_ATTRIBUTE};

static void choose_attributes(struct maker *k)
{
    static const char *const control[] = {"userAccountControl",
                                          "msDS-User-Account-Control-Computed", "lockoutTime",
                                          "pwdLastSet", NULL};
    static const char *const primary[] = {"primaryGroupID", "objectSid", NULL};
    static const char *const classes[] = {"objectClass", "objectSid", "primaryGroupID", NULL};
    struct ldap_mapping *m = k->m;
    const char *more[8] = {NULL};
    size_t n = 0;
    for (size_t i = 0; m->account_control && control[i]; i++)
        more[n++] = control[i];
    for (size_t i = 0; m->primary_group && primary[i]; i++)
        more[n++] = primary[i];
    m->account_attributes = attribute_list(k, account_fields, COUNT(account_fields), more);
    m->group_attributes =
        attribute_list(k, group_fields, COUNT(group_fields), m->primary_group ? primary : NULL);
    static const char *const class_only[] = {"objectClass", NULL};
    m->member_attributes = attribute_list(k, member_fields, COUNT(member_fields),
                                          m->primary_group ? classes : class_only);
    m->membership_attributes = attribute_list(k, membership_fields, COUNT(membership_fields), NULL);
    m->alias_attributes = attribute_list(k, alias_fields, COUNT(alias_fields), NULL);
}

/* --- the whole --- */

static bool take_domains(struct maker *k)
{
    struct ldap_mapping *m = k->m;
    const char *first = k->s->default_domain;
    if (first[0] == '\0' && k->s->domains.count > 0)
        first = k->s->domains.items[0];
    m->domains = k->s->domains;
    m->default_domain = STR("");
    if (first[0] && !name_domain(k->a, str_from_c(first), &m->default_domain))
        return err_set(k->e, ERR_SYNTAX, "default_domain: \"%s\" is no domain", first);
    return true;
}

static void take_searches(struct maker *k)
{
    static const enum ldap_scope scopes[] = {LDAP_SUBTREE, LDAP_ONE_LEVEL, LDAP_ENTRY_ONLY};
    struct ldap_mapping *m = k->m;
    enum ldap_scope user = scopes[chosen(k, LDAP_USER_SCOPE)];
    enum ldap_scope group = scopes[chosen(k, LDAP_GROUP_SCOPE)];
    const struct ldap_template **t = k->templates;
    m->user_filter = t[LDAP_USER_FILTER];
    m->group_filter = t[LDAP_GROUP_FILTER];
    m->login = (struct ldap_search){t[LDAP_USER_BASE], t[LDAP_LOGIN_FILTER], user};
    m->address = (struct ldap_search){t[LDAP_USER_BASE], t[LDAP_ADDRESS_FILTER], user};
    m->group = (struct ldap_search){t[LDAP_GROUP_BASE],
                                    m->group_filter ? t[LDAP_GROUP_ADDRESS_FILTER] : NULL, group};
    m->membership = (struct ldap_search){t[LDAP_GROUP_BASE],
                                         m->group_filter ? t[LDAP_MEMBERSHIP_FILTER] : NULL, group};
    m->alias = (struct ldap_search){t[LDAP_ALIAS_BASE], t[LDAP_ALIAS_FILTER], LDAP_SUBTREE};
    m->home = t[LDAP_HOME];
}

static bool take_base(struct maker *k)
{
    const struct ldap_template *t = ldap_template_parse(k->a, LDAP_TEMPLATE_BASE, "base",
                                                        str_from_c(k->s->base), IN_BASE, k->e);
    struct ldap_values v = {0};
    v.of[LDAP_DOMAIN] = v.of[LDAP_DOMAIN_DN] = k->m->default_domain;
    v.of[LDAP_HOST] = k->m->host;
    if (!t)
        return false;
    return ldap_template_text(t, &v, k->a, &k->m->base) ||
           err_set(k->e, ERR_SYNTAX, "base: {domain} needs default_domain or domains");
}

static void take_choices(struct maker *k)
{
    static const int64_t units[] = {1, 1024, 1024 * 1024, (int64_t)1024 * 1024 * 1024};
    static const enum account_mail mail[] = {ACCOUNT_MAIL_ACCEPT, ACCOUNT_MAIL_DEFER,
                                             ACCOUNT_MAIL_REFUSE};
    struct ldap_mapping *m = k->m;
    m->quota_unit = units[chosen(k, LDAP_QUOTA_UNIT)];
    m->account_control = chosen(k, LDAP_ACCOUNT_CONTROL) == 1;
    m->primary_group = chosen(k, LDAP_PRIMARY_GROUP) == 1;
    m->disabled_mail = mail[chosen(k, LDAP_DISABLED_ACCOUNTS_RECEIVE)];
    m->nesting = (enum ldap_nesting)chosen(k, LDAP_NESTED_GROUPS);
    m->change = (enum ldap_change)chosen(k, LDAP_PASSWORD_CHANGE);
    m->keep_copy = k->s->keep_copy;
    m->local_hosts = k->s->local_hosts;
    m->netbios_domains = k->s->netbios_domains;
    m->group_members_max = (size_t)k->s->group_members_max;
    m->group_depth_max = (unsigned)k->s->group_depth_max;
}

static bool add_upn(struct maker *k)
{
    const char **alias = &k->m->text[LDAP_ALIAS_ATTRIBUTE];
    if (k->s->upn_addresses)
        *alias = arena_printf(k->a, "%s userPrincipalName", *alias).p;
    return true;
}

const struct ldap_mapping *ldap_mapping_make(struct arena *a, const char *name,
                                             const struct ldap_mapping_settings *s, struct err *e)
{
    struct ldap_mapping *m = ARENA_NEW(a, struct ldap_mapping);
    struct maker k = {.a = a, .s = s, .m = m, .e = e};
    m->source = arena_str(a, str_from_c(name));
    m->host = str_from_c(s->local_hosts.count ? s->local_hosts.items[0] : "");
    for (size_t i = 0; i < LDAP_FIELDS; i++)
        choose_text(&k, (enum ldap_field)i);
    if (!take_domains(&k) || !take_base(&k) || !add_upn(&k))
        return NULL;
    for (size_t i = 0; i < LDAP_FIELDS; i++)
        if (!take_field(&k, (enum ldap_field)i))
            return NULL;
    if (!make_filters(&k))
        return NULL;
    if (!k.templates[LDAP_USER_FILTER] || !k.templates[LDAP_LOGIN_FILTER]) {
        err_set(e, ERR_SYNTAX, "user_filter and login_filter cannot be none");
        return NULL;
    }
    if (m->names[LDAP_USER_ATTRIBUTE].count != 1) {
        err_set(e, ERR_SYNTAX, "user_attribute: expected one attribute");
        return NULL;
    }
    take_choices(&k);
    take_searches(&k);
    choose_attributes(&k);
    return m;
}
