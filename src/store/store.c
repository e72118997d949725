/*
 * The store: opening, closing, and what its parts share.
 *
 *   mailbox_cache.c  which mailboxes are in memory; accounts
 *   mailbox_load.c   reading a mailbox from disk
 *   mailbox.c        the mailbox in memory
 *   deliver.c        delivery and APPEND; pending.c writes the files
 *   flags.c expunge.c copy.c   changes: a journal record, then memory, then (flush.c) disk
 *   expunged*.c undelete.c     what was expunged or deleted is kept for a while
 *   reader.c         reading messages; scan.c many of them on workers
 *   summary*.c       what clients ask of messages most, without reading them
 *   account.c folders.c folder_*.c   mailboxes as such; public.c those of no user
 *   metadata*.c special_use.c  annotations
 *   account_watch.c            who wants to hear of all mailboxes of an account
 *   foreign*.c own_change.c    what other programs do to the files
 *   quota.c quota_count.c      what an account may keep, and what it keeps
 *   replay*.c checkpoint.c     the journal's consumer; set_aside.c what it cannot apply
 *
 * Every change takes the same way: check, append one record, wait until it is durable, apply it in
 * memory and tell the watchers before the next suspension. As the journal resumes those who wait in
 * the order of their records, memory changes in the journal's order. Between append and effect a
 * change is "in flight": checkpoints and folder operations wait for those.
 */
#include "store/store.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/acl_memory.h"
#include "store/expunged.h"
#include "store/layout.h"
#include "store/limits.h"
#include "store/maildir_name.h"
#include "store/pending.h"
#include "store/public.h"
#include "store/special_use.h"
#include "store/store_internal.h"

#include <stdlib.h>
#include <unistd.h>

static const struct setting settings[] = {
    {"path", SETTING_PATH, offsetof(struct store_settings, path), "", 0, 0, NULL,
     "The directory of all mail; one home per account below it. Empty: `mail` in the data "
     "directory. Needs a restart."},
    {"maildir", SETTING_STRING, offsetof(struct store_settings, maildir), LAYOUT_DEFAULT, 0, 0,
     NULL,
     "Where the Maildir of an account is below the path: %u is the login, %n the part of it before "
     "the @, %d the domain; \"%d/%1n/%1.1n/%n\" as Dovecot would have it. For Maildirs that are "
     "taken over (docs/dovecot.md). Needs a restart."},
    {"folder_escape", SETTING_STRING, offsetof(struct store_settings, folder_escape), "\\", 0, 0,
     NULL,
     "The character that with two hex digits stands for one that the name of a folder's directory "
     "cannot hold (Dovecot: listescape_char). Needs a restart."},
    {"folder_names_utf8", SETTING_BOOL, offsetof(struct store_settings, folder_names_utf8), "no", 0,
     0, NULL,
     "Directories of folders have their names in UTF-8 instead of modified UTF-7 (Dovecot: UTF-8 "
     "in "
     "mail_location, mailbox_list_utf8). Changing it renames nothing. Needs a restart."},
    {"special_folders", SETTING_STRING_LIST, offsetof(struct store_settings, special),
     "Drafts:\\Drafts, Sent:\\Sent, Junk:\\Junk, Trash:\\Trash, Archive:\\Archive", 0, 0, NULL,
     "Folders that an account has from its first use, with their special use (RFC 6154): "
     "name:attribute. Needs a restart."},
    {"mailboxes_open_max", SETTING_NUMBER, offsetof(struct store_settings, mailboxes_open_max),
     "1000", 0, 10000000, NULL, "Mailboxes that nobody uses are kept in memory up to this number."},
    {"keep_expunged", SETTING_DURATION, offsetof(struct store_settings, keep_expunged), "7d", 0,
     3650 * 86400 * USEC_SEC, NULL,
     "How long expunged messages and deleted mailboxes can be brought back (`mailctl mailbox "
     "undelete`). They do not count for quotas. When the disk runs full the oldest go earlier. 0: "
     "they are removed at once."},
    {"history_age", SETTING_DURATION, offsetof(struct store_settings, history_age), "90d", 0,
     3650 * 24 * 3600 * USEC_SEC, NULL,
     "How long a mailbox remembers which messages were expunged, so that a client which comes back "
     "need not compare all (QRESYNC)."},
    {"history_max", SETTING_NUMBER, offsetof(struct store_settings, history_max), "1000000", 0,
     100000000, NULL, "How many expunged messages a mailbox remembers."},
    {"summary_at_delivery", SETTING_BOOL, offsetof(struct store_settings, summary_at_delivery),
     "yes", 0, 0, NULL,
     "What mail clients show of a message in their lists is noted when it is delivered; if not, "
     "when a client asks for it the first time, which then takes longer."},
    {0},
};

