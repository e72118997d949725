/*
 * Crashes: what was acknowledged is there after a replay, nothing twice, whatever was on disk.
 *
 * A crash is a copy of the directory taken while the store runs. A power cut is worse: it may take
 * back what was not synced; so message files are truncated, changed and removed as well, or the
 * whole mail directory is put back to how it was at the last checkpoint.
 */
#include "store_helper.h"

#define MAILDIR "example.test/alice/Maildir"

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
    struct buf command = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    buf_vprintf(&command, format, args);
    va_end(args);
    assert_int_equal(system(buf_c(&command)), 0);
    buf_free(&command);
}

static void set_flags(struct mailbox *m, uint32_t uid, uint8_t flags, const char *keyword)
{
    struct err e;
    struct str k[30];
    /* However often the client says it. */
    for (int i = 0; i < 30; i++)
        k[i] = str_from_c(keyword);
    assert_true(change_flags(m, &uid, 1, FLAGS_REPLACE, flags, k, keyword ? 30 : 0, &e));
}

static void open_copy(struct fixture *f, char **root)
{
    char *copy = crash_copy(f->root);
    fixture_close(f);
    *root = f->root;
    fixture_open(f, copy);
}

/* Everything that was in the running store must be in its crashed copy. */
static void files_come_back(void *arg)
{
    struct fixture *f = arg;
    char *original;
    fixture_open(f, f->root);
    for (int i = 0; i < 5; i++) {
        char text[20];
        snprintf(text, sizeof(text), "message %d\n", i + 1);
        deliver(f, &alice, "INBOX", STR("P: q\n"), str_from_c(text));
    }
    struct mailbox *m = open_box(f, &alice, "INBOX");
    set_flags(m, 2, MESSAGE_SEEN, "work");
    struct err e;
    assert_true(mailbox_expunge(m, (uint32_t[]){4}, 1, &e));
    append(f, m, STR("appended\n"), MESSAGE_DRAFT, "work", 5000);
    uint32_t validity = mailbox_uid_validity(m);
    /* Until all files are written. */
    struct store_stats st;
    do {
        fiber_sleep(USEC_MSEC, &e);
        store_get_stats(f->store, &st);
    } while (st.files_pending > 0);
    mailbox_unref(m);
    char *copy = crash_copy(f->root);
    fixture_close(f);
    original = f->root;
    /* Removed, cut, right size but wrong bytes; and locks that nobody holds any more. */
    char *path;
    assert_int_equal(files_in(copy, MAILDIR "/new", NULL, NULL), 4);
    shell("cd %s/mail/" MAILDIR "/new && set -- * && rm $1 && : > $2 && "
          "sed -i s/message/garbage/ $3 && touch ../dovecot-keywords.lock ../dovecot-uidlist.lock",
          copy);
    /* No letter before the list of keywords is there. */
    assert_int_equal(files_in(copy, MAILDIR "/cur", ":2,D", &path), 1);
    assert_true(disk_unlink(path, &e));
    free(path);
    for (int round = 0; round < 2; round++) {
        /* The second time the same records meet what they have done already. */
        char *again = make_directory();
        shell("cp -a %s/. %s/", copy, again);
        if (round == 1)
            shell("rm -rf %s/mail && cp -a %s/mail %s/", again, original, again);
        fixture_open(f, again);
        m = open_box(f, &alice, "INBOX");
        assert_int_equal(mailbox_uid_validity(m), validity);
        assert_int_equal(count_messages(m), 5);
        assert_message(m, 1, "P: q\nmessage 1\n");
        assert_message(m, 2, "P: q\nmessage 2\n");
        assert_message(m, 3, "P: q\nmessage 3\n");
        assert_message(m, 5, "P: q\nmessage 5\n");
        assert_message(m, 6, "appended\n");
        assert_int_equal(mailbox_find_uid(m, 2)->flags, MESSAGE_SEEN);
        assert_true(mailbox_set_has(m, mailbox_find_uid(m, 2)->keywords, 0));
        assert_int_equal(mailbox_find_uid(m, 6)->flags, MESSAGE_DRAFT);
        assert_true(mailbox_set_has(m, mailbox_find_uid(m, 6)->keywords, 0));
        assert_int_equal(message_internal_date(m, 6), 5000);
        assert_int_equal(mailbox_find_uid(m, 6)->size_crlf, 10);
        assert_int_equal(mailbox_uid_next(m), 7);
        mailbox_unref(m);
        fixture_close(f);
        /* What was replayed is the basis of the second round. */
        if (round == 0)
            shell("rm -rf %s/mail && cp -a %s/mail %s/", original, again, original);
        fixture_open(f, again);
        assert_int_equal(deliver(f, &alice, "INBOX", STR(""), STR("x\n")), 7);
        fixture_close(f);
        remove_directory(again);
    }
    remove_directory(copy);
    f->root = original;
}

