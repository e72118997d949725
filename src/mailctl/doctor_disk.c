/*
 * doctor: the disks under data, journal and log. What only the kernel knows: free space, how they
 * are mounted (doctor_mount.c), and, by doing it, how long a sync takes. All of it blocks and runs
 * on a worker.
 */
#include "core/disk.h"
#include "mailctl/doctor_mount.h"

#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB           ((uint64_t)1024 * 1024)
#define MOUNTS_MAX    (4 * 1024 * 1024)
#define BLOCK_OF_STAT 512 /* stat(2): st_blocks */
#define SYNCS         16
#define SYNC_BYTES    4096
#define SYNC_TOO_FAST 8                /* usec: no disk and no controller is that fast */
#define SYNC_SLOW     (50 * USEC_MSEC) /* a disk that turns, under load */
#define CLOCK_APART   (2 * USEC_SEC)
/* A small share of a large disk is room for a long time. */
#define FREE_PLENTY (20 * 1024 * MIB)

/* --- places --- */

struct place {
    const char *what, *path;
    const char *journal;    /* the folder of it, which is on this file system; NULL: it is not */
    uint64_t journal_bytes; /* that it takes already */
    dev_t device;
    bool known;
    struct statvfs space;
    bool mounted, has_journal;
    struct doctor_mount mount;
    usec begun; /* the last write */
    usec took;  /* a sync, in the middle of several */
    usec apart; /* the time of a file that was written now is so far from ours */
    bool opened, writable;
    struct err error;
};

#define PLACES_MAX 3

/* Of the folder, or of the one that it will be made in. */
static bool find_device(const char *path, struct arena *a, dev_t *device)
{
    struct stat st;
    struct str whole = str_from_c(path);
    ptrdiff_t slash = str_find_last_char(whole, '/');
    bool found = disk_stat(path, &st, NULL) ||
                 (slash > 0 && disk_stat(arena_c(a, str_head(whole, (size_t)slash)), &st, NULL));
    *device = found ? st.st_dev : 0;
    return found;
}

