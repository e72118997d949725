/*
 * Reading a mailbox from disk, on workers.
 *
 * When the index is good and neither cur/ nor the lists were touched since, the index is the
 * mailbox; in new/ other programs may have put something, and only that is looked through.
 *
 * Otherwise the list says which base name has which UID; new/ and cur/ say which files exist and
 * what their flags are; only the two together make a message. Files the list does not know were put
 * there by other programs: they get the next UIDs in the order of their age. What the index knows
 * beyond that stays: where a file has another name than the index says, somebody else has changed
 * its flags; where there is no file, somebody else has removed it. All that others did is one
 * change with one modseq. It is written and synced before anybody is told.
 *
 * Sizes come from the list, else from the names (",S=", ",W="), else from the file, once: the list
 * keeps them.
 *
 * While the journal is replayed, nothing is decided: files without a UID get none, since a record
 * to come may know them, and what index and directories say differently is only marked (replay.c).
 */
#include "store/mailbox_load.h"

#include "core/disk.h"
#include "core/mem.h"
#include "store/limits.h"
#include "store/maildir_name.h"

#include <assert.h>
#include <stdlib.h>

bool load_fail(struct mailbox_load *l)
{
    l->failed = true;
    return false;
}

const char *load_path(struct mailbox_load *l, const char *relative)
{
    buf_clear(&l->path);
    buf_printf(&l->path, "%s/%s", l->settings.dir, relative);
    return buf_c(&l->path);
}

const char *load_file_path(struct mailbox_load *l, const struct message_file *f)
{
    load_path(l, "");
    message_file_add_path(&l->path, f);
    return buf_c(&l->path);
}

uint64_t load_foreign_modseq(struct mailbox_load *l)
{
    uint64_t floor = modseq_floor(l->settings.now);

    if (l->trusted && l->foreign_modseq == 0)
        l->foreign_modseq = l->c.modseq = (l->c.modseq < floor ? floor : l->c.modseq) + 1;
    return l->c.modseq;
}

/* Modification sequences begin anew, above all that were. */
static void distrust_base(struct mailbox_load *l)
{
    uint64_t floor = modseq_floor(l->settings.now);

    l->trusted = false;
    l->c.modseq = l->c.modseq < floor ? floor : l->c.modseq + 1;
    expunge_history_free(&l->c.expunged);
    l->c.expunged.floor = l->c.modseq;
    l->c.index_modseq = 0;
}

void load_drop_base(struct mailbox_load *l)
{
    uint64_t modseq = l->c.modseq;
    struct index_stamps stamps = l->c.stamps;

    mailbox_content_free(&l->c);
    l->c.modseq = modseq;
    l->c.stamps = stamps;
    l->has_base = false;
    distrust_base(l);
}

struct mailbox_load *mailbox_load_new(const struct load_settings *s)
{
    struct mailbox_load *l = MEM_NEW(struct mailbox_load);

    l->settings = *s;
    l->lowest_new = UINT32_MAX;
    return l;
}

/* --- from the index alone --- */

static bool make_subdirs(struct mailbox_load *l)
{
    static const char *const names[] = {"cur", "new", "tmp"};
    struct stat st;

    if (!disk_stat(l->settings.dir, &st, &l->error))
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (!disk_make_dir(load_path(l, names[i]), 0700, &l->error))
            return false;
    }
    return true;
}

/* A stamp as young as this would hide what comes now. */
static void forget_young(struct dir_stamp *s, int64_t now)
{
    if (dir_stamp_is_young(s, now))
        *s = (struct dir_stamp){0};
}

static void read_base(struct mailbox_load *l, struct index_loaded *index)
{
    struct mailbox_content *c = &l->c;

    index_read(l->settings.dir, c, index);
    index_stamps_read(l->settings.dir, &c->stamps);
    l->has_base = c->uid_validity != 0;
    l->trusted = index->trust == INDEX_GOOD;
    c->index = index->file;
    c->index.young = index->header.young;
    c->index_from = UINT32_MAX;
    l->indexed_next = c->uid_next;
    c->index_modseq = c->modseq;
    c->index_keywords = c->keywords.changes;
    c->index_collections = c->keywords.collections;
    c->index_sets = c->keywords.set_count;
    if (index->trust == INDEX_DAMAGED)
        err_set(&l->warning, ERR_IO, "%s/" INDEX_FILE_NAME " is damaged; it is made anew",
                l->settings.dir);
    if (!l->has_base)
        load_drop_base(l);
    else if (!l->trusted)
        distrust_base(l);
}

