/*
 * Reading of backups. Nothing in an archive is trusted: names and numbers are checked where they
 * are used, by the server like those of any client. In a file the messages are passed over by
 * seeking, so that a single one is found at once; a pipe is read from end to end.
 */
#include "mailctl/archive.h"

#include "core/disk.h"
#include "core/mem.h"
#include "mailctl/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t)256 * 1024)

void archive_add_user(struct buf *b, const char *login)
{
    for (const char *c = login; *c; c++) {
        bool plain = *c != '/' && *c != '%' && (*c != '.' || c > login);
        if (plain)
            buf_add_char(b, *c);
        else
            buf_printf(b, "%%%02x", (unsigned char)*c);
    }
}

/* --- bytes --- */

static bool fill(struct archive *a, struct err *e)
{
    ssize_t got;
    buf_clear(&a->block);
    a->at = 0;
    do
        got = read(a->fd, buf_reserve(&a->block, BLOCK_SIZE), BLOCK_SIZE);
    while (got < 0 && errno == EINTR && !is_interrupted());
    if (is_interrupted())
        return err_interrupted(e);
    if (got < 0)
        return err_set_errno(e, errno, "%s", a->path);
    a->block.n = (size_t)got;
    a->position += (uint64_t)got;
    return true;
}

static bool read_bytes(void *arg, void *p, size_t n, size_t *got, struct err *e)
{
    struct archive *a = arg;
    if (a->at == a->block.n && !fill(a, e))
        return false;
    struct str there = str_head(str_skip(buf_str(&a->block), a->at), n);
    if (there.n > 0)
        memcpy(p, there.p, there.n);
    a->at += there.n;
    *got = there.n;
    return true;
}

/* Where the next byte comes from. */
static uint64_t offset_of(const struct archive *a)
{
    return a->position - (a->block.n - a->at);
}

static bool go_to(struct archive *a, uint64_t offset, struct err *e)
{
    if (offset > a->size)
        return err_set(e, ERR_SYNTAX, "the archive is cut off");
    if (lseek(a->fd, (off_t)offset, SEEK_SET) < 0)
        return err_set_errno(e, errno, "%s", a->path);
    a->position = offset;
    buf_clear(&a->block);
    a->at = 0;
    return !is_interrupted() || err_interrupted(e);
}

static bool skip_bytes(void *arg, uint64_t n, struct err *e)
{
    struct archive *a = arg;
    if (n <= a->block.n - a->at) {
        a->at += (size_t)n;
        return true;
    }
    return go_to(a, offset_of(a) + n, e);
}

struct archive *archive_open(struct mailctl *m, const char *path, struct err *e)
{
    struct archive *a = MEM_NEW(struct archive);
    struct stat st;
    bool standard = strcmp(path, "-") == 0;
    a->path = standard ? "standard input" : path;
    a->arena = m->arena;
    a->last = &a->sections;
    a->fd = standard ? STDIN_FILENO : -1;
    bool ok = standard || disk_open(path, O_RDONLY, 0, &a->fd, e);
    if (ok) {
        a->seekable = fstat(a->fd, &st) == 0 && S_ISREG(st.st_mode);
        a->size = a->seekable ? (uint64_t)st.st_size : 0;
        a->tar.from = (struct tar_input){read_bytes, a, a->seekable ? skip_bytes : NULL};
        return a;
    }
    archive_close(a);
    return NULL;
}

void archive_close(struct archive *a)
{
    if (a->fd > STDIN_FILENO)
        disk_close(a->fd);
    for (struct archive_section *s = a->sections; s; s = s->next) {
        json_decref(s->again);
        json_decref(s->metadata);
        json_decref(s->account_metadata);
        json_decref(s->acl);
        json_decref(s->account_acl);
    }
    json_decref(a->account);
    tar_reader_free(&a->tar);
    buf_free(&a->block);
    free(a);
}

/* --- members --- */

static bool next_member(struct archive *a, bool *end, struct err *e)
{
    *end = false;
    if (a->pending) {
        a->pending = false;
        return true;
    }
    if (!tar_read_member(&a->tar, &a->member, end, e))
        return err_prefix(e, "%s", a->path);
    return true;
}

bool archive_read(struct archive *a, struct str *piece, struct err *e)
{
    static const struct str none = {"", 0};
    *piece = none;
    if (a->tar.left == 0)
        return true;
    if (a->at == a->block.n && !fill(a, e))
        return false;
    *piece = str_head(str_skip(buf_str(&a->block), a->at),
                      a->tar.left < BLOCK_SIZE ? (size_t)a->tar.left : BLOCK_SIZE);
    a->at += piece->n;
    a->tar.left -= piece->n;
    return piece->n > 0 || err_set(e, ERR_SYNTAX, "%s: the archive is cut off", a->path);
}

bool archive_read_file(struct archive *a, uint64_t max, struct buf *b, struct err *e)
{
    struct str piece;
    if (a->tar.left > max)
        return err_set(e, ERR_LIMIT, "%s: %.*s is too large", a->path, STR_ARG(a->member.path));
    do {
        if (!archive_read(a, &piece, e))
            return false;
        buf_add_str(b, piece);
    } while (piece.n > 0);
    return true;
}

static bool read_json(struct archive *a, json_t **json, struct err *e)
{
    struct buf b = BUF_EMPTY;
    json_error_t where;
    bool ok = archive_read_file(a, ARCHIVE_JSON_MAX, &b, e);
    if (ok) {
        *json = json_loadb(buf_str(&b).p, b.n, JSON_REJECT_DUPLICATES, &where);
        ok = json_is_object(*json) ||
             err_set(e, ERR_SYNTAX, "%s: %.*s is damaged", a->path, STR_ARG(a->member.path));
        if (!ok)
            json_decref(*json);
    }
    buf_free(&b);
    return ok;
}

