/*
 * Making, moving and listing the directories of mailboxes.
 *
 * A new directory is built under another name in the store's spool directory, synced, and renamed
 * to its place: other programs and a start after a crash see either nothing or a whole mailbox. A
 * mailbox that is deleted goes the other way: renamed into the spool directory first, removed from
 * there at leisure (or at the next start).
 *
 * The marker in a Maildir marks that the special folders were made: one that the user
 * deletes stays deleted. It says whose Maildir it is, so that a layout which gives two accounts the
 * same one does not mix their mail.
 */
#include "store/folder_disk.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"
#include "store/acl_file.h"
#include "store/expunged_disk.h"
#include "store/folder_name.h"
#include "store/limits.h"
#include "store/mailbox_content.h"
#include "store/metadata_file.h"
#include "store/subscriptions.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

static const char *dir_path(struct buf *b, const struct folder_disk *d, struct str name)
{
    buf_clear(b);
    buf_add_c(b, d->maildir);
    if (!str_equal(name, STR("INBOX"))) {
        buf_add_char(b, '/');
        folder_name_add_dir(b, &d->naming, name);
    }
    return buf_c(b);
}

bool folder_disk_exists(const struct folder_disk *d, struct str name)
{
    struct buf path = BUF_EMPTY;
    struct stat st;

    bool ok = disk_stat(dir_path(&path, d, name), &st, NULL) && S_ISDIR(st.st_mode);
    buf_free(&path);
    return ok;
}

static bool read_list_header(const struct folder_disk *d, struct str name, struct uidlist_header *h)
{
    struct buf path = BUF_EMPTY;
    char head[1000];
    size_t got = 0;
    int fd;

    dir_path(&path, d, name);
    buf_add_c(&path, "/dovecot-uidlist");
    bool ok = disk_open(buf_c(&path), O_RDONLY, 0, &fd, NULL);
    if (ok) {
        ok = disk_read_at(fd, head, sizeof(head), 0, &got, path.p, NULL);
        disk_close(fd);
    }
    struct str text = str_from(head, got);
    ok = ok && uidlist_read_header(&text, h);
    h->extra = STR("");
    buf_free(&path);
    return ok;
}

/* --- building --- */

static bool make_file(const char *dir, const char *name, struct str content, struct err *e)
{
    struct buf path = BUF_EMPTY;
    int fd;

    buf_printf(&path, "%s/%s", dir, name);
    bool ok = disk_open(buf_c(&path), O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, e);
    if (ok) {
        ok = disk_write(fd, content.p, content.n, path.p, e) && disk_sync(fd, path.p, e);
        disk_close(fd);
    }
    buf_free(&path);
    return ok;
}

/* The directory itself must not exist. */
static bool build_mailbox(const char *dir, bool inbox, uint32_t validity, const uint8_t *guid,
                          struct err *e)
{
    static const char *const names[] = {"cur", "new", "tmp"};
    struct uidlist_header h = {.validity = validity, .next = 1};
    struct buf b = BUF_EMPTY;

    bool ok = disk_make_dir(dir, 0700, e);
    for (size_t i = 0; ok && i < 3; i++) {
        buf_clear(&b);
        buf_printf(&b, "%s/%s", dir, names[i]);
        ok = disk_make_dir(buf_c(&b), 0700, e);
    }
    if (guid)
        memcpy(h.guid, guid, GUID_SIZE);
    else
        random_bytes(h.guid, GUID_SIZE);
    buf_clear(&b);
    uidlist_add_header(&b, &h);
    ok = ok && make_file(dir, "dovecot-uidlist", buf_str(&b), e) &&
         (inbox || make_file(dir, "maildirfolder", STR(""), e)) && disk_sync_dir(dir, e);
    buf_free(&b);
    return ok;
}

static void add_building_path(struct buf *b, const struct folder_disk *d)
{
    buf_printf(b, "%s/%016llx.create", d->spool_dir, (unsigned long long)random_u64());
    buf_c(b);
}

