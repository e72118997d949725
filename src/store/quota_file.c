/*
 * Quota on disk.
 *
 * `maildirsize` is the file of Maildir++ that Dovecot and others read: a line with the limits
 * ("1000000S,5000C"), then lines "<bytes> <messages>" whose sum is the usage. We write one such
 * line. It is a view: nothing here trusts it, since any program may have forgotten to keep it.
 *
 * `maild-quota` remembers which warning the user was told of; it is there only while there is one.
 */
#include "core/disk.h"
#include "store/limits.h"
#include "store/maildir_name.h"
#include "store/store_internal.h"

#include <fcntl.h>

#define MARKER "maild-quota"

/* --- what a mailbox holds --- */

struct totals {
    const char *dir;
    const char *place; /* "cur" or "new" */
    struct quota_count *count;
};

static bool see_file(void *arg, const char *name, unsigned char type)
{
    struct totals *t = arg;
    struct str base, info;
    struct stat st;
    uint64_t size;

    (void)type;
    if (name[0] == '.')
        return true;
    maildir_name_split(str_from_c(name), &base, &info);
    if (!maildir_name_get_size(base, 'S', &size)) {
        struct buf path = BUF_EMPTY;
        buf_printf(&path, "%s/%s/%s", t->dir, t->place, name);
        bool ok = disk_stat(buf_c(&path), &st, NULL);
        buf_free(&path);
        if (!ok)
            return true;
        size = (uint64_t)st.st_size;
    }
    t->count->bytes += size;
    t->count->messages++;
    return true;
}

bool mailbox_totals_read(const char *dir, struct quota_count *count, struct err *e)
{
    static const char *const places[] = {"new", "cur"};
    struct buf path = BUF_EMPTY;
    struct err error = {0};
    bool ok = true;

    *count = (struct quota_count){0};
    for (size_t i = 0; ok && i < 2; i++) {
        struct totals t = {.dir = dir, .place = places[i], .count = count};
        buf_clear(&path);
        buf_printf(&path, "%s/%s", dir, places[i]);
        ok = disk_list(buf_c(&path), see_file, &t, &error) || error.kind == ERR_NOT_FOUND;
    }
    buf_free(&path);
    if (!ok && e)
        *e = error;
    return ok;
}

/* --- maildirsize --- */

void quota_definition_add(struct buf *b, const struct quota_limits *l)
{
    if (l->storage > 0)
        buf_printf(b, "%lluS", (unsigned long long)l->storage);
    if (l->messages > 0)
        buf_printf(b, "%s%lluC", l->storage > 0 ? "," : "", (unsigned long long)l->messages);
}

static bool parse_signed(struct str s, int64_t *value)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    uint64_t v;

    if (!str_to_u64(str_skip(s, minus), &v) || v > INT64_MAX / 2)
        return false;
    *value = minus ? -(int64_t)v : (int64_t)v;
    return true;
}

bool maildirsize_parse(struct str text, struct str *definition, struct quota_count *count)
{
    int64_t bytes = 0, messages = 0, more_bytes, more_messages;

    *definition = str_split(&text, '\n');
    while (text.n > 0) {
        struct str line = str_split(&text, '\n');
        struct str a = str_word(&line), b = str_word(&line);
        if (!parse_signed(a, &more_bytes) || !parse_signed(b, &more_messages) ||
            str_word(&line).p || __builtin_add_overflow(bytes, more_bytes, &bytes) ||
            __builtin_add_overflow(messages, more_messages, &messages))
            return false;
    }
    *count = (struct quota_count){(uint64_t)bytes, (uint64_t)messages};
    return bytes >= 0 && messages >= 0;
}

/* A first line that is no list of limits is not kept. */
static bool is_definition(struct str line)
{
    while (line.p && line.n > 0) {
        struct str limit = str_split(&line, ',');
        uint64_t value;
        if (limit.n < 2 || !strchr("SC", limit.p[limit.n - 1]) ||
            !str_to_u64(str_head(limit, limit.n - 1), &value))
            return false;
    }
    return true;
}

static void add_path(struct buf *b, const char *maildir, const char *name)
{
    buf_clear(b);
    buf_printf(b, "%s/%s", maildir, name);
    buf_c(b);
}

static unsigned read_marker(const char *path)
{
    struct buf text = BUF_EMPTY;
    uint32_t percent = 0;

    if (disk_read_file(path, QUOTA_FILE_MAX, &text, NULL)) {
        struct str rest = buf_str(&text);
        struct str line = str_split(&rest, '\n');
        if (!str_equal(str_word(&line), STR("warned")) || !str_to_u32(str_word(&line), &percent))
            percent = 0;
    }
    buf_free(&text);
    return percent;
}

void quota_files_read(const char *maildir, struct quota_files *f)
{
    struct buf path = BUF_EMPTY;
    struct err error = {0};

    *f = (struct quota_files){0};
    add_path(&path, maildir, MARKER);
    f->warned = read_marker(path.p);
    add_path(&path, maildir, "maildirsize");
    f->has_file =
        disk_read_file(path.p, QUOTA_FILE_MAX, &f->text, &error) || error.kind != ERR_NOT_FOUND;
    if (f->has_file && error.kind == ERR_NONE) {
        bool sums = maildirsize_parse(buf_str(&f->text), &f->definition, &f->count);
        f->readable = is_definition(f->definition);
        if (!sums)
            f->count = (struct quota_count){UINT64_MAX, 0};
    }
    buf_free(&path);
}

bool maildirsize_write(const char *maildir, struct str content, struct err *e)
{
    struct buf path = BUF_EMPTY, tmp = BUF_EMPTY;
    int fd;

    add_path(&path, maildir, "maildirsize");
    add_path(&tmp, maildir, "maildirsize.tmp");
    bool ok = content.p && disk_open(tmp.p, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, e);
    if (ok) {
        ok = disk_write(fd, content.p, content.n, tmp.p, e);
        disk_close(fd);
        ok = ok && disk_rename(tmp.p, path.p, e);
        if (!ok)
            disk_unlink(tmp.p, NULL);
    }
    /* A wrong one is worse than none. */
    if (!ok)
        ok = disk_unlink(path.p, content.p ? NULL : e) && !content.p;
    buf_free(&path);
    buf_free(&tmp);
    return ok;
}

bool quota_marker_write(const char *maildir, unsigned warned, struct err *e)
{
    struct buf path = BUF_EMPTY, text = BUF_EMPTY;

    add_path(&path, maildir, MARKER);
    buf_printf(&text, "warned %u\n", warned);
    bool ok =
        warned > 0 ? disk_replace_file(path.p, buf_str(&text), 0600, e) : disk_unlink(path.p, e);
    buf_free(&path);
    buf_free(&text);
    return ok;
}
