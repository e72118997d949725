/*
 * The journal: what was committed is replayed after a crash (a copy of the directory, taken while
 * the journal is open), in order; whatever is damaged, everything that is readable is replayed, and
 * what is missing is said; segments are used again; waiters share syncs.
 */
#include "core/in_directory.h"

#include "core/journal.h"
#include "core/mem.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SEGMENT (64 * 1024)

/* --- a consumer that remembers --- */

struct log {
    struct journal *j;
    struct buf text; /* "lsn:type:payload " per record */
    size_t records, missing;
    lsn last;
    unsigned checkpoints;
    lsn upto;
    bool fail_checkpoint;
    bool block_checkpoint;
    struct cond unblock;
};

static bool replay(void *arg, const struct journal_record *r, struct err *e)
{
    (void)e;
    struct log *l = arg;
    assert_true(r->lsn > l->last);
    if (l->last > 0)
        l->missing += r->lsn - l->last - 1;
    l->last = r->lsn;
    l->records++;
    assert_int_equal(r->version, 3);
    if (r->payload.n < 100)
        buf_printf(&l->text, "%d:%d:%.*s ", (int)r->lsn, r->type, STR_ARG(r->payload));
    return true;
}

static bool checkpoint(void *arg, lsn upto, struct err *e)
{
    struct log *l = arg;
    l->upto = upto;
    l->checkpoints++;
    while (l->block_checkpoint)
        cond_wait_certain(&l->unblock);
    if (l->fail_checkpoint)
        return err_set(e, ERR_TEMP, "not now");
    fiber_yield();
    return true;
}

static struct journal *open_at(const char *path, struct log *l, struct err *e)
{
    const struct journal_settings settings = {.dir = path,
                                              .segment_size = SEGMENT,
                                              .size_max = 8 * SEGMENT,
                                              .checkpoint_interval = 3600 * USEC_SEC,
                                              .disk_reserve = 1};
    *l = (struct log){0};
    struct journal *j = journal_open(&settings, e);
    if (!j)
        return NULL;
    l->j = j;
    const struct journal_consumer c = {JOURNAL_STORE, l, dir, replay, checkpoint};
    journal_add_consumer(j, &c);
    if (journal_start(j, e))
        return j;
    journal_close(j);
    return NULL;
}

static struct journal *must_open(const char *path, struct log *l)
{
    struct err e;
    struct journal *j = open_at(path, l, &e);
    if (!j)
        fail_msg("%s", e.text);
    return j;
}

static lsn append(struct journal *j, uint8_t type, const char *payload)
{
    const struct str parts[] = {str_from_c(payload)};
    return journal_append(j, JOURNAL_STORE, type, 3, parts, 1);
}

static void must_commit(struct journal *j, lsn position)
{
    struct err e;
    assert_true(journal_commit(j, position, &e));
}

static void must_close(struct journal *j, struct log *l)
{
    journal_close(j);
    buf_free(&l->text);
}

/* --- a crash --- */

/* A segment that may get its name meanwhile. */
static bool is_being_made(const char *name)
{
    return str_ends_with_nocase(str_from_c(name), STR(".new"));
}

struct copying {
    const char *from, *to;
};

static bool copy_one(void *arg, const char *name, unsigned char type)
{
    (void)type;
    const struct copying *c = arg;
    struct err e;
    if (is_being_made(name))
        return true;
    struct buf b = BUF_EMPTY;
    char *from = path_in(c->from, name), *to = path_in(c->to, name);
    assert_true(disk_read_file(from, 1 << 30, &b, &e));
    write_test_file(to, buf_str(&b));
    buf_free(&b);
    free(from);
    free(to);
    return true;
}

/* As a crash would leave the disk now. The caller frees the path. */
static char *crash(const char *journal)
{
    static int number;
    char name[32];
    struct err e;
    snprintf(name, sizeof name, "crash-%d", ++number);
    char *to = path_in(dir, name);
    assert_true(disk_make_dir(to, 0700, &e));
    struct copying c = {journal, to};
    assert_true(disk_list(journal, copy_one, &c, &e));
    return to;
}

