/*
 * What the kernel says of the clock and of mounts, how long a certificate may go on, and SPF
 * records as text.
 */
#include "mailctl/doctor_judge.h"
#include "mailctl/doctor_mount.h"
#include "mailctl/spf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/timex.h>

#include <cmocka.h>

static void test_clock(void **state)
{
    struct str text;
    (void)state;
    assert_int_equal(doctor_judge_clock(TIME_OK, STA_PLL, &text), DOCTOR_GOOD);
    assert_int_equal(doctor_judge_clock(TIME_INS, STA_PLL, &text), DOCTOR_GOOD);
    assert_int_equal(doctor_judge_clock(TIME_ERROR, STA_UNSYNC, &text), DOCTOR_WARN);
    assert_int_equal(doctor_judge_clock(TIME_OK, STA_UNSYNC, &text), DOCTOR_WARN);
    assert_true(str_find(text, STR("nobody")) >= 0);
    assert_int_equal(doctor_judge_clock(-1, 0, &text), DOCTOR_SKIPPED);
}

static void test_offsets_of_the_clock(void **state)
{
    (void)state;
    assert_int_equal(doctor_judge_offset(0, 0), DOCTOR_GOOD);
    assert_int_equal(doctor_judge_offset(-1900 * USEC_MSEC, 0), DOCTOR_GOOD);
    assert_int_equal(doctor_judge_offset(-2100 * USEC_MSEC, 0), DOCTOR_WARN);
    assert_int_equal(doctor_judge_offset(2100 * USEC_MSEC, 200 * USEC_MSEC), DOCTOR_GOOD);
    assert_int_equal(doctor_judge_offset(61 * USEC_SEC, 0), DOCTOR_BAD);
    assert_int_equal(doctor_judge_offset(-3600 * USEC_SEC, USEC_SEC), DOCTOR_BAD);
}

static void expect_lifetime(int64_t life, double left, enum doctor_verdict verdict)
{
    assert_int_equal(doctor_judge_lifetime(1000, 1000 + life * 86400,
                                           1000 + life * 86400 - (int64_t)(left * 86400)),
                     verdict);
}

/* What is renewed in time gives no alarm, however short its life is. */
static void test_lives_of_certificates(void **state)
{
    (void)state;
    expect_lifetime(365, 30, DOCTOR_GOOD);
    expect_lifetime(365, 20.5, DOCTOR_WARN);
    expect_lifetime(365, 6.5, DOCTOR_BAD);
    expect_lifetime(90, 29, DOCTOR_GOOD);
    expect_lifetime(90, 20.5, DOCTOR_WARN);
    expect_lifetime(45, 14.5, DOCTOR_GOOD);
    expect_lifetime(45, 11, DOCTOR_WARN);
    expect_lifetime(45, 3.5, DOCTOR_BAD);
    expect_lifetime(6, 2, DOCTOR_GOOD);
    expect_lifetime(6, 1.4, DOCTOR_WARN);
    expect_lifetime(6, 0.4, DOCTOR_BAD);
    expect_lifetime(90, -1, DOCTOR_BAD);
    expect_lifetime(90, 91, DOCTOR_BAD); /* not valid yet */
}

/* --- mounts --- */

static void test_the_mount_of_a_path(void **state)
{
    static const char text[] =
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "27 1 254:0 / / rw,noatime - ext4 /dev/vda rw,discard\n"
        "31 27 8:1 / /srv/a\\040b rw shared:1 master:2 - xfs /dev/mapper/a-b rw,attr2\n"
        "32 27 8:2 / /srv/ab rw - ext4 /dev/sdb2 rw\n"
        "33 27 8:3 / /srv/ab ro - ext4 /dev/sdb3 rw\n"
        "a line without an end - ";
    struct arena *a = arena_new();
    struct doctor_mount m = {0};
    (void)state;
    assert_true(doctor_mount_find(a, str_from_c(text), STR("/var/lib/maild"), &m));
    assert_string_equal(m.point, "/");
    assert_string_equal(m.device, "254:0");
    assert_string_equal(m.options, ",rw,noatime,rw,discard,");
    assert_true(doctor_mount_find(a, str_from_c(text), STR("/srv/a b/maild"), &m));
    assert_string_equal(m.type, "xfs");
    assert_string_equal(m.source, "/dev/mapper/a-b");
    assert_true(doctor_mount_find(a, str_from_c(text), STR("/srv/a"), &m));
    assert_string_equal(m.type, "ext4");
    assert_true(doctor_mount_find(a, str_from_c(text), STR("/srv/ab/mail"), &m));
    assert_string_equal(m.device, "8:3");
    assert_false(doctor_mount_find(a, STR("a b\n\n"), STR("/srv"), &m));
    arena_free(a);
}

