/*
 * Search keys: which messages they find, and how much of a message has to be read for that.
 */
#include "imap/imap_test.h"
#include "imap/search.h"
#include "imap/search_words.h"

#include <string.h>

#define MESSAGE                                                                                    \
    "From: Alice <alice (at) @ example.test>\nTo: bob@example.test\nCc: carol@example.test\n"      \
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from far\nDate: Sat, 21 Nov 2026 23:30:00 -0500\n"       \
    "X-Empty:\n\nThe body of it.\n"

struct fixture {
    struct arena *a;
    struct imap_session session;
    struct imap_selected view;
    uint32_t uids[4];
    struct search_message message;
};

static void set_up(struct fixture *f)
{
    *f = (struct fixture){.a = arena_new(), .uids = {10, 20, 30, 40}};
    f->view.uids = f->uids;
    f->view.count = 4;
    f->session.selected = &f->view;
    struct str text = STR(MESSAGE);
    f->message = (struct search_message){
        .uid = 20, /* sequence number 2 */
        .flags = MESSAGE_SEEN | MESSAGE_FLAGGED,
        .recent = true,
        .modseq = 7,
        .size = text.n,
        .day = 20000, /* 4 Oct 2024 */
        .header = str_head(text, (size_t)str_find(text, STR("\n\n")) + 2),
        .bytes = text,
        .root = mime_parse(f->a, text, &mime_limits_default, false),
    };
}

/* "true" or "false" with the level at which it was decided, or the result when malformed. */
static const char *decided(struct fixture *f, const char *keys)
{
    static const char *const levels[] = {"memory", "identity", "header", "content"};
    struct imap_command *c = command_from(f->a, &f->session, keys, false);
    struct search_program program;
    if (!imap_take_search(c, &program))
        return c->text.p;
    for (int level = SEARCH_MEMORY; level <= SEARCH_CONTENT; level++) {
        enum search_answer answer =
            search_evaluate(program.root, &f->message, (enum search_level)level);
        if (answer != SEARCH_UNDECIDED)
            return arena_printf(f->a, "%s in %s", answer == SEARCH_TRUE ? "true" : "false",
                                levels[level])
                .p;
    }
    return "undecided";
}

static void expect(const char *keys, const char *wanted)
{
    struct fixture f;
    set_up(&f);
    const char *got = decided(&f, keys);
    if (strcmp(got, wanted) != 0)
        fail_msg("%s: expected %s, got %s", keys, wanted, got);
    arena_free(f.a);
}

static void test_in_memory(void **state)
{
    (void)state;
    expect("ALL", "true in memory");
    expect("SEEN FLAGGED", "true in memory");
    expect("UNSEEN", "false in memory");
    expect("NEW", "false in memory");
    expect("RECENT NOT OLD", "true in memory");
    expect("OR DELETED FLAGGED", "true in memory");
    expect("(SEEN (NOT (DELETED)))", "true in memory");
    expect("LARGER 10 SMALLER 10000", "true in memory");
    expect("LARGER 10000", "false in memory");
    expect("BEFORE 5-Oct-2024 SINCE 4-Oct-2024 ON \"4-Oct-2024\"", "true in memory");
    expect("SINCE 5-Oct-2024", "false in memory");
    expect("2", "true in memory");
    expect("1,3:*", "false in memory");
    expect("UID 15:20", "true in memory");
    expect("UID 5000:*", "false in memory");
    expect("1000", "false in memory");
    expect("MODSEQ 7", "true in memory");
    expect("MODSEQ \"/flags/\\\\seen\" all 8", "false in memory");
    expect("OLDER 86400 NOT YOUNGER 86400", "true in memory");
    expect("SAVEDATESUPPORTED SAVEDBEFORE 1-Jan-2026", "true in memory");
}

/* "*" is the highest UID of then, but a range that ends there has no end. */
static void test_uids_to_come(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    f.message.uid = 50;
    assert_string_equal(decided(&f, "UID 41:*"), "true in memory");
    assert_string_equal(decided(&f, "UID *:60"), "true in memory");
    assert_string_equal(decided(&f, "UID 45:50"), "true in memory");
    assert_string_equal(decided(&f, "UID *"), "false in memory");
    assert_string_equal(decided(&f, "3:*"), "false in memory");
    arena_free(f.a);
}

static void test_in_the_header(void **state)
{
    (void)state;
    expect("FROM aLiCe", "true in header");
    expect("FROM alice@example.test", "true in header");
    expect("TO carol", "false in header");
    expect("CC carol", "true in header");
    expect("CHARSET UTF-8 SUBJECT \"gr\xc3\xbc\xc3\x9f"
           "e from\"",
           "true in header");
    expect("CHARSET ISO-8859-1 SUBJECT \"gr\xfc\xdf"
           "e from\"",
           "true in header");
    expect("HEADER X-Empty \"\"", "true in header");
    expect("HEADER X-None \"\"", "false in header");
    expect("SENTON 21-Nov-2026", "true in header");
    expect("SENTBEFORE 21-Nov-2026", "false in header");
    expect("SENTSINCE 22-Nov-2026", "false in header");
}

static void test_in_the_content(void **state)
{
    (void)state;
    expect("BODY \"BODY of\"", "true in content");
    expect("BODY alice", "false in content");
    expect("TEXT alice", "true in content");
    expect("TEXT \"\"", "true in memory");
}

