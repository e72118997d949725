/*
 * Replaying deliveries: the message must be in the mailbox under its UID, and its file
 * must hold what the record says.
 *
 * A file that is there is compared with the record and written again in place (the same inode, so
 * other links to it are right as well) if it differs: after a power cut it may have its size, but
 * not its bytes. A file that is not there is written, or linked to the one of another recipient.
 *
 * The file of a large message can be gone only by somebody else's hand or by a damaged file system.
 * Then the message is lost, which is said, and no reason to refuse all others a start.
 */
#include "core/crash.h"
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "store/folder_disk.h"
#include "store/limits.h"
#include "store/link_file.h"
#include "store/maildir_name.h"
#include "store/replay.h"
#include "store/set_aside.h"

#include <fcntl.h>

struct message_file *replay_take_unknown(struct mailbox *m, struct str base)
{
    ptrdiff_t at = name_table_find(&m->c.unknown_names, base);

    if (at < 0 || m->c.unknown[at].taken)
        return NULL;
    m->c.unknown[at].taken = true;
    return m->c.unknown[at].file;
}

void replay_add_message(struct mailbox *m, struct message *message)
{
    if (message->uid <= m->c.list_last)
        m->c.list_rewrite = true;
    if (((struct message_file *)message->file)->place == FILE_NEW &&
        message->uid < m->c.recent_from)
        m->c.recent_from = message->uid;
    mailbox_reach_modseq(m, message->modseq);
    mailbox_add_message(m, message);
    mailbox_mark_dirty(m);
}

/* --- the record of a delivery --- */

struct delivery_target {
    struct record_mailbox mailbox;
    uint32_t uid;
    uint64_t modseq;
};

struct delivery_record {
    struct delivery_target *targets;
    size_t count;
    struct str base;
    uint8_t flags;
    struct str *keywords;
    size_t keyword_count;
    unsigned version;
    int64_t date, save_date;
    uint64_t size, size_crlf;
    struct str file;  /* in the spool directory; or empty: */
    struct str bytes; /* the message */
    struct buf have;  /* path of a file that is right */
};

static void read_delivery(struct reader *r, unsigned version, struct arena *a,
                          struct delivery_record *d)
{
    *d = (struct delivery_record){.version = version};
    d->count = read_u32(r);
    if (d->count > r->n)
        r->bad = true;
    d->targets = arena_array(a, r->bad ? 0 : d->count, sizeof(*d->targets));
    for (size_t i = 0; i < d->count && !r->bad; i++) {
        record_read_mailbox(r, &d->targets[i].mailbox);
        d->targets[i].uid = read_u32(r);
        d->targets[i].modseq = version < 2 ? 0 : read_u64(r);
    }
    d->base = read_counted(r);
    d->flags = read_u8(r) & MESSAGE_FLAGS_ALL;
    d->keywords = record_read_names(r, a, &d->keyword_count);
    d->date = (int64_t)read_u64(r);
    d->save_date = version < 2 ? d->date : (int64_t)read_u64(r);
    d->size = read_u64(r);
    d->size_crlf = read_u64(r);
    d->file = read_counted(r);
    d->bytes = str_from(r->p, r->n);
    if (d->file.n == 0 && d->bytes.n != d->size)
        r->bad = true;
    /* A name of ours: no path. */
    if (d->base.n == 0 || d->base.n > BASE_NAME_MAX || memchr(d->base.p, '/', d->base.n) ||
        (d->file.n > 0 && memchr(d->file.p, '/', d->file.n)))
        r->bad = true;
}

/* --- the file of a delivery --- */

static bool holds_bytes(const char *path, struct str bytes)
{
    struct buf content = BUF_EMPTY;

    bool ok = disk_read_file(path, bytes.n, &content, NULL) && str_equal(buf_str(&content), bytes);
    buf_free(&content);
    return ok;
}

static bool write_bytes(const char *path, const struct delivery_record *d, struct err *e)
{
    int fd;

    if (!disk_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, &fd, e))
        return false;
    bool ok = disk_write(fd, d->bytes.p, d->bytes.n, path, e);
    disk_close(fd);
    return ok && disk_set_times(path, d->date * USEC_SEC, e);
}

