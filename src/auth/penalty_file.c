/*
 * What outlives a restart: who is locked out, names with more than a few failures, and the networks
 * in which accounts are known, since an account under attack depends on those. The file is replaced
 * as a whole every ten minutes and at the end; a crash loses the last minutes of it, which costs an
 * attacker nothing and gives him little. Wrong passwords are not in it, not even as hashes.
 *
 * Format: magic, version, checksum of the rest; the time of writing; entries: table (the kinds in
 * their order, then the known networks), name, level in millionths, what is left of a lock-out in
 * microseconds.
 */
#include "auth/limits.h"
#include "auth/penalty_private.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"

#define FILE_MAGIC   0x4e50444du /* "MDPN" */
#define FILE_VERSION 1
#define MILLIONTHS   1e6
/* What makes no sense. */
#define LEVEL_MAX ((uint64_t)1 << 50)
#define LEFT_MAX  ((uint64_t)366 * 24 * 3600 * USEC_SEC)

struct encoding {
    struct buf *out;
    uint8_t table;
    double least;
};

static void encode_entry(void *arg, struct penalty_table *t, struct penalty_entry *entry)
{
    const struct encoding *e = arg;
    (void)t;
    if (!entry->locked_until && entry->level < e->least)
        return;
    usec left = entry->locked_until ? entry->locked_until - entry->updated : 0;
    buf_add_u8(e->out, e->table);
    buf_add_counted(e->out, entry->name);
    buf_add_u64(e->out, (uint64_t)(entry->level * MILLIONTHS));
    buf_add_u64(e->out, (uint64_t)left);
}

void penalty_encode(const struct penalties *p, struct buf *out)
{
    struct buf body = BUF_EMPTY;
    buf_add_u64(&body, (uint64_t)clock_wall());
    for (uint8_t k = 0; k < PENALTY_KINDS; k++)
        penalty_table_each(p->tables[k], encode_entry,
                           &(struct encoding){&body, k, PENALTY_KEPT_FAILURES});
    penalty_table_each(p->known, encode_entry, &(struct encoding){&body, PENALTY_KINDS, 0});
    buf_add_u32(out, FILE_MAGIC);
    buf_add_u16(out, FILE_VERSION);
    buf_add_u64(out, str_hash(buf_str(&body)));
    buf_add_str(out, buf_str(&body));
    buf_free(&body);
}

static bool decode_entry(struct penalties *p, struct reader *in, usec passed)
{
    uint8_t table = read_u8(in);
    struct str name = read_counted(in);
    uint64_t level = read_u64(in), left = read_u64(in);
    if (in->bad || table > PENALTY_KINDS || name.n > PENALTY_NAME_MAX || level > LEVEL_MAX ||
        left > LEFT_MAX)
        return false;
    usec now = clock_monotonic();
    struct penalty_entry *entry =
        penalty_table_add(table < PENALTY_KINDS ? p->tables[table] : p->known, name);
    entry->level = (double)level / MILLIONTHS;
    entry->updated = now - passed;
    entry->locked_until = (usec)left > passed ? now + (usec)left - passed : 0;
    return true;
}

bool penalty_decode(struct penalties *p, struct str bytes)
{
    struct reader in = {.p = bytes.p, .n = bytes.n};
    uint32_t magic = read_u32(&in);
    uint16_t version = read_u16(&in);
    uint64_t checksum = read_u64(&in);
    if (in.bad || magic != FILE_MAGIC || version != FILE_VERSION ||
        checksum != str_hash(str_from(in.p, in.n)))
        return false;
    usec now = clock_wall();
    uint64_t written = read_u64(&in);
    usec passed = written < (uint64_t)now ? now - (usec)written : 0; /* it may be set back */
    while (in.n > 0)
        if (!decode_entry(p, &in, passed))
            return false;
    return true;
}

/* --- on disk --- */

SUSPENDS void penalties_keep(struct penalties *p, struct loop *l, const char *path)
{
    struct buf bytes = BUF_EMPTY;
    struct err e;
    if (!file_read_all(path, PENALTY_FILE_MAX, &bytes, &e)) {
        if (e.kind != ERR_NOT_FOUND)
            log_warning("auth", NULL, "failures of logins not loaded: %s", e.text);
    } else if (!penalty_decode(p, buf_str(&bytes))) {
        log_warning("auth", NULL,
                    "failures of logins damaged file=<%s>: earlier ones are not counted", path);
    }
    buf_free(&bytes);
    p->path = mem_dup(path, strlen(path));
    p->loop = l;
}

static SUSPENDS void save(struct penalties *p)
{
    struct buf bytes = BUF_EMPTY;
    struct err e;
    if (!p->loop || !p->changed)
        return;
    p->changed = false;
    penalty_encode(p, &bytes);
    if (!file_replace(p->path, buf_str(&bytes), 0600, &e))
        log_warning("auth", NULL, "failures of logins not kept: %s", e.text);
    buf_free(&bytes);
}

static void save_fiber(void *arg)
{
    struct penalties *p = arg;
    save(p);
    p->saving = false;
    cond_broadcast(&p->saved);
}

static void save_now(void *arg)
{
    struct penalties *p = arg;
    p->saving = fiber_start(p->loop, "saving penalties", save_fiber, p) != NULL;
}

void penalty_save_later(struct penalties *p)
{
    p->changed = true;
    if (p->loop && !p->stopping && !timer_is_set(&p->save_timer))
        timer_set(&p->save_timer, deadline_in(PENALTY_SAVE_INTERVAL), save_now, p);
}

SUSPENDS void penalties_stop(struct penalties *p)
{
    p->stopping = true;
    timer_clear(&p->save_timer);
    while (p->saving)
        cond_wait_certain(&p->saved);
    save(p);
}
