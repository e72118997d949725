/*
 * Greylisting as senders and operators see it: who waits, who passes, what survives a restart, and
 * that mail goes on when the database does not.
 */
#include "policy/greylist.h"

#include "core/disk.h"
#include "core/helper.h"
#include "core/log.h"
#include "core/mem.h"
#include "policy/greylist_key.h"
#include "policy/state_limits.h"

#include <errno.h>
#include <sqlite3.h>
#include <unistd.h>

static usec clock_ahead;

static usec test_wall(void)
{
    return 1800000000 * USEC_SEC + clock_ahead;
}

static usec test_monotonic(void)
{
    static usec now = 1000 * USEC_SEC;
    now += USEC_MSEC;
    return now + (clock_ahead > 0 ? clock_ahead : 0);
}

#define MINUTE (60 * USEC_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const struct greylist_terms terms = {.delay = 5 * MINUTE,
                                            .retry_window = 2 * DAY,
                                            .lifetime = 35 * DAY,
                                            .allow_after = 3,
                                            .bits4 = 24,
                                            .bits6 = 64};

static struct greylist *g;
static struct arena *arena;
static char *dir, *path;

static void after(usec duration)
{
    clock_ahead += duration;
}

static enum greylist_answer asks(const char *address, const char *from, const char *to)
{
    struct greylist_result r;
    greylist_check(g, &terms, address, str_from_c(from), str_from_c(to), false, arena, &r);
    assert_true(r.why.n > 0);
    assert_true(r.wait <= terms.delay && (r.answer == GREYLIST_WAIT) == (r.wait > 0));
    return r.answer;
}

static void reopen(void)
{
    greylist_close(g);
    g = greylist_new(loop_current(), path);
}

static void in_greylist(void *arg)
{
    void (*fn)(void) = *(void (**)(void))arg;
    clock_ahead = 0;
    clock_replace(test_monotonic, test_wall);
    dir = make_directory();
    path = path_in(dir, "policy.db");
    arena = arena_new();
    g = greylist_new(loop_current(), path);
    fn();
    greylist_close(g);
    arena_free(arena);
    free(path);
    remove_directory(dir);
    clock_replace(NULL, NULL);
}

static void with_greylist(void (*fn)(void))
{
    run_in_fiber(in_greylist, &fn);
}

/* --- deciding --- */

