/*
 * INBOX of accounts that were made for deliveries: whatever a crash has taken of it is made again,
 * as the same mailbox. Where there is a list of UIDs by now, it is somebody's, and stays.
 */
#include "core/disk.h"
#include "store/folder_disk.h"
#include "store/inbox.h"
#include "store/limits.h"
#include "store/replay.h"
#include "store/set_aside.h"

/* One list that is there, but has lost its bytes with the power, is none. */
static bool has_list(const struct store_account *a)
{
    struct buf path = BUF_EMPTY, content = BUF_EMPTY;
    struct uidlist_header h;

    buf_printf(&path, "%s/dovecot-uidlist", a->maildir);
    bool read = disk_read_file(buf_c(&path), UIDLIST_SIZE_MAX, &content, NULL);
    struct str text = buf_str(&content);
    bool has = read && uidlist_read_header(&text, &h);
    if (!has)
        disk_unlink(path.p, NULL);
    buf_free(&path);
    buf_free(&content);
    return has;
}

static bool make(const struct store_account *a, const struct inbox_identity *id, struct err *e)
{
    struct uidlist_header h = {.validity = id->validity, .next = 1};
    struct folder_disk disk = folder_disk_of(a);
    bool marked;

    if (!folder_disk_check_owner(&disk, &marked, e) || !inbox_make_dirs(a->maildir, e))
        return false;
    memcpy(h.guid, id->guid, GUID_SIZE);
    return has_list(a) || uidlist_file_create(a->maildir, &h, NULL, 0, e);
}

static bool make_or_set_aside(struct store *s, const struct journal_record *record, uint32_t target,
                              struct str home, const struct inbox_identity *id, struct err *e)
{
    struct store_account *a = replay_account(s, home);
    struct err error = {0};

    if (!a)
        return true;
    bool ok = a->blocked || make(a, id, &error) || replay_block(a, &error);
    if (a->blocked)
        set_aside_add(s, record, target);
    if (!ok && e)
        *e = error;
    return ok;
}

static struct str read_inbox(struct reader *r, struct inbox_identity *id)
{
    struct str home = read_counted(r);

    record_read_guid(r, id->guid);
    id->validity = read_u32(r);
    return home;
}

bool replay_inboxes(struct store *s, const struct journal_record *record, uint32_t only,
                    struct reader *r, struct err *e)
{
    uint32_t count = read_u32(r);
    bool ok = true;

    for (uint32_t i = 0; ok && i < count && !r->bad; i++) {
        struct inbox_identity id;
        struct str home = read_inbox(r, &id);
        if (!r->bad && (only == SET_ASIDE_WHOLE || only == i))
            ok = make_or_set_aside(s, record, i, home, &id, e);
    }
    return ok;
}

bool replay_inbox_home(const struct journal_record *record, uint32_t target, struct str *home)
{
    struct reader r = {.p = record->payload.p, .n = record->payload.n};
    struct inbox_identity id;
    uint32_t count = read_u32(&r);

    for (uint32_t i = 0; i <= target && i < count && !r.bad; i++)
        *home = read_inbox(&r, &id);
    return target < count && !r.bad;
}
