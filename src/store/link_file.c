/*
 * Hard links, with a copy as the way out: file systems limit the links of a file (65,000 on ext4).
 */
#include "store/link_file.h"

#include "core/disk.h"
#include "core/mem.h"

#include <fcntl.h>
#include <stdlib.h>

#define BLOCK (256 * 1024)

static bool copy_bytes(int in, const char *from, int out, const char *to, struct err *e)
{
    char *block = mem_alloc(BLOCK);
    uint64_t offset = 0;
    size_t got = 0;
    bool ok = true;

    do {
        ok = disk_read_at(in, block, BLOCK, offset, &got, from, e) &&
             disk_write(out, block, got, to, e);
        offset += got;
    } while (ok && got == BLOCK);
    free(block);
    return ok && disk_sync(out, to, e);
}

static bool copy_file(const char *from, const char *to, struct err *e)
{
    struct stat st;
    int in, out;

    if (!disk_stat(from, &st, e) || !disk_open(from, O_RDONLY, 0, &in, e))
        return false;
    bool ok = disk_open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600, &out, e);
    if (ok) {
        ok = copy_bytes(in, from, out, to, e);
        disk_close(out);
        ok = ok && disk_set_times(to, (usec)st.st_mtime * USEC_SEC, e);
        if (!ok)
            disk_unlink(to, NULL);
    }
    disk_close(in);
    return ok;
}

bool file_link_or_copy(const char *from, const char *to, struct err *e)
{
    struct err error;

    if (disk_link(from, to, &error) || error.kind == ERR_EXISTS)
        return true;
    if (error.kind != ERR_NOT_FOUND && error.kind != ERR_NO_SPACE && copy_file(from, to, NULL))
        return true;
    if (e)
        *e = error;
    return false;
}