static bool check_settings(const void *values, struct err *e)
{
    const struct store_settings *s = values;
    struct err error;

    if (!layout_check(str_from_c(s->maildir), &error))
        return err_set(e, ERR_SYNTAX, "maildir: \"%s\": %s", s->maildir, error.text);
    if (strlen(s->folder_escape) != 1 || !folder_escape_is_usable(s->folder_escape[0]))
        return err_set(e, ERR_SYNTAX, "folder_escape: one of \\ %% ^ _ + = ! # is needed");
    for (size_t i = 0; i < s->special.count; i++) {
        struct str rest = str_from_c(s->special.items[i]);
        struct str name = str_split(&rest, ':');
        if (name.n == 0 || !str_is_utf8(name) || rest.n < 2 || rest.p[0] != '\\')
            return err_set(e, ERR_SYNTAX, "special_folders: \"%s\" is not name:\\Attribute",
                           s->special.items[i]);
    }
    return true;
}

const struct settings_block store_settings_block = {
    .name = "store",
    .help = "Where mail is kept.",
    .size = sizeof(struct store_settings),
    .settings = settings,
    .check = check_settings,
};

/* --- in flight --- */

void in_flight_begin(struct store *s, struct in_flight *f, lsn position)
{
    *f = (struct in_flight){.previous = s->in_flight_last, .lsn = position};
    if (f->previous)
        f->previous->next = f;
    else
        s->in_flight_first = f;
    s->in_flight_last = f;
}

void in_flight_end(struct store *s, struct in_flight *f)
{
    if (f->previous)
        f->previous->next = f->next;
    else
        s->in_flight_first = f->next;
    if (f->next)
        f->next->previous = f->previous;
    else
        s->in_flight_last = f->previous;
    cond_broadcast(&s->in_flight_done);
}

bool store_ready(struct store *s, struct err *e)
{
    usec deadline = deadline_in(READY_TIMEOUT);

    while (s->pending_error.kind != ERR_NONE || s->pending_count > PENDING_FILES_MAX ||
           s->pending_bytes > PENDING_BYTES_MAX) {
        if (s->pending_error.kind == ERR_NO_SPACE)
            cond_signal(&s->house_wake);
        if (s->pending_error.kind != ERR_NONE)
            return err_set(e, s->pending_error.kind, "%s", s->pending_error.text);
        if (!cond_wait(&s->pending_done, deadline, e))
            return false;
    }
    struct err error = {0};
    if (journal_ready(s->journal, deadline, &error))
        return true;
    if (error.kind == ERR_NO_SPACE)
        cond_signal(&s->house_wake);
    if (e)
        *e = error;
    return false;
}

void store_make_name(struct store *s, uint64_t size, uint64_t size_crlf)
{
    maildir_name_make(&s->name, clock_wall(), s->pid, 'Q', ++s->name_counter, s->hostname, size,
                      size_crlf);
}

/* --- the keeper --- */

