/*
 * One account whose Maildir cannot be used must not keep the server from starting. When a record of
 * the journal cannot be applied because of it (a file where the directory should be, no permission,
 * blocks that cannot be read), the account is blocked: this record and all later ones of it are set
 * aside in their order, nobody gets at its mail (temporary errors, so that new mail waits
 * elsewhere), and the operator is told. At the next start they come first. So nothing that was
 * acknowledged is lost, and nothing comes between them that they do not know of.
 *
 * A full disk, or no descriptors or memory, is no fault of one account and ends the start.
 *
 * The file PATH/.set-aside is a line with its version, then per record: u32 length and u32 checksum
 * (CRC-32C) of what follows: u64 position in the journal, u8 type, u8 version, u32 target, payload.
 * It is replaced after all records are through and before a checkpoint lets go of them; what it no
 * longer holds is synced by then. After a crash in between records come from it and from the
 * journal, which is harmless: they can be applied any number of times.
 */
#include "store/set_aside.h"

#include "core/crash.h"
#include "core/crc32c.h"
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "store/limits.h"
#include "store/replay.h"

#include <fcntl.h>
#include <stdlib.h>

#define HEAD "maild set aside 1\n"

/* --- accounts that cannot be used --- */

bool replay_block(struct store_account *a, const struct err *why)
{
    if (why->kind == ERR_NO_SPACE || why->kind == ERR_TEMP)
        return false;
    if (!a->blocked)
        a->blocked = mem_dup(why->text, strlen(why->text));
    return true;
}

static bool see_nothing(void *arg, const char *name, unsigned char type)
{
    (void)arg;
    (void)name;
    (void)type;
    return false;
}

bool replay_dir_is_usable(struct store_account *a, const char *dir, bool write)
{
    struct buf path = BUF_EMPTY;
    struct err error = {0};
    int fd;

    /* The "." needs the permission to go into it. */
    buf_printf(&path, "%s/.", dir);
    bool ok = disk_list(buf_c(&path), see_nothing, NULL, &error);
    if (ok && write) {
        buf_clear(&path);
        buf_printf(&path, "%s/maild-probe.tmp", dir);
        ok = disk_open(buf_c(&path), O_WRONLY | O_CREAT | O_NOFOLLOW, 0600, &fd, &error);
        if (ok) {
            disk_close(fd);
            disk_unlink(path.p, NULL);
        }
    }
    buf_free(&path);
    /* One that is missing can be made. */
    return ok || error.kind == ERR_NOT_FOUND || !replay_block(a, &error);
}

static bool is_suspect(struct store_account *a)
{
    struct err why = {0};
    if (!crashes_accuse(a->store->crashes, SUSPECT_REPLAY, str_from_c(a->home), STR("")))
        return false;
    err_set(
        &why, ERR_IO,
        "%s: the server crashed twice at its start with changes of this account; \"mailctl store "
        "release\" and a restart try again",
        a->home);
    return replay_block(a, &why);
}

struct store_account *replay_account(struct store *s, struct str home)
{
    struct store_account *a = store_account_get(s, home, NULL);

    if (a && !a->probed) {
        a->probed = true;
        if (is_suspect(a))
            return a;
        replay_dir_is_usable(a, a->maildir, false);
    }
    return a;
}

/* --- the records --- */

static bool is_before(const struct set_aside *r, const struct journal_record *record,
                      uint32_t target)
{
    return r->record.lsn < record->lsn || (r->record.lsn == record->lsn && r->target < target);
}

/* In the journal's order; one that is there is not added again. */
void set_aside_add(struct store *s, const struct journal_record *record, uint32_t target)
{
    struct set_aside **at = &s->set_aside;

    if (s->set_aside_last && is_before(s->set_aside_last, record, target))
        at = &s->set_aside_last->next;
    while (*at && is_before(*at, record, target))
        at = &(*at)->next;
    if (*at && (*at)->record.lsn == record->lsn && (*at)->target == target)
        return;
    struct set_aside *new = MEM_NEW(struct set_aside);
    new->record = *record;
    new->record.payload =
        str_from(mem_dup(record->payload.p, record->payload.n), record->payload.n);
    new->target = target;
    new->next = *at;
    *at = new;
    if (!new->next)
        s->set_aside_last = new;
}

static void free_list(struct set_aside *list)
{
    while (list) {
        struct set_aside *next = list->next;
        free((char *)list->record.payload.p);
        free(list);
        list = next;
    }
}

void set_aside_free(struct store *s)
{
    free_list(s->set_aside);
    s->set_aside = s->set_aside_last = NULL;
}

/* --- the file --- */

static char *file_path(const struct store *s)
{
    struct buf b = BUF_EMPTY;

    buf_printf(&b, "%s/.set-aside", s->path);
    char *path = mem_dup(b.p, b.n);
    buf_free(&b);
    return path;
}

static void write_record(struct buf *b, const struct set_aside *r)
{
    struct buf body = BUF_EMPTY;

    buf_add_u64(&body, r->record.lsn);
    buf_add_u8(&body, r->record.type);
    buf_add_u8(&body, r->record.version);
    buf_add_u32(&body, r->target);
    buf_add_str(&body, r->record.payload);
    buf_add_u32(b, (uint32_t)body.n);
    buf_add_u32(b, crc32c(0, body.p, body.n));
    buf_add_str(b, buf_str(&body));
    buf_free(&body);
}

