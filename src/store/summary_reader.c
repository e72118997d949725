/*
 * Reading summaries. Of a block only the columns of the fields that are asked for are read, each
 * whole, with its checksum; a few blocks stay in the reader, so going through a mailbox in order
 * reads each once. What is damaged is forgotten.
 *
 * Messages without a summary are read from their files (summary_build.c).
 */
#include "core/file.h"
#include "core/mem.h"
#include "store/summary_cache.h"

#include <fcntl.h>
#include <stdlib.h>

#define BLOCKS 4
/* So often all that are missing are built ahead. If they still are, the file cannot be written, or
 * they are too large for it: then one by one. */
#define BUILD_TRIES 4

struct loaded_block {
    struct summary_block head;
    uint64_t at; /* 0: empty */
    struct buf columns[SUMMARY_FIELDS];
};

struct summary_reader {
    struct mailbox *mailbox;
    unsigned fields;
    const uint32_t *expected;
    size_t expected_count, expected_at;
    uint64_t builder; /* that this reader has begun, 0: none */
    unsigned tries;
    size_t hint;
    int fd;              /* -1: not open */
    uint64_t generation; /* of the file that is open */
    struct loaded_block blocks[BLOCKS];
    struct loaded_block *recent;
    size_t next_block;
    struct summary_record *held; /* the strings of the last answer, if they are not of a block */
};

struct summary_reader *summary_reader_new(struct mailbox *m, unsigned fields)
{
    struct summary_reader *r = MEM_NEW(struct summary_reader);

    *r = (struct summary_reader){.mailbox = mailbox_ref(m), .fields = fields, .fd = -1};
    r->recent = &r->blocks[0];
    return r;
}

void summary_reader_expect(struct summary_reader *r, const uint32_t *uids, size_t count)
{
    r->expected = uids;
    r->expected_count = count;
    r->expected_at = 0;
}

static void close_file(struct summary_reader *r)
{
    file_close(r->fd);
    r->fd = -1;
    for (size_t i = 0; i < BLOCKS; i++)
        r->blocks[i].at = 0;
}

static void hold(struct summary_reader *r, struct summary_record *record)
{
    summary_record_unref(r->held);
    r->held = record;
}

void summary_reader_free(struct summary_reader *r)
{
    if (!r)
        return;
    summary_build_stop(r->mailbox, r->builder);
    close_file(r);
    hold(r, NULL);
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t f = 0; f < SUMMARY_FIELDS; f++)
            buf_free(&r->blocks[i].columns[f]);
    }
    summary_write(r->mailbox, true);
    mailbox_unref(r->mailbox);
    free(r);
}

/* --- from the file --- */

