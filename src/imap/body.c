/*
 * Reading messages. A header is read in steps that grow until the empty line is found, so fetching
 * the headers of a large mailbox reads a block or two of each file. A message up to
 * IMAP_MESSAGE_WHOLE is read whole when more than its header is asked for. For the structure of a
 * larger one its bytes must be in memory once; only IMAP_LARGE_AT_ONCE of these are there at a
 * time, and a worker parses them. What is kept is the tree with its offsets, and the sections are
 * streamed from the file. The tree stays with the selected mailbox until another large message is
 * asked for: clients fetch its parts one by one.
 */
#include "imap/body.h"

#include "core/mem.h"
#include "core/worker.h"
#include "imap/limits.h"

#include <stdlib.h>

#define FIRST_READ 8192

void imap_structure_free(struct imap_structure *s)
{
    if (s)
        arena_free(s->arena);
}

void imap_body_init(struct imap_body *b, struct imap_context *c, struct mailbox *m,
                    struct imap_structure **kept)
{
    *b = (struct imap_body){.context = c, .mailbox = m, .kept = kept, .arena = arena_new()};
}

static void close_message(struct imap_body *b)
{
    if (b->reader)
        message_close(b->reader);
    b->reader = NULL;
    b->root = NULL;
    b->header_known = false;
    buf_clear(&b->bytes);
}

void imap_body_free(struct imap_body *b)
{
    close_message(b);
    buf_free(&b->bytes);
    arena_free(b->arena);
}

bool imap_body_open(struct imap_body *b, uint32_t uid, struct err *e)
{
    close_message(b);
    arena_reset(b->arena);
    if (!message_open(b->mailbox, uid, &b->reader, e)) {
        b->reader = NULL;
        return false;
    }
    b->uid = uid;
    b->size = message_reader_size(b->reader);
    return true;
}

bool imap_body_is_small(const struct imap_body *b)
{
    return b->size <= IMAP_MESSAGE_WHOLE;
}

/* Reads until `upto` bytes are there, or the file ends. */
static bool fill(struct imap_body *b, uint64_t upto, struct err *e)
{
    if (upto > b->size)
        upto = b->size;
    while (b->bytes.n < upto) {
        size_t wanted = (size_t)upto - b->bytes.n, got;
        char *p = buf_reserve(&b->bytes, wanted);
        if (!message_read_at(b->reader, p, wanted, b->bytes.n, &got, e))
            return false;
        b->bytes.n += got;
        if (got < wanted)
            b->size = upto = b->bytes.n; /* shorter than it was said to be */
    }
    return true;
}

bool imap_body_read(struct imap_body *b, struct err *e)
{
    return fill(b, IMAP_MESSAGE_WHOLE, e);
}

/* --- the header --- */

/* Finds the empty line that ends the header, over any number of calls with successive bytes. */
struct end_finder {
    bool line_start; /* only CRs since the last LF, or since the start */
    uint64_t at;
};

static bool find_end(struct end_finder *f, struct str bytes)
{
    for (size_t i = 0; i < bytes.n; i++, f->at++) {
        char c = bytes.p[i];
        if (c == '\n') {
            if (f->line_start) {
                f->at++;
                return true;
            }
            f->line_start = true;
        } else if (c != '\r') {
            f->line_start = false;
        }
    }
    return false;
}

/* Past what is kept in memory. */
static bool scan_file(struct imap_body *b, struct end_finder *f, struct err *e)
{
    char *chunk = mem_alloc(IMAP_CHUNK);
    bool ok = true, found = false;
    while (!found && f->at < b->size) {
        size_t got;
        ok = message_read_at(b->reader, chunk, IMAP_CHUNK, f->at, &got, e);
        if (!ok || got == 0)
            break;
        found = find_end(f, str_from(chunk, got));
        fiber_yield();
    }
    free(chunk);
    return ok;
}

static bool find_header(struct imap_body *b, struct err *e)
{
    struct end_finder f = {.line_start = true};
    bool found = false;
    for (uint64_t upto = FIRST_READ; !found; upto *= 4) {
        if (!fill(b, upto < IMAP_HEADER_MAX ? upto : IMAP_HEADER_MAX, e))
            return false;
        found = find_end(&f, str_skip(buf_str(&b->bytes), (size_t)f.at));
        if (b->bytes.n >= b->size || b->bytes.n >= IMAP_HEADER_MAX)
            break;
    }
    if (!found && !scan_file(b, &f, e))
        return false;
    b->header_end = f.at;
    b->header_known = true;
    return true;
}

