/*
 * Which mailboxes are in memory. One object per mailbox, found by account and name; loaded once
 * (loading.c), however many ask at the same time; when nobody uses it any more it is kept for a
 * while, the longest unused go first. One that has something to write is written before it goes.
 */
#include "core/crash.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/folder_name.h"
#include "store/foreign_compare.h"
#include "store/layout.h"
#include "store/limits.h"
#include "store/loading.h"
#include "store/public.h"
#include "store/store_internal.h"
#include "store/summary_cache.h"
#include "store/uid_list.h"

#include <assert.h>
#include <stdlib.h>

/* --- accounts --- */

/* A home is the directory's own, but it must stay below the store's path. */
static bool check_home(struct str home, struct err *e)
{
    struct str rest = home;

    if (home.n == 0 || home.n > FOLDER_NAME_MAX || memchr(home.p, 0, home.n))
        return err_set(e, ERR_PERM, "the account's home is not usable");
    if (home_is_public(home))
        return true;
    while (rest.p) {
        struct str part = str_split(&rest, '/');
        if (part.n == 0 || part.p[0] == '.')
            return err_set(e, ERR_PERM, "the account's home \"%.*s\" is not usable",
                           STR_ARG(str_head(home, 200)));
    }
    return true;
}

static void grow_accounts(struct store *s)
{
    size_t buckets = s->account_buckets ? s->account_buckets * 2 : 256;
    struct store_account **table = mem_array(buckets, sizeof(*table));

    for (size_t i = 0; i < s->account_buckets; i++) {
        while (s->accounts[i]) {
            struct store_account *a = s->accounts[i];
            s->accounts[i] = a->next;
            struct store_account **chain = &table[str_hash(str_from_c(a->home)) & (buckets - 1)];
            a->next = *chain;
            *chain = a;
        }
    }
    free(s->accounts);
    s->accounts = table;
    s->account_buckets = buckets;
    s->account_list = mem_resize(s->account_list, buckets * sizeof(*s->account_list));
}

struct store_account *store_account_get(struct store *s, struct str home, struct err *e)
{
    struct buf path = BUF_EMPTY;

    if (s->account_count >= s->account_buckets)
        grow_accounts(s);
    struct store_account **chain = &s->accounts[str_hash(home) & (s->account_buckets - 1)];
    for (struct store_account *a = *chain; a; a = a->next) {
        if (!str_equal(str_from_c(a->home), home))
            continue;
        if (!a->blocked || s->replaying)
            return a;
        err_set(e, ERR_TEMP, "%s", a->blocked);
        return NULL;
    }
    if (!check_home(home, e))
        return NULL;
    buf_printf(&path, "%s/", s->path);
    const char *layout = home_is_public(home) ? LAYOUT_DEFAULT : s->layout;
    if (!layout_add_path(&path, str_from_c(layout), home)) {
        buf_free(&path);
        err_set(e, ERR_PERM, "the account's home \"%.*s\" does not fit store.maildir",
                STR_ARG(str_head(home, 200)));
        return NULL;
    }
    struct store_account *a = MEM_NEW(struct store_account);
    a->store = s;
    a->home = mem_dup(home.p, home.n);
    a->maildir = mem_dup(path.p, path.n);
    a->is_public = home_is_public(home);
    a->expunged_from = INT64_MAX;
    a->next = *chain;
    *chain = a;
    s->account_list[s->account_count++] = a;
    buf_free(&path);
    return a;
}

bool store_account_wait(struct store_account *a, struct err *e)
{
    while (a->busy) {
        if (!cond_wait(&a->changed, DEADLINE_NONE, e))
            return false;
    }
    return true;
}

bool store_account_take(struct store_account *a, struct err *e)
{
    if (!store_account_wait(a, e))
        return false;
    a->busy = true;
    while (a->in_flight > 0)
        cond_wait_certain(&a->changed);
    return true;
}

void store_account_landed(struct store_account *a)
{
    if (--a->in_flight == 0)
        cond_broadcast(&a->changed);
}

void store_account_release(struct store_account *a)
{
    a->busy = false;
    cond_broadcast(&a->changed);
}

/* --- the table of mailboxes --- */

static size_t bucket_of(const struct store *s, const struct store_account *a, struct str name)
{
    uint64_t hash = str_hash(name) + (uint64_t)(uintptr_t)a * 0x9e3779b97f4a7c15u;
    return (hash ^ hash >> 32) & (s->mailbox_buckets - 1);
}