/* Of a mailbox at the top it is the list of them all, in the Maildir itself. */
static bool inherit_acl(const struct folder_disk *d, struct str name, const char *building,
                        struct err *e)
{
    ptrdiff_t slash = str_find_last_char(name, '/');
    struct buf parent = BUF_EMPTY;

    bool ok = acl_file_inherit(
        slash < 0 ? d->maildir : dir_path(&parent, d, str_head(name, (size_t)slash)), building, e);
    buf_free(&parent);
    return ok && disk_sync_dir(building, e);
}

static bool create_one(const struct folder_disk *d, struct str name, uint32_t validity,
                       const uint8_t *guid, struct str metadata, struct err *e)
{
    struct buf building = BUF_EMPTY, path = BUF_EMPTY;

    add_building_path(&building, d);
    bool ok = build_mailbox(building.p, str_equal(name, STR("INBOX")), validity, guid, e) &&
              (!d->inherit_acl || inherit_acl(d, name, building.p, e)) &&
              (metadata.n == 0 || (make_file(building.p, METADATA_FILE, metadata, e) &&
                                   disk_sync_dir(building.p, e))) &&
              disk_rename(building.p, dir_path(&path, d, name), e) && disk_sync_dir(d->maildir, e);
    if (!ok)
        disk_remove_tree(building.p, NULL);
    buf_free(&building);
    buf_free(&path);
    return ok;
}

/* Parents that are missing; name: of the child. */
static bool create_parents(const struct folder_disk *d, struct str name, struct err *e)
{
    uint32_t validity;

    for (size_t i = 0; i < name.n; i++) {
        struct str part = str_head(name, i);
        if (name.p[i] != '/' || folder_disk_exists(d, part))
            continue;
        if (!uidvalidity_take(d->maildir, d->now, 1, &validity, e) ||
            !create_one(d, part, validity, NULL, STR(""), e))
            return false;
    }
    return true;
}

static bool is_free(const struct folder_disk *d, struct str name, struct err *e)
{
    if (d->no_inbox && str_equal(name, STR("INBOX")))
        return err_set(e, ERR_DENIED, "there cannot be an INBOX here");
    return !folder_disk_exists(d, name) ||
           err_set(e, ERR_EXISTS, "mailbox %.*s exists already", STR_ARG(name));
}

bool folder_disk_create(const struct folder_disk *d, struct str name, const uint8_t *guid,
                        struct err *e)
{
    uint32_t validity;

    if (!is_free(d, name, e))
        return false;
    return create_parents(d, name, e) && uidvalidity_take(d->maildir, d->now, 1, &validity, e) &&
           create_one(d, name, validity, guid, d->metadata, e);
}

bool folder_disk_create_as(const struct folder_disk *d, struct str name, const uint8_t *guid,
                           uint32_t validity, struct err *e)
{
    if (!is_free(d, name, e))
        return false;
    return create_parents(d, name, e) && uidvalidity_note(d->maildir, validity, e) &&
           create_one(d, name, validity, guid, d->metadata, e);
}

/* --- an account --- */

static void marker_path(struct buf *path, const char *maildir)
{
    buf_printf(path, "%s/" FOLDER_MARKER, maildir);
    buf_c(path);
}

static bool build_account(const char *dir, const struct folder_disk *d, const struct str *special,
                          size_t count, struct err *e)
{
    struct buf b = BUF_EMPTY;
    uint32_t validity = (uint32_t)(d->now / USEC_SEC);

    bool ok =
        d->no_inbox ? disk_make_dir(dir, 0700, e) : build_mailbox(dir, true, validity, NULL, e);
    ok = ok && uidvalidity_take(dir, d->now, (uint32_t)count + 1, &validity, e);
    for (size_t i = 0; ok && i < count; i++) {
        buf_clear(&b);
        buf_printf(&b, "%s/", dir);
        folder_name_add_dir(&b, &d->naming, special[i]);
        ok = build_mailbox(buf_c(&b), false, validity + 1 + (uint32_t)i, NULL, e);
    }
    buf_clear(&b);
    subscriptions_format(&b, &d->naming, special, count);
    ok = ok && make_file(dir, "subscriptions", buf_str(&b), e) &&
         make_file(dir, FOLDER_MARKER, str_from_c(d->owner), e) && disk_sync_dir(dir, e);
    buf_free(&b);
    return ok;
}

