#pragma once
/*
 * Takes what local programs left while the server did not answer (drop_file.h): at the start, and
 * when a file appears. A message that is taken is durable before its file goes; one that cannot be
 * taken at the moment waits; what is wrong with it is reported to its sender by mail.
 */
#include "core/settings.h"
#include "queue/queue.h"

struct pickup;

struct pickup_context { /* all outlive it */
    struct loop *loop;
    struct queue *queue;
    const char *spool_dir; /* for messages on their way in */
};

/* dir: "" when there is none. Makes it when it is missing; takes a reference to config. Trouble
 * with the directory is logged, and does not keep the server from starting. */
SUSPENDS struct pickup *pickup_open(const struct pickup_context *context, const char *dir,
                                    struct config *config, const char *hostname);
/* Begins; does not suspend. NULL is allowed in all that follow. */
void pickup_start(struct pickup *p);
/* A new configuration; what waits is tried at once. */
void pickup_reload(struct pickup *p, struct config *config, const char *hostname);
/* Waits for the message under way; other files stay. */
SUSPENDS void pickup_close(struct pickup *p);
