/*
 * Any bytes as an archive: its members are read, written again, and read as the same.
 */
#include "core/mem.h"
#include "mailctl/tar.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_bytes(void *arg, void *p, size_t n, size_t *got, struct err *e)
{
    struct str *rest = arg;
    (void)e;
    *got = n < rest->n ? n : rest->n;
    if (*got > 0)
        memcpy(p, rest->p, *got);
    *rest = str_skip(*rest, *got);
    return true;
}

static bool write_bytes(void *arg, const void *p, size_t n, struct err *e)
{
    (void)e;
    buf_add(arg, p, n);
    return true;
}

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool read_content(struct tar_reader *r, struct buf *content, struct err *e)
{
    char block[700];
    size_t got;
    do {
        if (!tar_read(r, block, sizeof(block), &got, e))
            return false;
        buf_add(content, block, got);
    } while (got > 0);
    return true;
}

/* Adds what was read to `description`, and to the writer (may be NULL). */
static void take_members(struct str bytes, struct tar_writer *w, struct buf *description)
{
    struct tar_reader r = {.from = {read_bytes, &bytes, NULL}};
    struct tar_member m;
    struct err e;
    bool end = false;
    uint64_t missing;
    while (tar_read_member(&r, &m, &end, &e) && !end) {
        struct buf content = BUF_EMPTY;
        must(m.path.n <= TAR_HEADER_MAX);
        if (!read_content(&r, &content, &e)) {
            buf_free(&content);
            break;
        }
        must(content.n == m.size);
        bool plain = m.path.n > 0 && !memchr(m.path.p, '\0', m.path.n) &&
                     !str_starts_with(m.path, STR("./")) && m.path.p[0] != '/';
        if (plain) {
            buf_printf(description, "%.*s %d %lld %zu ", STR_ARG(m.path), m.directory,
                       (long long)m.modified, content.n);
            buf_add_str(description, buf_str(&content));
        }
        if (w && plain) {
            must(tar_write_member(w, &m, &e) && tar_write(w, buf_str(&content), &e) &&
                 tar_end_member(w, &missing, &e) && missing == 0);
        }
        buf_free(&content);
    }
    tar_reader_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = BUF_EMPTY, first = BUF_EMPTY, again = BUF_EMPTY;
    struct tar_writer w = {.to = {write_bytes, &out}};
    take_members(str_from((const char *)data, size), &w, &first);
    take_members(buf_str(&out), NULL, &again);
    must(str_equal(buf_str(&first), buf_str(&again)));
    buf_free(&out);
    buf_free(&first);
    buf_free(&again);
    return 0;
}