static bool read_record(struct reader *in, struct set_aside *r)
{
    uint32_t length = read_u32(in), sum = read_u32(in);

    if (in->bad || length > in->n || crc32c(0, in->p, length) != sum)
        return false;
    struct reader body = {.p = in->p, .n = length};
    in->p += length;
    in->n -= length;
    *r = (struct set_aside){.record = {.lsn = read_u64(&body), .owner = JOURNAL_STORE}};
    r->record.type = read_u8(&body);
    r->record.version = read_u8(&body);
    r->target = read_u32(&body);
    r->record.payload = str_from(body.p, body.n);
    return !body.bad;
}

/* What is behind the damage cannot be found: the file is kept for somebody to look at. */
static void keep_damaged(const char *path)
{
    struct buf to = BUF_EMPTY;
    struct err error = {0};

    buf_printf(&to, "%s.damaged-%lld", path, (long long)(clock_wall() / USEC_SEC));
    if (disk_link(path, buf_c(&to), &error) || error.kind == ERR_EXISTS)
        log_error(
            "store", NULL,
            "changes damaged file=<%s>: some that were set aside are missing; it is kept as %s",
            path, to.p);
    else
        log_error("store", NULL, "changes damaged file=<%s>: some that were set aside are missing",
                  path);
    buf_free(&to);
}

static bool apply_file(struct store *s, const char *path, struct str content, struct err *e)
{
    struct reader in = {.p = content.p, .n = content.n};
    struct set_aside r;
    bool ok = true;

    if (!str_starts_with(content, STR(HEAD))) {
        keep_damaged(path);
        return true;
    }
    in.p += strlen(HEAD);
    in.n -= strlen(HEAD);
    while (ok && in.n > 0) {
        if (!read_record(&in, &r)) {
            keep_damaged(path);
            break;
        }
        ok = replay_record_target(s, &r.record, r.target, e);
    }
    replay_forget_copy(s);
    return ok;
}

bool set_aside_apply(struct store *s, struct err *e)
{
    struct buf content = BUF_EMPTY;
    struct stat st;
    struct err error = {0};
    uint64_t bad = 0;

    if (s->set_aside_tried)
        return true;
    s->set_aside_tried = true;
    char *path = file_path(s);
    bool ok = disk_stat(path, &st, &error);
    if (!ok) {
        free(path);
        if (error.kind != ERR_NOT_FOUND && e)
            *e = error;
        return error.kind == ERR_NOT_FOUND;
    }
    s->set_aside_exists = true;
    ok = disk_read_salvage(path, SET_ASIDE_FILE_MAX, &content, &bad, e) &&
         apply_file(s, path, buf_str(&content), e);
    buf_free(&content);
    free(path);
    return ok;
}

/* --- the end --- */

static void name_account(struct store_account *a)
{
    struct buf b = BUF_EMPTY;

    buf_printf(&b,
               "the mail of %s cannot be brought up to date (%s): what is missing (changes: %zu) "
               "is set aside, and nobody gets at this mail; remove the cause and start the server "
               "again, and it is there",
               a->home, a->blocked, a->set_aside_count);
    free(a->blocked);
    a->blocked = mem_dup(b.p, b.n);
    buf_free(&b);
    log_error("store", NULL, "mail cannot be brought up to date: %s", a->blocked);
}

static void tell(struct store *s)
{
    for (const struct set_aside *r = s->set_aside; r; r = r->next) {
        struct str homes[2];
        size_t count = replay_homes(&r->record, r->target, homes);
        for (size_t i = 0; i < count; i++) {
            struct store_account *a = store_account_get(s, homes[i], NULL);
            if (a && (i == 0 || !str_equal(homes[0], homes[1])))
                a->set_aside_count++;
        }
    }
    for (size_t i = 0; i < s->account_count; i++) {
        struct store_account *a = s->account_list[i];
        if (a->blocked && a->set_aside_count > 0) {
            name_account(a);
        } else {
            free(a->blocked);
            a->blocked = NULL;
        }
    }
}

static void keep_spool_file(struct store *s, struct str name)
{
    struct spool_file *previous = NULL;

    for (struct spool_file **at = &s->spool_files, *f; (f = *at); at = &f->next) {
        if (!str_equal(str_from_c(strrchr(f->path, '/') + 1), name)) {
            previous = f;
            continue;
        }
        *at = f->next;
        if (s->spool_files_last == f)
            s->spool_files_last = previous;
        free(f->path);
        free(f);
        return;
    }
}

/* The bytes of large messages stay in the spool directory. */
static void keep_spool_files(struct store *s)
{
    for (const struct set_aside *r = s->set_aside; r; r = r->next) {
        struct str name = replay_spool_file(&r->record);
        if (name.n > 0)
            keep_spool_file(s, name);
    }
}

bool set_aside_finish(struct store *s, struct err *e)
{
    struct buf content = BUF_EMPTY;

    if (!s->set_aside && !s->set_aside_exists)
        return true;
    buf_add_c(&content, HEAD);
    for (const struct set_aside *r = s->set_aside; r; r = r->next)
        write_record(&content, r);
    char *path = file_path(s);
    /* What was applied from it is durable before it goes. */
    bool ok = !s->set_aside_exists || disk_sync_filesystem(s->path, e);
    if (ok && s->set_aside)
        ok = disk_replace_file(path, buf_str(&content), 0600, e);
    else if (ok)
        ok = disk_unlink(path, e) && disk_sync_dir(s->path, e);
    free(path);
    buf_free(&content);
    if (!ok)
        return false;
    s->set_aside_exists = s->set_aside != NULL;
    keep_spool_files(s);
    tell(s);
    set_aside_free(s);
    return true;
}

const char *store_set_aside(const struct store *s, size_t i)
{
    for (size_t k = 0; k < s->account_count; k++) {
        const struct store_account *a = s->account_list[k];
        if (a->blocked && i-- == 0)
            return a->blocked;
    }
    return NULL;
}
