/*
 * Searches by the mapping: base and filter filled in, the answer as it is. What a filter is made of
 * besides templates (names of members, identifiers) is escaped by the same functions.
 *
 * Entries by their names are asked for fifty at a time where the directory has an attribute that
 * holds an entry's own name (distinguishedName, entryDN) and they are below the base, else one by
 * one.
 */
#include "auth/ldap_source.h"

#include "core/buf.h"
#include "core/log.h"
#include "mime/address.h"

#include <idn2.h>

struct ldap_values ldap_values_of_address(const struct ldap_mapping *m, struct str address,
                                          struct arena *a)
{
    struct ldap_values v = {0};
    ptrdiff_t at = str_find_last_char(address, '@');
    v.of[LDAP_HOST] = m->host;
    v.of[LDAP_DOMAIN] = m->default_domain;
    if (at >= 0) {
        struct address parts = {.local = arena_str(a, str_head(address, (size_t)at)),
                                .domain = str_skip(address, (size_t)at + 1)};
        v.of[LDAP_LOCAL] = parts.local;
        v.of[LDAP_DOMAIN] = parts.domain;
        /* In a directory as in mail: in quotes where it needs them (RFC 4524 2.16). */
        v.of[LDAP_LOGIN] = v.of[LDAP_ADDRESS] = address_text(a, &parts);
        if (str_equal_nocase(v.of[LDAP_DOMAIN], m->default_domain))
            v.of[LDAP_DEFAULT_LOCAL] = v.of[LDAP_LOCAL];
    }
    v.of[LDAP_DOMAIN_DN] = v.of[LDAP_DOMAIN];
    return v;
}

static void trace_query(struct lookup_trace *t, const struct ldap_query *q)
{
    static const char *const scopes[] = {"entry", "one", "subtree"};
    struct buf names = BUF_EMPTY;
    if (!t)
        return;
    lookup_trace_add(t, "base", "%.*s (%s)", STR_ARG(q->base), scopes[q->scope]);
    lookup_trace_add(t, "filter", "%.*s", STR_ARG(q->filter));
    for (size_t i = 0; q->attributes[i]; i++)
        buf_printf(&names, "%s%s", i ? " " : "", q->attributes[i]);
    lookup_trace_add(t, "attributes", "%.*s", STR_ARG(buf_str(&names)));
    buf_free(&names);
}

static void trace_result(struct lookup_trace *t, enum lookup result,
                         const struct ldap_entries *found, usec begun, const struct err *e)
{
    long long msec = (long long)((clock_monotonic() - begun) / USEC_MSEC);
    if (result == LOOKUP_TEMPFAIL)
        lookup_trace_add(t, "result", "no answer: %s (%lld ms)", e ? e->text : "", msec);
    else
        lookup_trace_add(t, "result", "%zu entries (%lld ms)", found->count, msec);
}

static bool is_secret(struct str name)
{
    static const char *const secrets[] = {"userPassword", "unicodePwd",      "krbPrincipalKey",
                                          "authPassword", "sambaNTPassword", "ipaNTHash"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
        if (str_equal_nocase(name, str_from_c(secrets[i])))
            return true;
    return false;
}

#define TRACE_VALUE_MAX  100 /* bytes of a value */
#define TRACE_VALUES_MAX 5   /* values of an attribute */

static void trace_attribute(struct lookup_trace *t, const struct ldap_attribute *attribute)
{
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < attribute->count && i < TRACE_VALUES_MAX; i++) {
        struct str value = str_head(attribute->values[i], TRACE_VALUE_MAX);
        buf_add_c(&b, i ? ", " : "");
        if (is_secret(attribute->name))
            buf_add_c(&b, "(hidden)");
        else if (str_is_utf8(attribute->values[i]))
            log_add_quoted(&b, value);
        else
            buf_add_hex(&b, value);
        if (value.n < attribute->values[i].n)
            buf_add_c(&b, "...");
    }
    if (attribute->count > TRACE_VALUES_MAX)
        buf_printf(&b, ", ... (%zu values)", attribute->count);
    lookup_trace_add(t, "attribute", "%.*s: %.*s", STR_ARG(attribute->name), STR_ARG(buf_str(&b)));
    buf_free(&b);
}

