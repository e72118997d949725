/*
 * The groups that an account is in, for access rules. Three ways, as the directory allows:
 * - names of groups in the account's entry (memberOf), whose entries are asked for;
 * - a search for groups that have the account's name or user name as a member;
 * - in Active Directory one search by a rule that follows the chain of groups
 *   (LDAP_MATCHING_RULE_IN_CHAIN, 1.2.840.113556.1.4.1941).
 * The first two go on from group to group, breadth first, each group once, when groups of groups
 * count. The primary group of Active Directory is in none of these attributes; its name is made of
 * the account's objectSid and primaryGroupID.
 *
 * A group that cannot be looked up is TEMPFAIL: a rule that refuses by group must not be got round
 * by a server that is slow.
 */
#include "auth/ldap_source.h"

#include "auth/ldap_ad.h"
#include "core/buf.h"

struct climb {
    struct ldap_source *s;
    const struct ldap_mapping *m;
    struct arena *scratch;
    struct ldap_name_set dns; /* memberOf: groups to be asked for; else those whose groups are */
    struct ldap_name_set names;
    struct str group_filter; /* "": none */
    usec deadline;
    struct str account; /* DN */
    struct lookup_trace *t;
    struct err *e;
};

static bool check_limits(struct climb *c)
{
    if (c->dns.count > LDAP_GROUPS_MAX)
        return err_set(c->e, ERR_TEMP, "ldap %s: %.*s is in more than %d groups", c->s->base.name,
                       STR_ARG(str_head(c->account, 150)), LDAP_GROUPS_MAX);
    if (clock_monotonic() > c->deadline)
        return err_set(c->e, ERR_TIMEOUT, "ldap %s: finding the groups of %.*s takes too long",
                       c->s->base.name, STR_ARG(str_head(c->account, 150)));
    return true;
}

static void add_values(struct climb *c, const struct ldap_entry *entry)
{
    const struct ldap_names *names = &c->m->names[LDAP_MEMBER_OF_ATTRIBUTE];
    for (size_t i = 0; i < names->count; i++) {
        const struct ldap_attribute *attribute = ldap_attribute_of(entry, names->list[i].name);
        for (size_t j = 0; attribute && j < attribute->count; j++)
            if (attribute->values[j].n > 0)
                ldap_name_set_add(&c->dns, attribute->values[j]);
    }
}

static void add_name(struct climb *c, const struct ldap_entry *group)
{
    struct str name;
    if (ldap_map_group_name(c->m, group, c->scratch, &name))
        ldap_name_set_add(&c->names, name);
}

/* --- the primary group --- */

static bool find_primary(struct climb *c, const struct ldap_entry *entry,
                         struct ldap_entries *found)
{
    const struct ldap_attribute *sid = ldap_attribute_of(entry, "objectSid");
    const struct ldap_attribute *rid = ldap_attribute_of(entry, "primaryGroupID");
    int64_t number;
    *found = (struct ldap_entries){0};
    if (!c->m->primary_group || !sid || sid->count == 0 || !rid || rid->count == 0 ||
        !ad_sid_is_valid(sid->values[0]) || !ldap_number_parse(rid->values[0], &number))
        return true;
    struct buf b = BUF_EMPTY;
    buf_add_c(&b, "(objectSid=");
    ldap_add_filter_bytes(&b, ad_sid_sibling(c->scratch, sid->values[0], (uint32_t)number));
    buf_add_c(&b, ")");
    struct str filter = arena_str(c->scratch, buf_str(&b));
    buf_free(&b);
    return ldap_ask_text(
               c->s, &(struct ldap_search){.base = c->m->membership.base, .scope = LDAP_SUBTREE},
               filter, c->m->membership_attributes, 1, c->scratch, found, c->t,
               c->e) != LOOKUP_TEMPFAIL;
}

/* --- names in the entry --- */

static bool climb_by_names(struct climb *c, const struct ldap_entry *entry,
                           const struct ldap_entries *primary)
{
    bool nested = c->m->nesting == LDAP_NESTED_BREADTH;
    add_values(c, entry);
    for (size_t i = 0; i < primary->count; i++) {
        add_name(c, &primary->list[i]);
        if (nested)
            add_values(c, &primary->list[i]);
    }
    for (size_t done = 0; done < c->dns.count;) {
        size_t n = c->dns.count - done;
        struct ldap_entries found;
        if (n > LDAP_NAMES_BATCH)
            n = LDAP_NAMES_BATCH;
        if (ldap_ask_names(c->s, c->dns.list + done, n, c->group_filter,
                           c->m->membership_attributes, c->scratch, &found, c->t,
                           c->e) == LOOKUP_TEMPFAIL)
            return false;
        done += n;
        for (size_t i = 0; i < found.count; i++) {
            add_name(c, &found.list[i]);
            if (nested)
                add_values(c, &found.list[i]);
        }
        if (!check_limits(c))
            return false;
    }
    return true;
}

