/*
 * doctor: the mount that a path is on (proc(5), mountinfo), and a table each of types and of
 * options that lose mail. What is said is about a store of mail: some of it is right for other
 * uses.
 */
#include "mailctl/doctor_mount.h"

#include "core/disk.h"

#define SYS_FILE_MAX 4096

/* --- finding it --- */

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
static bool match(struct arena *a, struct str line, struct str path, struct doctor_mount *m,
                  size_t *longest)
{
    struct str word[6];
    for (size_t i = 0; i < 6; i++)
        word[i] = str_word(&line);
    struct str point = unescape(a, word[4]);
    ptrdiff_t dash = str_find(line, STR(" - "));
    if (!word[5].p || dash < 0 || !is_below(path, point) || point.n < *longest)
        return false;
    line = str_skip(line, (size_t)dash + 3);
    struct str type = str_word(&line), source = str_word(&line), options = str_word(&line);
    *longest = point.n;
    *m = (struct doctor_mount){
        .type = arena_c(a, type),
        .point = arena_c(a, point),
        .source = arena_c(a, unescape(a, source)),
        .device = arena_c(a, word[2]),
        .options = arena_printf(a, ",%.*s,%.*s,", STR_ARG(word[5]), STR_ARG(options)).p};
    return true;
}

bool doctor_mount_find(struct arena *a, struct str mountinfo, struct str path,
                       struct doctor_mount *m)
{
    struct str line;
    size_t longest = 0;
    bool found = false;
    while ((line = str_split(&mountinfo, '\n')).p)
        found = match(a, line, path, m, &longest) || found;
    return found;
}

/* --- the journal --- */

static struct str read_sys(struct arena *a, const char *path)
{
    struct buf b = BUF_EMPTY;
    disk_read_file(path, SYS_FILE_MAX, &b, NULL);
    struct str text = arena_str(a, buf_str(&b));
    buf_free(&b);
    return text;
}

/* The kernel's name of a device: "dm-0" for what is mounted as /dev/mapper/... */
static struct str device_name(struct arena *a, const char *device)
{
    struct str text = read_sys(a, arena_printf(a, "/sys/dev/block/%s/uevent", device).p), line;
    while ((line = str_split(&text, '\n')).p)
        if (str_starts_with(line, STR("DEVNAME=")))
            return str_skip(line, strlen("DEVNAME="));
    return STR("");
}

bool doctor_mount_has_journal(struct arena *a, const struct doctor_mount *m)
{
    struct str name = device_name(a, m->device);
    if (strcmp(m->type, "ext4") != 0 || name.n == 0)
        return true;
    const char *path = arena_printf(a, "/sys/fs/ext4/%.*s/journal_task", STR_ARG(name)).p;
    return !str_equal(str_trim(read_sys(a, path)), STR("<none>"));
}

/* --- judging it --- */

#define MEMORY    "it is memory: all mail is gone with the next start of the machine"
#define CONTAINER "it is a layer of a container: all mail is gone with the container"
#define FAR_AWAY  "it is on another machine: slow, and away when the network is"
#define NOT_UNIX  "it is on another machine, and its renames and locks are not those of Unix"
#define PROGRAM   "a program serves it: whether a sync reaches a disk is up to that"

