/*
 * doctor: the disks under data, journal and log. What only the kernel knows: free space, the type
 * and options of the file system (/proc/self/mountinfo, proc(5)), and, by doing it, how long a sync
 * takes. All of it blocks and runs on a worker.
 */
#include "core/disk.h"
#include "mailctl/doctor.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB           ((uint64_t)1024 * 1024)
#define MOUNTS_MAX    (4 * 1024 * 1024)
#define SYNCS         16
#define SYNC_BYTES    4096
#define SYNC_TOO_FAST 8                /* usec: no disk and no controller is that fast */
#define SYNC_SLOW     (50 * USEC_MSEC) /* a disk that turns, under load */
#define CLOCK_APART   (2 * USEC_SEC)

/* --- places --- */

struct place {
    const char *what, *path;
    dev_t device;
    bool known;
    struct statvfs space;
    const char *type, *options, *point; /* of its mount */
    usec took;                          /* a sync, in the middle of several */
    usec apart;                         /* the time of a file that was written now, and ours */
    bool writable;
    struct err error;
};

#define PLACES_MAX 3

/* Of each file system one. */
static size_t list_places(struct doctor_job *j, struct place places[PLACES_MAX])
{
    const struct server_settings *s = j->doctor->site.server;
    const struct journal_file_settings *journal =
        config_block(j->doctor->site.config, &journal_settings_block);
    struct str log = str_from_c(s->log);
    ptrdiff_t slash = str_find_last_char(log, '/');
    const struct place all[PLACES_MAX] = {
        {.what = "data", .path = s->data_dir},
        {.what = "journal", .path = server_data_path(s, journal->path, "journal", j->arena)},
        {.what = "log", .path = slash > 0 ? arena_c(j->arena, str_head(log, (size_t)slash)) : NULL},
    };
    size_t n = 0;
    for (size_t i = 0; i < PLACES_MAX; i++) {
        struct stat st;
        bool seen = false;
        if (!all[i].path || !disk_stat(all[i].path, &st, NULL))
            continue;
        for (size_t k = 0; k < n; k++)
            seen = seen || places[k].device == st.st_dev;
        if (!seen) {
            places[n] = all[i];
            places[n++].device = st.st_dev;
        }
    }
    return n;
}

struct survey {
    struct arena *arena;
    struct place places[PLACES_MAX];
    size_t count;
};

static void begin(struct doctor_job *j, struct survey *s)
{
    s->arena = j->arena;
    s->count = list_places(j, s->places);
    if (s->count == 0)
        doctor_found(j, DOCTOR_SKIPPED, j->doctor->site.server->data_dir,
                     "it is not there, or not to be seen by you");
}

/* --- space --- */

static void measure_space(void *arg)
{
    struct survey *s = arg;
    for (size_t i = 0; i < s->count; i++)
        s->places[i].known = statvfs(s->places[i].path, &s->places[i].space) == 0;
}

static const char *size_text(struct arena *a, uint64_t bytes)
{
    struct buf b = BUF_EMPTY;
    add_size(&b, (int64_t)bytes);
    const char *text = arena_c(a, buf_str(&b));
    buf_free(&b);
    return text;
}

static void judge_inodes(struct doctor_job *j, const struct place *p)
{
    const struct statvfs *v = &p->space;
    if (v->f_files == 0)
        return; /* made as they are needed */
    double percent = 100.0 * (double)v->f_favail / (double)v->f_files;
    if (percent < 5)
        doctor_found(j, percent < 1 ? DOCTOR_BAD : DOCTOR_WARN, p->path,
                     "%llu inodes are free (%.1f %%): each message needs one",
                     (unsigned long long)v->f_favail, percent);
}

static void judge_space(struct doctor_job *j, const struct place *p)
{
    const struct journal_file_settings *journal =
        config_block(j->doctor->site.config, &journal_settings_block);
    uint64_t free = (uint64_t)p->space.f_bavail * p->space.f_frsize,
             all = (uint64_t)p->space.f_blocks * p->space.f_frsize;
    double percent = all > 0 ? 100.0 * (double)free / (double)all : 100;
    bool holds_journal = strcmp(p->what, "log") != 0;
    enum doctor_verdict v = percent < 1 || free < 100 * MIB    ? DOCTOR_BAD
                            : percent < 5 || free < 1024 * MIB ? DOCTOR_WARN
                                                               : DOCTOR_GOOD;
    if (holds_journal && free < (uint64_t)journal->size_max) {
        doctor_found(j, DOCTOR_BAD, p->path,
                     "%s are free, and the journal may grow to %s (journal.size_max)",
                     size_text(j->arena, free), size_text(j->arena, (uint64_t)journal->size_max));
        doctor_mend(j, "make room, or lower journal.size_max in %s",
                    j->doctor->mailctl->config_path);
        return;
    }
    doctor_found(j, v, p->path, "%s of %s are free (%.1f %%)", size_text(j->arena, free),
                 size_text(j->arena, all), percent);
}

