/*
 * Including files. A loop is seen by the identity of the files (device and inode), so links and odd
 * spellings of a path do not hide one. Names in a pattern's folder are sorted by bytes: 10-a.conf
 * comes before 20-b.conf; hidden files match only a pattern that begins with a dot.
 */
#include "core/config_include.h"

#include "core/disk.h"

#include <fnmatch.h>
#include <stdlib.h>

struct matches {
    struct arena *arena;
    const char *folder, *pattern;
    const char **paths;
    size_t count, room;
};

static bool add_match(void *arg, const char *name, unsigned char type)
{
    struct matches *m = arg;
    (void)type;
    if (fnmatch(m->pattern, name, FNM_PERIOD) != 0)
        return true;
    m->paths = arena_grow(m->arena, m->paths, m->count, &m->room, sizeof(*m->paths), 16);
    m->paths[m->count++] = arena_printf(m->arena, "%s/%s", m->folder, name).p;
    return m->count < CONFIG_FILES_MAX;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool include_expand(struct arena *a, const char *dir, struct str pattern, const char ***paths,
                    size_t *count, struct err *e)
{
    const char *path = config_absolute(a, dir, pattern);
    if (!strpbrk(path, "*?[")) {
        *paths = arena_array(a, 1, sizeof(**paths));
        (*paths)[0] = path;
        *count = 1;
        return true;
    }
    struct str whole = str_from_c(path);
    size_t slash = (size_t)str_find_last_char(whole, '/');
    struct matches m = {
        .arena = a, .folder = arena_c(a, str_head(whole, slash)), .pattern = path + slash + 1};
    if (strpbrk(m.folder, "*?["))
        return err_set(e, ERR_SYNTAX, "include: wildcards only in the last part of a path: %s",
                       path);
    if (!disk_list(slash ? m.folder : "/", add_match, &m, e))
        return err_prefix(e, "include");
    if (m.count)
        qsort(m.paths, m.count, sizeof(*m.paths), compare_paths);
    *paths = m.paths;
    *count = m.count;
    return true;
}

bool include_open(struct config_source *s, const char *path, struct buf *content, struct err *e)
{
    struct stat st;
    if (!disk_stat(path, &st, e))
        return false;
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_SYNTAX, "%s: not a regular file", path);
    s->path = path;
    s->device = (uint64_t)st.st_dev;
    s->inode = (uint64_t)st.st_ino;
    s->on_disk = true;
    for (const struct config_source *up = s->parent; up; up = up->parent)
        if (up->on_disk && up->device == s->device && up->inode == s->inode)
            return err_set(e, ERR_SYNTAX, "include: %s includes itself", path);
    if (!disk_read_file(path, CONFIG_FILE_MAX, content, e))
        return false;
    s->p = content->p ? content->p : "";
    s->end = s->p + content->n;
    s->line = 1;
    return true;
}
