/*
 * Reading a mailbox from disk, in one go on a worker.
 *
 * The list says which base name has which UID; new/ and cur/ say which files exist and what their
 * flags are; only the two together make a message. Files the list does not know were put there by
 * other programs: they get the next UIDs in the order of their age, which is written and synced
 * before anybody is told. Sizes come from the names (",S=", ",W="), else from the list, else from
 * the file, once: the list keeps them.
 *
 * While the journal is replayed, files without a UID get none: a record to come may know them.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "core/random.h"
#include "store/dir_listing.h"
#include "store/limits.h"
#include "store/mailbox_content.h"
#include "store/maildir_name.h"
#include "store/message_count.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

struct known_file {
    struct uidlist_line line;
    struct message_file *file; /* NULL: not found, expunged */
};

struct load {
    const struct load_settings *settings;
    struct mailbox_content *content;
    struct err *error, *warning;
    struct buf list; /* the file; lines point into it */
    struct known_file *known;
    size_t known_count, known_capacity;
    struct name_table names; /* of known */
    struct unknown_file *unknown;
    size_t unknown_count, unknown_capacity;
    uint32_t letters;      /* keyword letters seen */
    uint32_t lowest_new;   /* lowest UID in new/ */
    bool made_identity;    /* GUID or UIDVALIDITY */
    enum file_place place; /* of the directory being read */
    usec tmp_limit;
    struct buf path;
};

static const char *path_in_dir(struct load *l, const char *relative)
{
    buf_clear(&l->path);
    buf_printf(&l->path, "%s/%s", l->settings->dir, relative);
    return buf_c(&l->path);
}

static const char *path_of_file(struct load *l, const struct message_file *f)
{
    path_in_dir(l, "");
    message_file_add_path(&l->path, f);
    return buf_c(&l->path);
}

/* --- dovecot-uidlist --- */

static void add_known(struct load *l, const struct uidlist_line *line)
{
    if (l->known_count == l->known_capacity) {
        l->known_capacity = l->known_capacity ? l->known_capacity * 2 : 64;
        l->known = mem_resize(l->known, l->known_capacity * sizeof(*l->known));
    }
    l->known[l->known_count++] = (struct known_file){.line = *line};
}

static void note_damage(struct load *l)
{
    l->content->list_rewrite = true;
    /* UIDs of lost lines must not be given out again. */
    if (!l->settings->replaying)
        l->content->uid_next += 1000;
    err_set(l->warning, ERR_IO, "%s/dovecot-uidlist is damaged; it is written anew",
            l->settings->dir);
}

static void parse_lines(struct load *l, struct str text)
{
    struct mailbox_content *c = l->content;
    bool damaged, any_damage = false;
    struct uidlist_line line;
    uint32_t last = 0;

    while (text.n > 0) {
        if (uidlist_read_line(&text, last, &line, &damaged)) {
            last = line.uid;
            add_known(l, &line);
        } else if (damaged) {
            any_damage = true;
        }
        c->list_lines++;
    }
    if (c->uid_next <= last)
        c->uid_next = last + 1;
    c->list_last = c->uid_next - 1;
    if (any_damage)
        note_damage(l);
}

static bool read_list(struct load *l)
{
    struct mailbox_content *c = l->content;
    struct uidlist_header h = {0};
    struct err error = {0};

    if (!disk_read_file(path_in_dir(l, "dovecot-uidlist"), UIDLIST_SIZE_MAX, &l->list, &error) &&
        error.kind != ERR_NOT_FOUND) {
        *l->error = error;
        return false;
    }
    struct str text = buf_str(&l->list);
    bool readable = uidlist_read_header(&text, &h);
    if (!readable && l->list.n > 0)
        err_set(l->warning, ERR_IO, "%s/dovecot-uidlist is unreadable; all messages get new UIDs",
                l->settings->dir);
    c->uid_validity = readable ? h.validity : 0;
    c->uid_next = h.next > 0 ? h.next : 1;
    memcpy(c->guid, h.guid, GUID_SIZE);
    if (h.extra.n > 0)
        c->list_extra = mem_dup(h.extra.p, h.extra.n);
    if (readable)
        parse_lines(l, text);
    l->made_identity = !readable || !h.has_guid;
    if (!h.has_guid)
        random_bytes(c->guid, GUID_SIZE);
    return readable ||
           uidvalidity_take(l->settings->maildir, l->settings->now, 1, &c->uid_validity, l->error);
}