/* Number of the byte in the file where `text` is, or -1. */
static long find_in_file(const char *path, const char *text)
{
    struct buf b = BUF_EMPTY;
    struct err e;
    assert_true(disk_read_file(path, 1 << 30, &b, &e));
    ptrdiff_t at = str_find(buf_str(&b), str_from_c(text));
    buf_free(&b);
    return at;
}

struct finding {
    const char *dir, *text;
    char *path;
    long at;
};

static bool find_one(void *arg, const char *name, unsigned char type)
{
    (void)type;
    struct finding *f = arg;
    if (is_being_made(name))
        return true;
    char *path = path_in(f->dir, name);
    f->at = find_in_file(path, f->text);
    if (f->at < 0) {
        free(path);
        return true;
    }
    f->path = path;
    return false;
}

/* Changes one byte of the record that holds the text; returns the file's path, to be freed. */
static char *damage(const char *journal, const char *text)
{
    struct finding f = {.dir = journal, .text = text};
    struct err e;
    assert_true(disk_list(journal, find_one, &f, &e));
    assert_non_null(f.path);
    int fd;
    assert_true(disk_open(f.path, O_RDWR, 0, &fd, &e));
    char wrong = '#';
    struct iovec iov = {&wrong, 1};
    assert_true(disk_write_at(fd, &iov, 1, (uint64_t)f.at, f.path, &e));
    disk_close(fd);
    return f.path;
}

/* --- tests --- */

static void replays(void *arg)
{
    (void)arg;
    struct log l;
    char *path = path_in(dir, "journal");
    struct journal *j = must_open(path, &l);
    assert_int_equal(l.records, 0);
    assert_int_equal(append(j, 1, "one"), 1);
    const struct str parts[] = {STR("t"), STR(""), STR("wo")};
    assert_int_equal(journal_append(j, JOURNAL_STORE, 2, 3, parts, 3), 2);
    assert_int_equal(journal_durable(j), 0);
    must_commit(j, 2);
    assert_int_equal(journal_durable(j), 2);
    assert_int_equal(append(j, 3, ""), 3);
    must_commit(j, 3);

    char *copy = crash(path);
    struct log l2;
    struct journal *j2 = must_open(copy, &l2);
    assert_string_equal(buf_c(&l2.text), "1:1:one 2:2:two 3:3: ");
    assert_int_equal(l2.checkpoints, 1);
    assert_int_equal(l2.upto, 3);
    assert_int_equal(journal_checkpointed(j2), 3);
    assert_int_equal(append(j2, 1, "four"), 4);
    must_commit(j2, 4);
    char *copy2 = crash(copy);
    must_close(j2, &l2);
    j2 = must_open(copy2, &l2);
    assert_string_equal(buf_c(&l2.text), "4:1:four ");
    must_close(j2, &l2);

    /* A clean end leaves nothing to replay. */
    must_close(j, &l);
    j = must_open(path, &l);
    assert_int_equal(l.records, 0);
    assert_int_equal(append(j, 1, "next"), 4);
    must_close(j, &l);
    free(copy), free(copy2), free(path);
}

static void locks(void *arg)
{
    (void)arg;
    struct log l, l2;
    struct err e;
    char *path = path_in(dir, "locked");
    struct journal *j = must_open(path, &l);
    assert_null(open_at(path, &l2, &e));
    assert_int_equal(e.kind, ERR_EXISTS);
    must_close(j, &l);
    free(path);
}

static void torn_tail(void *arg)
{
    (void)arg;
    struct log l, l2;
    char *path = path_in(dir, "torn");
    struct journal *j = must_open(path, &l);
    append(j, 1, "first");
    must_commit(j, 1);
    append(j, 1, "second-a");
    append(j, 1, "second-b");
    append(j, 1, "second-c");
    must_commit(j, 4);
    char *copy = crash(path);
    free(damage(copy, "second-b"));
    struct journal *j2 = must_open(copy, &l2);
    /* Nobody was told of the last batch: whether of it comes back is no matter, and no damage. */
    assert_string_equal(buf_c(&l2.text), "1:1:first 2:1:second-a 4:1:second-c ");
    assert_null(journal_damage(j2, 0));
    /* The positions go on behind the last whole record, in a fresh segment. */
    assert_int_equal(append(j2, 1, "third"), 5);
    must_commit(j2, 5);
    char *copy2 = crash(copy);
    must_close(j2, &l2);
    j2 = must_open(copy2, &l2);
    assert_string_equal(buf_c(&l2.text), "5:1:third ");
    must_close(j2, &l2);
    must_close(j, &l);
    free(copy), free(copy2), free(path);
}