static void expect_mount(const char *type, const char *options, bool has_journal,
                         enum doctor_verdict verdict, const char *words)
{
    struct doctor_job j = {.arena = arena_new()};
    const struct doctor_mount m = {type, options, "/srv/mail", "/dev/sdb1", "8:17"};
    doctor_judge_mount(&j, "/srv/mail/data", &m, has_journal);
    assert_int_equal(doctor_worst(&j), verdict);
    assert_true(str_find(j.first->text, str_from_c(words)) >= 0);
    if (verdict == DOCTOR_BAD)
        assert_true(j.first->mend.n > 0);
    arena_free(j.arena);
}

static void test_mounts(void **state)
{
    (void)state;
    expect_mount("ext4", ",rw,noatime,rw,data=ordered,", true, DOCTOR_GOOD, "ext4, mounted at");
    expect_mount("xfs", ",rw,nosuid,nodev,noexec,rw,inode64,", true, DOCTOR_GOOD, "xfs");
    expect_mount("btrfs", ",rw,rw,ssd,subvol=/softly,", true, DOCTOR_GOOD, "btrfs");
    expect_mount("zfs", ",rw,rw,xattr,posixacl,", true, DOCTOR_GOOD, "zfs");
    expect_mount("ext4", ",rw,rw,", false, DOCTOR_WARN, "without a journal");
    expect_mount("ext4", ",rw,rw,data=writeback,", true, DOCTOR_WARN, "old blocks");
    expect_mount("ext4", ",rw,rw,nobarrier,", true, DOCTOR_BAD, "does not reach the disk");
    expect_mount("ext3", ",rw,rw,barrier=0,", true, DOCTOR_BAD, "does not reach the disk");
    expect_mount("ext4", ",ro,relatime,rw,", true, DOCTOR_BAD, "read-only");
    expect_mount("ext4", ",rw,ro,", true, DOCTOR_BAD, "read-only");
    expect_mount("overlay", ",rw,rw,lowerdir=/a,upperdir=/b,", true, DOCTOR_WARN, "container");
    expect_mount("overlay", ",rw,rw,volatile,", true, DOCTOR_BAD, "container");
    expect_mount("tmpfs", ",rw,rw,size=1k,", true, DOCTOR_BAD, "memory");
    expect_mount("nfs4", ",rw,rw,vers=4.2,hard,", true, DOCTOR_WARN, "another machine");
    expect_mount("nfs4", ",rw,rw,vers=4.2,soft,", true, DOCTOR_BAD, "another machine");
    expect_mount("cifs", ",rw,rw,", true, DOCTOR_BAD, "renames");
    expect_mount("fuse.sshfs", ",rw,rw,", true, DOCTOR_WARN, "a program serves it");
    expect_mount("fuseblk", ",rw,rw,", true, DOCTOR_BAD, "not made for this");
}

/* --- SPF --- */

static void expect_default(const char *record, char wanted)
{
    assert_int_equal(spf_record_default(str_from_c(record)), wanted);
}

static void test_what_a_record_says_of_others(void **state)
{
    (void)state;
    expect_default("v=spf1 mx -all", '-');
    expect_default("v=spf1 mx ~ALL", '~');
    expect_default("v=spf1 ?all mx", '?');
    expect_default("v=spf1 all", '+');
    expect_default("v=spf1 +all", '+');
    expect_default("v=spf1 mx", 0);
    expect_default("v=spf1", 0);
    expect_default("v=spf1 mx redirect=d.test", '-');
    expect_default("v=spf1 include:all.test a:all", 0);
}

static void expect_with(const char *record, const char *wanted)
{
    struct arena *a = arena_new();
    struct str text = spf_record_with(str_from_c(record), STR("ip4:192.0.2.1"), a);
    assert_string_equal(text.p, wanted);
    arena_free(a);
}

static void test_a_mechanism_more(void **state)
{
    (void)state;
    expect_with("v=spf1 mx -all", "v=spf1 mx ip4:192.0.2.1 -all");
    expect_with("v=spf1   mx  redirect=d.test", "v=spf1 mx ip4:192.0.2.1 redirect=d.test");
    expect_with("v=spf1 mx", "v=spf1 mx ip4:192.0.2.1");
    expect_with("v=spf1", "v=spf1 ip4:192.0.2.1");
    expect_with("v=spf1 -all all", "v=spf1 ip4:192.0.2.1 -all all");
}

static void test_the_table_is_whole(void **state)
{
    (void)state;
    for (const struct doctor_check *c = doctor_checks; c->name; c++) {
        assert_non_null(c->run);
        assert_true(strlen(c->looks_at) > 10 && strlen(c->why) > 10);
        for (const struct doctor_check *other = doctor_checks; other != c; other++)
            assert_string_not_equal(other->name, c->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_offsets_of_the_clock),
        cmocka_unit_test(test_lives_of_certificates),
        cmocka_unit_test(test_the_mount_of_a_path),
        cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_what_a_record_says_of_others),
        cmocka_unit_test(test_a_mechanism_more),
        cmocka_unit_test(test_the_table_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
