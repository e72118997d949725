/*
 * Writing dovecot-uidlist and dovecot-keywords. New lines go to the end of the list in place, as
 * Dovecot does it; the whole list is written anew, beside the old one and under Dovecot's dotlock,
 * when its header changes or too many of its lines are of messages that are gone.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "core/random.h"
#include "store/mailbox_content.h"

#include <fcntl.h>

/* Dovecot takes a dotlock that was not touched for this long for a left one. */
#define LOCK_STALE (120 * USEC_SEC)

static void add_message(struct buf *b, const struct message *m)
{
    uidlist_add_line(b, &(struct uidlist_line){.uid = m->uid,
                                               .size = m->size,
                                               .size_crlf = m->size_crlf,
                                               .extra = message_file_extra(m->file),
                                               .base = message_file_base(m->file)});
}

bool uidlist_file_append(const char *dir, const struct message *messages, size_t count,
                         uint32_t ghost, bool sync, struct err *e)
{
    struct buf path = BUF_EMPTY, lines = BUF_EMPTY;
    int fd;

    for (size_t i = 0; i < count; i++)
        add_message(&lines, &messages[i]);
    if (ghost > 0)
        buf_printf(&lines, "%u :0.%016llx.expunged,S=0,W=0\n", ghost,
                   (unsigned long long)random_u64());
    buf_printf(&path, "%s/dovecot-uidlist", dir);
    bool ok = disk_open(buf_c(&path), O_WRONLY | O_APPEND, 0600, &fd, e);
    if (ok) {
        ok = disk_write(fd, lines.p, lines.n, path.p, e) && (!sync || disk_sync(fd, path.p, e));
        disk_close(fd);
    }
    buf_free(&path);
    buf_free(&lines);
    return ok;
}

/* Takes the dotlock for `path` into *lock (its path, to unlink). */
static bool take_lock(const char *path, struct buf *lock, struct err *e)
{
    struct stat st;
    struct err error;
    int fd;

    buf_printf(lock, "%s.lock", path);
    for (int tries = 0; tries < 2; tries++) {
        if (disk_open(buf_c(lock), O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, &error)) {
            disk_close(fd);
            return true;
        }
        if (error.kind != ERR_EXISTS)
            break;
        if (!disk_stat(lock->p, &st, NULL) ||
            clock_wall() - (usec)st.st_mtime * USEC_SEC > LOCK_STALE)
            disk_unlink(lock->p, NULL);
        else
            error.kind = ERR_TEMP;
    }
    if (e)
        *e = error;
    return false;
}

static bool replace_locked(const char *path, struct str content, struct err *e)
{
    struct buf lock = BUF_EMPTY;

    bool ok = take_lock(path, &lock, e);
    if (ok) {
        ok = disk_replace_file(path, content, 0600, e);
        disk_unlink(buf_c(&lock), NULL);
    }
    buf_free(&lock);
    return ok;
}

void uidlist_file_break_locks(const char *dir)
{
    static const char *const names[] = {"dovecot-uidlist", "dovecot-keywords"};
    struct buf path = BUF_EMPTY;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s.lock", dir, names[i]);
        disk_unlink(buf_c(&path), NULL);
    }
    buf_free(&path);
}

static struct buf format_list(const struct uidlist_header *h, const struct message *messages,
                              size_t count)
{
    struct buf content = BUF_EMPTY;

    uidlist_add_header(&content, h);
    for (size_t i = 0; i < count; i++)
        add_message(&content, &messages[i]);
    return content;
}

bool uidlist_file_create(const char *dir, const struct uidlist_header *h,
                         const struct message *messages, size_t count, struct err *e)
{
    struct buf path = BUF_EMPTY, content = format_list(h, messages, count);
    int fd;

    buf_printf(&path, "%s/dovecot-uidlist", dir);
    bool ok = disk_open(buf_c(&path), O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, e);
    if (ok) {
        ok = disk_write(fd, content.p, content.n, path.p, e);
        disk_close(fd);
    }
    buf_free(&path);
    buf_free(&content);
    return ok;
}

bool uidlist_file_replace(const char *dir, const struct uidlist_header *h,
                          const struct message *messages, size_t count, struct err *e)
{
    struct buf path = BUF_EMPTY, content = format_list(h, messages, count);

    buf_printf(&path, "%s/dovecot-uidlist", dir);
    bool ok = replace_locked(buf_c(&path), buf_str(&content), e);
    buf_free(&path);
    buf_free(&content);
    return ok;
}

bool keywords_file_replace(const char *dir, struct str content, struct err *e)
{
    struct buf path = BUF_EMPTY;

    buf_printf(&path, "%s/dovecot-keywords", dir);
    bool ok = replace_locked(buf_c(&path), content, e);
    buf_free(&path);
    return ok;
}
