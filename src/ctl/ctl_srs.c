/*
 * The secrets of rewritten senders.
 */
#include "core/log.h"
#include "ctl/ctl.h"
#include "queue/srs_queue.h"

SUSPENDS static bool rotate(const struct ctl_context *c, const json_t *args, json_t **result,
                            struct err *e)
{
    size_t count;
    (void)args;
    if (!queue_rotate_srs(c->queue, &count, e))
        return false;
    log_info("queue", NULL, "srs: a new secret, %zu are valid", count);
    *result = json_pack("{s:I}", "secrets", (json_int_t)count);
    return true;
}

const struct ctl_verb ctl_srs_verbs[] = {
    {"srs rotate", CTL_ADMIN, rotate},
    {0},
};