void doctor_disk(struct doctor_job *j)
{
    struct survey s = {0};
    begin(j, &s);
    doctor_block(measure_space, &s);
    for (size_t i = 0; i < s.count; i++)
        if (s.places[i].known) {
            judge_space(j, &s.places[i]);
            judge_inodes(j, &s.places[i]);
        }
}

/* --- type and options --- */

/* A path in mountinfo: blanks and the like as \040. */
static struct str unescape(struct arena *a, struct str text)
{
    char *p = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' && i + 3 < text.n) {
            p[n++] = (char)((text.p[i + 1] - '0') * 64 + (text.p[i + 2] - '0') * 8 +
                            (text.p[i + 3] - '0'));
            i += 3;
        } else {
            p[n++] = text.p[i];
        }
    }
    return str_from(p, n);
}

static bool is_below(struct str path, struct str point)
{
    return str_starts_with(path, point) &&
           (path.n == point.n || point.n == 1 || path.p[point.n] == '/');
}

/* "36 35 98:0 / /mnt rw,noatime shared:1 - ext3 /dev/root rw,errors=continue": of several mounts
 * over one another the last one counts. */
static void match_mount(struct arena *a, struct str line, struct str path, struct place *p,
                        size_t *longest)
{
    struct str word[6], type, options;
    for (size_t i = 0; i < 6; i++)
        word[i] = str_word(&line);
    struct str point = unescape(a, word[4]);
    ptrdiff_t dash = str_find(line, STR(" - "));
    if (!word[5].p || dash < 0 || !is_below(path, point) || point.n < *longest)
        return;
    line = str_skip(line, (size_t)dash + 3);
    type = str_word(&line);
    str_word(&line);
    options = str_word(&line);
    *longest = point.n;
    p->type = arena_c(a, type);
    p->point = arena_c(a, point);
    p->options = arena_printf(a, ",%.*s,%.*s,", STR_ARG(word[5]), STR_ARG(options)).p;
}

static void find_mounts(void *arg)
{
    struct survey *s = arg;
    struct buf b = BUF_EMPTY;
    if (disk_read_file("/proc/self/mountinfo", MOUNTS_MAX, &b, NULL))
        for (size_t i = 0; i < s->count; i++) {
            struct str line;
            size_t longest = 0;
            char *path = realpath(s->places[i].path, NULL);
            for (struct str rest = buf_str(&b); path && (line = str_split(&rest, '\n')).p;)
                match_mount(s->arena, line, str_from_c(path), &s->places[i], &longest);
            free(path);
        }
    buf_free(&b);
}

static const struct {
    const char *type;
    enum doctor_verdict verdict;
    const char *text;
} types[] = {
    {"tmpfs", DOCTOR_BAD, "it is memory: all mail is gone with the next start of the machine"},
    {"ramfs", DOCTOR_BAD, "it is memory: all mail is gone with the next start of the machine"},
    {"overlay", DOCTOR_WARN, "it is a layer of a container: all mail is gone with the container"},
    {"aufs", DOCTOR_WARN, "it is a layer of a container: all mail is gone with the container"},
    {"vfat", DOCTOR_BAD, "it has no owners, no links and no journal"},
    {"exfat", DOCTOR_BAD, "it has no owners, no links and no journal"},
    {"ntfs", DOCTOR_BAD, "it is not made for this"},
    {"nfs", DOCTOR_WARN, "it is on another machine: slow, and away when the network is"},
    {"nfs4", DOCTOR_WARN, "it is on another machine: slow, and away when the network is"},
    {"cifs", DOCTOR_BAD,
     "it is on another machine, and its renames and locks are not those of Unix"},
    {"smb3", DOCTOR_BAD,
     "it is on another machine, and its renames and locks are not those of Unix"},
    {"9p", DOCTOR_WARN, "it belongs to another system: what a sync does is up to that"},
    {"ext2", DOCTOR_WARN, "it has no journal: after a crash files may be lost"},
};
static const struct {
    const char *option;
    enum doctor_verdict verdict;
    const char *text, *mend;
} options[] = {
    {",ro,", DOCTOR_BAD, "it is mounted read-only, which also happens after an error of the disk",
     "dmesg | tail; then mount -o remount,rw %s"},
    {",nobarrier,", DOCTOR_BAD, "with nobarrier a sync does not reach the disk",
     "mount -o remount,barrier %s, and in /etc/fstab"},
    {",barrier=0,", DOCTOR_BAD, "with barrier=0 a sync does not reach the disk",
     "mount -o remount,barrier=1 %s, and in /etc/fstab"},
    {",data=writeback,", DOCTOR_WARN,
     "with data=writeback files may hold old blocks of the disk after a crash",
     "data=ordered for %s in /etc/fstab"},
};