/* The state of what came from the index. */
static void note_states(struct mailbox_content *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct message *m = &c->messages[i];
        const struct message_file *f = m->file;
        uint32_t letters = keyword_set_letters(&c->keywords, m->keywords);
        bool as_named = f->flags == m->flags && f->keywords == letters;
        bool stays =
            f->place == FILE_CUR || (f->place == FILE_NEW && m->uid >= c->recent_from && as_named);
        if ((as_named && stays) || m->state & (STATE_DIFFERS | STATE_MISSING))
            continue;
        m->state |= STATE_DIRTY;
        if (m->uid < c->dirty_from)
            c->dirty_from = m->uid;
    }
}

static void finish(struct mailbox_load *l);

/* The messages in new/, to be compared with the directory. */
static void take_new_as_known(struct mailbox_load *l)
{
    const struct mailbox_content *c = &l->c;

    for (size_t i = 0; i < c->count; i++) {
        const struct message_file *f = c->messages[i].file;
        if (f->place != FILE_NEW)
            continue;
        l->bases = mem_grow(l->bases, l->known_count, &l->known_capacity, sizeof(*l->bases), 64);
        l->bases[l->known_count++] = (struct merge_known){.base = message_file_base(f)};
    }
}

static void remove_missing(struct mailbox_load *l)
{
    struct mailbox_content *c = &l->c;
    uint32_t *gone = mem_array(l->known_count, sizeof(*gone));
    size_t to = 0, known = 0, count = 0;

    for (size_t i = 0; i < c->count; i++) {
        const struct message_file *f = c->messages[i].file;
        bool is_gone = f->place == FILE_NEW && l->bases[known++].entry == 0;
        if (is_gone)
            gone[count++] = c->messages[i].uid;
        else
            c->messages[to++] = c->messages[i];
    }
    c->count = to;
    if (count > 0)
        expunge_history_add(&c->expunged, load_foreign_modseq(l),
                            (uint32_t)(l->settings.now / USEC_SEC), gone, count);
    free(gone);
}

static bool add_unknown_messages(struct mailbox_load *l);
static void add_unknown_entries(struct mailbox_load *l);

/* Only new/ was touched. */
static bool look_into_new(struct mailbox_load *l)
{
    uint32_t first_new_uid = l->c.uid_next;

    take_new_as_known(l);
    merge_begin(&l->merge, l->bases, l->known_count);
    if (!dir_listing_read(&l->listing, l->settings.dir, FILE_NEW, &l->error))
        return load_fail(l);
    merge_run(&l->merge, &l->listing);
    /* Something is strange: all of it is looked at. */
    if (l->merge.second_count > 0 || l->listing.letters != 0)
        return false;
    remove_missing(l);
    add_unknown_entries(l);
    if (!add_unknown_messages(l) || !load_write_decisions(l, first_new_uid))
        return load_fail(l);
    return true;
}

static bool base_is_enough(struct mailbox_load *l, const struct index_header *h)
{
    return l->trusted && !l->settings.replaying && l->foreign_modseq == 0 && !h->young &&
           !l->c.index.header_behind && !l->c.list_rewrite &&
           index_stamps_fit(&l->c.stamps, &h->stamps);
}

bool mailbox_load_index(struct mailbox_load *l)
{
    struct index_loaded index;

    if (l->settings.replaying)
        uidlist_file_break_locks(l->settings.dir);
    if (!make_subdirs(l)) {
        load_fail(l);
        return true;
    }
    read_base(l, &index);
    if (l->trusted && !l->settings.replaying && index_is_outrun(l->settings.dir))
        load_foreign_modseq(l);
    if (!base_is_enough(l, &index.header))
        return false;
    bool same_new = dir_stamp_equal(&l->c.stamps.new, &index.header.stamps.new);
    l->done = same_new || look_into_new(l);
    if (!l->done) {
        /* From the beginning, with the directories. */
        l->known_count = l->known_capacity = 0;
        free(l->bases);
        l->bases = NULL;
        merge_free(&l->merge);
        dir_listing_free(&l->listing);
        return l->failed;
    }
    l->c.is_indexed = same_new;
    finish(l);
    return true;
}

/* --- from list and directories --- */

void mailbox_load_list(struct mailbox_load *l)
{
    bool had_base = l->has_base;

    if (!load_read_keywords(l) || !load_read_list(l) ||
        (had_base && !l->has_base && !load_read_keywords(l))) {
        load_fail(l);
        return;
    }
    load_prepare_files(l);
    l->bases = mem_resize(l->bases, (l->known_count + 1) * sizeof(*l->bases));
    for (size_t i = 0; i < l->known_count; i++)
        l->bases[i] = (struct merge_known){.base = l->known[i].line.base};
    merge_begin(&l->merge, l->bases, l->known_count);
    l->c.list_rewrite |= l->merge.doubled; /* the first UID counts */
}

