/*
 * Several messages appended as one, and one in the place of another: all of it or nothing, also
 * after a crash in the middle.
 */
#include "store_helper.h"

#define MESSAGES 3

static struct spool *numbered(struct fixture *f, int i)
{
    char text[40];
    snprintf(text, sizeof(text), "Subject: %d\n\nmessage %d\n", i, i);
    return make_message(f, str_from_c(text));
}

static bool append_three(struct fixture *f, struct mailbox *m, struct mailbox *replaced_in,
                         uint32_t replaced, struct append_item list[MESSAGES], struct err *e)
{
    struct str keyword = STR("work");
    struct append_request r = {
        .list = list, .count = MESSAGES, .replaced_in = replaced_in, .replaced = replaced};

    for (int i = 0; i < MESSAGES; i++)
        list[i] = (struct append_item){.message = numbered(f, i),
                                       .flags = i == 0 ? MESSAGE_SEEN : 0,
                                       .keywords = &keyword,
                                       .keyword_count = i == 1 ? 1 : 0,
                                       .date = 5000 + i};
    bool ok = mailbox_append_all(m, "test", &r, e);
    for (int i = 0; i < MESSAGES; i++)
        spool_unref(list[i].message);
    return ok;
}

static void assert_three(struct mailbox *m, uint32_t first)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        char text[40];
        snprintf(text, sizeof(text), "Subject: %u\n\nmessage %u\n", i, i);
        assert_message(m, first + i, text);
        assert_int_equal(message_internal_date(m, first + i), 5000 + i);
    }
    assert_int_equal(mailbox_find_uid(m, first)->flags, MESSAGE_SEEN);
    assert_keywords(m, first, "");
    assert_keywords(m, first + 1, "work");
}

static void all_in_a_row(void *arg)
{
    struct fixture *f = arg;
    struct append_item list[MESSAGES];
    struct err e;
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX"), *drafts = open_box(f, &alice, "Drafts");
    deliver(f, &alice, "INBOX", STR(""), STR("first\n"));
    append(f, drafts, STR("draft\n"), MESSAGE_DRAFT, NULL, 1);
    uint64_t before = mailbox_modseq(drafts);
    assert_true(append_three(f, m, drafts, 1, list, &e));
    for (uint32_t i = 0; i < MESSAGES; i++)
        assert_int_equal(list[i].uid, 2 + i);
    assert_three(m, 2);
    assert_int_equal(count_messages(drafts), 0);
    assert_true(mailbox_modseq(drafts) > before);
    /* What is not there cannot be replaced, and then nothing is added. */
    assert_false(append_three(f, m, drafts, 1, list, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_int_equal(count_messages(m), 1 + MESSAGES);
    mailbox_unref(m);
    mailbox_unref(drafts);
    fixture_close(f);
    fixture_open(f, f->root);
    m = open_box(f, &alice, "INBOX");
    assert_three(m, 2);
    mailbox_unref(m);
    fixture_close(f);
}

static void test_all_in_a_row(void **state)
{
    (void)state;
    with_store(all_in_a_row);
}

/* Spoils the last record in the journal, as a power cut may; no file was changed before it. */
static void cut_last_record(const char *root, const char *before)
{
    struct buf command = BUF_EMPTY;
    buf_printf(&command,
               "rm -r %s/mail && cp -a %s/mail %s/ &&"
               "python3 - %s/journal <<'END'\n"
               "import glob, sys\n"
               "best = None\n"
               "for path in glob.glob(sys.argv[1] + '/*'):\n"
               "    data = open(path, 'rb').read()\n"
               "    at = data.rfind(b'Drafts')\n"
               "    if at >= 0 and b'message 2' in data: best = (path, at)\n"
               "path, at = best\n"
               "f = open(path, 'r+b'); f.seek(at); f.write(b'XX'); f.close()\n"
               "END\n",
               root, before, root, root);
    assert_int_equal(system(buf_c(&command)), 0);
    buf_free(&command);
}

static void all_or_nothing(void *arg)
{
    struct fixture *f = arg;
    struct append_item list[MESSAGES];
    struct err e;
    fixture_open(f, f->root);
    struct mailbox *m = open_box(f, &alice, "INBOX"), *drafts = open_box(f, &alice, "Drafts");
    append(f, drafts, STR("draft\n"), MESSAGE_DRAFT, NULL, 1);
    checkpoint(f);
    char *before = crash_copy(f->root);
    assert_true(append_three(f, m, drafts, 1, list, &e));
    char *unharmed = crash_copy(f->root), *cut = crash_copy(f->root);
    mailbox_unref(m);
    mailbox_unref(drafts);
    fixture_close(f);
    char *original = f->root;

    fixture_open(f, unharmed);
    m = open_box(f, &alice, "INBOX");
    drafts = open_box(f, &alice, "Drafts");
    assert_int_equal(count_messages(m), MESSAGES);
    assert_three(m, 1);
    assert_int_equal(count_messages(drafts), 0);
    mailbox_unref(m);
    mailbox_unref(drafts);
    fixture_close(f);

    cut_last_record(cut, before);
    fixture_open(f, cut);
    m = open_box(f, &alice, "INBOX");
    drafts = open_box(f, &alice, "Drafts");
    assert_int_equal(count_messages(m), 0);
    assert_message(drafts, 1, "draft\n");
    mailbox_unref(m);
    mailbox_unref(drafts);
    fixture_close(f);
    f->root = original;
    remove_directory(before);
    remove_directory(unharmed);
    remove_directory(cut);
}

static void test_all_or_nothing(void **state)
{
    (void)state;
    with_store(all_or_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_in_a_row),
        cmocka_unit_test(test_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
