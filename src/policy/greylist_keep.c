/*
 * The greylist's database as the loop sees it: one connection, lent to one worker at a time, and
 * rows that are written behind, many in one transaction. A fiber comes by every now and then to
 * write and to remove what has expired.
 *
 * A file that is damaged is set aside and made anew at the next use. After other failures the
 * database is left alone for a while, but on a full disk, where it can still be read.
 */
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "policy/greylist_private.h"
#include "policy/state_limits.h"

#include <stdlib.h>

/* --- asking --- */

/* On a worker. */
static void run_job(void *arg)
{
    struct greylist_job *j = arg;
    struct greylist *g = j->g;
    bool damaged = false;
    if (!g->db)
        g->db = greylist_db_open(g->path, &damaged, &j->error);
    j->ok = g->db && j->fn(j);
    damaged |= !j->ok && g->db && greylist_db_is_damaged(g->db);
    if (!damaged)
        return;
    greylist_db_close(g->db);
    g->db = NULL;
    struct err e = {0};
    j->set_aside = greylist_db_set_aside(g->path, &e);
    if (!j->set_aside)
        j->error = e;
}

static void note_failure(struct greylist *g, const struct greylist_job *j)
{
    usec now = clock_monotonic();
    usec quiet = g->error.kind == ERR_NONE ? GREYLIST_RETRY_PAUSE : GREYLIST_COMPLAIN_PAUSE;
    bool news = g->logged == 0 || now - g->logged > quiet;
    g->error = j->error;
    g->triplet_rows = g->client_rows = -1;
    g->retry = j->set_aside || j->error.kind == ERR_NO_SPACE ? 0 : now + GREYLIST_RETRY_PAUSE;
    if (!news)
        return;
    g->logged = now;
    if (j->set_aside)
        log_warning("policy", NULL,
                    "the greylist's database is damaged, set aside as %s.damaged and made anew: %s",
                    g->path, j->error.text);
    else
        log_warning("policy", NULL, "greylisting goes on without its database: %s", j->error.text);
}

static void note_success(struct greylist *g, const struct greylist_job *j)
{
    if (g->error.kind == ERR_NONE || (g->error.kind == ERR_NO_SPACE && !j->writes))
        return;
    log_info("policy", NULL, "the greylist's database is well again");
    g->error = (struct err){0};
}

bool greylist_ask(struct greylist *g, struct greylist_job *j, struct err *e)
{
    usec deadline = deadline_in(GREYLIST_PATIENCE);
    if (g->error.kind != ERR_NONE && clock_monotonic() < g->retry) {
        *e = g->error;
        return false;
    }
    while (g->lent)
        if (!cond_wait(&g->returned, deadline, e))
            return err_prefix(e, "the greylist's database");
    g->lent = true;
    j->g = g;
    worker_run(WORKER_DISK, run_job, j);
    g->lent = false;
    cond_signal(&g->returned);
    if (j->ok)
        note_success(g, j);
    else
        note_failure(g, j);
    *e = j->error;
    return j->ok;
}

/* --- writing behind --- */

static size_t row_count(const struct greylist_unwritten *u)
{
    return u->triplet_count + u->client_count;
}

static void unwritten_free(struct greylist_unwritten *u)
{
    arena_free(u->arena);
    free(u->triplets);
    free(u->clients);
    *u = (struct greylist_unwritten){0};
}

static void keep_later(void *arg);

static void arm(struct greylist *g)
{
    usec now = clock_monotonic();
    bool much = row_count(&g->waiting) >= 4 * GREYLIST_SLICE && g->error.kind == ERR_NONE;
    if (g->keeping || g->closing)
        return;
    if (much)
        timer_set(&g->timer, now, keep_later, g);
    else if (!g->timer_is_near)
        timer_set(&g->timer, now + GREYLIST_WRITE_PAUSE, keep_later, g);
    g->timer_is_near = true;
}

static bool has_room(struct greylist *g)
{
    if (row_count(&g->waiting) >= GREYLIST_UNWRITTEN_MAX) {
        g->lost++;
        return false;
    }
    if (!g->waiting.arena)
        g->waiting.arena = arena_new();
    arm(g);
    return true;
}

/* Room for one more, doubled at each power of 2. */
static void *grow(void *list, size_t count, size_t size)
{
    if (count & (count - 1))
        return list;
    return mem_resize(list, (count ? 2 * count : 1) * size);
}

struct greylist_triplet *greylist_add_triplet(struct greylist *g)
{
    struct greylist_unwritten *u = &g->waiting;
    if (!has_room(g))
        return NULL;
    u->triplets = grow(u->triplets, u->triplet_count, sizeof(*u->triplets));
    return &u->triplets[u->triplet_count++];
}

struct greylist_client *greylist_add_client(struct greylist *g)
{
    struct greylist_unwritten *u = &g->waiting;
    if (!has_room(g))
        return NULL;
    u->clients = grow(u->clients, u->client_count, sizeof(*u->clients));
    return &u->clients[u->client_count++];
}

