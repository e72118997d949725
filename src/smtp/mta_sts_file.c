/*
 * Policies on disk: DIR/DOMAIN for each, readable text, replaced as a whole after each fetch. A
 * file that cannot be read is as if the policy had never been fetched; the next mail brings it
 * back.
 *
 *   maild mta-sts 1
 *   domain: example.org
 *   id: 20260101T000000
 *   fetched: 1767225600
 *   used: 1767225600
 *
 *   version: STSv1
 *   ...
 */
#include "core/disk.h"
#include "core/file.h"
#include "core/log.h"
#include "core/worker.h"
#include "smtp/mta_sts_internal.h"

#include <dirent.h>

#define MAGIC    "maild mta-sts 1"
#define FILE_MAX ((size_t)MTA_STS_POLICY_MAX + 1024)

void mta_sts_encode(const struct mta_sts_entry *e, struct buf *out)
{
    buf_printf(out, MAGIC "\ndomain: %.*s\nid: %.*s\nfetched: %lld\nused: %lld\n\n",
               STR_ARG(e->domain), STR_ARG(e->id), (long long)(e->fetched / USEC_SEC),
               (long long)(e->used / USEC_SEC));
    mta_sts_policy_write(out, &e->policy);
}

static bool take_line(struct str *rest, struct str name, struct str *value)
{
    *value = str_split(rest, '\n');
    if (!str_starts_with(*value, name))
        return false;
    *value = str_trim(str_skip(*value, name.n));
    return true;
}

bool mta_sts_decode(struct mta_sts *m, struct str bytes)
{
    struct str domain, id, fetched, used, empty;
    uint64_t fetched_at, used_at;
    struct mta_sts_policy policy;
    if (!str_equal(str_split(&bytes, '\n'), STR(MAGIC)) ||
        !take_line(&bytes, STR("domain: "), &domain) || !take_line(&bytes, STR("id: "), &id) ||
        !take_line(&bytes, STR("fetched: "), &fetched) ||
        !take_line(&bytes, STR("used: "), &used) || !take_line(&bytes, STR(""), &empty) ||
        !str_to_u64(fetched, &fetched_at) || !str_to_u64(used, &used_at) ||
        fetched_at > UINT32_MAX * 16ull || used_at > UINT32_MAX * 16ull || id.n > MTA_STS_ID_MAX)
        return false;
    struct arena *a = arena_new();
    const char *name = mta_sts_name(domain, a);
    struct mta_sts_entry *e = NULL;
    if (name && mta_sts_policy_parse(bytes, a, &policy, NULL))
        e = mta_sts_entry_get(m, name);
    if (!e) {
        arena_free(a);
        return false;
    }
    mta_sts_entry_set(e, a, &policy, id, (usec)fetched_at * USEC_SEC);
    e->used = (usec)used_at * USEC_SEC;
    return true;
}

static void path_of(const struct mta_sts *m, struct str name, struct buf *out)
{
    buf_printf(out, "%s/%.*s", m->dir, STR_ARG(name));
}

SUSPENDS void mta_sts_save(struct mta_sts *m, const struct mta_sts_entry *e)
{
    struct buf path = BUF_EMPTY, text = BUF_EMPTY;
    struct err error;
    path_of(m, e->domain, &path);
    mta_sts_encode(e, &text);
    if (!file_replace(buf_c(&path), buf_str(&text), 0600, &error))
        log_warning("mta-sts", NULL, "policy not kept: %s: it is known only until the next start",
                    error.text);
    buf_free(&path);
    buf_free(&text);
}

SUSPENDS void mta_sts_remove_file(struct mta_sts *m, const char *name)
{
    struct buf path = BUF_EMPTY;
    struct err e;
    path_of(m, str_from_c(name), &path);
    if (!file_unlink(buf_c(&path), &e))
        log_warning("mta-sts", NULL, "policy not removed: %s", e.text);
    buf_free(&path);
}

/* --- at the start --- */

struct loading {
    const char *dir;
    struct buf files; /* counted strings */
    size_t count;
    bool ok;
    struct err error;
};

static bool read_one(void *arg, const char *name, unsigned char type)
{
    struct loading *l = arg;
    struct buf path = BUF_EMPTY, text = BUF_EMPTY;
    (void)type;
    if (str_ends_with_nocase(str_from_c(name), STR(".tmp"))) /* of a write that was cut short */
        return true;
    buf_printf(&path, "%s/%s", l->dir, name);
    if (disk_read_file(buf_c(&path), FILE_MAX, &text, NULL)) {
        buf_add_counted(&l->files, buf_str(&text));
        l->count++;
    }
    buf_free(&path);
    buf_free(&text);
    return l->count < MTA_STS_DOMAINS_MAX;
}

static void read_all(void *arg)
{
    struct loading *l = arg;
    l->ok = disk_make_dirs(l->dir, 0700, &l->error) && disk_list(l->dir, read_one, l, &l->error);
}

SUSPENDS void mta_sts_load(struct mta_sts *m)
{
    struct loading l = {.dir = m->dir};
    worker_run(WORKER_DISK, read_all, &l);
    if (!l.ok)
        log_warning("mta-sts", NULL, "policies not loaded: %s", l.error.text);
    struct reader in = {.p = l.files.p, .n = l.files.n};
    for (size_t i = 1; in.n > 0; i++) {
        mta_sts_decode(m, read_counted(&in));
        if (i % 200 == 0)
            fiber_yield();
    }
    buf_free(&l.files);
}