static void test_files_come_back(void **state)
{
    (void)state;
    with_store(files_come_back);
}

static void hard_links_and_large(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    struct stat st;
    struct buf text = BUF_EMPTY;
    char *path, *original;
    fixture_open(f, f->root);
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "line number %d\n", i);
    struct store_delivery list[] = {{.account = &alice, .mailbox = STR("INBOX")},
                                    {.account = &bob, .mailbox = STR("INBOX")}};
    struct spool *small = make_message(f, STR("small\n"));
    struct spool *large = make_message(f, buf_str(&text));
    assert_true(store_deliver(f->store, small, STR(""), list, 2, &e));
    assert_true(store_deliver(f->store, large, STR("P: q\n"), list, 2, &e));
    spool_unref(small);
    spool_unref(large);
    char *copy = crash_copy(f->root);
    fixture_close(f);
    original = f->root;
    shell("rm -f %s/mail/example.test/*/Maildir/new/* %s/mail/example.test/*/Maildir/tmp/*", copy,
          copy);
    fixture_open(f, copy);
    for (int i = 0; i < 2; i++) {
        struct mailbox *m = open_box(f, i ? &bob : &alice, "INBOX");
        assert_int_equal(count_messages(m), 2);
        assert_message(m, 1, "small\n");
        struct buf got = read_message(m, 2);
        assert_int_equal(got.n, text.n + 5);
        assert_memory_equal(got.p + 5, text.p, text.n);
        buf_free(&got);
        mailbox_unref(m);
    }
    assert_int_equal(files_in(copy, MAILDIR "/new", ",S=6,", &path), 1);
    assert_true(disk_stat(path, &st, &e));
    assert_int_equal(st.st_nlink, 2);
    free(path);
    /* Nothing is left in the spool directory once the replay is checkpointed. */
    deliver(f, &alice, "INBOX", STR(""), STR("x\n"));
    checkpoint(f);
    deliver(f, &alice, "INBOX", STR(""), STR("x\n"));
    checkpoint(f);
    assert_int_equal(files_in(copy, ".spool", NULL, NULL), 0);
    assert_int_equal(files_in(copy, MAILDIR "/tmp", NULL, NULL), 0);
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
    buf_free(&text);
}

static void test_hard_links_and_large(void **state)
{
    (void)state;
    with_store(hard_links_and_large);
}

/* Somebody has removed the file of a large message that only the journal knew: that message is
 * lost, the store opens, and its UID is not used again. */
static void lost_file(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    struct buf text = BUF_EMPTY;
    char *original;
    fixture_open(f, f->root);
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "line number %d\n", i);
    struct store_delivery list[] = {{.account = &alice, .mailbox = STR("INBOX")},
                                    {.account = &bob, .mailbox = STR("INBOX")}};
    struct spool *large = make_message(f, buf_str(&text));
    deliver(f, &alice, "INBOX", STR(""), STR("before\n"));
    assert_true(store_deliver(f->store, large, STR("P: q\n"), list, 2, &e));
    spool_unref(large);
    deliver(f, &bob, "INBOX", STR(""), STR("after\n"));
    char *copy = crash_copy(f->root);
    fixture_close(f);
    original = f->root;
    shell("rm -f %s/mail/example.test/*/Maildir/new/*,S=34* %s/mail/.spool/*", copy, copy);
    fixture_open(f, copy);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 1);
    assert_message(m, 1, "before\n");
    assert_int_equal(mailbox_uid_next(m), 3);
    mailbox_unref(m);
    m = open_box(f, &bob, "INBOX");
    assert_int_equal(count_messages(m), 1);
    assert_message(m, 2, "after\n");
    mailbox_unref(m);
    assert_int_equal(deliver(f, &alice, "INBOX", STR(""), STR("x\n")), 3);
    fixture_close(f);
    fixture_open(f, copy);
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
    buf_free(&text);
}

static void test_lost_file(void **state)
{
    (void)state;
    with_store(lost_file);
}

/* The whole Maildir is gone: the message comes back in one as at first use. */
static void lost_maildir(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};
    struct arena *a = arena_new();
    struct mailbox_info *list;
    char *original;
    size_t count;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("one\n"));
    char *copy = crash_copy(f->root);
    fixture_close(f);
    original = f->root;
    shell("rm -r %s/mail/example.test/alice", copy);
    fixture_open(f, copy);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 1);
    assert_message(m, 1, "one\n");
    mailbox_unref(m);
    assert_true(store_list_mailboxes(f->store, &alice, a, &list, &count, &e));
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++)
        assert_true(list[i].exists &&
                    (list[i].subscribed || str_equal(list[i].name, STR("INBOX"))));
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
    arena_free(a);
}

static void test_lost_maildir(void **state)
{
    (void)state;
    with_store(lost_maildir);
}

