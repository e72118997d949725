/*
 * After a crash: the records since the last checkpoint, in order. Each says what must be so; what
 * is so already is left alone, so a record can come any number of times.
 *
 * Mailboxes are found by their GUID, under the name of the record or wherever a later rename has
 * put them. A message for a mailbox that is nowhere is kept back: if the mailbox's deletion comes
 * later, it is forgotten, else it is delivered by name at the end rather than lost.
 *
 * Mailboxes are loaded without giving UIDs to files that have none, since a record to come may know
 * their UID. When all records are through, everything is written and dropped from memory, to be
 * loaded in the ordinary way.
 *
 * The server has not opened its ports yet, so the disk is used directly.
 */
#include "store/replay.h"
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "store/expunged.h"
#include "store/folder_disk.h"
#include "store/limits.h"
#include "store/maildir_name.h"
#include "store/store_internal.h"

#include <stdlib.h>

struct deferred_record {
    struct deferred_record *next;
    uint8_t guid[GUID_SIZE];
    unsigned version;
    size_t target; /* of the delivery */
    char *payload;
    size_t length;
};

static struct folder_disk disk_of(const struct store *s, const struct store_account *a)
{
    return (struct folder_disk){
        .maildir = a->maildir, .spool_dir = s->spool_dir, .now = clock_wall(), .naming = s->naming};
}

/* --- mailboxes by GUID --- */

static struct mailbox *open_if(struct store *s, struct store_account *a, struct str name,
                               const uint8_t guid[GUID_SIZE])
{
    struct mailbox *m = mailbox_cached(s, a, name);
    struct folder_disk disk = disk_of(s, a);
    uint8_t found[GUID_SIZE];
    struct err e;

    if (m)
        return memcmp(m->c.guid, guid, GUID_SIZE) == 0 ? mailbox_ref(m) : NULL;
    if (!folder_disk_guid(&disk, name, found) || memcmp(found, guid, GUID_SIZE) != 0)
        return NULL;
    if (mailbox_get(s, a, name, &m, &e))
        return m;
    log_error("store", NULL, "replay: %s", e.text);
    return NULL;
}

struct mailbox *replay_find(struct store *s, const struct record_mailbox *r)
{
    struct store_account *a = store_account_get(s, r->home, NULL);
    struct buf names = BUF_EMPTY;

    if (!a)
        return NULL;
    struct mailbox *m = open_if(s, a, r->name, r->guid);
    if (m)
        return m;
    struct folder_disk disk = disk_of(s, a);
    folder_disk_list(&disk, &names, NULL);
    buf_add(&names, "INBOX", sizeof("INBOX"));
    for (size_t at = 0; at < names.n && !m; at += strlen(names.p + at) + 1)
        m = open_if(s, a, str_from_c(names.p + at), r->guid);
    buf_free(&names);
    return m;
}

/* --- changes of messages --- */

uint64_t replay_modseq(const struct mailbox *m, unsigned version, uint64_t modseq)
{
    return version < 2 ? m->c.modseq + 1 : modseq;
}

/* Of the UIDs, those of messages to which the record is news. */
static size_t keep_applying(struct mailbox *m, uint32_t *uids, size_t count, uint64_t modseq)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct message *message = (struct message *)mailbox_find_uid(m, uids[i]);
        if (message && replay_applies(m, message, modseq))
            uids[kept++] = uids[i];
    }
    return kept;
}

static void replay_flags(struct store *s, struct reader *r, unsigned version, struct arena *a)
{
    struct record_mailbox rm;
    size_t name_count, count;
    struct flags_record f;

    record_read_mailbox(r, &rm);
    f.change = read_u8(r);
    f.flags = read_u8(r) & MESSAGE_FLAGS_ALL;
    struct str *names = record_read_names(r, a, &name_count);
    f.modseq = version < 2 ? 0 : read_u64(r);
    uint32_t *uids = record_read_uids(r, a, &count);
    struct mailbox *m = r->bad ? NULL : replay_find(s, &rm);
    if (!m)
        return;
    f.modseq = replay_modseq(m, version, f.modseq);
    mailbox_keyword_set(m, names, name_count, f.change != FLAGS_REMOVE, &f.keywords, NULL);
    mailbox_apply_flags(m, uids, keep_applying(m, uids, count, f.modseq), &f);
    mailbox_unref(m);
}