static void keep(void *arg)
{
    struct store *s = arg;

    do {
        struct mailbox *m = s->keeper_first;
        if (m) {
            enum flush_what what = m->keeper_what;
            s->keeper_first = m->keeper_next;
            m->keeper_next = NULL;
            m->keeper_what = 0;
            /* What fails stays marked; the checkpoint tries again and says so. */
            mailbox_flush(m, what, NULL);
            mailbox_unref(m);
        } else if (s->quota_flush_soon) {
            quota_flush(s);
        } else {
            store_evict(s, (size_t)s->settings.mailboxes_open_max);
        }
    } while (s->keeper_first || s->quota_flush_soon);
    s->keeper_running = false;
    s->background--;
    cond_broadcast(&s->background_done);
}

void store_wake_keeper(struct store *s)
{
    if (s->keeper_running || s->closing)
        return;
    s->keeper_running = fiber_start(s->loop, "store keeper", keep, s) != NULL;
    s->background += s->keeper_running;
}

/* --- open and close --- */

static char *make_c(struct buf *b)
{
    char *c = mem_dup(b->p, b->n);
    buf_free(b);
    return c;
}

void store_add_spool_file(struct store *s, char *path, lsn position)
{
    struct spool_file *f = MEM_NEW(struct spool_file);

    *f = (struct spool_file){.lsn = position, .path = path};
    if (s->spool_files_last)
        s->spool_files_last->next = f;
    else
        s->spool_files = f;
    s->spool_files_last = f;
}

struct open_job {
    const char *path, *spool_dir;
    struct buf left; /* names in the spool directory, with NULs */
    bool ok;
    struct err error;
};

static bool see_left(void *arg, const char *name, unsigned char type)
{
    struct open_job *job = arg;
    (void)type;
    buf_add(&job->left, name, strlen(name) + 1);
    return true;
}

static void run_open(void *arg)
{
    struct open_job *job = arg;
    job->ok = disk_make_dirs(job->path, 0700, &job->error) &&
              disk_make_dirs(job->spool_dir, 0700, &job->error) &&
              disk_list(job->spool_dir, see_left, job, &job->error);
}

/* What the last run left in the spool directory may be needed by the replay: store_end_replay says
 * when it goes. */
static void note_left(struct store *s, const struct buf *left)
{
    struct buf path = BUF_EMPTY;

    for (size_t at = 0; at < left->n; at += strlen(left->p + at) + 1) {
        buf_printf(&path, "%s/%s", s->spool_dir, left->p + at);
        store_add_spool_file(s, make_c(&path), UINT64_MAX);
    }
}

static void set_special(struct store *s)
{
    s->special = mem_array(s->settings.special.count, sizeof(*s->special));
    for (size_t i = 0; i < s->settings.special.count; i++) {
        struct str rest = str_from_c(s->settings.special.items[i]);
        struct str name = str_split(&rest, ':');
        if (name.n == 0)
            continue;
        s->special[s->special_count++] =
            (struct special_folder){.name = str_from(mem_dup(name.p, name.n), name.n),
                                    .attribute = str_from(mem_dup(rest.p, rest.n), rest.n)};
    }
    s->settings.special = (struct string_list){0};
}

void store_set_limits(struct store *s, const struct store_settings *set)
{
    s->purge_soon = s->purge_soon || set->keep_expunged != s->settings.keep_expunged;
    s->settings.mailboxes_open_max = set->mailboxes_open_max;
    s->settings.keep_expunged = set->keep_expunged;
    s->settings.history_age = set->history_age;
    s->settings.history_max = set->history_max;
    s->settings.summary_at_delivery = set->summary_at_delivery;
    if (s->purge_soon)
        cond_signal(&s->house_wake);
    store_wake_keeper(s); /* for mailboxes that are too many now */
}

struct store *store_open(const struct store_settings *set, const char *path, const char *hostname,
                         struct journal *j, struct err *e)
{
    struct store *s = MEM_NEW(struct store);
    struct buf b = BUF_EMPTY;

