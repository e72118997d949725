/*
 * The rules of a configuration.
 */
#include "queue/rules.h"

#include "core/mem.h"

#include <stdlib.h>

struct queue_rules *queue_rules_new(struct config *config, struct err *e)
{
    struct queue_rules *r = MEM_NEW(struct queue_rules);
    r->references = 1;
    r->config = config_ref(config);
    r->arena = arena_new();
    r->srs = config_block(config, &srs_settings_block);
    if (route_table_new(config, r->arena, &r->routes, e) &&
        copy_table_new(config, r->arena, &r->copies, e) &&
        rewrite_list_new(config, r->arena, &r->rewrites, e))
        return r;
    queue_rules_unref(r);
    return NULL;
}

bool queue_rules_check(struct config *config, struct err *e)
{
    struct queue_rules *r = queue_rules_new(config, e);
    queue_rules_unref(r);
    return r != NULL;
}

struct queue_rules *queue_rules_ref(struct queue_rules *r)
{
    r->references++;
    return r;
}

void queue_rules_unref(struct queue_rules *r)
{
    if (!r || --r->references > 0)
        return;
    arena_free(r->arena);
    config_unref(r->config);
    free(r);
}
