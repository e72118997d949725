/*
 * File by file, block by block: an index tells which blocks can have what is looked for, and what
 * it does not cover - lines that were just written, or all of them when it is damaged - is looked
 * through. Nothing is locked: files are only appended to, replaced by their compressed form, or
 * removed, and a reader that has one open goes on with it.
 */
#include "trace/scan.h"

#include "core/crc32c.h"
#include "core/disk.h"
#include "core/mem.h"
#include "trace/filter.h"
#include "trace/line.h"
#include "trace/pack.h"
#include "trace/term.h"
#include "trace/volume.h"

#include <stdlib.h>

#define PIECE ((size_t)256 * 1024)

struct scanning {
    const struct trace_query *query;
    uint64_t *terms;
    trace_event_fn *fn;
    void *arg;
    struct trace_scanned done;
    struct line_clock clock;
    bool stopped;
    struct buf stored, text;
};

/* A file that is read. */
struct source {
    uint32_t number;
    struct buf path, index_path;
    int fd;
    bool packed;
    uint64_t size;
    struct block_index index;
};

/* Between one read and the next. */
static bool goes_on(struct scanning *s)
{
    if (!s->stopped && s->query->deadline && clock_monotonic() > s->query->deadline)
        s->done.late = s->stopped = true;
    return !s->stopped;
}

/* --- lines --- */

static bool is_wanted(const struct trace_query *q, usec when)
{
    return (q->from == 0 || when >= q->from) && (q->to == 0 || when < q->to);
}

/* Lines that begin at `offset` of the file; returns the bytes of those that are whole. */
static size_t scan_lines(struct scanning *s, uint32_t number, uint64_t offset, struct str text)
{
    size_t at = 0;
    while (at < text.n && !s->stopped) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        if (!end)
            break;
        struct trace_event event;
        size_t n = (size_t)(end - text.p) - at;
        if (line_parse(str_from(text.p + at, n), &s->clock, &event) &&
            is_wanted(s->query, event.when)) {
            event.position = (uint64_t)number << 32 | (offset + at);
            s->stopped = !s->fn(s->arg, &event);
        }
        at += n + 1;
    }
    s->done.bytes += at;
    return at;
}

/* --- blocks --- */

static bool may_have(const struct scanning *s, const struct index_entry *entry)
{
    const struct trace_query *q = s->query;
    if (entry->lines > 0 &&
        ((q->from != 0 && entry->last < q->from) || (q->to != 0 && entry->first >= q->to)))
        return false;
    if (q->term_count == 0)
        return true;
    for (size_t i = 0; i < q->term_count; i++)
        if (filter_may_have(entry->filter, s->terms[i]))
            return true;
    return false;
}

static bool read_bytes(struct buf *to, const struct source *x, uint64_t at, size_t n)
{
    size_t got;
    buf_clear(to);
    if (!disk_read_at(x->fd, buf_reserve(to, n + 1), n, at, &got, x->path.p, NULL))
        return false;
    to->n = got;
    return true;
}

static bool read_block(struct scanning *s, const struct source *x, const struct index_entry *entry)
{
    if (!x->packed)
        return read_bytes(&s->text, x, entry->at, entry->size) && s->text.n == entry->size;
    buf_clear(&s->text);
    if (!read_bytes(&s->stored, x, entry->at, entry->stored) ||
        !pack_inflate(buf_str(&s->stored), buf_reserve(&s->text, entry->size), entry->size))
        return false;
    s->text.n = entry->size;
    return true;
}

/* Of a damaged block the lines that are left. */
static void scan_block(struct scanning *s, const struct source *x, const struct index_entry *entry)
{
    if (!may_have(s, entry))
        return;
    s->done.blocks++;
    bool ok = read_block(s, x, entry);
    if (!ok || crc32c(0, s->text.p, s->text.n) != entry->checksum)
        s->done.damaged++;
    scan_lines(s, x->number, entry->offset, buf_str(&s->text));
}

