/*
 * What outlives a restart: who is locked out, names with more than a few failures, and the networks
 * in which accounts are known, since an account under attack depends on those. The file is replaced
 * as a whole every ten minutes and at the end; a crash loses the last minutes of it, which costs an
 * attacker nothing and gives him little. Wrong passwords are not in it, not even as hashes.
 *
 * Format (core/kept_file.h): the time of writing; entries: table (the kinds in their order, then
 * the known networks), name, level in millionths, what is left of a lock-out in microseconds.
 */
#include "auth/limits.h"
#include "auth/penalty_private.h"
#include "core/kept_file.h"
#include "core/log.h"

#define MILLIONTHS 1e6
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

static void encode(const void *arg, struct buf *out)
{
    const struct penalties *p = arg;
    buf_add_u64(out, (uint64_t)clock_wall());
    for (uint8_t k = 0; k < PENALTY_KINDS; k++)
        penalty_table_each(p->tables[k], encode_entry,
                           &(struct encoding){out, k, PENALTY_KEPT_FAILURES});
    penalty_table_each(p->known, encode_entry, &(struct encoding){out, PENALTY_KINDS, 0});
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

static bool decode(void *arg, struct str bytes)
{
    struct penalties *p = arg;
    struct reader in = {.p = bytes.p, .n = bytes.n};
    usec now = clock_wall();
    uint64_t written = read_u64(&in);
    usec passed = written < (uint64_t)now ? now - (usec)written : 0; /* it may be set back */
    while (in.n > 0)
        if (!decode_entry(p, &in, passed))
            return false;
    return !in.bad;
}

static void not_kept(const struct err *e)
{
    log_warning("auth", NULL, "failures of logins not kept: %s", e->text);
}

const struct kept_file_form penalty_file_form = {
    .magic = 0x4e50444du, /* "MDPN" */
    .version = 1,
    .size_max = PENALTY_FILE_MAX,
    .interval = PENALTY_SAVE_INTERVAL,
    .fiber = "saving penalties",
    .encode = encode,
    .decode = decode,
    .not_kept = not_kept,
};

SUSPENDS void penalties_keep(struct penalties *p, struct loop *l, const char *path)
{
    struct err e;
    if (kept_file_open(&p->file, l, path, &e))
        return;
    if (e.kind == ERR_SYNTAX)
        log_warning("auth", NULL,
                    "failures of logins damaged file=<%s>: earlier ones are not counted", path);
    else
        log_warning("auth", NULL, "failures of logins not loaded: %s", e.text);
}

SUSPENDS void penalties_stop(struct penalties *p)
{
    kept_file_close(&p->file);
}
