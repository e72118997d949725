/*
 * Blocks of the index. Each begins with a head of INDEX_BLOCK_HEAD bytes:
 *
 *   u32 magic, u32 type, u64 length of the payload, u32 crc32c of the payload, u32 crc of the head
 *
 * and holds, after the state (struct state, then list_extra): the names of all keywords if they
 * have changed, new sets of keywords, new entries of the expunge history - which are the UIDs to
 * take out as well -, and messages as they are now, new and changed ones alike: an array of struct
 * record, then the names of their files as message_file.c keeps them in memory.
 *
 * Damage is noticed by the checksum; but who can write to the file can make a checksum, too. So
 * nothing that is read here may lead outside of memory or, as a name, outside of the mailbox.
 */
#include "store/index_format.h"

#include "core/crc32c.h"
#include "core/mem.h"

#include <assert.h>
#include <stdlib.h>

#define MAGIC       0x58444d31u /* "1MDX" */
#define BLOCK_MAGIC 0x4b4c424du
#define VERSION     1

/* --- the header --- */

struct header {
    uint32_t magic, version;
    uint64_t length, snapshot;
    uint8_t guid[GUID_SIZE];
    uint32_t uid_validity, uid_next;
    uint64_t modseq, messages, size, size_crlf;
    uint32_t unseen, deleted, recent, unused;
    struct {
        int64_t time;
        uint64_t inode, size;
    } stamps[4];
    uint8_t young, unused_bytes[3];
    uint32_t crc;
};

static_assert(sizeof(struct header) == INDEX_HEADER_SIZE, "the header's form");

static struct dir_stamp *stamp_at(struct index_stamps *s, size_t i)
{
    struct dir_stamp *const stamps[] = {&s->cur, &s->new, &s->list, &s->keywords};
    return stamps[i];
}

void index_header_fill(struct index_header *h, const struct mailbox_content *c)
{
    *h = (struct index_header){.uid_validity = c->uid_validity,
                               .uid_next = c->uid_next,
                               .modseq = c->modseq,
                               .messages = c->count,
                               .size = c->counts.size,
                               .size_crlf = c->counts.size_crlf,
                               .unseen = c->counts.unseen,
                               .deleted = c->counts.deleted,
                               .recent =
                                   (uint32_t)(c->count - mailbox_content_find(c, c->recent_from)),
                               .stamps = c->stamps};
    memcpy(h->guid, c->guid, GUID_SIZE);
}

void index_add_header(struct buf *b, const struct index_header *h)
{
    struct index_stamps stamps = h->stamps;
    struct header out = {.magic = MAGIC,
                         .version = VERSION,
                         .length = h->length,
                         .snapshot = h->snapshot,
                         .uid_validity = h->uid_validity,
                         .uid_next = h->uid_next,
                         .modseq = h->modseq,
                         .messages = h->messages,
                         .size = h->size,
                         .size_crlf = h->size_crlf,
                         .unseen = h->unseen,
                         .deleted = h->deleted,
                         .recent = h->recent,
                         .young = h->young};

    memcpy(out.guid, h->guid, GUID_SIZE);
    for (size_t i = 0; i < 4; i++) {
        const struct dir_stamp *s = stamp_at(&stamps, i);
        out.stamps[i].time = s->time;
        out.stamps[i].inode = s->inode;
        out.stamps[i].size = s->size;
    }
    out.crc = crc32c(0, &out, offsetof(struct header, crc));
    buf_add(b, &out, sizeof(out));
}

bool index_read_header(struct str bytes, struct index_header *h)
{
    struct header in;

    *h = (struct index_header){0};
    if (bytes.n < INDEX_HEADER_SIZE)
        return false;
    memcpy(&in, bytes.p, sizeof(in));
    if (in.magic != MAGIC || in.version != VERSION ||
        in.crc != crc32c(0, &in, offsetof(struct header, crc)))
        return false;
    *h = (struct index_header){.length = in.length,
                               .snapshot = in.snapshot,
                               .uid_validity = in.uid_validity,
                               .uid_next = in.uid_next,
                               .modseq = in.modseq,
                               .messages = in.messages,
                               .size = in.size,
                               .size_crlf = in.size_crlf,
                               .unseen = in.unseen,
                               .deleted = in.deleted,
                               .recent = in.recent,
                               .young = in.young};
    memcpy(h->guid, in.guid, GUID_SIZE);
    for (size_t i = 0; i < 4; i++)
        *stamp_at(&h->stamps, i) = (struct dir_stamp){
            .time = in.stamps[i].time, .inode = in.stamps[i].inode, .size = in.stamps[i].size};
    return true;
}

