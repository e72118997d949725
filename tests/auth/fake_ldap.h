#pragma once
/*
 * A directory in memory that stands for the connections of an LDAP source: the functions of
 * ldap_client.h are defined here, so the real ones are not linked. Filters are really read
 * (RFC 4515 with escapes, the AD rule for chains of members), values compare without regard to
 * case.
 */
#include "auth/ldap_client.h"
#include "core/buf.h"
#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>

static struct {
    struct arena *arena;
    struct ldap_entry list[16384];
    size_t count;
    size_t range;      /* most values of member in an answer, as Active Directory does; 0: all */
    bool fails;        /* nothing is answered */
    size_t fail_after; /* searches that are answered before; 0: all */
    size_t searches;
    struct str filter;    /* of the last search */
    struct buf password;  /* of the last change */
    const char *refuses;  /* how a change of a password is refused */
    struct str servers;   /* that were set last, separated by blanks */
    unsigned servers_set; /* how often */
    struct cond servers_changed;
} fake_ldap;

static inline void fake_ldap_reset(void)
{
    arena_free(fake_ldap.arena);
    buf_free(&fake_ldap.password);
    memset(&fake_ldap, 0, sizeof(fake_ldap));
    fake_ldap.arena = arena_new();
}

/* attributes: "name", "value", "name", "value", ..., NULL. */
static inline struct ldap_entry *fake_add_list(const char *dn, const char *const *pairs,
                                               size_t count)
{
    struct ldap_entry *entry = &fake_ldap.list[fake_ldap.count++];
    *entry = (struct ldap_entry){.dn = arena_str(fake_ldap.arena, str_from_c(dn))};
    entry->attributes = arena_array(fake_ldap.arena, count + 1, sizeof(*entry->attributes));
    for (size_t i = 0; i + 1 < count; i += 2) {
        struct ldap_attribute *attribute = NULL;
        for (size_t j = 0; j < entry->count; j++)
            if (str_equal_nocase(entry->attributes[j].name, str_from_c(pairs[i])))
                attribute = &entry->attributes[j];
        if (!attribute) {
            attribute = &entry->attributes[entry->count++];
            attribute->name = arena_str(fake_ldap.arena, str_from_c(pairs[i]));
            attribute->values = arena_array(fake_ldap.arena, count / 2, sizeof(struct str));
        }
        attribute->values[attribute->count++] =
            arena_str(fake_ldap.arena, str_from_c(pairs[i + 1]));
    }
    return entry;
}

#define fake_add(dn, ...)                                                                          \
    fake_add_list(dn, (const char *const[]){__VA_ARGS__},                                          \
                  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

const struct ldap_attribute *ldap_attribute_of(const struct ldap_entry *entry, const char *name)
{
    for (size_t i = 0; i < entry->count; i++) {
        struct str rest = entry->attributes[i].name, own = str_split(&rest, ';');
        if (str_equal_nocase(own, str_from_c(name)))
            return &entry->attributes[i];
    }
    return NULL;
}

/* --- filters --- */

static inline struct str fake_unescape(struct str text)
{
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\') {
            char hex[3] = {text.p[i + 1], text.p[i + 2], '\0'};
            buf_add_char(&b, (char)strtoul(hex, NULL, 16));
            i += 2;
        } else {
            buf_add_char(&b, text.p[i]);
        }
    }
    struct str result = arena_str(fake_ldap.arena, buf_str(&b));
    buf_free(&b);
    return result;
}

static inline bool fake_value_matches(struct str value, struct str pattern)
{
    ptrdiff_t star = str_find_char(pattern, '*');
    if (star < 0)
        return str_equal_nocase(value, fake_unescape(pattern));
    struct str before = fake_unescape(str_head(pattern, (size_t)star));
    struct str after = fake_unescape(str_skip(pattern, (size_t)star + 1));
    return value.n >= before.n + after.n && str_starts_with_nocase(value, before) &&
           str_ends_with_nocase(value, after);
}

static inline const struct ldap_entry *fake_find(struct str dn)
{
    for (size_t i = 0; i < fake_ldap.count; i++)
        if (str_equal_nocase(fake_ldap.list[i].dn, dn))
            return &fake_ldap.list[i];
    return NULL;
}

