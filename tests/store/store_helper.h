#pragma once
/*
 * A store with its journal in a fresh directory, and what tests do with it.
 */
#include "core/crash_copy.h"
#include "core/helper.h"

#include "core/arena.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/mailbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    char *root; /* journal in root/journal, mail in root/mail */
    usec keep_expunged;
    bool no_summaries;   /* at delivery */
    const char *maildir; /* layout; NULL: the default */
    struct journal *journal;
    struct store *store;
};

static const struct account alice = {
    .id = 1, .login = {"alice@example.test", 18}, .home = {"example.test/alice", 18}};
static const struct account bob = {
    .id = 2, .login = {"bob@example.test", 16}, .home = {"example.test/bob", 16}};
static const struct account carol = {
    .id = 3, .login = {"carol@example.test", 18}, .home = {"example.test/carol", 18}};

static inline void fixture_open(struct fixture *f, char *root)
{
    static const char *const special[] = {"Drafts:\\Drafts", "Sent:\\Sent", "Trash:\\Trash"};
    const struct store_settings settings = {.path = "",
                                            .maildir = f->maildir,
                                            .special = {special, 3},
                                            .mailboxes_open_max = 100,
                                            .keep_expunged = f->keep_expunged,
                                            .history_age = 90 * 24 * 3600 * USEC_SEC,
                                            .history_max = 1000,
                                            .summary_at_delivery = !f->no_summaries};
    struct err e = {0};
    char *journal_dir = path_in(root, "journal"), *mail = path_in(root, "mail");
    const struct journal_settings js = {.dir = journal_dir,
                                        .segment_size = 4 * 1024 * 1024,
                                        .size_max = 64 * 1024 * 1024,
                                        .checkpoint_interval = 3600 * USEC_SEC,
                                        .disk_reserve = 1};
    f->root = root;
    f->journal = journal_open(&js, &e);
    if (!f->journal)
        fail_msg("%s", e.text);
    f->store = store_open(&settings, mail, "mx.example.test", f->journal, &e);
    if (!f->store)
        fail_msg("%s", e.text);
    if (!journal_start(f->journal, &e) || !store_start(f->store, &e))
        fail_msg("%s", e.text);
    free(journal_dir);
    free(mail);
}

static inline void fixture_close(struct fixture *f)
{
    store_stop(f->store);
    journal_close(f->journal);
    store_close(f->store);
}

static inline void checkpoint(struct fixture *f)
{
    struct err e = {0};
    if (!journal_checkpoint(f->journal, &e))
        fail_msg("%s", e.text);
}

static inline struct spool *make_message(struct fixture *f, struct str text)
{
    static int number;
    char id[32];
    struct err e;
    snprintf(id, sizeof(id), "message%d", ++number);
    struct spool *s = spool_new(store_spool_dir(f->store), id);
    assert_true(spool_write(s, text, &e));
    return s;
}

static inline uint32_t deliver(struct fixture *f, const struct account *to, const char *mailbox,
                               struct str prefix, struct str text)
{
    struct err e = {0};
    struct spool *s = make_message(f, text);
    struct store_delivery d = {.account = to, .mailbox = str_from_c(mailbox)};
    if (!store_deliver(f->store, s, prefix, &d, 1, &e))
        fail_msg("%s", e.text);
    assert_true(d.delivered);
    free(d.found_as);
    spool_unref(s);
    return d.uid;
}

static inline struct mailbox *open_box(struct fixture *f, const struct account *a, const char *name)
{
    struct err e = {0};
    struct mailbox *m;
    if (!mailbox_open(f->store, a, str_from_c(name), &m, &e))
        fail_msg("%s: %s", name, e.text);
    return m;
}

static inline uint32_t append(struct fixture *f, struct mailbox *m, struct str text, uint8_t flags,
                              const char *keyword, int64_t date)
{
    struct err e = {0};
    struct str keywords[] = {str_from_c(keyword)};
    struct spool *s = make_message(f, text);
    uint32_t uid;
    if (!mailbox_append(m, "test", s, flags, keywords, keyword ? 1 : 0, date, &uid, &e))
        fail_msg("%s", e.text);
    spool_unref(s);
    return uid;
}

