/* The event store: what is logged is found again, whatever happens to the files meanwhile. */
#include "core/helper.h"

#include "core/log.h"
#include "core/mem.h"
#include "trace/limits.h"
#include "trace/pack.h"
#include "trace/scan.h"
#include "trace/story.h"
#include "trace/term.h"
#include "trace/trace.h"
#include "trace/volume.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define DAY (24 * 3600 * USEC_SEC)

static char *dir;
static const struct trace_settings settings = {.path = "", .keep = 14 * DAY, .size_max = 1 << 30};

/* --- what is found --- */

struct found {
    struct buf text; /* "component[id]: text\n" */
    size_t count;
    struct trace_scanned scanned;
};

static bool add_event(void *arg, const struct trace_event *event)
{
    struct found *f = arg;
    buf_printf(&f->text, "%.*s[%.*s]: %.*s\n", STR_ARG(event->component), STR_ARG(event->id),
               STR_ARG(event->text));
    f->count++;
    return true;
}

static struct found search(const char *term, bool newest_first)
{
    struct found f = {0};
    struct err e;
    struct str terms[] = {str_from_c(term)};
    struct trace_query q = {
        .dir = dir, .terms = terms, .term_count = term != NULL, .newest_first = newest_first};
    assert_true(trace_search(&q, add_event, &f, &f.scanned, &e));
    buf_c(&f.text);
    return f;
}

static size_t count_of(const char *term)
{
    struct found f = search(term, false);
    size_t count = f.count;
    buf_free(&f.text);
    return count;
}

static uint64_t blocks_of(const char *term)
{
    struct found f = search(term, true);
    buf_free(&f.text);
    return f.scanned.blocks;
}

static bool has(const char *term, const char *text)
{
    struct found f = search(term, false);
    bool is = strstr(f.text.p ? f.text.p : "", text) != NULL;
    buf_free(&f.text);
    return is;
}

/* Of what volume_* writes: `lines` messages with two lines each. */
static void add_lines(struct buf *b, int from, int to)
{
    for (int i = from; i < to; i++)
        buf_printf(b,
                   "2026-11-22T08:%02d:%02d.%03dZ info smtpd[id%012d]: accepted from=<s%d@a.test> "
                   "to=<r%d@b.test> size=%d\n"
                   "2026-11-22T08:%02d:%02d.%03dZ info store[id%012d]: delivered "
                   "account=<b.test/r%d> mailbox=<INBOX> uid=%d\n",
                   i / 60000 % 60, i / 1000 % 60, i % 1000, i, i, i, i, i / 60000 % 60,
                   i / 1000 % 60, i % 1000, i, i, i);
}

static void write_volume(uint32_t number, int from, int to, bool complete)
{
    struct volume *v = MEM_NEW(struct volume);
    struct buf b = BUF_EMPTY;
    struct err e;
    assert_true(volume_create(v, dir, number, &e) || volume_resume(v, dir, number, &e));
    for (int i = from; i < to; i += 500) {
        buf_clear(&b);
        add_lines(&b, i, i + 500 < to ? i + 500 : to);
        assert_true(volume_write(v, buf_str(&b), &e));
    }
    volume_close(v, complete);
    buf_free(&b);
    free(v);
}

static char *file_of(uint32_t number, enum volume_file file)
{
    struct buf b = BUF_EMPTY;
    volume_add_path(&b, dir, number, file);
    char *path = mem_dup(b.p, b.n);
    buf_free(&b);
    return path;
}

static void change_byte(uint32_t number, enum volume_file file, long at, char to)
{
    char *path = file_of(number, file);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    assert_int_equal(fputc(to, f), (unsigned char)to);
    fclose(f);
    free(path);
}

static void append(uint32_t number, enum volume_file file, const char *bytes, size_t n)
{
    char *path = file_of(number, file);
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    free(path);
}

static uint64_t size_of(uint32_t number, enum volume_file file)
{
    struct stat st;
    char *path = file_of(number, file);
    uint64_t size = disk_stat(path, &st, NULL) ? (uint64_t)st.st_size : 0;
    free(path);
    return size;
}

