/*
 * The list of an account's mailboxes: directories, subscribed names, and the parents of both,
 * joined by name.
 */
#include "core/mem.h"
#include "core/worker.h"
#include "store/folder_disk.h"
#include "store/folder_name.h"
#include "store/special_use.h"
#include "store/subscriptions.h"

#include <stdlib.h>

struct list_job {
    struct folder_disk disk;
    struct buf names; /* with NULs */
    struct arena *arena;
    struct str *subscribed;
    size_t subscribed_count;
    bool ok;
    struct err error;
};

static void run_list(void *arg)
{
    struct list_job *job = arg;
    job->ok = folder_disk_list(&job->disk, &job->names, &job->error) &&
              subscriptions_read(job->disk.maildir, &job->disk.naming, job->arena, &job->subscribed,
                                 &job->subscribed_count, &job->error);
}

static int compare_info(const void *a, const void *b)
{
    const struct mailbox_info *x = a, *y = b;
    return folder_name_compare(x->name, y->name);
}

struct info_list {
    struct arena *arena;
    struct mailbox_info *items;
    size_t count, capacity;
};

static void add_info(struct info_list *l, struct str name, bool exists, bool subscribed)
{
    l->items = arena_grow(l->arena, l->items, l->count, &l->capacity, sizeof(*l->items), 64);
    l->items[l->count++] = (struct mailbox_info){.name = arena_str(l->arena, name),
                                                 .special_use = STR(""),
                                                 .exists = exists,
                                                 .subscribed = subscribed};
}

/* Every parent of a mailbox or a subscribed name is listed, if only as a parent. */
static void add_parents(struct info_list *l)
{
    size_t count = l->count;

    for (size_t i = 0; i < count; i++) {
        struct str name = l->items[i].name;
        for (size_t k = 0; k < name.n; k++) {
            if (name.p[k] == '/')
                add_info(l, str_head(name, k), false, false);
        }
    }
}

/* Sorts and joins entries of the same name. */
static void join(struct info_list *l)
{
    size_t to = 0;

    if (l->count == 0)
        return;
    qsort(l->items, l->count, sizeof(*l->items), compare_info);
    for (size_t i = 0; i < l->count; i++) {
        struct mailbox_info *previous = to > 0 ? &l->items[to - 1] : NULL;
        if (previous && str_equal(previous->name, l->items[i].name)) {
            previous->exists |= l->items[i].exists;
            previous->subscribed |= l->items[i].subscribed;
        } else {
            l->items[to++] = l->items[i];
        }
    }
    l->count = to;
}

static bool has_children(const struct info_list *l, size_t i)
{
    for (size_t k = i + 1; k < l->count && folder_name_is_below(l->items[k].name, l->items[i].name);
         k++) {
        if (l->items[k].exists)
            return true;
    }
    return false;
}

static void complete(const struct store *s, const struct store_account *a, struct info_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        struct mailbox_info *info = &l->items[i];
        info->has_children = has_children(l, i);
        if (info->exists)
            info->special_use = special_use_of(s, a->special, info->name, l->arena);
    }
}

bool store_list_mailboxes(struct store *s, const struct account *account, struct arena *arena,
                          struct mailbox_info **list, size_t *count, struct err *e)
{
    struct store_account *a = store_account_open(s, account, e);
    struct info_list l = {.arena = arena};

    *count = 0;
    if (!a)
        return false;
    struct list_job job = {.disk = folder_disk_of(a), .arena = arena};
    worker_run(WORKER_DISK, run_list, &job);
    bool ok = job.ok;
    if (!ok && e)
        *e = job.error;
    if (!a->is_public)
        add_info(&l, STR("INBOX"), true, false);
    for (size_t at = 0; at < job.names.n; at += strlen(job.names.p + at) + 1)
        add_info(&l, str_from_c(job.names.p + at), true, false);
    for (size_t i = 0; ok && i < job.subscribed_count; i++)
        add_info(&l, job.subscribed[i], false, true);
    buf_free(&job.names);
    if (!ok || !special_uses_learn(a, e))
        return false;
    add_parents(&l);
    join(&l);
    complete(s, a, &l);
    *list = l.items;
    *count = l.count;
    return true;
}
