/*
 * The messages of a Maildir come in the order of dovecot-uidlist, then in that of their age. Their
 * internal date is the file's time, as with Dovecot and Courier; keywords are looked up in
 * dovecot-keywords.
 */
#include "mailctl/source.h"

#include "core/disk.h"
#include "core/mem.h"
#include "mailctl/interrupt.h"
#include "mailctl/maildir.h"
#include "mailctl/mbox.h"
#include "store/maildir_name.h"
#include "store/uidlist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define LIST_MAX ((size_t)1024 * 1024 * 1024)
#define BLOCK    ((size_t)256 * 1024)

static json_t *message_json(int64_t date, uint8_t flags, struct str keywords)
{
    struct buf b = BUF_EMPTY;
    add_flags_text(&b, flags);
    json_t *json = json_pack("{s:s, s:s%}", "flags", buf_c(&b), "keywords", keywords.p, keywords.n);
    if (!json) /* keywords that are not UTF-8 */
        json = json_pack("{s:s}", "flags", buf_c(&b));
    if (date != INT64_MIN)
        json_object_set_new(json, "date", json_integer(date));
    buf_free(&b);
    return json;
}

/* --- Maildir --- */

struct file {
    const char *name; /* in the Maildir: "cur/..." */
    struct str base, info;
    uint32_t uid; /* 0: unknown */
};

struct maildir {
    struct arena *arena;
    const char *path, *sub;
    struct file *files;
    size_t count, capacity;
    struct buf list;
    struct keyword_table keywords;
};

static bool see_file(void *arg, const char *name, unsigned char type)
{
    struct maildir *d = arg;
    (void)type;
    if (name[0] == '.')
        return true;
    d->files = mem_grow(d->files, d->count, &d->capacity, sizeof(*d->files), 256);
    struct file *f = &d->files[d->count++];
    *f = (struct file){.name = arena_printf(d->arena, "%s/%s", d->sub, name).p};
    maildir_name_split(str_from_c(f->name + strlen(d->sub) + 1), &f->base, &f->info);
    return true;
}

static bool list_files(struct maildir *d, const char *sub, struct err *e)
{
    struct buf b = BUF_EMPTY;
    struct err error;
    d->sub = sub;
    buf_printf(&b, "%s/%s", d->path, sub);
    bool ok = disk_list(buf_c(&b), see_file, d, &error) || error.kind == ERR_NOT_FOUND;
    if (!ok)
        *e = error;
    buf_free(&b);
    return ok;
}

static bool read_file(const struct maildir *d, const char *name, struct buf *content)
{
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "%s/%s", d->path, name);
    bool ok = disk_read_file(buf_c(&b), LIST_MAX, content, NULL);
    buf_free(&b);
    return ok;
}

static int compare_bases(const void *a, const void *b)
{
    return str_compare(((const struct file *)a)->base, ((const struct file *)b)->base);
}

static int compare_order(const void *a, const void *b)
{
    const struct file *x = a, *y = b;
    if (x->uid != y->uid)
        return x->uid == 0 ? 1 : y->uid == 0 ? -1 : x->uid < y->uid ? -1 : 1;
    return maildir_name_compare(x->base, y->base);
}

static void take_uids(struct maildir *d)
{
    struct uidlist_header header;
    struct uidlist_line line;
    struct str text;
    uint32_t last = 0;
    bool damaged = false;
    if (d->count == 0 || !read_file(d, "dovecot-uidlist", &d->list))
        return;
    text = buf_str(&d->list);
    qsort(d->files, d->count, sizeof(*d->files), compare_bases);
    if (!uidlist_read_header(&text, &header))
        return;
    while (uidlist_read_line(&text, last, &line, &damaged)) {
        struct file key = {.base = line.base};
        struct file *f = bsearch(&key, d->files, d->count, sizeof(*d->files), compare_bases);
        if (f)
            f->uid = line.uid;
        last = line.uid;
    }
}

static struct str keywords_of(struct maildir *d, uint32_t letters)
{
    uint32_t set;
    keywords_name_used(&d->keywords, letters);
    return keyword_set_of_letters(&d->keywords, letters, &set) && set > 0
               ? keyword_set_text(&d->keywords, set)
               : STR("");
}