static void append_more(struct journal *j, const char *text)
{
    struct str part = str_from_c(text);
    journal_append_more(j, JOURNAL_STORE, 1, 3, &part, 1);
}

/* What needs the next record is not replayed without it, when that was not durable. */
static void together(void *arg)
{
    static const struct {
        const char *bad, *replayed;
    } rows[] = {
        {"three", "1:1:first 5:1:four "},
        {"two", "1:1:first 4:1:three 5:1:four "},
        {"four", "1:1:first 2:1:one 3:1:two 4:1:three "},
        {NULL, "1:1:first 2:1:one 3:1:two 4:1:three 5:1:four "},
    };
    (void)arg;
    struct log l;
    char *path = path_in(dir, "together");
    struct journal *j = must_open(path, &l);
    append(j, 1, "first");
    must_commit(j, 1);
    append_more(j, "one");
    append_more(j, "two");
    append(j, 1, "three");
    append(j, 1, "four");
    must_commit(j, 5);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct log l2;
        char *copy = crash(path);
        if (rows[i].bad)
            free(damage(copy, rows[i].bad));
        struct journal *j2 = must_open(copy, &l2);
        assert_string_equal(buf_c(&l2.text), rows[i].replayed);
        must_commit(j2, append(j2, 1, "next"));
        must_close(j2, &l2);
        free(copy);
    }
    must_close(j, &l);
    free(path);
}

/* Opens a damaged journal: it has replayed `expected`, says what contains `report` (NULL: nothing),
 * and says so again at the next start. Frees path. */
static void assert_salvages(char *path, const char *expected, const char *report)
{
    struct log l;
    struct journal *j = must_open(path, &l);
    assert_string_equal(buf_c(&l.text), expected);
    for (int round = 0; round < 2; round++) {
        const char *said = journal_damage(j, 0);
        if (!report && said)
            fail_msg("%s", said);
        if (report && (!said || !strstr(said, report)))
            fail_msg("\"%s\" does not say \"%s\"", said ? said : "", report);
        assert_null(journal_damage(j, report ? 1 : 0));
        must_commit(j, append(j, 1, "goes on"));
        must_close(j, &l);
        j = must_open(path, &l);
        assert_int_equal(l.records, 0);
    }
    must_close(j, &l);
    free(path);
}

static void overwrite(const char *path, long at, const char *bytes, size_t n)
{
    int fd;
    struct err e;
    struct iovec iov = {(void *)(uintptr_t)bytes, n};
    assert_true(disk_open(path, O_RDWR, 0, &fd, &e));
    assert_true(disk_write_at(fd, &iov, 1, (uint64_t)at, path, &e));
    disk_close(fd);
}

static void damaged(void *arg)
{
    (void)arg;
    struct log l;
    char *path = path_in(dir, "damaged");
    struct journal *j = must_open(path, &l);
    append(j, 1, "aaaa");
    must_commit(j, 1);
    append(j, 1, "bbbb");
    must_commit(j, 2);
    append(j, 1, "cccc");
    must_commit(j, 3);
    /* A batch was begun behind the damaged one: that was acknowledged. */
    char *copy = crash(path);
    free(damage(copy, "bbbb"));
    assert_salvages(copy, "1:1:aaaa 3:1:cccc ", "record 2 is lost");
    copy = crash(path);
    free(damage(copy, "aaaa"));
    assert_salvages(copy, "2:1:bbbb 3:1:cccc ", "record 1 is lost");
    copy = crash(path);
    free(damage(copy, "cccc")); /* as a torn write */
    assert_salvages(copy, "1:1:aaaa 2:1:bbbb ", NULL);

    /* The only segment's header. */
    copy = crash(path);
    char *file = damage(copy, "MAILDJNL");
    free(file);
    assert_salvages(copy, "1:1:aaaa 2:1:bbbb 3:1:cccc ", "header");

    /* The checkpoint file has a copy. */
    copy = crash(path);
    file = path_in(copy, "checkpoint");
    write_test_file(file, STR("nonsense"));
    free(file);
    assert_salvages(copy, "1:1:aaaa 2:1:bbbb 3:1:cccc ", "copy was used");
    copy = crash(path);
    file = path_in(copy, "checkpoint");
    write_test_file(file, STR("nonsense"));
    free(file);
    file = path_in(copy, "checkpoint.copy");
    write_test_file(file, STR(""));
    free(file);
    assert_salvages(copy, "1:1:aaaa 2:1:bbbb 3:1:cccc ", "everything in the journal was replayed");
    must_close(j, &l);
    free(path);
}