/* Of each file system one. */
static size_t list_places(struct doctor_job *j, struct place places[PLACES_MAX])
{
    const struct server_settings *s = j->doctor->site.server;
    const struct journal_file_settings *journal =
        config_block(j->doctor->site.config, &journal_settings_block);
    struct str log = str_from_c(s->log);
    ptrdiff_t slash = str_find_last_char(log, '/');
    const char *folder = server_data_path(s, journal->path, "journal", j->arena);
    const struct place all[PLACES_MAX] = {
        {.what = "data", .path = s->data_dir},
        {.what = "journal", .path = folder, .journal = folder},
        {.what = "log", .path = slash > 0 ? arena_c(j->arena, str_head(log, (size_t)slash)) : NULL},
    };
    size_t n = 0;
    for (size_t i = 0; i < PLACES_MAX; i++) {
        dev_t device;
        size_t k = 0;
        if (!all[i].path || !find_device(all[i].path, j->arena, &device))
            continue;
        while (k < n && places[k].device != device)
            k++;
        if (k == n && disk_exists(all[i].path)) {
            places[n] = all[i];
            places[n++].device = device;
        }
        if (k < n && all[i].journal)
            places[k].journal = all[i].journal;
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

static bool add_segment(void *arg, const char *name, unsigned char type)
{
    struct place *p = arg;
    struct buf path = BUF_EMPTY;
    struct stat st;
    (void)type;
    buf_printf(&path, "%s/%s", p->journal, name);
    if (disk_stat(buf_c(&path), &st, NULL) && S_ISREG(st.st_mode))
        p->journal_bytes += (uint64_t)st.st_blocks * BLOCK_OF_STAT;
    buf_free(&path);
    return true;
}

static void measure_space(void *arg)
{
    struct survey *s = arg;
    for (size_t i = 0; i < s->count; i++) {
        struct place *p = &s->places[i];
        p->known = statvfs(p->path, &p->space) == 0;
        if (p->journal)
            disk_list(p->journal, add_segment, p, NULL);
    }
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
    bool plenty = free >= FREE_PLENTY;
    enum doctor_verdict v = plenty                             ? DOCTOR_GOOD
                            : percent < 1 || free < 100 * MIB  ? DOCTOR_BAD
                            : percent < 5 || free < 1024 * MIB ? DOCTOR_WARN
                                                               : DOCTOR_GOOD;
    if (p->journal && free + p->journal_bytes < (uint64_t)journal->size_max) {
        doctor_found(j, DOCTOR_BAD, p->path,
                     "%s are free, and the journal may grow to %s (journal.size_max)",
                     size_text(j->arena, free), size_text(j->arena, (uint64_t)journal->size_max));
        doctor_mend(j, "make room, or lower journal.size_max in %s",
                    j->doctor->mailctl->config_path);
        return;
    }
    doctor_found(j, v, p->path, "%s of %s are free (%.1f %%)", size_text(j->arena, free),
                 size_text(j->arena, all), percent);
    if (v != DOCTOR_GOOD)
        doctor_mend(j, "what takes the room: du -xh --max-depth=2 '%s' | sort -h | tail", p->path);
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

static void find_mounts(void *arg)
{
    struct survey *s = arg;
    struct buf b = BUF_EMPTY;
    if (disk_read_file("/proc/self/mountinfo", MOUNTS_MAX, &b, NULL))
        for (size_t i = 0; i < s->count; i++) {
            struct place *p = &s->places[i];
            char *path = realpath(p->path, NULL);
            p->mounted =
                path && doctor_mount_find(s->arena, buf_str(&b), str_from_c(path), &p->mount);
            p->has_journal = !p->mounted || doctor_mount_has_journal(s->arena, &p->mount);
            free(path);
        }
    buf_free(&b);
}

void doctor_filesystem(struct doctor_job *j)
{
    struct survey s = {0};
    begin(j, &s);
    doctor_block(find_mounts, &s);
    for (size_t i = 0; i < s.count; i++) {
        if (strcmp(s.places[i].what, "log") == 0)
            continue;
        if (s.places[i].mounted)
            doctor_judge_mount(j, s.places[i].path, &s.places[i].mount, s.places[i].has_journal);
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

/* A file was written between two times, and says when: how far it is from that. */
static usec time_apart(usec said, usec from, usec to)
{
    return said < from ? said - from : said > to ? said - to : 0;
}

static bool time_syncs(int fd, const char *path, struct place *p)
{
    static const char bytes[SYNC_BYTES];
    usec times[SYNCS];
    struct stat st;
    const struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = SYNC_BYTES};
    for (size_t i = 0; i < SYNCS; i++) {
        usec before = clock_monotonic();
        p->begun = clock_wall();
        if (!disk_write_at(fd, &iov, 1, i * SYNC_BYTES, path, &p->error) ||
            !disk_sync(fd, path, &p->error))
            return false;
        times[i] = clock_monotonic() - before;
    }
    qsort(times, SYNCS, sizeof(*times), compare_times);
    p->took = times[SYNCS / 2];
    if (disk_stat_open(fd, &st, path, NULL))
        p->apart = time_apart(st.st_mtim.tv_sec * USEC_SEC + st.st_mtim.tv_nsec / 1000, p->begun,
                              clock_wall());
    return true;
}

static void try_syncs(void *arg)
{
    struct survey *s = arg;
    for (size_t i = 0; i < s->count; i++) {
        struct place *p = &s->places[i];
        int fd;
        const char *path = arena_printf(s->arena, "%s/doctor.%d.tmp", p->path, (int)getpid()).p;
        if (strcmp(p->what, "log") == 0 ||
            !disk_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, &p->error))
            continue;
        p->opened = true;
        p->writable = time_syncs(fd, path, p);
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

/* Who may not make a file there knows nothing of the disk; whose file cannot be written does. */
static void tell_unwritable(struct doctor_job *j, const struct place *p)
{
    if (!p->opened && p->error.kind != ERR_NO_SPACE) {
        doctor_found(j, DOCTOR_SKIPPED, p->path, "no file can be made: %s", p->error.text);
        return;
    }
    doctor_found(j, DOCTOR_BAD, p->path, "a file cannot be written: %s", p->error.text);
    doctor_mend(j, "what the disk has to say: dmesg | tail; how full it is: df -h '%s'", p->path);
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
            tell_unwritable(j, &s.places[i]);
    }
}