static bool read_keywords(struct load *l)
{
    struct buf text = BUF_EMPTY;
    struct err error = {0};

    bool ok = disk_read_file(path_in_dir(l, "dovecot-keywords"), KEYWORDS_SIZE_MAX, &text, &error);
    keywords_parse(&l->content->keywords, buf_str(&text));
    buf_free(&text);
    if (!ok && error.kind != ERR_NOT_FOUND)
        *l->error = error;
    return ok || error.kind == ERR_NOT_FOUND;
}

/* --- the directories --- */

static struct str known_name(const void *array, size_t position)
{
    return ((const struct known_file *)array)[position].line.base;
}

static void add_unknown(struct load *l, struct message_file *f)
{
    if (l->unknown_count == l->unknown_capacity) {
        l->unknown_capacity = l->unknown_capacity ? l->unknown_capacity * 2 : 16;
        l->unknown = mem_resize(l->unknown, l->unknown_capacity * sizeof(*l->unknown));
    }
    l->unknown[l->unknown_count++] = (struct unknown_file){.file = f};
}

/* Gives the file a base name that nobody else has, with the right sizes; returns its record. */
static struct message_file *rename_fresh(struct load *l, const struct message_file *f,
                                         uint64_t size, uint64_t size_crlf)
{
    struct buf name = BUF_EMPTY, to = BUF_EMPTY, old = BUF_EMPTY;
    struct str base = message_file_base(f);
    struct message_file *fresh = NULL;

    message_file_add_path(&old, f);
    maildir_name_make(&name, l->settings->now, getpid(), 'R', random_u64() >> 20,
                      l->settings->hostname, size, size_crlf);
    buf_add_str(&name, str_skip(buf_str(&old), 4 + base.n));
    buf_printf(&to, "%s/", l->settings->dir);
    file_path_add(&to, f->place, buf_str(&name));
    if (disk_rename(path_of_file(l, f), buf_c(&to), l->error))
        fresh = message_file_new(&l->content->files, f->place, buf_str(&name), STR(""));
    buf_free(&name);
    buf_free(&to);
    buf_free(&old);
    return fresh;
}

/* The base name was seen before: either it was renamed while the directory was read (then one of
 * the two is gone), or there are two files. The second then gets a name of its own. */
static void see_duplicate(struct load *l, struct known_file *known, struct message_file *second)
{
    struct stat st;

    if (!disk_stat(path_of_file(l, second), &st, NULL))
        return;
    if (!disk_stat(path_of_file(l, known->file), &st, NULL)) {
        known->file = second;
        return;
    }
    struct message_file *fresh = rename_fresh(l, second, (uint64_t)st.st_size, 0);
    if (fresh)
        add_unknown(l, fresh);
}

static bool see_message(void *arg, const char *name, unsigned char type)
{
    struct load *l = arg;
    struct str s = str_from_c(name), base, info;

    if (s.n == 0 || s.p[0] == '.' || s.n > FILE_NAME_MAX || !dir_type_is_message(type))
        return true;
    maildir_name_split(s, &base, &info);
    if (base.n == 0)
        return true;
    ptrdiff_t at = name_table_find(&l->names, base);
    struct known_file *known = at >= 0 ? &l->known[at] : NULL;
    struct message_file *f =
        message_file_new(&l->content->files, l->place, s, known ? known->line.extra : STR(""));
    l->letters |= f->keywords;
    if (!known) {
        add_unknown(l, f);
    } else if (known->file) {
        see_duplicate(l, known, f);
    } else {
        known->file = f;
        if (l->place == FILE_NEW && known->line.uid < l->lowest_new)
            l->lowest_new = known->line.uid;
    }
    return true;
}

/* A copy that the list knows, but that did not get to cur/. */
static bool rescue_copy(struct load *l, struct str base)
{
    ptrdiff_t at = name_table_find(&l->names, base);
    struct buf to = BUF_EMPTY;

    if (at < 0 || l->known[at].file)
        return false;
    buf_printf(&to, "%s/cur/%.*s:2,", l->settings->dir, STR_ARG(base));
    bool ok = disk_rename(l->path.p, buf_c(&to), NULL);
    buf_free(&to);
    buf_printf(&l->path, ":2,");
    if (ok)
        l->known[at].file = message_file_new(&l->content->files, FILE_CUR,
                                             str_skip(buf_str(&l->path), l->path.n - base.n - 3),
                                             l->known[at].line.extra);
    return ok;
}

