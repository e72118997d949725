/*
 * Bringing back what was expunged. A message comes back the way a copy comes into a mailbox
 * (copy.h): its file is linked, one record, a new UID; then its name in expunged/ goes. A crash
 * between the two leaves the message in both places, never in none.
 *
 * A deleted mailbox comes back by a rename of its directory, so with its UIDVALIDITY, UIDs, flags
 * and keywords. The records of its deletion must not be replayed after that: a checkpoint comes
 * first.
 *
 * The mailbox of a message is found by its GUID, whatever it is called now; if it is no more, the
 * messages go to one of its name.
 */
#include "store/undelete.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/copy.h"
#include "store/folder_disk.h"
#include "store/folder_name.h"
#include "store/limits.h"

#include <stdlib.h>

/* Where messages go whose mailbox has no name any more. */
#define NAMELESS STR("Undeleted")

/* --- which mailboxes --- */

struct box_list {
    struct folder_disk disk;
    const struct expunged_filter *filter;
    struct arena *arena;
    struct str name; /* canonical, or empty */
    struct expunged_box *boxes;
    struct str *present; /* what each is called now; empty: it is no more */
    size_t count;
    bool ok;
    struct err error;
};

static void find_present(struct box_list *l)
{
    struct buf names = BUF_EMPTY;
    uint8_t guid[GUID_SIZE];

    buf_add(&names, "INBOX", sizeof("INBOX"));
    folder_disk_list(&l->disk, &names, NULL);
    l->present = arena_array(l->arena, l->count, sizeof(*l->present));
    for (size_t at = 0; at < names.n; at += strlen(names.p + at) + 1) {
        struct str name = str_from_c(names.p + at);
        if (!folder_disk_guid(&l->disk, name, guid))
            continue;
        for (size_t i = 0; i < l->count; i++) {
            if (memcmp(l->boxes[i].guid, guid, GUID_SIZE) == 0)
                l->present[i] = arena_str(l->arena, name);
        }
    }
    buf_free(&names);
}

static void run_list(void *arg)
{
    struct box_list *l = arg;
    size_t to = 0;

    l->ok =
        expunged_disk_list(l->disk.maildir, l->filter, l->arena, &l->boxes, &l->count, &l->error);
    if (!l->ok)
        return;
    find_present(l);
    for (size_t i = 0; i < l->count; i++) {
        if (l->name.n > 0 && !str_equal(l->name, l->boxes[i].note.name) &&
            !str_equal(l->name, l->present[i]))
            continue;
        l->boxes[to] = l->boxes[i];
        l->present[to++] = l->present[i];
    }
    l->count = to;
}

static bool list_boxes(const struct store_account *a, struct str name,
                       const struct expunged_filter *f, struct arena *arena, struct box_list *l,
                       struct err *e)
{
    struct buf canonical = BUF_EMPTY;

    *l = (struct box_list){.disk = folder_disk_of(a), .filter = f, .arena = arena};
    bool ok = name.n == 0 || folder_name_check(name, &canonical, e);
    l->name = arena_str(arena, buf_str(&canonical));
    buf_free(&canonical);
    if (!ok)
        return false;
    worker_run(WORKER_CPU, run_list, l);
    if (!l->ok && e)
        *e = l->error;
    return l->ok;
}

bool store_list_expunged(struct store *s, const struct account *account, struct str name,
                         const struct expunged_filter *f, struct arena *arena,
                         struct expunged_box **boxes, size_t *count, struct err *e)
{
    struct store_account *a = store_account_open(s, account, e);
    struct box_list l;

    if (!a || !list_boxes(a, name, f, arena, &l, e))
        return false;
    /* By the name it has now, when it has one. */
    for (size_t i = 0; i < l.count; i++) {
        if (l.present[i].n > 0)
            l.boxes[i].note.name = l.present[i];
    }
    *boxes = l.boxes;
    *count = l.count;
    return true;
}

