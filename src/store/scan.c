/*
 * Scans: the messages of a list, cut into slices; each slice is read and looked at by one worker
 * function, and a few slices are under way at a time, so that every core has one and one to go on
 * with. The jobs of several scans queue in turn, so they share fairly, and nobody else's job waits
 * behind more than a few slices of some milliseconds.
 *
 * Which file a message is in is noted when its slice is made. Its name may change before it is
 * opened (flags, another program): what is not found there is opened afterwards on the loop, as a
 * reader does it. Messages whose file is not written yet are read where they are.
 *
 * A cold disk needs more requests at a time than there are cores. When opening and reading turns
 * out to be slow, the slices to come first go to threads that only ask the kernel to read ahead,
 * and to the cores when that is done, until that turns out to take no time.
 *
 * A message larger than a slice is one of its own, and only few of these are in memory at a time,
 * over all scans of the store.
 */
#include "store/scan.h"

#include "core/crash.h"
#include "core/disk.h"
#include "core/mem.h"
#include "core/worker.h"
#include "mime/header.h"
#include "store/limits.h"
#include "store/message_file.h"
#include "store/pending.h"
#include "store/store_internal.h"

#include <fcntl.h>
#include <stdlib.h>

#define READ_PIECE ((size_t)1024 * 1024)

struct item {
    size_t index;
    uint32_t uid;
    size_t path; /* in the slice's paths */
    uint64_t size;
    struct pending *pending; /* the message is read from memory: a reference */
    bool failed;
};

enum stage { SLICE_READ_AHEAD, SLICE_READY, SLICE_RUNNING, SLICE_DONE };

struct slice {
    struct scanner *scanner;
    enum stage stage;
    bool large;
    size_t end; /* of the list: what is before it is in this slice or an earlier one */
    struct item items[SCAN_SLICE_MESSAGES];
    size_t count;
    struct buf dir;   /* of the mailbox */
    struct buf paths; /* in it, or absolute; each with a NUL */
    struct buf bytes; /* of one message */
    struct arena *arena;
    usec reading; /* time to open and read, or to read ahead */
};

struct scanner {
    struct mailbox_scan *scan;
    struct store *store;
    struct slice **ring; /* in order; slices are made when first needed, and used again */
    size_t ring_size, first, used;
    size_t running, running_max;
    size_t next; /* of the list: the first that is in no slice yet */
    bool cold;   /* slices are read ahead */
    const struct suspect *suspect;
    struct cond changed;
};

/* --- the workers' part --- */

static size_t wanted_of(const struct scanner *c, uint64_t size)
{
    size_t most = c->scan->part == SCAN_HEADER ? SCAN_HEADER_MAX : SCAN_LARGE_MAX;
    return size < most ? (size_t)size : most;
}

/* Cuts the bytes behind the header if that is all that is wanted. */
static void look(struct slice *s, const struct item *item, struct str bytes)
{
    const struct mailbox_scan *scan = s->scanner->scan;
    struct scan_message m = {.index = item->index,
                             .uid = item->uid,
                             .size = item->size,
                             .bytes = bytes,
                             .whole = bytes.n == item->size,
                             .arena = s->arena};
    size_t end;

    if (scan->part == SCAN_HEADER && header_find_end(bytes, NULL, &end)) {
        m.bytes.n = end;
        m.whole = true;
    }
    scan->fn(scan->arg, &m);
    arena_reset(s->arena);
}

/* False: more of the file is needed. */
static bool has_enough(const struct slice *s, size_t *searched, size_t wanted)
{
    size_t end;
    return s->bytes.n >= wanted || (s->scanner->scan->part == SCAN_HEADER &&
                                    header_find_end(buf_str(&s->bytes), searched, &end));
}

/* -1: there is none, and nothing will be found in it. */
static int open_directory(struct slice *s)
{
    int fd;
    disk_open(buf_c(&s->dir), O_PATH | O_DIRECTORY, 0, &fd, NULL);
    return fd;
}