bool replay_has_size(const char *path, uint64_t size)
{
    struct stat st;
    return disk_stat(path, &st, NULL) && (uint64_t)st.st_size == size;
}

/* The file is at path, whatever was there. */
static bool make_right(struct store *s, struct delivery_record *d, const char *path, bool exists,
                       struct err *e)
{
    struct buf from = BUF_EMPTY;
    struct stat st;
    bool ok;

    if (d->file.n == 0) {
        if (exists && holds_bytes(path, d->bytes))
            return true;
        if (!exists && d->have.n > 0 && file_link_or_copy(buf_c(&d->have), path, NULL))
            return true;
        return write_bytes(path, d, e);
    }
    if (exists && replay_has_size(path, d->size))
        return true;
    if (d->have.n > 0)
        buf_add_str(&from, buf_str(&d->have));
    else
        buf_printf(&from, "%s/%.*s", s->spool_dir, STR_ARG(d->file));
    /* What is at path goes only for something better. */
    ok = disk_stat(buf_c(&from), &st, e) && disk_unlink(path, e) &&
         file_link_or_copy(from.p, path, e);
    buf_free(&from);
    return ok;
}

/* A new file, by way of tmp/. Keywords get their letters when their names are on disk. */
static struct message_file *make_file(struct store *s, struct delivery_record *d, struct mailbox *m,
                                      bool plain, struct err *e)
{
    struct buf name = BUF_EMPTY, tmp = BUF_EMPTY, path = BUF_EMPTY;

    buf_add_str(&name, d->base);
    if (!plain)
        maildir_info_merge(&name, STR(""), d->flags, 0);
    struct message_file *f =
        message_file_new(&m->c.files, plain ? FILE_NEW : FILE_CUR, buf_str(&name), STR(""));
    buf_printf(&tmp, "%s/tmp/%.*s", m->dir, STR_ARG(d->base));
    bool ok = make_right(s, d, buf_c(&tmp), false, e) &&
              disk_rename(tmp.p, message_file_path(&path, m->dir, f), e);
    buf_free(&name);
    buf_free(&tmp);
    buf_free(&path);
    return ok ? f : NULL;
}

static void remember_path(struct delivery_record *d, const struct mailbox *m,
                          const struct message_file *f)
{
    if (d->have.n == 0)
        message_file_path(&d->have, m->dir, f);
}

/* A file that was being written when the crash came. */
static void remove_tmp(const struct mailbox *m, struct str base)
{
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/tmp/%.*s", m->dir, STR_ARG(base));
    disk_unlink(buf_c(&path), NULL);
    buf_free(&path);
}

static const struct message *find_base(const struct mailbox *m, struct str base)
{
    for (size_t i = 0; i < m->c.count; i++) {
        if (str_equal(message_file_base(m->c.messages[i].file), base))
            return &m->c.messages[i];
    }
    return NULL;
}

/* The message is there: is its file right? Its name may tell flags of later, or not yet those that
 * the message came with; the records that say what came later will follow. */
static bool check_present(struct store *s, struct delivery_record *d, struct mailbox *m,
                          struct message *message, uint64_t modseq, struct err *e)
{
    struct buf path = BUF_EMPTY;
    uint32_t keywords;

    bool ok = make_right(s, d, message_file_path(&path, m->dir, message->file), true, e);
    buf_free(&path);
    if (!ok)
        return false;
    remember_path(d, m, message->file);
    message->state &= (uint8_t)~STATE_MISSING;
    modseq = replay_modseq(m, d->version, modseq);
    if (!replay_applies(m, message, modseq))
        return true;
    mailbox_keyword_set(m, d->keywords, d->keyword_count, true, &keywords, NULL);
    mailbox_set_flags(m, message, d->flags, keywords, modseq);
    if (message->modseq < modseq)
        message->modseq = modseq;
    message->internal_date = d->date;
    message->save_date = d->save_date;
    mailbox_reach_modseq(m, modseq);
    mailbox_mark_index(m, message);
    return true;
}

