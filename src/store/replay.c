/*
 * After a crash: the records since the last checkpoint, in order. Each says what must be so; what
 * is so already is left alone, so a record can come any number of times.
 *
 * Mailboxes are found by their GUID, under the name of the record or wherever a later rename has
 * put them. A message for a mailbox that is nowhere is kept back: if the mailbox's deletion comes
 * later, it is forgotten, else it is delivered by name at the end rather than lost. Records of an
 * account that cannot be used are set aside (set_aside.c).
 *
 * Mailboxes are loaded without giving UIDs to files that have none, since a record to come may know
 * their UID. When all records are through, everything is written and dropped from memory, to be
 * loaded in the ordinary way.
 *
 * The server has not opened its ports yet, so the disk is used directly.
 */
#include "store/replay.h"
#include "core/crash.h"
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "store/expunged.h"
#include "store/folder_disk.h"
#include "store/set_aside.h"

#include <stdlib.h>

struct deferred_record {
    struct deferred_record *next;
    uint8_t guid[GUID_SIZE];
    struct journal_record record; /* with its own payload */
    size_t target;                /* of the delivery */
};

/* --- mailboxes by GUID --- */

static struct mailbox *open_if(struct store *s, struct store_account *a, struct str name,
                               const uint8_t guid[GUID_SIZE])
{
    struct mailbox *m = mailbox_cached(s, a, name);
    struct folder_disk disk = folder_disk_of(a);
    uint8_t found[GUID_SIZE];
    struct err e;

    if (m)
        return memcmp(m->c.guid, guid, GUID_SIZE) == 0 ? mailbox_ref(m) : NULL;
    if (!folder_disk_guid(&disk, name, found) || memcmp(found, guid, GUID_SIZE) != 0)
        return NULL;
    char *dir = mailbox_dir_path(a, name);
    bool usable = replay_dir_is_usable(a, dir, true);
    free(dir);
    if (!usable)
        return NULL;
    if (mailbox_get(s, a, name, &m, &e))
        return m;
    if (!replay_block(a, &e))
        s->replay_error = e;
    return NULL;
}

struct mailbox *replay_find(struct store *s, const struct record_mailbox *r)
{
    struct store_account *a = replay_account(s, r->home);
    struct buf names = BUF_EMPTY;

