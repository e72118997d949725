/*
 * A message's RFC822.SIZE counts every line end as CRLF, whatever the file has.
 *
 * A file that cannot be read (another owner, a bad sector) has the size that the file system says:
 * its mailbox must open all the same, and who reads that message is told.
 */
#include "store/message_count.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "mime/message.h"

#include <fcntl.h>
#include <stdlib.h>

#define COUNT_BLOCK (64 * 1024)

static bool count(const char *path, uint64_t *size, uint64_t *size_crlf, struct err *e)
{
    char *block = mem_alloc(COUNT_BLOCK), before = 0;
    size_t got = 0;
    int fd;

    *size = *size_crlf = 0;
    bool ok = disk_open(path, O_RDONLY, 0, &fd, e);
    do {
        ok = ok && disk_read_at(fd, block, COUNT_BLOCK, *size, &got, path, e);
        if (ok && got > 0) {
            *size_crlf += mime_crlf_size(str_from(block, got), before);
            before = block[got - 1];
            *size += got;
        }
    } while (ok && got == COUNT_BLOCK);
    disk_close(fd);
    free(block);
    return ok;
}

bool message_count_file(const char *path, uint64_t *size, uint64_t *size_crlf, struct err *e)
{
    struct err error;
    struct stat st;

    if (!disk_stat(path, &st, e))
        return false;
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_NOT_FOUND, "%s is not a file", path);
    if (count(path, size, size_crlf, &error))
        return true;
    if (error.kind != ERR_IO) {
        if (e)
            *e = error;
        return false;
    }
    log_warning("store", NULL, "message cannot be read: %s", error.text);
    *size = *size_crlf = (uint64_t)st.st_size;
    return true;
}
