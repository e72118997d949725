/*
 * The first delivery to an account makes as little as it can: the directories of INBOX. What the
 * mailbox is - its GUID and UIDVALIDITY - is in the journal before anything refers to it
 * (RECORD_INBOXES), for many accounts with one record; so nothing need be synced, and the replay
 * makes what a crash took. The list of UIDs is written with the next flush, the special folders and
 * what else belongs to an account at its first use by its user (account.c).
 */
#include "store/inbox.h"

#include "core/disk.h"
#include "core/mem.h"
#include "core/random.h"

#include <string.h>

/* The directories above one that is missing, durable: they are made once for many. */
static bool make_parents(const char *path, size_t levels, struct err *e)
{
    struct buf parent = BUF_EMPTY;

    buf_add_c(&parent, path);
    for (size_t i = 0; i < levels; i++) {
        ptrdiff_t slash = str_find_last_char(buf_str(&parent), '/');
        if (slash > 0)
            parent.n = (size_t)slash;
    }
    bool ok = disk_make_dirs(buf_c(&parent), 0700, e);
    buf_free(&parent);
    return ok;
}

/* A directory, with its parent if that is missing. */
static bool make_with_parent(const char *path, struct err *e)
{
    struct buf parent = BUF_EMPTY;
    struct err error;

    if (disk_make_dir(path, 0700, &error))
        return true;
    ptrdiff_t slash = str_find_last_char(str_from_c(path), '/');
    bool ok = error.kind == ERR_NOT_FOUND && slash > 0;
    if (ok) {
        buf_add(&parent, path, (size_t)slash);
        ok = (disk_make_dir(buf_c(&parent), 0700, &error) ||
              (error.kind == ERR_NOT_FOUND && make_parents(path, 2, &error) &&
               disk_make_dir(parent.p, 0700, &error))) &&
             disk_make_dir(path, 0700, &error);
        buf_free(&parent);
    }
    if (!ok && e)
        *e = error;
    return ok;
}

bool inbox_make_dirs(const char *maildir, struct err *e)
{
    static const char *const names[] = {"cur", "new", "tmp"};
    struct buf path = BUF_EMPTY;

    bool ok = make_with_parent(maildir, e);
    for (size_t i = 0; ok && i < sizeof names / sizeof names[0]; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s", maildir, names[i]);
        ok = disk_make_dir(buf_c(&path), 0700, e);
    }
    buf_free(&path);
    return ok;
}

struct inbox_identity inbox_new_identity(usec now)
{
    struct inbox_identity id = {.validity = (uint32_t)(now / USEC_SEC)};

    random_bytes(id.guid, GUID_SIZE);
    return id;
}

struct mailbox_content inbox_content(const struct inbox_identity *id, usec now)
{
    struct mailbox_content c = {.uid_validity = id->validity,
                                .uid_next = 1,
                                .recent_from = 1,
                                .modseq = modseq_floor(now),
                                .list_missing = true,
                                .dirty_from = UINT32_MAX,
                                .index_from = UINT32_MAX};

    memcpy(c.guid, id->guid, GUID_SIZE);
    c.expunged.floor = c.modseq;
    mailbox_content_count(&c);
    return c;
}