static bool create_account(const struct folder_disk *d, const struct str *special, size_t count,
                           struct err *e)
{
    struct buf building = BUF_EMPTY;
    ptrdiff_t slash = str_find_last_char(str_from_c(d->maildir), '/');
    char *home = mem_dup(d->maildir, (size_t)slash);

    add_building_path(&building, d);
    bool ok = build_account(building.p, d, special, count, e) && disk_make_dirs(home, 0700, e) &&
              disk_rename(building.p, d->maildir, e) && disk_sync_dir(home, e);
    if (!ok)
        disk_remove_tree(building.p, NULL);
    buf_free(&building);
    free(home);
    return ok;
}

/* The Maildir is in use: after a power cut there is the whole marker or none. */
static bool mark(const struct folder_disk *d, struct err *e)
{
    struct buf path = BUF_EMPTY;

    marker_path(&path, d->maildir);
    bool ok = disk_replace_file(path.p, str_from_c(d->owner), 0600, e);
    buf_free(&path);
    return ok;
}

/* UIDVALIDITY of folders is to be above INBOX's, which a delivery took without noting it. */
static bool note_inbox(const struct folder_disk *d, struct err *e)
{
    struct uidlist_header h = {.validity = d->inbox_validity};

    return (h.validity == 0 && !read_list_header(d, STR("INBOX"), &h)) || h.validity == 0 ||
           uidvalidity_note(d->maildir, h.validity, e);
}

/* Folders that are there are left as their owner has them, subscribed or not. */
static bool complete_account(const struct folder_disk *d, const struct str *special, size_t count,
                             struct err *e)
{
    if (!note_inbox(d, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (folder_disk_exists(d, special[i]))
            continue;
        if (!subscriptions_change(d->maildir, &d->naming, special[i], true, e) ||
            !folder_disk_create(d, special[i], NULL, e))
            return false;
    }
    return mark(d, e);
}

bool folder_disk_is_prepared(const struct folder_disk *d)
{
    struct buf path = BUF_EMPTY;
    struct stat st;

    marker_path(&path, d->maildir);
    bool marked = disk_stat(path.p, &st, NULL);
    buf_free(&path);
    return marked;
}

/* --- whose it is --- */

/* Appends nothing if the disk has lost what was in it. */
static bool read_marker(const char *maildir, struct buf *owner)
{
    struct buf path = BUF_EMPTY;
    size_t before = owner->n;

    marker_path(&path, maildir);
    bool read = disk_read_file(path.p, FOLDER_NAME_MAX, owner, NULL);
    if (str_find_char(str_skip(buf_str(owner), before), '\0') >= 0)
        owner->n = before;
    buf_free(&path);
    return read;
}

bool folder_disk_add_owner(struct buf *b, const char *maildir, const char *path)
{
    const struct str name = STR("/Maildir");
    size_t before = b->n;

    if (!read_marker(maildir, b))
        return false;
    /* Made before markers had a content, when there was one layout only. */
    struct str home = str_skip(str_from_c(maildir), strlen(path) + 1);
    if (b->n == before && home.n > name.n && str_equal(str_skip(home, home.n - name.n), name))
        buf_add_str(b, str_head(home, home.n - name.n));
    return b->n > before;
}

bool folder_disk_check_owner(const struct folder_disk *d, bool *marked, struct err *e)
{
    struct buf owner = BUF_EMPTY;

    *marked = read_marker(d->maildir, &owner) && owner.n > 0;
    bool ok = !*marked || !d->owner || str_equal(buf_str(&owner), str_from_c(d->owner));
    if (!ok)
        err_set(e, ERR_PERM, "%s is the Maildir of %.*s", d->maildir, STR_ARG(buf_str(&owner)));
    buf_free(&owner);
    return ok;
}

bool folder_disk_prepare(const struct folder_disk *d, const struct str *special, size_t count,
                         struct err *e)
{
    bool marked;