static bool read_message(struct importing *x, const char *path, int64_t *date, struct err *e)
{
    struct stat st;
    int fd;
    if (!disk_open(path, O_RDONLY | O_NONBLOCK, 0, &fd, e))
        return false;
    char *block = mem_alloc(BLOCK);
    size_t got = BLOCK;
    bool ok =
        (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) || err_set(e, ERR_PERM, "%s is no file", path);
    *date = ok ? (int64_t)st.st_mtime : 0;
    body_clear(&x->body);
    for (uint64_t at = 0; ok && got == BLOCK; at += got)
        ok = disk_read_at(fd, block, BLOCK, at, &got, path, e) &&
             body_add(&x->body, str_from(block, got), e);
    free(block);
    disk_close(fd);
    return ok;
}

/* Between listing and reading another program may have removed or renamed it. */
static bool give_file(struct importing *x, struct maildir *d, const struct file *f, struct err *e)
{
    struct buf path = BUF_EMPTY;
    struct err error;
    int64_t date;
    uint8_t flags = 0;
    uint32_t letters = 0;
    buf_printf(&path, "%s/%s", d->path, f->name);
    maildir_info_parse(f->info, &flags, &letters);
    bool ok = true;
    if (read_message(x, buf_c(&path), &date, &error)) {
        json_t *json = message_json(date, flags, keywords_of(d, letters));
        ok = put_message(&x->put, json, &x->body, e);
        json_decref(json);
    } else {
        progress_clear(x->m);
        fail_error(&error);
        x->put.counts.failed++;
    }
    buf_free(&path);
    return ok;
}

bool give_maildir(struct importing *x, const char *path, struct err *e)
{
    struct maildir d = {.arena = arena_new(), .path = path};
    struct buf keywords = BUF_EMPTY;
    bool ok = list_files(&d, "cur", e) && list_files(&d, "new", e);
    take_uids(&d);
    if (read_file(&d, "dovecot-keywords", &keywords))
        keywords_parse(&d.keywords, buf_str(&keywords));
    if (d.count > 0)
        qsort(d.files, d.count, sizeof(*d.files), compare_order);
    x->put.of = x->put.done + d.count;
    for (size_t i = 0; ok && i < d.count; i++)
        ok = give_file(x, &d, &d.files[i], e);
    free(d.files);
    buf_free(&d.list);
    buf_free(&keywords);
    keywords_free(&d.keywords);
    arena_free(d.arena);
    return ok;
}

/* --- mbox --- */

struct mbox_file {
    const char *path;
    int fd;
};

static bool read_bytes(void *arg, void *p, size_t n, size_t *got, struct err *e)
{
    struct mbox_file *f = arg;
    ssize_t result;
    do
        result = read(f->fd, p, n);
    while (result < 0 && errno == EINTR && !is_interrupted());
    if (is_interrupted())
        return err_interrupted(e);
    *got = result > 0 ? (size_t)result : 0;
    return result >= 0 || err_set_errno(e, errno, "%s", f->path);
}

static bool give_mbox_message(struct importing *x, struct mbox_reader *r, struct mbox_message *m,
                              struct err *e)
{
    struct str piece;
    body_clear(&x->body);
    if (!body_add(&x->body, buf_str(&m->header), e))
        return false;
    do {
        if (!mbox_read(r, &piece, e) || !body_add(&x->body, piece, e))
            return false;
    } while (piece.n > 0);
    json_t *json = message_json(m->date, m->flags, buf_str(&m->keywords));
    bool ok = put_message(&x->put, json, &x->body, e);
    json_decref(json);
    return ok;
}

bool give_mbox(struct importing *x, const char *path, struct err *e)
{
    struct mbox_file file = {path, STDIN_FILENO};
    struct mbox_reader reader = {.from = {read_bytes, &file}};
    struct mbox_message message = {0};
    bool end = false, standard = strcmp(path, "-") == 0;
    if (!standard && !disk_open(path, O_RDONLY, 0, &file.fd, e))
        return false;
    bool ok = true;
    x->put.of = 0;
    while (ok && !end) {
        ok = mbox_read_message(&reader, &message, &end, e) &&
             (end || give_mbox_message(x, &reader, &message, e));
    }
    mbox_message_free(&message);
    mbox_reader_free(&reader);
    if (!standard)
        disk_close(file.fd);
    return ok;
}
