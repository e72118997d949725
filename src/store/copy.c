/*
 * COPY and MOVE.
 *
 * A copy is a hard link under a new name. Links are made in the target's tmp/ and synced with it
 * before the record, so that the record promises only what is there; before the record they mean
 * nothing, and a crash leaves files that nobody counts as messages. After it the copies are
 * messages, and move from tmp/ to cur/ like any file whose name must change (flush.c). A move is
 * the same record with the word that the originals are gone.
 *
 * A message whose own file is only in the journal yet is waited for; one whose file is written but
 * not synced is synced here.
 */
#include "store/copy.h"

#include "core/disk.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/change.h"
#include "store/limits.h"
#include "store/link_file.h"
#include "store/pending.h"
#include "store/summary_cache.h"

#include <fcntl.h>
#include <stdlib.h>

/* --- the worker's part --- */

static bool sync_file(const char *path, struct err *e)
{
    int fd;
    if (!disk_open(path, O_RDONLY, 0, &fd, e))
        return false;
    bool ok = disk_sync(fd, path, e);
    disk_close(fd);
    return ok;
}

static void add_tmp_path(struct buf *b, const struct copy *c, const struct copy_item *item)
{
    buf_clear(b);
    buf_printf(b, "%s/", c->to->dir);
    file_path_add(b, FILE_TMP, item->base);
    buf_c(b);
}

static bool link_item(struct copy *c, struct copy_item *item, struct buf *from, struct buf *to)
{
    struct err error;

    buf_clear(from);
    if (item->file) {
        buf_printf(from, "%s/", c->from->dir);
        message_file_add_path(from, item->file);
    } else {
        buf_add_str(from, item->path);
    }
    add_tmp_path(to, c, item);
    item->made =
        file_link_or_copy(buf_c(from), to->p, &error) && (!item->sync || sync_file(to->p, &error));
    item->gone = !item->made && error.kind == ERR_NOT_FOUND;
    if (!item->made && !item->gone)
        c->error = error;
    return item->made || item->gone;
}

void copy_run_link(void *arg)
{
    struct copy *c = arg;
    struct buf from = BUF_EMPTY, to = BUF_EMPTY;

    c->ok = true;
    for (size_t i = 0; i < c->count && c->ok; i++)
        c->ok = link_item(c, &c->items[i], &from, &to);
    buf_clear(&to);
    buf_printf(&to, "%s/tmp", c->to->dir);
    c->ok = c->ok && disk_sync_dir(buf_c(&to), &c->error);
    buf_free(&from);
    buf_free(&to);
}

static void run_unlink(void *arg)
{
    struct buf *paths = arg;

    for (size_t at = 0; at < paths->n; at += strlen(paths->p + at) + 1)
        disk_unlink(paths->p + at, NULL);
}

/* --- before the links --- */

static bool any_pending(const struct mailbox *m, const uint32_t *uids, size_t count)
{
    for (size_t i = 0; i < count && m->pending > 0; i++) {
        const struct message *message = mailbox_find_uid(m, uids[i]);
        if (message && message->state & STATE_PENDING)
            return true;
    }
    return false;
}

/* Takes the source's names with all files written. */
static bool take_written(struct mailbox *from, const uint32_t *uids, size_t count, struct err *e)
{
    usec deadline = deadline_in(READY_TIMEOUT);

    for (;;) {
        while (any_pending(from, uids, count)) {
            pending_hurry(from->store);
            if (!cond_wait(&from->changed, deadline, e))
                return false;
        }
        mailbox_take_names(from);
        if (!any_pending(from, uids, count))
            return true;
        mailbox_release_names(from);
    }
}

static void add_items(struct copy *c, const uint32_t *uids, size_t count)
{
    struct store *s = c->from->store;
    bool unsynced = c->from->deliver_lsn > journal_checkpointed(s->journal);
    size_t *ends = mem_array(count, sizeof(*ends));

    c->items = mem_array(count, sizeof(*c->items));
    for (size_t i = 0; i < count; i++) {
        const struct message *message = mailbox_find_uid(c->from, uids[i]);
        if (!message)
            continue;
        buf_clear(&s->name);
        store_make_name(s, message->size, message->size_crlf);
        buf_add_str(&c->names, buf_str(&s->name));
        ends[c->count] = c->names.n;
        c->items[c->count++] =
            (struct copy_item){.file = message->file,
                               .uid = message->uid,
                               .sync = unsynced && message->uid >= c->from->unsynced_from};
    }
    for (size_t i = 0, at = 0; i < c->count; at = ends[i++])
        c->items[i].base = str_from(c->names.p + at, ends[i] - at);
    free(ends);
}