static void replay_expunge(struct store *s, struct reader *r, unsigned version, struct arena *a)
{
    struct record_mailbox rm;
    struct expunge_record x;
    size_t count;

    record_read_mailbox(r, &rm);
    x.modseq = version < 2 ? 0 : read_u64(r);
    x.time = version < 2 ? clock_wall() / USEC_SEC : (int64_t)read_u64(r);
    uint32_t *uids = record_read_uids(r, a, &count);
    int64_t keep = r->n > 0 ? (int64_t)read_u64(r) : 0;
    x.keep = keep > 0;
    if (x.keep)
        x.time = keep;
    struct mailbox *m = r->bad ? NULL : replay_find(s, &rm);
    if (!m)
        return;
    x.modseq = replay_modseq(m, version, x.modseq);
    mailbox_apply_expunge(m, uids, count, &x);
    mailbox_unref(m);
}

/* --- deliveries to mailboxes that are nowhere --- */

void replay_defer(struct store *s, const struct record_mailbox *rm, unsigned version, size_t target,
                  struct str payload)
{
    struct deferred_record *d = MEM_NEW(struct deferred_record);

    memcpy(d->guid, rm->guid, GUID_SIZE);
    d->version = version;
    d->target = target;
    d->payload = mem_dup(payload.p, payload.n);
    d->length = payload.n;
    if (s->deferred_last)
        s->deferred_last->next = d;
    else
        s->deferred = d;
    s->deferred_last = d;
}

static void free_deferred(struct deferred_record *d)
{
    free(d->payload);
    free(d);
}

static void forget_deferred(struct store *s, const uint8_t guid[GUID_SIZE])
{
    struct deferred_record **at = &s->deferred;

    s->deferred_last = NULL;
    while (*at) {
        struct deferred_record *d = *at;
        if (memcmp(d->guid, guid, GUID_SIZE) == 0) {
            *at = d->next;
            free_deferred(d);
        } else {
            s->deferred_last = d;
            at = &d->next;
        }
    }
}

void replay_free(struct store *s)
{
    while (s->deferred) {
        struct deferred_record *d = s->deferred;
        s->deferred = d->next;
        free_deferred(d);
    }
    s->deferred_last = NULL;
    replay_group_forget(s);
}

/* --- folders --- */

static bool replay_delete(struct store *s, struct reader *r, struct err *e)
{
    struct record_mailbox rm;
    struct buf trash = BUF_EMPTY, note = BUF_EMPTY;

    record_read_mailbox(r, &rm);
    if (r->bad)
        return true;
    forget_deferred(s, rm.guid);
    struct mailbox *m = replay_find(s, &rm);
    if (!m)
        return true;
    struct folder_disk disk = disk_of(s, m->account);
    bool ok = (expunged_prepare_mailbox(m, &note) &&
               folder_disk_keep(&disk, str_from_c(m->name), rm.guid, &note)) ||
              folder_disk_take_away(&disk, str_from_c(m->name), rm.guid, &trash, e);
    if (ok) {
        mailbox_vanish(m);
        if (trash.n > 0)
            disk_remove_tree(buf_c(&trash), NULL);
    }
    mailbox_unref(m);
    buf_free(&trash);
    buf_free(&note);
    return ok;
}

static bool replay_rename_one(struct store *s, const struct record_mailbox *rm, struct str to,
                              struct err *e)
{
    struct mailbox *m = replay_find(s, rm);
    bool ok = true;

    if (!m)
        return true;
    struct folder_disk disk = disk_of(s, m->account);
    /* Under another name than the old one it was renamed already, maybe more than once. */
    if (str_equal(str_from_c(m->name), rm->name) && !folder_disk_exists(&disk, to)) {
        ok = folder_disk_rename(&disk, rm->name, to, e);
        if (ok)
            mailbox_take_name(m, to);
    }
    mailbox_unref(m);
    return ok;
}