static bool add_delivered(struct store *s, struct delivery_record *d, struct mailbox *m,
                          uint32_t uid, uint64_t modseq, struct err *e)
{
    struct message_file *f = replay_take_unknown(m, d->base);
    struct message message = {.uid = uid,
                              .flags = d->flags,
                              .modseq = replay_modseq(m, d->version, modseq),
                              .size = d->size,
                              .size_crlf = d->size_crlf,
                              .internal_date = d->date,
                              .save_date = d->save_date};
    struct buf path = BUF_EMPTY;
    bool ok = true;

    mailbox_keyword_set(m, d->keywords, d->keyword_count, true, &message.keywords, NULL);
    uint32_t letters = keyword_set_letters(&m->c.keywords, message.keywords);
    /* What the file's name says may be of later; the records that say so will come. */
    if (f)
        ok = make_right(s, d, message_file_path(&path, m->dir, f), true, e);
    else
        f = make_file(s, d, m, d->flags == 0 && letters == 0, e);
    buf_free(&path);
    if (!ok || !f)
        return false;
    message.file = f;
    replay_add_message(m, &message);
    if (f->flags != message.flags || f->keywords != letters)
        mailbox_mark_message(m, (struct message *)mailbox_find_uid(m, uid));
    remember_path(d, m, f);
    return true;
}

static bool file_is_lost(const struct store *s, const struct delivery_record *d)
{
    struct buf path = BUF_EMPTY;
    struct stat st;
    struct err error = {0};

    if (d->file.n == 0 || d->have.n > 0)
        return false;
    buf_printf(&path, "%s/%.*s", s->spool_dir, STR_ARG(d->file));
    bool found = disk_stat(buf_c(&path), &st, &error);
    buf_free(&path);
    return !found && error.kind == ERR_NOT_FOUND;
}

/* Its UID was given away. */
static void give_up_message(const struct delivery_record *d, struct mailbox *m, uint32_t uid)
{
    log_error("store", NULL, "message lost home=<%s> mailbox=<%s> uid=%u: its file %.*s is missing",
              m->account->home, m->name, uid, STR_ARG(d->file));
    if (m->c.uid_next <= uid)
        m->c.uid_next = uid + 1;
    if (m->uid_reserved < m->c.uid_next)
        m->uid_reserved = m->c.uid_next;
    mailbox_mark_dirty(m);
}

/* The message was expunged, but its file is there still or again. */
static void remove_left(struct mailbox *m, struct str base)
{
    struct message_file *f = replay_take_unknown(m, base);

    remove_tmp(m, base);
    if (f)
        mailbox_add_leaving(m, &(struct leaving_file){.file = f});
}

static bool deliver_to(struct store *s, struct delivery_record *d, struct mailbox *m,
                       const struct delivery_target *t, struct err *e)
{
    uint32_t uid = t->uid;
    struct message *message = (struct message *)mailbox_find_uid(m, uid);

    if (message && !str_equal(message_file_base(message->file), d->base)) {
        /* The list was lost and made anew by somebody else. */
        message = (struct message *)find_base(m, d->base);
        uid = m->c.uid_next;
    }
    if (!message && replay_was_expunged(m, d->version, t->modseq)) {
        remove_left(m, d->base);
        return true;
    }
    bool ok = message ? check_present(s, d, m, message, t->modseq, e)
                      : add_delivered(s, d, m, uid, t->modseq, e);
    if (ok) {
        remove_tmp(m, d->base);
    } else if (file_is_lost(s, d)) {
        give_up_message(d, m, uid);
        ok = true;
    }
    return ok;
}

/* One target: into its mailbox, kept back for the end, or set aside. */
static bool deliver_or_set_aside(struct store *s, const struct journal_record *record,
                                 struct delivery_record *d, size_t target, struct err *e)
{
    const struct delivery_target *t = &d->targets[target];
    struct store_account *a = replay_account(s, t->mailbox.home);
    struct mailbox *m = replay_find(s, &t->mailbox);
    struct err error = {0};
    bool ok = true;

