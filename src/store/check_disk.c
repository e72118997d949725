/*
 * What a check reads from disk: the names in new/, cur/ and tmp/ against the messages that are
 * known, dovecot-uidlist against both, and the sizes of files.
 */
#include "store/check_disk.h"

#include "core/disk.h"
#include "core/mem.h"
#include "store/limits.h"

#include <fcntl.h>
#include <stdlib.h>

/* --- dovecot-uidlist --- */

static void read_lines(struct check_listing *l, struct str text)
{
    struct uidlist_line line;
    uint32_t last = 0;
    size_t at = 0;
    bool damaged;

    while (text.n > 0) {
        if (!uidlist_read_line(&text, last, &line, &damaged)) {
            l->list_damaged += damaged;
            continue;
        }
        last = line.uid;
        while (at < l->count && l->messages[at].uid < line.uid) {
            l->list_missing++;
            at++;
        }
        at += at < l->count && l->messages[at].uid == line.uid;
    }
    l->list_missing += l->count - at;
}

static void check_list(struct check_listing *l)
{
    struct buf path = BUF_EMPTY, list = BUF_EMPTY;
    struct uidlist_header h = {0};

    buf_printf(&path, "%s/dovecot-uidlist", l->dir);
    disk_read_file(buf_c(&path), UIDLIST_SIZE_MAX, &list, NULL);
    struct str text = buf_str(&list);
    l->list_unreadable = !uidlist_read_header(&text, &h);
    if (!l->list_unreadable) {
        l->list_foreign = h.validity != l->uid_validity ||
                          (h.has_guid && memcmp(h.guid, l->guid, GUID_SIZE) != 0);
        read_lines(l, text);
    }
    buf_free(&path);
    buf_free(&list);
}

/* --- the directories --- */

static bool see_temporary(void *arg, const char *name, unsigned char type)
{
    struct check_listing *l = arg;
    struct buf path = BUF_EMPTY;
    struct stat st;

    (void)type;
    buf_printf(&path, "%s/tmp/%s", l->dir, name);
    if (name[0] != '.' && disk_stat(buf_c(&path), &st, NULL) && S_ISREG(st.st_mode) &&
        (usec)st.st_ctime * USEC_SEC < l->tmp_limit)
        buf_add(&l->strays, path.p, path.n + 1);
    buf_free(&path);
    return true;
}

static void add_name(struct buf *b, struct str name)
{
    buf_add_str(b, name);
    buf_add_char(b, '\0');
}

static void compare(struct check_listing *l, const struct dir_listing *names)
{
    struct merge_known *known = mem_array(l->count, sizeof(*known));
    struct merge m;

    for (size_t i = 0; i < l->count; i++)
        known[i].base = message_file_base(l->messages[i].file);
    merge_begin(&m, known, l->count);
    merge_run(&m, names);
    for (size_t i = 0; i < l->count; i++) {
        l->messages[i].gone = known[i].entry == 0 && l->messages[i].file->place != FILE_TMP;
        l->messages[i].renamed =
            known[i].entry > 0 &&
            !dir_entry_is(names, &names->entries[known[i].entry - 1], l->messages[i].file);
    }
    for (size_t i = 0; i < m.unknown_count; i++)
        add_name(&l->unknown, dir_entry_base(names, &names->entries[m.unknown[i]]));
    for (size_t i = 0; i < m.second_count; i++)
        add_name(&l->seconds, dir_entry_name(names, &names->entries[m.seconds[i].entry]));
    merge_free(&m);
    free(known);
}

void check_listing_run(void *arg)
{
    struct check_listing *l = arg;
    struct dir_listing names = {0};
    struct buf tmp = BUF_EMPTY;

    l->ok = dir_listing_read(&names, l->dir, FILE_NEW, &l->error) &&
            dir_listing_read(&names, l->dir, FILE_CUR, &l->error);
    if (l->ok) {
        compare(l, &names);
        check_list(l);
        buf_printf(&tmp, "%s/tmp", l->dir);
        l->ok = disk_list(buf_c(&tmp), see_temporary, l, &l->error);
    }
    dir_listing_free(&names);
    buf_free(&tmp);
}

void check_listing_free(struct check_listing *l)
{
    buf_free(&l->unknown);
    buf_free(&l->seconds);
    buf_free(&l->strays);
    free(l->messages);
}

void check_sizes_run(void *arg)
{
    struct check_sizes *c = arg;
    struct buf path = BUF_EMPTY;
    struct stat st;
    int fd;

    for (size_t i = 0; i < c->count; i++) {
        struct err e = {0};
        buf_clear(&path);
        buf_printf(&path, "%s/", c->dir);
        message_file_add_path(&path, c->messages[i].file);
        if (!disk_stat(buf_c(&path), &st, &e))
            c->sizes[i] = e.kind == ERR_NOT_FOUND ? UINT64_MAX : UINT64_MAX - 1;
        else if (!S_ISREG(st.st_mode) || !disk_open(path.p, O_RDONLY, 0, &fd, NULL))
            c->sizes[i] = UINT64_MAX - 1;
        else {
            disk_close(fd);
            c->sizes[i] = (uint64_t)st.st_size;
        }
    }
    buf_free(&path);
}

void check_remove_run(void *arg)
{
    const struct buf *paths = arg;

    for (size_t at = 0; at < paths->n; at += strlen(paths->p + at) + 1)
        disk_unlink(paths->p + at, NULL);
}