void mailbox_load_directories(struct mailbox_load *l)
{
    /* What moves from new/ to cur/ meanwhile is seen twice rather than not at all. */
    if (dir_listing_read(&l->listing, l->settings.dir, FILE_NEW, &l->listing_error))
        dir_listing_read(&l->listing, l->settings.dir, FILE_CUR, &l->listing_error);
}

static void add_message(struct mailbox_load *l, const struct message *m)
{
    struct mailbox_content *c = &l->c;

    if (c->count == c->capacity) {
        c->capacity = c->capacity < 8 ? 8 : c->capacity + c->capacity / 2;
        c->messages = mem_resize(c->messages, c->capacity * sizeof(*c->messages));
    }
    assert(c->count == 0 || c->messages[c->count - 1].uid < m->uid);
    c->messages[c->count++] = *m;
    if (m->state & STATE_UNINDEXED && m->uid < c->index_from)
        c->index_from = m->uid;
}

/* One that was not in the index, as its file says. */
static void add_fresh(struct mailbox_load *l, const struct uidlist_line *line,
                      struct message_file *f, uint8_t state)
{
    bool later = l->trusted && l->settings.replaying;
    struct message m = {.uid = line->uid,
                        .flags = f->flags,
                        .state = (uint8_t)(state | STATE_UNINDEXED | (later ? STATE_DIFFERS : 0)),
                        .modseq = later ? l->c.modseq : load_foreign_modseq(l),
                        .size = line->size,
                        .size_crlf = line->size_crlf,
                        .internal_date = INT64_MIN,
                        /* It came after the index was written, that is all we know. */
                        .save_date = l->trusted ? l->settings.now / USEC_SEC : INT64_MIN,
                        .file = f};

    keyword_set_of_letters(&l->c.keywords, f->keywords, &m.keywords);
    if (f->place == FILE_NEW && m.uid < l->lowest_new)
        l->lowest_new = m.uid;
    add_message(l, &m);
}

/* Flags and letters as the file's name has them; by somebody else's hand if they changed. */
static void take_named(struct mailbox_load *l, struct message *m, const struct message_file *f)
{
    uint32_t set = m->keywords;

    keyword_set_with_letters(&l->c.keywords, m->keywords, f->keywords, &set);
    bool changed = m->flags != f->flags || m->keywords != set;
    m->file = (void *)f;
    m->state |= STATE_UNINDEXED;
    if (!changed)
        return;
    if (l->settings.replaying && l->trusted) {
        m->state |= STATE_DIFFERS;
        return;
    }
    m->flags = f->flags;
    m->keywords = set;
    m->modseq = load_foreign_modseq(l);
}

static void add_indexed(struct mailbox_load *l, const struct message *indexed,
                        const struct dir_entry *e)
{
    struct message m = *indexed;
    struct str extra = message_file_extra(m.file);

    if (!l->trusted)
        m.modseq = l->c.modseq;
    if (!e && ((struct message_file *)m.file)->place != FILE_TMP)
        m.state |= STATE_MISSING;
    else if (e && !dir_entry_is(&l->listing, e, m.file))
        take_named(l, &m, dir_entry_file(&l->listing, e, &l->c.files, extra));
    add_message(l, &m);
}

static struct message_file *found_file(struct mailbox_load *l, const struct load_known *k,
                                       const struct dir_entry *e)
{
    struct message_file *f = k->file;

    if (!f || e->raw)
        return dir_entry_file(&l->listing, e, &l->c.files, k->line.extra);
    f->place = e->place;
    f->flags = e->flags;
    f->keywords = e->letters;
    return f;
}

/* The list has it, the index does not. */
static bool add_listed(struct mailbox_load *l, struct load_known *k, const struct dir_entry *e)
{
    struct message_file *f = found_file(l, k, e);
    /* Expunged by us, and here again: under a UID of which clients know that it is gone. */
    bool returned = l->trusted && k->line.uid < l->indexed_next;
    bool gone = false;

    if (returned && !l->settings.replaying) {
        load_add_unknown(l, f);
        return true;
    }
    if (!load_find_sizes(l, &k->line, f, &gone))
        return false;
    if (!gone)
        add_fresh(l, &k->line, f, returned ? STATE_RETURNED : 0);
    return true;
}

static bool add_known_messages(struct mailbox_load *l)
{
    uint32_t *gone = mem_array(l->known_count, sizeof(*gone));
    size_t count = 0;
    bool ok = true;

    for (size_t i = 0; i < l->known_count && ok; i++) {
        struct load_known *k = &l->known[i];
        const struct dir_entry *e =
            l->bases[i].entry ? &l->listing.entries[l->bases[i].entry - 1] : NULL;
        if (k->indexed && (e || (l->settings.replaying && l->trusted)))
            add_indexed(l, k->indexed, e);
        else if (k->indexed)
            gone[count++] = k->line.uid;
        else if (e)
            ok = add_listed(l, k, e);
    }
    if (count > 0 && l->trusted)
        expunge_history_add(&l->c.expunged, load_foreign_modseq(l),
                            (uint32_t)(l->settings.now / USEC_SEC), gone, count);
    free(gone);
    return ok;
}

