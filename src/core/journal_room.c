/*
 * Back-pressure: before an operation appends, journal_ready makes sure that the disk has some space
 * left, that what is pending in memory is bounded, and that there is a free segment. The committer
 * itself never waits for one: what has passed here is written even if the journal has to grow
 * beyond its size for it.
 */
#include "core/disk.h"
#include "core/journal_private.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"

#include <stdlib.h>

#define MIB            ((uint64_t)1024 * 1024)
#define PENDING_MAX    ((size_t)16 * 1024 * 1024)
#define SPACE_INTERVAL USEC_SEC
#define INODE_RESERVE  1000

struct space {
    struct journal *j;
    const char
        *paths[JOURNAL_CONSUMERS + 1]; /* of the journal and its consumers, who outlive this */
    size_t path_count;
    uint64_t reserve;
    bool is_short;
    struct err e;
};

static void space_on_worker(void *arg)
{
    struct space *s = arg;
    for (size_t i = 0; i < s->path_count && !s->is_short; i++) {
        uint64_t bytes, inodes;
        if (!disk_free_space(s->paths[i], &bytes, &inodes, &s->e))
            s->is_short = true;
        else if (bytes < s->reserve || inodes < INODE_RESERVE)
            s->is_short = !err_set(&s->e, ERR_NO_SPACE, "%s: too little space is left (%llu MB)",
                                   s->paths[i], (unsigned long long)(bytes / MIB));
    }
}

static void space_known(void *arg)
{
    struct space *s = arg;
    struct journal *j = s->j;
    j->space_checking = false;
    if (s->is_short && !j->space_short)
        log_error("maild", NULL, "mail is refused for now: %s", s->e.text);
    else if (!s->is_short && j->space_short)
        log_info("maild", NULL, "there is space again, mail is accepted");
    j->space_short = s->is_short;
    j->space_error = s->e;
    j->space_checked = clock_monotonic();
    cond_broadcast(&j->room);
    free(s);
}

/* Looks at most once a second; waits for the answer only when the last one is much older. */
static bool space_is_known(struct journal *j)
{
    usec age = clock_monotonic() - j->space_checked;
    if (j->space_checked > 0 && age < SPACE_INTERVAL)
        return true;
    if (!j->space_checking) {
        struct space *s = MEM_NEW(struct space);
        s->j = j;
        s->paths[s->path_count++] = j->dir;
        for (size_t i = 0; i < j->consumer_count; i++)
            s->paths[s->path_count++] = j->consumers[i].sync_path;
        s->reserve = j->disk_reserve;
        j->space_checking = true;
        worker_start(WORKER_DISK, space_on_worker, space_known, s);
    }
    return j->space_checked > 0 && age < 5 * SPACE_INTERVAL;
}

bool journal_space_is_short(struct journal *j)
{
    space_is_known(j);
    return j->space_short;
}

/* True if another record may come; otherwise what stands in the way was set going. */
static bool there_is_room(struct journal *j)
{
    if (j->pending_bytes >= PENDING_MAX) {
        journal_commit_soon(j);
        return false;
    }
    if (j->free.count > 0)
        return true;
    struct segment *s = j->current ? j->active.last : NULL;
    if (s && s->size - s->used > s->size / 2 + j->pending_bytes)
        return true;
    journal_prepare(j);
    if (!j->preparing)
        journal_want_checkpoint(j);
    return false;
}

bool journal_ready(struct journal *j, usec deadline, struct err *e)
{
    if (mem_is_short())
        return err_set(e, ERR_TEMP, "memory is short");
    for (;;) {
        if (j->failed)
            return err_set(e, ERR_IO, "the journal failed: %s", j->failure.text);
        bool known = space_is_known(j);
        if (known && j->space_short) {
            if (e)
                *e = j->space_error;
            return false;
        }
        if (known && there_is_room(j))
            return true;
        if (!cond_wait(&j->room, deadline, e))
            return false;
    }
}
