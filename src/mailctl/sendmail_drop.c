/*
 * Into the maildrop (smtp/drop_file.h): a directory in which everybody may make files, and nobody
 * but the server can see those of others. Under a name that cannot be guessed, written and synced
 * first, then given the name that the server looks for; the directory is synced last. Killed at any
 * moment, this leaves either a message that is complete or a file that is rubbish.
 */
#include "core/disk.h"
#include "core/random.h"
#include "mailctl/sendmail.h"
#include "smtp/drop_file.h"

struct writing {
    int fd;
    const char *path;
};

static bool write_piece(void *arg, struct str piece, struct err *e)
{
    const struct writing *w = arg;
    return disk_write(w->fd, piece.p, piece.n, w->path, e);
}

static bool write_head(struct sendmail *s, const struct writing *w, struct err *e)
{
    struct drop d = {
        .sender = str_from_c(s->sender),
        .envelope_id = s->envelope_id,
        .dsn_return = s->dsn_return,
        .recipients = arena_array(s->arena, s->recipient_count, sizeof(struct drop_recipient)),
        .recipient_count = s->recipient_count,
        .message_size = sendmail_size(s),
    };
    for (size_t i = 0; i < s->recipient_count; i++)
        d.recipients[i] = (struct drop_recipient){s->recipients[i], s->notify};
    struct buf head = BUF_EMPTY;
    drop_write_head(&head, &d);
    bool fits = head.n <= DROP_ENVELOPE_MAX && s->recipient_count <= DROP_RECIPIENTS_MAX;
    bool ok = fits ? disk_write(w->fd, head.p, head.n, w->path, e)
                   : err_set(e, ERR_PERM, "too many recipients");
    buf_free(&head);
    return ok;
}

static bool write_file(struct sendmail *s, const char *path, struct err *e)
{
    struct writing w = {.path = path};
    if (!disk_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, DROP_FILE_MODE, &w.fd, e))
        return false;
    /* The umask may have taken the server's right to read. */
    bool ok = disk_set_mode(path, DROP_FILE_MODE, e) && write_head(s, &w, e) &&
              sendmail_each_piece(s, write_piece, &w, e) && disk_sync(w.fd, path, e);
    disk_close(w.fd);
    return ok;
}

/* A directory that may not be read cannot be synced by itself; the file system that it is on can.
 */
static bool sync_name(const char *dir, const char *path, struct err *e)
{
    return disk_sync_dir(dir, NULL) || disk_sync_filesystem(path, e);
}

/* A program that runs wild while the server is down must not take all room from it. */
static bool has_room(const struct sendmail *s, struct err *e)
{
    uint64_t bytes, inodes;
    if (!disk_free_space(s->maildrop, &bytes, &inodes, e))
        return false;
    return (bytes >= DROP_SPACE_RESERVE && bytes - DROP_SPACE_RESERVE >= sendmail_size(s) &&
            inodes > DROP_INODES_RESERVE) ||
           err_set(e, ERR_NO_SPACE, "%s: the file system is nearly full", s->maildrop);
}

bool sendmail_drop(struct sendmail *s, struct err *e)
{
    if (!has_room(s, e))
        return false;
    char id[ID_SIZE], secret[ID_SIZE];
    random_id(id);
    random_id(secret);
    const char *path = arena_printf(s->arena, "%s/new.%s%s", s->maildrop, id, secret).p;
    const char *final = arena_printf(s->arena, "%s/drop.%s%s", s->maildrop, id, secret).p;
    if (!write_file(s, path, e)) {
        if (e->kind != ERR_EXISTS)
            disk_unlink(path, NULL);
        return false;
    }
    if (disk_rename(path, final, e) && sync_name(s->maildrop, final, e))
        return true;
    /* Whoever called may try again: this one must not be sent as well. */
    disk_unlink(path, NULL);
    disk_unlink(final, NULL);
    return false;
}