/* Several segments: the last batch of one that another follows, headers, whole files. */
static void damaged_segments(void *arg)
{
    (void)arg;
    struct log l;
    struct err e;
    char *path = path_in(dir, "segments");
    struct journal *j = must_open(path, &l);
    struct buf big = BUF_EMPTY;
    for (int i = 0; i < 4; i++) {
        buf_clear(&big);
        buf_printf(&big, "number-%d%050000d", i, 0);
        must_commit(j, append(j, 2, buf_c(&big)));
        buf_clear(&big);
        buf_printf(&big, "small-%d", i);
        must_commit(j, append(j, 1, buf_c(&big)));
    }
#define ALL "2:1:small-0 4:1:small-1 6:1:small-2 8:1:small-3 "
    char *copy = crash(path);
    free(damage(copy, "number-1"));
    assert_salvages(copy, ALL, "record 3 is lost");
    copy = crash(path);
    free(damage(copy, "small-1"));
    assert_salvages(copy, "2:1:small-0 6:1:small-2 8:1:small-3 ", "record 4 is lost");

    struct finding f = {.text = "number-2", .dir = copy = crash(path)};
    assert_true(disk_list(copy, find_one, &f, &e));
    overwrite(f.path, 0, "########", 8);
    free(f.path);
    assert_salvages(copy, ALL, "header");
    f = (struct finding){.text = "number-2", .dir = copy = crash(path)};
    assert_true(disk_list(copy, find_one, &f, &e));
    assert_true(disk_unlink(f.path, &e));
    free(f.path);
    assert_salvages(copy, "2:1:small-0 4:1:small-1 8:1:small-3 ", "records 5 to 6 are lost");
    f = (struct finding){.text = "number-0", .dir = copy = crash(path)};
    assert_true(disk_list(copy, find_one, &f, &e));
    write_test_file(f.path, STR("short"));
    free(f.path);
    assert_salvages(copy, "4:1:small-1 6:1:small-2 8:1:small-3 ", "records 1 to 2 are lost");
    /* What cannot be read at all. */
    f = (struct finding){.text = "number-1", .dir = copy = crash(path)};
    assert_true(disk_list(copy, find_one, &f, &e));
    assert_true(disk_unlink(f.path, &e));
    assert_true(disk_make_dir(f.path, 0700, &e));
    free(f.path);
    assert_salvages(copy, "2:1:small-0 6:1:small-2 8:1:small-3 ", "records 3 to 4 are lost");
    f = (struct finding){.text = "number-3", .dir = copy = crash(path)};
    assert_true(disk_list(copy, find_one, &f, &e));
    assert_true(disk_unlink(f.path, &e));
    free(f.path);
    /* As if the last segment had never been begun. */
    assert_salvages(copy, "2:1:small-0 4:1:small-1 6:1:small-2 ", NULL);
    must_close(j, &l);
    buf_free(&big);
    free(path);
}

/* A message cannot forge a record: the bytes of a whole record that this use of the segment did
 * not write, at the place where the next batch would begin, are none. */