static void trace_entry(struct lookup_trace *t, const struct ldap_entry *entry)
{
    if (!t)
        return;
    lookup_trace_add(t, "entry", "%.*s", STR_ARG(entry->dn));
    for (size_t i = 0; i < entry->count; i++)
        trace_attribute(t, &entry->attributes[i]);
}

static enum lookup run(struct ldap_source *s, const struct ldap_query *q, struct arena *a,
                       struct ldap_entries *found, struct lookup_trace *t, struct err *e)
{
    *found = (struct ldap_entries){0};
    usec begun = clock_monotonic();
    trace_query(t, q);
    enum lookup result = ldap_client_search(s->client, q, a, found, t, e);
    trace_result(t, result, found, begun, e);
    return result;
}

/* The filters that a template and a text are put together from. */
static struct str both(struct arena *a, struct str one, struct str other)
{
    return arena_printf(a, "(&%.*s%.*s)", STR_ARG(one), STR_ARG(other));
}

/* The address with its domain in U-labels, as a directory may have it; false: there is no such
 * form. */
static bool unicode_values(const struct ldap_values *v, struct arena *a, struct ldap_values *other)
{
    char *domain = NULL;
    if (str_find(v->of[LDAP_DOMAIN], STR("xn--")) < 0 || v->of[LDAP_LOCAL].n == 0 ||
        idn2_to_unicode_8z8z(arena_c(a, v->of[LDAP_DOMAIN]), &domain, 0) != IDN2_OK)
        return false;
    *other = *v;
    other->of[LDAP_DOMAIN] = arena_str(a, str_from_c(domain));
    other->of[LDAP_ADDRESS] = arena_printf(a, "%.*s@%s", STR_ARG(v->of[LDAP_LOCAL]), domain);
    idn2_free(domain);
    return true;
}

static struct str fill(const struct ldap_template *filter, const struct ldap_values *v,
                       struct arena *a)
{
    struct str text = ldap_filter_text(filter, v, a);
    struct ldap_values other;
    if (!unicode_values(v, a, &other))
        return text;
    return arena_printf(a, "(|%.*s%.*s)", STR_ARG(text),
                        STR_ARG(ldap_filter_text(filter, &other, a)));
}

enum lookup ldap_ask(struct ldap_source *s, const struct ldap_search *search,
                     const struct ldap_template *also, const struct ldap_values *v,
                     const char *const *attributes, size_t max, struct arena *a,
                     struct ldap_entries *found, struct lookup_trace *t, struct err *e)
{
    struct ldap_query q = {
        .scope = search->scope, .attributes = attributes, .entries_max = max, .page = 0};
    *found = (struct ldap_entries){0};
    if (!search->filter)
        return LOOKUP_NOT_FOUND;
    if (!ldap_template_text(search->base, v, a, &q.base)) {
        lookup_trace_add(t, "base", "has no value here: there is no domain");
        return LOOKUP_NOT_FOUND;
    }
    q.filter = fill(search->filter, v, a);
    if (also)
        q.filter = both(a, ldap_filter_text(also, v, a), q.filter);
    return run(s, &q, a, found, t, e);
}

enum lookup ldap_ask_text(struct ldap_source *s, const struct ldap_search *search,
                          struct str filter, const char *const *attributes, size_t max,
                          struct arena *a, struct ldap_entries *found, struct lookup_trace *t,
                          struct err *e)
{
    struct ldap_values v = ldap_values_of_address(s->mapping, STR(""), a);
    struct ldap_query q = {.scope = search->scope,
                           .filter = filter,
                           .attributes = attributes,
                           .entries_max = max,
                           .page = max > LDAP_PAGE ? LDAP_PAGE : 0};
    if (!ldap_template_text(search->base, &v, a, &q.base))
        q.base = s->mapping->base;
    return run(s, &q, a, found, t, e);
}