    s->loop = loop_current();
    s->journal = j;
    s->settings = *set;
    s->settings.path = NULL;
    /* A store that is opened by hand has no table behind it. */
    const char *layout = set->maildir ? set->maildir : LAYOUT_DEFAULT;
    s->layout = mem_dup(layout, strlen(layout));
    s->settings.maildir = NULL;
    s->naming.utf8 = set->folder_names_utf8;
    if (set->folder_escape && set->folder_escape[0] != '\\')
        s->naming.escape = set->folder_escape[0];
    s->settings.folder_escape = NULL;
    s->replaying = true;
    s->pid = getpid();
    s->path = mem_dup(path, strlen(path));
    buf_printf(&b, "%s/.spool", path);
    s->spool_dir = make_c(&b);
    maildir_name_add_host(&b, hostname);
    if (b.n > HOSTNAME_MAX)
        b.n = HOSTNAME_MAX;
    s->hostname = make_c(&b);
    set_special(s);
    public_account_init(&s->public_account);
    struct open_job job = {.path = s->path, .spool_dir = s->spool_dir};
    worker_run(WORKER_DISK, run_open, &job);
    if (!job.ok) {
        if (e)
            *e = job.error;
        buf_free(&job.left);
        store_close(s);
        return NULL;
    }
    note_left(s, &job.left);
    buf_free(&job.left);
    foreign_open(s);
    journal_add_consumer(j, &(struct journal_consumer){.owner = JOURNAL_STORE,
                                                       .arg = s,
                                                       .sync_path = s->path,
                                                       .replay = store_replay,
                                                       .checkpoint = store_checkpoint});
    expunged_start(s);
    return s;
}

static void free_mailboxes(struct store *s)
{
    for (size_t i = 0; i < s->mailbox_buckets; i++) {
        for (struct mailbox *m = s->mailboxes[i], *next; m; m = next) {
            next = m->next;
            mailbox_unmark_dirty(m);
            mailbox_ref(m);
            mailbox_forget(m);
            mailbox_unpin(m);
            mailbox_unref(m);
        }
    }
    free(s->mailboxes);
}

static void free_accounts(struct store *s)
{
    for (size_t i = 0; i < s->account_buckets; i++) {
        for (struct store_account *a = s->accounts[i], *next; a; a = next) {
            next = a->next;
            quota_free(&a->quota);
            special_uses_forget(a);
            free(a->home);
            free(a->maildir);
            free(a->blocked);
            free(a);
        }
    }
    free(s->accounts);
    free(s->account_list);
}

void store_stop(struct store *s)
{
    s->stopping = true;
    while (s->quota_warning || s->merging > 0)
        cond_wait_certain(&s->background_done);
}

void store_close(struct store *s)
{
    s->closing = true;
    cond_broadcast(&s->house_wake);
    while (s->background > 0 || s->writers > 0)
        cond_wait_certain(s->background > 0 ? &s->background_done : &s->pending_done);
    store_flush_rest(s);
    pending_drop_all(s);
    foreign_close(s);
    store_settle_indexes(s);
    while (s->keeper_first) {
        struct mailbox *m = s->keeper_first;
        s->keeper_first = m->keeper_next;
        mailbox_unref(m);
    }
    free_mailboxes(s);
    acl_memory_free(s->acls);
    free_accounts(s);
    while (s->spool_files) {
        struct spool_file *f = s->spool_files;
        s->spool_files = f->next;
        free(f->path);
        free(f);
    }
    for (size_t i = 0; i < s->special_count; i++) {
        free((char *)s->special[i].name.p);
        free((char *)s->special[i].attribute.p);
    }
    free(s->special);
    quota_policy_free(&s->quota);
    buf_free(&s->record);
    buf_free(&s->name);
    buf_free(&s->copy_parts);
    replay_free(s);
    free(s->path);
    free(s->spool_dir);
    free(s->hostname);
    free(s->layout);
    free(s);
}

const char *store_spool_dir(const struct store *s)
{
    return s->spool_dir;
}

void store_get_stats(const struct store *s, struct store_stats *st)
{
    *st = (struct store_stats){.delivered = s->delivered,
                               .appended = s->appended,
                               .expunged = s->expunged,
                               .mailboxes_open = s->mailbox_count,
                               .summaries_waiting = s->summary_bytes,
                               .files_pending = s->pending_count};
}