/* --- files that nobody knows --- */

static void add_unknown_entries(struct mailbox_load *l)
{
    for (size_t i = 0; i < l->merge.unknown_count; i++)
        load_add_unknown(l, dir_entry_file(&l->listing, &l->listing.entries[l->merge.unknown[i]],
                                           &l->c.files, STR("")));
}

static int compare_unknown(const void *a, const void *b)
{
    const struct unknown_file *x = a, *y = b;
    return maildir_name_compare(message_file_base(x->file), message_file_base(y->file));
}

static bool add_unknown_messages(struct mailbox_load *l)
{
    struct mailbox_content *c = &l->c;

    if (l->unknown_count > 1)
        qsort(l->unknown, l->unknown_count, sizeof(*l->unknown), compare_unknown);
    for (size_t i = 0; i < l->unknown_count; i++) {
        struct message_file *f = l->unknown[i].file;
        struct uidlist_line line = {0};
        bool gone;
        if (c->uid_next > UID_MAX)
            return err_set(&l->error, ERR_LIMIT, "%s: no UIDs are left", l->settings.dir);
        if (!load_check_sizes(l, &line, f, &gone))
            return false;
        if (gone)
            continue;
        line.uid = c->uid_next++;
        add_fresh(l, &line, f, 0);
    }
    return true;
}

static struct str unknown_name(const void *array, size_t position)
{
    return message_file_base(((const struct unknown_file *)array)[position].file);
}

static void keep_unknown(struct mailbox_load *l)
{
    struct mailbox_content *c = &l->c;

    c->unknown = l->unknown;
    c->unknown_count = l->unknown_count;
    l->unknown = NULL;
    name_table_init(&c->unknown_names, c->unknown_count, unknown_name, c->unknown);
    for (size_t i = 0; i < c->unknown_count; i++)
        name_table_add(&c->unknown_names, i);
}

/* --- all together --- */

/* The loop need not go through all messages: this does it. */
static void finish(struct mailbox_load *l)
{
    struct mailbox_content *c = &l->c;
    int64_t now = l->settings.now * 1000;

    c->dirty_from = UINT32_MAX;
    note_states(c);
    mailbox_content_count(c);
    forget_young(&c->stamps.cur, now);
    forget_young(&c->stamps.new, now);
    forget_young(&c->stamps.list, now);
    forget_young(&c->stamps.keywords, now);
    if (l->settings.replaying)
        c->stamps = (struct index_stamps){0};
}

static bool join(struct mailbox_load *l)
{
    struct mailbox_content *c = &l->c;

    merge_run(&l->merge, &l->listing);
    load_part_seconds(l);
    if (!l->settings.replaying && !load_clean_tmp(l))
        return false;
    c->keywords_changed |= keywords_name_used(&c->keywords, l->listing.letters);
    l->indexed = c->messages;
    c->messages = NULL;
    c->count = 0;
    c->index_from = UINT32_MAX;
    c->capacity = l->known_count + l->merge.unknown_count + 8;
    c->messages = mem_resize(NULL, c->capacity * sizeof(*c->messages));
    if (!add_known_messages(l))
        return false;
    uint32_t first_new_uid = c->uid_next;
    add_unknown_entries(l);
    if (l->settings.replaying)
        keep_unknown(l);
    else if (!add_unknown_messages(l))
        return false;
    if (!l->has_base)
        c->recent_from = l->lowest_new != UINT32_MAX ? l->lowest_new : c->uid_next;
    if (!load_write_decisions(l, first_new_uid))
        return false;
    finish(l);
    return true;
}

void mailbox_load_join(struct mailbox_load *l)
{
    if (l->failed)
        return;
    if (l->listing_error.kind != ERR_NONE) {
        l->error = l->listing_error;
        load_fail(l);
    } else if (!join(l)) {
        load_fail(l);
    }
}

bool mailbox_load_end(struct mailbox_load *l, struct mailbox_content *c, struct err *warning,
                      struct err *e)
{
    bool ok = !l->failed;

    *c = (struct mailbox_content){0};
    *warning = l->warning;
    if (ok)
        *c = l->c;
    else
        mailbox_content_free(&l->c);
    if (!ok && e)
        *e = l->error;
    buf_free(&l->list);
    buf_free(&l->path);
    free(l->known);
    free(l->bases);
    free(l->unknown);
    free(l->indexed);
    merge_free(&l->merge);
    dir_listing_free(&l->listing);
    free(l);
    return ok;
}