static void grow_mailboxes(struct store *s)
{
    struct mailbox **old = s->mailboxes;
    size_t buckets = s->mailbox_buckets;

    s->mailbox_buckets = buckets ? buckets * 2 : 256;
    s->mailboxes = mem_array(s->mailbox_buckets, sizeof(*s->mailboxes));
    for (size_t i = 0; i < buckets; i++) {
        while (old[i]) {
            struct mailbox *m = old[i];
            old[i] = m->next;
            size_t at = bucket_of(s, m->account, str_from_c(m->name));
            m->next = s->mailboxes[at];
            s->mailboxes[at] = m;
        }
    }
    free(old);
}

struct mailbox *mailbox_cached(struct store *s, const struct store_account *a, struct str name)
{
    struct mailbox *m = s->mailbox_buckets ? s->mailboxes[bucket_of(s, a, name)] : NULL;
    while (m && !(m->account == a && str_equal(str_from_c(m->name), name)))
        m = m->next;
    return m;
}

void mailbox_remember(struct mailbox *m)
{
    struct store *s = m->store;

    if (s->mailbox_count >= s->mailbox_buckets)
        grow_mailboxes(s);
    size_t at = bucket_of(s, m->account, str_from_c(m->name));
    m->next = s->mailboxes[at];
    s->mailboxes[at] = m;
    s->mailbox_count++;
}

void mailbox_forget(struct mailbox *m)
{
    struct store *s = m->store;
    struct mailbox **at = &s->mailboxes[bucket_of(s, m->account, str_from_c(m->name))];

    quota_mailbox_left(m, !m->is_deleted);
    while (*at && *at != m)
        at = &(*at)->next;
    if (*at) {
        *at = m->next;
        s->mailbox_count--;
    }
    m->next = NULL;
}

char *mailbox_dir_path(const struct store_account *a, struct str name)
{
    struct buf path = BUF_EMPTY;

    buf_add_c(&path, a->maildir);
    if (!str_equal(name, STR("INBOX"))) {
        buf_add_char(&path, '/');
        folder_name_add_dir(&path, &a->store->naming, name);
    }
    buf_c(&path);
    return path.p;
}

/* The mailbox is another one by name, but the same to all who have it open. */
void mailbox_take_name(struct mailbox *m, struct str name)
{
    quota_mailbox_left(m, false);
    mailbox_forget(m);
    free(m->name);
    free(m->dir);
    m->name = mem_dup(name.p, name.n);
    m->dir = mailbox_dir_path(m->account, name);
    m->expunged_noted = false;
    mailbox_remember(m);
    quota_mailbox_entered(m);
    mailbox_notify(m);
}

void mailbox_vanish(struct mailbox *m)
{
    m->is_deleted = true;
    mailbox_unmark_dirty(m);
    foreign_forget(m);
    mailbox_forget(m);
    mailbox_unpin(m);
    mailbox_notify(m);
}

/* --- references --- */

static void leave_unused(struct mailbox *m)
{
    struct store *s = m->store;

    if (m->older)
        m->older->newer = m->newer;
    else
        s->oldest = m->newer;
    if (m->newer)
        m->newer->older = m->older;
    else
        s->newest = m->older;
    m->older = m->newer = NULL;
    m->unused = false;
    s->unused_count--;
}

struct mailbox *mailbox_ref(struct mailbox *m)
{
    if (m->unused)
        leave_unused(m);
    m->refs++;
    return m;
}

/* Modification sequences of a mailbox that has lost its index begin anew, above those of records to
 * come: an index written in the middle of the replay would say that it has seen them. */
void mailbox_pin(struct mailbox *m)
{
    m->pinned = true;
    mailbox_ref(m);
}

void mailbox_unpin(struct mailbox *m)
{
    if (!m->pinned)
        return;
    m->pinned = false;
    mailbox_unref(m);
}

/* Nobody refers to it, nothing is left to write. */
static void mailbox_free(struct mailbox *m)
{
    assert(m->refs == 0 && !m->watchers && !m->dirty && m->pending == 0);
    summary_free(m);
    mailbox_drop_uid_list(m);
    mailbox_content_free(&m->c);
    flag_history_free(&m->flag_history);
    free(m->leaving);
    free(m->name);
    free(m->dir);
    free(m);
}

static bool is_in_table(const struct mailbox *m)
{
    return mailbox_cached(m->store, m->account, str_from_c(m->name)) == m;
}

static void put_unused(struct mailbox *m)
{
    struct store *s = m->store;

    m->unused = true;
    m->older = s->newest;
    if (m->older)
        m->older->newer = m;
    else
        s->oldest = m;
    s->newest = m;
    s->unused_count++;
}

