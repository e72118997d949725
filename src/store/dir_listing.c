/*
 * Listing a mailbox's directories. Names are copied once, one behind the other; what the info says
 * and the hash of the base are worked out in passing, on the thread that waits for the directory
 * anyway.
 */
#include "store/dir_listing.h"

#include "core/disk.h"
#include "core/mem.h"
#include "store/limits.h"
#include "store/maildir_name.h"

#include <dirent.h>
#include <stdlib.h>

/* --- stamps --- */

/* The kernel's clock for files ticks up to 100 times a second. */
#define YOUNG 20000000

struct dir_stamp dir_stamp_read(const char *path)
{
    struct stat st;

    if (!disk_stat(path, &st, NULL))
        return (struct dir_stamp){0};
    return (struct dir_stamp){.time = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
                              .inode = st.st_ino,
                              .size = S_ISDIR(st.st_mode) ? 0 : (uint64_t)st.st_size};
}

bool dir_stamp_equal(const struct dir_stamp *a, const struct dir_stamp *b)
{
    return a->inode != 0 && a->inode == b->inode && a->time == b->time && a->size == b->size;
}

bool dir_stamp_is_young(const struct dir_stamp *s, int64_t now)
{
    return s->time > now - YOUNG;
}

/* --- names --- */

uint32_t base_name_hash(struct str base)
{
    uint64_t h = base.n * 0x9e3779b97f4a7c15u, word = 0;
    size_t i = 0;

    for (; i + 8 <= base.n; i += 8) {
        memcpy(&word, base.p + i, 8);
        h = (h ^ word) * 0x9fb21c651e98df25u;
        h ^= h >> 32;
    }
    word = 0;
    if (i < base.n)
        memcpy(&word, base.p + i, base.n - i);
    h = (h ^ word) * 0x9fb21c651e98df25u;
    return (uint32_t)(h ^ h >> 29);
}

struct reading {
    struct dir_listing *listing;
    enum file_place place;
};

bool dir_type_is_message(unsigned char type)
{
    return type == DT_REG || type == DT_LNK || type == DT_UNKNOWN;
}

size_t dir_listing_add(struct dir_listing *l, enum file_place place, struct str name)
{
    struct str base, info;
    struct dir_entry e;
    uint8_t flags;

    maildir_name_split(name, &base, &info);
    bool canonical = maildir_info_parse(info, &flags, &e.letters);
    e.flags = flags;
    e.raw = place == FILE_CUR ? !canonical : info.n > 0;
    e.place = place;
    e.name = (uint32_t)l->names.n;
    e.hash = base_name_hash(base);
    e.length = (uint8_t)name.n;
    e.base_length = (uint8_t)base.n;
    buf_add_str(&l->names, name);
    l->entries = mem_grow(l->entries, l->count, &l->capacity, sizeof(*l->entries), 64);
    l->entries[l->count++] = e;
    l->letters |= e.letters;
    return l->count - 1;
}

static bool see(void *arg, const char *name, unsigned char type)
{
    struct reading *r = arg;
    struct str s = str_from_c(name);

    if (dir_type_is_message(type) && s.n > 0 && s.p[0] != '.' && s.p[0] != ':' &&
        s.n <= FILE_NAME_MAX && r->listing->names.n <= UINT32_MAX - s.n)
        dir_listing_add(r->listing, r->place, s);
    return true;
}

bool dir_listing_read(struct dir_listing *l, const char *dir, enum file_place place, struct err *e)
{
    struct reading r = {.listing = l, .place = place};
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/%s", dir, place == FILE_NEW ? "new" : "cur");
    bool ok = disk_list(buf_c(&path), see, &r, e);
    buf_free(&path);
    return ok;
}

void dir_listing_free(struct dir_listing *l)
{
    buf_free(&l->names);
    free(l->entries);
    *l = (struct dir_listing){0};
}

struct str dir_entry_name(const struct dir_listing *l, const struct dir_entry *e)
{
    return str_from(l->names.p + e->name, e->length);
}

struct str dir_entry_base(const struct dir_listing *l, const struct dir_entry *e)
{
    return str_from(l->names.p + e->name, e->base_length);
}

bool dir_entry_is(const struct dir_listing *l, const struct dir_entry *e,
                  const struct message_file *f)
{
    return e->place == f->place && e->raw == f->raw && e->flags == f->flags &&
           e->letters == f->keywords && e->base_length == f->base_length &&
           (!e->raw || str_equal(dir_entry_name(l, e), message_file_name(f)));
}

struct message_file *dir_entry_file(const struct dir_listing *l, const struct dir_entry *e,
                                    struct file_pool *p, struct str extra)
{
    return message_file_make(p,
                             &(struct message_file){.keywords = e->letters,
                                                    .flags = e->flags,
                                                    .place = e->place,
                                                    .raw = e->raw,
                                                    .base_length = e->base_length},
                             e->raw ? dir_entry_name(l, e) : dir_entry_base(l, e), extra);
}
