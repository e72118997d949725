/*
 * The settings of routing. A question copies what it needs of them before it suspends, so a reload
 * may replace them at any time.
 */
#include "core/mem.h"
#include "route/route_internal.h"

#include <stdlib.h>

#define OFFSET(field) offsetof(struct router_settings, field)

static const struct setting router_setting_table[] = {
    {"postmaster", SETTING_STRING, OFFSET(postmaster), "", 0, 0, NULL,
     "Address that gets mail for postmaster and abuse where a domain has no such address. Empty: "
     "postmaster of the first domain."},
    {0},
};
const struct settings_block router_settings_block = {
    "addresses",
    "Where mail for an address goes (docs/addresses.md).",
    false,
    sizeof(struct router_settings),
    router_setting_table,
    NULL};

struct router *router_new(const struct router_context *c, const struct router_settings *s)
{
    struct router *r = MEM_NEW(struct router);
    r->context = *c;
    router_reload(r, s);
    return r;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    arena_free(r->strings);
    free(r);
}

void router_reload(struct router *r, const struct router_settings *s)
{
    struct arena *strings = arena_new();
    r->settings = *s;
    r->settings.postmaster = arena_c(strings, str_from_c(s->postmaster));
    arena_free(r->strings);
    r->strings = strings;
}

void router_set_senders(struct router *r, const struct router_senders *senders)
{
    r->senders = *senders;
}

struct str router_postmaster(const struct router *r)
{
    return str_from_c(r->settings.postmaster);
}
