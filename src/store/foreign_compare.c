/*
 * Finding out what other programs did to a mailbox.
 *
 * A message is known by its base name. new/ is read before cur/, since files move that way. A file
 * that is renamed while its directory is read can be seen twice or not at all, so a message is gone
 * only when three readings did not see it and it is not where it was believed to be. Of two names
 * with the same base one is usually gone already; if both are there, the second gets a base name of
 * its own, as Dovecot does.
 *
 * Files nobody knows are new messages. If Dovecot has been at work meanwhile, its list has UIDs for
 * them, which are kept when they are above ours.
 */
#include "store/foreign_compare.h"

#include "core/disk.h"
#include "core/mem.h"
#include "core/random.h"
#include "store/file_size.h"
#include "store/limits.h"
#include "store/maildir_name.h"
#include "store/merge.h"
#include "store/name_table.h"

#include <stdlib.h>
#include <unistd.h>

#define READINGS 3

enum seen { SEEN_NOT, SEEN_AS_BELIEVED, SEEN_RENAMED };

struct double_file {
    struct message_file *file; /* the second one with this base name */
    size_t known;
};

struct compare {
    struct foreign_compare *g;
    uint8_t *seen;      /* of known: enum seen */
    size_t *renamed_at; /* of known: position in renamed */
    size_t renamed_capacity;
    struct message_file **unknown;
    size_t unknown_count, unknown_capacity;
    struct double_file *doubles;
    size_t double_count, double_capacity;
    struct buf path, list;
    struct err *error;
};

static const char *path_of(struct compare *c, const struct message_file *f)
{
    return message_file_path(&c->path, c->g->dir, f);
}

static bool file_exists(struct compare *c, const struct message_file *f)
{
    return disk_exists(path_of(c, f));
}

static void add_unknown(struct compare *c, struct message_file *f)
{
    c->unknown =
        mem_grow(c->unknown, c->unknown_count, &c->unknown_capacity, sizeof(*c->unknown), 16);
    c->unknown[c->unknown_count++] = f;
}

static void note_renamed(struct compare *c, size_t at, struct message_file *f)
{
    struct foreign_compare *g = c->g;

    g->renamed =
        mem_grow(g->renamed, g->renamed_count, &c->renamed_capacity, sizeof(*g->renamed), 16);
    c->renamed_at[at] = g->renamed_count;
    g->renamed[g->renamed_count++] = (struct compare_renamed){.known = at, .file = f};
    c->seen[at] = SEEN_RENAMED;
}

/* --- reading the directories --- */

static bool read_dirs(struct compare *c, struct dir_listing *l)
{
    static const struct {
        const char *name;
        enum file_place place;
    } dirs[] = {{"new", FILE_NEW}, {"cur", FILE_CUR}};

    for (size_t i = 0; i < 2; i++) {
        buf_clear(&c->path);
        buf_printf(&c->path, "%s/%s", c->g->dir, dirs[i].name);
        if (!disk_make_dir(buf_c(&c->path), 0700, c->error) ||
            !dir_listing_read(l, c->g->dir, dirs[i].place, c->error))
            return false;
    }
    return true;
}

static struct message_file *file_of(struct compare *c, const struct dir_listing *l, uint32_t entry,
                                    struct str extra)
{
    return dir_entry_file(l, &l->entries[entry], &c->g->files, extra);
}

static void see_known(struct compare *c, size_t at, const struct dir_listing *l, uint32_t entry)
{
    const struct compare_known *k = &c->g->known[at];

    if (k->uid == 0)
        return;
    if (dir_entry_is(l, &l->entries[entry], k->file))
        c->seen[at] = SEEN_AS_BELIEVED;
    else
        note_renamed(c, at, file_of(c, l, entry, message_file_extra(k->file)));
}

