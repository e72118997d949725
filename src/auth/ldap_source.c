/*
 * A source of accounts over LDAP: what the functions of source.h mean in terms of searches. Which
 * searches those are is the mapping's business (ldap_mapping.c), what entries mean ldap_map.c's,
 * connections the client's.
 *
 * A login is asked for as it was typed. One with a domain is also an address; one without, or in
 * the form DOMAIN\user, is a user name (ldap_filter.h says which placeholder has which). Two
 * entries for one login or address are an error of the directory that nobody may guess about:
 * TEMPFAIL, and both names in the log.
 */
#include "auth/ldap_source.h"

#include "auth/directory_name.h"
#include "auth/ldap_ad.h"
#include "auth/ldap_discover.h"
#include "auth/limits.h"
#include "core/log.h"
#include "core/mem.h"
#include "mime/address.h"

#include <stdlib.h>

static struct ldap_source *of(struct source *s)
{
    return (struct ldap_source *)s;
}

/* --- what is asked here --- */

static bool list_has_domain(const struct string_list *list, struct str domain)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_equal_nocase(str_from_c(list->items[i]), domain))
            return true;
    return list->count == 0;
}

/* Whether the block serves the domain; "": no domain. */
static bool serves(const struct ldap_source *s, struct str domain, struct lookup_trace *t)
{
    if (domain.n == 0 || list_has_domain(&s->mapping->domains, domain))
        return true;
    lookup_trace_add(t, "result", "not asked: %.*s is not in domains", STR_ARG(domain));
    return false;
}

/* DOMAIN\user: the user, if the domain may be named. */
static bool split_netbios(const struct ldap_source *s, struct str login, struct str *user)
{
    struct str rest = login, domain = str_split(&rest, '\\');
    if (!rest.p)
        return false;
    *user = rest;
    return list_has_domain(&s->mapping->netbios_domains, domain);
}

/* False: no account of this source can have this login. */
static bool login_values(struct ldap_source *s, struct str login, struct arena *a,
                         struct ldap_values *v, struct lookup_trace *t)
{
    const struct ldap_mapping *m = s->mapping;
    struct name name;
    struct str user;
    *v = ldap_values_of_address(m, STR(""), a);
    if (login.n == 0 || login.n > LDAP_LOGIN_MAX || !str_is_utf8(login))
        return false;
    if (str_find_char(login, '@') >= 0) {
        if (name_read(a, login, &name, NULL) && name.domain.n > 0) {
            /* A login of another form (a principal's name) may have any domain. */
            if (!(ldap_template_needs(m->login.filter) & LDAP_HAS(LDAP_LOGIN)) &&
                !serves(s, name.domain, t))
                return false;
            *v = ldap_values_of_address(m, name_text(a, &name), a);
        }
    } else if (str_find_char(login, '\\') >= 0) {
        if (!split_netbios(s, login, &user))
            return false;
        v->of[LDAP_USER] = user;
    } else {
        v->of[LDAP_USER] = login;
    }
    v->of[LDAP_LOGIN] = login;
    return true;
}

/* --- accounts --- */

static enum lookup find(struct ldap_source *s, const struct ldap_search *search,
                        const struct ldap_values *v, struct arena *a, struct source_account *found,
                        struct lookup_trace *t, struct err *e)
{
    const struct ldap_mapping *m = s->mapping;
    struct ldap_entry entry;
    enum lookup result =
        ldap_ask_one(s, search, m->user_filter, v, m->account_attributes, a, &entry, t, e);
    if (result == LOOKUP_FOUND)
        result = ldap_map_account(m, &entry, a, found, e);
    else
        return result;
    if (result == LOOKUP_NOT_FOUND) {
        lookup_trace_add(t, "result", "the entry has no address, and there is no default_domain");
        return result;
    }
    if (result == LOOKUP_FOUND)
        result = ldap_account_groups(s, &entry, a, &found->account, t, e);
    return result;
}

/* Who logs in by another name than his main address gets the mailboxes of that address: it must be
 * his alone, and lead to him when mail comes. */