static const struct {
    const char *type; /* with a dot at the end: all that begin so */
    enum doctor_verdict verdict;
    const char *text, *mend;
} types[] = {
    {"tmpfs", DOCTOR_BAD, MEMORY, "data_dir on a disk"},
    {"ramfs", DOCTOR_BAD, MEMORY, "data_dir on a disk"},
    {"overlay", DOCTOR_WARN, CONTAINER, "a volume for data_dir"},
    {"aufs", DOCTOR_WARN, CONTAINER, "a volume for data_dir"},
    {"vfat", DOCTOR_BAD, "it has no owners, no links and no journal", "ext4, xfs, btrfs or zfs"},
    {"exfat", DOCTOR_BAD, "it has no owners, no links and no journal", "ext4, xfs, btrfs or zfs"},
    {"ntfs", DOCTOR_BAD, "it is not made for this", "ext4, xfs, btrfs or zfs"},
    {"ntfs3", DOCTOR_BAD, "it is not made for this", "ext4, xfs, btrfs or zfs"},
    {"fuseblk", DOCTOR_BAD, "it is not made for this", "ext4, xfs, btrfs or zfs"},
    {"nfs", DOCTOR_WARN, FAR_AWAY,
     "journal.path on a disk of this machine makes the most of it fast"},
    {"nfs4", DOCTOR_WARN, FAR_AWAY,
     "journal.path on a disk of this machine makes the most of it fast"},
    {"ceph", DOCTOR_WARN, FAR_AWAY,
     "journal.path on a disk of this machine makes the most of it fast"},
    {"cifs", DOCTOR_BAD, NOT_UNIX, "NFS, or a disk of this machine"},
    {"smb3", DOCTOR_BAD, NOT_UNIX, "NFS, or a disk of this machine"},
    {"9p", DOCTOR_WARN, "it belongs to another system: what a sync does is up to that", NULL},
    {"virtiofs", DOCTOR_WARN, "it belongs to another system: what a sync does is up to that", NULL},
    {"fuse", DOCTOR_WARN, PROGRAM, NULL},
    {"fuse.", DOCTOR_WARN, PROGRAM, NULL},
    {"ext2", DOCTOR_WARN, "it has no journal: after a crash files may be lost",
     "tune2fs -j DEVICE"},
};

/* %s: where it is mounted. */
static const struct {
    const char *option;
    enum doctor_verdict verdict;
    const char *text, *mend, *behind;
} options[] = {
    {",ro,", DOCTOR_BAD, "it is mounted read-only, which also happens after an error of the disk",
     "dmesg | tail; then mount -o remount,rw ", ""},
    {",nobarrier,", DOCTOR_BAD, "with nobarrier a sync does not reach the disk",
     "mount -o remount,barrier ", ", and in /etc/fstab"},
    {",barrier=0,", DOCTOR_BAD, "with barrier=0 a sync does not reach the disk",
     "mount -o remount,barrier=1 ", ", and in /etc/fstab"},
    {",volatile,", DOCTOR_BAD, "with volatile a sync does not reach the disk",
     "no \"volatile\" for the overlay at ", ", or a volume for data_dir"},
    {",soft,", DOCTOR_BAD,
     "with soft a write that the server does not answer in time is lost, whatever was said",
     "hard instead of soft for ", " in /etc/fstab"},
    {",data=writeback,", DOCTOR_WARN,
     "with data=writeback files may hold old blocks of the disk after a crash", "data=ordered for ",
     " in /etc/fstab"},
};

static bool is_type(const char *type, const char *row)
{
    size_t n = strlen(row);
    return row[n - 1] == '.' ? strncmp(type, row, n) == 0 : strcmp(type, row) == 0;
}

static void judge_options(struct doctor_job *j, const char *path, const struct doctor_mount *m)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        if (strstr(m->options, options[i].option)) {
            doctor_found(j, options[i].verdict, path, "%s", options[i].text);
            doctor_mend(j, "%s%s%s", options[i].mend, m->point, options[i].behind);
        }
}

void doctor_judge_mount(struct doctor_job *j, const char *path, const struct doctor_mount *m,
                        bool has_journal)
{
    const struct doctor_finding *before = j->last;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (is_type(m->type, types[i].type)) {
            doctor_found(j, types[i].verdict, path, "%s: %s", m->type, types[i].text);
            if (types[i].mend)
                doctor_mend(j, "%s", types[i].mend);
        }
    if (!has_journal) {
        doctor_found(j, DOCTOR_WARN, path,
                     "%s without a journal: after a crash it waits for a check of the whole disk, "
                     "which may throw away files",
                     m->type);
        doctor_mend(j, "unmounted: tune2fs -O has_journal %s", m->source);
    }
    judge_options(j, path, m);
    if (j->last == before)
        doctor_found(j, DOCTOR_GOOD, path, "%s, mounted at %s", m->type, m->point);
}