static struct str base_of(struct str path)
{
    ptrdiff_t slash = str_find_last_char(path, '/');
    return str_skip(path, (size_t)(slash + 1));
}

static bool is_subscribed(const struct archive *a, const char *mailbox)
{
    const json_t *list = json_object_get(a->account, "subscriptions");
    size_t i;
    json_t *name;
    json_array_foreach(list, i, name) if (json_is_string(name) && strcmp(json_string_value(name),
                                                                         mailbox) == 0) return true;
    return false;
}

static bool take_section(struct archive *a, struct err *e)
{
    json_t *json;
    struct str path = a->member.path;
    if (!read_json(a, &json, e))
        return false;
    struct archive_section *s = ARENA_NEW(a->arena, struct archive_section);
    s->directory =
        arena_c(a->arena, str_head(path, path.n - base_of(path).n - (base_of(path).n < path.n)));
    s->user = arena_c(a->arena, str_from_c(text_of(a->account, "user")));
    s->name = arena_c(a->arena, str_from_c(text_of(json, "mailbox")));
    s->id = arena_c(a->arena, str_from_c(text_of(json, "id")));
    s->uid_validity = (uint32_t)number_of(json, "uid_validity");
    s->uid_next = (uint32_t)number_of(json, "uid_next");
    s->messages = number_of(json, "messages");
    s->subscribed = is_subscribed(a, s->name);
    s->again = json_array();
    s->metadata = json_incref(json_object_get(json, "metadata"));
    s->account_metadata = json_incref(json_object_get(a->account, "metadata"));
    s->acl = json_incref(json_object_get(json, "acl"));
    s->account_acl = json_incref(json_object_get(a->account, "acl"));
    json_decref(json);
    a->current = *a->last = s;
    a->last = &s->next;
    return tar_skip(&a->tar, e);
}

static bool take_first(struct archive *a, struct err *e)
{
    json_t *json;
    if (!read_json(a, &json, e))
        return false;
    int64_t format = number_of(json, "format");
    a->time = number_of(json, "time");
    a->since = number_of(json, "since");
    json_decref(json);
    return format == ARCHIVE_FORMAT ||
           err_set(e, ERR_SYNTAX, "%s was written by a later version (format %lld)", a->path,
                   (long long)format);
}

static void note_unreadable(struct archive *a, struct str base)
{
    uint32_t uid;
    struct str number = str_skip(base, strlen(ARCHIVE_BAD));
    if (a->current && str_starts_with(base, STR(ARCHIVE_BAD)) && str_to_u32(number, &uid))
        json_array_append_new(a->current->again, json_integer(uid));
}

static void note_incomplete(struct archive *a)
{
    const char *user = text_of(a->account, "user");
    for (struct archive_section *s = a->sections; s; s = s->next)
        s->incomplete |= strcmp(s->user, user) == 0;
}

bool archive_next_section(struct archive *a, struct archive_section **section, struct err *e)
{
    bool end;
    *section = NULL;
    for (;;) {
        if (!next_member(a, &end, e))
            return false;
        if (end)
            return a->time > 0 || err_set(e, ERR_SYNTAX, "%s is no backup of maild", a->path);
        struct str base = base_of(a->member.path);
        if (str_equal(base, STR(ARCHIVE_FIRST)) && a->time == 0 && !take_first(a, e))
            return false;
        if (a->time == 0)
            return err_set(e, ERR_SYNTAX,
                           "%s is no backup of maild; mailctl import takes Maildirs and mailboxes",
                           a->path);
        note_unreadable(a, base);
        if (str_equal(base, STR(ARCHIVE_INCOMPLETE)))
            note_incomplete(a);
        if (str_equal(base, STR(ARCHIVE_ACCOUNT))) {
            json_decref(a->account);
            a->account = NULL;
            if (!read_json(a, &a->account, e))
                return false;
        }
        if (str_equal(base, STR(ARCHIVE_MAILBOX)) && a->account) {
            if (!take_section(a, e))
                return false;
            a->current->offset = offset_of(a);
            *section = a->current;
            return true;
        }
    }
}

bool archive_scan(struct archive *a, struct err *e)
{
    struct archive_section *s;
    do {
        if (!archive_next_section(a, &s, e))
            return false;
    } while (s);
    return true;
}

bool archive_seek(struct archive *a, struct archive_section *section, struct err *e)
{
    struct tar_input from = a->tar.from;
    tar_reader_free(&a->tar);
    a->tar = (struct tar_reader){.from = from, .started = true};
    a->pending = false;
    a->current = section;
    return go_to(a, section->offset, e);
}

/* Is the member's path one of the section, and which? */
static bool is_in_section(const struct archive *a, struct str *name)
{
    struct str directory = str_from_c(a->current->directory), path = a->member.path;
    if (!str_starts_with(path, directory) || path.n <= directory.n || path.p[directory.n] != '/')
        return false;
    *name = str_skip(path, directory.n + 1);
    return name->p[0] != '.' && !str_equal(*name, STR(ARCHIVE_ACCOUNT)) &&
           !str_equal(*name, STR(ARCHIVE_MAILBOX));
}

bool archive_next_file(struct archive *a, struct str *name, uint64_t *size, bool *end,
                       struct err *e)
{
    for (;;) {
        if (!next_member(a, end, e))
            return false;
        if (*end || !is_in_section(a, name)) {
            a->pending = !*end;
            *end = true;
            return true;
        }
        *size = a->member.size;
        if (!a->member.directory)
            return true;
    }
}