/* Gives a reference back; the last one keeps or frees the mailbox. True when it is kept unused. */
static bool release(struct mailbox *m)
{
    assert(m->refs > 0);
    if (--m->refs > 0)
        return false;
    bool keep = is_in_table(m);
    if (keep)
        put_unused(m);
    else
        mailbox_free(m);
    return keep;
}

void mailbox_unref(struct mailbox *m)
{
    struct store *s = m->store;

    if (!release(m))
        return;
    if ((int64_t)s->unused_count > s->settings.mailboxes_open_max)
        store_wake_keeper(s);
}

void store_evict(struct store *s, size_t most)
{
    struct mailbox *m;
    bool clean = true;

    while (clean && s->unused_count > most) {
        m = s->oldest;
        mailbox_ref(m);
        clean = (!m->dirty && !mailbox_index_unsettled(m)) || mailbox_flush(m, FLUSH_ALL, NULL);
        if (clean && m->refs == 1 && !m->dirty && m->pending == 0) {
            foreign_forget(m);
            mailbox_forget(m);
        }
        release(m);
    }
}

/* --- opening --- */

void store_set_crashes(struct store *s, const struct crashes *c)
{
    s->crashes = c;
}

void mailbox_suspect(const struct mailbox *m, struct arena *a, struct suspect *s)
{
    struct str name = str_from_c(m->name);
    suspect_begin(s, SUSPECT_MAILBOX, str_from_c(m->account->home), a ? arena_str(a, name) : name);
}

bool mailbox_is_trusted(const struct store_account *a, struct str name, struct err *e)
{
    if (!crashes_accuse(a->store->crashes, SUSPECT_MAILBOX, str_from_c(a->home), name))
        return true;
    /* A replay goes on without the account for errors that are its own. */
    return err_set(e, a->store->replaying ? ERR_IO : ERR_TEMP,
                   "%s: mailbox %.*s is set aside, because the server crashed with it twice; "
                   "\"mailctl store release\" opens it again",
                   a->home, STR_ARG(str_head(name, 200)));
}

static bool is_special(const struct store *s, struct str name)
{
    for (size_t i = 0; i < s->special_count; i++) {
        if (str_equal(s->special[i].name, name))
            return true;
    }
    return false;
}

/* A special folder that is still to be made is not one that does not exist: clients would make it
 * themselves, or give up. */
static bool refuse_failed(const struct mailbox *m, struct err *e)
{
    if (m->load_error.kind != ERR_NOT_FOUND)
        return err_set(e, m->load_error.kind, "%s", m->load_error.text);
    if (m->account->lacks_space && is_special(m->store, str_from_c(m->name)))
        return err_set(e, ERR_NO_SPACE, "mailbox %s is to be made when there is space on the disk",
                       m->name);
    return err_set(e, ERR_NOT_FOUND, "mailbox %s does not exist", m->name);
}

bool mailbox_get(struct store *s, struct store_account *a, struct str name, struct mailbox **out,
                 struct err *e)
{
    struct mailbox *m = mailbox_cached(s, a, name);
    bool ok = true;

    *out = NULL;
    if (!account_has_mailbox(a, name, e) || !mailbox_is_trusted(a, name, e))
        return false;
    if (m) {
        mailbox_ref(m);
        while (ok && m->load == MAILBOX_LOADING)
            ok = cond_wait(&m->changed, DEADLINE_NONE, e);
    } else {
        struct loading l;
        m = loading_begin(&l, s, a, name);
        loading_run(&l);
        loading_end(&l);
    }
    if (ok && m->load == MAILBOX_FAILED)
        ok = refuse_failed(m, e);
    if (ok)
        *out = m;
    else
        mailbox_unref(m);
    return ok;
}

bool mailbox_open(struct store *s, const struct account *account, struct str name,
                  struct mailbox **m, struct err *e)
{
    struct store_account *a = store_account_open(s, account, e);
    struct buf canonical = BUF_EMPTY;

    *m = NULL;
    bool ok =
        a && folder_name_check(name, &canonical, e) && mailbox_get(s, a, buf_str(&canonical), m, e);
    if (ok) {
        foreign_look(*m);
        /* Another one may have its name by now. */
        if ((*m)->is_deleted) {
            mailbox_unref(*m);
            ok = mailbox_get(s, a, buf_str(&canonical), m, e);
        }
    }
    buf_free(&canonical);
    return ok;
}