/* Nobody writes to tmp/ of a mailbox that is not in memory but other programs. */
static bool see_temporary(void *arg, const char *name, unsigned char type)
{
    struct load *l = arg;
    struct str base, info;
    struct stat st;

    (void)type;
    if (name[0] == '.')
        return true;
    maildir_name_split(str_from_c(name), &base, &info);
    bool ours = maildir_name_is_ours(base);
    path_in_dir(l, "tmp/");
    buf_add_c(&l->path, name);
    buf_c(&l->path);
    if (ours && info.n == 0 && rescue_copy(l, base))
        return true;
    if (ours || (disk_stat(l->path.p, &st, NULL) && (usec)st.st_ctime * USEC_SEC < l->tmp_limit))
        disk_unlink(l->path.p, NULL);
    return true;
}

static bool make_subdirs(struct load *l)
{
    static const char *const names[] = {"cur", "new", "tmp"};
    struct stat st;

    if (!disk_stat(l->settings->dir, &st, l->error))
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (!disk_make_dir(path_in_dir(l, names[i]), 0700, l->error))
            return false;
    }
    return true;
}

static bool scan(struct load *l)
{
    name_table_init(&l->names, l->known_count, known_name, l->known);
    for (size_t i = 0; i < l->known_count; i++) {
        if (!name_table_add(&l->names, i))
            l->content->list_rewrite = true; /* a name twice: the first UID counts */
    }
    l->lowest_new = UINT32_MAX;
    l->place = FILE_NEW;
    if (!disk_list(path_in_dir(l, "new"), see_message, l, l->error))
        return false;
    l->place = FILE_CUR;
    if (!disk_list(path_in_dir(l, "cur"), see_message, l, l->error))
        return false;
    l->tmp_limit = l->settings->now - TMP_LIFETIME;
    return l->settings->replaying || disk_list(path_in_dir(l, "tmp"), see_temporary, l, l->error);
}

/* --- sizes --- */

/* A file that vanished meanwhile is no message: *gone. */
static bool find_sizes(struct load *l, struct known_file *k, bool *gone)
{
    struct uidlist_line *line = &k->line;
    struct str base = message_file_base(k->file);
    struct err error = {0};

    *gone = false;
    line->has_size |= maildir_name_get_size(base, 'S', &line->size);
    line->has_size_crlf |= maildir_name_get_size(base, 'W', &line->size_crlf);
    if (line->has_size && line->has_size_crlf)
        return true;
    if (!message_count_file(path_of_file(l, k->file), &line->size, &line->size_crlf, &error)) {
        *gone = error.kind == ERR_NOT_FOUND;
        if (!*gone)
            *l->error = error;
        return *gone;
    }
    l->content->list_rewrite = true;
    return true;
}

static void add_message(struct load *l, const struct uidlist_line *line, struct message_file *f)
{
    struct mailbox_content *c = l->content;
    uint8_t state = f->place == FILE_TMP ? STATE_DIRTY : 0;
    uint32_t set;

    keyword_set_of_letters(&c->keywords, f->keywords, &set);
    mailbox_content_insert(c, &(struct message){.uid = line->uid,
                                                .flags = f->flags,
                                                .state = state,
                                                .keywords = set,
                                                .modseq = c->modseq,
                                                .size = line->size,
                                                .size_crlf = line->size_crlf,
                                                .internal_date = INT64_MIN,
                                                .save_date = INT64_MIN,
                                                .file = f});
}

static bool add_known_messages(struct load *l)
{
    for (size_t i = 0; i < l->known_count; i++) {
        struct known_file *k = &l->known[i];
        bool gone = false;
        if (!k->file)
            continue;
        if (!find_sizes(l, k, &gone))
            return false;
        if (!gone)
            add_message(l, &k->line, k->file);
    }
    return true;
}

static int compare_unknown(const void *a, const void *b)
{
    const struct unknown_file *x = a, *y = b;
    return maildir_name_compare(message_file_base(x->file), message_file_base(y->file));
}