/* --- searches --- */

static bool search_groups(struct climb *c, struct str filter, bool nested)
{
    struct ldap_entries found;
    struct str whole =
        arena_printf(c->scratch, "(&%.*s%.*s)", STR_ARG(c->group_filter), STR_ARG(filter));
    if (ldap_ask_text(c->s, &c->m->membership, whole, c->m->membership_attributes, LDAP_GROUPS_MAX,
                      c->scratch, &found, c->t, c->e) == LOOKUP_TEMPFAIL)
        return false;
    for (size_t i = 0; i < found.count; i++) {
        add_name(c, &found.list[i]);
        if (nested)
            ldap_name_set_add(&c->dns, found.list[i].dn);
    }
    return check_limits(c);
}

static bool climb_by_search(struct climb *c, const struct ldap_entry *entry,
                            const struct account *account)
{
    bool nested = c->m->nesting == LDAP_NESTED_BREADTH;
    const struct ldap_template *template = c->m->membership.filter;
    struct ldap_values v = {0};
    v.of[LDAP_DN] = entry->dn;
    v.of[LDAP_USER] = ldap_map_value(c->m, entry, LDAP_USER_ATTRIBUTE);
    v.of[LDAP_ADDRESS] = account->login;
    ldap_name_set_add(&c->dns, entry->dn);
    if (!search_groups(c, ldap_filter_text(template, &v, c->scratch), nested))
        return false;
    for (size_t done = 1; done < c->dns.count;) {
        struct buf b = BUF_EMPTY;
        buf_add_c(&b, "(|");
        for (size_t n = 0; n < LDAP_NAMES_BATCH && done < c->dns.count; n++) {
            struct ldap_values of_group = {0};
            of_group.of[LDAP_DN] = c->dns.list[done++];
            buf_add_str(&b, ldap_filter_text(template, &of_group, c->scratch));
        }
        buf_add_c(&b, ")");
        struct str filter = arena_str(c->scratch, buf_str(&b));
        buf_free(&b);
        if (!search_groups(c, filter, true))
            return false;
    }
    return true;
}

static void add_chain(struct buf *b, const char *attribute, struct str dn)
{
    buf_printf(b, "(%s:1.2.840.113556.1.4.1941:=", attribute);
    ldap_add_filter_value(b, dn);
    buf_add_c(b, ")");
}

static bool climb_by_chain(struct climb *c, const struct ldap_entry *entry,
                           const struct ldap_entries *primary)
{
    const struct ldap_names *member = &c->m->names[LDAP_MEMBER_ATTRIBUTE];
    struct buf b = BUF_EMPTY;
    buf_add_c(&b, "(|");
    for (size_t i = 0; i < member->count; i++) {
        add_chain(&b, member->list[i].name, entry->dn);
        for (size_t j = 0; j < primary->count; j++)
            add_chain(&b, member->list[i].name, primary->list[j].dn);
    }
    buf_add_c(&b, ")");
    struct str filter = arena_str(c->scratch, buf_str(&b));
    buf_free(&b);
    for (size_t j = 0; j < primary->count; j++)
        add_name(c, &primary->list[j]);
    return search_groups(c, filter, false);
}

static bool climb(struct climb *c, const struct ldap_entry *entry, const struct account *account)
{
    const struct ldap_names *names = c->m->names;
    struct ldap_entries primary;
    if (!find_primary(c, entry, &primary))
        return false;
    if (c->m->nesting == LDAP_NESTED_CHAIN && names[LDAP_MEMBER_ATTRIBUTE].count > 0)
        return climb_by_chain(c, entry, &primary);
    if (names[LDAP_MEMBER_OF_ATTRIBUTE].count > 0)
        return climb_by_names(c, entry, &primary);
    for (size_t j = 0; j < primary.count; j++)
        add_name(c, &primary.list[j]);
    return !c->m->membership.filter || climb_by_search(c, entry, account);
}

enum lookup ldap_account_groups(struct ldap_source *s, const struct ldap_entry *entry,
                                struct arena *a, struct account *account, struct lookup_trace *t,
                                struct err *e)
{
    struct climb c = {.s = s, .m = s->mapping, .account = entry->dn, .t = t, .e = e};
    struct ldap_values none = ldap_values_of_address(s->mapping, STR(""), a);
    if (!s->mapping->group_filter)
        return LOOKUP_FOUND;
    c.scratch = arena_new();
    c.dns.arena = c.names.arena = c.scratch;
    c.group_filter = ldap_filter_text(s->mapping->group_filter, &none, c.scratch);
    c.deadline = deadline_in(LDAP_GROUP_PATIENCE * s->settings->connection.timeout);
    bool ok = climb(&c, entry, account);
    if (ok) {
        account->groups = account_copy_list(a, c.names.list, c.names.count);
        account->group_count = c.names.count;
    }
    arena_free(c.scratch);
    return ok ? LOOKUP_FOUND : LOOKUP_TEMPFAIL;
}
