/*
 * Each record stands for itself, so a merge of many messages is several records, any number of
 * which may have become durable.
 *
 * Replay finds the files as they are on disk, with their flags: it gives new files the UIDs that
 * were told, and merges flags again, since a record of a client's change may have come before. A
 * message that is said to be gone, but whose file is there, was put back: it stays.
 */
#include "store/foreign_record.h"

#include "core/mem.h"
#include "store/limits.h"
#include "store/replay.h"
#include "store/uid_list.h"

#include <stdlib.h>

void foreign_changes_free(struct foreign_changes *f)
{
    free(f->renamed);
    free(f->changed);
    free(f->added);
    free(f->gone);
}

/* --- records --- */

static void add_changed(struct buf *b, const struct foreign_changed *c)
{
    buf_add_u32(b, c->uid);
    buf_add_u8(b, c->flags_added);
    buf_add_u32(b, c->letters_added);
    buf_add_u8(b, c->flags_removed);
    buf_add_u32(b, c->letters_removed);
}

static void add_added(struct buf *b, const struct foreign_added *a)
{
    buf_add_u32(b, a->uid);
    buf_add_u8(b, a->flags);
    buf_add_u32(b, a->letters);
    buf_add_u64(b, a->size);
    buf_add_u64(b, a->size_crlf);
    buf_add_counted(b, a->base);
}

/* A part of the changes, from `at` on as if they stood behind each other. */
static void build_record(struct mailbox *m, const struct foreign_changes *f, size_t at)
{
    struct buf *b = &m->store->record;
    size_t room = FOREIGN_RECORD_MAX;
    size_t counts[3] = {f->changed_count, f->added_count, f->gone_count}, from[3];

    for (int i = 0; i < 3; i++) {
        from[i] = at < counts[i] ? at : counts[i];
        at -= from[i];
        counts[i] -= from[i];
        if (counts[i] > room)
            counts[i] = room;
        room -= counts[i];
    }
    buf_clear(b);
    record_add_mailbox(b, str_from_c(m->account->home), str_from_c(m->name), m->c.guid);
    buf_add_u64(b, f->modseq);
    buf_add_u64(b, (uint64_t)f->time);
    buf_add_u32(b, KEYWORD_LETTERS);
    for (size_t i = 0; i < KEYWORD_LETTERS; i++)
        buf_add_counted(b, f->names[i]);
    buf_add_u32(b, (uint32_t)counts[0]);
    for (size_t i = 0; i < counts[0]; i++)
        add_changed(b, &f->changed[from[0] + i]);
    buf_add_u32(b, (uint32_t)counts[1]);
    for (size_t i = 0; i < counts[1]; i++)
        add_added(b, &f->added[from[1] + i]);
    record_add_uids(b, counts[2] > 0 ? f->gone + from[2] : NULL, counts[2]);
}

void foreign_records_append(struct mailbox *m, struct foreign_changes *f)
{
    struct store *s = m->store;
    f->modseq = mailbox_reserve_modseq(m);
    size_t all = f->changed_count + f->added_count + f->gone_count, at = 0;

    if (f->gone_count > 1)
        qsort(f->gone, f->gone_count, sizeof(*f->gone), uid_compare);
    for (; all - at > FOREIGN_RECORD_MAX; at += FOREIGN_RECORD_MAX) {
        build_record(m, f, at);
        struct str part = buf_str(&s->record);
        journal_append(s->journal, JOURNAL_STORE, RECORD_FOREIGN, RECORD_VERSION, &part, 1);
    }
    build_record(m, f, at);
}

/* --- applying --- */

/* The set of the keywords that letters stand for. */
static uint32_t set_of(struct mailbox *m, const struct str *names, size_t count, uint32_t letters)
{
    struct str used[KEYWORD_LETTERS];
    size_t n = 0;
    uint32_t set;

    for (size_t i = 0; i < count && i < KEYWORD_LETTERS; i++) {
        if (letters & 1u << i)
            used[n++] = names[i];
    }
    return mailbox_keyword_set(m, used, n, true, &set, NULL) ? set : 0;
}

static void change_flags(struct mailbox *m, const struct foreign_changed *c,
                         const struct str *names, size_t count, uint64_t modseq)
{
    struct message *message = (struct message *)mailbox_find_uid(m, c->uid);
    struct keyword_table *k = &m->c.keywords;

    if (!message)
        return;
    uint32_t set = message->keywords;
    if (c->letters_added)
        keyword_set_change(k, set, FLAGS_ADD, set_of(m, names, count, c->letters_added), &set);
    if (c->letters_removed)
        keyword_set_change(k, set, FLAGS_REMOVE, set_of(m, names, count, c->letters_removed), &set);
    mailbox_set_flags(m, message, (message->flags | c->flags_added) & (uint8_t)~c->flags_removed,
                      set, modseq);
}

/* Their files are gone: nothing is left to remove. */
static void remove_gone(struct mailbox *m, const struct foreign_changes *f)
{
    const uint32_t *uids = f->gone;
    size_t from = f->gone_count > 0 ? mailbox_content_find(&m->c, uids[0]) : m->c.count;
    size_t to = from, next = 0, count = 0;
    uint32_t *removed = mem_array(f->gone_count, sizeof(*removed));

    for (size_t i = from; i < m->c.count; i++) {
        while (next < f->gone_count && uids[next] < m->c.messages[i].uid)
            next++;
        if (next < f->gone_count && uids[next] == m->c.messages[i].uid) {
            removed[count++] = uids[next];
            mailbox_uncount(m, &m->c.messages[i]);
        } else {
            m->c.messages[to++] = m->c.messages[i];
        }
    }
    m->c.count = to;
    expunge_history_add(&m->c.expunged, f->modseq, (uint32_t)f->time, removed, count);
    free(removed);
}