static void copies(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    struct arena *a = arena_new();
    uint32_t *source, *copies, uids[3] = {1, 2, 3};
    size_t done;
    char *original;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("one\n"));
    deliver(f, &alice, "INBOX", STR(""), STR("two\n"));
    deliver(f, &alice, "INBOX", STR(""), STR("three\n"));
    struct mailbox *inbox = open_box(f, &alice, "INBOX");
    struct mailbox *sent = open_box(f, &alice, "Sent");
    set_flags(inbox, 2, MESSAGE_FLAGGED, "kw");
    assert_true(mailbox_copy(inbox, uids, 2, sent, false, a, &source, &copies, &done, &e));
    assert_true(mailbox_copy(inbox, uids + 2, 1, sent, true, a, &source, &copies, &done, &e));
    mailbox_unref(inbox);
    mailbox_unref(sent);
    open_copy(f, &original);
    sent = open_box(f, &alice, "Sent");
    assert_int_equal(count_messages(sent), 3);
    assert_message(sent, 1, "one\n");
    assert_message(sent, 2, "two\n");
    assert_message(sent, 3, "three\n");
    assert_int_equal(mailbox_find_uid(sent, 2)->flags, MESSAGE_FLAGGED);
    assert_true(mailbox_set_has(sent, mailbox_find_uid(sent, 2)->keywords, 0));
    inbox = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(inbox), 2);
    mailbox_unref(inbox);
    mailbox_unref(sent);
    fixture_close(f);
    assert_int_equal(files_in(f->root, MAILDIR "/.Sent/cur", NULL, NULL), 3);
    remove_directory(f->root);
    f->root = original;
    arena_free(a);
}

static void test_copies(void **state)
{
    (void)state;
    with_store(copies);
}

/* The list may be further than the index: modseqs go on from the copy's. */
static void copies_ahead_of_the_index(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    struct arena *a = arena_new();
    uint32_t *source, *copies, uid = 1;
    size_t done;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("one\n"));
    deliver(f, &alice, "Sent", STR(""), STR("first\n"));
    fixture_close(f);
    fixture_open(f, f->root);
    struct mailbox *inbox = open_box(f, &alice, "INBOX"), *sent = open_box(f, &alice, "Sent");
    assert_true(mailbox_copy(inbox, &uid, 1, sent, false, a, &source, &copies, &done, &e));
    uint64_t told = mailbox_modseq(sent);
    while (files_in(f->root, MAILDIR "/.Sent/cur", NULL, NULL) == 0)
        fiber_sleep(USEC_MSEC, &e);
    mailbox_unref(inbox);
    mailbox_unref(sent);
    char *copy = crash_copy(f->root), *original = f->root;
    fixture_close(f);
    shell("cd %s/mail/" MAILDIR "/.Sent && ls cur | sed 's/:.*//; s/^/2 :/' >> dovecot-uidlist",
          copy);
    fixture_open(f, copy);
    sent = open_box(f, &alice, "Sent");
    assert_int_equal(count_messages(sent), 2);
    assert_message(sent, 2, "one\n");
    assert_int_equal(mailbox_modseq(sent), told);
    assert_int_equal(mailbox_find_uid(sent, 2)->modseq, told);
    mailbox_unref(sent);
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
    arena_free(a);
}

static void test_copies_ahead_of_the_index(void **state)
{
    (void)state;
    with_store(copies_ahead_of_the_index);
}

/* The index may be further than the names: a power cut has undone their way from tmp/ to cur/, and
 * the originals of what was moved are gone all the same. */
static void copies_behind_the_index(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    struct arena *a = arena_new();
    uint32_t *source, *copies, uids[] = {1, 2};
    size_t done;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("one\n"));
    deliver(f, &alice, "INBOX", STR(""), STR("two\n"));
    struct mailbox *inbox = open_box(f, &alice, "INBOX"), *sent = open_box(f, &alice, "Sent");
    set_flags(inbox, 2, MESSAGE_FLAGGED, "kw");
    assert_true(mailbox_copy(inbox, uids, 2, sent, true, a, &source, &copies, &done, &e));
    uint64_t told = mailbox_modseq(sent);
    mailbox_unref(inbox);
    mailbox_unref(sent);
    char *copy = crash_copy(f->root), *original = f->root;
    checkpoint(f);
    shell("cp -a %s/mail/. %s/mail/", f->root, copy);
    fixture_close(f);
    assert_int_equal(files_in(copy, MAILDIR "/.Sent/cur", NULL, NULL), 2);
    shell("cd %s/mail/" MAILDIR " && rm -f tmp/* new/* cur/* .Sent/tmp/* && "
          "cd .Sent/cur && for f in *; do mv \"$f\" ../tmp/\"${f%%%%:*}\"; done",
          copy);
    fixture_open(f, copy);
    sent = open_box(f, &alice, "Sent");
    assert_int_equal(count_messages(sent), 2);
    assert_message(sent, 1, "one\n");
    assert_message(sent, 2, "two\n");
    assert_int_equal(mailbox_find_uid(sent, 2)->flags, MESSAGE_FLAGGED);
    assert_keywords(sent, 2, "kw");
    assert_int_equal(mailbox_modseq(sent), told);
    mailbox_unref(sent);
    fixture_close(f);
    assert_int_equal(files_in(copy, MAILDIR "/.Sent/cur", ":2,Fa", NULL), 1);
    remove_directory(copy);
    f->root = original;
    arena_free(a);
}

