/*
 * Keys of destinations. They are made for every recipient that waits, in a turn of the loop, so
 * nothing here may wait: what the directory says of a domain is asked when a connection is made.
 */
#include "queue/destination_key.h"

#include "queue/queue_internal.h"

#define RULE  STR("rule ")
#define RELAY STR("relay")

struct str destination_key_of(const struct queue_config *config,
                              const struct route_question *question, struct arena *a)
{
    (void)a;
    if (!question->relay_domain && *config->settings.relay_host)
        return RELAY;
    return str_skip(question->recipient,
                    (size_t)(str_find_last_char(question->recipient, '@') + 1));
}

struct str destination_key_rule(struct str key)
{
    if (!str_starts_with(key, RULE))
        return STR("");
    struct str rest = str_skip(key, RULE.n);
    return str_split(&rest, '/');
}

struct str destination_key_domain(struct str key)
{
    if (!str_starts_with(key, RULE))
        return str_equal(key, RELAY) ? STR("") : key;
    ptrdiff_t slash = str_find_char(key, '/');
    return slash < 0 ? STR("") : str_skip(key, (size_t)slash + 1);
}

struct pacing destination_key_pacing(const struct queue_config *config, struct str key)
{
    (void)config;
    (void)key;
    return (struct pacing){.connections_max = 0};
}