enum lookup ldap_ask_one(struct ldap_source *s, const struct ldap_search *search,
                         const struct ldap_template *also, const struct ldap_values *v,
                         const char *const *attributes, struct arena *a, struct ldap_entry *found,
                         struct lookup_trace *t, struct err *e)
{
    struct ldap_entries entries;
    enum lookup result = ldap_ask(s, search, also, v, attributes, 100, a, &entries, t, e);
    if (result != LOOKUP_FOUND)
        return result;
    for (size_t i = 0; i < entries.count; i++)
        trace_entry(t, &entries.list[i]);
    if (entries.count == 1) {
        *found = entries.list[0];
        return LOOKUP_FOUND;
    }
    struct str one = entries.list[0].dn, other = entries.list[1].dn, who = v->of[LDAP_LOGIN];
    log_error("ldap", s->base.name,
              "conflict name=<%.*s> entries=%zu first=\"%.*s\" second=\"%.*s\"",
              STR_ARG(str_head(who, 320)), entries.count, STR_ARG(str_head(one, 500)),
              STR_ARG(str_head(other, 500)));
    err_set(e, ERR_SYNTAX, "ldap %s: %.*s is in %zu entries: %.*s and %.*s", s->base.name,
            STR_ARG(str_head(who, 80)), entries.count, STR_ARG(str_head(one, 80)),
            STR_ARG(str_head(other, 80)));
    return LOOKUP_TEMPFAIL;
}

/* --- entries by their names --- */

static enum lookup ask_batch(struct ldap_source *s, const struct str *names, size_t count,
                             struct str filter, const char *const *attributes, struct arena *a,
                             struct ldap_entries *found, struct lookup_trace *t, struct err *e)
{
    const char *own = s->mapping->names[LDAP_DN_ATTRIBUTE].list[0].name;
    struct buf b = BUF_EMPTY;
    buf_add_c(&b, "(|");
    for (size_t i = 0; i < count; i++) {
        buf_printf(&b, "(%s=", own);
        ldap_add_filter_value(&b, names[i]);
        buf_add_c(&b, ")");
    }
    buf_add_c(&b, ")");
    struct str any = arena_str(a, buf_str(&b));
    struct ldap_query q = {.base = s->mapping->base,
                           .scope = LDAP_SUBTREE,
                           .filter = filter.n ? both(a, filter, any) : any,
                           .attributes = attributes,
                           .entries_max = 2 * count};
    buf_free(&b);
    return run(s, &q, a, found, t, e);
}

static enum lookup ask_each(struct ldap_source *s, const struct str *names, size_t count,
                            struct str filter, const char *const *attributes, struct arena *a,
                            struct ldap_entries *found, struct lookup_trace *t, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        struct ldap_query q = {.base = names[i],
                               .scope = LDAP_ENTRY_ONLY,
                               .filter = filter.n ? filter : STR("(objectClass=*)"),
                               .attributes = attributes,
                               .entries_max = 1};
        struct ldap_entries one;
        enum lookup result = run(s, &q, a, &one, t, e);
        if (result == LOOKUP_TEMPFAIL)
            return result;
        if (result == LOOKUP_FOUND)
            found->list[found->count++] = one.list[0];
    }
    return LOOKUP_FOUND;
}

/* Moves the names below the base to the front; how many they are. */
static size_t below_base(const struct ldap_source *s, struct str *names, size_t count)
{
    size_t n = 0;
    if (s->mapping->names[LDAP_DN_ATTRIBUTE].count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (!str_ends_with_nocase(names[i], s->mapping->base))
            continue;
        struct str swap = names[n];
        names[n++] = names[i];
        names[i] = swap;
    }
    return n;
}

enum lookup ldap_ask_names(struct ldap_source *s, const struct str *names, size_t count,
                           struct str filter, const char *const *attributes, struct arena *a,
                           struct ldap_entries *found, struct lookup_trace *t, struct err *e)
{
    struct str *sorted = arena_array(a, count, sizeof(*sorted));
    struct ldap_entries batch = {0};
    memcpy(sorted, names, count * sizeof(*sorted));
    size_t n = below_base(s, sorted, count);
    *found = (struct ldap_entries){0};
    if (n > 0 && ask_batch(s, sorted, n, filter, attributes, a, &batch, t, e) == LOOKUP_TEMPFAIL)
        return LOOKUP_TEMPFAIL;
    found->list = arena_array(a, batch.count + count - n, sizeof(*found->list));
    if (batch.count > 0)
        memcpy(found->list, batch.list, batch.count * sizeof(*found->list));
    found->count = batch.count;
    if (ask_each(s, sorted + n, count - n, filter, attributes, a, found, t, e) == LOOKUP_TEMPFAIL)
        return LOOKUP_TEMPFAIL;
    return found->count > 0 ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}