static void test_copies_behind_the_index(void **state)
{
    (void)state;
    with_store(copies_behind_the_index);
}

static void folders(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    char *original;
    fixture_open(f, f->root);
    /* Renamed after a delivery; deleted and made again under the same name. */
    deliver(f, &alice, "A/Sub", STR(""), STR("renamed\n"));
    assert_true(store_rename_mailbox(f->store, &alice, STR("A"), STR("B"), &e));
    deliver(f, &alice, "B/Sub", STR(""), STR("after\n"));
    deliver(f, &alice, "Box", STR(""), STR("deleted\n"));
    assert_true(store_delete_mailbox(f->store, &alice, STR("Box"), &e));
    deliver(f, &alice, "Box", STR(""), STR("new\n"));
    /* Lost without a trace in the journal: delivered rather than lost as well. */
    deliver(f, &alice, "Lost", STR(""), STR("found\n"));
    char *copy = crash_copy(f->root);
    fixture_close(f);
    original = f->root;
    shell("rm -rf %s/mail/" MAILDIR "/.Lost", copy);
    fixture_open(f, copy);
    struct mailbox *m = open_box(f, &alice, "B/Sub");
    assert_int_equal(count_messages(m), 2);
    assert_message(m, 1, "renamed\n");
    assert_message(m, 2, "after\n");
    mailbox_unref(m);
    m = open_box(f, &alice, "Box");
    assert_int_equal(count_messages(m), 1);
    assert_message(m, 1, "new\n");
    mailbox_unref(m);
    m = open_box(f, &alice, "Lost");
    assert_int_equal(count_messages(m), 1);
    assert_message(m, 1, "found\n");
    mailbox_unref(m);
    assert_false(mailbox_open(f->store, &alice, STR("A/Sub"), &m, &e));
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
}

static void test_folders(void **state)
{
    (void)state;
    with_store(folders);
}

/* --- any sequence of changes --- */

#define BOXES 4
#define FIRST 2 /* boxes that are never deleted */
#define UIDS  2000

struct expected {
    bool exists;
    uint32_t validity, next;
    struct {
        int number; /* 0: none; the text is "message <number>" */
        uint8_t flags;
        bool keyword;
    } messages[UIDS];
};

static const char *const box_names[BOXES] = {"INBOX", "Sent", "Other", "Deep/Box"};

struct model {
    struct fixture *f;
    struct expected boxes[BOXES];
    int number;
    bool plain; /* only what a power cut takes back to the last checkpoint */
};

static void message_text(struct buf *b, int number)
{
    buf_clear(b);
    buf_printf(b, "message %d\n", number);
    for (int i = 0; i < number % 50; i++)
        buf_printf(b, "line %d of the message\n", i);
}

static struct mailbox *model_open(struct model *model, int box)
{
    struct mailbox *m = open_box(model->f, &alice, box_names[box]);
    struct expected *x = &model->boxes[box];
    if (!x->exists)
        *x = (struct expected){.exists = true};
    x->validity = mailbox_uid_validity(m);
    return m;
}

static void model_add(struct model *model, int box, uint32_t uid, int number, uint8_t flags,
                      bool keyword)
{
    struct expected *x = &model->boxes[box];
    assert_true(uid < UIDS);
    assert_true(uid >= x->next);
    x->messages[uid].number = number;
    x->messages[uid].flags = flags;
    x->messages[uid].keyword = keyword;
    x->next = uid + 1;
}

static void do_deliver(struct model *model, int box)
{
    struct buf text = BUF_EMPTY;
    message_text(&text, ++model->number);
    if (model->boxes[box].exists && random_below(3) == 0) {
        struct mailbox *m = model_open(model, box);
        uint8_t flags = (uint8_t)random_below(32);
        bool keyword = random_below(2);
        uint32_t uid = append(model->f, m, buf_str(&text), flags, keyword ? "kw" : NULL, INT64_MIN);
        model_add(model, box, uid, model->number, flags, keyword);
        mailbox_unref(m);
    } else {
        uint32_t uid = deliver(model->f, &alice, box_names[box], STR(""), buf_str(&text));
        mailbox_unref(model_open(model, box));
        model_add(model, box, uid, model->number, 0, false);
    }
    buf_free(&text);
}

static size_t some_uids(const struct mailbox *m, uint32_t *uids)
{
    size_t count, n = 0;
    const struct message *messages = mailbox_messages(m, &count);
    for (size_t i = 0; i < count; i++) {
        if (random_below(3) == 0)
            uids[n++] = messages[i].uid;
    }
    return n;
}

