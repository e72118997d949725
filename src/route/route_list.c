/*
 * Addresses that an administrator listed: for one domain, for all, by pattern; and what stands
 * behind the separator of plus-addresses.
 *
 * A listed address goes before the account of the same name, so that an administrator can redirect
 * a user's mail; a destination equal to the address itself means the account or group, and keeps a
 * copy. That holds for the address with something behind the separator as well:
 *
 *     alice@example.org  ->  alice+new@example.org      alice has it, with the detail "new"
 *
 * What is listed is followed once in an expansion, by whichever plus-address it is reached.
 */
#include "route/route_internal.h"

#include "core/buf.h"

/* --- destinations --- */

/* The address itself: what it is beside being listed. */
SUSPENDS static enum step expand_itself(struct expansion *x, const struct place *p)
{
    enum step step = route_ask_account(x, p);
    if (step == STEP_NONE)
        step = route_ask_group(x, p);
    return step == STEP_NONE ? route_leads_nowhere(x, &p->leg, p->key, "5.1.1", "no such user")
                             : step;
}

/* key: of what is listed, which may be another one than the place's. */
SUSPENDS static enum step expand_destinations(struct expansion *x, const struct place *p,
                                              struct str key, const struct directory_address *entry)
{
    enum step step = STEP_DONE;
    struct leg next = route_next_leg(p);
    if (p->leg.first)
        x->route->internal = entry->internal;
    next.listed_by = key;
    for (size_t i = 0; i < entry->count && step == STEP_DONE; i++) {
        struct str destination = entry->destinations[i];
        step = str_equal_nocase(destination, p->key)
                   ? expand_itself(x, p)
                   : route_expand_destination(x, p, destination, &next);
    }
    return step;
}

/* For the trace: the first few. */
static void note_destinations(struct expansion *x, const struct place *p, const char *question,
                              struct str name, const struct directory_address *entry)
{
    struct buf text = BUF_EMPTY;
    if (!x->trace)
        return;
    for (size_t i = 0; i < entry->count && i < 10; i++)
        buf_printf(&text, "%s%.*s", i ? ", " : "", STR_ARG(entry->destinations[i]));
    if (entry->count > 10)
        buf_printf(&text, " and %zu more", entry->count - 10);
    route_note(x, p, question, true, "%.*s%s%.*s%s", STR_ARG(name), name.n > 0 ? ": " : "",
               STR_ARG(buf_str(&text)),
               entry->internal && p->leg.first ? " (internal: trusted senders only)" : "");
    buf_free(&text);
}

/* --- listed --- */

bool route_comes_from(const struct place *p, struct str key)
{
    return str_equal(p->leg.listed_by, key) || str_equal_nocase(p->leg.forwarded_by, key);
}

SUSPENDS static enum step expand_entry(struct expansion *x, const struct place *p, struct str key,
                                       const char *question)
{
    struct directory_address entry;
    switch (directory_find_entry(x->router->context.directory, key, x->arena, &entry, &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_NOT_FOUND:
        route_note(x, p, question, false, "none");
        return STEP_NONE;
    case LOOKUP_FOUND:
        break;
    }
    if (route_comes_from(p, key)) {
        route_note(x, p, question, false, "comes from there: the account or group is meant");
        return STEP_NONE;
    }
    note_destinations(x, p, question, STR(""), &entry);
    if (!address_set_add(&x->lists, key))
        return route_leads_back(x);
    return expand_destinations(x, p, key, &entry);
}

SUSPENDS enum step route_ask_listed(struct expansion *x, const struct place *p)
{
    return expand_entry(x, p, p->key, "listed address");
}

/* --- plus-addresses --- */

/* The same place without what stands behind the separator; false: nothing does. */
static bool split_place(struct expansion *x, const struct place *p, struct place *base)
{
    struct str separator = x->config->separator;
    ptrdiff_t at = separator.n > 0 ? str_find_nocase(p->address.local, separator) : -1;
    if (at <= 0)
        return false;
    *base = *p;
    base->whole = p->key;
    base->address.local = str_head(p->address.local, (size_t)at);
    base->leg.detail = str_skip(p->address.local, (size_t)at + separator.n);
    base->key = route_key(x, base);
    return true;
}

SUSPENDS enum step route_ask_plus(struct expansion *x, const struct place *p)
{
    struct place base;
    if (!split_place(x, p, &base))
        return STEP_NONE;
    route_note(x, p, "plus-address", false, "%.*s with \"%.*s\" behind it", STR_ARG(base.key),
               STR_ARG(base.leg.detail));
    enum step step = route_ask_listed(x, &base);
    if (step == STEP_NONE)
        step = route_ask_account(x, &base);
    if (step == STEP_NONE)
        step = route_ask_group(x, &base);
    return step;
}

/* --- of all domains --- */

SUSPENDS static enum step ask_everywhere(struct expansion *x, const struct place *p)
{
    struct str local = str_head(p->key, p->key.n - p->domain_name.n);
    return expand_entry(x, p, arena_printf(x->arena, "%.*s*", STR_ARG(local)),
                        "address of all domains");
}

SUSPENDS enum step route_ask_all_domains(struct expansion *x, const struct place *p)
{
    struct place base;
    if (p->domain.kind != DOMAIN_LOCAL)
        return STEP_NONE;
    enum step step = ask_everywhere(x, p);
    if (step == STEP_NONE && split_place(x, p, &base))
        step = ask_everywhere(x, &base);
    return step;
}

/* --- by pattern --- */

SUSPENDS enum step route_ask_rules(struct expansion *x, const struct place *p)
{
    struct directory_address found;
    struct str name;
    if (p->domain.kind == DOMAIN_VIRTUAL)
        return STEP_NONE;
    switch (directory_match_rule(x->router->context.directory, p->domain.name,
                                 p->domain.kind == DOMAIN_LOCAL, p->key, x->arena, &found, &name,
                                 &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_NOT_FOUND:
        route_note(x, p, "rules", false, "none fits");
        return STEP_NONE;
    case LOOKUP_FOUND:
        break;
    }
    note_destinations(x, p, "rules", name, &found);
    return expand_destinations(x, p, p->key, &found);
}
