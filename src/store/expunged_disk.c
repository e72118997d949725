/*
 * Keeping, listing and removing what was expunged. A message comes here by one rename within the
 * file system (flush.c); a deleted mailbox by one rename of its directory. The directory of a
 * mailbox stays when it is empty, since the next expunge would make it again; it goes together
 * with a deleted mailbox.
 */
#include "store/expunged_disk.h"

#include "core/disk.h"
#include "core/mem.h"
#include "mime/header.h"
#include "store/maildir_name.h"
#include "store/message_count.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#define HEADER_MAX (32 * 1024)

void expunged_disk_add_dir(struct buf *b, const char *maildir, const uint8_t guid[GUID_SIZE])
{
    char hex[2 * GUID_SIZE];

    guid_format(hex, guid);
    buf_printf(b, "%s/" EXPUNGED_DIR "/%.*s", maildir, (int)sizeof(hex), hex);
}

bool expunged_disk_prepare(const char *maildir, struct buf *dir, struct buf *note, struct err *e)
{
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/" EXPUNGED_DIR, maildir);
    bool ok = disk_make_dir(buf_c(&path), 0700, e) && disk_make_dir(buf_c(dir), 0700, e);
    buf_clear(&path);
    buf_printf(&path, "%s/mailbox", buf_c(dir));
    ok = ok && (note->n == 0 || disk_replace_file(buf_c(&path), buf_str(note), 0600, e));
    buf_free(&path);
    return ok;
}

bool expunged_disk_take_mailbox(const char *maildir, const char *from,
                                const uint8_t guid[GUID_SIZE], struct buf *note, int64_t now,
                                struct err *e)
{
    struct buf dir = BUF_EMPTY, to = BUF_EMPTY;
    struct err error = {0};

    expunged_disk_add_dir(&dir, maildir, guid);
    buf_printf(&to, "%s/", buf_c(&dir));
    expunged_deleted_add(&to, now);
    bool ok = expunged_disk_prepare(maildir, &dir, note, e);
    if (ok && !disk_rename(from, buf_c(&to), &error) && error.kind != ERR_NOT_FOUND) {
        ok = false;
        *e = error;
    }
    ok = ok && disk_sync_dir(dir.p, e);
    buf_free(&dir);
    buf_free(&to);
    return ok;
}

/* --- looking --- */

struct list {
    const struct expunged_filter *filter;
    struct arena *arena;
    struct expunged_box *boxes;
    size_t count, capacity;
    /* of the box being read */
    struct expunged_box *box;
    size_t capacity_files;
    struct buf path;
    const char *deleted; /* name of its deleted.<time> */
};

static const char *path_in_box(struct list *l, const char *name)
{
    buf_clear(&l->path);
    buf_printf(&l->path, "%.*s/%s", STR_ARG(l->box->dir), name);
    return buf_c(&l->path);
}

static bool wants_uid(const struct expunged_filter *f, uint32_t uid)
{
    for (size_t i = 0; i < f->uid_count; i++) {
        if (uid >= f->uids[i].first && uid <= f->uids[i].last)
            return true;
    }
    return f->uids == NULL;
}

static void describe(struct list *l, struct expunged_file *f, const char *path)
{
    char *block = mem_alloc(HEADER_MAX);
    struct str value;
    size_t got;
    int fd;

    f->from = f->subject = STR("");
    if (disk_open(path, O_RDONLY | O_NOFOLLOW, 0, &fd, NULL)) {
        if (disk_read_at(fd, block, HEADER_MAX, 0, &got, path, NULL)) {
            if (header_find(str_from(block, got), STR("From"), &value))
                f->from = header_decode(l->arena, value);
            if (header_find(str_from(block, got), STR("Subject"), &value))
                f->subject = header_decode(l->arena, value);
        }
        disk_close(fd);
    }
    free(block);
}

static void add_file(struct list *l, const struct expunged_file *f)
{
    struct expunged_box *box = l->box;

    box->files =
        arena_grow(l->arena, box->files, box->count, &l->capacity_files, sizeof(*box->files), 16);
    box->files[box->count++] = *f;
}