/* Counts as in flight: no mailbox is renamed or deleted meanwhile. */
static bool make_links(struct copy *c, const uint32_t *uids, size_t count, struct err *e)
{
    c->from->account->in_flight++;
    c->to->account->in_flight++;
    bool taken = take_written(c->from, uids, count, e);
    if (taken) {
        add_items(c, uids, count);
        worker_run(WORKER_DISK, copy_run_link, c);
        mailbox_release_names(c->from);
    }
    store_account_landed(c->from->account);
    store_account_landed(c->to->account);
    if (!taken)
        return false;
    for (size_t i = 0; i < c->count; i++) {
        if (c->items[i].gone)
            foreign_suspect(c->from);
    }
    if (!c->ok && e)
        *e = c->error;
    return c->ok;
}

/* --- the change --- */

/* The keywords of a source by number; without a mailbox they are letters. */
static size_t add_numbers(const struct copy *c, uint32_t keywords, uint16_t *letters,
                          const uint16_t **numbers)
{
    size_t count = 0;

    if (c->from) {
        *numbers = keyword_set_numbers(&c->from->c.keywords, keywords, &count);
        return count;
    }
    for (uint16_t i = 0; i < KEYWORD_LETTERS; i++) {
        if (keywords & 1u << i)
            letters[count++] = i;
    }
    *numbers = letters;
    return count;
}

/* The keywords of a source as a set of the target. */
static bool translate(struct copy *c, uint32_t keywords, uint32_t *set, struct err *e)
{
    uint16_t letters[KEYWORD_LETTERS];
    const uint16_t *numbers;
    size_t count = add_numbers(c, keywords, letters, &numbers);
    struct str *names = mem_array(count, sizeof(*names));

    for (size_t i = 0; i < count; i++)
        names[i] = (c->from ? c->from->c.keywords.names : c->keywords)[numbers[i]];
    bool ok = mailbox_keyword_set(c->to, names, count, true, set, e);
    free(names);
    return ok;
}

/* The messages that are still there get UIDs and keywords in the target; what they are now is what
 * the record says and what is published. */
static bool reserve(struct copy *c, struct err *e)
{
    uint32_t before = 0, translated = 0;

    if (UID_MAX - c->to->uid_reserved < c->count)
        return err_set(e, ERR_LIMIT, "mailbox %s has no UIDs left", c->to->name);
    c->now = clock_wall() / USEC_SEC;
    c->modseq_to = mailbox_reserve_modseq(c->to);
    if (c->move)
        c->modseq_from = mailbox_reserve_modseq(c->from);
    for (size_t i = 0; i < c->count; i++) {
        struct copy_item *item = &c->items[i];
        const struct message *message = c->from ? mailbox_find_uid(c->from, item->uid) : NULL;
        if (!item->made || (c->from && !message))
            continue;
        if (message)
            item->copy = *message;
        item->copy.flags &= (uint8_t)~c->without.flags;
        if (c->without.keywords)
            item->copy.keywords = 0;
        if (item->copy.keywords != before && !translate(c, item->copy.keywords, &translated, e))
            return false;
        before = item->copy.keywords;
        item->copy.keywords = before ? translated : 0;
        item->copy.state &= STATE_COUNTED;
        item->copy.modseq = c->modseq_to;
        item->copy.save_date = c->now;
        item->copy.cached = 0;
        item->copy.uid = c->to->uid_reserved++;
        item->reserved = true;
    }
    return true;
}

/* The keywords of the copies in one record: names, then sets as positions among the names. *places
 * (owned): of each set of the target, its position + 1. */
