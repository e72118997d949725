/*
 * The members of a list: breadth first from its entry, with a set of the names that were seen, so
 * that groups which contain each other end. Each round takes the entries of up to fifty names and
 * keeps the address of what is an account or a contact; a group's own members join the names that
 * are still to be asked for. Names that have no entry (deleted, in another directory) are left out.
 *
 * More than 1,500 values come from Active Directory in ranges (MS-ADTS 3.1.1.3.1.3.3): "member" is
 * empty then and "member;range=0-1499" has the first ones; the rest is asked for, range by range,
 * until one ends in "*". Those whose primary group it is are in no attribute at all and are
 * searched by primaryGroupID.
 *
 * A list that is too large, too deep, or takes too long is TEMPFAIL as a whole: mail to a part of a
 * list is worse than mail that comes later.
 */
#include "auth/ldap_source.h"

#include "auth/ldap_ad.h"
#include "core/buf.h"

#define SEARCHES_SHOWN 5

struct expansion {
    struct ldap_source *s;
    const struct ldap_mapping *m;
    struct arena *scratch; /* of all rounds */
    struct arena *round;   /* entries of the present search */
    struct ldap_name_set seen, users, members;
    size_t seen_done, users_done; /* those before have been asked for */
    size_t groups, missing, searches;
    usec deadline;
    struct str list; /* DN, for messages */
    struct lookup_trace *t;
    struct err *e;
};

static bool too_many(struct expansion *x, const char *what, size_t max)
{
    return err_set(x->e, ERR_TEMP, "ldap %s: %.*s has more than %zu %s", x->s->base.name,
                   STR_ARG(str_head(x->list, 150)), max, what);
}

static bool check_limits(struct expansion *x)
{
    if (x->members.count > x->m->group_members_max)
        return too_many(x, "members", x->m->group_members_max);
    if (x->seen.count + x->users.count > 2 * x->m->group_members_max + LDAP_GROUPS_MAX)
        return too_many(x, "members", x->m->group_members_max);
    if (x->groups > LDAP_GROUPS_MAX)
        return too_many(x, "groups inside", LDAP_GROUPS_MAX);
    if (clock_monotonic() > x->deadline)
        return err_set(x->e, ERR_TIMEOUT, "ldap %s: finding the members of %.*s takes too long",
                       x->s->base.name, STR_ARG(str_head(x->list, 150)));
    return true;
}

/* --- what an entry has --- */

static struct str name_without_options(struct str name)
{
    ptrdiff_t at = str_find_char(name, ';');
    return at < 0 ? name : str_head(name, (size_t)at);
}

/* SIZE_MAX: all are there; else the first one that is not. */
static size_t take_dn_values(struct expansion *x, const struct ldap_entry *entry, const char *name)
{
    size_t next = SIZE_MAX;
    for (size_t i = 0; i < entry->count; i++) {
        const struct ldap_attribute *attribute = &entry->attributes[i];
        size_t first, last;
        if (!str_equal_nocase(name_without_options(attribute->name), str_from_c(name)))
            continue;
        for (size_t j = 0; j < attribute->count; j++)
            ldap_name_set_add(&x->seen, attribute->values[j]);
        if (ad_range_parse(attribute->name, &first, &last) && last != SIZE_MAX)
            next = last + 1;
    }
    return next;
}

static bool take_ranges(struct expansion *x, struct str dn, const char *name, size_t next)
{
    while (next != SIZE_MAX) {
        size_t asked = next, before = x->seen.count;
        const char *attributes[] = {arena_printf(x->scratch, "%s;range=%zu-*", name, next).p, NULL};
        struct ldap_query q = {.base = dn,
                               .scope = LDAP_ENTRY_ONLY,
                               .filter = STR("(objectClass=*)"),
                               .attributes = attributes,
                               .entries_max = 1};
        struct arena *a = arena_new();
        struct ldap_entries found;
        enum lookup result = ldap_client_search(x->s->client, &q, a, &found, x->t, x->e);
        if (result == LOOKUP_FOUND)
            next = take_dn_values(x, &found.list[0], name);
        arena_free(a);
        if (result == LOOKUP_NOT_FOUND) /* it was there a moment ago */
            return err_set(x->e, ERR_TEMP, "ldap %s: %.*s vanished while its members were read",
                           x->s->base.name, STR_ARG(str_head(dn, 150)));
        if (result == LOOKUP_TEMPFAIL || !check_limits(x))
            return false;
        if (next != SIZE_MAX && next <= asked && x->seen.count == before)
            return err_set(x->e, ERR_TEMP, "ldap %s: %.*s: the ranges of its members do not end",
                           x->s->base.name, STR_ARG(str_head(dn, 150)));
    }
    return true;
}

