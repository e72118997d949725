/* What is known again after a restart. */
#include "core/helper.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/kept_file.h"

#define INTERVAL (20 * USEC_MSEC)

static unsigned complaints;
static bool slow; /* as with a disk that hangs: longer than the interval */
static unsigned writers, writers_most;

/* What is known is one word. */
static void encode(const void *arg, struct buf *out)
{
    struct err e;
    writers++;
    writers_most = writers > writers_most ? writers : writers_most;
    if (slow)
        assert_true(fiber_sleep(4 * INTERVAL, &e));
    writers--;
    buf_add_counted(out, buf_str(arg));
}

static bool decode(void *arg, struct str bytes)
{
    struct reader in = {.p = bytes.p, .n = bytes.n};
    struct str word = read_counted(&in);
    buf_clear(arg);
    buf_add_str(arg, word);
    return !in.bad && in.n == 0;
}

static void not_kept(const struct err *e)
{
    assert_true(str_find(str_from_c(e->text), STR("missing-dir")) >= 0);
    complaints++;
}

static const struct kept_file_form form = {.magic = 0x54534554,
                                           .version = 3,
                                           .size_max = 1000,
                                           .interval = INTERVAL,
                                           .fiber = "saving a word",
                                           .encode = encode,
                                           .decode = decode,
                                           .not_kept = not_kept};

static struct kept_file file_of(struct buf *word)
{
    return (struct kept_file){.form = &form, .arg = word};
}

static void know(struct kept_file *f, const char *word)
{
    buf_clear(f->arg);
    buf_add_c(f->arg, word);
    kept_file_changed(f);
}

static void end(struct kept_file *f)
{
    kept_file_close(f);
    kept_file_free(f);
    buf_free(f->arg);
}

/* What a server that starts now would know. */
static void assert_kept(const char *path, const char *word)
{
    struct buf found = BUF_EMPTY;
    struct kept_file f = file_of(&found);
    struct err e;
    assert_true(kept_file_open(&f, loop_current(), path, &e));
    assert_string_equal(buf_c(&found), word);
    end(&f);
}

static void wait_until_written(const struct kept_file *f)
{
    struct err e;
    usec deadline = deadline_in(20 * USEC_SEC);
    while (f->changed || f->writing) {
        assert_true(clock_monotonic() < deadline);
        assert_true(fiber_sleep(USEC_MSEC, &e));
    }
}

IN_FIBER(kept_after_a_while_and_at_the_end)
{
    (void)arg;
    char *dir = make_directory(), *path = path_in(dir, "word");
    struct buf word = BUF_EMPTY;
    struct kept_file f = file_of(&word);
    struct err e;
    assert_kept(path, "");
    assert_true(kept_file_open(&f, loop_current(), path, &e));
    know(&f, "one");
    know(&f, "two");
    assert_kept(path, "");
    wait_until_written(&f);
    assert_kept(path, "two");
    know(&f, "three");
    end(&f);
    assert_kept(path, "three");
    free(path);
    remove_directory(dir);
}

IN_FIBER(damaged)
{
    (void)arg;
    char *dir = make_directory(), *path = path_in(dir, "word");
    struct buf word = BUF_EMPTY, bytes = BUF_EMPTY;
    struct kept_file f = file_of(&word);
    struct err e;
    buf_add_c(&word, "word");
    kept_file_encode(&form, &word, &bytes);
    for (size_t i = 0; i < bytes.n; i++) {
        assert_false(kept_file_decode(&form, &word, str_head(buf_str(&bytes), i)));
        bytes.p[i] ^= 1;
        assert_false(kept_file_decode(&form, &word, buf_str(&bytes)));
        bytes.p[i] ^= 1;
    }
    assert_true(kept_file_decode(&form, &word, buf_str(&bytes)));
    bytes.p[bytes.n - 1] ^= 1;
    write_test_file(path, buf_str(&bytes));
    assert_false(kept_file_open(&f, loop_current(), path, &e));
    assert_int_equal(e.kind, ERR_SYNTAX);
    assert_true(str_find(str_from_c(e.text), str_from_c(path)) >= 0);
    /* It is kept from now on all the same. */
    know(&f, "again");
    end(&f);
    assert_kept(path, "again");
    buf_free(&bytes);
    free(path);
    remove_directory(dir);
}

IN_FIBER(written_when_it_can_be)
{
    (void)arg;
    char *dir = make_directory(), *inner = path_in(dir, "missing-dir"),
         *path = path_in(inner, "word");
    struct buf word = BUF_EMPTY;
    struct kept_file f = file_of(&word);
    struct err e;
    assert_true(kept_file_open(&f, loop_current(), path, &e));
    know(&f, "word");
    usec deadline = deadline_in(20 * USEC_SEC);
    while (complaints < 2) {
        assert_true(clock_monotonic() < deadline);
        assert_true(fiber_sleep(USEC_MSEC, &e));
    }
    assert_true(disk_make_dirs(inner, 0700, &e));
    wait_until_written(&f);
    assert_kept(path, "word");
    end(&f);
    free(path);
    free(inner);
    remove_directory(dir);
}

IN_FIBER(one_write_at_a_time)
{
    (void)arg;
    char *dir = make_directory(), *path = path_in(dir, "word");
    struct buf word = BUF_EMPTY;
    struct kept_file f = file_of(&word);
    struct err e;
    assert_true(kept_file_open(&f, loop_current(), path, &e));
    slow = true;
    writers_most = 0;
    know(&f, "one");
    usec deadline = deadline_in(20 * USEC_SEC);
    while (!f.writing) {
        assert_true(clock_monotonic() < deadline);
        assert_true(fiber_sleep(USEC_MSEC, &e));
    }
    know(&f, "two");
    wait_until_written(&f);
    assert_int_equal(writers_most, 1);
    slow = false;
    assert_kept(path, "two");
    end(&f);
    free(path);
    remove_directory(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_after_a_while_and_at_the_end),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_written_when_it_can_be),
        cmocka_unit_test(test_one_write_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