    if (!a || a->blocked)
        return NULL;
    struct mailbox *m = open_if(s, a, r->name, r->guid);
    if (m || a->blocked)
        return m;
    char *dir = mailbox_dir_path(a, r->name);
    bool usable = replay_dir_is_usable(a, dir, false);
    free(dir);
    if (!usable)
        return NULL;
    struct folder_disk disk = folder_disk_of(a);
    folder_disk_list(&disk, &names, NULL);
    buf_add(&names, "INBOX", sizeof("INBOX"));
    for (size_t at = 0; at < names.n && !m && !a->blocked; at += strlen(names.p + at) + 1)
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

void replay_defer(struct store *s, const struct record_mailbox *rm,
                  const struct journal_record *record, size_t target)
{
    struct deferred_record *d = MEM_NEW(struct deferred_record);
    struct str payload = record->payload;

    memcpy(d->guid, rm->guid, GUID_SIZE);
    d->record = *record;
    d->record.payload = str_from(mem_dup(payload.p, payload.n), payload.n);
    d->target = target;
    if (s->deferred_last)
        s->deferred_last->next = d;
    else
        s->deferred = d;
    s->deferred_last = d;
}

static void free_deferred(struct deferred_record *d)
{
    free((char *)d->record.payload.p);
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
    set_aside_free(s);
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
    struct folder_disk disk = folder_disk_of(m->account);
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
    struct folder_disk disk = folder_disk_of(m->account);
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

size_t replay_homes(const struct journal_record *record, uint32_t target, struct str homes[2])
{
    struct reader r = {.p = record->payload.p, .n = record->payload.n};
    struct record_mailbox rm = {0};
    size_t count = record->type == RECORD_COPY ? 2 : 1;

    if (record->type == RECORD_DELIVER)
        return replay_delivery_home(record, target, &homes[0]) ? 1 : 0;
    if (record->type == RECORD_INBOXES)
        return replay_inbox_home(record, target, &homes[0]) ? 1 : 0;
    if (record->type == RECORD_GROUP || (record->type == RECORD_RENAME && read_u32(&r) == 0))
        return 0;
    for (size_t i = 0; i < count; i++) {
        record_read_mailbox(&r, &rm);
        homes[i] = rm.home;
    }
    return r.bad ? 0 : count;
}

/* Is one of the record's accounts blocked? The other is as well, then: its later records build on
 * this one. */
static bool is_blocked(struct store_account *const *accounts, size_t count)
{
    const char *blocked = NULL;

    for (size_t i = 0; i < count && !blocked; i++)
        blocked = accounts[i] ? accounts[i]->blocked : NULL;
    for (size_t i = 0; i < count && blocked; i++) {
        if (accounts[i] && !accounts[i]->blocked)
            accounts[i]->blocked = mem_dup(blocked, strlen(blocked));
    }
    return blocked != NULL;
}

static bool apply_record(struct store *s, const struct journal_record *record, struct reader *r,
                         struct arena *a, struct err *e)
{
    unsigned version = record->version;

    switch (record->type) {
    case RECORD_FLAGS:
        replay_flags(s, r, version, a);
        return true;
    case RECORD_EXPUNGE:
        replay_expunge(s, r, version, a);
        return true;
    case RECORD_COPY:
        return replay_copy(s, record->lsn, r, version, a, e);
    case RECORD_FOREIGN:
        replay_foreign(s, r, a);
        return true;
    case RECORD_DELETE:
        return replay_delete(s, r, e);
    case RECORD_RENAME:
        return replay_rename(s, r, e);
    default:
        replay_group_begin(s, record->lsn, r);
        return true;
    }
}

/* All but deliveries: applied to all its accounts or set aside. */
static bool apply_or_set_aside(struct store *s, const struct journal_record *record,
                               struct reader *r, struct arena *a, struct err *e)
{
    struct store_account *accounts[2] = {NULL};
    struct str homes[2];
    struct err error = {0};
    size_t count = replay_homes(record, SET_ASIDE_WHOLE, homes);

    for (size_t i = 0; i < count; i++)
        accounts[i] = replay_account(s, homes[i]);
    if (is_blocked(accounts, count)) {
        set_aside_add(s, record, SET_ASIDE_WHOLE);
        return true;
    }
    struct suspect suspect;
    suspect_begin(&suspect, SUSPECT_REPLAY, count > 0 ? homes[0] : STR(""), STR(""));
    bool ok = apply_record(s, record, r, a, &error) ||
              (count > 0 && accounts[0] && replay_block(accounts[0], &error));
    suspect_end(&suspect);
    if (ok && s->replay_error.kind != ERR_NONE) {
        error = s->replay_error;
        ok = false;
    }
    if (!ok) {
        if (e)
            *e = error;
        return false;
    }
    if (!r->bad && is_blocked(accounts, count))
        set_aside_add(s, record, SET_ASIDE_WHOLE);
    return true;
}

bool replay_record_target(struct store *s, const struct journal_record *record, uint32_t target,
                          struct err *e)
{
    struct reader r = {.p = record->payload.p, .n = record->payload.n};
    bool ok;

    if (record->version < 1 || record->version > RECORD_VERSION || record->type < RECORD_DELIVER ||
        record->type > RECORD_INBOXES)
        return err_set(e, ERR_IO,
                       "record %llu of the journal is of an unknown kind (%u, version %u)",
                       (unsigned long long)record->lsn, record->type, record->version);
    struct arena *a = arena_new();
    if (record->type == RECORD_DELIVER)
        ok = replay_deliver(s, record, target, &r, a, e);
    else if (record->type == RECORD_INBOXES)
        ok = replay_inboxes(s, record, target, &r, e);
    else
        ok = apply_or_set_aside(s, record, &r, a, e);
    if (ok && r.bad)
        ok = err_set(e, ERR_IO, "record %llu of the journal cannot be read",
                     (unsigned long long)record->lsn);
    arena_free(a);
    return ok;
}

bool replay_record(struct store *s, const struct journal_record *record, struct err *e)
{
    return replay_record_target(s, record, SET_ASIDE_WHOLE, e);
}

bool store_replay(void *arg, const struct journal_record *record, struct err *e)
{
    struct store *s = arg;
    bool ok = true;

    if (!set_aside_apply(s, e))
        return false;
    return replay_group_take(s, record, &ok, e) ? ok : replay_record(s, record, e);
}

/* --- the end --- */

static bool apply_deferred(struct store *s, struct err *e)
{
    bool ok = true;

    while (ok && s->deferred) {
        struct deferred_record *d = s->deferred;
        struct arena *a = arena_new();
        ok = replay_deliver_by_name(s, &d->record, d->target, a, e);
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
            log_error("store", NULL, "mailbox cannot be brought up to date dir=<%s> reason=\"%s\"",
                      m->dir, error.text);
        mailbox_unmark_dirty(m);
        mailbox_forget(m);
        mailbox_unpin(m);
        mailbox_unref(m);
    }
    return true;
}

bool store_end_replay(struct store *s, struct err *e)
{
    if (!s->replaying)
        return true;
    if (!set_aside_apply(s, e))
        return false;
    replay_group_forget(s);
    replay_forget_copy(s);
    if (!apply_deferred(s, e) || !drop_mailboxes(s, e) || !set_aside_finish(s, e))
        return false;
    /* What was left in the spool directory may have been linked just now: it stays until that is
     * synced. */
    for (struct spool_file *f = s->spool_files; f; f = f->next)
        f->lsn = journal_checkpointed(s->journal) + 1;
    s->replaying = false;
    return true;
}

bool store_start(struct store *s, struct err *e)
{
    return store_end_replay(s, e);
}