static inline bool fake_in_chain(const struct ldap_entry *group, struct str dn, int depth)
{
    const struct ldap_attribute *member = ldap_attribute_of(group, "member");
    for (size_t i = 0; depth < 10 && member && i < member->count; i++) {
        const struct ldap_entry *inner = fake_find(member->values[i]);
        if (str_equal_nocase(member->values[i], dn) ||
            (inner && fake_in_chain(inner, dn, depth + 1)))
            return true;
    }
    return false;
}

static inline bool fake_item_matches(const struct ldap_entry *entry, struct str item)
{
    struct str value = item, name = str_split(&value, '=');
    ptrdiff_t rule = str_find(name, STR(":1.2.840.113556.1.4.1941:"));
    if (rule >= 0)
        return fake_in_chain(entry, fake_unescape(value), 0);
    if (str_equal_nocase(name, STR("entryDN")) || str_equal_nocase(name, STR("distinguishedName")))
        return str_equal_nocase(entry->dn, fake_unescape(value));
    const struct ldap_attribute *attribute =
        ldap_attribute_of(entry, arena_c(fake_ldap.arena, name));
    for (size_t i = 0; attribute && i < attribute->count; i++)
        if (fake_value_matches(attribute->values[i], value))
            return true;
    return false;
}

/* *at is behind the filter then. */
static inline bool fake_matches(const struct ldap_entry *entry, struct str filter, size_t *at)
{
    assert_true(*at < filter.n && filter.p[*at] == '(');
    char kind = filter.p[++*at];
    bool result = kind != '|';
    if (kind == '&' || kind == '|' || kind == '!') {
        ++*at;
        while (filter.p[*at] == '(') {
            bool one = fake_matches(entry, filter, at);
            result = kind == '&' ? result && one : kind == '|' ? result || one : !one;
        }
    } else {
        size_t start = *at;
        while (filter.p[*at] != ')')
            ++*at;
        result = fake_item_matches(entry, str_from(filter.p + start, *at - start));
    }
    assert_true(filter.p[*at] == ')');
    ++*at;
    return result;
}

static inline bool fake_in_scope(const struct ldap_entry *entry, const struct ldap_query *q)
{
    if (q->scope == LDAP_ENTRY_ONLY)
        return str_equal_nocase(entry->dn, q->base);
    return str_ends_with_nocase(entry->dn, q->base);
}

/* --- answers --- */

static inline struct ldap_entry fake_copy(struct arena *a, const struct ldap_entry *from,
                                          const char *const *attributes)
{
    struct ldap_entry entry = {.dn = arena_str(a, from->dn)};
    entry.attributes = arena_array(a, from->count + 2, sizeof(*entry.attributes));
    for (size_t i = 0; attributes[i]; i++) {
        struct str range = str_from_c(attributes[i]), name = str_split(&range, ';');
        const struct ldap_attribute *has = ldap_attribute_of(from, arena_c(a, name));
        size_t first = 0;
        if (!has)
            continue;
        if (range.p)
            first = strtoul(range.p + sizeof("range=") - 1, NULL, 10);
        struct ldap_attribute part = {.name = has->name};
        size_t n = has->count - first;
        bool cut = fake_ldap.range && str_equal_nocase(name, STR("member")) &&
                   (has->count > fake_ldap.range || range.p);
        if (cut) {
            entry.attributes[entry.count++] = part; /* empty, as Active Directory has it */
            if (n > fake_ldap.range) {
                n = fake_ldap.range;
                part.name = arena_printf(a, "member;range=%zu-%zu", first, first + n - 1);
            } else {
                part.name = arena_printf(a, "member;range=%zu-*", first);
            }
        }
        part.count = n;
        part.values = account_copy_list(a, has->values + first, n);
        entry.attributes[entry.count++] = part;
    }
    return entry;
}

