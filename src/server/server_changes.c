/*
 * What a new configuration changes, for who asked for the reload and for the log: a list of
 * settings with their values before and after, and the names of those that take effect only with a
 * restart. The list is compared with the configuration in force, the names with the one that the
 * server was started with, so they stay until it is started anew, or the file says the old again.
 *
 * Secrets are compared and not shown (core/config_compare.c). A very long list (a file with
 * hundreds of blocks was replaced) is told whole to who asked, and its beginning in the log.
 */
#include "server/server.h"

#include "core/log.h"
#include "core/mem.h"

#include <stdlib.h>

#define LOGGED_MAX 100

struct server_change {
    struct server_change *next;
    const char *kind;
    bool restart, has_values, hidden;
    struct str setting, before, after;
};

struct server_changes {
    struct arena *arena;
    struct server_change *first, **end;
    size_t count;
    struct buf restart; /* "user, data_dir" */
};

static const char *const kinds[] = {
    [CONFIG_CHANGED] = "changed",
    [CONFIG_ADDED] = "added",
    [CONFIG_REMOVED] = "removed",
    [CONFIG_REORDERED] = "reordered",
};

static void add_change(void *arg, const struct config_change *change)
{
    struct server_changes *c = arg;
    struct buf name = BUF_EMPTY;
    struct server_change *x = *c->end = ARENA_NEW(c->arena, struct server_change);
    c->end = &x->next;
    c->count++;
    config_change_name(change, &name);
    x->kind = kinds[change->kind];
    x->restart = !server_change_is_live(change);
    x->hidden = change->setting && change->setting->type == SETTING_SECRET;
    x->has_values = change->setting && !x->hidden;
    x->setting = arena_str(c->arena, buf_str(&name));
    x->before = arena_str(c->arena, change->before);
    x->after = arena_str(c->arena, change->after);
    buf_free(&name);
}

struct server_changes *server_changes_new(const struct config *boot, const struct config *before,
                                          const struct config *after)
{
    struct server_changes *c = MEM_NEW(struct server_changes);
    c->arena = arena_new();
    c->end = &c->first;
    config_compare(before, after, add_change, c);
    server_restart_needed(boot, after, &c->restart);
    return c;
}

void server_changes_free(struct server_changes *c)
{
    if (!c)
        return;
    buf_free(&c->restart);
    arena_free(c->arena);
    free(c);
}

static void set_text(json_t *to, const char *name, struct str text)
{
    json_object_set_new(to, name, json_stringn(text.p, text.n));
}

static json_t *list_of_names(struct str names)
{
    json_t *list = json_array();
    while (names.n > 0) {
        struct str name = str_trim(str_split(&names, ','));
        json_array_append_new(list, json_stringn(name.p, name.n));
    }
    return list;
}

void server_changes_describe(const struct server_changes *c, json_t *result)
{
    json_t *list = json_array();
    for (const struct server_change *x = c->first; x; x = x->next) {
        json_t *item = json_object();
        set_text(item, "setting", x->setting);
        json_object_set_new(item, "change", json_string(x->kind));
        if (x->has_values) {
            set_text(item, "before", x->before);
            set_text(item, "after", x->after);
        }
        json_object_set_new(item, "restart", json_boolean(x->restart));
        json_array_append_new(list, item);
    }
    json_object_set_new(result, "changes", list);
    json_object_set_new(result, "restart_needed", list_of_names(buf_str(&c->restart)));
}

void server_changes_log(const struct server_changes *c)
{
    size_t logged = 0;
    for (const struct server_change *x = c->first; x && logged < LOGGED_MAX; x = x->next, logged++)
        if (x->has_values)
            log_info("maild", NULL, "setting changed name=\"%.*s\" before=\"%.*s\" after=\"%.*s\"",
                     STR_ARG(x->setting), STR_ARG(x->before), STR_ARG(x->after));
        else
            log_info("maild", NULL, "setting changed name=\"%.*s\" change=%s", STR_ARG(x->setting),
                     x->hidden ? "hidden" : x->kind);
    if (c->restart.n > 0)
        log_warning("maild", NULL, "restart needed settings=\"%.*s\"",
                    STR_ARG(buf_str(&c->restart)));
}

size_t server_changes_count(const struct server_changes *c)
{
    return c->count;
}

void server_describe_restart(const struct server *s, json_t *status)
{
    struct buf names = BUF_EMPTY;
    server_restart_needed(s->boot, s->config, &names);
    json_object_set_new(status, "restart_needed", list_of_names(buf_str(&names)));
    buf_free(&names);
}
