/*
 * Loading: what has to be done about single files. Names that two files share, leftovers in tmp/,
 * sizes that neither name nor list tell, and names that lie about them.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "core/random.h"
#include "store/file_size.h"
#include "store/limits.h"
#include "store/mailbox_load.h"
#include "store/maildir_name.h"
#include "store/message_count.h"

#include <unistd.h>

void load_add_unknown(struct mailbox_load *l, struct message_file *f)
{
    l->unknown =
        mem_grow(l->unknown, l->unknown_count, &l->unknown_capacity, sizeof(*l->unknown), 16);
    l->unknown[l->unknown_count++] = (struct unknown_file){.file = f};
}

/* Gives the file a base name that nobody else has, with the right sizes; returns its record. */
static struct message_file *rename_fresh(struct mailbox_load *l, const struct message_file *f,
                                         uint64_t size, uint64_t size_crlf)
{
    struct buf name = BUF_EMPTY, to = BUF_EMPTY, old = BUF_EMPTY;
    struct str base = message_file_base(f);
    struct message_file *fresh = NULL;

    message_file_add_path(&old, f);
    maildir_name_make(&name, l->settings.now, getpid(), 'R', random_u64() >> 20,
                      l->settings.hostname, size, size_crlf);
    buf_add_str(&name, str_skip(buf_str(&old), 4 + base.n));
    buf_printf(&to, "%s/", l->settings.dir);
    file_path_add(&to, f->place, buf_str(&name));
    if (disk_rename(load_file_path(l, f), buf_c(&to), &l->error))
        fresh = message_file_new(&l->c.files, f->place, buf_str(&name), STR(""));
    l->c.stamps.cur = l->c.stamps.new = (struct dir_stamp){0};
    buf_free(&name);
    buf_free(&to);
    buf_free(&old);
    return fresh;
}

/* --- two files of one name --- */

static struct message_file *file_at(struct mailbox_load *l, uint32_t entry)
{
    return dir_entry_file(&l->listing, &l->listing.entries[entry], &l->c.files, STR(""));
}

/* Either it was renamed while the directory was read (then one of the two is gone), or there are
 * two files. The second then gets a name of its own. */
static void part_second(struct mailbox_load *l, const struct merge_second *s)
{
    struct message_file *second = file_at(l, s->entry);
    struct merge_known *first = s->second_of == UINT32_MAX ? NULL : &l->bases[s->second_of];
    struct stat st;

    if (!disk_stat(load_file_path(l, second), &st, NULL))
        return;
    if (first && !disk_stat(load_file_path(l, file_at(l, first->entry - 1)), &st, NULL)) {
        first->entry = s->entry + 1;
        return;
    }
    struct file_size size;
    if (!file_size_find(load_file_path(l, second), STR(""), &size, NULL))
        return;
    struct message_file *fresh = rename_fresh(l, second, size.size, size.size_crlf);
    if (fresh)
        load_add_unknown(l, fresh);
}

void load_part_seconds(struct mailbox_load *l)
{
    for (size_t i = 0; i < l->merge.second_count; i++)
        part_second(l, &l->merge.seconds[i]);
}

/* --- tmp/ --- */

/* A copy that the list knows, but that did not get to cur/: the directory is read again. */
static bool rescue_copy(struct mailbox_load *l, struct str base)
{
    struct buf to = BUF_EMPTY;
    ptrdiff_t at = merge_find(&l->merge, base);

    if (at < 0 || l->bases[at].entry)
        return false;
    buf_printf(&to, "%s/cur/%.*s:2,", l->settings.dir, STR_ARG(base));
    bool ok = disk_rename(l->path.p, buf_c(&to), NULL);
    if (ok) {
        struct str name = str_skip(buf_str(&to), to.n - base.n - 3);
        l->bases[at].entry = (uint32_t)dir_listing_add(&l->listing, FILE_CUR, name) + 1;
        l->c.stamps.cur = (struct dir_stamp){0};
    }
    buf_free(&to);
    return ok;
}

/* Nobody writes to tmp/ of a mailbox that is not in memory but other programs. */
static bool see_temporary(void *arg, const char *name, unsigned char type)
{
    struct mailbox_load *l = arg;
    struct str base, info;
    struct stat st;

    (void)type;
    if (name[0] == '.')
        return true;
    maildir_name_split(str_from_c(name), &base, &info);
    bool ours = maildir_name_is_ours(base);
    load_path(l, "tmp/");
    buf_add_c(&l->path, name);
    buf_c(&l->path);
    if (ours && info.n == 0 && rescue_copy(l, base))
        return true;
    if (ours || (disk_stat(l->path.p, &st, NULL) &&
                 (usec)st.st_ctime * USEC_SEC < l->settings.now - TMP_LIFETIME))
        disk_unlink(l->path.p, NULL);
    return true;
}

bool load_clean_tmp(struct mailbox_load *l)
{
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/tmp", l->settings.dir);
    bool ok = disk_list(buf_c(&path), see_temporary, l, &l->error);
    buf_free(&path);
    return ok;
}

/* --- sizes --- */

/* The list tells when a name is known to lie. */
void load_name_sizes(struct uidlist_line *line, struct str base)
{
    line->has_size = line->has_size || maildir_name_get_size(base, 'S', &line->size);
    line->has_size_crlf = line->has_size_crlf || maildir_name_get_size(base, 'W', &line->size_crlf);
}

bool load_find_sizes(struct mailbox_load *l, struct uidlist_line *line,
                     const struct message_file *f, bool *gone)
{
    struct err error = {0};

    *gone = false;
    if (!line->has_size || !line->has_size_crlf)
        load_name_sizes(line, message_file_base(f));
    if (line->has_size && line->has_size_crlf)
        return true;
    if (!message_count_file(load_file_path(l, f), &line->size, &line->size_crlf, &error)) {
        *gone = error.kind == ERR_NOT_FOUND;
        if (!*gone)
            l->error = error;
        return *gone;
    }
    l->c.list_rewrite = true;
    return true;
}

bool load_check_sizes(struct mailbox_load *l, struct uidlist_line *line,
                      const struct message_file *f, bool *gone)
{
    uint64_t named;
    struct stat st;
    struct str base = message_file_base(f);

    *gone = false;
    if (!maildir_name_get_size(base, 'S', &named))
        return load_find_sizes(l, line, f, gone);
    if (!disk_stat(load_file_path(l, f), &st, NULL)) {
        *gone = true;
        return true;
    }
    bool wrong = named != (uint64_t)st.st_size;
    if (!wrong && maildir_name_get_size(base, 'W', &named))
        wrong = named < (uint64_t)st.st_size;
    if (!wrong)
        return load_find_sizes(l, line, f, gone);
    line->has_size = line->has_size_crlf =
        message_count_file(load_file_path(l, f), &line->size, &line->size_crlf, &l->error);
    return line->has_size;
}