static void do_flags(struct model *model, int box)
{
    uint32_t uids[UIDS];
    struct err e;
    struct str k = STR("kw");
    struct mailbox *m = model_open(model, box);
    size_t n = some_uids(m, uids);
    uint8_t flags = (uint8_t)random_below(32);
    bool keyword = random_below(2);
    enum flags_change how = (enum flags_change)random_below(3);
    assert_true(change_flags(m, uids, n, how, flags, &k, keyword, &e));
    for (size_t i = 0; i < n; i++) {
        uint8_t *old = &model->boxes[box].messages[uids[i]].flags;
        bool *kw = &model->boxes[box].messages[uids[i]].keyword;
        *old = how == FLAGS_ADD ? *old | flags : how == FLAGS_REMOVE ? *old & ~flags : flags;
        *kw = how == FLAGS_ADD ? *kw || keyword : how == FLAGS_REMOVE ? *kw && !keyword : keyword;
    }
    mailbox_unref(m);
}

static void do_expunge(struct model *model, int box)
{
    uint32_t uids[UIDS];
    struct err e;
    struct mailbox *m = model_open(model, box);
    size_t n = some_uids(m, uids);
    assert_true(mailbox_expunge(m, uids, n, &e));
    for (size_t i = 0; i < n; i++)
        model->boxes[box].messages[uids[i]].number = 0;
    mailbox_unref(m);
}

static void do_copy(struct model *model, int box, int target)
{
    uint32_t uids[UIDS], *source, *copies;
    size_t done;
    struct err e;
    struct arena *a = arena_new();
    struct mailbox *from = model_open(model, box), *to = model_open(model, target);
    size_t n = some_uids(from, uids);
    bool move = random_below(2);
    if (!mailbox_copy(from, uids, n, to, move, a, &source, &copies, &done, &e))
        fail_msg("%s", e.text);
    assert_int_equal(done, n);
    for (size_t i = 0; i < done; i++) {
        int number = model->boxes[box].messages[source[i]].number;
        uint8_t flags = model->boxes[box].messages[source[i]].flags;
        bool keyword = model->boxes[box].messages[source[i]].keyword;
        if (move)
            model->boxes[box].messages[source[i]].number = 0;
        model_add(model, target, copies[i], number, flags, keyword);
    }
    mailbox_unref(from);
    mailbox_unref(to);
    arena_free(a);
}

static void do_folder(struct model *model)
{
    struct err e = {0};
    int box = FIRST + (int)random_below(BOXES - FIRST);
    int other = box == FIRST ? FIRST + 1 : FIRST;
    bool rename = model->boxes[box].exists && !model->boxes[other].exists && random_below(2);
    if (rename) {
        if (!store_rename_mailbox(model->f->store, &alice, str_from_c(box_names[box]),
                                  str_from_c(box_names[other]), &e))
            fail_msg("%s", e.text);
        model->boxes[other] = model->boxes[box];
    } else if (model->boxes[box].exists) {
        if (!store_delete_mailbox(model->f->store, &alice, str_from_c(box_names[box]), &e))
            fail_msg("%s", e.text);
    } else {
        return;
    }
    model->boxes[box].exists = false;
}

static void do_something(struct model *model)
{
    int box = (int)random_below(BOXES), target = (int)random_below(FIRST);
    if (!model->boxes[box].exists && (model->plain || random_below(2)))
        box = 0;
    switch (random_below(12)) {
    case 0:
        checkpoint(model->f);
        break;
    case 1:
        if (model->boxes[box].exists)
            do_expunge(model, box);
        break;
    case 2:
        if (model->boxes[box].exists && !model->plain)
            do_copy(model, box, target);
        break;
    case 3:
        if (!model->plain)
            do_folder(model);
        break;
    case 4:
    case 5:
        if (model->boxes[box].exists)
            do_flags(model, box);
        break;
    default:
        do_deliver(model, box);
    }
}

static void check_box(struct fixture *f, const struct expected *x, const char *name)
{
    struct mailbox *m;
    struct err e = {0};
    struct buf text = BUF_EMPTY;
    size_t expected = 0, count;
    bool ok = mailbox_open(f->store, &alice, str_from_c(name), &m, &e);
    assert_int_equal(ok, x->exists);
    if (!ok)
        return;
    assert_int_equal(mailbox_uid_validity(m), x->validity);
    assert_true(mailbox_uid_next(m) >= x->next);
    mailbox_messages(m, &count);
    for (uint32_t uid = 1; uid < UIDS; uid++) {
        const struct message *message = mailbox_find_uid(m, uid);
        int number = x->messages[uid].number;
        assert_int_equal(message != NULL, number > 0);
        if (!message)
            continue;
        expected++;
        message_text(&text, number);
        assert_int_equal(message->flags, x->messages[uid].flags);
        assert_int_equal(message->keywords != 0, x->messages[uid].keyword);
        assert_int_equal(message->size, text.n);
        assert_message(m, uid, buf_c(&text));
    }
    assert_int_equal(count, expected);
    mailbox_unref(m);
    buf_free(&text);
}