static bool job_write(struct greylist_job *j)
{
    const struct greylist_unwritten *u = j->rows;
    for (size_t i = 0; i < u->triplet_count; i += GREYLIST_SLICE) {
        size_t n = u->triplet_count - i < GREYLIST_SLICE ? u->triplet_count - i : GREYLIST_SLICE;
        if (!greylist_db_write(j->g->db, u->triplets + i, n, NULL, 0, &j->error))
            return false;
    }
    return greylist_db_write(j->g->db, NULL, 0, u->clients, u->client_count, &j->error);
}

/* What cannot be written is kept for the next time, in front of what has come meanwhile. */
static void put_back(struct greylist *g, struct greylist_unwritten *rows)
{
    if (row_count(&g->waiting) > 0) {
        g->lost += row_count(rows);
        unwritten_free(rows);
        return;
    }
    unwritten_free(&g->waiting);
    g->waiting = *rows;
}

bool greylist_write_out(struct greylist *g, struct err *e)
{
    struct greylist_unwritten rows = g->waiting;
    struct greylist_job j = {.fn = job_write, .rows = &rows, .writes = true};
    if (row_count(&rows) == 0)
        return true;
    g->waiting = (struct greylist_unwritten){0};
    bool ok = greylist_ask(g, &j, e);
    if (ok)
        unwritten_free(&rows);
    else
        put_back(g, &rows);
    return ok;
}

/* --- keeping --- */

static bool job_clean(struct greylist_job *j)
{
    if (!greylist_db_clean(j->g->db, clock_wall() / USEC_SEC, GREYLIST_ROWS_MAX, &j->more,
                           &j->error))
        return false;
    return j->more || greylist_db_count(j->g->db, &j->triplet_rows, &j->client_rows, &j->error);
}

static SUSPENDS void clean(struct greylist *g)
{
    struct err e;
    bool more = true;
    g->cleaned = clock_monotonic();
    while (more && !g->closing) {
        struct greylist_job j = {.fn = job_clean, .writes = true};
        if (!greylist_ask(g, &j, &e))
            return;
        more = j.more;
        if (!more) {
            g->triplet_rows = j.triplet_rows;
            g->client_rows = j.client_rows;
        }
        fiber_yield();
    }
}

static usec next_time(const struct greylist *g, bool ok)
{
    if (!ok)
        return GREYLIST_RETRY_PAUSE;
    return row_count(&g->waiting) > 0 ? GREYLIST_WRITE_PAUSE : GREYLIST_EXPIRE_PAUSE;
}

/* Much was written since, so that there may be too much. */
static bool shall_clean(const struct greylist *g, size_t written)
{
    return written >= 4 * GREYLIST_SLICE || g->cleaned == 0 ||
           clock_monotonic() - g->cleaned >= GREYLIST_EXPIRE_PAUSE;
}

static SUSPENDS void keep(void *arg)
{
    struct greylist *g = arg;
    struct err e;
    size_t rows = row_count(&g->waiting);
    bool ok = greylist_write_out(g, &e);
    if (ok && shall_clean(g, rows))
        clean(g);
    g->keeping = false;
    if (g->closing) {
        cond_broadcast(&g->kept);
        return;
    }
    g->timer_is_near = next_time(g, ok) != GREYLIST_EXPIRE_PAUSE;
    timer_set(&g->timer, clock_monotonic() + next_time(g, ok), keep_later, g);
}

static void keep_later(void *arg)
{
    struct greylist *g = arg;
    g->keeping = fiber_start(g->loop, "greylist", keep, g) != NULL;
    if (!g->keeping)
        timer_set(&g->timer, clock_monotonic() + GREYLIST_WRITE_PAUSE, keep_later, g);
}

/* --- life --- */

struct greylist *greylist_new(struct loop *l, const char *path)
{
    struct greylist *g = MEM_NEW(struct greylist);
    g->loop = l;
    g->path = mem_dup(path, strlen(path));
    g->triplets = lru_new(sizeof(struct greylist_seen), GREYLIST_MEMORY_MAX);
    g->clients = lru_new(sizeof(struct greylist_host), GREYLIST_CLIENTS_MAX);
    g->triplet_rows = g->client_rows = -1;
    return g;
}

static void close_on_worker(void *arg)
{
    greylist_db_close(arg);
}

void greylist_close(struct greylist *g)
{
    struct err e;
    if (!g)
        return;
    timer_clear(&g->timer);
    g->closing = true;
    while (g->keeping)
        cond_wait_certain(&g->kept);
    greylist_write_out(g, &e);
    while (g->lent)
        cond_wait_certain(&g->returned);
    if (g->db)
        worker_run(WORKER_DISK, close_on_worker, g->db);
    unwritten_free(&g->waiting);
    lru_free(g->triplets);
    lru_free(g->clients);
    free(g->path);
    free(g);
}

void greylist_get_stats(const struct greylist *g, struct greylist_stats *s)
{
    *s = (struct greylist_stats){
        .in_memory = lru_count(g->triplets),
        .unwritten = row_count(&g->waiting),
        .triplets = g->triplet_rows,
        .clients = g->client_rows,
        .lost = g->lost,
        .error = g->error.kind != ERR_NONE ? g->error.text : "",
    };
}
