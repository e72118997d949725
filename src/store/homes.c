/*
 * A Maildir that was used has a marker in it (folder_disk.h); nothing below it is looked at, nor
 * below one that was not used yet. What cannot be read is passed over.
 */
#include "store/homes.h"

#include "core/disk.h"
#include "store/folder_disk.h"
#include "store/limits.h"
#include "store/public.h"

#include <dirent.h>

struct reading {
    struct buf children; /* names with NULs */
    bool top, is_used;
    unsigned subdirs; /* bits: which of those of a Maildir there are */
};

static bool see_entry(void *arg, const char *name, unsigned char type)
{
    static const char *const subdirs[] = {"cur", "new", "tmp"};
    struct reading *r = arg;

    if (type != DT_DIR && strcmp(name, FOLDER_MARKER) == 0)
        r->is_used = true;
    if (name[0] == '.' && r->top && strcmp(name, PUBLIC_HOME) == 0)
        buf_add(&r->children, name, strlen(name) + 1);
    if (name[0] == '.' || (type != DT_DIR && type != DT_UNKNOWN))
        return !r->is_used;
    for (unsigned i = 0; i < 3; i++)
        r->subdirs |= (unsigned)(strcmp(name, subdirs[i]) == 0) << i;
    buf_add(&r->children, name, strlen(name) + 1);
    return true;
}

static size_t depth_of(struct str dir)
{
    size_t depth = dir.n > 0;
    for (size_t i = 0; i < dir.n; i++)
        depth += dir.p[i] == '/';
    return depth;
}

static void read_dir(struct homes *h, struct str dir)
{
    struct reading r = {.top = dir.n == 0};
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/%.*s", h->path, STR_ARG(dir));
    disk_list(buf_c(&path), see_entry, &r, NULL);
    buf_free(&path);
    if (r.is_used) {
        buf_add_str(&h->found, dir);
        buf_add_char(&h->found, '\0');
    } else if (r.subdirs != 7 && depth_of(dir) < HOME_DEPTH_MAX) {
        for (size_t at = 0; at < r.children.n; at += strlen(r.children.p + at) + 1) {
            if (dir.n > 0) {
                buf_add_str(&h->dirs, dir);
                buf_add_char(&h->dirs, '/');
            }
            buf_add(&h->dirs, r.children.p + at, strlen(r.children.p + at) + 1);
        }
    }
    buf_free(&r.children);
}

/* The last directory of the list, with its NUL taken off. */
static bool take_dir(struct homes *h, struct buf *dir)
{
    if (h->dirs.n == 0)
        return false;
    size_t end = --h->dirs.n;
    while (h->dirs.n > 0 && h->dirs.p[h->dirs.n - 1] != '\0')
        h->dirs.n--;
    buf_clear(dir);
    buf_add(dir, h->dirs.p + h->dirs.n, end - h->dirs.n);
    return true;
}

bool homes_next(struct homes *h, size_t most)
{
    struct buf dir = BUF_EMPTY;

    buf_clear(&h->found);
    if (!h->begun)
        read_dir(h, STR(""));
    h->begun = true;
    for (size_t i = 0; i < most && take_dir(h, &dir); i++)
        read_dir(h, buf_str(&dir));
    buf_free(&dir);
    return h->dirs.n > 0;
}

void homes_free(struct homes *h)
{
    buf_free(&h->dirs);
    buf_free(&h->found);
}