/* --- whole mailboxes --- */

struct restore_job {
    struct folder_disk disk;
    const struct expunged_box *box;
    struct arena *arena;
    struct str into;
    bool ok;
    struct err error;
};

/* The mailbox's name, or another one if that is taken or cannot be. */
static bool free_name(struct restore_job *job)
{
    struct buf name = BUF_EMPTY;
    bool ok = folder_name_check(job->box->note.name, &name, NULL);

    if (!ok || str_equal(buf_str(&name), STR("INBOX"))) {
        buf_clear(&name);
        buf_add_str(&name, NAMELESS);
    }
    size_t length = name.n;
    for (unsigned i = 1; i < 1000; i++) {
        if (!folder_disk_exists(&job->disk, buf_str(&name))) {
            job->into = arena_str(job->arena, buf_str(&name));
            buf_free(&name);
            return true;
        }
        name.n = length;
        buf_printf(&name, i == 1 ? "-undeleted" : "-undeleted-%u", i);
    }
    buf_free(&name);
    return err_set(&job->error, ERR_EXISTS, "there are too many mailboxes of that name");
}

static void run_restore(void *arg)
{
    struct restore_job *job = arg;
    struct buf from = BUF_EMPTY, to = BUF_EMPTY;

    buf_printf(&from, "%.*s/", STR_ARG(job->box->dir));
    expunged_deleted_add(&from, job->box->deleted);
    job->ok = free_name(job);
    if (job->ok) {
        buf_printf(&to, "%s/", job->disk.maildir);
        folder_name_add_dir(&to, &job->disk.naming, job->into);
        job->ok = disk_rename(buf_c(&from), buf_c(&to), &job->error) &&
                  folder_disk_sync(&job->disk, &job->error);
    }
    buf_free(&from);
    buf_free(&to);
}

static bool restore_mailbox(struct store *s, struct store_account *a, const struct box_list *l,
                            const struct expunged_box *box, struct undeleted *u, struct err *e)
{
    struct restore_job job = {.disk = l->disk, .box = box, .arena = l->arena};

    if (!journal_checkpoint(s->journal, e) || !store_account_take(a, e))
        return false;
    worker_run(WORKER_DISK, run_restore, &job);
    quota_forget(a);
    store_account_release(a);
    if (!job.ok) {
        *e = job.error;
        return false;
    }
    u->into = job.into;
    u->whole = true;
    u->messages += box->deleted_messages;
    log_info("store", NULL, "undeleted home=<%s> mailbox=<%.*s> messages=%zu", a->home,
             STR_ARG(job.into), box->deleted_messages);
    return true;
}

/* --- messages --- */

static int compare_uids(const void *a, const void *b)
{
    const struct expunged_name *x = &((const struct expunged_file *)a)->name;
    const struct expunged_name *y = &((const struct expunged_file *)b)->name;
    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void add_items(struct copy *c, const struct expunged_box *box,
                      const struct expunged_file *files, size_t count, struct arena *a)
{
    struct store *s = c->to->store;

    c->items = mem_array(count, sizeof(*c->items));
    c->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct expunged_file *f = &files[i];
        buf_clear(&s->name);
        store_make_name(s, f->size, f->size_crlf);
        c->items[i] = (struct copy_item){
            .path = arena_printf(a, "%.*s/%.*s", STR_ARG(box->dir), STR_ARG(f->file)),
            .copy = {.flags = f->name.flags & (uint8_t)~MESSAGE_DELETED,
                     .keywords = f->name.keywords,
                     .size = f->size,
                     .size_crlf = f->size_crlf,
                     .internal_date = f->date},
            .sync = true,
            .base = arena_str(a, buf_str(&s->name))};
    }
}

static void run_forget(void *arg)
{
    struct copy *c = arg;
    struct buf path = BUF_EMPTY;

    for (size_t i = 0; i < c->count; i++) {
        if (!c->items[i].reserved)
            continue;
        buf_clear(&path);
        buf_add_str(&path, c->items[i].path);
        disk_unlink(buf_c(&path), NULL);
    }
    buf_free(&path);
}