static void random_changes(struct fixture *f, bool plain)
{
    struct model *model = MEM_NEW(struct model);
    char *original = f->root, *base = NULL;
    model->f = f;
    model->plain = plain;
    fixture_open(f, original);
    for (int i = 0; i < FIRST; i++)
        mailbox_unref(model_open(model, i));
    if (plain) {
        checkpoint(f);
        base = crash_copy(f->root);
    }
    for (int i = 0; i < 60; i++)
        do_something(model);
    char *copy = crash_copy(f->root);
    fixture_close(f);
    /* The journal of now with the mail of long ago: but only if nothing was checkpointed since. */
    struct buf path = BUF_EMPTY;
    for (int round = 0; round < 2; round++) {
        char *again = make_directory();
        shell("cp -a %s/. %s/", copy, again);
        if (plain)
            shell("cmp -s %s/journal/checkpoint %s/journal/checkpoint || exit 0; "
                  "rm -rf %s/mail; cp -a %s/mail %s/",
                  base, copy, again, round ? original : base, again);
        fixture_open(f, again);
        for (int i = 0; i < BOXES; i++)
            check_box(f, &model->boxes[i], box_names[i]);
        fixture_close(f);
        /* Once more from what is on disk alone. */
        fixture_open(f, again);
        for (int i = 0; i < BOXES; i++)
            check_box(f, &model->boxes[i], box_names[i]);
        fixture_close(f);
        if (round == 0)
            shell("rm -rf %s/mail; cp -a %s/mail %s/; rm -rf %s/mail; cp -a %s/mail %s/", copy,
                  again, copy, original, again, original);
        remove_directory(again);
    }
    buf_free(&path);
    remove_directory(copy);
    if (base)
        remove_directory(base);
    f->root = original;
    free(model);
}

static void any_changes(void *arg)
{
    random_changes(arg, false);
}

static void plain_changes(void *arg)
{
    random_changes(arg, true);
}

static void test_random(void **state)
{
    (void)state;
    const char *seed_text = getenv("STORE_SEED");
    uint64_t first = seed_text ? strtoull(seed_text, NULL, 10) : 1;
    uint64_t count = seed_text ? 1 : 12;
    for (uint64_t seed = first; seed < first + count; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        random_seed(seed);
        with_store(any_changes);
        random_seed(seed + 1000000);
        with_store(plain_changes);
    }
    random_seed(0);
}

/* A change that is none of messages: its modseq is not given out again. */
static void advanced_modseq(void *arg)
{
    struct fixture *f = arg;
    struct err e;
    char *original;
    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("one\n"));
    struct mailbox *m = open_box(f, &alice, "INBOX");
    uint64_t before = mailbox_modseq(m);
    assert_true(mailbox_advance_modseq(m, &e));
    uint64_t after = mailbox_modseq(m);
    assert_true(after > before && mailbox_find_uid(m, 1)->modseq <= before);
    mailbox_unref(m);
    open_copy(f, &original);
    for (int i = 0; i < 2; i++) {
        m = open_box(f, &alice, "INBOX");
        assert_true(mailbox_modseq(m) >= after);
        mailbox_unref(m);
        checkpoint(f);
        char *root = f->root;
        fixture_close(f);
        fixture_open(f, root);
    }
    fixture_close(f);
    remove_directory(f->root);
    f->root = original;
}

static void test_advanced_modseq(void **state)
{
    (void)state;
    with_store(advanced_modseq);
}

static void assert_set_aside(struct fixture *f, const char *home)
{
    const char *text = store_set_aside(f->store, 0);
    assert_non_null(text);
    assert_non_null(strstr(text, home));
    assert_null(store_set_aside(f->store, 1));
}

static void open_again(struct fixture *f)
{
    checkpoint(f);
    char *root = f->root;
    fixture_close(f);
    fixture_open(f, root);
}

static void deliver_to_both(struct fixture *f, struct str text)
{
    struct err e = {0};
    struct spool *s = make_message(f, text);
    struct store_delivery list[] = {{.account = &alice, .mailbox = STR("INBOX")},
                                    {.account = &bob, .mailbox = STR("INBOX")}};
    assert_true(store_deliver(f->store, s, STR(""), list, 2, &e));
    spool_unref(s);
}