/* --- writing a block --- */

struct block_head {
    uint32_t magic, type;
    uint64_t length;
    uint32_t crc, head_crc;
};

static_assert(sizeof(struct block_head) == INDEX_BLOCK_HEAD, "the head's form");

size_t index_begin_block(struct buf *b, enum index_block_type type)
{
    size_t at = b->n;
    struct block_head head = {.magic = BLOCK_MAGIC, .type = type};

    buf_add(b, &head, sizeof(head));
    return at;
}

void index_end_block(struct buf *b, size_t block)
{
    struct block_head head;
    size_t start = block + sizeof(head);

    memcpy(&head, b->p + block, sizeof(head));
    head.length = b->n - start;
    head.crc = crc32c(0, b->p + start, b->n - start);
    head.head_crc = crc32c(0, &head, offsetof(struct block_head, head_crc));
    memcpy(b->p + block, &head, sizeof(head));
}

#define STATE_LIST_REWRITE     1
#define STATE_KEYWORDS_CHANGED 2

struct state {
    uint8_t guid[GUID_SIZE];
    uint32_t uid_validity, uid_next, recent_from, list_last;
    uint64_t modseq, floor, list_lines;
    uint32_t bits, unused;
};

static void add_keywords(struct buf *b, const struct keyword_table *k,
                         const struct index_since *since)
{
    bool names = !since || since->keyword_changes != k->changes;
    size_t from = since ? since->sets : 0, sets = 0, count, at;

    buf_add_u32(b, names ? (uint32_t)k->count : UINT32_MAX);
    for (size_t i = 0; names && i < k->count; i++)
        buf_add_counted(b, k->names[i]);
    at = b->n;
    buf_add_u32(b, 0);
    for (uint32_t id = (uint32_t)from + 1; id <= k->set_count; id++) {
        const uint16_t *numbers = keyword_set_numbers(k, id, &count);
        if (count == 0)
            continue;
        buf_add_u32(b, id);
        buf_add_u32(b, (uint32_t)count);
        for (size_t i = 0; i < count; i++)
            buf_add_u16(b, numbers[i]);
        sets++;
    }
    for (int i = 0; i < 4; i++)
        b->p[at + (size_t)i] = (char)(sets >> 8 * i);
}

static void add_history(struct buf *b, const struct expunge_history *h,
                        const struct index_since *since)
{
    size_t from = since ? expunge_history_find(h, since->modseq) : h->start;

    buf_add_u32(b, (uint32_t)(h->count - from));
    for (size_t i = from; i < h->count; i++) {
        buf_add_u64(b, h->ranges[i].modseq);
        buf_add_u32(b, h->ranges[i].first);
        buf_add_u32(b, h->ranges[i].last);
        buf_add_u32(b, h->ranges[i].time);
    }
}

void index_add_state(struct buf *b, const struct mailbox_content *c,
                     const struct index_since *since)
{
    struct state s = {.uid_validity = c->uid_validity,
                      .uid_next = c->uid_next,
                      .recent_from = c->recent_from,
                      .list_last = c->list_last,
                      .modseq = c->modseq,
                      .floor = c->expunged.floor,
                      .list_lines = c->list_lines,
                      .bits = (c->list_rewrite ? STATE_LIST_REWRITE : 0) |
                              (c->keywords_changed ? STATE_KEYWORDS_CHANGED : 0)};

    memcpy(s.guid, c->guid, GUID_SIZE);
    buf_add(b, &s, sizeof(s));
    buf_add_counted(b, str_from_c(c->list_extra));
    add_keywords(b, &c->keywords, since);
    add_history(b, &c->expunged, since);
}

