/*
 * Replaying COPY and MOVE: the copies must be in the target under their UIDs, and of a move the
 * originals must be gone. All records of one COPY are kept until the last one has come: without it
 * nothing has happened.
 */
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "store/limits.h"
#include "store/link_file.h"
#include "store/replay.h"
#include "store/set_aside.h"

struct copy_record {
    struct store *store;
    struct mailbox *from, *to; /* either may be NULL: deleted later */
    unsigned version;
    bool move;
    uint64_t modseq_to, modseq_from;
    int64_t time; /* version 1: INT64_MIN */
    struct str *names;
    size_t name_count;
    struct record_set {
        uint16_t *places; /* among the names */
        size_t count;
        uint32_t set; /* in the target */
    } * sets;
    size_t set_count;
};

struct copied {
    uint32_t uid, copy, keywords;
    uint8_t flags;
    uint64_t size, size_crlf;
    int64_t date;
    struct str base;
};

static void read_sets(struct reader *r, struct arena *a, struct copy_record *c)
{
    c->set_count = c->version < 2 ? 0 : read_u32(r);
    if (c->set_count > r->n)
        r->bad = true;
    c->sets = arena_array(a, r->bad ? 0 : c->set_count, sizeof(*c->sets));
    for (size_t i = 0; i < c->set_count && !r->bad; i++) {
        struct record_set *set = &c->sets[i];
        set->count = read_u32(r);
        if (set->count > r->n)
            r->bad = true;
        set->places = arena_array(a, r->bad ? 0 : set->count, sizeof(*set->places));
        for (size_t k = 0; k < set->count && !r->bad; k++) {
            set->places[k] = read_u16(r);
            if (set->places[k] >= c->name_count)
                r->bad = true;
        }
    }
}

static void read_copied(struct reader *r, unsigned version, struct copied *c)
{
    c->uid = read_u32(r);
    c->copy = read_u32(r);
    c->flags = read_u8(r) & MESSAGE_FLAGS_ALL;
    c->keywords = read_u32(r);
    c->size = read_u64(r);
    c->size_crlf = read_u64(r);
    c->date = version < 2 ? INT64_MIN : (int64_t)read_u64(r);
    c->base = read_counted(r);
    if (c->base.n == 0 || c->base.n > BASE_NAME_MAX || memchr(c->base.p, '/', c->base.n))
        r->bad = true;
}

static void add_sets(struct copy_record *c, struct arena *a)
{
    for (size_t i = 0; c->to && i < c->set_count; i++) {
        struct record_set *set = &c->sets[i];
        struct str *names = arena_array(a, set->count, sizeof(*names));
        for (size_t k = 0; k < set->count; k++)
            names[k] = c->names[set->places[k]];
        mailbox_keyword_set(c->to, names, set->count, true, &set->set, NULL);
    }
}

/* The record's keywords in the mailbox as it is now. */
static uint32_t find_set(struct copy_record *r, uint32_t keywords)
{
    struct str names[32];
    size_t count = 0;
    uint32_t set;

    if (r->version >= 2)
        return keywords > 0 && keywords <= r->set_count ? r->sets[keywords - 1].set : 0;
    for (size_t i = 0; i < r->name_count && i < 32; i++) {
        if (keywords & 1u << i)
            names[count++] = r->names[i];
    }
    mailbox_keyword_set(r->to, names, count, true, &set, NULL);
    return set;
}

/* Makes the copy's file from the original if it is missing or not whole. When both are gone, a
 * later record has expunged the copy as well, or flush.c will say that it is lost. */
static void repair_copy(struct copy_record *r, const struct copied *c, const char *path)
{
    const struct message *original = r->from ? mailbox_find_uid(r->from, c->uid) : NULL;
    struct buf from = BUF_EMPTY;

    if (original && !replay_has_size(path, c->size) &&
        replay_has_size(message_file_path(&from, r->from->dir, original->file), c->size) &&
        disk_unlink(path, NULL))
        file_link_or_copy(from.p, path, NULL);
    buf_free(&from);
}