/* Mail of two users, one to both, flags, a move and a large message; none of it synced. */
static void make_changes(struct fixture *f, struct str large)
{
    struct err e = {0};
    struct arena *a = arena_new();
    uint32_t *source, *copies;
    size_t done;

    deliver(f, &alice, "INBOX", STR(""), STR("one\n"));
    deliver_to_both(f, STR("both\n"));
    deliver(f, &bob, "INBOX", STR(""), STR("for bob\n"));
    deliver(f, &alice, "INBOX", STR(""), large);
    deliver(f, &alice, "INBOX", STR(""), STR("moved\n"));
    deliver(f, &alice, "INBOX", STR(""), STR("expunged\n"));
    struct mailbox *m = open_box(f, &alice, "INBOX");
    set_flags(m, 1, MESSAGE_FLAGGED, "work");
    assert_true(mailbox_expunge(m, (uint32_t[]){5}, 1, &e));
    struct mailbox *to = open_box(f, &alice, "Sent");
    assert_true(mailbox_copy(m, (uint32_t[]){4}, 1, to, true, a, &source, &copies, &done, &e));
    arena_free(a);
    mailbox_unref(to);
    mailbox_unref(m);
}

static void assert_changes(struct fixture *f, struct str large)
{
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 3);
    assert_message(m, 1, "one\n");
    assert_int_equal(mailbox_find_uid(m, 1)->flags, MESSAGE_FLAGGED);
    assert_message(m, 2, "both\n");
    assert_message(m, 3, large.p);
    assert_int_equal(mailbox_uid_next(m), 6);
    mailbox_unref(m);
    m = open_box(f, &alice, "Sent");
    assert_int_equal(count_messages(m), 1);
    assert_message(m, 1, "moved\n");
    mailbox_unref(m);
}

static void assert_bob_goes_on(struct fixture *f, size_t messages)
{
    struct mailbox *m = open_box(f, &bob, "INBOX");
    assert_int_equal(count_messages(m), messages);
    assert_message(m, 1, "both\n");
    assert_message(m, 2, "for bob\n");
    mailbox_unref(m);
    deliver(f, &bob, "INBOX", STR(""), STR("more\n"));
}

static void assert_not_served(struct fixture *f, const struct account *a)
{
    struct err e = {0};
    struct mailbox *m;
    struct spool *s = make_message(f, STR("refused\n"));
    struct store_delivery d = {.account = a, .mailbox = STR("INBOX")};

    assert_false(mailbox_open(f->store, a, STR("INBOX"), &m, &e));
    assert_int_equal(e.kind, ERR_TEMP);
    assert_false(store_deliver(f->store, s, STR(""), &d, 1, &e));
    assert_int_equal(d.error.kind, ERR_TEMP);
    spool_unref(s);
}

static struct str make_large(void)
{
    struct buf b = BUF_EMPTY;
    while (b.n < 300000)
        buf_add_c(&b, "a large message\n");
    struct str large = str_from(mem_dup(b.p, b.n), b.n);
    buf_free(&b);
    return large;
}

struct obstacle {
    const char *put, *remove; /* commands, in alice's home */
};

/* What is set aside stays so while the obstacle is there, and is there once when it is gone. */
static void meet_obstacle(struct fixture *f, const struct obstacle *o)
{
    struct str large = make_large();

    fixture_open(f, f->root);
    make_changes(f, large);
    char *copy = crash_copy(f->root), *original = f->root;
    fixture_close(f);
    shell("cd %s/mail/example.test/alice && %s", copy, o->put);
    fixture_open(f, copy);
    for (size_t round = 0; round < 3; round++) {
        assert_set_aside(f, "example.test/alice");
        assert_not_served(f, &alice);
        assert_bob_goes_on(f, 2 + round);
        open_again(f);
    }
    char *root = f->root;
    fixture_close(f);
    shell("cd %s/mail/example.test/alice && %s", root, o->remove);
    fixture_open(f, root);
    for (int round = 0; round < 2; round++) {
        assert_null(store_set_aside(f->store, 0));
        assert_changes(f, large);
        assert_int_equal(files_in(root, "", ".set-aside", NULL), 0);
        open_again(f);
    }
    assert_int_equal(deliver(f, &alice, "INBOX", STR(""), STR("new\n")), 6);
    fixture_close(f);
    remove_directory(copy);
    free((char *)large.p);
    f->root = original;
}

static void file_for_maildir(void *arg)
{
    meet_obstacle(arg, &(struct obstacle){.put = "mv Maildir away && : > Maildir",
                                          .remove = "rm Maildir && mv away Maildir"});
}

static void file_for_folder(void *arg)
{
    meet_obstacle(arg, &(struct obstacle){.put = "mv Maildir/.Sent away && : > Maildir/.Sent",
                                          .remove = "rm Maildir/.Sent && mv away Maildir/.Sent"});
}

static void test_obstacles(void **state)
{
    (void)state;
    with_store(file_for_maildir);
    with_store(file_for_folder);
}

/* The obstacle took all mail with it: what was pending is delivered to a new INBOX. And the records
 * come from both, the file and the journal. */