static bool read_file(struct slice *s, int directory, struct item *item)
{
    const char *path = s->paths.p + item->path;
    size_t wanted = wanted_of(s->scanner, item->size), searched = 0, got;
    size_t step = s->scanner->scan->part == SCAN_HEADER ? SCAN_HEADER_FIRST : wanted;
    uint64_t size;
    int fd;

    /* O_NONBLOCK: somebody may have put a pipe there. */
    if (!disk_open_at(directory, path, O_RDONLY | O_NONBLOCK, 0, &fd, NULL))
        return false;
    buf_clear(&s->bytes);
    /* Another size than is known: message_open finds out the right ones. */
    bool ok = disk_size(fd, &size) && size == item->size;
    while (ok && !has_enough(s, &searched, wanted)) {
        size_t n = step < wanted - s->bytes.n ? step : wanted - s->bytes.n;
        ok = disk_read_at(fd, buf_reserve(&s->bytes, n), n, s->bytes.n, &got, path, NULL);
        s->bytes.n += ok ? got : 0;
        if (ok && got < n)
            item->size = wanted = s->bytes.n; /* shorter than it was said to be */
        step *= 4;
    }
    disk_close(fd);
    return ok;
}

static struct str pending_bytes(struct slice *s, const struct pending *p)
{
    struct str message = spool_memory(p->message);

    if (p->prefix.n == 0)
        return message;
    buf_clear(&s->bytes);
    buf_add_str(&s->bytes, p->prefix);
    buf_add_str(&s->bytes, message);
    return buf_str(&s->bytes);
}

static void run_slice(void *arg)
{
    struct slice *s = arg;
    int directory = open_directory(s);

    suspect_lend(s->scanner->suspect);
    s->reading = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct item *item = &s->items[i];
        if (item->pending) {
            look(s, item, pending_bytes(s, item->pending));
            continue;
        }
        usec start = clock_monotonic();
        item->failed = !read_file(s, directory, item);
        s->reading += clock_monotonic() - start;
        if (!item->failed)
            look(s, item, buf_str(&s->bytes));
    }
    suspect_lend(NULL);
    disk_close(directory);
}

static void run_read_ahead(void *arg)
{
    struct slice *s = arg;
    int directory = open_directory(s);
    usec start = clock_monotonic();

    for (size_t i = 0; i < s->count; i++) {
        size_t n = wanted_of(s->scanner, s->items[i].size);
        if (s->scanner->scan->part == SCAN_HEADER && n > SCAN_HEADER_FIRST)
            n = SCAN_HEADER_FIRST;
        if (!s->items[i].pending)
            disk_read_ahead(directory, s->paths.p + s->items[i].path, n);
    }
    s->reading = clock_monotonic() - start;
    disk_close(directory);
}

/* --- handing out --- */

static struct slice *ring_at(const struct scanner *c, size_t i)
{
    return c->ring[(c->first + i) % c->ring_size];
}

static void slice_done(void *arg);

static void start_ready(struct scanner *c)
{
    for (size_t i = 0; i < c->used && c->running < c->running_max; i++) {
        struct slice *s = ring_at(c, i);
        if (s->stage != SLICE_READY)
            continue;
        s->stage = SLICE_RUNNING;
        c->running++;
        worker_start(WORKER_CPU, run_slice, slice_done, s);
    }
}

static void give_room(struct slice *s)
{
    struct store *store = s->scanner->store;

    if (!s->large)
        return;
    s->large = false;
    buf_free(&s->bytes);
    store->scan_large--;
    cond_broadcast(&store->scan_room);
}

static void slice_done(void *arg)
{
    struct slice *s = arg;
    struct scanner *c = s->scanner;

    s->stage = SLICE_DONE;
    c->running--;
    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].pending)
            pending_unref(s->items[i].pending);
    }
    give_room(s);
    if (s->reading > SCAN_COLD * (usec)s->count)
        c->cold = true;
    start_ready(c);
    cond_broadcast(&c->changed);
}