/* What the record says of a message that only the UID list knew. */
static void check_present(struct copy_record *r, const struct copied *c, struct message *message,
                          const char *path)
{
    struct stat st;

    if (disk_stat(path, &st, NULL))
        message->state &= (uint8_t)~STATE_MISSING;
    if (!replay_applies(r->to, message, r->modseq_to) || r->to->c.index_modseq == 0)
        return;
    mailbox_set_flags(r->to, message, c->flags, find_set(r, c->keywords), r->modseq_to);
    message->modseq = r->modseq_to;
    message->internal_date = c->date;
    message->save_date = r->time;
    mailbox_mark_index(r->to, message);
}

/* The index may be further than the names: a power cut has undone its way from tmp/ to cur/. */
static void look_in_tmp(struct mailbox *m, struct message *message)
{
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/tmp/%.*s", m->dir, STR_ARG(message_file_base(message->file)));
    if (disk_exists(buf_c(&path))) {
        message->file = message_file_new(&m->c.files, FILE_TMP, message_file_base(message->file),
                                         message_file_extra(message->file));
        message->state &= (uint8_t)~STATE_MISSING;
        mailbox_mark_message(m, message);
    }
    buf_free(&path);
}

/* The copy was expunged, but its file is there still or again. */
static void remove_left(struct mailbox *m, struct str base)
{
    struct message_file *f = replay_take_unknown(m, base);

    if (!f)
        f = message_file_new(&m->c.files, FILE_TMP, base, STR(""));
    mailbox_add_leaving(m, &(struct leaving_file){.file = f});
}

static void add_copy(struct copy_record *r, const struct copied *c)
{
    struct mailbox *m = r->to;
    struct message *present = (struct message *)mailbox_find_uid(m, c->copy);
    struct message message = {.uid = c->copy,
                              .flags = c->flags,
                              .modseq = r->modseq_to,
                              .size = c->size,
                              .size_crlf = c->size_crlf,
                              .internal_date = c->date,
                              .save_date = r->time};
    struct buf path = BUF_EMPTY;

    if (present && str_equal(message_file_base(present->file), c->base)) {
        if (present->state & STATE_MISSING)
            look_in_tmp(m, present);
        repair_copy(r, c, message_file_path(&path, m->dir, present->file));
        check_present(r, c, present, buf_c(&path));
        buf_free(&path);
        return;
    }
    if (!present && replay_was_expunged(m, r->version, r->modseq_to)) {
        remove_left(m, c->base);
        return;
    }
    if (present)
        message.uid = m->c.uid_next;
    struct message_file *f = replay_take_unknown(m, c->base);
    if (!f)
        f = message_file_new(&m->c.files, FILE_TMP, c->base, STR(""));
    repair_copy(r, c, message_file_path(&path, m->dir, f));
    message.keywords = find_set(r, c->keywords);
    message.file = f;
    replay_add_message(m, &message);
    mailbox_mark_message(m, (struct message *)mailbox_find_uid(m, message.uid));
    buf_free(&path);
}

static void read_head(struct reader *r, struct arena *a, struct copy_record *c,
                      struct record_mailbox *from, struct record_mailbox *to)
{
    record_read_mailbox(r, from);
    record_read_mailbox(r, to);
    c->move = read_u8(r);
    read_u8(r);
    c->time = INT64_MIN;
    if (c->version >= 2) {
        c->modseq_to = read_u64(r);
        c->modseq_from = read_u64(r);
        c->time = (int64_t)read_u64(r);
    }
    c->names = record_read_names(r, a, &c->name_count);
    read_sets(r, a, c);
}

static void remove_moved(struct copy_record *c, const uint32_t *moved, size_t count)
{
    mailbox_apply_expunge(
        c->from, moved, count,
        &(struct expunge_record){.modseq = replay_modseq(c->from, c->version, c->modseq_from),
                                 .time = c->time != INT64_MIN ? c->time : clock_wall() / USEC_SEC});
}

