/*
 * Output in blocks, to a file or to a pipe.
 */
#include "mailctl/output.h"

#include "core/disk.h"
#include "core/mem.h"
#include "mailctl/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t)256 * 1024)

bool output_open(struct output *o, const char *path, struct err *e)
{
    *o = (struct output){.path = path, .fd = STDOUT_FILENO};
    if (strcmp(path, "-") == 0)
        return true;
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "%s.XXXXXX", path);
    buf_c(&b);
    o->temporary = b.p;
    o->fd = mkostemp(o->temporary, O_CLOEXEC);
    if (o->fd >= 0)
        return true;
    err_set_errno(e, errno, "%s", path);
    free(o->temporary);
    o->temporary = NULL;
    return false;
}

bool output_flush(struct output *o, struct err *e)
{
    const char *p = buf_str(&o->buffer).p;
    size_t left = o->buffer.n;
    while (left > 0) {
        ssize_t n = write(o->fd, p, left);
        if (is_interrupted())
            return err_interrupted(e);
        if (n < 0 && errno != EINTR)
            return err_set_errno(e, errno, "%s", o->temporary ? o->path : "standard output");
        p += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    buf_clear(&o->buffer);
    return true;
}

bool output_write(struct output *o, const void *p, size_t n, struct err *e)
{
    buf_add(&o->buffer, p, n);
    return o->buffer.n < BLOCK_SIZE || output_flush(o, e);
}

static bool put_in_place(struct output *o, struct err *e)
{
    ptrdiff_t slash = str_find_last_char(str_from_c(o->path), '/');
    char *directory = mem_dup(o->path, slash > 0 ? (size_t)slash : 1);
    if (slash < 0)
        directory[0] = '.';
    bool ok = disk_sync(o->fd, o->path, e) && disk_rename(o->temporary, o->path, e);
    if (ok)
        disk_sync_dir(directory, NULL);
    free(directory);
    return ok;
}

bool output_close(struct output *o, bool ok, struct err *e)
{
    ok = ok && output_flush(o, e) && (!o->temporary || put_in_place(o, e));
    if (o->temporary) {
        disk_close(o->fd);
        if (!ok)
            disk_unlink(o->temporary, NULL);
        free(o->temporary);
        o->temporary = NULL;
    }
    buf_free(&o->buffer);
    return ok;
}