static bool see_file(void *arg, const char *name, unsigned char type)
{
    struct list *l = arg;
    struct expunged_file f = {0};
    struct stat st;
    int64_t deleted;

    (void)type;
    if (expunged_deleted_parse(str_from_c(name), &deleted)) {
        if (deleted >= l->filter->since && deleted > l->box->deleted && !l->filter->uids) {
            l->box->deleted = deleted;
            l->deleted = arena_c(l->arena, str_from_c(name));
        }
        return true;
    }
    f.file = str_from_c(name);
    if (!expunged_name_parse(f.file, &f.name) || f.name.time < l->filter->since ||
        !wants_uid(l->filter, f.name.uid))
        return true;
    const char *path = path_in_box(l, name);
    if (!disk_stat(path, &st, NULL) || !S_ISREG(st.st_mode))
        return true;
    f.date = st.st_mtim.tv_sec;
    f.size = (uint64_t)st.st_size;
    f.file = arena_str(l->arena, f.file);
    expunged_name_parse(f.file, &f.name);
    if (l->filter->describe)
        describe(l, &f, path);
    else if (!maildir_name_get_size(f.name.base, 'W', &f.size_crlf) || f.size_crlf < f.size)
        message_count_file(path, &f.size, &f.size_crlf, NULL);
    add_file(l, &f);
    return true;
}