static void forged(void *arg)
{
    (void)arg;
    struct log l, l2;
    struct err e;
    char *path = path_in(dir, "honest"), *other = path_in(dir, "other");
    struct journal *j = must_open(path, &l), *j2 = must_open(other, &l2);
    must_commit(j, append(j, 1, "honest"));
    must_commit(j2, append(j2, 1, "same"));
    must_commit(j2, append(j2, 1, "forged"));
    struct finding from = {.dir = other, .text = "forged"};
    assert_true(disk_list(other, find_one, &from, &e));
    struct buf b = BUF_EMPTY;
    assert_true(disk_read_file(from.path, 1 << 20, &b, &e));
    must_close(j2, &l2);

    char *copy = crash(path);
    struct finding to = {.dir = copy, .text = "honest"};
    assert_true(disk_list(copy, find_one, &to, &e));
    int fd;
    assert_true(disk_open(to.path, O_RDWR, 0, &fd, &e));
    assert_int_equal(from.at, to.at + 4096);
    struct iovec iov = {b.p + from.at / 4096 * 4096, 4096};
    assert_true(disk_write_at(fd, &iov, 1, (uint64_t)(from.at / 4096 * 4096), to.path, &e));
    disk_close(fd);
    j2 = must_open(copy, &l2);
    assert_string_equal(buf_c(&l2.text), "1:1:honest ");
    must_close(j2, &l2);
    must_close(j, &l);
    buf_free(&b);
    free(from.path), free(to.path), free(copy), free(other), free(path);
}

struct writer {
    struct journal *j;
    int number, rounds;
    lsn *order, *next;
    int *running;
};

static void write_records(void *arg)
{
    struct writer *w = arg;
    for (int i = 0; i < w->rounds; i++) {
        lsn position = append(w->j, 1, "together");
        if (w->number % 3 == 0)
            fiber_yield();
        must_commit(w->j, position);
        assert_true(journal_durable(w->j) >= position);
        *w->next++ = position;
    }
    --*w->running;
}

static void groups(void *arg)
{
    (void)arg;
    enum { WRITERS = 50 };
    struct log l;
    char *path = path_in(dir, "groups");
    struct journal *j = must_open(path, &l);
    struct journal_stats before, after;
    struct writer writers[WRITERS];
    lsn released[WRITERS];
    int running = WRITERS;
    journal_get_stats(j, &before);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){j, i, 1, released, &released[i], &running};
        fiber_start(loop_current(), "writer", write_records, &writers[i]);
    }
    struct err e;
    while (running > 0)
        fiber_sleep(USEC_MSEC, &e);
    journal_get_stats(j, &after);
    assert_int_equal(after.records - before.records, WRITERS);
    assert_in_range(after.syncs - before.syncs, 1, 3);
    must_close(j, &l);
    free(path);
}

static lsn release_order[200];
static size_t released;

static void commit_and_note(void *arg)
{
    struct journal *j = arg;
    lsn position = append(j, 1, "x");
    /* Some come late, when their record is durable already. */
    for (lsn i = 0; i < position % 7; i++)
        fiber_yield();
    must_commit(j, position);
    release_order[released++] = position;
}

static void commit_backwards(void *arg)
{
    struct writer *w = arg;
    must_commit(w->j, (lsn)w->number);
    release_order[released++] = (lsn)w->number;
}

static void in_order(void *arg)
{
    (void)arg;
    struct log l;
    struct err e;
    char *path = path_in(dir, "order");
    struct journal *j = must_open(path, &l);
    struct writer writers[20];
    for (int i = 0; i < 20; i++)
        append(j, 1, "x");
    released = 0;
    for (int i = 0; i < 20; i++) {
        writers[i] = (struct writer){.j = j, .number = 20 - i};
        fiber_start(loop_current(), "backwards", commit_backwards, &writers[i]);
    }
    while (released < 20)
        fiber_sleep(USEC_MSEC, &e);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(release_order[i], i + 1);
    released = 0;
    for (int i = 0; i < 100; i++)
        fiber_start(loop_current(), "late", commit_and_note, j);
    while (released < 100)
        fiber_sleep(USEC_MSEC, &e);
    must_close(j, &l);
    free(path);
}

static void unattended(void *arg)
{
    (void)arg;
    struct log l;
    struct err e;
    char *path = path_in(dir, "unattended");
    struct journal *j = must_open(path, &l);
    append(j, 1, "nobody waits");
    usec end = clock_monotonic() + 5 * USEC_SEC;
    while (journal_durable(j) < 1 && clock_monotonic() < end)
        fiber_sleep(USEC_MSEC, &e);
    assert_int_equal(journal_durable(j), 1);
    must_close(j, &l);
    free(path);
}

static bool count_segment(void *arg, const char *name, unsigned char type)
{
    (void)type;
    *(int *)arg += strncmp(name, "segment-", 8) == 0;
    return true;
}

