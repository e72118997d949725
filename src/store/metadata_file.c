/*
 * The file is replaced as a whole at each change, synced, so it is either the old or the new one;
 * people set annotations a few times a day, which is not worth a record in the journal. Being in
 * the mailbox's directory it needs nobody's care when the mailbox is renamed or deleted.
 */
#include "store/metadata_file.h"

#include "core/disk.h"
#include "store/limits.h"

#define HEADER "maild-metadata 1\n"

/* --- the form: "<bytes of the value> <name>\n<value>\n" --- */

static void add(struct metadata *m, const struct metadata_entry *entry, struct arena *a)
{
    /* A power of two: full. */
    if ((m->count & (m->count - 1)) == 0) {
        size_t capacity = m->count ? 2 * m->count : 1;
        struct metadata_entry *list = arena_array(a, capacity, sizeof(*list));
        if (m->count > 0)
            memcpy(list, m->list, m->count * sizeof(*list));
        m->list = list;
    }
    m->list[m->count++] = *entry;
}

bool metadata_parse(struct metadata *m, struct str text, struct arena *a)
{
    *m = (struct metadata){0};
    if (text.n == 0)
        return true;
    if (!str_starts_with(text, STR(HEADER)))
        return false;
    text = str_skip(text, sizeof(HEADER) - 1);
    while (text.n > 0) {
        struct str name = str_split(&text, '\n');
        uint64_t size;
        bool ok = str_to_u64(str_split(&name, ' '), &size) && name.n > 0 &&
                  !memchr(name.p, 0, name.n) && size < text.n && text.p[size] == '\n';
        if (!ok)
            return false;
        add(m, &(struct metadata_entry){name, str_head(text, (size_t)size)}, a);
        text = str_skip(text, (size_t)size + 1);
    }
    return true;
}

void metadata_format(struct buf *b, const struct metadata *m)
{
    buf_add_c(b, HEADER);
    for (size_t i = 0; i < m->count; i++) {
        buf_printf(b, "%zu %.*s\n", m->list[i].value.n, STR_ARG(m->list[i].name));
        buf_add_str(b, m->list[i].value);
        buf_add_char(b, '\n');
    }
}

/* --- in memory --- */

static size_t position_of(const struct metadata *m, struct str name)
{
    size_t i = 0;
    while (i < m->count && !str_equal_nocase(m->list[i].name, name))
        i++;
    return i;
}

const struct metadata_entry *metadata_find(const struct metadata *m, struct str name)
{
    size_t i = position_of(m, name);
    return i < m->count ? &m->list[i] : NULL;
}

void metadata_apply(struct metadata *m, const struct metadata_entry *changes, size_t count,
                    struct arena *a)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = position_of(m, changes[i].name);
        bool exists = at < m->count;
        if (changes[i].value.p && exists)
            m->list[at].value = changes[i].value;
        else if (changes[i].value.p)
            add(m, &changes[i], a);
        else if (exists)
            m->list[at] = m->list[--m->count];
    }
}

size_t metadata_size(const struct metadata *m)
{
    size_t sum = 0;
    for (size_t i = 0; i < m->count; i++)
        sum += m->list[i].name.n + m->list[i].value.n;
    return sum;
}

/* --- the file --- */

bool metadata_read(const char *path, struct metadata *m, struct arena *a, struct err *e)
{
    struct buf content = BUF_EMPTY;
    struct err error;

    *m = (struct metadata){0};
    bool ok = disk_read_file(path, METADATA_FILE_MAX, &content, &error);
    struct str text = ok ? arena_str(a, buf_str(&content)) : STR("");
    buf_free(&content);
    if (!ok && error.kind != ERR_NOT_FOUND) {
        if (e)
            *e = error;
        return false;
    }
    return metadata_parse(m, text, a) || err_set(e, ERR_IO, "%s is damaged", path);
}

static bool remove_file(const char *path, struct err *e)
{
    ptrdiff_t slash = str_find_last_char(str_from_c(path), '/');
    struct buf dir = BUF_EMPTY;

    buf_add(&dir, path, slash > 0 ? (size_t)slash : 0);
    bool ok = disk_unlink(path, e) && disk_sync_dir(buf_c(&dir), e);
    buf_free(&dir);
    return ok;
}

bool metadata_write(const char *path, const struct metadata *m, struct err *e)
{
    struct buf content = BUF_EMPTY;

    if (m->count == 0)
        return remove_file(path, e);
    metadata_format(&content, m);
    bool ok = disk_replace_file(path, buf_str(&content), 0600, e);
    buf_free(&content);
    return ok;
}