static bool take_dns(struct expansion *x, const struct ldap_entry *entry)
{
    const struct ldap_names *names = &x->m->names[LDAP_MEMBER_ATTRIBUTE];
    for (size_t i = 0; i < names->count; i++) {
        size_t next = take_dn_values(x, entry, names->list[i].name);
        if (!take_ranges(x, entry->dn, names->list[i].name, next))
            return false;
    }
    return true;
}

static void take_users(struct expansion *x, const struct ldap_entry *entry)
{
    const struct ldap_names *names = &x->m->names[LDAP_MEMBER_NAME_ATTRIBUTE];
    for (size_t i = 0; i < names->count; i++) {
        const struct ldap_attribute *attribute = ldap_attribute_of(entry, names->list[i].name);
        for (size_t j = 0; attribute && j < attribute->count; j++)
            if (attribute->values[j].n > 0)
                ldap_name_set_add(&x->users, attribute->values[j]);
    }
}

static void take_addresses(struct expansion *x, const struct ldap_entry *entry)
{
    const struct ldap_names *names = &x->m->names[LDAP_MEMBER_ADDRESS_ATTRIBUTE];
    for (size_t i = 0; i < names->count; i++) {
        const struct ldap_attribute *attribute = ldap_attribute_of(entry, names->list[i].name);
        struct str address;
        for (size_t j = 0; attribute && j < attribute->count; j++)
            if (ldap_map_destination(x->m, entry, names->list[i].name, attribute->values[j],
                                     x->scratch, &address))
                ldap_name_set_add(&x->members, address);
    }
}

static void add_member(struct expansion *x, const struct ldap_entry *entry)
{
    struct str address;
    if (ldap_map_member(x->m, entry, x->round, &address))
        ldap_name_set_add(&x->members, address);
}

static bool take_primary(struct expansion *x, const struct ldap_entry *entry)
{
    const struct ldap_attribute *sid = ldap_attribute_of(entry, "objectSid");
    struct ldap_entries found;
    if (!x->m->primary_group || !sid || sid->count == 0 || !ad_sid_is_valid(sid->values[0]))
        return true;
    struct arena *a = arena_new();
    struct ldap_values none = {0};
    struct str user = ldap_filter_text(x->m->user_filter, &none, a);
    struct str filter =
        arena_printf(a, "(&%.*s(primaryGroupID=%u))", STR_ARG(user), ad_sid_rid(sid->values[0]));
    enum lookup result = ldap_ask_text(x->s, &x->m->address, filter, x->m->member_attributes,
                                       x->m->group_members_max, a, &found, x->t, x->e);
    for (size_t i = 0; result == LOOKUP_FOUND && i < found.count; i++) {
        const struct ldap_attribute *own = ldap_attribute_of(&found.list[i], "objectSid");
        if (own && own->count > 0 && ad_sid_is_valid(own->values[0]) &&
            ad_sid_same_domain(own->values[0], sid->values[0]))
            add_member(x, &found.list[i]);
    }
    arena_free(a);
    return result != LOOKUP_TEMPFAIL;
}

static bool take_group(struct expansion *x, const struct ldap_entry *entry)
{
    x->groups++;
    take_users(x, entry);
    take_addresses(x, entry);
    return take_dns(x, entry) && take_primary(x, entry) && check_limits(x);
}

/* --- rounds --- */

/* The first searches are shown; large lists take hundreds that look alike. */
static struct lookup_trace *trace(struct expansion *x)
{
    return x->searches++ < SEARCHES_SHOWN ? x->t : NULL;
}

static bool is_group(struct expansion *x, const struct ldap_entry *entry)
{
    static const struct str classes = STR("group groupOfNames groupOfUniqueNames posixGroup "
                                          "ipaUserGroup groupOfMembers mailGroup");
    static const enum ldap_field fields[] = {LDAP_MEMBER_ATTRIBUTE, LDAP_MEMBER_NAME_ATTRIBUTE,
                                             LDAP_MEMBER_ADDRESS_ATTRIBUTE};
    const struct ldap_attribute *class = ldap_attribute_of(entry, "objectClass");
    for (size_t i = 0; class && i < class->count; i++)
        if (ldap_words_have(classes, class->values[i]))
            return true;
    for (size_t i = 0; i < 3; i++)
        if (ldap_map_value(x->m, entry, fields[i]).p)
            return true;
    return false;
}