/* Checks a size that another program wrote into the name; a wrong one costs the file its name. */
static bool check_sizes(struct load *l, struct unknown_file *u, struct known_file *k, bool *gone)
{
    uint64_t named;
    struct stat st;
    struct str base = message_file_base(u->file);

    *gone = false;
    k->file = u->file;
    if (!maildir_name_get_size(base, 'S', &named))
        return find_sizes(l, k, gone);
    if (!disk_stat(path_of_file(l, u->file), &st, NULL)) {
        *gone = true;
        return true;
    }
    bool wrong = named != (uint64_t)st.st_size;
    if (!wrong && maildir_name_get_size(base, 'W', &named))
        wrong = named < (uint64_t)st.st_size;
    if (!wrong)
        return find_sizes(l, k, gone);
    if (!message_count_file(path_of_file(l, u->file), &k->line.size, &k->line.size_crlf, l->error))
        return false;
    k->file = rename_fresh(l, u->file, k->line.size, k->line.size_crlf);
    return k->file != NULL;
}

static bool add_unknown_messages(struct load *l)
{
    struct mailbox_content *c = l->content;

    if (l->unknown_count > 1)
        qsort(l->unknown, l->unknown_count, sizeof(*l->unknown), compare_unknown);
    for (size_t i = 0; i < l->unknown_count; i++) {
        struct known_file k = {0};
        bool gone;
        if (c->uid_next > UID_MAX)
            return err_set(l->error, ERR_LIMIT, "%s: no UIDs are left", l->settings->dir);
        if (!check_sizes(l, &l->unknown[i], &k, &gone))
            return false;
        if (gone)
            continue;
        k.line.uid = c->uid_next++;
        if (k.file->place == FILE_NEW && k.line.uid < l->lowest_new)
            l->lowest_new = k.line.uid;
        add_message(l, &k.line, k.file);
    }
    return true;
}

static struct str unknown_name(const void *array, size_t position)
{
    return message_file_base(((const struct unknown_file *)array)[position].file);
}

static void keep_unknown(struct load *l)
{
    struct mailbox_content *c = l->content;

    c->unknown = l->unknown;
    c->unknown_count = l->unknown_count;
    l->unknown = NULL;
    name_table_init(&c->unknown_names, c->unknown_count, unknown_name, c->unknown);
    for (size_t i = 0; i < c->unknown_count; i++)
        name_table_add(&c->unknown_names, i);
}

/* --- what was decided goes to disk --- */

static bool write_decisions(struct load *l, uint32_t first_new_uid)
{
    struct mailbox_content *c = l->content;
    const char *dir = l->settings->dir;
    bool ok = true;

    if (l->made_identity || (c->list_rewrite && !l->settings->replaying)) {
        struct uidlist_header h = {
            .validity = c->uid_validity, .next = c->uid_next, .extra = str_from_c(c->list_extra)};
        memcpy(h.guid, c->guid, GUID_SIZE);
        ok = uidlist_file_replace(dir, &h, c->messages, c->count, l->error);
        c->list_lines = c->count;
        c->list_rewrite = false;
    } else if (c->uid_next > first_new_uid) {
        size_t from = mailbox_content_find(c, first_new_uid);
        ok = uidlist_file_append(dir, c->messages + from, c->count - from, 0, true, l->error);
        c->list_lines += c->count - from;
    } else {
        return true;
    }
    c->list_last = c->uid_next - 1;
    return ok;
}

static bool load(struct load *l)
{
    struct mailbox_content *c = l->content;

    /* No client has seen a change as high. */
    c->modseq = modseq_floor(l->settings->now);
    c->expunged.floor = c->modseq;
    if (l->settings->replaying)
        uidlist_file_break_locks(l->settings->dir);
    if (!make_subdirs(l) || !read_list(l) || !read_keywords(l) || !scan(l))
        return false;
    c->keywords_changed = keywords_name_used(&c->keywords, l->letters);
    if (!add_known_messages(l))
        return false;
    uint32_t first_new_uid = c->uid_next;
    if (l->settings->replaying)
        keep_unknown(l);
    else if (!add_unknown_messages(l))
        return false;
    c->recent_from = l->lowest_new != UINT32_MAX ? l->lowest_new : c->uid_next;
    return write_decisions(l, first_new_uid);
}

bool mailbox_content_load(struct mailbox_content *c, const struct load_settings *s,
                          struct err *warning, struct err *e)
{
    struct err error = {0};
    struct load l = {.settings = s, .content = c, .error = e ? e : &error, .warning = warning};

    *c = (struct mailbox_content){0};
    *warning = (struct err){0};
    bool ok = load(&l);
    buf_free(&l.list);
    buf_free(&l.path);
    free(l.known);
    free(l.unknown);
    name_table_free(&l.names);
    if (!ok)
        mailbox_content_free(c);
    return ok;
}
