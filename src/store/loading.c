/*
 * Loading a mailbox: what mailbox_load.c reads on workers becomes the mailbox's content in one turn
 * of the loop.
 */
#include "store/loading.h"

#include "core/crash.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/foreign_compare.h"
#include "store/limits.h"

static void run_index(void *arg)
{
    struct loading *l = arg;
    l->done = mailbox_load_index(l->load);
}

static void run_list(void *arg)
{
    struct loading *l = arg;
    suspect_lend(l->suspect);
    mailbox_load_list(l->load);
    suspect_lend(NULL);
}

static void list_done(void *arg)
{
    struct loading *l = arg;
    l->is_listed = true;
    cond_broadcast(&l->listed);
}

static void run_directories(void *arg)
{
    mailbox_load_directories(((struct loading *)arg)->load);
}

static void run_join(void *arg)
{
    mailbox_load_join(((struct loading *)arg)->load);
}

static void take_result(struct loading *l)
{
    l->ok = mailbox_load_end(l->load, &l->content, &l->warning, &l->error);
    l->load = NULL;
}

void loading_run(struct loading *l)
{
    struct suspect suspect;
    mailbox_suspect(l->mailbox, NULL, &suspect);
    l->suspect = suspect_present();
    l->load = mailbox_load_new(&l->settings);
    worker_run(WORKER_DISK, run_index, l);
    if (!l->done) {
        worker_start(WORKER_DISK, run_list, list_done, l);
        worker_run(WORKER_DISK, run_directories, l);
        while (!l->is_listed)
            cond_wait_certain(&l->listed);
        worker_run(WORKER_DISK, run_join, l);
    }
    suspect_end(&suspect);
    take_result(l);
}

void loading_run_here(struct loading *l)
{
    struct suspect suspect;
    mailbox_suspect(l->mailbox, NULL, &suspect);
    l->load = mailbox_load_new(&l->settings);
    run_index(l);
    if (!l->done) {
        mailbox_load_list(l->load);
        run_directories(l);
        run_join(l);
    }
    suspect_end(&suspect);
    take_result(l);
}

void loading_take(struct loading *l, const struct mailbox_content *content)
{
    l->content = *content;
    l->ok = true;
}

static void set_content(struct mailbox *m, const struct loading *l)
{
    m->c = l->content;
    m->load = MAILBOX_READY;
    m->uid_reserved = m->c.uid_next;
    m->modseq_reserved = m->c.modseq;
    guid_format(m->id, m->c.guid);
    quota_mailbox_set(m, (struct quota_count){.bytes = m->c.counts.size, .messages = m->c.count});
    account_note_messages(m);
    quota_mailbox_entered(m);
    struct dir_stamp stamps[2] = {m->c.stamps.new, m->c.stamps.cur};
    bool known = stamps[0].inode != 0 && stamps[1].inode != 0;
    foreign_stamp(m, stamps, !known, m->foreign.own_changes);
    if (!m->store->replaying)
        foreign_loaded(m);
    if (m->store->replaying && m->c.index_modseq == 0)
        mailbox_pin(m);
    if (m->c.is_indexed)
        mailbox_note_indexed(m, &m->c.stamps);
    if (!m->c.is_indexed || m->c.list_rewrite || m->c.keywords_changed ||
        m->c.dirty_from != UINT32_MAX)
        mailbox_mark_dirty(m);
    /* Without changes there may be no checkpoint for long. */
    if (!m->c.is_indexed && m->c.count >= INDEX_SOON && !m->store->replaying)
        mailbox_flush_soon(m, FLUSH_ALL);
    if (l->warning.kind != ERR_NONE)
        log_warning("store", NULL, "mailbox loaded with a warning: %s", l->warning.text);
}

static struct mailbox *mailbox_new(struct store *s, struct store_account *a, struct str name)
{
    struct mailbox *m = MEM_NEW(struct mailbox);

    m->store = s;
    m->account = a;
    m->name = mem_dup(name.p, name.n);
    m->dir = mailbox_dir_path(a, name);
    m->refs = 1;
    m->date_batch = 1;
    return m;
}

struct mailbox *loading_begin(struct loading *l, struct store *s, struct store_account *a,
                              struct str name)
{
    struct mailbox *m = mailbox_new(s, a, name);

    *l = (struct loading){.mailbox = m,
                          .settings = {.dir = m->dir,
                                       .maildir = a->maildir,
                                       .hostname = s->hostname,
                                       .now = clock_wall(),
                                       .replaying = s->replaying}};
    mailbox_remember(m);
    /* A folder operation could give the name to another mailbox. */
    a->in_flight++;
    return m;
}

void loading_end(struct loading *l)
{
    struct mailbox *m = l->mailbox;

    store_account_landed(m->account);
    if (l->ok) {
        set_content(m, l);
    } else {
        m->load = MAILBOX_FAILED;
        m->load_error = l->error;
        mailbox_forget(m);
    }
    cond_broadcast(&m->changed);
}
