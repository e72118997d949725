#pragma once
/*
 * What the configuration says of mail on its way out, made of it as a whole: routes, hidden copies,
 * the rewriting of senders. Immutable and counted: what is under way keeps the rules that it began
 * with.
 */
#include "queue/copies.h"
#include "queue/rewrites.h"
#include "queue/routes.h"
#include "queue/srs_queue.h"

struct queue_rules {
    unsigned references;
    struct config *config;
    struct arena *arena;
    struct route_table routes;
    struct copy_table copies;
    const struct srs_settings *srs;
    struct rewrite_list rewrites;
};

/* Takes its own reference to config. Reads files: blocking. NULL: *e. */
struct queue_rules *queue_rules_new(struct config *config, struct err *e);
/* Are they right, files included? Blocking. */
bool queue_rules_check(struct config *config, struct err *e);
struct queue_rules *queue_rules_ref(struct queue_rules *r);
/* NULL is allowed. */
void queue_rules_unref(struct queue_rules *r);