/* A group inside that is asked for by its address: mail to it does not go to its members. */
static bool stands_alone(struct expansion *x, const struct ldap_entry *entry)
{
    const struct source *s = &x->s->base;
    struct directory_group group;
    if (!s->stands_alone || !ldap_map_group(x->m, entry, x->round, &group) ||
        !s->stands_alone(s->arg, group.address))
        return false;
    ldap_name_set_add(&x->members, group.address);
    return true;
}

static bool take_entries(struct expansion *x, const struct ldap_entries *found)
{
    for (size_t i = 0; i < found->count; i++) {
        if (!is_group(x, &found->list[i]))
            add_member(x, &found->list[i]);
        else if (!stands_alone(x, &found->list[i]) && !take_group(x, &found->list[i]))
            return false;
    }
    return check_limits(x);
}

static bool ask_dns(struct expansion *x, size_t end)
{
    while (x->seen_done < end) {
        size_t n = end - x->seen_done;
        struct ldap_entries found;
        if (n > LDAP_NAMES_BATCH)
            n = LDAP_NAMES_BATCH;
        arena_reset(x->round);
        enum lookup result =
            ldap_ask_names(x->s, x->seen.list + x->seen_done, n, STR(""), x->m->member_attributes,
                           x->round, &found, trace(x), x->e);
        x->seen_done += n;
        x->missing += n - (found.count < n ? found.count : n);
        if (result == LOOKUP_TEMPFAIL || !take_entries(x, &found))
            return false;
    }
    return true;
}

static struct str users_filter(struct expansion *x, size_t n)
{
    const char *user = x->m->names[LDAP_USER_ATTRIBUTE].list[0].name;
    struct ldap_values none = {0};
    struct str also = ldap_filter_text(x->m->user_filter, &none, x->round);
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "(&%.*s(|", STR_ARG(also));
    for (size_t i = 0; i < n; i++) {
        buf_printf(&b, "(%s=", user);
        ldap_add_filter_value(&b, x->users.list[x->users_done + i]);
        buf_add_c(&b, ")");
    }
    buf_add_c(&b, "))");
    struct str filter = arena_str(x->round, buf_str(&b));
    buf_free(&b);
    return filter;
}

static bool ask_users(struct expansion *x)
{
    while (x->users_done < x->users.count) {
        size_t n = x->users.count - x->users_done;
        struct ldap_entries found;
        if (n > LDAP_NAMES_BATCH)
            n = LDAP_NAMES_BATCH;
        arena_reset(x->round);
        enum lookup result =
            ldap_ask_text(x->s, &x->m->address, users_filter(x, n), x->m->member_attributes, 2 * n,
                          x->round, &found, trace(x), x->e);
        x->users_done += n;
        x->missing += n - (found.count < n ? found.count : n);
        for (size_t i = 0; i < found.count; i++)
            add_member(x, &found.list[i]);
        if (result == LOOKUP_TEMPFAIL || !check_limits(x))
            return false;
    }
    return true;
}

static bool expand(struct expansion *x, const struct ldap_entry *entry)
{
    ldap_name_set_add(&x->seen, entry->dn);
    x->seen_done = 1;
    if (!take_group(x, entry))
        return false;
    for (unsigned depth = 0; x->seen_done < x->seen.count; depth++) {
        if (depth > x->m->group_depth_max)
            return err_set(x->e, ERR_TEMP,
                           "ldap %s: groups in %.*s are more than %u inside of each other",
                           x->s->base.name, STR_ARG(str_head(x->list, 150)), x->m->group_depth_max);
        if (!ask_dns(x, x->seen.count))
            return false;
    }
    return ask_users(x);
}

enum lookup ldap_group_members(struct ldap_source *s, const struct ldap_entry *entry,
                               struct arena *a, struct directory_group *group,
                               struct lookup_trace *t, struct err *e)
{
    struct expansion x = {.s = s, .m = s->mapping, .list = entry->dn, .t = t, .e = e};
    x.scratch = arena_new();
    x.round = arena_new();
    x.seen.arena = x.users.arena = x.members.arena = x.scratch;
    x.deadline = deadline_in(LDAP_GROUP_PATIENCE * s->settings->connection.timeout);
    bool ok = expand(&x, entry);
    if (ok) {
        group->members = account_copy_list(a, x.members.list, x.members.count);
        group->member_count = x.members.count;
        lookup_trace_add(t, "members", "%zu addresses, %zu groups, %zu without an entry",
                         x.members.count, x.groups, x.missing);
    }
    arena_free(x.round);
    arena_free(x.scratch);
    return ok ? LOOKUP_FOUND : LOOKUP_TEMPFAIL;
}
