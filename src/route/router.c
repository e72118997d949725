/*
 * The settings of routing. An expansion goes on with those of its beginning, so a reload may
 * replace them at any time.
 */
#include "core/mem.h"
#include "route/route_internal.h"

#include <stdlib.h>

#define OFFSET(field) offsetof(struct router_settings, field)

static const struct setting router_setting_table[] = {
    {"postmaster", SETTING_STRING, OFFSET(postmaster), "", 0, 0, NULL,
     "Address that gets mail for postmaster and abuse where a domain has no such address. Empty: "
     "postmaster of the first domain that has one."},
    {"separator", SETTING_STRING, OFFSET(separator), "+", 0, 0, NULL,
     "What stands between the local part of a listed address, user or group and what the sender "
     "adds: mail for alice+shop goes to alice. One or more characters; empty: nothing is added."},
    {"detail_mailbox", SETTING_BOOL, OFFSET(detail_mailbox), "no", 0, 0, NULL,
     "What stands behind the separator names the mailbox that gets the mail, if the user has one "
     "of that name in any case of letters; else INBOX gets it."},
    {"groups", SETTING_BOOL, OFFSET(groups), "yes", 0, 0, NULL,
     "Groups are addresses. no: mail for them is answered as if they did not exist."},
    {"include_paths", SETTING_STRING_LIST, OFFSET(include_paths), "/etc/maild", 0, 0, NULL,
     "Directories below which files of addresses may be that :include: names."},
    {0},
};

static bool check(const void *values, struct err *e)
{
    const struct router_settings *s = values;
    for (const char *c = s->separator; *c; c++)
        if (*c <= ' ' || *c == 0x7f || strchr("@\"\\()<>,;:[]", *c))
            return err_set(e, ERR_SYNTAX, "separator: \"%s\" cannot be part of a local part",
                           s->separator);
    for (size_t i = 0; i < s->include_paths.count; i++)
        if (s->include_paths.items[i][0] != '/')
            return err_set(e, ERR_SYNTAX, "include_paths: \"%s\" is no absolute path",
                           s->include_paths.items[i]);
    return true;
}

const struct settings_block router_settings_block = {
    "addresses",
    "Where mail for an address goes (docs/addresses.md).",
    false,
    sizeof(struct router_settings),
    router_setting_table,
    check};

struct router_config *router_config_ref(struct router_config *c)
{
    c->references++;
    return c;
}

void router_config_unref(struct router_config *c)
{
    if (!c || --c->references > 0)
        return;
    arena_free(c->strings);
    free(c);
}

static struct string_list copy_list(struct arena *a, const struct string_list *from)
{
    const char **items = arena_array(a, from->count + 1, sizeof(*items));
    for (size_t i = 0; i < from->count; i++)
        items[i] = arena_c(a, str_from_c(from->items[i]));
    return (struct string_list){items, from->count};
}

static struct router_config *new_config(const struct router_settings *s)
{
    struct router_config *c = MEM_NEW(struct router_config);
    c->references = 1;
    c->strings = arena_new();
    c->settings = *s;
    c->settings.postmaster = arena_c(c->strings, str_from_c(s->postmaster));
    c->settings.separator = arena_c(c->strings, str_from_c(s->separator));
    c->settings.include_paths = copy_list(c->strings, &s->include_paths);
    c->separator = str_from_c(c->settings.separator);
    return c;
}

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
    include_files_free(&r->files);
    router_config_unref(r->config);
    free(r);
}

void router_reload(struct router *r, const struct router_settings *s)
{
    router_config_unref(r->config);
    r->config = new_config(s);
}

void router_set_senders(struct router *r, const struct router_senders *senders)
{
    r->senders = *senders;
}

void router_set_mailboxes(struct router *r, const struct router_mailboxes *mailboxes)
{
    r->mailboxes = *mailboxes;
}

bool router_uses_details(const struct router *r)
{
    return r->config->settings.detail_mailbox;
}

struct str router_postmaster(const struct router *r)
{
    return str_from_c(r->config->settings.postmaster);
}
