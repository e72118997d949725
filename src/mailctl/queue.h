#pragma once
/*
 * What the commands about the queue share: which messages are meant.
 */
#include "mailctl/mailctl.h"

/* The options of a command that takes a filter. */
#define QUEUE_FILTER_OPTIONS                                                                       \
    {"--sender", "ADDRESS", "From this sender; \"<>\" is the null sender."},                       \
        {"--recipient", "ADDRESS", "For this recipient."},                                         \
        {"--domain", "NAME", "For recipients of this domain."},                                    \
        {"--reason", "TEXT", "The last error of a recipient contains it."},                        \
        {"--login", "LOGIN", "Handed in by this user."},                                           \
        {"--route", "NAME", "Goes by this route of the configuration."},                           \
        {"--age", "RANGE", "Waits so long: 2h is at least two hours, 10m-1h, -5m."},               \
        {"--size", "RANGE", "Is so large: 5M is at least that, 10K-1M, -4K."},                     \
        {"--state", "STATE",                                                                       \
         "new, deferred, sending, held (by an operator), future (by its "                          \
         "sender), paused, report."},                                                              \
    {                                                                                              \
        "--all", NULL, "All messages."                                                             \
    }

enum { SELECT_ANYTHING, SELECT_SOMETHING }; /* without ids and filter: all, or a mistake */

/* {"ids": [...]} or {"filter": {...}}; NULL: a mistake, which was said (the status is EXIT_USAGE).
 * Ids are the words from `first` on. */
json_t *queue_select(const struct arguments *a, size_t first, int least);
/* "5m" to seconds, "10K" to bytes. */
bool queue_parse_duration(struct str text, int64_t *seconds);
bool queue_parse_size(struct str text, int64_t *bytes);