static void add_keywords(struct copy *c, size_t first, size_t count, uint32_t **places)
{
    struct buf *b = &c->to->store->record, sets = BUF_EMPTY, names = BUF_EMPTY;
    const struct keyword_table *k = &c->to->c.keywords;
    uint16_t *name_places = mem_array(k->count, sizeof(*name_places));
    uint32_t set_count = 0;
    uint16_t name_count = 0;
    size_t n;

    *places = mem_array(k->set_count + 1, sizeof(**places));
    for (size_t i = first; i < first + count; i++) {
        uint32_t set = c->items[i].copy.keywords;
        if (!c->items[i].reserved || set == 0 || (*places)[set])
            continue;
        (*places)[set] = ++set_count;
        const uint16_t *numbers = keyword_set_numbers(k, set, &n);
        buf_add_u32(&sets, (uint32_t)n);
        for (size_t j = 0; j < n; j++) {
            if (!name_places[numbers[j]]) {
                name_places[numbers[j]] = ++name_count;
                buf_add_counted(&names, k->names[numbers[j]]);
            }
            buf_add_u16(&sets, (uint16_t)(name_places[numbers[j]] - 1));
        }
    }
    buf_add_u32(b, name_count);
    buf_add_str(b, buf_str(&names));
    buf_add_u32(b, set_count);
    buf_add_str(b, buf_str(&sets));
    free(name_places);
    buf_free(&names);
    buf_free(&sets);
}

static void add_record(struct copy *c, size_t first, size_t count, bool last)
{
    struct buf *b = &c->to->store->record;
    const struct mailbox *from = c->from ? c->from : c->to, *to = c->to;
    uint32_t written = 0, *places;

    buf_clear(b);
    record_add_mailbox(b, str_from_c(from->account->home), str_from_c(from->name), from->c.guid);
    record_add_mailbox(b, str_from_c(to->account->home), str_from_c(to->name), to->c.guid);
    buf_add_u8(b, c->move);
    buf_add_u8(b, last);
    buf_add_u64(b, c->modseq_to);
    buf_add_u64(b, c->modseq_from);
    buf_add_u64(b, (uint64_t)c->now);
    add_keywords(c, first, count, &places);
    for (size_t i = first; i < first + count; i++)
        written += c->items[i].reserved;
    buf_add_u32(b, written);
    for (size_t i = first; i < first + count; i++) {
        const struct copy_item *item = &c->items[i];
        if (!item->reserved)
            continue;
        buf_add_u32(b, item->uid);
        buf_add_u32(b, item->copy.uid);
        buf_add_u8(b, item->copy.flags);
        buf_add_u32(b, places[item->copy.keywords]);
        buf_add_u64(b, item->copy.size);
        buf_add_u64(b, item->copy.size_crlf);
        buf_add_u64(b, (uint64_t)item->copy.internal_date);
        buf_add_counted(b, item->base);
    }
    free(places);
}

static struct summary_copy *note_summaries(const struct copy *c)
{
    struct summary_copy *list = mem_array(c->count, sizeof(*list));

    for (size_t i = 0; i < c->count; i++) {
        const struct copy_item *item = &c->items[i];
        const struct message *original = c->from ? mailbox_find_uid(c->from, item->uid) : NULL;
        if (item->reserved && original)
            list[i] = (struct summary_copy){.place = original->cached,
                                            .size = original->size,
                                            .uid = original->uid,
                                            .copy = item->copy.uid};
    }
    return list;
}

static void publish(struct copy *c)
{
    struct mailbox *to = c->to;
    uint32_t *moved = mem_array(c->count, sizeof(*moved));
    struct summary_copy *summaries = note_summaries(c);
    size_t count = 0;

    mailbox_reach_modseq(to, c->modseq_to);
    for (size_t i = 0; i < c->count; i++) {
        struct copy_item *item = &c->items[i];
        if (!item->reserved)
            continue;
        item->copy.file = message_file_new(&to->c.files, FILE_TMP, item->base, STR(""));
        mailbox_add_message(to, &item->copy);
        mailbox_mark_message(to, (struct message *)mailbox_find_uid(to, item->copy.uid));
        item->made = false; /* it is a message now */
        moved[count++] = item->uid;
    }
    if (c->from)
        summary_copy(c->from, to, summaries, c->count);
    free(summaries);
    if (c->move)
        c->from->store->expunged += mailbox_apply_expunge(
            c->from, moved, count,
            &(struct expunge_record){.modseq = c->modseq_from, .time = c->now});
    free(moved);
    mailbox_flush_soon(to, FLUSH_NAMES);
    if (c->move)
        mailbox_flush_soon(c->from, FLUSH_LEAVING);
    mailbox_notify(to);
    if (c->move && c->from != to)
        mailbox_notify(c->from);
}