    if (!folder_disk_exists(d, STR("INBOX")))
        return create_account(d, special, count, e);
    if (!folder_disk_check_owner(d, &marked, e))
        return false;
    if (folder_disk_is_prepared(d))
        return marked || mark(d, e);
    return complete_account(d, special, count, e);
}

/* --- moving --- */

bool folder_disk_sync(const struct folder_disk *d, struct err *e)
{
    return disk_sync_dir(d->maildir, e);
}

bool folder_disk_take_away(const struct folder_disk *d, struct str name,
                           const uint8_t guid[GUID_SIZE], struct buf *trash, struct err *e)
{
    struct buf path = BUF_EMPTY;
    struct err error = {0};
    char hex[2 * GUID_SIZE];

    guid_format(hex, guid);
    buf_printf(trash, "%s/%.*s.%llx.deleted", d->spool_dir, (int)sizeof(hex), hex,
               (unsigned long long)random_u64());
    bool ok =
        disk_rename(dir_path(&path, d, name), buf_c(trash), &error) || error.kind == ERR_NOT_FOUND;
    buf_free(&path);
    if (!ok && e)
        *e = error;
    return ok;
}

bool folder_disk_keep(const struct folder_disk *d, struct str name, const uint8_t guid[GUID_SIZE],
                      struct buf *note)
{
    struct buf path = BUF_EMPTY;
    struct err error = {0};

    dir_path(&path, d, name);
    bool ok = expunged_disk_take_mailbox(d->maildir, path.p, guid, note, d->now / USEC_SEC, &error);
    if (!ok)
        log_error("store", NULL, "not kept for undelete dir=<%s> reason=\"%s\"", path.p,
                  error.text);
    buf_free(&path);
    return ok;
}

bool folder_disk_rename(const struct folder_disk *d, struct str from, struct str to, struct err *e)
{
    struct buf old = BUF_EMPTY, new = BUF_EMPTY;

    bool ok = disk_rename(dir_path(&old, d, from), dir_path(&new, d, to), e);
    buf_free(&old);
    buf_free(&new);
    return ok;
}

/* --- looking --- */

bool folder_disk_guid(const struct folder_disk *d, struct str name, uint8_t guid[GUID_SIZE])
{
    struct uidlist_header h = {0};

    bool ok = read_list_header(d, name, &h) && h.has_guid;
    memcpy(guid, h.guid, GUID_SIZE);
    return ok;
}

struct listing {
    const struct folder_disk *disk;
    struct buf *names;
};

static bool see_folder(void *arg, const char *entry, unsigned char type)
{
    struct listing *l = arg;
    struct buf name = BUF_EMPTY, canonical = BUF_EMPTY;
    struct str dir = str_from_c(entry);

    if (dir.p[0] != '.' || (type != DT_DIR && type != DT_UNKNOWN && type != DT_LNK))
        return true;
    bool ok = folder_name_add_decoded(&name, &l->disk->naming, dir) &&
              folder_name_check(buf_str(&name), &canonical, NULL) &&
              str_equal(buf_str(&name), buf_str(&canonical));
    if (ok && (type == DT_DIR || folder_disk_exists(l->disk, buf_str(&name))))
        buf_add(l->names, buf_c(&name), name.n + 1);
    buf_free(&name);
    buf_free(&canonical);
    return true;
}

bool folder_disk_list(const struct folder_disk *d, struct buf *names, struct err *e)
{
    struct listing l = {.disk = d, .names = names};
    return disk_list(d->maildir, see_folder, &l, e);
}

bool folder_disk_count(const struct folder_disk *d, uint64_t *count, struct err *e)
{
    struct buf names = BUF_EMPTY;

    bool ok = folder_disk_list(d, &names, e);
    *count = 1;
    for (size_t i = 0; i < names.n; i++)
        *count += names.p[i] == '\0';
    buf_free(&names);
    return ok;
}