static int compare_files(const void *a, const void *b)
{
    const struct expunged_name *x = &((const struct expunged_file *)a)->name;
    const struct expunged_name *y = &((const struct expunged_file *)b)->name;

    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void read_note(struct list *l)
{
    struct expunged_note note = {0}, *kept = &l->box->note;
    struct buf text = BUF_EMPTY;

    disk_read_file(path_in_box(l, "mailbox"), EXPUNGED_NOTE_MAX, &text, NULL);
    expunged_note_parse(&note, buf_str(&text));
    kept->name = arena_str(l->arena, note.name);
    kept->uid_validity = note.uid_validity;
    for (size_t i = 0; i < KEYWORD_LETTERS; i++)
        kept->keywords[i] = arena_str(l->arena, note.keywords[i]);
    buf_free(&text);
}

static bool count_entry(void *arg, const char *name, unsigned char type)
{
    (void)type;
    *(size_t *)arg += name[0] != '.';
    return true;
}

static void count_deleted(struct list *l)
{
    static const char *const places[] = {"cur", "new"};

    for (size_t i = 0; i < 2; i++) {
        path_in_box(l, l->deleted);
        buf_printf(&l->path, "/%s", places[i]);
        disk_list(buf_c(&l->path), count_entry, &l->box->deleted_messages, NULL);
    }
}

static bool see_box(void *arg, const char *name, unsigned char type)
{
    struct list *l = arg;
    struct expunged_box box = {0};

    if ((type != DT_DIR && type != DT_UNKNOWN) || !guid_parse(str_from_c(name), box.guid))
        return true;
    l->boxes = mem_grow(l->boxes, l->count, &l->capacity, sizeof(*l->boxes), 16);
    l->boxes[l->count++] = box;
    return true;
}

static bool read_box(struct list *l, const char *root, struct err *e)
{
    struct err error = {0};
    struct buf dir = BUF_EMPTY;

    expunged_disk_add_dir(&dir, root, l->box->guid);
    l->box->dir = arena_str(l->arena, buf_str(&dir));
    l->capacity_files = 0;
    l->deleted = NULL;
    bool ok = disk_list(buf_c(&dir), see_file, l, &error) || error.kind == ERR_NOT_FOUND;
    buf_free(&dir);
    if (!ok && e)
        *e = error;
    if (!ok || (l->box->count == 0 && !l->deleted))
        return ok;
    read_note(l);
    if (l->deleted)
        count_deleted(l);
    if (l->box->count > 1)
        qsort(l->box->files, l->box->count, sizeof(*l->box->files), compare_files);
    return true;
}

bool expunged_disk_list(const char *maildir, const struct expunged_filter *f, struct arena *a,
                        struct expunged_box **boxes, size_t *count, struct err *e)
{
    struct list l = {.filter = f, .arena = a};
    struct buf root = BUF_EMPTY;
    struct err error = {0};
    bool ok;

    buf_printf(&root, "%s/" EXPUNGED_DIR, maildir);
    ok = disk_list(buf_c(&root), see_box, &l, &error) || error.kind == ERR_NOT_FOUND;
    if (!ok && e)
        *e = error;
    *count = 0;
    *boxes = arena_array(a, l.count, sizeof(**boxes));
    for (size_t i = 0; ok && i < l.count; i++) {
        l.box = &l.boxes[i];
        ok = read_box(&l, maildir, e);
        if (ok && (l.box->count > 0 || l.box->deleted > 0))
            (*boxes)[(*count)++] = *l.box;
    }
    free(l.boxes);
    buf_free(&root);
    buf_free(&l.path);
    return ok;
}

/* --- removing --- */

struct purging {
    struct expunged_purge *purge;
    const char *dir; /* the directory being read */
    struct buf path;
    struct buf later; /* paths of deleted mailboxes that go */
    bool left;        /* something stays in this directory */
};

static bool note_failure(struct expunged_purge *p, const struct err *e)
{
    if (p->error.kind == ERR_NONE)
        p->error = *e;
    return true;
}

static bool purge_entry(void *arg, const char *name, unsigned char type)
{
    struct purging *g = arg;
    struct expunged_purge *p = g->purge;
    struct expunged_name n;
    struct err e;
    int64_t deleted;

    (void)type;
    bool mailbox = expunged_deleted_parse(str_from_c(name), &deleted);
    if (!mailbox && !expunged_name_parse(str_from_c(name), &n))
        return true;
    int64_t time = mailbox ? deleted : n.time;
    if (time >= p->before) {
        g->left = true;
        p->earliest = time < p->earliest ? time : p->earliest;
        return true;
    }
    if (p->removed >= p->most) {
        p->more = g->left = true;
        return false;
    }
    buf_clear(&g->path);
    buf_printf(&g->path, "%s/%s", g->dir, name);
    if (mailbox) {
        buf_add(&g->later, buf_c(&g->path), g->path.n + 1);
    } else if (disk_unlink(buf_c(&g->path), &e)) {
        p->removed++;
    } else {
        g->left = note_failure(p, &e);
    }
    return true;
}

struct emptying {
    struct purging *purging;
    const char *dir;
};

static bool empty_entry(void *arg, const char *name, unsigned char type)
{
    struct emptying *m = arg;
    struct purging *g = m->purging;
    struct err e;

    (void)type;
    if (g->purge->removed >= g->purge->most) {
        g->purge->more = true;
        return false;
    }
    buf_clear(&g->path);
    buf_printf(&g->path, "%s/%s", m->dir, name);
    if (disk_unlink(buf_c(&g->path), &e))
        g->purge->removed++;
    return true;
}

/* Its messages a slice at a time, then the rest at once. */
static void purge_mailbox(struct purging *g, const char *path)
{
    static const char *const places[] = {"cur", "new", "tmp"};
    struct expunged_purge *p = g->purge;
    struct buf dir = BUF_EMPTY;
    struct err e;

    for (size_t i = 0; i < 3 && !p->more; i++) {
        buf_clear(&dir);
        buf_printf(&dir, "%s/%s", path, places[i]);
        struct emptying m = {g, buf_c(&dir)};
        disk_list(m.dir, empty_entry, &m, NULL);
    }
    buf_free(&dir);
    if (p->more)
        return;
    if (disk_remove_tree(path, &e))
        p->removed++;
    else
        note_failure(p, &e);
}

static bool purge_box(void *arg, const char *name, unsigned char type)
{
    struct purging *g = arg;
    struct expunged_purge *p = g->purge;
    uint8_t guid[GUID_SIZE];
    struct buf dir = BUF_EMPTY;
    struct err e;

    if ((type != DT_DIR && type != DT_UNKNOWN) || !guid_parse(str_from_c(name), guid))
        return true;
    expunged_disk_add_dir(&dir, p->maildir, guid);
    struct purging inner = {.purge = p, .dir = buf_c(&dir)};
    if (!disk_list(inner.dir, purge_entry, &inner, &e))
        inner.left = note_failure(p, &e);
    for (size_t at = 0; at < inner.later.n && !p->more; at += strlen(inner.later.p + at) + 1)
        purge_mailbox(&inner, inner.later.p + at);
    if (inner.later.n > 0 && !inner.left && !p->more)
        disk_remove_tree(inner.dir, NULL);
    buf_free(&inner.path);
    buf_free(&inner.later);
    buf_free(&dir);
    return !p->more;
}

void expunged_disk_purge(struct expunged_purge *p)
{
    struct purging g = {.purge = p};
    struct buf root = BUF_EMPTY;
    struct err e = {0};

    p->removed = 0;
    p->earliest = INT64_MAX;
    p->more = false;
    p->error = (struct err){0};
    buf_printf(&root, "%s/" EXPUNGED_DIR, p->maildir);
    if (!disk_list(buf_c(&root), purge_box, &g, &e) && e.kind != ERR_NOT_FOUND)
        note_failure(p, &e);
    buf_free(&root);
}