bool copy_commit(struct copy *c, struct err *e)
{
    struct store *s = c->to->store;
    struct change change = {.store = s,
                            .accounts = {c->to->account, c->from ? c->from->account : NULL}};

    /* Counts as in flight: sets of keywords stay what they are. */
    c->to->account->in_flight++;
    bool reserved = reserve(c, e);
    store_account_landed(c->to->account);
    if (!reserved)
        return false;
    size_t i = 0;
    for (; c->count - i > COPY_RECORD_MAX; i += COPY_RECORD_MAX) {
        add_record(c, i, COPY_RECORD_MAX, false);
        struct str part = buf_str(&s->record);
        journal_append(s->journal, JOURNAL_STORE, RECORD_COPY, RECORD_VERSION, &part, 1);
    }
    add_record(c, i, c->count - i, true);
    bool ok = change_commit(&change, RECORD_COPY, e);
    if (ok)
        publish(c);
    change_end(&change);
    return ok;
}

static bool wait_for_accounts(struct copy *c, struct err *e)
{
    while (c->from->account->busy || c->to->account->busy) {
        if (!store_account_wait(c->from->account, e) || !store_account_wait(c->to->account, e))
            return false;
    }
    return mailbox_is_usable(c->from, e) && mailbox_is_usable(c->to, e);
}

static void report(const struct copy *c, struct arena *a, uint32_t **source, uint32_t **copies,
                   size_t *done)
{
    *source = arena_array(a, c->count, sizeof(**source));
    *copies = arena_array(a, c->count, sizeof(**copies));
    for (size_t i = 0; i < c->count; i++) {
        if (!c->items[i].reserved)
            continue;
        (*source)[*done] = c->items[i].uid;
        (*copies)[(*done)++] = c->items[i].copy.uid;
    }
}

void copy_end(struct copy *c)
{
    struct buf paths = BUF_EMPTY, path = BUF_EMPTY;

    for (size_t i = 0; i < c->count; i++) {
        if (!c->items[i].made)
            continue;
        add_tmp_path(&path, c, &c->items[i]);
        buf_add(&paths, path.p, path.n + 1);
    }
    if (paths.n > 0)
        worker_run(WORKER_DISK, run_unlink, &paths);
    buf_free(&paths);
    buf_free(&path);
    free(c->items);
    buf_free(&c->names);
}

bool mailbox_copy(struct mailbox *from, const uint32_t *uids, size_t count, struct mailbox *to,
                  bool move, struct arena *a, uint32_t **source, uint32_t **copies, size_t *done,
                  struct err *e)
{
    return mailbox_copy_without(from, uids, count, to, move, (struct copy_without){0}, a, source,
                                copies, done, e);
}

bool mailbox_copy_without(struct mailbox *from, const uint32_t *uids, size_t count,
                          struct mailbox *to, bool move, struct copy_without without,
                          struct arena *a, uint32_t **source, uint32_t **copies, size_t *done,
                          struct err *e)
{
    struct copy c = {.from = from, .to = to, .move = move, .without = without};
    struct quota_count reserved;

    *done = 0;
    *source = *copies = NULL;
    if (count > COPY_MAX)
        return err_set(e, ERR_LIMIT, "at most %d messages can be copied at once", COPY_MAX);
    if (!store_ready(from->store, e) || !wait_for_accounts(&c, e))
        return false;
    mailbox_ref(from);
    mailbox_ref(to);
    bool ok = quota_reserve_copy(from, uids, count, to, move, &reserved, e) &&
              wait_for_accounts(&c, e) && make_links(&c, uids, count, e) &&
              wait_for_accounts(&c, e) && copy_commit(&c, e);
    if (ok)
        report(&c, a, source, copies, done);
    copy_end(&c);
    quota_release(to, &reserved);
    mailbox_unref(from);
    mailbox_unref(to);
    return ok;
}