static void reuse(void *arg)
{
    (void)arg;
    struct log l;
    struct err e;
    char *path = path_in(dir, "reuse");
    struct journal *j = must_open(path, &l);
    struct buf payload = BUF_EMPTY;
    memset(buf_reserve(&payload, 10000), 'p', 10000);
    payload.n = 10000;
    for (int i = 0; i < 500; i++) {
        assert_true(journal_ready(j, deadline_in(10 * USEC_SEC), &e));
        must_commit(j, append(j, 1, buf_c(&payload)));
    }
    struct journal_stats s;
    journal_get_stats(j, &s);
    assert_true(s.checkpoints >= 5);
    assert_in_range(s.segments, 2, 8);
    assert_true(l.upto > 400);
    int files = 0;
    assert_true(disk_list(path, count_segment, &files, &e));
    assert_in_range(files, 2, 9);
    /* What is behind the last checkpoint is replayed, and nothing else. */
    lsn checkpointed = journal_checkpointed(j);
    char *copy = crash(path);
    struct log l2;
    struct journal *j2 = must_open(copy, &l2);
    assert_int_equal(l2.records, 500 - checkpointed);
    assert_true(l2.records == 0 || l2.last == 500);
    must_close(j2, &l2);
    assert_true(journal_checkpoint(j, &e));
    assert_int_equal(journal_checkpointed(j), 500);
    free(copy);
    copy = crash(path);
    j2 = must_open(copy, &l2);
    assert_int_equal(l2.records, 0);
    must_close(j2, &l2);
    must_close(j, &l);
    buf_free(&payload);
    free(copy), free(path);
}

static void full(void *arg)
{
    (void)arg;
    struct log l;
    struct err e;
    char *path = path_in(dir, "full");
    struct journal *j = must_open(path, &l);
    struct buf payload = BUF_EMPTY;
    memset(buf_reserve(&payload, 30000), 'p', 30000);
    payload.n = 30000;
    /* Checkpoints hang: the journal fills up, and those who ask for room wait. */
    l.block_checkpoint = true;
    int appended = 0;
    while (journal_ready(j, deadline_in(200 * USEC_MSEC), &e)) {
        must_commit(j, append(j, 1, buf_c(&payload)));
        assert_true(++appended < 100);
    }
    assert_int_equal(e.kind, ERR_TIMEOUT);
    assert_true(appended >= 8);
    /* What passed before is taken nevertheless. */
    must_commit(j, append(j, 1, buf_c(&payload)));
    must_commit(j, append(j, 1, buf_c(&payload)));
    must_commit(j, append(j, 1, buf_c(&payload)));
    l.block_checkpoint = false;
    cond_broadcast(&l.unblock);
    assert_true(journal_ready(j, deadline_in(10 * USEC_SEC), &e));
    struct journal_stats s;
    assert_true(journal_checkpoint(j, &e));
    journal_get_stats(j, &s);
    assert_in_range(s.segments, 2, 8);

    l.fail_checkpoint = true;
    append(j, 1, "x");
    assert_false(journal_checkpoint(j, &e));
    assert_string_equal(e.text, "not now");
    l.fail_checkpoint = false;
    assert_true(journal_checkpoint(j, &e));
    must_close(j, &l);
    buf_free(&payload);
    free(path);
}

static void reserve(void *arg)
{
    (void)arg;
    struct err e;
    char *path = path_in(dir, "reserve");
    const struct journal_settings settings = {
        .dir = path, .segment_size = SEGMENT, .disk_reserve = UINT64_MAX / 2};
    struct journal *j = journal_open(&settings, &e);
    assert_non_null(j);
    assert_true(journal_start(j, &e));
    assert_false(journal_ready(j, deadline_in(10 * USEC_SEC), &e));
    assert_int_equal(e.kind, ERR_NO_SPACE);
    journal_close(j);
    free(path);
}