static bool may_change(struct mailbox *m, struct err *e)
{
    return store_ready(m->store, e) && store_account_wait(m->account, e) && mailbox_is_usable(m, e);
}

/* One slice; *done grows by what came back. */
static bool restore_some(struct mailbox *m, const struct expunged_box *box,
                         const struct expunged_file *files, size_t count, size_t *done,
                         struct err *e)
{
    struct copy c = {.to = m, .keywords = box->note.keywords};
    struct arena *a = arena_new();

    bool ok = may_change(m, e);
    if (ok) {
        add_items(&c, box, files, count, a);
        m->account->in_flight++;
        worker_run(WORKER_DISK, copy_run_link, &c);
        store_account_landed(m->account);
        ok = c.ok;
        if (!ok)
            *e = c.error;
    }
    ok = ok && may_change(m, e) && copy_commit(&c, e);
    if (ok) {
        for (size_t i = 0; i < c.count; i++)
            *done += c.items[i].reserved;
        worker_run(WORKER_DISK, run_forget, &c);
    }
    copy_end(&c);
    arena_free(a);
    return ok;
}

static bool open_target(struct store *s, struct store_account *a, struct str name,
                        struct arena *arena, struct mailbox **m, struct str *into, struct err *e)
{
    struct buf canonical = BUF_EMPTY;
    struct err error = {0};

    *into = folder_name_check(name, &canonical, NULL) ? arena_str(arena, buf_str(&canonical))
                                                      : NAMELESS;
    buf_free(&canonical);
    bool ok = mailbox_get(s, a, *into, m, &error);
    if (!ok && error.kind == ERR_NOT_FOUND)
        ok = (folder_create(s, a, *into, &error) || error.kind == ERR_EXISTS) &&
             mailbox_get(s, a, *into, m, &error);
    if (!ok)
        *e = error;
    return ok;
}

static bool restore_messages(struct store *s, struct store_account *a, struct expunged_box *box,
                             struct str name, struct arena *arena, struct undeleted *u,
                             struct err *e)
{
    struct mailbox *m;
    struct str into;
    size_t done = 0;

    if (!open_target(s, a, name, arena, &m, &into, e))
        return false;
    qsort(box->files, box->count, sizeof(*box->files), compare_uids);
    bool ok = true;
    for (size_t i = 0; ok && i < box->count; i += UNDELETE_SLICE) {
        size_t n = box->count - i < UNDELETE_SLICE ? box->count - i : UNDELETE_SLICE;
        ok = restore_some(m, box, box->files + i, n, &done, e);
    }
    mailbox_unref(m);
    u->into = into;
    u->messages += done;
    log_info("store", NULL, "undeleted home=<%s> mailbox=<%.*s> messages=%zu", a->home,
             STR_ARG(into), done);
    return ok;
}

bool store_undelete(struct store *s, const struct account *account, struct str name,
                    const struct expunged_filter *f, struct arena *arena, struct undeleted **list,
                    size_t *count, struct err *e)
{
    struct store_account *a = store_account_open(s, account, e);
    struct box_list l;

    if (!a || !list_boxes(a, name, f, arena, &l, e))
        return false;
    *list = arena_array(arena, l.count, sizeof(**list));
    *count = l.count;
    for (size_t i = 0; i < l.count; i++) {
        struct expunged_box *box = &l.boxes[i];
        struct undeleted *u = &(*list)[i];
        struct str present = l.present[i];
        u->name = u->into = present.n > 0 ? present : box->note.name;
        bool ok = true;
        if (box->deleted > 0)
            ok = restore_mailbox(s, a, &l, box, u, &u->error);
        if (ok && box->count > 0)
            restore_messages(s, a, box, u->into, arena, u, &u->error);
    }
    return true;
}