static void read_ahead_done(void *arg)
{
    struct slice *s = arg;
    s->stage = SLICE_READY;
    if (s->reading < SCAN_WARM * (usec)s->count)
        s->scanner->cold = false;
    start_ready(s->scanner);
}

/* --- making slices --- */

static bool is_large(const struct scanner *c, const struct message *m)
{
    return wanted_of(c, m->size) > SCAN_SLICE_BYTES;
}

static void add_item(struct slice *s, const struct message *message)
{
    struct item *item = &s->items[s->count++];
    struct pending_target *t = message->state & STATE_PENDING ? message->file : NULL;

    *item = (struct item){.index = s->scanner->next, .uid = message->uid, .size = message->size};
    if (t && !t->pending->path) {
        item->pending = pending_ref(t->pending);
        return;
    }
    item->path = s->paths.n;
    if (t)
        buf_add_c(&s->paths, t->pending->path);
    else
        message_file_add_path(&s->paths, message_file_of(message));
    buf_add_char(&s->paths, '\0');
}

/* Takes messages from the list. What is large goes alone. */
static void fill(struct slice *s)
{
    struct scanner *c = s->scanner;
    struct mailbox *m = c->scan->mailbox;
    size_t bytes = 0;

    for (; c->next < c->scan->count && s->count < SCAN_SLICE_MESSAGES; c->next++) {
        const struct message *message = mailbox_find_uid(m, c->scan->uids[c->next]);
        if (!message || m->is_deleted) {
            c->scan->missing++;
            continue;
        }
        bytes += wanted_of(c, message->size);
        if (s->count > 0 && bytes > SCAN_SLICE_BYTES)
            break;
        s->large = is_large(c, message);
        add_item(s, message);
    }
    s->end = c->next;
}

static struct slice *slice_new(struct scanner *c)
{
    size_t at = (c->first + c->used++) % c->ring_size;

    if (!c->ring[at]) {
        c->ring[at] = MEM_NEW(struct slice);
        *c->ring[at] = (struct slice){.scanner = c, .arena = arena_new_sized(SCAN_ARENA)};
    }
    c->ring[at]->count = 0;
    buf_clear(&c->ring[at]->paths);
    buf_clear(&c->ring[at]->dir);
    buf_add_c(&c->ring[at]->dir, c->scan->mailbox->dir);
    return c->ring[at];
}

static void start_slice(struct scanner *c)
{
    struct slice *s = slice_new(c);

    fill(s);
    if (s->large)
        c->store->scan_large++;
    s->stage = s->count == 0 ? SLICE_DONE : c->cold ? SLICE_READ_AHEAD : SLICE_READY;
    if (s->stage == SLICE_READ_AHEAD)
        worker_start(WORKER_READ, run_read_ahead, read_ahead_done, s);
}

/* Only the first of a slice can be large. */
static bool next_is_large(struct scanner *c)
{
    for (; c->next < c->scan->count; c->next++, c->scan->missing++) {
        const struct message *m = mailbox_find_uid(c->scan->mailbox, c->scan->uids[c->next]);
        if (m && !c->scan->mailbox->is_deleted)
            return is_large(c, m);
    }
    return false;
}

static bool wait_for_room(struct scanner *c, struct err *e)
{
    while (c->store->scan_large >= SCAN_LARGE_AT_ONCE) {
        if (!cond_wait(&c->store->scan_room, DEADLINE_NONE, e))
            return false;
    }
    return true;
}

static bool start_slices(struct scanner *c, struct err *e)
{
    while (c->next < c->scan->count) {
        size_t most = c->cold ? c->ring_size : c->running_max;
        if (c->used >= most)
            break;
        if (next_is_large(c) && c->store->scan_large >= SCAN_LARGE_AT_ONCE) {
            if (c->used > 0)
                break; /* what is under way first */
            if (!wait_for_room(c, e))
                return false;
            continue; /* it may be gone */
        }
        start_slice(c);
    }
    start_ready(c);
    return true;
}

/* --- what was not found under its name --- */

static void note_failure(struct scanner *c, const struct err *error)
{
    c->scan->missing++;
    if (error->kind != ERR_NOT_FOUND && c->scan->first_error.kind == ERR_NONE)
        c->scan->first_error = *error;
}