struct record {
    uint32_t uid, keywords;
    uint64_t modseq, size, size_crlf;
    int64_t internal_date, save_date;
    uint32_t flags, unused;
};

static_assert(sizeof(struct record) == 56, "the record's form");

void index_add_messages(struct buf *b, const struct message *messages, size_t count)
{
    size_t names = 0;

    for (size_t i = 0; i < count; i++)
        names += message_file_size(messages[i].file);
    buf_add_u64(b, count);
    buf_add_u64(b, names);
    struct record *out = (struct record *)buf_reserve(b, count * sizeof(*out) + names);
    for (size_t i = 0; i < count; i++) {
        const struct message *m = &messages[i];
        struct record r = {.uid = m->uid,
                           .keywords = m->keywords,
                           .modseq = m->modseq,
                           .size = m->size,
                           .size_crlf = m->size_crlf,
                           .internal_date = m->internal_date,
                           .save_date = m->save_date,
                           .flags = m->flags};
        memcpy(out + i, &r, sizeof(r));
    }
    b->n += count * sizeof(*out);
    for (size_t i = 0; i < count; i++) {
        size_t n = message_file_size(messages[i].file);
        message_file_dump(b->p + b->n, messages[i].file);
        b->n += n;
    }
}

/* --- reading a block --- */

bool index_next_block(struct str *bytes, enum index_block_type *type, struct str *payload)
{
    struct block_head head;

    if (bytes->n < sizeof(head))
        return false;
    memcpy(&head, bytes->p, sizeof(head));
    struct str rest = str_skip(*bytes, sizeof(head));
    if (head.magic != BLOCK_MAGIC ||
        head.head_crc != crc32c(0, &head, offsetof(struct block_head, head_crc)) ||
        head.length > rest.n || head.crc != crc32c(0, rest.p, head.length))
        return false;
    *type = (enum index_block_type)head.type;
    *payload = str_head(rest, head.length);
    *bytes = str_skip(rest, head.length);
    return true;
}

static bool read_bytes(struct reader *r, void *p, size_t n)
{
    if (r->bad || r->n < n) {
        r->bad = true;
        return false;
    }
    memcpy(p, r->p, n);
    r->p += n;
    r->n -= n;
    return true;
}

static void read_state(struct reader *r, struct mailbox_content *c, bool snapshot)
{
    struct state s;

    if (!read_bytes(r, &s, sizeof(s)))
        return;
    struct str extra = read_counted(r);
    if (!snapshot &&
        (memcmp(s.guid, c->guid, GUID_SIZE) != 0 || s.uid_validity != c->uid_validity ||
         s.modseq < c->modseq || s.uid_next < c->uid_next))
        r->bad = true;
    memcpy(c->guid, s.guid, GUID_SIZE);
    c->uid_validity = s.uid_validity;
    c->uid_next = s.uid_next;
    c->recent_from = s.recent_from;
    c->list_last = s.list_last;
    c->list_lines = s.list_lines;
    c->modseq = s.modseq;
    c->expunged.floor = s.floor;
    c->list_rewrite = s.bits & STATE_LIST_REWRITE;
    c->keywords_changed = s.bits & STATE_KEYWORDS_CHANGED;
    free(c->list_extra);
    c->list_extra = extra.n > 0 ? mem_dup(extra.p, extra.n) : NULL;
}

static void read_keywords(struct reader *r, struct keyword_table *k)
{
    uint32_t names = read_u32(r);

    for (uint32_t i = 0; names != UINT32_MAX && i < names && !r->bad; i++) {
        struct str name = read_counted(r);
        bool same = i < k->count && str_equal(k->names[i], name);
        if (!same && i < k->count && k->names[i].n > 0)
            keywords_remove(k, i);
        if (!same && name.n > 0 && !keywords_put(k, i, name))
            r->bad = true;
    }
    uint32_t sets = read_u32(r);
    for (uint32_t i = 0; i < sets && !r->bad; i++) {
        uint32_t id = read_u32(r), count = read_u32(r);
        if (count > r->n / 2) {
            r->bad = true;
            break;
        }
        uint16_t *numbers = mem_array(count, sizeof(*numbers));
        for (uint32_t n = 0; n < count; n++)
            numbers[n] = read_u16(r);
        if (!keyword_set_put(k, id, numbers, count))
            r->bad = true;
        free(numbers);
    }
}

