#pragma once
/*
 * The key of a destination: mail with the same key goes the same way, and may share a connection.
 *
 *     "far.example"              the servers of that domain, by MX or by the directory
 *     "rule NAME"                the hosts of a route
 *     "rule NAME as KEY"         the same with the login that its credentials have for KEY
 *     "rule NAME/far.example"    the servers of that domain, by the words of a route
 *     "host mail2.example:25"    another server of ours, for accounts whose mailboxes it has
 *     "relay"                    the relay host of the settings
 *     ""                         here
 *
 * A key is true for the configuration that it was made with: after a reload it has to be made
 * anew. No key of a rule can be taken for a domain, which has neither blanks nor slashes.
 */
#include "queue/routes.h"

struct queue_config;

/* The key for a recipient on another server: a part of question->recipient, or made in a. */
struct str destination_key_of(const struct queue_config *config,
                              const struct route_question *question, struct arena *a);
/* The name of the rule; "" : none. */
struct str destination_key_rule(struct str key);
/* Of whom its credentials are; "" : nobody's. */
struct str destination_key_credential(struct str key);
/* The other server of ours; "" : none. */
struct str destination_key_host(struct str key);
/* The domain whose servers are meant; "" : none. */
struct str destination_key_domain(struct str key);
/* The limits of its rule, for all mail of that rule together; zeros: none. */
struct pacing destination_key_pacing(const struct queue_config *config, struct str key);
/* Where its mail leaves from: the rule's own IPv4 address, else its IPv6 address; "" : the usual
 * ones. */
struct str destination_key_source(const struct queue_config *config, struct str key);