static void judge_mount(struct doctor_job *j, const struct place *p)
{
    const struct doctor_finding *before = j->last;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(p->type, types[i].type) == 0)
            doctor_found(j, types[i].verdict, p->path, "%s: %s", p->type, types[i].text);
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        if (strstr(p->options, options[i].option)) {
            doctor_found(j, options[i].verdict, p->path, "%s", options[i].text);
            struct buf b = BUF_EMPTY;
            struct str format = str_from_c(options[i].mend);
            ptrdiff_t at = str_find(format, STR("%s"));
            buf_printf(&b, "%.*s%s%s", (int)at, format.p, p->point, format.p + at + 2);
            doctor_mend(j, "%s", buf_c(&b));
            buf_free(&b);
        }
    if (j->last == before)
        doctor_found(j, DOCTOR_GOOD, p->path, "%s, mounted at %s", p->type, p->point);
}

void doctor_filesystem(struct doctor_job *j)
{
    struct survey s = {0};
    begin(j, &s);
    doctor_block(find_mounts, &s);
    for (size_t i = 0; i < s.count; i++) {
        if (strcmp(s.places[i].what, "log") == 0)
            continue;
        if (s.places[i].type)
            judge_mount(j, &s.places[i]);
        else
            doctor_found(j, DOCTOR_SKIPPED, s.places[i].path,
                         "how it is mounted is not to be seen");
    }
}

/* --- sync --- */

static int compare_times(const void *x, const void *y)
{
    usec a = *(const usec *)x, b = *(const usec *)y;
    return (a > b) - (a < b);
}

static bool time_syncs(int fd, const char *path, struct place *p)
{
    static const char bytes[SYNC_BYTES];
    usec times[SYNCS];
    const struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = SYNC_BYTES};
    for (size_t i = 0; i < SYNCS; i++) {
        usec before = clock_monotonic();
        if (!disk_write_at(fd, &iov, 1, i * SYNC_BYTES, path, &p->error) ||
            !disk_sync(fd, path, &p->error))
            return false;
        times[i] = clock_monotonic() - before;
    }
    qsort(times, SYNCS, sizeof(*times), compare_times);
    p->took = times[SYNCS / 2];
    return true;
}

static void try_syncs(void *arg)
{
    struct survey *s = arg;
    for (size_t i = 0; i < s->count; i++) {
        struct place *p = &s->places[i];
        struct stat st;
        int fd;
        const char *path = arena_printf(s->arena, "%s/doctor.%d.tmp", p->path, (int)getpid()).p;
        if (strcmp(p->what, "log") == 0 ||
            !disk_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, &p->error))
            continue;
        p->writable = time_syncs(fd, path, p);
        if (p->writable && disk_stat_open(fd, &st, path, NULL))
            p->apart = st.st_mtim.tv_sec * USEC_SEC + st.st_mtim.tv_nsec / 1000 - clock_wall();
        disk_close(fd);
        disk_unlink(path, NULL);
    }
}

static void judge_sync(struct doctor_job *j, const struct place *p)
{
    double msec = (double)p->took / 1000;
    if (p->took < SYNC_TOO_FAST) {
        doctor_found(j, DOCTOR_BAD, p->path,
                     "a sync takes %.3f ms: nothing is written then, and a power cut loses mail "
                     "that was accepted",
                     msec);
        doctor_mend(j, "a file system on a disk; in a virtual machine a disk whose cache is not "
                       "\"unsafe\"");
    } else if (p->took > SYNC_SLOW) {
        doctor_found(j, DOCTOR_WARN, p->path,
                     "a sync takes %.1f ms: the disk is busy, or slow; mail is taken no faster",
                     msec);
        doctor_mend(j, "journal.path on another disk (SSD) makes most of it fast");
    } else {
        doctor_found(j, DOCTOR_GOOD, p->path, "a sync takes %.2f ms", msec);
    }
    if (p->apart > CLOCK_APART || p->apart < -CLOCK_APART)
        doctor_found(j, DOCTOR_BAD, p->path,
                     "files written now get a time that is %.0f seconds off the clock",
                     (double)p->apart / USEC_SEC);
}

void doctor_sync(struct doctor_job *j)
{
    struct survey s = {0};
    begin(j, &s);
    doctor_block(try_syncs, &s);
    for (size_t i = 0; i < s.count; i++) {
        if (strcmp(s.places[i].what, "log") == 0)
            continue;
        if (s.places[i].writable)
            judge_sync(j, &s.places[i]);
        else
            doctor_found(j, DOCTOR_SKIPPED, s.places[i].path, "no file can be written: %s",
                         s.places[i].error.text);
    }
}
