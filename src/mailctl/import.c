/*
 * import: messages out of Maildirs and mboxes of other programs, as new ones with flags, keywords
 * and dates. What the source is, is seen from what is there:
 *
 *   a directory with cur/ or new/     a Maildir; its directories ".A.B" are the mailboxes below
 *                                     (Maildir++), others are looked at as well
 *   any other directory               of Maildirs and of mboxes "NAME.mbox"
 *   a file, or "-"                    an mbox
 *
 * A message that is in the mailbox already is left out, byte by byte the same, so an import that
 * was interrupted is simply run again.
 */
#include "mailctl/source.h"

#include "core/disk.h"
#include "mailctl/get.h"
#include "mailctl/interrupt.h"
#include "store/folder_name.h"

#include <dirent.h>

static bool is_directory(const char *path)
{
    struct stat st;
    return disk_stat(path, &st, NULL) && S_ISDIR(st.st_mode);
}

static bool has_directory(const char *path, const char *name)
{
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "%s/%s", path, name);
    bool has = is_directory(buf_c(&b));
    buf_free(&b);
    return has;
}

/* --- mailboxes --- */

static bool refuse(struct importing *x, const char *what, struct err *e)
{
    put_close(&x->put);
    if (put_is_over(e))
        return false;
    fail("%s: %s", what, e->text);
    x->put.counts.failed++;
    return true;
}

/* name "" is what INBOX is in the source. */
static bool import_mailbox(struct importing *x, const char *path, struct str name,
                           bool (*give)(struct importing *x, const char *path, struct err *e),
                           struct err *e)
{
    struct buf full = BUF_EMPTY;
    const char *inbox = x->mailbox ? x->mailbox : "INBOX";
    bool top = name.n == 0 || str_equal_nocase(name, STR("INBOX"));
    if (top || x->mailbox)
        buf_add_c(&full, inbox);
    if (!top && x->mailbox)
        buf_add_char(&full, '/');
    if (!top)
        buf_add_str(&full, name);
    json_t *args = json_pack("{s:s, s:s%, s:b}", "user", x->user, "mailbox", buf_str(&full).p,
                             full.n, "missing", !x->duplicates);
    bool ok = args ? put_begin(&x->put, args, e) : err_set(e, ERR_SYNTAX, "its name is not UTF-8");
    ok = (ok && give(x, path, e) && put_end(&x->put, e)) || refuse(x, path, e);
    buf_free(&full);
    return ok;
}

/* --- directories --- */

struct entry {
    struct entry *next;
    const char *name;
};

struct entries {
    struct arena *arena;
    struct entry *first;
};

static bool add_entry(void *arg, const char *name, unsigned char type)
{
    struct entries *list = arg;
    struct entry **at = &list->first;
    (void)type;
    while (*at && strcmp((*at)->name, name) < 0)
        at = &(*at)->next;
    struct entry *entry = ARENA_NEW(list->arena, struct entry);
    *entry = (struct entry){*at, arena_c(list->arena, str_from_c(name))};
    *at = entry;
    return true;
}

/* The mailbox that an entry of a directory is, below `name`. */
static void add_name(struct buf *b, struct str name, struct str entry, bool maildir)
{
    buf_add_str(b, name);
    if (name.n > 0 && entry.n > 0)
        buf_add_char(b, '/');
    if (maildir && entry.n > 0 && entry.p[0] == '.') {
        static const struct folder_naming mutf7, utf8 = {.utf8 = true};
        if (folder_name_add_decoded(b, &mutf7, entry) || folder_name_add_decoded(b, &utf8, entry))
            return;
    }
    if (str_ends_with_nocase(entry, STR(".mbox")))
        entry.n -= 5;
    buf_add_str(b, entry);
}

static bool is_own_name(const char *name)
{
    static const char *const names[] = {"cur", "new", "tmp", "expunged"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool import_path(struct importing *x, const char *path, struct str name, unsigned depth,
                        struct err *e);

static bool import_entry(struct importing *x, const char *path, struct str name, const char *entry,
                         bool maildir, unsigned depth, struct err *e)
{
    struct buf below = BUF_EMPTY, full = BUF_EMPTY;
    bool ok = true;
    buf_printf(&full, "%s/%s", path, entry);
    bool directory = is_directory(buf_c(&full));
    bool mbox = !directory && !maildir && str_ends_with_nocase(str_from_c(entry), STR(".mbox"));
    if ((directory && !(maildir && is_own_name(entry))) || mbox) {
        add_name(&below, name, str_from_c(entry), maildir);
        ok = import_path(x, full.p, buf_str(&below), depth + 1, e);
    }
    buf_free(&below);
    buf_free(&full);
    return ok;
}

static bool import_directory(struct importing *x, const char *path, struct str name, unsigned depth,
                             struct err *e)
{
    struct entries list = {.arena = arena_new()};
    bool maildir = has_directory(path, "cur") || has_directory(path, "new");
    bool ok = depth <= DEPTH_MAX || err_set(e, ERR_LIMIT, "%s: too deep", path);
    ok = ok && (!maildir || import_mailbox(x, path, name, give_maildir, e)) &&
         disk_list(path, add_entry, &list, e);
    for (struct entry *entry = list.first; ok && entry; entry = entry->next)
        ok = import_entry(x, path, name, entry->name, maildir, depth, e);
    arena_free(list.arena);
    return ok;
}

static bool import_path(struct importing *x, const char *path, struct str name, unsigned depth,
                        struct err *e)
{
    if (is_interrupted())
        return err_interrupted(e);
    return is_directory(path) ? import_directory(x, path, name, depth, e)
                              : import_mailbox(x, path, name, give_mbox, e);
}

/* A path that does not exist must not make a mailbox. */
static bool check_source(const char *path, struct err *e)
{
    struct stat st;
    return strcmp(path, "-") == 0 || disk_stat(path, &st, e);
}

int command_import(struct mailctl *m, const struct arguments *a)
{
    struct importing x = {.m = m,
                          .user = a->words[0],
                          .mailbox = option(a, "--mailbox"),
                          .duplicates = option(a, "--duplicates") != NULL,
                          .put = {.m = m},
                          .body = BODY_EMPTY};
    struct err e = {0};
    json_t *user = NULL;
    interrupt_catch();
    bool ok = find_user(m, x.user, &user, &e) && check_source(a->words[1], &e) &&
              import_path(&x, a->words[1], STR(""), 0, &e);
    json_decref(user);
    put_close(&x.put);
    if (ok && x.put.counts.mailboxes == 0 && x.put.counts.failed == 0)
        ok = err_set(&e, ERR_NOT_FOUND, "%s: here is neither a Maildir nor a file NAME.mbox",
                     a->words[1]);
    body_clear(&x.body);
    buf_free(&x.body.memory);
    return ok ? put_report(&x.put, "imported") : fail_error(&e);
}