struct again {
    struct slice *slice;
    const struct item *item;
};

static void run_again(void *arg)
{
    struct again *again = arg;
    look(again->slice, again->item, buf_str(&again->slice->bytes));
}

static bool read_again(struct slice *s, struct message_reader *r, size_t wanted, struct err *e)
{
    size_t got;

    buf_clear(&s->bytes);
    while (s->bytes.n < wanted) {
        size_t n = wanted - s->bytes.n < READ_PIECE ? wanted - s->bytes.n : READ_PIECE;
        if (!message_read_at(r, buf_reserve(&s->bytes, n), n, s->bytes.n, &got, e))
            return false;
        s->bytes.n += got;
        if (got < n)
            break;
    }
    return true;
}

static bool try_again(struct slice *s, struct item *item, struct err *e)
{
    struct scanner *c = s->scanner;
    struct message_reader *r;

    if (!message_open(c->scan->mailbox, item->uid, &r, e))
        return false;
    item->size = message_reader_size(r);
    size_t wanted = wanted_of(c, item->size);
    bool large = wanted > SCAN_SLICE_BYTES, ok = !large || wait_for_room(c, e);
    if (ok && large) {
        c->store->scan_large++;
        s->large = true;
    }
    ok = ok && read_again(s, r, wanted, e);
    message_close(r);
    if (ok) {
        if (s->bytes.n < wanted)
            item->size = s->bytes.n;
        struct again again = {s, item};
        worker_run(WORKER_CPU, run_again, &again);
    }
    give_room(s);
    return ok;
}

/* --- the scan --- */

static void finish_first(struct scanner *c, bool stopped)
{
    struct slice *s = ring_at(c, 0);
    struct err error = {0};

    while (s->stage != SLICE_DONE)
        cond_wait_certain(&c->changed);
    for (size_t i = 0; i < s->count && !stopped; i++) {
        if (s->items[i].failed && !try_again(s, &s->items[i], &error))
            note_failure(c, &error);
    }
    c->first = (c->first + 1) % c->ring_size;
    c->used--;
}

static bool go_on(struct scanner *c, struct err *e)
{
    struct mailbox_scan *scan = c->scan;

    if (!start_slices(c, e))
        return false;
    size_t end = ring_at(c, 0)->end;
    finish_first(c, false);
    fiber_yield();
    if (fiber_is_cancelled(fiber_self()))
        return err_set(e, ERR_CANCELLED, "the scan was cancelled");
    if (scan->progress && !scan->progress(scan->arg, end)) {
        if (e)
            *e = (struct err){0};
        return false;
    }
    return true;
}

bool mailbox_scan(struct mailbox_scan *scan, struct err *e)
{
    struct scanner c = {.scan = scan, .store = scan->mailbox->store};
    struct arena *a = arena_new();
    struct suspect suspect;
    bool ok = true;

    mailbox_suspect(scan->mailbox, a, &suspect);
    c.suspect = &suspect;
    scan->missing = 0;
    scan->first_error = (struct err){0};
    c.running_max = 2 * worker_threads(WORKER_CPU);
    c.ring_size = c.running_max + 2 * worker_threads(WORKER_READ);
    c.ring = mem_array(c.ring_size, sizeof(struct slice *));
    mailbox_ref(scan->mailbox);
    while (ok && (c.next < scan->count || c.used > 0))
        ok = go_on(&c, e);
    while (c.used > 0)
        finish_first(&c, true);
    mailbox_unref(scan->mailbox);
    for (size_t i = 0; i < c.ring_size; i++) {
        if (!c.ring[i])
            continue;
        buf_free(&c.ring[i]->paths);
        buf_free(&c.ring[i]->dir);
        buf_free(&c.ring[i]->bytes);
        arena_free(c.ring[i]->arena);
        free(c.ring[i]);
    }
    free(c.ring);
    suspect_end(&suspect);
    arena_free(a);
    return ok;
}