static bool replay_rename(struct store *s, struct reader *r, struct err *e)
{
    uint32_t count = read_u32(r);
    bool ok = true;

    for (uint32_t i = 0; ok && i < count && !r->bad; i++) {
        struct record_mailbox rm;
        record_read_mailbox(r, &rm);
        struct str to = read_counted(r);
        ok = r->bad || replay_rename_one(s, &rm, to, e);
    }
    return ok;
}

/* --- the records --- */

bool replay_record(struct store *s, const struct journal_record *record, struct err *e)
{
    struct reader r = {.p = record->payload.p, .n = record->payload.n};
    struct arena *a = arena_new();
    bool ok = true;

    unsigned version = record->version;
    switch (version >= 1 && version <= RECORD_VERSION ? record->type : 0) {
    case RECORD_DELIVER:
        ok = replay_deliver(s, &r, version, a, e);
        break;
    case RECORD_FLAGS:
        replay_flags(s, &r, version, a);
        break;
    case RECORD_EXPUNGE:
        replay_expunge(s, &r, version, a);
        break;
    case RECORD_COPY:
        ok = replay_copy(s, record->lsn, &r, version, a, e);
        break;
    case RECORD_FOREIGN:
        replay_foreign(s, &r, a);
        break;
    case RECORD_DELETE:
        ok = replay_delete(s, &r, e);
        break;
    case RECORD_RENAME:
        ok = replay_rename(s, &r, e);
        break;
    case RECORD_GROUP:
        replay_group_begin(s, record->lsn, &r);
        break;
    default:
        ok = err_set(e, ERR_IO, "record %llu of the journal is of an unknown kind (%u, version %u)",
                     (unsigned long long)record->lsn, record->type, record->version);
    }
    if (ok && r.bad)
        ok = err_set(e, ERR_IO, "record %llu of the journal cannot be read",
                     (unsigned long long)record->lsn);
    arena_free(a);
    return ok;
}

bool store_replay(void *arg, const struct journal_record *record, struct err *e)
{
    struct store *s = arg;
    bool ok = true;

    return replay_group_take(s, record, &ok, e) ? ok : replay_record(s, record, e);
}

/* --- the end --- */

static bool apply_deferred(struct store *s, struct err *e)
{
    bool ok = true;

    while (ok && s->deferred) {
        struct deferred_record *d = s->deferred;
        struct reader r = {.p = d->payload, .n = d->length};
        struct arena *a = arena_new();
        ok = replay_deliver_by_name(s, &r, d->version, d->target, a, e);
        arena_free(a);
        if (!ok)
            break;
        s->deferred = d->next;
        free_deferred(d);
    }
    if (!s->deferred)
        s->deferred_last = NULL;
    return ok;
}

static struct mailbox *any_mailbox(struct store *s)
{
    for (size_t i = 0; i < s->mailbox_buckets; i++) {
        if (s->mailboxes[i])
            return s->mailboxes[i];
    }
    return NULL;
}

/* Writes every mailbox and drops it from memory. */
static bool drop_mailboxes(struct store *s, struct err *e)
{
    struct mailbox *m;

    while (s->mailbox_count > 0 && (m = any_mailbox(s))) {
        struct err error = {0};
        mailbox_ref(m);
        replay_settle(m);
        bool ok = mailbox_flush(m, FLUSH_ALL, &error);
        if (!ok && error.kind == ERR_NO_SPACE) {
            mailbox_unref(m);
            if (e)
                *e = error;
            return false;
        }
        if (!ok)
            log_error("store", NULL, "%s cannot be brought up to date: %s", m->dir, error.text);
        mailbox_unmark_dirty(m);
        mailbox_forget(m);
        mailbox_unref(m);
    }
    return true;
}

bool store_end_replay(struct store *s, struct err *e)
{
    if (!s->replaying)
        return true;
    replay_group_forget(s);
    replay_forget_copy(s);
    if (!apply_deferred(s, e) || !drop_mailboxes(s, e))
        return false;
    /* What was left in the spool directory may have been linked just now: it stays until that is
     * synced. */
    for (struct spool_file *f = s->spool_files; f; f = f->next)
        f->lsn = journal_checkpointed(s->journal) + 1;
    s->replaying = false;
    return true;
}