static void see_second(struct compare *c, const struct dir_listing *l,
                       const struct merge_second *second)
{
    if (second->second_of == UINT32_MAX) {
        add_unknown(c, file_of(c, l, second->entry, STR("")));
        return;
    }
    const struct compare_known *k = &c->g->known[second->second_of];
    if (k->uid == 0)
        return;
    c->doubles =
        mem_grow(c->doubles, c->double_count, &c->double_capacity, sizeof(*c->doubles), 16);
    c->doubles[c->double_count++] = (struct double_file){
        file_of(c, l, second->entry, message_file_extra(k->file)), second->second_of};
}

/* Reads once, looks for those that were not seen. The first time, for all else as well. */
static bool read_once(struct compare *c, bool first)
{
    struct foreign_compare *g = c->g;
    struct merge_known *bases = mem_array(g->known_count, sizeof(*bases));
    struct dir_listing l = {0};
    struct merge m;

    for (size_t i = 0; i < g->known_count; i++)
        bases[i].base = message_file_base(g->known[i].file);
    merge_begin(&m, bases, g->known_count);
    bool ok = read_dirs(c, &l);
    if (ok)
        merge_run(&m, &l);
    for (size_t i = 0; ok && i < g->known_count; i++) {
        if (bases[i].entry && c->seen[i] == SEEN_NOT)
            see_known(c, i, &l, bases[i].entry - 1);
    }
    for (size_t i = 0; first && i < m.unknown_count; i++)
        add_unknown(c, file_of(c, &l, m.unknown[i], STR("")));
    for (size_t i = 0; first && i < m.second_count; i++)
        see_second(c, &l, &m.seconds[i]);
    merge_free(&m);
    dir_listing_free(&l);
    free(bases);
    return ok;
}

/* Must be on disk under some name: not being written, moved or removed by us. */
static bool is_due(const struct compare_known *k)
{
    return k->uid > 0 && !k->pending && k->file->place != FILE_TMP;
}

/* Those not seen that are where they should be; returns how many are left. */
static size_t look_for_unseen(struct compare *c)
{
    size_t left = 0;

    for (size_t i = 0; i < c->g->known_count; i++) {
        if (c->seen[i] != SEEN_NOT || !is_due(&c->g->known[i]))
            continue;
        if (file_exists(c, c->g->known[i].file))
            c->seen[i] = SEEN_AS_BELIEVED;
        else
            left++;
    }
    return left;
}

static bool read_until_sure(struct compare *c)
{
    size_t unseen = 0;

    for (int i = 0; i < READINGS && (i == 0 || unseen > 0); i++) {
        if (!read_once(c, i == 0))
            return false;
        unseen = look_for_unseen(c);
    }
    return true;
}

/* --- two files with one base name --- */

static struct message_file *rename_fresh(struct compare *c, const struct message_file *f)
{
    struct foreign_compare *g = c->g;
    struct buf name = BUF_EMPTY, to = BUF_EMPTY, old = BUF_EMPTY;
    struct message_file *fresh = NULL;
    struct file_size size;
    struct str base = message_file_base(f);

    if (!file_size_find(path_of(c, f), STR(""), &size, NULL))
        return NULL;
    message_file_add_path(&old, f);
    maildir_name_make(&name, g->now, getpid(), 'R', random_u64() >> 20, g->hostname, size.size,
                      size.size_crlf);
    buf_add_str(&name, str_skip(buf_str(&old), 4 + base.n));
    buf_printf(&to, "%s/", g->dir);
    file_path_add(&to, f->place, buf_str(&name));
    if (disk_rename(path_of(c, f), buf_c(&to), NULL))
        fresh = message_file_new(&g->files, f->place, buf_str(&name), STR(""));
    buf_free(&name);
    buf_free(&to);
    buf_free(&old);
    return fresh;
}

