/*
 * A file of addresses is looked at with each use, on a worker: one that has the size and the time
 * of before is not read again. One that was changed in the last moments may change once more
 * without another time of change, so it is not remembered yet.
 *
 * Only files below the directories of the settings are read, and no link: who may write an address
 * into the directory must not be able to have other files of the server read.
 */
#include "route/include_file.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"

#include <stdlib.h>

/* A file system's clock moves in steps. */
#define TIME_STEP (2 * USEC_SEC)

/* --- where --- */

static bool is_plain(struct str path)
{
    struct str rest = str_skip(path, 1);
    if (path.n < 2 || path.p[0] != '/')
        return false;
    while (rest.p) {
        struct str part = str_split(&rest, '/');
        if (part.n == 0 || str_equal(part, STR(".")) || str_equal(part, STR("..")))
            return false;
    }
    return !memchr(path.p, '\0', path.n);
}

static bool is_below(struct str path, struct str directory)
{
    while (directory.n > 0 && directory.p[directory.n - 1] == '/')
        directory.n--;
    return str_starts_with(path, directory) && path.n > directory.n && path.p[directory.n] == '/';
}

bool include_path_is_allowed(struct str path, const struct string_list *directories)
{
    if (!is_plain(path))
        return false;
    for (size_t i = 0; i < directories->count; i++)
        if (is_below(path, str_from_c(directories->items[i])))
            return true;
    return false;
}

/* --- reading --- */

struct reading {
    const char *path;
    const struct include_file *known; /* NULL: none */
    struct include_file *file;        /* result; NULL: it is as it is known, or *error */
    size_t bad, bad_line;
    bool ok;
    struct err *error;
};

static usec modified_of(const struct stat *st)
{
    return (usec)st->st_mtim.tv_sec * USEC_SEC + st->st_mtim.tv_nsec / 1000;
}

static bool is_unchanged(const struct include_file *f, const struct stat *st)
{
    return f && f->size == (uint64_t)st->st_size && f->inode == (uint64_t)st->st_ino &&
           f->modified == modified_of(st);
}

/* Whole, or not at all: nobody gets mail by a file that is just being written. */
static bool read_content(int fd, const struct reading *r, struct buf *content,
                         const struct stat *before)
{
    size_t got = 0, size = (size_t)before->st_size;
    struct stat after;
    char *bytes = mem_alloc(size + 1);
    bool ok = disk_read_at(fd, bytes, size, 0, &got, r->path, r->error) &&
              disk_stat_open(fd, &after, r->path, r->error);
    if (ok && (got < size || after.st_size != before->st_size ||
               modified_of(&after) != modified_of(before)))
        ok = err_set(r->error, ERR_TEMP, "%s is being written", r->path);
    if (ok)
        buf_add(content, bytes, got);
    free(bytes);
    return ok;
}

static struct include_file *new_file(const struct reading *r, const struct stat *st)
{
    struct include_file *f = MEM_NEW(struct include_file);
    f->references = 1;
    f->arena = arena_new();
    f->path = arena_str(f->arena, str_from_c(r->path));
    f->size = (uint64_t)st->st_size;
    f->inode = (uint64_t)st->st_ino;
    f->modified = modified_of(st);
    return f;
}

static bool parse(struct reading *r, const struct stat *st, struct str content)
{
    struct include_text text;
    struct include_file *f = new_file(r, st);
    struct err why;
    if (!include_text_parse(content, f->arena, &text, &why)) {
        include_file_unref(f);
        return err_set(r->error, why.kind, "%s: %s", r->path, why.text);
    }
    f->list = text.list;
    f->count = text.count;
    r->bad = text.bad;
    r->bad_line = text.bad_line;
    r->file = f;
    return true;
}

static bool read_open(struct reading *r, int fd)
{
    struct stat st;
    struct buf content = BUF_EMPTY;
    if (!disk_stat_open(fd, &st, r->path, r->error))
        return false;
    if (!S_ISREG(st.st_mode))
        return err_set(r->error, ERR_PERM, "%s is no plain file", r->path);
    if (is_unchanged(r->known, &st))
        return true;
    if ((uint64_t)st.st_size > INCLUDE_SIZE_MAX)
        return err_set(r->error, ERR_LIMIT, "%s is larger than %zu bytes", r->path,
                       INCLUDE_SIZE_MAX);
    bool ok = read_content(fd, r, &content, &st) && parse(r, &st, buf_str(&content));
    buf_free(&content);
    return ok;
}

/* On a worker. */
static void read_file(void *arg)
{
    struct reading *r = arg;
    int fd;
    if (!disk_open_unleased(r->path, &fd, r->error))
        return;
    r->ok = read_open(r, fd);
    disk_close(fd);
}

/* --- what is remembered --- */

static struct include_file *find(const struct include_files *files, struct str path)
{
    struct include_file *f = files->first;
    while (f && !str_equal(f->path, path))
        f = f->next;
    return f;
}

static void take_out(struct include_files *files, const struct include_file *f)
{
    struct include_file **at = &files->first;
    while (*at && *at != f)
        at = &(*at)->next;
    if (*at)
        *at = f->next;
}

/* The reference of the memory is dropped with those that were not used for longest. */
static void forget_oldest(struct include_files *files)
{
    size_t count = 0, bytes = 0;
    struct include_file **at = &files->first;
    while (*at) {
        count++;
        bytes += arena_size((*at)->arena);
        if (count > 1 && (count > INCLUDE_FILES_MAX || bytes > INCLUDE_REMEMBERED_MAX))
            break;
        at = &(*at)->next;
    }
    struct include_file *f = *at;
    *at = NULL;
    while (f) {
        struct include_file *next = f->next;
        include_file_unref(f);
        f = next;
    }
}

static void remember(struct include_files *files, struct include_file *f)
{
    struct include_file *old = find(files, f->path);
    if (old) {
        take_out(files, old);
        include_file_unref(old);
    }
    if (clock_wall() - f->modified < TIME_STEP)
        return;
    f->references++;
    f->next = files->first;
    files->first = f;
    forget_oldest(files);
}

static void use_again(struct include_files *files, struct include_file *f)
{
    if (find(files, f->path) != f) /* forgotten meanwhile */
        return;
    take_out(files, f);
    f->next = files->first;
    files->first = f;
}

SUSPENDS struct include_file *include_file_get(struct include_files *files, struct str path,
                                               const struct string_list *directories, struct err *e)
{
    struct include_file *known = find(files, path);
    if (!include_path_is_allowed(path, directories)) {
        err_set(e, ERR_PERM, "%.*s is not below a directory of addresses.include_paths",
                STR_ARG(str_head(path, 200)));
        return NULL;
    }
    char *name = mem_dup(path.p, path.n);
    struct reading r = {.path = name, .known = known, .error = e};
    if (known)
        known->references++;
    worker_run(WORKER_DISK, read_file, &r);
    free(name);
    if (r.ok && !r.file) {
        use_again(files, known);
        return known;
    }
    include_file_unref(known);
    if (r.bad > 0)
        log_warning("route", NULL, "line without address file=<%.*s> line=%zu%s",
                    STR_ARG(r.file->path), r.bad_line, r.bad > 1 ? ": nor have others" : "");
    if (r.file)
        remember(files, r.file);
    return r.file;
}

void include_file_unref(struct include_file *f)
{
    if (!f || --f->references > 0)
        return;
    arena_free(f->arena);
    free(f);
}

void include_files_free(struct include_files *files)
{
    while (files->first) {
        struct include_file *f = files->first;
        files->first = f->next;
        include_file_unref(f);
    }
}
