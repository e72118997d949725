#pragma once
/*
 * The rewriting of senders as the queue uses it: settings and secrets.
 */
#include "core/fiber.h"
#include "core/settings.h"
#include "route/srs.h"

struct queue;
struct srs_keys;

extern const struct settings_block srs_settings_block; /* "srs" */

struct srs_settings {
    bool enabled;
    const char *domain; /* "" : of the address that forwards */
    usec validity;
};

/* Reads the file of secrets, makes it when it is missing. Blocking: start-up, before queue_start.
 * Without it nothing is rewritten. */
bool queue_load_srs(struct queue *q, const char *path, struct err *e);
void srs_keys_free(struct srs_keys *k);
/* A new secret in front of the others, which go on to verify. *verify: how many there are. */
SUSPENDS bool queue_rotate_srs(struct queue *q, size_t *verify, struct err *e);

/* The sender under which mail that an address of the domain `forwarder` sends on leaves; "" : it
 * keeps its own. Whether the sender is foreign is for the caller to know. In a. */
struct str queue_srs_forward(const struct queue *q, struct str sender, struct str forwarder,
                             struct arena *a);
/* Mail for such addresses goes back: also while nothing is rewritten any more, and in the domain of
 * the settings whatever the directory says of it. */
void queue_srs_lead_back(struct queue *q);