static void settle_double(struct compare *c, const struct double_file *second)
{
    struct foreign_compare *g = c->g;
    size_t at = second->known;
    struct compare_renamed *r = c->seen[at] == SEEN_RENAMED ? &g->renamed[c->renamed_at[at]] : NULL;

    if (!file_exists(c, second->file))
        return;
    if (!file_exists(c, r ? r->file : g->known[at].file)) {
        if (!r)
            note_renamed(c, at, second->file);
        else
            r->file = second->file;
        return;
    }
    struct message_file *fresh = rename_fresh(c, second->file);
    if (fresh)
        add_unknown(c, fresh);
}

/* --- the lists on disk --- */

/* A missing file is empty. */
static bool read_file(struct compare *c, const char *name, size_t max, struct buf *text)
{
    struct err error = {0};

    buf_clear(&c->path);
    buf_printf(&c->path, "%s/%s", c->g->dir, name);
    if (disk_read_file(buf_c(&c->path), max, text, &error) || error.kind == ERR_NOT_FOUND)
        return true;
    *c->error = error;
    return false;
}

static bool read_list(struct compare *c, struct uidlist_header *h, struct str *lines)
{
    struct foreign_compare *g = c->g;

    if (!read_file(c, "dovecot-uidlist", UIDLIST_SIZE_MAX, &c->list))
        return false;
    *lines = buf_str(&c->list);
    if (!uidlist_read_header(lines, h)) {
        *h = (struct uidlist_header){0};
        g->list_changed = true;
    }
    g->list_next = h->next;
    return true;
}

static bool read_keywords(struct compare *c)
{
    struct buf text = BUF_EMPTY;

    bool ok = read_file(c, "dovecot-keywords", KEYWORDS_SIZE_MAX, &text);
    keywords_parse(&c->g->keywords, buf_str(&text));
    buf_free(&text);
    return ok;
}

static bool is_replaced(const struct foreign_compare *g, const struct uidlist_header *h)
{
    return h->validity > 0 && (h->validity != g->uid_validity ||
                               (h->has_guid && memcmp(h->guid, g->guid, GUID_SIZE) != 0));
}

static struct str added_name(const void *array, size_t position)
{
    return message_file_base(((const struct compare_added *)array)[position].file);
}

/* UIDs and fields that the list has for files that are unknown here. */
static void take_lines(struct compare *c, struct str text)
{
    struct foreign_compare *g = c->g;
    struct name_table table;
    struct uidlist_line line;
    uint32_t last = 0;
    bool damaged;

    name_table_init(&table, g->added_count, added_name, g->added);
    for (size_t i = 0; i < g->added_count; i++)
        name_table_add(&table, i);
    while (text.n > 0) {
        if (!uidlist_read_line(&text, last, &line, &damaged))
            continue;
        last = line.uid;
        if (last >= g->list_next)
            g->list_next = last + 1;
        ptrdiff_t at = name_table_find(&table, line.base);
        if (at < 0)
            continue;
        struct compare_added *a = &g->added[at];
        g->list_changed = true;
        a->uid = line.uid >= g->uid_next ? line.uid : 0;
        a->file = message_file_make(&g->files, a->file, message_file_name(a->file), line.extra);
    }
    name_table_free(&table);
}

/* --- new files --- */

static int compare_files(const void *a, const void *b)
{
    const struct message_file *const *x = a, *const *y = b;
    return maildir_name_compare(message_file_base(*x), message_file_base(*y));
}

/* By the list's UIDs, then as they are. */
static int compare_added(const void *a, const void *b)
{
    const struct compare_added *x = a, *y = b;
    if (x->uid != y->uid)
        return x->uid - 1 < y->uid - 1 ? -1 : 1;
    return maildir_name_compare(message_file_base(x->file), message_file_base(y->file));
}

