/*
 * Replaying a group: several records that are one change, such as the messages of one APPEND
 * (RFC 3502), or a message that takes the place of another (RFC 8508). Its records follow each
 * other in the journal without a gap, so they are kept back until the last one has come, and then
 * applied in their order. Without the last one nothing has happened.
 *
 * In a damaged journal one in the middle may be missing. A record from behind the group proves that
 * all of it was durable: what there is of it is applied then.
 */
#include "core/log.h"
#include "core/mem.h"
#include "store/replay.h"

#include <stdlib.h>

struct replay_group {
    lsn last;
    size_t count, kept_count;
    struct journal_record kept[];
};

void replay_group_forget(struct store *s)
{
    struct replay_group *g = s->group;

    if (!g)
        return;
    log_warning("store", NULL, "a change of %zu steps was not complete and did not happen",
                g->count);
    for (size_t i = 0; i < g->kept_count; i++)
        free((char *)g->kept[i].payload.p);
    free(g);
    s->group = NULL;
}

void replay_group_begin(struct store *s, lsn position, struct reader *r)
{
    uint32_t count = read_u32(r);

    if (r->bad || count == 0 || count > GROUP_RECORDS_MAX) {
        r->bad = true;
        return;
    }
    struct replay_group *g = mem_alloc(sizeof(*g) + count * sizeof(*g->kept));
    *g = (struct replay_group){.last = position + count, .count = count};
    s->group = g;
}

static bool apply(struct store *s, struct replay_group *g, struct err *e)
{
    bool ok = true;

    for (size_t i = 0; i < g->kept_count; i++) {
        ok = ok && replay_record(s, &g->kept[i], e);
        free((char *)g->kept[i].payload.p);
    }
    free(g);
    return ok;
}

bool replay_group_take(struct store *s, const struct journal_record *record, bool *ok,
                       struct err *e)
{
    struct replay_group *g = s->group;

    *ok = true;
    if (!g)
        return false;
    bool inside = record->lsn <= g->last;
    if (inside) {
        struct journal_record *kept = &g->kept[g->kept_count++];
        *kept = *record;
        kept->payload = str_from(mem_dup(record->payload.p, record->payload.n), record->payload.n);
    }
    if (record->lsn < g->last)
        return true;
    s->group = NULL;
    *ok = apply(s, g, e);
    return inside || !*ok;
}