bool imap_body_header(struct imap_body *b, struct str *block, struct err *e)
{
    if (!b->header_known && !find_header(b, e))
        return false;
    if (block)
        *block =
            str_head(buf_str(&b->bytes),
                     b->header_end < IMAP_HEADER_MAX ? (size_t)b->header_end : IMAP_HEADER_MAX);
    return true;
}

/* --- large messages --- */

struct large_job {
    struct imap_body *body;
    struct buf bytes;
    void (*fn)(void *arg, struct str message);
    void *arg;
};

static void run_job(void *arg)
{
    struct large_job *job = arg;
    job->fn(job->arg, buf_str(&job->bytes));
}

static bool read_large(struct large_job *job, struct err *e)
{
    struct imap_body *b = job->body;
    uint64_t size = b->size < IMAP_PARSE_MAX ? b->size : IMAP_PARSE_MAX;
    char *p = buf_reserve(&job->bytes, (size_t)size);
    while (job->bytes.n < size) {
        size_t wanted = (size_t)size - job->bytes.n, got;
        if (wanted > 16 * IMAP_CHUNK)
            wanted = 16 * IMAP_CHUNK;
        if (!message_read_at(b->reader, p + job->bytes.n, wanted, job->bytes.n, &got, e))
            return false;
        job->bytes.n += got;
        if (got < wanted)
            break;
        fiber_yield();
    }
    return true;
}

bool imap_body_run_large(struct imap_body *b, void (*fn)(void *arg, struct str message), void *arg,
                         struct err *e)
{
    struct imap_context *context = b->context;
    while (context->large_now >= IMAP_LARGE_AT_ONCE)
        if (!cond_wait(&context->large_free, DEADLINE_NONE, e))
            return false;
    context->large_now++;
    struct large_job job = {.body = b, .fn = fn, .arg = arg};
    bool ok = read_large(&job, e);
    if (ok)
        worker_run(WORKER_CPU, run_job, &job);
    buf_free(&job.bytes);
    context->large_now--;
    cond_signal(&context->large_free);
    return ok;
}

/* --- the structure --- */

static void parse_large(void *arg, struct str message)
{
    struct imap_structure *s = arg;
    s->root = mime_parse(s->arena, message, &mime_limits_default, true);
    struct buf text = BUF_EMPTY;
    mime_write_bodystructure(&text, s->root, message, false);
    s->body = arena_str(s->arena, buf_str(&text));
    buf_clear(&text);
    mime_write_bodystructure(&text, s->root, message, true);
    s->bodystructure = arena_str(s->arena, buf_str(&text));
    buf_free(&text);
}

static bool find_large_structure(struct imap_body *b, struct err *e)
{
    if (*b->kept && (*b->kept)->uid == b->uid)
        return true;
    imap_structure_free(*b->kept);
    *b->kept = NULL;
    struct arena *a = arena_new();
    struct imap_structure *s = ARENA_NEW(a, struct imap_structure);
    s->arena = a;
    s->uid = b->uid;
    if (!imap_body_run_large(b, parse_large, s, e)) {
        arena_free(a);
        return false;
    }
    *b->kept = s;
    return true;
}

bool imap_body_parse(struct imap_body *b, struct err *e)
{
    if (b->root)
        return true;
    if (imap_body_is_small(b)) {
        if (!imap_body_read(b, e))
            return false;
        b->root = mime_parse(b->arena, buf_str(&b->bytes), &mime_limits_default, false);
        return true;
    }
    if (!find_large_structure(b, e))
        return false;
    b->root = (*b->kept)->root;
    return true;
}

void imap_body_write_structure(struct imap_body *b, struct buf *out, bool extended)
{
    const struct imap_structure *s = imap_body_is_small(b) ? NULL : *b->kept;
    if (!s)
        mime_write_bodystructure(out, b->root, buf_str(&b->bytes), extended);
    else
        buf_add_str(out, extended ? s->bodystructure : s->body);
}