static bool is_blocked(struct store *s, const struct record_mailbox *from,
                       const struct record_mailbox *to)
{
    const struct store_account *a = replay_account(s, from->home);
    const struct store_account *b = replay_account(s, to->home);

    return (a && a->blocked) || (b && b->blocked) || s->replay_error.kind != ERR_NONE;
}

static void let_go(struct copy_record *c)
{
    if (c->from)
        mailbox_unref(c->from);
    if (c->to)
        mailbox_unref(c->to);
}

/* False: an account cannot be used, nothing was done. */
static bool copy_part(struct store *s, struct reader *r, unsigned version, struct arena *a)
{
    struct record_mailbox from, to;
    struct copy_record record = {.store = s, .version = version};

    read_head(r, a, &record, &from, &to);
    uint32_t count = read_u32(r);
    if (count > r->n)
        r->bad = true;
    uint32_t *moved = arena_array(a, r->bad ? 0 : count, sizeof(*moved));
    record.from = r->bad ? NULL : replay_find(s, &from);
    record.to = r->bad ? NULL : replay_find(s, &to);
    /* One without the other would lose what is moved. */
    if (!r->bad && is_blocked(s, &from, &to)) {
        let_go(&record);
        return false;
    }
    if (record.to) {
        record.modseq_to = replay_modseq(record.to, version, record.modseq_to);
        mailbox_reach_modseq(record.to, record.modseq_to);
    }
    add_sets(&record, a);
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        struct copied c;
        read_copied(r, version, &c);
        moved[i] = c.uid;
        if (record.to && !r->bad)
            add_copy(&record, &c);
    }
    if (record.from && record.move && !r->bad)
        remove_moved(&record, moved, count);
    let_go(&record);
    return true;
}

/* All records of a COPY. */
static void set_parts_aside(struct store *s, lsn first, struct str parts)
{
    struct reader all = {.p = parts.p, .n = parts.n};

    for (lsn position = first; all.n > 0 && !all.bad; position++) {
        struct journal_record record = {
            .lsn = position, .owner = JOURNAL_STORE, .type = RECORD_COPY, .version = read_u8(&all)};
        record.payload = read_counted(&all);
        set_aside_add(s, &record, SET_ASIDE_WHOLE);
    }
}

/* The "last" byte, without reading the rest. */
static bool is_last(struct reader r)
{
    struct record_mailbox rm;

    record_read_mailbox(&r, &rm);
    record_read_mailbox(&r, &rm);
    read_u8(&r);
    return read_u8(&r) != 0;
}

void replay_forget_copy(struct store *s)
{
    if (s->copy_parts.n > 0)
        log_warning("store", NULL, "a copy of messages was not complete and did not happen");
    buf_free(&s->copy_parts);
}

bool replay_copy(struct store *s, lsn position, struct reader *r, unsigned version, struct arena *a,
                 struct err *e)
{
    (void)e;
    bool last = is_last(*r);
    /* Its records follow each other without a gap. */
    if (position != s->copy_next)
        replay_forget_copy(s);
    s->copy_next = position + 1;
    buf_add_u8(&s->copy_parts, (uint8_t)version);
    buf_add_counted(&s->copy_parts, str_from(r->p, r->n));
    if (!last)
        return true;
    struct buf parts = s->copy_parts;
    s->copy_parts = BUF_EMPTY;
    struct reader all = {.p = parts.p, .n = parts.n};
    bool applied = true;
    lsn count = 0;
    while (all.n > 0 && !all.bad && !r->bad) {
        unsigned part_version = read_u8(&all);
        struct str part = read_counted(&all);
        *r = (struct reader){.p = part.p, .n = part.n};
        applied = copy_part(s, r, part_version, a) && applied;
        count++;
    }
    if (!applied && !r->bad)
        set_parts_aside(s, position - count + 1, str_from(parts.p, parts.n));
    buf_free(&parts);
    return true;
}