static enum lookup check_name(struct ldap_source *s, struct source_account *found, struct arena *a,
                              struct lookup_trace *t, struct err *e)
{
    static const char *const nothing[] = {"1.1", NULL};
    const struct ldap_mapping *m = s->mapping;
    struct ldap_values v = ldap_values_of_address(m, found->account.login, a);
    struct ldap_entry entry;
    enum lookup result = ldap_ask_one(s, &m->address, m->user_filter, &v, nothing, a, &entry, t, e);
    if (result == LOOKUP_TEMPFAIL || (result == LOOKUP_FOUND && str_equal(entry.dn, found->key)))
        return result;
    err_set(e, ERR_SYNTAX, "ldap %s: %.*s: its address %.*s leads to %s", s->base.name,
            STR_ARG(str_head(found->key, 120)), STR_ARG(str_head(found->account.login, 80)),
            result == LOOKUP_FOUND ? "another entry" : "no entry");
    log_error("ldap", s->base.name,
              "address leads elsewhere entry=\"%.*s\" address=<%.*s> found=%s",
              STR_ARG(str_head(found->key, 500)), STR_ARG(found->account.login),
              result == LOOKUP_FOUND ? "another" : "none");
    return LOOKUP_TEMPFAIL;
}

static enum lookup find_login(struct source *source, struct str login, struct arena *a,
                              struct source_account *found, struct lookup_trace *t, struct err *e)
{
    struct ldap_source *s = of(source);
    struct ldap_values v;
    if (!login_values(s, login, a, &v, t))
        return LOOKUP_NOT_FOUND;
    enum lookup result = find(s, &s->mapping->login, &v, a, found, t, e);
    if (result == LOOKUP_FOUND && !str_equal_nocase(v.of[LDAP_ADDRESS], found->account.login))
        result = check_name(s, found, a, t, e);
    return result;
}

static enum lookup find_account(struct source *source, struct str address, struct arena *a,
                                struct source_account *found, struct lookup_trace *t, struct err *e)
{
    struct ldap_source *s = of(source);
    if (!serves(s, address_domain(address), t))
        return LOOKUP_NOT_FOUND;
    struct ldap_values v = ldap_values_of_address(s->mapping, address, a);
    return find(s, &s->mapping->address, &v, a, found, t, e);
}

/* --- addresses and groups --- */

static enum lookup find_address(struct source *source, struct str address, struct arena *a,
                                struct directory_address *found, struct lookup_trace *t,
                                struct err *e)
{
    struct ldap_source *s = of(source);
    const struct ldap_mapping *m = s->mapping;
    const struct ldap_names *names = &m->names[LDAP_ALIAS_MEMBER_ATTRIBUTE];
    struct ldap_entry entry;
    if (!m->alias.filter || !serves(s, address_domain(address), t))
        return LOOKUP_NOT_FOUND;
    struct ldap_values v = ldap_values_of_address(m, address, a);
    enum lookup result = ldap_ask_one(s, &m->alias, NULL, &v, m->alias_attributes, a, &entry, t, e);
    if (result != LOOKUP_FOUND)
        return result;
    *found = (struct directory_address){.address = arena_str(a, address)};
    for (size_t i = 0; i < names->count; i++) {
        const struct ldap_attribute *attribute = ldap_attribute_of(&entry, names->list[i].name);
        size_t room = found->count + (attribute ? attribute->count : 0);
        struct str *list = arena_array(a, room, sizeof(*list));
        if (found->count > 0)
            memcpy(list, found->destinations, found->count * sizeof(*list));
        found->destinations = list;
        for (size_t j = 0; attribute && j < attribute->count; j++)
            if (ldap_map_destination(m, &entry, attribute->name.p ? names->list[i].name : "",
                                     attribute->values[j], a, &list[found->count]))
                found->count++;
    }
    if (found->count > 0)
        return LOOKUP_FOUND;
    err_set(e, ERR_SYNTAX, "ldap %s: %.*s leads nowhere", s->base.name,
            STR_ARG(str_head(entry.dn, 200)));
    return LOOKUP_TEMPFAIL;
}

static enum lookup find_group(struct source *source, struct str address, struct arena *a,
                              struct directory_group *found, struct lookup_trace *t, struct err *e)
{
    struct ldap_source *s = of(source);
    const struct ldap_mapping *m = s->mapping;
    struct ldap_entry entry;
    if (!m->group.filter || !serves(s, address_domain(address), t))
        return LOOKUP_NOT_FOUND;
    struct ldap_values v = ldap_values_of_address(m, address, a);
    enum lookup result =
        ldap_ask_one(s, &m->group, m->group_filter, &v, m->group_attributes, a, &entry, t, e);
    if (result != LOOKUP_FOUND)
        return result;
    if (!ldap_map_group(m, &entry, a, found)) { /* found by an alias only */
        found->address = arena_str(a, address);
    }
    return ldap_group_members(s, &entry, a, found, t, e);
}

/* --- passwords --- */