bool foreign_is_named(const struct mailbox *m, const struct message *message)
{
    const struct message_file *file = message->file;
    return file->flags == message->flags &&
           file->keywords == keyword_set_letters(&m->c.keywords, message->keywords);
}

/* Puts it into the mailbox; marks it if its file's name does not tell its flags. */
static void add_message(struct mailbox *m, struct message *message)
{
    mailbox_add_message(m, message);
    if (!foreign_is_named(m, message))
        mailbox_mark_message(m, (struct message *)mailbox_find_uid(m, message->uid));
}

void foreign_apply(struct mailbox *m, const struct foreign_changes *f)
{
    mailbox_reach_modseq(m, f->modseq);
    for (size_t i = 0; i < f->changed_count; i++)
        change_flags(m, &f->changed[i], f->names, KEYWORD_LETTERS, f->modseq);
    remove_gone(m, f);
    for (size_t i = 0; i < f->added_count; i++) {
        const struct foreign_added *a = &f->added[i];
        add_message(m,
                    &(struct message){.uid = a->uid,
                                      .flags = a->flags,
                                      .keywords = set_of(m, f->names, KEYWORD_LETTERS, a->letters),
                                      .modseq = f->modseq,
                                      .size = a->size,
                                      .size_crlf = a->size_crlf,
                                      .internal_date = a->date,
                                      .save_date = f->time,
                                      .file = a->file});
    }
    mailbox_mark_dirty(m); /* the list must tell of these UIDs */
}

/* --- replay --- */

struct replay {
    struct mailbox *mailbox;
    struct reader *reader;
    struct str *names; /* of letters */
    size_t name_count;
    uint64_t modseq;
    int64_t time;
};

static void replay_changed(struct replay *p)
{
    struct reader *r = p->reader;
    struct foreign_changed c = {.uid = read_u32(r)};

    c.flags_added = read_u8(r) & MESSAGE_FLAGS_ALL;
    c.letters_added = read_u32(r);
    c.flags_removed = read_u8(r) & MESSAGE_FLAGS_ALL;
    c.letters_removed = read_u32(r);
    struct message *message = (struct message *)mailbox_find_uid(p->mailbox, c.uid);
    if (!r->bad && message && replay_applies(p->mailbox, message, p->modseq))
        change_flags(p->mailbox, &c, p->names, p->name_count, p->modseq);
}

static void give_up_uid(struct mailbox *m, uint32_t uid)
{
    if (m->c.uid_next > uid)
        return;
    m->c.uid_next = uid + 1;
    if (m->uid_reserved < m->c.uid_next)
        m->uid_reserved = m->c.uid_next;
    mailbox_mark_dirty(m);
}

/* One that is not on disk any more was removed after it was told. */
static void add_if_there(struct mailbox *m, struct message *message, struct str base)
{
    struct message *present = (struct message *)mailbox_find_uid(m, message->uid);

    if (present && str_equal(message_file_base(present->file), base)) {
        if (replay_applies(m, present, message->modseq) && present->modseq < message->modseq)
            present->modseq = message->modseq;
        return;
    }
    if (!present && replay_was_expunged(m, RECORD_VERSION, message->modseq))
        return;
    message->file = replay_take_unknown(m, base);
    if (!message->file) {
        give_up_uid(m, message->uid);
        return;
    }
    if (present)
        message->uid = m->c.uid_next;
    replay_add_message(m, message);
    if (!foreign_is_named(m, message))
        mailbox_mark_message(m, (struct message *)mailbox_find_uid(m, message->uid));
}

static void replay_added(struct replay *p)
{
    struct reader *r = p->reader;
    struct message message = {
        .uid = read_u32(r), .modseq = p->modseq, .internal_date = INT64_MIN, .save_date = p->time};

    message.flags = read_u8(r) & MESSAGE_FLAGS_ALL;
    message.keywords = set_of(p->mailbox, p->names, p->name_count, read_u32(r));
    message.size = read_u64(r);
    message.size_crlf = read_u64(r);
    struct str base = read_counted(r);
    if (message.uid == 0 || message.uid > UID_MAX || base.n == 0 || memchr(base.p, '/', base.n))
        r->bad = true;
    if (!r->bad)
        add_if_there(p->mailbox, &message, base);
}

/* Only what is not there; what an index has told already is not told again. */
static void replay_gone(struct replay *p, const uint32_t *uids, size_t count)
{
    struct mailbox *m = p->mailbox;

    if (p->modseq <= m->c.modseq)
        return;
    for (size_t i = 0; i < count; i++) {
        if (!mailbox_find_uid(m, uids[i]))
            expunge_history_add(&m->c.expunged, p->modseq, (uint32_t)p->time, &uids[i], 1);
    }
}

void replay_foreign(struct store *s, struct reader *r, struct arena *a)
{
    struct replay p = {.reader = r};
    struct record_mailbox rm;
    size_t gone_count;

    record_read_mailbox(r, &rm);
    p.modseq = read_u64(r);
    p.time = (int64_t)read_u64(r);
    p.names = record_read_names(r, a, &p.name_count);
    struct mailbox *m = p.mailbox = r->bad ? NULL : replay_find(s, &rm);
    if (!m)
        return;
    for (uint32_t n = read_u32(r); n > 0 && !r->bad; n--)
        replay_changed(&p);
    for (uint32_t n = r->bad ? 0 : read_u32(r); n > 0 && !r->bad; n--)
        replay_added(&p);
    uint32_t *gone = record_read_uids(r, a, &gone_count);
    if (!r->bad)
        replay_gone(&p, gone, gone_count);
    mailbox_reach_modseq(m, p.modseq);
    mailbox_unref(m);
}