    if (m) {
        struct suspect suspect;
        suspect_begin(&suspect, SUSPECT_REPLAY, t->mailbox.home, STR(""));
        ok = deliver_to(s, d, m, t, &error) || replay_block(a, &error);
        suspect_end(&suspect);
        mailbox_unref(m);
    } else if (s->replay_error.kind != ERR_NONE) {
        error = s->replay_error;
        ok = false;
    } else if (!a || !a->blocked) {
        replay_defer(s, &t->mailbox, record, target);
    }
    if (ok && a && a->blocked)
        set_aside_add(s, record, (uint32_t)target);
    if (!ok && e)
        *e = error;
    return ok;
}

bool replay_deliver(struct store *s, const struct journal_record *record, uint32_t only,
                    struct reader *r, struct arena *a, struct err *e)
{
    struct delivery_record d;
    bool ok = true;

    read_delivery(r, record->version, a, &d);
    for (size_t i = 0; i < d.count && ok && !r->bad; i++) {
        if (only == SET_ASIDE_WHOLE || only == i)
            ok = deliver_or_set_aside(s, record, &d, i, e);
    }
    buf_free(&d.have);
    return ok;
}

/* Another mailbox of that name knows nothing of the record's UID and modseq. */
static struct delivery_target target_in(struct mailbox *m, const struct delivery_record *d,
                                        size_t target)
{
    struct delivery_target t = d->targets[target];

    if (memcmp(m->c.guid, t.mailbox.guid, GUID_SIZE) != 0) {
        const struct message *present = find_base(m, d->base);
        t.uid = present ? present->uid : m->c.uid_next;
        t.modseq = present ? present->modseq : m->c.modseq + 1;
    }
    return t;
}

static bool deliver_by_name(struct store *s, struct store_account *a, struct delivery_record *d,
                            size_t target, struct err *e)
{
    const struct record_mailbox *rm = &d->targets[target].mailbox;
    struct folder_disk disk = folder_disk_of(a);
    struct mailbox *m;

    if (!store_account_make(s, a, e) ||
        (!folder_disk_create(&disk, rm->name, rm->guid, e) && e->kind != ERR_EXISTS) ||
        !mailbox_get(s, a, rm->name, &m, e))
        return false;
    log_warning("store", NULL,
                "mailbox lost home=<%s> mailbox=<%.*s>: a message for it is delivered by name",
                a->home, STR_ARG(rm->name));
    struct delivery_target t = target_in(m, d, target);
    bool ok = deliver_to(s, d, m, &t, e);
    mailbox_unref(m);
    return ok;
}

bool replay_deliver_by_name(struct store *s, const struct journal_record *record, size_t target,
                            struct arena *arena, struct err *e)
{
    struct reader r = {.p = record->payload.p, .n = record->payload.n};
    struct delivery_record d;
    struct err error = {0};

    read_delivery(&r, record->version, arena, &d);
    struct store_account *a = store_account_get(s, d.targets[target].mailbox.home, e);
    if (!a)
        return false;
    bool ok = !a->blocked && deliver_by_name(s, a, &d, target, &error);
    if (!ok && (a->blocked || replay_block(a, &error))) {
        set_aside_add(s, record, (uint32_t)target);
        ok = true;
    }
    if (!ok && e)
        *e = error;
    buf_free(&d.have);
    return ok;
}

/* --- what a record holds, for those who keep it --- */

struct str replay_spool_file(const struct journal_record *record)
{
    struct reader r = {.p = record->payload.p, .n = record->payload.n};
    struct delivery_record d = {0};

    if (record->type != RECORD_DELIVER)
        return STR("");
    struct arena *a = arena_new();
    read_delivery(&r, record->version, a, &d);
    arena_free(a);
    return r.bad ? STR("") : d.file;
}

bool replay_delivery_home(const struct journal_record *record, uint32_t target, struct str *home)
{
    struct reader r = {.p = record->payload.p, .n = record->payload.n};
    struct delivery_record d;

    struct arena *a = arena_new();
    read_delivery(&r, record->version, a, &d);
    bool found = !r.bad && target < d.count;
    if (found)
        *home = d.targets[target].mailbox.home;
    arena_free(a);
    return found;
}