static void cut(uint32_t number, enum volume_file file, uint64_t size)
{
    char *path = file_of(number, file);
    assert_int_equal(truncate(path, (off_t)size), 0);
    free(path);
}

static void remove_file(uint32_t number, enum volume_file file)
{
    char *path = file_of(number, file);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static bool mend(uint32_t number, bool *mended)
{
    struct err e;
    return pack_is_packed(dir, number) ? pack_mend(dir, number, mended, &e)
                                       : volume_mend(dir, number, mended, &e);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

/* --- from the log to what is found --- */

static void test_what_is_logged_is_found(void **state)
{
    (void)state;
    struct trace *t = trace_open(dir, &settings);
    struct trace_counts counts;
    log_info("smtpd", "0123456789abc",
             "accepted session=%s from=<%s> to=<%s> message-id=<%s> peer=%s", "bbbbbbbbbbbbb",
             "Sender@A.test", "alice@example.test", "One.Two@host", "192.0.2.7");
    log_info("store", "0123456789abc", "delivered account=<%s> mailbox=<%s> uid=%d",
             "alice@example.test", "INBOX", 7);
    log_action("imap", "ccccccccccccc", "move user=<%s> mailbox=<%s> uids=7 to=<%s> to_uids=1",
               "alice@example.test", "INBOX", "Archive/2026");
    log_trace("imap", "ccccccccccccc", "flags user=<%s> mailbox=<%s> uids=3 add=\"%s\"",
              "bob@example.test", ":public:Sales", "\\Seen");
    log_debug("smtpd", "0123456789abc", "not kept");
    log_error("maild", NULL, "something without a name");
    trace_flush(t);
    static const struct {
        const char *term;
        const char *line;
    } cases[] = {
        {"0123456789abc", "smtpd[0123456789abc]: accepted session=bbb"},
        {"bbbbbbbbbbbbb", "accepted"},
        {"sender@a.test", "accepted"},
        {"ALICE@example.TEST", "accepted"},
        {"one.two@host", "accepted"},
        {"192.0.2.7", "accepted"},
        {"example.test/alice\nINBOX", "delivered account"},
        {"alice@example.test\nArchive/2026", "move user"},
        {".public\nSales", "flags user"},
        {"bob@example.test", "flags user"},
        {NULL, "maild[]: something without a name"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (!has(cases[i].term, cases[i].line))
            fail_msg("not found by %s", cases[i].term ? cases[i].term : "nothing");
    assert_false(has(NULL, "not kept"));
    trace_count(t, &counts);
    assert_int_equal(counts.kept, 5);
    assert_int_equal(counts.lost, 0);
    struct buf troubles = BUF_EMPTY;
    trace_troubles(t, &troubles);
    assert_int_equal(troubles.n, 0);
    trace_close(t);
    log_info("smtpd", NULL, "after the end");
    assert_false(has(NULL, "after the end"));
    assert_int_equal(count_of(NULL), 5);
}

static void test_a_restart_goes_on_with_the_file(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct trace *t = trace_open(dir, &settings);
        log_info("smtpd", "0123456789abc", "number %d", i);
        trace_close(t);
    }
    assert_int_equal(count_of("0123456789abc"), 3);
    struct volume_list l;
    assert_true(volume_list_read(&l, dir, NULL));
    assert_int_equal(l.count, 1);
    volume_list_free(&l);
}

/* One that hands over still writes. */
static void test_two_at_once_have_files_of_their_own(void **state)
{
    (void)state;
    struct trace *old = trace_open(dir, &settings);
    log_info("smtpd", "0123456789abc", "old");
    trace_flush(old);
    struct trace *new = trace_open(dir, &settings);
    log_info("smtpd", "0123456789abc", "new");
    trace_flush(new);
    log_set_sink(NULL, NULL);
    trace_close(old);
    trace_close(new);
    struct found f = search("0123456789abc", false);
    if (f.count != 2)
        print_error("%s\n", f.text.p ? f.text.p : "nothing");
    assert_int_equal(f.count, 2);
    buf_free(&f.text);
    struct volume_list l;
    assert_true(volume_list_read(&l, dir, NULL));
    assert_int_equal(l.count, 2);
    volume_list_free(&l);
}

static void *log_much(void *arg)
{
    for (int i = 0; i < 5000; i++)
        log_info("smtpd", arg, "line %d of a thread", i);
    return NULL;
}

/* Scans see whole lines only, and in their order. */
static bool check_order(void *arg, const struct trace_event *event)
{
    int *next = arg, number;
    char text[64] = "";
    memcpy(text, event->text.p, event->text.n < 63 ? event->text.n : 63);
    assert_int_equal(sscanf(text, "line %d of a thread", &number), 1);
    assert_int_equal(number, next[event->id.p[0] - 'a']++);
    return true;
}

static void test_scans_while_lines_are_written(void **state)
{
    (void)state;
    struct trace *t = trace_open(dir, &settings);
    pthread_t threads[2];
    static char ids[2][2] = {"a", "b"};
    struct err e;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_much, ids[i]), 0);
    for (int i = 0; i < 20; i++) {
        int next[2] = {0};
        assert_true(trace_scan(dir, 0, 0, check_order, next, &e));
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    trace_flush(t);
    struct trace_counts counts;
    trace_count(t, &counts);
    assert_int_equal(counts.lost, 0);
    int next[2] = {0};
    assert_true(trace_scan(dir, 0, 0, check_order, next, &e));
    assert_int_equal(next[0], 5000);
    assert_int_equal(next[1], 5000);
    trace_close(t);
}

/* --- the index --- */

static void test_the_index_narrows_down(void **state)
{
    (void)state;
    write_volume(1, 0, 20000, true);
    struct found f = search("r12345@b.test", false);
    assert_non_null(strstr(f.text.p, "from=<s12345@a.test>"));
    assert_in_range(f.scanned.blocks, 1, 4);
    buf_free(&f.text);
    f = search(NULL, false);
    assert_int_equal(f.count, 40000);
    assert_in_range(f.scanned.blocks, 40, 200);
    buf_free(&f.text);
    assert_int_equal(count_of("nobody@nowhere.test") < 3000, true);
}

static bool take_first(void *arg, const struct trace_event *event)
{
    uint64_t *position = arg;
    *position = event->position;
    return false;
}

static void test_newest_first_and_times(void **state)
{
    (void)state;
    uint64_t first, newest;
    struct err e;
    write_volume(1, 0, 2000, true);
    write_volume(2, 2000, 4000, true);
    struct trace_query q = {.dir = dir};
    assert_true(trace_search(&q, take_first, &first, NULL, &e));
    q.newest_first = true;
    assert_true(trace_search(&q, take_first, &newest, NULL, &e));
    assert_int_equal(first >> 32, 1);
    assert_int_equal(newest >> 32, 2);
    usec begin = 1795305600 * USEC_SEC + 8 * 3600 * USEC_SEC; /* 2026-11-22T08:00 */
    struct found f = {0};
    assert_true(trace_scan(dir, begin - 1000 * USEC_SEC, begin, add_event, &f, &e));
    assert_int_equal(f.count, 0);
    assert_true(trace_scan(dir, begin + USEC_SEC, begin + 3 * USEC_SEC, add_event, &f, &e));
    assert_int_equal(f.count, 4000);
    buf_free(&f.text);
}

/* Whatever is wrong with an index, everything is found. */
/* It counts whether or not there is anything to be found. */
static void test_a_search_ends_in_time(void **state)
{
    (void)state;
    struct err e;
    struct str terms[] = {STR("s1@a.test"), STR("nobody@a.test")};
    write_volume(1, 0, 2000, true);
    for (size_t i = 0; i < 2; i++) {
        struct found f = {0};
        struct trace_query q = {
            .dir = dir, .terms = &terms[i], .term_count = 1, .deadline = clock_monotonic() - 1};
        assert_true(trace_search(&q, add_event, &f, &f.scanned, &e));
        assert_true(f.scanned.late && f.count == 0);
        q.deadline = clock_monotonic() + 3600 * USEC_SEC;
        assert_true(trace_search(&q, add_event, &f, &f.scanned, &e));
        assert_true(!f.scanned.late && (i == 1 || f.count > 0));
        buf_free(&f.text);
    }
}

/* A message with events that say much: told as far as memory goes. */
static void test_a_story_is_not_endless(void **state)
{
    (void)state;
    struct volume *v = MEM_NEW(struct volume);
    struct buf b = BUF_EMPTY;
    struct err e;
    struct story_answer answer;
    struct arena *a = arena_new();
    assert_true(volume_create(v, dir, 1, &e));
    for (int i = 0; i < 12000; i++) {
        if (i % 100 == 0)
            buf_clear(&b);
        buf_printf(
            &b, "2026-11-22T08:00:00.000Z info queue[25x01xdpm9phr]: delivery to=<%06000d>\n", i);
        if (i % 100 == 99)
            assert_true(volume_write(v, buf_str(&b), &e));
    }
    volume_close(v, true);
    const struct story_request r = {
        .dir = dir, .what = STR("25x01xdpm9phr"), .deadline = clock_monotonic() + 600 * USEC_SEC};
    assert_true(story_find(&r, a, &answer, &e));
    assert_int_equal(answer.story_count, 1);
    assert_true(answer.stories[0].cut && !answer.late);
    assert_in_range(answer.stories[0].count, 9000, 11500);
    assert_true(arena_size(a) < STORY_BYTES_MAX + STORY_BYTES_MAX / 8);
    arena_free(a);
    buf_free(&b);
    free(v);
}

static void test_a_damaged_index_costs_time_only(void **state)
{
    (void)state;
    bool mended;
    write_volume(1, 0, 10000, true);
    uint64_t size = size_of(1, VOLUME_INDEX);
    for (int way = 0; way < 7; way++) {
        switch (way) {
        case 0:
            remove_file(1, VOLUME_INDEX);
            break;
        case 1:
            change_byte(1, VOLUME_INDEX, 3, '!'); /* no index at all */
            break;
        case 2:
            change_byte(1, VOLUME_INDEX, (long)size / 2, 'x'); /* an entry */
            break;
        case 3:
            cut(1, VOLUME_INDEX, size - 10);
            break;
        case 4:
            append(1, VOLUME_INDEX, "garbage", 7);
            break;
        case 5:
            cut(1, VOLUME_INDEX, 5);
            break;
        case 6: /* of another file, in which other blocks are */
            write_volume(2, 50000, 52000, true);
            char *from = file_of(2, VOLUME_INDEX), *to = file_of(1, VOLUME_INDEX);
            assert_int_equal(rename(from, to), 0);
            free(from);
            free(to);
            remove_file(2, VOLUME_LINES);
            break;
        }
        assert_int_equal(count_of(NULL), 20000);
        assert_true(has("r9999@b.test", "r9999@b.test"));
        assert_true(has("r0@b.test", "r0@b.test"));
        assert_true(mend(1, &mended));
        assert_true(mended);
        assert_true(mend(1, &mended));
        assert_false(mended);
        assert_in_range(blocks_of("r9999@b.test"), 1, 3);
    }
}

/* --- the lines --- */

static void test_torn_and_rotten_lines(void **state)
{
    (void)state;
    write_volume(1, 0, 1000, false);
    append(1, VOLUME_LINES, "2026-11-22T08:59:59.000Z info smtpd[torn", 40);
    assert_int_equal(count_of(NULL), 2000);
    write_volume(1, 1000, 2000, false); /* as after a crash: the torn line is cut off */
    assert_int_equal(count_of(NULL), 4000);
    char zeros[70000] = {0};
    append(1, VOLUME_LINES, zeros, sizeof(zeros));
    append(1, VOLUME_LINES, "\nrubbish\n", 9);
    write_volume(1, 2000, 3000, true);
    assert_int_equal(count_of(NULL), 6000);
    struct found f = search(NULL, false);
    assert_int_equal(f.scanned.damaged, 0);
    buf_free(&f.text);
    change_byte(1, VOLUME_LINES, 5000, 'x');
    f = search(NULL, false);
    assert_int_equal(f.scanned.damaged, 1);
    assert_in_range(f.count, 5999, 6000);
    buf_free(&f.text);
}

static void test_files_without_lines_are_set_aside(void **state)
{
    (void)state;
    struct buf troubles = BUF_EMPTY, garbage = BUF_EMPTY;
    struct trace_counts counts;
    write_volume(1, 0, 100, true);
    for (int i = 0; i < 3000; i++)
        buf_printf(&garbage, "%d\x01\x02garbage", i);
    append(2, VOLUME_LINES, garbage.p, garbage.n);
    append(3, VOLUME_PACKED, garbage.p, garbage.n);
    append(4, VOLUME_PACKED, "", 0);
    write_volume(5, 100, 200, true);
    struct trace *t = trace_open(dir, &settings);
    log_info("smtpd", NULL, "goes on");
    do {
        trace_flush(t);
        trace_count(t, &counts);
    } while (counts.damaged < 3);
    trace_troubles(t, &troubles);
    assert_non_null(strstr(buf_c(&troubles), "3 files of events could not be read"));
    trace_close(t);
    assert_true(has(NULL, "goes on"));
    assert_true(has("r150@b.test", "r150@b.test"));
    assert_int_equal(size_of(2, VOLUME_DAMAGED), garbage.n);
    buf_free(&troubles);
    buf_free(&garbage);
}

/* --- compressed files --- */

static void test_packed_files(void **state)
{
    (void)state;
    bool mended;
    struct err e;
    write_volume(1, 0, 10000, true);
    uint64_t size = size_of(1, VOLUME_LINES);
    assert_false(pack_volume(dir, 1, always, NULL, &e));
    assert_int_equal(e.kind, ERR_CANCELLED);
    assert_int_equal(size_of(1, VOLUME_LINES), size);
    assert_true(pack_volume(dir, 1, never, NULL, &e));
    assert_int_equal(size_of(1, VOLUME_LINES), 0);
    assert_in_range(size_of(1, VOLUME_PACKED), 1000, size / 3);
    assert_int_equal(count_of(NULL), 20000);
    struct found f = search("r7777@b.test", true);
    assert_in_range(f.scanned.blocks, 1, 3);
    assert_non_null(strstr(f.text.p, "r7777@b.test"));
    buf_free(&f.text);
    /* Without its index, or with one that is damaged. */
    remove_file(1, VOLUME_PACKED_INDEX);
    assert_int_equal(count_of(NULL), 20000);
    assert_true(mend(1, &mended));
    assert_true(mended);
    change_byte(1, VOLUME_PACKED_INDEX, 500, 'x');
    assert_int_equal(count_of(NULL), 20000);
    assert_true(mend(1, &mended));
    assert_true(mended);
    assert_true(mend(1, &mended));
    assert_false(mended);
    assert_in_range(blocks_of("r7777@b.test"), 1, 3);
    /* A damaged block costs its own lines. */
    change_byte(1, VOLUME_PACKED, (long)size_of(1, VOLUME_PACKED) / 2, 'x');
    f = search(NULL, false);
    assert_int_equal(f.scanned.damaged, 1);
    assert_in_range(f.count, 19000, 19999);
    buf_free(&f.text);
    remove_file(1, VOLUME_PACKED_INDEX);
    assert_in_range(count_of(NULL), 19000, 19999);
}

/* A crash between the renames leaves both forms. */
static void test_both_forms_count_once(void **state)
{
    (void)state;
    struct err e;
    bool mended;
    write_volume(1, 0, 1000, true);
    char *lines = file_of(1, VOLUME_LINES);
    struct buf b = BUF_EMPTY;
    assert_true(disk_read_file(lines, 1 << 24, &b, &e));
    assert_true(pack_volume(dir, 1, never, NULL, &e));
    append(1, VOLUME_LINES, b.p, b.n);
    assert_int_equal(count_of(NULL), 2000);
    assert_true(mend(1, &mended));
    assert_int_equal(size_of(1, VOLUME_LINES), 0);
    assert_int_equal(count_of(NULL), 2000);
    buf_free(&b);
    free(lines);
}

static void test_a_running_store_packs_what_is_complete(void **state)
{
    (void)state;
    struct trace_counts counts;
    write_volume(1, 0, 2000, true);
    write_volume(2, 2000, 4000, true);
    struct trace *t = trace_open(dir, &settings);
    log_info("smtpd", NULL, "another hour");
    while (size_of(1, VOLUME_LINES) > 0)
        trace_flush(t);
    trace_count(t, &counts);
    assert_true(counts.files >= 2);
    trace_close(t);
    assert_int_equal(count_of(NULL), 8001);
}

/* --- limits --- */

static void test_the_oldest_go_first(void **state)
{
    (void)state;
    struct trace_settings small = settings;
    struct trace_counts counts;
    struct err e;
    for (uint32_t i = 1; i <= 4; i++)
        write_volume(i, (int)i * 10000, (int)i * 10000 + 10000, true);
    char *path = file_of(1, VOLUME_LINES);
    usec now = clock_wall();
    assert_true(disk_set_times(path, now - 20 * DAY, &e)); /* its index was written now */
    free(path);
    path = file_of(1, VOLUME_INDEX);
    assert_true(disk_set_times(path, now - 20 * DAY, &e));
    free(path);
    small.size_max = (int64_t)(size_of(4, VOLUME_LINES) * 5 / 2);
    struct trace *t = trace_open(dir, &small);
    log_info("smtpd", NULL, "new");
    do {
        trace_flush(t);
        trace_count(t, &counts);
    } while (counts.files == 0);
    trace_close(t);
    assert_false(has("r15000@b.test", "r15000@b.test"));
    assert_false(has("r25000@b.test", "r25000@b.test"));
    assert_true(has("r45000@b.test", "r45000@b.test"));
    assert_true(has(NULL, "new"));
}

/* What cannot be written is counted and said, and kept again when it can be. */
static void test_troubles(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    char *blocked = path_in(dir, "file");
    char *inside = path_in(dir, "file/trace");
    FILE *f = fopen(blocked, "w");
    fclose(f);
    struct trace *t = trace_open(inside, &settings);
    log_info("smtpd", NULL, "lost");
    trace_flush(t);
    trace_troubles(t, &text);
    assert_non_null(strstr(buf_c(&text), "are not kept: "));
    assert_non_null(strstr(buf_c(&text), "events of the log were not kept since the start"));
    assert_int_equal(unlink(blocked), 0);
    log_info("smtpd", NULL, "kept");
    trace_flush(t);
    buf_clear(&text);
    trace_troubles(t, &text);
    assert_null(strstr(buf_c(&text), "are not kept: "));
    struct found found = {0};
    struct err e;
    trace_close(t);
    assert_true(trace_scan(inside, 0, 0, add_event, &found, &e));
    assert_non_null(strstr(buf_c(&found.text), "kept"));
    assert_null(strstr(buf_c(&found.text), "]: lost"));
    assert_non_null(strstr(buf_c(&found.text), "events are kept again"));
    buf_free(&found.text);
    buf_free(&text);
    free(blocked);
    free(inside);
}

static void test_kept_for_no_time(void **state)
{
    (void)state;
    struct trace_settings off = settings;
    off.keep = 0;
    struct trace *t = trace_open(dir, &off);
    log_info("smtpd", NULL, "not kept");
    trace_flush(t);
    trace_set_limits(t, &settings);
    log_info("smtpd", NULL, "from here on");
    trace_close(t);
    assert_false(has(NULL, "not kept"));
    assert_true(has(NULL, "from here on"));
}

static int setup(void **state)
{
    (void)state;
    dir = make_directory();
    char *log = path_in(dir, "the.log");
    log_open(log, LOG_LEVEL_ERROR, NULL);
    free(log);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_open(NULL, LOG_LEVEL_INFO, NULL);
    remove_directory(dir);
    return 0;
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_what_is_logged_is_found),
        CASE(test_a_restart_goes_on_with_the_file),
        CASE(test_two_at_once_have_files_of_their_own),
        CASE(test_scans_while_lines_are_written),
        CASE(test_the_index_narrows_down),
        CASE(test_newest_first_and_times),
        CASE(test_a_search_ends_in_time),
        CASE(test_a_story_is_not_endless),
        CASE(test_a_damaged_index_costs_time_only),
        CASE(test_torn_and_rotten_lines),
        CASE(test_files_without_lines_are_set_aside),
        CASE(test_packed_files),
        CASE(test_both_forms_count_once),
        CASE(test_a_running_store_packs_what_is_complete),
        CASE(test_the_oldest_go_first),
        CASE(test_troubles),
        CASE(test_kept_for_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