/* What the index does not cover. Of a line that is longer than a piece the rest is none. */
static void scan_rest(struct scanning *s, const struct source *x)
{
    uint64_t at = x->index.covered;
    while (!x->packed && at < x->size && goes_on(s)) {
        size_t n = x->size - at < PIECE ? (size_t)(x->size - at) : PIECE;
        if (!read_bytes(&s->text, x, at, n) || s->text.n == 0) {
            s->done.damaged++;
            return;
        }
        size_t taken = scan_lines(s, x->number, at, buf_str(&s->text));
        if (taken == 0 && s->text.n < PIECE)
            return;
        at += taken > 0 ? taken : s->text.n;
    }
}

/* --- files --- */

static bool open_form(struct source *x, const char *dir, bool packed, struct err *e)
{
    buf_clear(&x->path);
    buf_clear(&x->index_path);
    volume_add_path(&x->path, dir, x->number, packed ? VOLUME_PACKED : VOLUME_LINES);
    volume_add_path(&x->index_path, dir, x->number, packed ? VOLUME_PACKED_INDEX : VOLUME_INDEX);
    buf_c(&x->index_path);
    x->packed = packed;
    return disk_open_unleased(buf_c(&x->path), &x->fd, e);
}

/* It may be compressed at this very moment. */
static bool open_source(struct source *x, const char *dir, struct err *e)
{
    return open_form(x, dir, true, e) ||
           (e->kind == ERR_NOT_FOUND && open_form(x, dir, false, e)) ||
           (e->kind == ERR_NOT_FOUND && open_form(x, dir, true, e));
}

/* The size before the index: what is written meanwhile is covered by neither. */
static bool read_index(struct source *x, struct err *e)
{
    bool made;
    if (!disk_size(x->fd, &x->size))
        return err_set(e, ERR_IO, "%s: its size is not known", x->path.p);
    if (x->packed)
        return pack_read_index(&x->index, x->fd, x->path.p, x->index_path.p, x->number, &made, e);
    block_index_read(&x->index, x->index_path.p, x->number, false, x->size, NULL);
    return true;
}

static void scan_source(struct scanning *s, const struct source *x)
{
    size_t count = x->index.count;
    bool back = s->query->newest_first;
    if (back)
        scan_rest(s, x);
    for (size_t i = 0; i < count && goes_on(s); i++)
        scan_block(s, x, &x->index.entries[back ? count - 1 - i : i]);
    if (!back)
        scan_rest(s, x);
}

static void scan_file(struct scanning *s, uint32_t number)
{
    struct source x = {.number = number, .fd = -1};
    struct err e;
    if (open_source(&x, s->query->dir, &e) && read_index(&x, &e)) {
        s->done.files++;
        scan_source(s, &x);
    } else if (e.kind != ERR_NOT_FOUND) {
        s->done.damaged++;
    }
    disk_close(x.fd);
    block_index_free(&x.index);
    buf_free(&x.path);
    buf_free(&x.index_path);
}

bool trace_search(const struct trace_query *query, trace_event_fn *fn, void *arg,
                  struct trace_scanned *done, struct err *e)
{
    struct volume_list l;
    if (!volume_list_read(&l, query->dir, e))
        return false;
    struct scanning s = {.query = query,
                         .fn = fn,
                         .arg = arg,
                         .terms = mem_array(query->term_count + 1, sizeof(*s.terms))};
    for (size_t i = 0; i < query->term_count; i++)
        s.terms[i] = term_hash(query->terms[i]);
    for (size_t i = 0; i < l.count && goes_on(&s); i++)
        scan_file(&s, l.numbers[query->newest_first ? l.count - 1 - i : i]);
    if (done)
        *done = s.done;
    free(s.terms);
    buf_free(&s.stored);
    buf_free(&s.text);
    volume_list_free(&l);
    return true;
}

bool trace_scan(const char *dir, usec from, usec to, trace_event_fn *fn, void *arg, struct err *e)
{
    return trace_search(&(struct trace_query){.dir = dir, .from = from, .to = to}, fn, arg, NULL,
                        e);
}
