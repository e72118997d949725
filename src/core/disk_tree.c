/*
 * Directories: making them with their parents, listing, removing whole trees. Removal works on
 * descriptors (openat), follows no symbolic link and stays on the file system it began on, so that
 * nobody can lead it elsewhere by exchanging a directory under it.
 */
#include "core/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool disk_make_dir(const char *path, mode_t mode, struct err *e)
{
    if (mkdir(path, mode ? mode : 0700) == 0)
        return true;
    int error = errno;
    struct stat st;
    if (error == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return true;
    return err_set_errno(e, error == EEXIST ? ENOTDIR : error, "make directory %s", path);
}

/* Makes one directory; if it is new, its parent's entry for it is made durable. */
static bool make_durable(const char *path, const char *parent, mode_t mode, struct err *e)
{
    if (mkdir(path, mode ? mode : 0700) == 0)
        return disk_sync_dir(parent, e);
    return disk_make_dir(path, mode, e);
}

bool disk_make_dirs(const char *path, mode_t mode, struct err *e)
{
    struct buf part = BUF_EMPTY, parent = BUF_EMPTY;
    bool ok = true;
    for (const char *end = path; ok && *end;) {
        buf_clear(&parent);
        if (part.n > 0)
            buf_add_str(&parent, buf_str(&part));
        else
            buf_add_c(&parent, path[0] == '/' ? "/" : ".");
        while (*end == '/')
            end++;
        end += strcspn(end, "/");
        buf_clear(&part);
        buf_add(&part, path, (size_t)(end - path));
        ok = make_durable(buf_c(&part), buf_c(&parent), mode, e);
    }
    buf_free(&part);
    buf_free(&parent);
    return ok;
}

bool disk_remove_dir(const char *path, struct err *e)
{
    return rmdir(path) == 0 || err_set_errno(e, errno, "remove directory %s", path);
}

static bool is_dot(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

bool disk_list(const char *path, bool (*fn)(void *arg, const char *name, unsigned char type),
               void *arg, struct err *e)
{
    DIR *dir = opendir(path);
    if (!dir)
        return err_set_errno(e, errno, "list %s", path);
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(dir))) {
        if (!is_dot(entry->d_name) && !fn(arg, entry->d_name, entry->d_type))
            break;
        errno = 0;
    }
    int error = entry ? 0 : errno;
    closedir(dir);
    return error == 0 || err_set_errno(e, error, "list %s", path);
}

static bool remove_entry(int dir, const char *name, dev_t device, const char *path, struct err *e);

static bool remove_content(int fd, dev_t device, const char *path, struct err *e)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int error = errno;
        close(fd);
        return err_set_errno(e, error, "list %s", path);
    }
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(dir)))
        if (!is_dot(entry->d_name))
            ok = remove_entry(dirfd(dir), entry->d_name, device, path, e);
    closedir(dir);
    return ok;
}

static bool remove_entry(int dir, const char *name, dev_t device, const char *path, struct err *e)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return true;
    if (errno != EISDIR && errno != EPERM)
        return err_set_errno(e, errno, "remove %s in %s", name, path);
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        int error = errno;
        disk_close(fd);
        return err_set_errno(e, error, "remove %s in %s", name, path);
    }
    if (st.st_dev != device) {
        disk_close(fd);
        return err_set(e, ERR_DENIED, "%s in %s is another file system", name, path);
    }
    if (!remove_content(fd, device, path, e))
        return false;
    return unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ||
           err_set_errno(e, errno, "remove %s in %s", name, path);
}

bool disk_remove_tree(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT || err_set_errno(e, errno, "remove %s", path);
    return remove_entry(AT_FDCWD, path, st.st_dev, path, e);
}