enum lookup ldap_client_search(struct ldap_client *c, const struct ldap_query *q, struct arena *a,
                               struct ldap_entries *found, struct lookup_trace *t, struct err *e)
{
    (void)c;
    (void)t;
    *found = (struct ldap_entries){0};
    fake_ldap.searches++;
    fake_ldap.filter = arena_str(fake_ldap.arena, q->filter);
    if (fake_ldap.fails || (fake_ldap.fail_after && fake_ldap.searches > fake_ldap.fail_after)) {
        err_set(e, ERR_TEMP, "ldap: does not answer");
        return LOOKUP_TEMPFAIL;
    }
    size_t room = q->entries_max < fake_ldap.count ? q->entries_max : fake_ldap.count;
    found->list = arena_array(a, room, sizeof(*found->list));
    for (size_t i = 0; i < fake_ldap.count; i++) {
        size_t at = 0;
        if (!fake_in_scope(&fake_ldap.list[i], q) ||
            !fake_matches(&fake_ldap.list[i], q->filter, &at))
            continue;
        assert_int_equal(at, q->filter.n);
        if (found->count == room) {
            err_set(e, ERR_TEMP, "ldap: more than %zu entries", room);
            return LOOKUP_TEMPFAIL;
        }
        found->list[found->count++] = fake_copy(a, &fake_ldap.list[i], q->attributes);
    }
    return found->count > 0 ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}

bool ldap_client_search_pages(struct ldap_client *c, const struct ldap_query *q,
                              bool (*fn)(void *arg, const struct ldap_entry *entry), void *arg,
                              struct err *e)
{
    struct arena *a = arena_new();
    struct ldap_entries found;
    bool ok = ldap_client_search(c, q, a, &found, NULL, e) != LOOKUP_TEMPFAIL;
    for (size_t i = 0; ok && i < found.count; i++)
        ok = fn(arg, &found.list[i]);
    arena_free(a);
    return ok;
}

enum lookup ldap_client_bind(struct ldap_client *c, struct str dn, struct str password,
                             struct lookup_trace *t, struct err *e)
{
    (void)c;
    (void)t;
    const struct ldap_entry *entry = fake_find(dn);
    const struct ldap_attribute *has = entry ? ldap_attribute_of(entry, "userPassword") : NULL;
    if (has && str_equal(has->values[0], password))
        return LOOKUP_FOUND;
    err_set(e, ERR_DENIED, "wrong_password");
    return LOOKUP_NOT_FOUND;
}

static inline bool fake_change(struct str password, struct err *e)
{
    buf_clear(&fake_ldap.password);
    if (fake_ldap.refuses)
        return err_set(e, ERR_PERM, "%s", fake_ldap.refuses);
    buf_add_str(&fake_ldap.password, password);
    return true;
}

bool ldap_client_password_modify(struct ldap_client *c, struct str dn, struct str old,
                                 struct str password, struct err *e)
{
    (void)c;
    (void)dn;
    (void)old;
    return fake_change(password, e);
}

bool ldap_client_replace(struct ldap_client *c, struct str dn, const char *attribute,
                         struct str old, struct str value, bool secret, struct err *e)
{
    (void)c;
    (void)dn;
    (void)old;
    assert_string_equal(attribute, "unicodePwd");
    assert_true(secret);
    return fake_change(value, e);
}

struct ldap_client *ldap_client_new(struct loop *l, const struct ldap_settings *s, struct err *e)
{
    (void)l;
    (void)s;
    (void)e;
    return mem_zero(1);
}

void ldap_client_close(struct ldap_client *c)
{
    free(c);
}

bool ldap_client_set_servers(struct ldap_client *c, const struct str *uris, size_t count,
                             struct err *e)
{
    (void)c;
    (void)e;
    fake_ldap.servers = STR("");
    for (size_t i = 0; i < count; i++)
        fake_ldap.servers = arena_printf(fake_ldap.arena, "%.*s%s%.*s", STR_ARG(fake_ldap.servers),
                                         i ? " " : "", STR_ARG(uris[i]));
    fake_ldap.servers_set++;
    cond_broadcast(&fake_ldap.servers_changed);
    return true;
}

void ldap_client_describe(struct ldap_client *c, struct lookup_trace *t)
{
    (void)c;
    lookup_trace_add(t, "server", "none");
}