static void take_unknown(struct compare *c, struct message_file *f)
{
    struct foreign_compare *g = c->g;
    struct compare_added *a = &g->added[g->added_count];
    struct file_size size;
    struct err error;

    /* The same base name twice: renamed while the directory was read, or two files. */
    if (g->added_count > 0 && str_equal(message_file_base(a[-1].file), message_file_base(f))) {
        if (!file_exists(c, f))
            return;
        if (!file_exists(c, a[-1].file)) {
            a[-1].file = f;
            return;
        }
        f = rename_fresh(c, f);
        if (!f)
            return;
    }
    if (!file_size_find(path_of(c, f), message_file_base(f), &size, &error)) {
        /* One that cannot be read is no message, and no reason to show none of the others. */
        if (error.kind != ERR_NOT_FOUND)
            g->unreadable = error;
        return;
    }
    *a = (struct compare_added){
        .file = f, .size = size.size, .size_crlf = size.size_crlf, .date = size.date};
    g->added_count++;
}

static void take_all_unknown(struct compare *c, struct str lines)
{
    struct foreign_compare *g = c->g;

    if (c->unknown_count == 0)
        return;
    qsort(c->unknown, c->unknown_count, sizeof(struct message_file *), compare_files);
    g->added = mem_array(c->unknown_count, sizeof(*g->added));
    for (size_t i = 0; i < c->unknown_count; i++)
        take_unknown(c, c->unknown[i]);
    take_lines(c, lines);
    if (g->list_changed)
        qsort(g->added, g->added_count, sizeof(*g->added), compare_added);
}

/* --- all of it --- */

static void collect_gone(struct compare *c)
{
    struct foreign_compare *g = c->g;

    for (size_t i = 0; i < g->known_count; i++) {
        if (c->seen[i] != SEEN_NOT || !is_due(&g->known[i]))
            continue;
        if (!g->gone)
            g->gone = mem_array(g->known_count - i, sizeof(*g->gone));
        g->gone[g->gone_count++] = i;
    }
}

static bool compare_dirs(struct compare *c)
{
    struct foreign_compare *g = c->g;
    struct uidlist_header h = {0};
    struct str lines;
    struct stat st;
    struct err error = {0};

    if (!disk_stat(g->dir, &st, &error)) {
        g->result = COMPARE_REMOVED;
        *c->error = error;
        return error.kind == ERR_NOT_FOUND;
    }
    if (!read_list(c, &h, &lines))
        return false;
    if (is_replaced(g, &h)) {
        g->result = COMPARE_REPLACED;
        return true;
    }
    foreign_stamps_take(g->dir, g->stamps, &g->stamps_young);
    if (!read_until_sure(c) || !read_keywords(c))
        return false;
    for (size_t i = 0; i < c->double_count; i++)
        settle_double(c, &c->doubles[i]);
    collect_gone(c);
    take_all_unknown(c, lines);
    return true;
}

bool foreign_compare_run(struct foreign_compare *g, struct err *e)
{
    struct err error = {0};
    struct compare c = {.g = g,
                        .seen = mem_array(g->known_count, sizeof(*c.seen)),
                        .renamed_at = mem_array(g->known_count, sizeof(*c.renamed_at)),
                        .error = e ? e : &error};

    g->result = COMPARE_DONE;
    bool ok = compare_dirs(&c);
    free(c.seen);
    free(c.renamed_at);
    free(c.unknown);
    free(c.doubles);
    buf_free(&c.path);
    buf_free(&c.list);
    return ok;
}

void foreign_compare_free(struct foreign_compare *g)
{
    free(g->renamed);
    free(g->gone);
    free(g->added);
    keywords_free(&g->keywords);
    file_pool_free(&g->files);
}

void foreign_stamps_take(const char *dir, struct dir_stamp stamps[2], bool *young)
{
    static const char *const names[] = {"new", "cur"};
    struct buf path = BUF_EMPTY;
    int64_t now = (int64_t)clock_wall() * 1000;

    *young = false;
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s", dir, names[i]);
        stamps[i] = dir_stamp_read(buf_c(&path));
        *young |= dir_stamp_is_young(&stamps[i], now);
    }
    buf_free(&path);
}
