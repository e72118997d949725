/*
 * A message is collected whole before it is written anywhere, because only then it is certain that
 * it is whole, and because an archive wants its size first.
 */
#include "mailctl/body.h"

#include "core/disk.h"
#include "core/mem.h"
#include "mailctl/interrupt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MEMORY_MAX ((size_t)1024 * 1024)
#define PIECE      ((size_t)256 * 1024)

static const char *directory(void)
{
    const char *set = getenv("TMPDIR");
    return set && set[0] ? set : "/var/tmp";
}

void body_clear(struct body *b)
{
    if (b->map)
        munmap(b->map, (size_t)b->size);
    if (b->fd >= 0)
        disk_close(b->fd);
    if (b->memory.capacity > MEMORY_MAX)
        buf_free(&b->memory);
    buf_clear(&b->memory);
    b->fd = -1;
    b->size = 0;
    b->map = NULL;
}

static bool move_to_file(struct body *b, struct err *e)
{
    return (b->fd >= 0 || disk_open(directory(), O_RDWR | O_TMPFILE, 0600, &b->fd, e)) &&
           disk_write(b->fd, buf_str(&b->memory).p, b->memory.n, directory(), e);
}

bool body_add(struct body *b, struct str bytes, struct err *e)
{
    buf_add_str(&b->memory, bytes);
    b->size += bytes.n;
    if (b->memory.n <= MEMORY_MAX)
        return true;
    bool ok = move_to_file(b, e);
    buf_clear(&b->memory);
    return ok;
}

/* What is in memory is behind what is in the file. */
static bool each_in_file(struct body *b, bool (*fn)(void *arg, struct str piece, struct err *e),
                         void *arg, struct err *e)
{
    char *block = mem_alloc(PIECE);
    uint64_t in_file = b->size - b->memory.n;
    bool ok = true;
    for (uint64_t at = 0; ok && at < in_file;) {
        size_t got;
        size_t n = in_file - at < PIECE ? (size_t)(in_file - at) : PIECE;
        ok = disk_read_at(b->fd, block, n, at, &got, directory(), e) &&
             (got == n || err_set(e, ERR_IO, "%s: a file is too short", directory())) &&
             fn(arg, str_from(block, n), e) && (!is_interrupted() || err_interrupted(e));
        at += n;
    }
    free(block);
    return ok;
}

bool body_each(struct body *b, bool (*fn)(void *arg, struct str piece, struct err *e), void *arg,
               struct err *e)
{
    if (b->fd >= 0 && !each_in_file(b, fn, arg, e))
        return false;
    for (struct str rest = buf_str(&b->memory); rest.n > 0; rest = str_skip(rest, PIECE))
        if (!fn(arg, str_head(rest, PIECE), e))
            return false;
    return true;
}

bool body_view(struct body *b, struct str *bytes, struct err *e)
{
    if (b->fd < 0) {
        *bytes = buf_str(&b->memory);
        return true;
    }
    if (!move_to_file(b, e))
        return false;
    buf_clear(&b->memory);
    if (!b->map)
        b->map = mmap(NULL, (size_t)b->size, PROT_READ, MAP_PRIVATE, b->fd, 0);
    if (b->map == MAP_FAILED) {
        b->map = NULL;
        return err_set(e, ERR_TEMP, "a message of %llu bytes does not fit into memory",
                       (unsigned long long)b->size);
    }
    *bytes = str_from(b->map, (size_t)b->size);
    return true;
}