static void records_twice(void *arg)
{
    struct fixture *f = arg;
    char *copy, *journal = make_directory();

    fixture_open(f, f->root);
    deliver_to_both(f, STR("both\n"));
    deliver(f, &alice, "INBOX", STR(""), STR("second\n"));
    copy = crash_copy(f->root);
    fixture_close(f);
    char *original = f->root;
    shell("cd %s/mail/example.test/alice && rm -rf Maildir && : > Maildir", copy);
    shell("cp -a %s/journal %s/", copy, journal);
    fixture_open(f, copy);
    assert_set_aside(f, "example.test/alice");
    fixture_close(f);
    shell("rm -rf %s/journal && cp -a %s/journal %s/", copy, journal, copy);
    for (int round = 0; round < 2; round++) {
        if (round == 1)
            shell("rm %s/mail/example.test/alice/Maildir", copy);
        fixture_open(f, copy);
        assert_int_equal(store_set_aside(f->store, 0) == NULL, round == 1);
        if (round == 0)
            fixture_close(f);
    }
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 2);
    assert_message(m, 1, "both\n");
    assert_message(m, 2, "second\n");
    mailbox_unref(m);
    fixture_close(f);
    remove_directory(copy);
    remove_directory(journal);
    f->root = original;
}

/* Nothing that can be read of a damaged file is lost, and it keeps nobody from starting. */
static void damaged_file(void *arg)
{
    struct fixture *f = arg;

    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("first\n"));
    deliver(f, &alice, "INBOX", STR(""), STR("second\n"));
    char *copy = crash_copy(f->root), *original = f->root;
    fixture_close(f);
    shell("cd %s/mail/example.test/alice && rm -rf Maildir && : > Maildir", copy);
    fixture_open(f, copy);
    fixture_close(f);
    shell("cd %s/mail && rm example.test/alice/Maildir && sed -i s/second/SECOND/ .set-aside",
          copy);
    fixture_open(f, copy);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 1);
    assert_message(m, 1, "first\n");
    mailbox_unref(m);
    assert_int_equal(files_in(copy, "", ".set-aside.damaged", NULL), 1);
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
}

static void test_set_aside_file(void **state)
{
    (void)state;
    with_store(records_twice);
    with_store(damaged_file);
}

/* Another mailbox has taken the lost one's name, and its modseqs are further. */
static void taken_name(void *arg)
{
    struct fixture *f = arg;
    struct err e = {0};

    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("first\n"));
    char *copy = crash_copy(f->root), *original = f->root;
    for (int i = 0; i < 5; i++)
        deliver(f, &bob, "INBOX", STR(""), STR("of bob\n"));
    struct mailbox *m = open_box(f, &bob, "INBOX");
    assert_true(mailbox_expunge(m, (uint32_t[]){1}, 1, &e));
    mailbox_unref(m);
    open_again(f);
    fixture_close(f);
    shell("cd %s/mail/example.test/alice && rm -rf Maildir && "
          "cp -a %s/mail/example.test/bob/Maildir . && rm Maildir/maild-account",
          copy, original);
    fixture_open(f, copy);
    m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 5);
    assert_message(m, 6, "first\n");
    mailbox_unref(m);
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
}

/* Mail is not put into somebody else's Maildir. */
static void taken_maildir(void *arg)
{
    struct fixture *f = arg;

    fixture_open(f, f->root);
    deliver(f, &alice, "INBOX", STR(""), STR("first\n"));
    deliver(f, &bob, "INBOX", STR(""), STR("of bob\n"));
    /* It says whose it is as soon as he has used it. */
    mailbox_unref(open_box(f, &bob, "INBOX"));
    char *copy = crash_copy(f->root), *original = f->root;
    fixture_close(f);
    shell("cd %s/mail/example.test && rm -rf alice/Maildir && cp -a bob/Maildir alice/", copy);
    fixture_open(f, copy);
    assert_set_aside(f, "example.test/alice");
    shell("! grep -rqx first %s/mail/" MAILDIR, copy);
    char *root = f->root;
    fixture_close(f);
    shell("rm -r %s/mail/example.test/alice/Maildir", root);
    fixture_open(f, root);
    struct mailbox *m = open_box(f, &alice, "INBOX");
    assert_int_equal(count_messages(m), 1);
    assert_message(m, 1, "first\n");
    mailbox_unref(m);
    fixture_close(f);
    remove_directory(copy);
    f->root = original;
}

static void test_taken_name(void **state)
{
    (void)state;
    with_store(taken_name);
    with_store(taken_maildir);
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_come_back),
        cmocka_unit_test(test_hard_links_and_large),
        cmocka_unit_test(test_lost_file),
        cmocka_unit_test(test_lost_maildir),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_copies_ahead_of_the_index),
        cmocka_unit_test(test_copies_behind_the_index),
        cmocka_unit_test(test_advanced_modseq),
        cmocka_unit_test(test_obstacles),
        cmocka_unit_test(test_set_aside_file),
        cmocka_unit_test(test_taken_name),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