static void waits_body(void)
{
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    after(4 * MINUTE);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    after(MINUTE);
    /* From a neighbour, in other letters: the same message. */
    assert_int_equal(asks("192.0.2.77", "A@X.test", "B@Y.test"), GREYLIST_PASS);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
    /* Others are new. */
    assert_int_equal(asks("192.0.3.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    assert_int_equal(asks("192.0.2.1", "c@x.test", "b@y.test"), GREYLIST_WAIT);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "c@y.test"), GREYLIST_WAIT);
    assert_int_equal(asks("192.0.2.1", "", "b@y.test"), GREYLIST_WAIT);
    assert_int_equal(asks("2001:db8::1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    after(HOUR);
    assert_int_equal(asks("2001:db8::2:3", "a@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("2001:db8:0:1::1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    assert_int_equal(asks("unix", "a@x.test", "b@y.test"), GREYLIST_PASS);
    /* Came too late: new. Known, then silent for longer than the lifetime: new. */
    after(3 * DAY);
    assert_int_equal(asks("192.0.3.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    after(30 * DAY);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
    after(30 * DAY);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
    after(36 * DAY);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
}

static void test_waits(void **state)
{
    (void)state;
    with_greylist(waits_body);
}

static bool alike(const char *x, const char *y)
{
    unsigned char a[GREYLIST_KEY], b[GREYLIST_KEY];
    greylist_key(STR("n"), str_from_c(x), STR("r"), a);
    greylist_key(STR("n"), str_from_c(y), STR("r"), b);
    return memcmp(a, b, sizeof(a)) == 0;
}

static void test_senders(void **state)
{
    (void)state;
    assert_true(alike("bounce-4711-alice=y.test@list.test", "bounce-812-alice=y.test@list.test"));
    assert_true(alike("list+0815@x.test", "list+abc@x.test"));
    assert_true(alike("prvs=0812345678=joe@x.test", "prvs=1799abcdef=joe@x.test"));
    assert_true(alike("SRS0=HHH=TT=x.test=joe@fwd.test", "srs0=GGG=UU=x.test=ann@fwd.test"));
    assert_false(alike("joe@x.test", "ann@x.test"));
    assert_false(alike("joe@x1.test", "joe@x2.test"));
    assert_false(alike("", "joe@x.test"));
    assert_true(alike("+@x.test", "+@X.TEST"));
}

/* A client whose mail keeps coming again is not asked any more; one an hour counts. */
static void allows_body(void)
{
    char from[32];
    for (int i = 0; i < 5; i++) {
        snprintf(from, sizeof(from), "%c@x.test", 'a' + i);
        assert_int_equal(asks("192.0.2.1", from, "b@y.test"), GREYLIST_WAIT);
    }
    after(10 * MINUTE);
    for (int i = 0; i < 5; i++) {
        snprintf(from, sizeof(from), "%c@x.test", 'a' + i);
        assert_int_equal(asks("192.0.2.1", from, "b@y.test"), GREYLIST_PASS);
    }
    assert_int_equal(asks("192.0.2.1", "new@x.test", "b@y.test"), GREYLIST_WAIT);
    after(2 * HOUR);
    assert_int_equal(asks("192.0.2.1", "new@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("192.0.2.1", "newer@x.test", "b@y.test"), GREYLIST_WAIT);
    after(2 * HOUR);
    assert_int_equal(asks("192.0.2.1", "newer@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("192.0.2.9", "newest@x.test", "b@y.test"), GREYLIST_PASS);
    reopen();
    assert_int_equal(asks("192.0.2.9", "other@x.test", "b@y.test"), GREYLIST_PASS);
    after(36 * DAY);
    assert_int_equal(asks("192.0.2.9", "third@x.test", "b@y.test"), GREYLIST_WAIT);
}

static void test_allows(void **state)
{
    (void)state;
    with_greylist(allows_body);
}

static void explains_body(void)
{
    struct greylist_result r;
    for (int i = 0; i < 2; i++) {
        greylist_check(g, &terms, "192.0.2.1", STR("a@x.test"), STR("b@y.test"), true, arena, &r);
        assert_int_equal(r.answer, GREYLIST_WAIT);
        assert_int_equal(r.wait, terms.delay);
        after(HOUR);
    }
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    after(HOUR);
    greylist_check(g, &terms, "192.0.2.1", STR("a@x.test"), STR("b@y.test"), true, arena, &r);
    assert_int_equal(r.answer, GREYLIST_PASS);
}

static void test_explains(void **state)
{
    (void)state;
    with_greylist(explains_body);
}

/* --- time and restarts --- */

static void restart_body(void)
{
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    after(HOUR);
    reopen();
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
    reopen();
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
}

static void test_restart(void **state)
{
    (void)state;
    with_greylist(restart_body);
}

/* The clock is set back and forth: nobody waits for ever, and who is known stays so. */
static void clock_body(void)
{
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    assert_int_equal(asks("192.0.2.1", "k@x.test", "b@y.test"), GREYLIST_WAIT);
    after(HOUR);
    assert_int_equal(asks("192.0.2.1", "k@x.test", "b@y.test"), GREYLIST_PASS);
    clock_ahead = -1000 * DAY;
    assert_int_equal(asks("192.0.2.1", "k@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    after(6 * MINUTE);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
    clock_ahead = 4000 * DAY;
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    after(6 * MINUTE);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
}

static void test_clock(void **state)
{
    (void)state;
    with_greylist(clock_body);
}

/* --- a database that fails --- */

/* It is no database at all; it is one, and its pages are broken. */
static void damaged_body(void)
{
    struct buf content = BUF_EMPTY;
    char *aside = path_in(dir, "policy.db.damaged");
    struct err e;
    for (int i = 0; i < 3000; i++)
        buf_add_c(&content, "this is not a database ");
    write_test_file(path, buf_str(&content));
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
    struct greylist_stats s;
    greylist_get_stats(g, &s);
    assert_true(s.error[0] != '\0');
    buf_clear(&content);
    assert_true(disk_read_file(aside, 1 << 20, &content, &e));
    assert_int_equal(content.n, 3000 * 23);
    /* The next one has a new database. */
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    greylist_get_stats(g, &s);
    assert_string_equal(s.error, "");
    char from[64];
    for (int i = 0; i < 3000; i++) {
        snprintf(from, sizeof(from), "%c%c%c@x.test", 'a' + i % 26, 'a' + i / 26 % 26,
                 'a' + i / 676);
        asks("192.0.2.1", from, "b@y.test");
    }
    reopen();
    buf_clear(&content);
    assert_true(disk_read_file(path, 1 << 24, &content, &e));
    assert_true(content.n > 100000);
    memset(content.p + 4096, 0x5a, content.n - 4096);
    write_test_file(path, buf_str(&content));
    after(HOUR);
    assert_int_equal(asks("192.0.2.1", "aab@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("192.0.2.1", "new@x.test", "b@y.test"), GREYLIST_WAIT);
    after(HOUR);
    reopen();
    assert_int_equal(asks("192.0.2.1", "new@x.test", "b@y.test"), GREYLIST_PASS);
    buf_free(&content);
    free(aside);
}

static void test_damaged(void **state)
{
    (void)state;
    with_greylist(damaged_body);
}

/* A directory is in the way: no database, and no end of mail. What memory knows still counts. */
static void impossible_body(void)
{
    struct err e;
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    reopen();
    assert_int_equal(asks("192.0.2.1", "k@x.test", "b@y.test"), GREYLIST_WAIT);
    greylist_close(g);
    char *other = path_in(dir, "other.db");
    assert_true(disk_make_dir(other, 0700, &e));
    g = greylist_new(loop_current(), other);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
    struct greylist_stats s;
    greylist_get_stats(g, &s);
    assert_true(strstr(s.error, "other.db") != NULL);
    int64_t deleted;
    assert_false(greylist_delete(g, STR("a@x.test"), &deleted, &e));
    assert_true(disk_remove_dir(other, &e));
    after(HOUR);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    greylist_get_stats(g, &s);
    assert_string_equal(s.error, "");
    free(other);
}

static void test_impossible(void **state)
{
    (void)state;
    with_greylist(impossible_body);
}

/* The disk is full: SQLite hears so from every write. What it has can be read, what is new stays in
 * memory, and is written when there is room again. */
static bool disk_is_full;

static ssize_t full_write(int fd, const void *p, size_t n)
{
    if (!disk_is_full)
        return write(fd, p, n);
    errno = ENOSPC;
    return -1;
}

static ssize_t full_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (!disk_is_full)
        return pwrite(fd, p, n, at);
    errno = ENOSPC;
    return -1;
}

static void fill_disk(bool full)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    disk_is_full = full;
    vfs->xSetSystemCall(vfs, "write", (sqlite3_syscall_ptr)full_write);
    vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)full_pwrite);
    vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)full_pwrite);
}

static void full_body(void)
{
    struct greylist_triplet list[10];
    struct greylist_stats s;
    size_t count;
    struct err e;
    fill_disk(false);
    asks("192.0.2.1", "a@x.test", "b@y.test");
    reopen();
    assert_int_equal(asks("192.0.2.1", "new@x.test", "b@y.test"), GREYLIST_WAIT);
    fill_disk(true);
    assert_false(greylist_list(g, &list[0], STR(""), 10, arena, list, &count, &e));
    assert_int_equal(e.kind, ERR_NO_SPACE);
    greylist_get_stats(g, &s);
    assert_true(s.error[0] != '\0' && s.unwritten == 1);
    assert_int_equal(asks("192.0.2.1", "more@x.test", "b@y.test"), GREYLIST_WAIT);
    after(HOUR);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("192.0.2.1", "new@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("192.0.2.1", "more@x.test", "b@y.test"), GREYLIST_PASS);
    greylist_get_stats(g, &s);
    assert_true(s.error[0] != '\0');
    fill_disk(false);
    list[0] = (struct greylist_triplet){0};
    assert_true(greylist_list(g, &list[0], STR(""), 10, arena, list, &count, &e));
    assert_int_equal(count, 3);
    greylist_get_stats(g, &s);
    assert_true(s.error[0] == '\0' && s.unwritten == 0 && s.lost == 0);
}

static void test_full(void **state)
{
    (void)state;
    with_greylist(full_body);
}

/* Another program's database is left as it is. */
static void foreign_body(void)
{
    sqlite3 *other;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "CREATE TABLE t (x); PRAGMA user_version=9;", 0, 0, 0),
                     SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(asks("192.0.2.1", "a@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "SELECT x FROM t", 0, 0, 0), SQLITE_OK);
    assert_int_not_equal(sqlite3_exec(other, "SELECT id FROM triplets", 0, 0, 0), SQLITE_OK);
    sqlite3_close(other);
}

static void test_foreign(void **state)
{
    (void)state;
    with_greylist(foreign_body);
}

/* --- a flood --- */

/* Far more senders than fit: the database and memory stay within their limits, and who was known
 * before is still known. */
static void flood_body(void)
{
    struct err e = {0};
    bool damaged, more = true;
    struct greylist_triplet *list = mem_array(GREYLIST_SLICE, sizeof(*list));
    assert_int_equal(asks("192.0.2.1", "known@x.test", "b@y.test"), GREYLIST_WAIT);
    after(HOUR);
    assert_int_equal(asks("192.0.2.1", "known@x.test", "b@y.test"), GREYLIST_PASS);
    greylist_close(g);
    g = NULL;
    struct greylist_db *db = greylist_db_open(path, &damaged, &e);
    assert_non_null(db);
    int64_t now = test_wall() / USEC_SEC, triplets, clients;
    uint64_t n = 0;
    for (int i = 0; i < 25000 / GREYLIST_SLICE; i++) {
        for (int k = 0; k < GREYLIST_SLICE; k++, n++) {
            list[k] = (struct greylist_triplet){.network = STR("198.51.100.0/24"),
                                                .sender = STR("spam@x.test"),
                                                .recipient = STR("b@y.test"),
                                                .first = now,
                                                .last = now,
                                                .expires = now + 100};
            memcpy(list[k].key, &n, sizeof(n));
        }
        assert_true(greylist_db_write(db, list, GREYLIST_SLICE, NULL, 0, &e));
    }
    while (more)
        assert_true(greylist_db_clean(db, now, 5000, &more, &e));
    assert_true(greylist_db_count(db, &triplets, &clients, &e));
    assert_in_range(triplets, 4750, 5000);
    greylist_db_close(db);
    free(list);
    g = greylist_new(loop_current(), path);
    assert_int_equal(asks("192.0.2.1", "known@x.test", "b@y.test"), GREYLIST_PASS);
}

static void test_flood(void **state)
{
    (void)state;
    with_greylist(flood_body);
}

/* What is known stays known when it was begun anew, because the database was too busy to be asked;
 * what has expired does not. */
static void busy_body(void)
{
    struct err e = {0};
    bool damaged, found, client_found;
    struct greylist_client client;
    struct greylist_triplet row = {.network = STR("n"),
                                   .sender = STR("s"),
                                   .recipient = STR("r"),
                                   .first = 100,
                                   .last = 200,
                                   .expires = 1000,
                                   .passed = 7};
    struct greylist_triplet anew = row, got;
    greylist_close(g);
    g = NULL;
    struct greylist_db *db = greylist_db_open(path, &damaged, &e);
    assert_non_null(db);
    assert_true(greylist_db_write(db, &row, 1, NULL, 0, &e));
    anew.first = anew.last = 500;
    anew.expires = 600;
    anew.passed = 0;
    assert_true(greylist_db_write(db, &anew, 1, NULL, 0, &e));
    assert_true(greylist_db_find(db, row.key, STR("a"), STR("n"), &got, &found, &client,
                                 &client_found, &e));
    assert_true(found && got.passed == 7 && got.expires == 1000 && got.last == 500);
    assert_false(client_found);
    anew.first = anew.last = 1000;
    anew.expires = 1100;
    assert_true(greylist_db_write(db, &anew, 1, NULL, 0, &e));
    assert_true(greylist_db_find(db, row.key, STR("a"), STR("n"), &got, &found, &client,
                                 &client_found, &e));
    assert_true(found && got.passed == 0 && got.expires == 1100);
    greylist_db_close(db);
}

static void test_busy(void **state)
{
    (void)state;
    with_greylist(busy_body);
}

/* --- operators --- */

static size_t list_of(const char *text, struct greylist_triplet *list)
{
    struct greylist_triplet from = {0};
    struct err e;
    size_t count;
    assert_true(greylist_list(g, &from, str_from_c(text), 10, arena, list, &count, &e));
    return count;
}

static void operators_body(void)
{
    struct greylist_triplet list[10];
    struct greylist_client clients[10];
    struct err e;
    size_t count;
    int64_t deleted;
    asks("192.0.2.1", "a@x.test", "b@y.test");
    asks("192.0.2.1", "c@x.test", "b@y.test");
    asks("198.51.100.1", "a@x.test", "d@y.test");
    assert_int_equal(list_of("", list), 3);
    assert_int_equal(list_of("198.51", list), 1);
    assert_true(str_equal(list[0].network, STR("198.51.100.0/24")));
    assert_true(str_equal(list[0].recipient, STR("d@y.test")));
    assert_int_equal(list_of("c@", list), 1);
    assert_true(
        greylist_list(g, &(struct greylist_triplet){0}, STR(""), 2, arena, list, &count, &e));
    assert_int_equal(count, 2);
    assert_true(greylist_list(g, &list[1], STR(""), 2, arena, list, &count, &e));
    assert_int_equal(count, 1);

    assert_true(greylist_allow(g, STR("203.0.113.0/24"), &e));
    assert_true(greylist_allow(g, STR("198.51.100.7"), &e));
    assert_int_equal(asks("203.0.113.9", "a@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("198.51.100.7", "z@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("198.51.100.8", "z@x.test", "b@y.test"), GREYLIST_WAIT);
    reopen();
    after(1000 * DAY);
    assert_int_equal(asks("203.0.113.9", "a@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("198.51.100.7", "y@x.test", "b@y.test"), GREYLIST_PASS);
    assert_int_equal(asks("198.51.100.8", "y@x.test", "b@y.test"), GREYLIST_WAIT);
    assert_true(greylist_list_clients(g, STR(""), STR(""), 10, arena, clients, &count, &e));
    assert_int_equal(count, 2);
    assert_true(clients[0].by_hand);
    assert_true(greylist_delete(g, STR("203.0.113.0/24"), &deleted, &e));
    assert_int_equal(deleted, 1);
    assert_int_equal(asks("203.0.113.9", "a@x.test", "b@y.test"), GREYLIST_WAIT);
    assert_true(greylist_delete(g, STR("a@x.test"), &deleted, &e));
    assert_true(deleted >= 1);
    after(HOUR);
    assert_int_equal(asks("203.0.113.9", "a@x.test", "b@y.test"), GREYLIST_WAIT);
}

static void test_operators(void **state)
{
    (void)state;
    with_greylist(operators_body);
}

int main(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),     cmocka_unit_test(test_senders),
        cmocka_unit_test(test_allows),    cmocka_unit_test(test_explains),
        cmocka_unit_test(test_restart),   cmocka_unit_test(test_clock),
        cmocka_unit_test(test_damaged),   cmocka_unit_test(test_impossible),
        cmocka_unit_test(test_full),      cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_flood),     cmocka_unit_test(test_busy),
        cmocka_unit_test(test_operators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