static void take_out(struct mailbox_content *c, const struct expunge_range *range)
{
    for (size_t i = mailbox_content_find(c, range->first);
         i < c->count && c->messages[i].uid <= range->last; i++)
        c->messages[i].file = NULL;
}

static void read_history(struct reader *r, struct mailbox_content *c)
{
    uint32_t count = read_u32(r);
    uint64_t last = c->expunged.count > c->expunged.start
                        ? c->expunged.ranges[c->expunged.count - 1].modseq
                        : 0;

    for (uint32_t i = 0; i < count && !r->bad; i++) {
        struct expunge_range range = {.modseq = read_u64(r)};
        range.first = read_u32(r);
        range.last = read_u32(r);
        range.time = read_u32(r);
        if (range.modseq < last || range.first > range.last)
            r->bad = true;
        if (r->bad)
            return;
        last = range.modseq;
        expunge_history_add_range(&c->expunged, &range);
        take_out(c, &range);
    }
}

static void put_message(struct mailbox_content *c, const struct message *m)
{
    size_t at = mailbox_content_find(c, m->uid);

    if (at < c->count && c->messages[at].uid == m->uid)
        c->messages[at] = *m;
    else
        mailbox_content_insert(c, m);
}

static bool check_record(const struct mailbox_content *c, const struct record *r, uint32_t last)
{
    size_t count;

    if (r->keywords > 0) {
        keyword_set_numbers(&c->keywords, r->keywords, &count);
        if (count == 0)
            return false;
    }
    return r->uid > last && r->uid < c->uid_next && r->modseq <= c->modseq &&
           (r->flags & ~(uint32_t)MESSAGE_FLAGS_ALL) == 0;
}

static void reserve(struct mailbox_content *c, size_t count)
{
    if (c->count + count <= c->capacity)
        return;
    c->capacity = c->count + count + (c->count + count) / 16 + 8;
    c->messages = mem_resize(c->messages, c->capacity * sizeof(*c->messages));
}

static void read_messages(struct reader *r, struct mailbox_content *c)
{
    uint64_t count = read_u64(r), names = read_u64(r);
    uint32_t last = 0;

    if (r->bad || count > r->n / sizeof(struct record) ||
        names != r->n - count * sizeof(struct record)) {
        r->bad = true;
        return;
    }
    const char *records = r->p;
    char *files = file_pool_adopt(&c->files, r->p + count * sizeof(struct record), names);
    if (c->count == 0 || names > 65536)
        reserve(c, count);
    for (size_t i = 0; i < count && !r->bad; i++) {
        struct record in;
        memcpy(&in, records + i * sizeof(in), sizeof(in));
        size_t n = message_file_check(files, names);
        if (n == 0 || !check_record(c, &in, last)) {
            r->bad = true;
            return;
        }
        put_message(c, &(struct message){.uid = in.uid,
                                         .keywords = in.keywords,
                                         .flags = (uint8_t)in.flags,
                                         .modseq = in.modseq,
                                         .size = in.size,
                                         .size_crlf = in.size_crlf,
                                         .internal_date = in.internal_date,
                                         .save_date = in.save_date,
                                         .file = files});
        files += n;
        names -= n;
        last = in.uid;
    }
    r->bad |= names > 0;
}

bool index_apply_block(struct mailbox_content *c, enum index_block_type type, struct str payload)
{
    struct reader r = {.p = payload.p, .n = payload.n};

    if ((type != INDEX_SNAPSHOT || c->uid_validity != 0) &&
        (type != INDEX_CHANGES || c->uid_validity == 0))
        return false;
    read_state(&r, c, type == INDEX_SNAPSHOT);
    if (!r.bad)
        read_keywords(&r, &c->keywords);
    if (!r.bad)
        read_history(&r, c);
    if (!r.bad)
        read_messages(&r, c);
    return !r.bad;
}

void index_finish(struct mailbox_content *c)
{
    size_t to = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (!c->messages[i].file)
            continue;
        if (to != i)
            c->messages[to] = c->messages[i];
        to++;
    }
    c->count = to;
}