/* A limit on file sizes lets writes fail with EFBIG. */
static void fails(void *arg)
{
    (void)arg;
    struct log l, l2;
    struct err e;
    char *path = path_in(dir, "fails");
    struct journal *j = must_open(path, &l);
    must_commit(j, append(j, 1, "before"));
    struct rlimit old, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(journal_commit(j, append(j, 1, "failing"), &e));
    assert_int_equal(e.kind, ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    /* For good. */
    assert_false(journal_commit(j, append(j, 1, "after"), &e));
    assert_false(journal_ready(j, DEADLINE_NONE, &e));
    assert_int_equal(e.kind, ERR_IO);
    assert_false(journal_checkpoint(j, &e));
    assert_int_equal(journal_durable(j), 1);
    must_close(j, &l);
    j = must_open(path, &l2);
    assert_string_equal(buf_c(&l2.text), "1:1:before ");
    must_close(j, &l2);
    free(path);
}

/* Whatever bytes are changed: the journal opens, everything that is replayed is what was written,
 * in order, and no more is missing than what was changed. */
static void random_damage(void *arg)
{
    (void)arg;
    enum { RECORDS = 60, ROUNDS = 300 };
    struct log l, l2;
    struct err e;
    char *path = path_in(dir, "random");
    struct journal *j = must_open(path, &l);
    struct buf all = BUF_EMPTY;
    for (int i = 1; i <= RECORDS; i++) {
        struct buf payload = BUF_EMPTY;
        buf_printf(&payload, "%0*d", i * 7 % 90 + 2, i);
        lsn position = append(j, 1, payload.p);
        buf_printf(&all, " %d:1:%s ", (int)position, buf_c(&payload));
        if (i % 20 == 10) { /* not remembered by the consumer; fills segments */
            struct buf big = BUF_EMPTY;
            buf_printf(&big, "%030000d", i);
            append(j, 2, buf_c(&big));
            buf_free(&big);
        }
        if (i % 4 == 0)
            must_commit(j, position);
        buf_free(&payload);
    }
    must_commit(j, RECORDS + 3);
    int reported = 0;
    random_seed(7);
    for (int round = 0; round < ROUNDS; round++) {
        char name[32];
        char *copy = crash(path);
        snprintf(name, sizeof name, "segment-%06d", (int)random_below(3));
        char *file = path_in(copy, name);
        int fd;
        assert_true(disk_open(file, O_RDWR, 0, &fd, &e));
        unsigned char wrong[8];
        random_bytes(wrong, sizeof wrong);
        struct iovec iov = {wrong, random_below(8) + 1};
        bool header = round % 5 == 0, cut = round % 10 == 1;
        assert_true(disk_write_at(fd, &iov, 1, random_below(header ? 40 : SEGMENT - 8), file, &e));
        if (cut)
            assert_true(disk_truncate(fd, random_below(SEGMENT), file, &e));
        disk_close(fd);
        struct journal *j2 = must_open(copy, &l2);
        /* Eight bytes can lie in two records. */
        if (!cut)
            assert_in_range(l2.records, RECORDS + 3 - 2, RECORDS + 3);
        reported += journal_damage(j2, 0) != NULL;
        if (l2.missing > 0 && l2.last == RECORDS + 3 && !journal_damage(j2, 0))
            /* In the last batch it may have been the crash. */
            assert_true(l2.missing <= 3);
        struct str got = buf_str(&l2.text), a;
        while ((a = str_word(&got)).n > 0) {
            struct buf want = BUF_EMPTY;
            buf_printf(&want, " %.*s ", STR_ARG(a));
            assert_true(str_find(buf_str(&all), buf_str(&want)) >= 0);
            buf_free(&want);
        }
        must_close(j2, &l2);
        assert_true(disk_remove_tree(copy, &e));
        free(file), free(copy);
    }
    random_seed(0);
    assert_in_range(reported, ROUNDS / 20, ROUNDS);
    must_close(j, &l);
    buf_free(&all);
    free(path);
}

static void run(void **state)
{
    run_in_fiber((void (*)(void *))(uintptr_t)*state, NULL);
}

#define TEST(fn)                                                                                   \
    {                                                                                              \
#fn, run, NULL, NULL, (void *)(uintptr_t)fn                                                \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replays),    TEST(locks),         TEST(torn_tail),
        TEST(together),   TEST(damaged),       TEST(damaged_segments),
        TEST(forged),     TEST(groups),        TEST(in_order),
        TEST(unattended), TEST(reuse),         TEST(full),
        TEST(reserve),    TEST(random_damage), TEST(fails),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
