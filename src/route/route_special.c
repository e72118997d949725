/*
 * Destinations that are no addresses (auth/special.h): files of addresses, public mailboxes, and
 * nothing at all. They are understood where an administrator writes - addresses, rules, catch-alls,
 * groups of the embedded directory - never in what a user or a file says: an address does not begin
 * with a colon.
 */
#include "auth/special.h"
#include "core/log.h"
#include "route/route_internal.h"

/* --- public mailboxes --- */

SUSPENDS enum step route_expand_public(struct expansion *x, const struct leg *leg,
                                       struct str mailbox)
{
    const struct router_mailboxes *store = &x->router->mailboxes;
    struct str address = arena_printf(x->arena, ":public:%.*s", STR_ARG(mailbox));
    const struct place p = {.key = address, .leg = *leg};
    enum lookup found =
        store->has_public ? store->has_public(store->arg, mailbox, &x->error) : LOOKUP_NOT_FOUND;
    const struct route_target target = {
        .kind = TARGET_PUBLIC, .address = address, .mailbox = str_skip(address, 8)};
    switch (found) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_NOT_FOUND:
        route_note(x, &p, "public mailbox", true, "there is none of that name");
        return route_leads_nowhere(x, leg, address, "5.1.1", "no such public mailbox");
    case LOOKUP_FOUND:
        break;
    }
    route_note(x, &p, "public mailbox", true, "here");
    return route_add_target(x, &target);
}

/* --- files --- */

/* A name without a domain is one of the domain that leads to the file. */
static struct str qualify(struct expansion *x, struct str text, const struct place *from)
{
    return str_find_char(text, '@') >= 0
               ? text
               : arena_printf(x->arena, "%.*s@%.*s", STR_ARG(text), STR_ARG(from->domain_name));
}

SUSPENDS static enum step expand_list(struct expansion *x, const struct place *from,
                                      const struct include_file *file, const struct leg *leg)
{
    enum step step = STEP_DONE;
    for (size_t i = 0; i < file->count && step == STEP_DONE; i++)
        step = route_expand_text(x, qualify(x, file->list[i], from), leg);
    return step;
}

SUSPENDS static enum step expand_file(struct expansion *x, const struct place *from,
                                      struct str text, struct str path, const struct leg *leg)
{
    const struct place p = {.key = text, .leg = *leg};
    struct leg next = *leg;
    next.depth++;
    if (!address_set_add(&x->lists, text))
        return route_leads_back(x);
    struct include_file *file =
        include_file_get(&x->router->files, path, &x->config->settings.include_paths, &x->error);
    if (!file) {
        if (!x->trace)
            log_warning("route", NULL,
                        "destination leads nowhere address=<%.*s> destination=<%.*s> reason=\"%s\"",
                        STR_ARG(x->asked), STR_ARG(text), x->error.text);
        x->error.kind = ERR_TEMP;
        return STEP_LATER;
    }
    route_note(x, &p, "file", true, "%zu address%s", file->count, file->count == 1 ? "" : "es");
    enum step step = file->count > 0
                         ? expand_list(x, from, file, &next)
                         : route_leads_nowhere(x, leg, text, "5.2.4", "the file has no addresses");
    include_file_unref(file);
    return step;
}

/* --- all of them --- */

SUSPENDS enum step route_expand_destination(struct expansion *x, const struct place *from,
                                            struct str text, const struct leg *leg)
{
    struct str rest;
    const struct route_target dropped = {.kind = TARGET_SINK, .address = from->key};
    switch (special_parse(text, &rest)) {
    case SPECIAL_NONE:
        break;
    case SPECIAL_INCLUDE:
        return expand_file(x, from, text, rest, leg);
    case SPECIAL_PUBLIC:
        return route_expand_public(x, leg, rest);
    case SPECIAL_DISCARD:
        return route_add_target(x, &dropped);
    case SPECIAL_WRONG:
        return route_leads_nowhere(x, leg, text, "5.1.3", "no such kind of destination");
    }
    return route_expand_text(x, text, leg);
}