static enum lookup check_password(struct source *source, const struct source_account *account,
                                  struct str password, struct lookup_trace *t, struct err *e)
{
    return ldap_client_bind(of(source)->client, account->key, password, t, e);
}

/* What Active Directory says beside its results (MS-ADTS 3.1.1.3.1.5): the reason is in the text.
 */
static void explain(struct err *e)
{
    struct str text = str_from_c(e->text);
    if (str_find_nocase(text, STR("0000052D")) >= 0)
        err_set(e, ERR_PERM,
                "the new password is against the rules of the domain: its length, the kinds of its "
                "characters, one of the last ones again, or changed too soon after the last time");
    else if (str_find_nocase(text, STR("00000056")) >= 0)
        err_set(e, ERR_DENIED, "the old password is wrong");
    else if (str_find_nocase(text, STR("00000005")) >= 0)
        err_set(e, ERR_PERM, "the service account may not set passwords of this account");
}

static bool set_unicode(struct ldap_source *s, const struct source_account *account, struct str old,
                        struct str password, struct err *e)
{
    struct buf before = BUF_EMPTY, after = BUF_EMPTY;
    bool ok =
        (ad_password_value(&after, password) && (!old.p || ad_password_value(&before, old))) ||
        err_set(e, ERR_PERM, "the password is no UTF-8 text");
    if (ok) {
        struct str was = old.p ? buf_str(&before) : (struct str){0};
        ok = ldap_client_replace(s->client, account->key, "unicodePwd", was, buf_str(&after), true,
                                 e);
        if (!ok)
            explain(e);
    }
    if (before.p)
        explicit_bzero(before.p, before.capacity);
    if (after.p)
        explicit_bzero(after.p, after.capacity);
    buf_free(&before);
    buf_free(&after);
    return ok;
}

static bool set_password(struct source *source, const struct source_account *account,
                         struct str old, struct str password, struct err *e)
{
    struct ldap_source *s = of(source);
    switch (s->mapping->change) {
    case LDAP_CHANGE_UNICODE:
        return set_unicode(s, account, old, password, e);
    case LDAP_CHANGE_MODIFY:
        return ldap_client_password_modify(s->client, account->key, old, password, e);
    case LDAP_CHANGE_NONE:
        break;
    }
    return err_set(e, ERR_PERM, "passwords of the directory %s are not changed here", s->base.name);
}

/* --- lists --- */

struct listing {
    struct ldap_source *s;
    struct str domain;
    bool (*account)(void *arg, const struct account *account);
    void *arg;
    struct arena *groups; /* of the entries of groups */
    struct ldap_entry *entries;
    size_t count, room;
};

static struct ldap_query list_query(struct ldap_source *s, const struct ldap_search *search,
                                    const struct ldap_template *filter, struct str domain,
                                    const char *const *attributes, struct arena *a)
{
    struct ldap_values v = ldap_values_of_address(s->mapping, STR(""), a);
    struct ldap_query q = {.scope = search->scope,
                           .attributes = attributes,
                           .entries_max = SIZE_MAX,
                           .page = LDAP_PAGE};
    if (domain.n > 0)
        v.of[LDAP_DOMAIN] = v.of[LDAP_DOMAIN_DN] = domain;
    if (!ldap_template_text(search->base, &v, a, &q.base))
        q.base = s->mapping->base;
    q.filter = ldap_filter_text(filter, &v, a);
    return q;
}

static bool in_domain(struct str address, struct str domain)
{
    return domain.n == 0 || str_equal_nocase(address_domain(address), domain);
}

static bool list_account(void *arg, const struct ldap_entry *entry)
{
    struct listing *l = arg;
    struct source_account found;
    struct err e;
    bool go_on = true;
    struct arena *a = arena_new();
    enum lookup result = ldap_map_account(l->s->mapping, entry, a, &found, &e);
    if (result == LOOKUP_TEMPFAIL)
        log_warning("ldap", l->s->base.name, "entry left out: %s", e.text);
    else if (result == LOOKUP_FOUND && in_domain(found.account.login, l->domain))
        go_on = l->account(l->arg, &found.account);
    arena_free(a);
    return go_on;
}

static bool list_accounts(struct source *source, struct str domain,
                          bool (*fn)(void *arg, const struct account *account), void *arg,
                          struct err *e)
{
    struct ldap_source *s = of(source);
    const struct ldap_mapping *m = s->mapping;
    struct listing l = {.s = s, .domain = domain, .account = fn, .arg = arg};
    if (!serves(s, domain, NULL))
        return true;
    struct arena *a = arena_new();
    struct ldap_query q =
        list_query(s, &m->address, m->user_filter, domain, m->account_attributes, a);
    bool ok = ldap_client_search_pages(s->client, &q, list_account, &l, e);
    arena_free(a);
    return ok;
}