static void test_cheap_keys_decide_first(void **state)
{
    (void)state;
    expect("TEXT nowhere DELETED", "false in memory");
    expect("TEXT nowhere FROM nobody", "false in header");
    expect("OR TEXT nowhere SEEN", "true in memory");
    expect("NOT (TEXT nowhere FROM nobody)", "true in header");
}

static void test_malformed(void **state)
{
    (void)state;
    expect("FOO", "Expected a search key at byte 4");
    expect("FROM", "Expected a string to search for behind the last argument");
    expect("OR SEEN", "Expected a search key behind the last argument");
    expect("()", "Expected search keys in the list at byte 4");
    expect("LARGER x", "Expected a number of bytes at byte 11");
    expect("ON 31-Foo-2026", "Expected a date as in 21-Nov-2026 at byte 7");
    expect("TEXT \"\xff\"", "The string to search for is not valid UTF-8");
    expect("CHARSET X-NONE SEEN", "[BADCHARSET (US-ASCII UTF-8)] The charset is not supported");
}

/* --- as words of a command line --- */

#define NOW INT64_C(1728086400) /* 5 Oct 2024, 00:00 */

static const char *decided_words(struct arena *a, const char *const *words, size_t count)
{
    struct str list[10];
    uint32_t uids[] = {10, 20, 30, 40};
    struct imap_argument *keys;
    struct search_program program;
    struct search_scope scope = {.arena = a,
                                 .uids = uids,
                                 .count = 4,
                                 .words = true,
                                 .charset = STR("UTF-8"),
                                 .name = STR("Lists/dev"),
                                 .now = NOW};
    struct search_message message = {.uid = 20,
                                     .flags = MESSAGE_SEEN,
                                     .size = 2000,
                                     .date = NOW - 7200,
                                     .day = 20000,
                                     .save_date = NOW - 31 * 86400};
    for (size_t i = 0; i < count; i++)
        list[i] = str_from_c(words[i]);
    if (!search_words_parse(a, list, count, &keys, &scope.error) ||
        !search_compile(&scope, keys, &program))
        return scope.error.p;
    if (search_excludes(&program))
        return "no mailbox";
    static const char *const answers[] = {"false", "true", "undecided"};
    return answers[search_evaluate(program.root, &message, SEARCH_MEMORY)];
}

#define EXPECT_WORDS(wanted, ...)                                                                  \
    do {                                                                                           \
        struct arena *a = arena_new();                                                             \
        const char *const words[] = {__VA_ARGS__};                                                 \
        assert_string_equal(decided_words(a, words, sizeof words / sizeof *words), wanted);        \
        arena_free(a);                                                                             \
    } while (0)

static void test_words(void **state)
{
    (void)state;
    EXPECT_WORDS("true", "all");
    EXPECT_WORDS("true", "before", "1h");
    EXPECT_WORDS("false", "before", "3h");
    EXPECT_WORDS("true", "since", "1d");
    EXPECT_WORDS("true", "before", "2024-10-05", "since", "4-Oct-2024");
    EXPECT_WORDS("false", "on", "2024-10-05");
    EXPECT_WORDS("true", "larger", "1K", "smaller", "1M");
    EXPECT_WORDS("true", "savedbefore", "30d", "savedsince", "2024-09-01");
    EXPECT_WORDS("false", "savedsince", "30d");
    EXPECT_WORDS("true", "mailbox", "Lists/dev");
    EXPECT_WORDS("true", "mailbox", "Lists/%", "seen");
    EXPECT_WORDS("no mailbox", "mailbox", "Trash", "seen");
    EXPECT_WORDS("no mailbox", "NOT", "mailbox", "*");
    EXPECT_WORDS("true", "or", "mailbox", "Trash", "(", "seen", "not", "deleted", ")");
    EXPECT_WORDS("undecided", "subject", "two (words) * and \"quotes\"");
    EXPECT_WORDS("true", "OR (SEEN UNDELETED) SUBJECT \"two words\"");
    EXPECT_WORDS("true", "uid", "15:*");
    EXPECT_WORDS("A \")\" is missing", "(", "seen");
    EXPECT_WORDS("Expected a search key, not \"trash\"", "trash");
    EXPECT_WORDS("Expected a search key, not \")\"", "seen", ")");
    EXPECT_WORDS("Expected a date as in 2026-11-21 or a time as in 30d, not \"30x\"", "before",
                 "30x");
}

static void test_mailbox_is_no_key_of_imap(void **state)
{
    (void)state;
    expect("MAILBOX Trash", "Expected a search key at byte 4");
    expect("BEFORE 30d", "Expected a date as in 21-Nov-2026 at byte 11");
}

static void test_depth(void **state)
{
    (void)state;
    struct buf keys = BUF_EMPTY;
    for (int i = 0; i < 150; i++)
        buf_add_c(&keys, "OR DELETED ");
    buf_add_c(&keys, "SEEN");
    expect(buf_c(&keys), "true in memory");
    buf_clear(&keys);
    for (int i = 0; i < 300; i++)
        buf_add_c(&keys, "NOT ");
    buf_add_c(&keys, "SEEN");
    expect(buf_c(&keys), "[LIMIT] Search keys may be nested 200 deep");
    buf_free(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory),
        cmocka_unit_test(test_uids_to_come),
        cmocka_unit_test(test_in_the_header),
        cmocka_unit_test(test_in_the_content),
        cmocka_unit_test(test_cheap_keys_decide_first),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_mailbox_is_no_key_of_imap),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
