/*
 * The size in the name costs nothing, the size of the file one system call, and the size with CRLF
 * a read of all of it: each only when the one before cannot be believed.
 */
#include "store/file_size.h"

#include "core/disk.h"
#include "store/maildir_name.h"
#include "store/message_count.h"

bool file_size_find(const char *path, struct str base, struct file_size *f, struct err *e)
{
    uint64_t named;
    struct stat st;

    if (!disk_stat(path, &st, e))
        return false;
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_NOT_FOUND, "%s is not a file", path);
    f->size = (uint64_t)st.st_size;
    f->date = st.st_mtime;
    if (maildir_name_get_size(base, 'S', &named) && named == f->size &&
        maildir_name_get_size(base, 'W', &f->size_crlf) && f->size_crlf >= f->size &&
        f->size_crlf <= 2 * f->size)
        return true;
    return message_count_file(path, &f->size, &f->size_crlf, e);
}
