/*
 * Landlock (landlock(7)) by its system calls, as the C library has none for it; seccomp by
 * libseccomp, which knows the numbers of calls on every processor.
 *
 * The list of calls is one of those that are forbidden, not of those that are allowed: the
 * libraries of names, Kerberos and TLS call widely and change, and a call that is missing in a list
 * would break a server years later. What is forbidden fails with EPERM, as for a user without
 * rights.
 */
#include "core/sandbox.h"

#include "core/disk.h"
#include "core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- files --- */

/* Rights of later kernels, which the header may not have. */
#define RIGHT_REFER    (1ULL << 13)
#define RIGHT_TRUNCATE (1ULL << 14)
/* Linux 5.19: before it no file could be renamed or linked into another folder. */
#define LEAST_VERSION    2
#define TRUNCATE_VERSION 3

#define RIGHTS_FILE_READ  LANDLOCK_ACCESS_FS_READ_FILE
#define RIGHTS_FILE_WRITE (RIGHTS_FILE_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)
#define RIGHTS_READ       (RIGHTS_FILE_READ | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_WRITE                                                                               \
    (RIGHTS_READ | RIGHTS_FILE_WRITE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                             \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |   \
     RIGHT_REFER)
/* What is forbidden where no rule allows it. */
#define RIGHTS_HANDLED                                                                             \
    (RIGHTS_WRITE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                    \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK)

struct sandbox {
    int version; /* of Landlock; below LEAST_VERSION: not used */
    int rules;   /* descriptor; -1: none */
    struct err failed;
};

static uint64_t known(const struct sandbox *s, uint64_t rights)
{
    return s->version < TRUNCATE_VERSION ? rights & ~RIGHT_TRUNCATE : rights;
}

struct sandbox *sandbox_new(void)
{
    struct sandbox *s = MEM_NEW(struct sandbox);
    s->rules = -1;
    s->version =
        (int)syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    if (s->version < LEAST_VERSION)
        return s;
    struct landlock_ruleset_attr attr = {.handled_access_fs = known(s, RIGHTS_HANDLED)};
    s->rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0u);
    if (s->rules < 0)
        err_set_errno(&s->failed, errno, "the sandbox (landlock_create_ruleset)");
    return s;
}

void sandbox_free(struct sandbox *s)
{
    if (!s)
        return;
    if (s->rules >= 0)
        disk_close(s->rules);
    free(s);
}

void sandbox_allow(struct sandbox *s, const char *path, enum sandbox_access access)
{
    struct stat st;
    int fd;
    if (s->rules < 0 || s->failed.kind != ERR_NONE ||
        !disk_open(path, O_PATH | O_CLOEXEC, 0, &fd, NULL))
        return;
    bool folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    uint64_t rights = folder ? RIGHTS_READ : RIGHTS_FILE_READ;
    if (access == SANDBOX_WRITE)
        rights = folder ? RIGHTS_WRITE : RIGHTS_FILE_WRITE;
    struct landlock_path_beneath_attr rule = {.allowed_access = known(s, rights), .parent_fd = fd};
    if (syscall(SYS_landlock_add_rule, s->rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0u) != 0)
        err_set_errno(&s->failed, errno, "the sandbox: %s (landlock_add_rule)", path);
    disk_close(fd);
}

/* --- system calls --- */

/* Other programs and processes, the machine as a whole, and parts of the kernel that were broken
 * into often and that nothing here uses. */
static const char *const forbidden[] = {
    "execve",
    "execveat",
    "fork",
    "vfork", /* other programs; clone: below */
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kcmp",
    "pidfd_getfd",
    "process_madvise",
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "setns",
    "unshare",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "syslog",
    "ioperm",
    "iopl",
    "modify_ldt",
    "vhangup",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "keyctl",
    "add_key",
    "request_key",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "open_by_handle_at",
    "name_to_handle_at",
    "fanotify_init",
    "personality",
    "lookup_dcookie",
    "nfsservctl",
    "uselib",
    "ustat",
    "sysfs",
    "_sysctl",
    "move_pages",
    "migrate_pages",
    "mbind",
    "set_mempolicy",
};

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static bool is_family_of_ours(int family)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
        if (families[i] == family)
            return true;
    return false;
}

static int forbid_calls(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
        int number = seccomp_syscall_resolve_name(forbidden[i]);
        if (number < 0) /* not on this processor, or not known to the library */
            continue;
        int failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
        if (failed)
            return failed;
    }
    return 0;
}

/* Threads, but no processes. clone3 has its flags in memory, where no filter can look: without it
 * the C library falls back to clone. */
static int forbid_processes(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp no_thread = SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
    int failed =
        seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &no_thread);
    return failed ? failed : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* Memory that can be written is never run. */
static int forbid_new_code(scmp_filter_ctx filter)
{
    const uint64_t both = PROT_WRITE | PROT_EXEC;
    const struct scmp_arg_cmp map = SCMP_A2_64(SCMP_CMP_MASKED_EQ, both, both);
    const struct scmp_arg_cmp protect = SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC);
    int failed = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mmap), 1, &map);
    failed = failed ? failed
                    : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mprotect), 1,
                                             &protect);
    return failed ? failed
                  : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(pkey_mprotect),
                                           1, &protect);
}

static int forbid_families(scmp_filter_ctx filter)
{
    const uint64_t last = AF_MAX - 1;
    for (int family = 0; family < AF_MAX; family++) {
        const struct scmp_arg_cmp is = SCMP_A0_32(SCMP_CMP_EQ, (uint64_t)family);
        int failed = is_family_of_ours(family)
                         ? 0
                         : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT),
                                                  SCMP_SYS(socket), 1, &is);
        if (failed)
            return failed;
    }
    const struct scmp_arg_cmp later = SCMP_A0_32(SCMP_CMP_GT, last);
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                  &later);
}

static bool enter_seccomp(struct sandbox_kind *kind, struct err *e)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return err_set(e, ERR_TEMP, "the sandbox: no memory (seccomp)");
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE,
                     2); /* a tree; where it is not known: a list */
    int failed = forbid_calls(filter);
    failed = failed ? failed : forbid_processes(filter);
    failed = failed ? failed : forbid_new_code(filter);
    failed = failed ? failed : forbid_families(filter);
    failed = failed ? failed : seccomp_load(filter);
    seccomp_release(filter);
    if (failed == -EINVAL || failed == -ENOSYS) /* the kernel has none */
        return true;
    if (failed)
        return err_set_errno(e, -failed, "the sandbox (seccomp)");
    kind->calls = true;
    return true;
}

/* --- both --- */

bool sandbox_renounce_rights(struct err *e)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 ||
           err_set_errno(e, errno, "new rights cannot be renounced (no_new_privs)");
}

bool sandbox_enter(struct sandbox *s, bool calls, struct sandbox_kind *kind, struct err *e)
{
    *kind = (struct sandbox_kind){false, false};
    if (s->failed.kind != ERR_NONE) {
        *e = s->failed;
        return false;
    }
    if (!sandbox_renounce_rights(e))
        return false;
    if (s->rules >= 0) {
        if (syscall(SYS_landlock_restrict_self, s->rules, 0u) != 0)
            return err_set_errno(e, errno, "the sandbox (landlock_restrict_self)");
        kind->files = true;
    }
    return !calls || enter_seccomp(kind, e);
}

void sandbox_hide_memory(void)
{
    const struct rlimit none = {0, 0};
    prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
    setrlimit(RLIMIT_CORE, &none);
}