/* Places mean those of the present file: after it was written anew that is another one. */
static bool open_file(struct summary_reader *r)
{
    struct mailbox *m = r->mailbox;
    struct buf path = BUF_EMPTY;
    struct err error;

    if (r->fd >= 0 && r->generation == m->summaries->generation)
        return true;
    if (r->fd >= 0)
        close_file(r);
    r->generation = m->summaries->generation;
    buf_printf(&path, "%s/" SUMMARY_FILE_NAME, m->dir);
    bool ok = file_open(buf_c(&path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &r->fd, &error);
    buf_free(&path);
    if (!ok)
        r->fd = -1;
    if (!ok && error.kind == ERR_NOT_FOUND && !m->is_deleted &&
        r->generation == m->summaries->generation)
        summary_drop_file(m);
    return ok;
}

static bool read_column(struct summary_reader *r, struct loaded_block *b, unsigned field)
{
    struct buf *column = &b->columns[field];
    size_t length = b->head.columns[field].length, got = 0;
    struct err error;

    buf_clear(column);
    if (!file_read_at(r->fd, buf_reserve(column, length), length,
                      b->head.at + b->head.columns[field].offset, &got, SUMMARY_FILE_NAME, &error))
        return false;
    column->n = got;
    return summary_column_check(&b->head, field, buf_str(column));
}

static bool read_block(struct summary_reader *r, struct loaded_block *b, uint64_t at)
{
    char head[SUMMARY_HEAD_MAX];
    struct err error;
    size_t got = 0;

    b->at = 0;
    bool ok = file_read_at(r->fd, head, sizeof(head), at, &got, SUMMARY_FILE_NAME, &error) &&
              summary_block_parse(str_from(head, got), at, &b->head);
    for (unsigned f = 0; ok && f < SUMMARY_FIELDS; f++)
        ok = !(r->fields & 1u << f) || read_column(r, b, f);
    if (ok)
        b->at = at;
    return ok;
}

/* NULL: it cannot be read; then its messages have no summary any more. */
static struct loaded_block *find_block(struct summary_reader *r, uint64_t at)
{
    if (r->fd >= 0 && r->generation == r->mailbox->summaries->generation) {
        if (r->recent->at == at)
            return r->recent;
        for (size_t i = 0; i < BLOCKS; i++) {
            if (r->blocks[i].at == at)
                return r->recent = &r->blocks[i];
        }
    }
    if (!open_file(r))
        return NULL;
    uint64_t generation = r->generation;
    r->recent = &r->blocks[r->next_block++ % BLOCKS];
    if (read_block(r, r->recent, at))
        return r->recent;
    if (generation == r->mailbox->summaries->generation)
        summary_drop_block(r->mailbox, at);
    return NULL;
}

bool summary_read_place(struct summary_reader *r, uint64_t place, uint32_t uid, uint64_t size,
                        struct summary_record *record)
{
    struct loaded_block *b = find_block(r, place >> 8);
    uint32_t at = place & 255;

    if (!b || at >= b->head.count || b->head.uids[at] != uid || b->head.sizes[at] != size)
        return false;
    *record = (struct summary_record){0};
    for (unsigned f = 0; f < SUMMARY_FIELDS; f++) {
        if (r->fields & 1u << f)
            record->fields[f] = summary_column_get(&b->head, buf_str(&b->columns[f]), at);
    }
    return true;
}

/* --- from messages --- */

/* Those expected from uid on. */
static void begin_to_build(struct summary_reader *r, uint32_t uid)
{
    if (r->mailbox->summaries->builder || r->tries == BUILD_TRIES)
        return;
    while (r->expected_at < r->expected_count && r->expected[r->expected_at] < uid)
        r->expected_at++;
    if (r->expected_at == r->expected_count || r->expected[r->expected_at] != uid)
        return;
    r->tries++;
    r->builder = summary_build_many(r->mailbox, r->expected + r->expected_at,
                                    r->expected_count - r->expected_at);
}

static bool build(struct summary_reader *r, uint32_t uid, struct err *e)
{
    hold(r, summary_build_one(r->mailbox, uid, e));
    return r->held != NULL;
}

/* --- both --- */

/* True: found at the place it has. Does not suspend when the block is there already. */
static bool from_place(struct summary_reader *r, const struct message *message,
                       struct message_summary *s)
{
    struct summary_record *record, in_file;

    if (!(message->cached & SUMMARY_IN_DRAFT))
        return summary_read_place(r, message->cached, message->uid, message->size, &in_file) &&
               summary_from_record(&in_file, s);
    record = summary_find_draft(r->mailbox, message->cached);
    if (!record)
        return false;
    hold(r, summary_record_ref(record));
    return summary_from_record(record, s);
}

/* True: there is a place, and *found tells whether it was good; false: there is none. A place may
 * change while a block is read: then it is tried again. */
static bool try_places(struct summary_reader *r, uint32_t uid, struct message_summary *s,
                       bool *found, struct err *e)
{
    uint64_t before = 0;

    *found = false;
    for (;;) {
        struct message *m = summary_find_message(r->mailbox, uid, &r->hint);
        if (!m || r->mailbox->is_deleted)
            return err_set(e, ERR_NOT_FOUND, "the message was expunged");
        if (m->cached && m->cached == before)
            m->cached = 0; /* the place is wrong */
        if (!m->cached)
            return true;
        before = m->cached;
        *found = from_place(r, m, s);
        if (*found)
            return true;
    }
}

bool summary_read(struct summary_reader *r, uint32_t uid, struct message_summary *s, struct err *e)
{
    struct mailbox *m = r->mailbox;
    bool found;

    if (!m->summaries || !m->summaries->loaded)
        summary_load(m);
    for (;;) {
        if (!try_places(r, uid, s, &found, e))
            return false;
        if (found)
            return true;
        begin_to_build(r, uid);
        if (!summary_is_coming(m, uid))
            break;
        if (!cond_wait(&m->summaries->changed, DEADLINE_NONE, e))
            return false;
    }
    return build(r, uid, e) && summary_from_record(r->held, s);
}