static inline bool change_flags(struct mailbox *m, const uint32_t *uids, size_t count,
                                enum flags_change change, uint8_t flags, const struct str *keywords,
                                size_t keyword_count, struct err *e)
{
    struct flags_request r = {.uids = uids,
                              .count = count,
                              .change = change,
                              .flags = flags,
                              .keywords = keywords,
                              .keyword_count = keyword_count};
    return mailbox_change_flags(m, &r, e);
}

/* The keywords of a message, as in FETCH FLAGS. */
static inline void assert_keywords(const struct mailbox *m, uint32_t uid, const char *expected)
{
    const struct message *message = mailbox_find_uid(m, uid);
    assert_non_null(message);
    struct str text = mailbox_set_text(m, message->keywords);
    if (!str_equal(text, str_from_c(expected)))
        fail_msg("uid %u: \"%.*s\", not \"%s\"", uid, STR_ARG(text), expected);
}

/* The whole message; the caller frees. */
static inline struct buf read_message(struct mailbox *m, uint32_t uid)
{
    struct message_reader *r;
    struct err e = {0};
    struct buf b = BUF_EMPTY;
    size_t got = 1;
    if (!message_open(m, uid, &r, &e))
        fail_msg("uid %u: %s", uid, e.text);
    while (got > 0) {
        assert_true(message_read_at(r, buf_reserve(&b, 1000), 1000, b.n, &got, &e));
        b.n += got;
    }
    assert_int_equal(b.n, message_reader_size(r));
    message_close(r);
    return b;
}

static inline void assert_message(struct mailbox *m, uint32_t uid, const char *text)
{
    struct buf b = read_message(m, uid);
    assert_string_equal(buf_c(&b), text);
    buf_free(&b);
}

static inline size_t count_messages(const struct mailbox *m)
{
    size_t n;
    mailbox_messages(m, &n);
    return n;
}

struct name_search {
    struct buf found;
    const char *contains;
    size_t count;
};

static inline bool name_search_see(void *arg, const char *name, unsigned char type)
{
    struct name_search *n = arg;
    (void)type;
    if (n->contains && !strstr(name, n->contains))
        return true;
    n->count++;
    buf_clear(&n->found);
    buf_add_c(&n->found, name);
    return true;
}

/* Number of files in a directory of the mail store ("example.test/alice/Maildir/cur") whose names
 * contain the text. *found (may be NULL): the last one's full path; the caller frees. */
static inline size_t files_in(const char *root, const char *dir, const char *contains, char **found)
{
    struct name_search n = {.contains = contains};
    struct buf path = BUF_EMPTY;
    struct err e;
    buf_printf(&path, "%s/mail/%s", root, dir);
    if (!disk_list(buf_c(&path), name_search_see, &n, &e))
        n.count = 0;
    if (found) {
        buf_add_char(&path, '/');
        buf_add_str(&path, buf_str(&n.found));
        *found = n.count > 0 ? mem_dup(path.p, path.n) : NULL;
    }
    buf_free(&path);
    buf_free(&n.found);
    return n.count;
}

static inline struct buf file_content(const char *root, const char *name)
{
    struct buf b = BUF_EMPTY, path = BUF_EMPTY;
    struct err e;
    buf_printf(&path, "%s/mail/%s", root, name);
    if (!disk_read_file(buf_c(&path), 1 << 28, &b, &e))
        fail_msg("%s", e.text);
    buf_free(&path);
    return b;
}

static inline void put_file(const char *root, const char *name, const char *content)
{
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/mail/%s", root, name);
    write_test_file(buf_c(&path), str_from_c(content));
    buf_free(&path);
}

static inline void put_dir(const char *root, const char *name)
{
    struct buf path = BUF_EMPTY;
    struct err e;
    buf_printf(&path, "%s/mail/%s", root, name);
    assert_true(disk_make_dirs(buf_c(&path), 0700, &e));
    buf_free(&path);
}

/* A test that runs with a fresh store. */
static inline void with_store(void (*fn)(void *arg))
{
    struct fixture f = {0};
    f.root = make_directory();
    run_in_fiber(fn, &f);
    remove_directory(f.root);
}