static struct ldap_entry copy_entry(struct arena *a, const struct ldap_entry *from)
{
    struct ldap_entry entry = {.dn = arena_str(a, from->dn), .count = from->count};
    entry.attributes = arena_array(a, from->count, sizeof(*entry.attributes));
    for (size_t i = 0; i < from->count; i++) {
        entry.attributes[i].name = arena_str(a, from->attributes[i].name);
        entry.attributes[i].count = from->attributes[i].count;
        entry.attributes[i].values =
            account_copy_list(a, from->attributes[i].values, from->attributes[i].count);
    }
    return entry;
}

/* Members are looked for when the list of groups is there: that takes searches of its own. */
static bool keep_group(void *arg, const struct ldap_entry *entry)
{
    struct listing *l = arg;
    if (!ldap_map_value(l->s->mapping, entry, LDAP_GROUP_MAIL_ATTRIBUTE).p)
        return true;
    l->entries = mem_grow(l->entries, l->count, &l->room, sizeof(*l->entries), 64);
    l->entries[l->count++] = copy_entry(l->groups, entry);
    return true;
}

static bool list_kept(struct listing *l, bool (*fn)(void *arg, const struct directory_group *group),
                      void *arg, struct err *e)
{
    for (size_t i = 0; i < l->count; i++) {
        struct arena *a = arena_new();
        struct directory_group group;
        bool ok = true;
        if (ldap_map_group(l->s->mapping, &l->entries[i], a, &group) &&
            in_domain(group.address, l->domain))
            ok = ldap_group_members(l->s, &l->entries[i], a, &group, NULL, e) == LOOKUP_FOUND &&
                 fn(arg, &group);
        arena_free(a);
        if (!ok)
            return false;
    }
    return true;
}

static bool list_groups(struct source *source, struct str domain,
                        bool (*fn)(void *arg, const struct directory_group *group), void *arg,
                        struct err *e)
{
    struct ldap_source *s = of(source);
    const struct ldap_mapping *m = s->mapping;
    struct listing l = {.s = s, .domain = domain};
    if (!m->group.filter || !serves(s, domain, NULL))
        return true;
    l.groups = arena_new();
    struct ldap_query q =
        list_query(s, &m->group, m->group_filter, domain, m->group_attributes, l.groups);
    bool ok =
        ldap_client_search_pages(s->client, &q, keep_group, &l, e) && list_kept(&l, fn, arg, e);
    free(l.entries);
    arena_free(l.groups);
    return ok;
}

/* --- life --- */

static void describe(struct source *source, struct lookup_trace *t)
{
    struct ldap_source *s = of(source);
    lookup_trace_add(t, "preset", "%s", ldap_preset_names[s->settings->mapping.preset]);
    lookup_trace_add(t, "base", "%.*s", STR_ARG(s->mapping->base));
    if (s->discovery)
        ldap_discovery_describe(s->discovery, t);
    ldap_client_describe(s->client, t);
}

static void close_source(struct source *source)
{
    struct ldap_source *s = of(source);
    ldap_discovery_end(s->discovery);
    ldap_client_close(s->client);
    arena_free(s->arena);
}

static const struct source_functions functions = {
    .kind = "ldap",
    .find_login = find_login,
    .find_account = find_account,
    .find_address = find_address,
    .find_group = find_group,
    .check_password = check_password,
    .set_password = set_password,
    .list_accounts = list_accounts,
    .list_groups = list_groups,
    .describe = describe,
    .close = close_source,
};

struct source *ldap_source_open(struct loop *l, struct dns *dns,
                                const struct ldap_settings *settings, struct err *e)
{
    struct arena *a = arena_new();
    struct ldap_source *s = ARENA_NEW(a, struct ldap_source);
    s->base =
        (struct source){.functions = &functions, .name = arena_c(a, str_from_c(settings->name))};
    s->arena = a;
    s->settings = settings;
    s->mapping = ldap_mapping_make(a, settings->name, &settings->mapping, e);
    if (s->mapping)
        s->client = ldap_client_new(l, settings, e);
    if (!s->client) {
        err_prefix(e, "ldap %s", settings->name);
        arena_free(a);
        return NULL;
    }
    if (settings->connection.discover[0])
        s->discovery = ldap_discovery_start(l, dns, s->client, settings);
    return &s->base;
}
