/*
 * Whose process this is. Started by root with a `user` in the configuration, maild makes its
 * directories, opens its ports and then becomes that user for good. One right is kept: to bind
 * ports below 1024 (CAP_NET_BIND_SERVICE), so that a reload can add listeners. This runs before any
 * other thread exists; later ones inherit what is left.
 */
#include "server/server.h"

#include "core/disk.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool server_find_user(struct server *s, struct err *e)
{
    const char *name = s->settings->user;
    if (geteuid() != 0 || name[0] == '\0')
        return true;
    errno = 0;
    struct passwd *user = getpwnam(name);
    if (!user)
        return err_set(e, ERR_PERM, "user: there is no user \"%s\"", name);
    s->uid = user->pw_uid;
    s->gid = user->pw_gid;
    s->drop = user->pw_uid != 0;
    return true;
}

static bool make_dir(const struct server *s, const char *path, mode_t mode, struct err *e)
{
    struct stat st;
    if (disk_stat(path, &st, NULL)) {
        if (S_ISDIR(st.st_mode))
            return true;
        return err_set(e, ERR_PERM, "%s: not a directory", path);
    }
    if (!disk_make_dirs(path, mode, e))
        return false;
    if (s->drop && chown(path, s->uid, s->gid) != 0)
        return err_set_errno(e, errno, "%s cannot be given to user %s", path, s->settings->user);
    return true;
}

bool server_make_dirs(const struct server *s, struct err *e)
{
    if (!make_dir(s, s->settings->data_dir, 0700, e) || !make_dir(s, s->settings->run_dir, 0755, e))
        return false;
    if (s->settings->maildrop[0] && !make_dir(s, s->settings->maildrop, 0755, e))
        return false;
    struct str log = str_from_c(s->settings->log);
    ptrdiff_t slash = str_find_last_char(log, '/');
    return slash < 1 || make_dir(s, arena_c(s->arena, str_head(log, (size_t)slash)), 0750, e);
}

static bool keep_ports_only(struct err *e)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    data[0].effective = data[0].permitted = 1u << CAP_NET_BIND_SERVICE;
    if (syscall(SYS_capset, &header, data) == 0)
        return true;
    return err_set_errno(e, errno, "root's rights cannot be given up (capset)");
}

/* Only who is in the group can give it the control socket. */
static bool join_admin_group(const struct server *s)
{
    const char *name = s->settings->admin_group;
    struct group *admins = name[0] ? getgrnam(name) : NULL;
    int count = admins ? getgroups(0, NULL) : 0;
    gid_t *groups = arena_array(s->arena, (size_t)(count > 0 ? count : 0) + 1, sizeof(*groups));
    if (!admins)
        return true;
    count = getgroups(count, groups);
    if (count < 0)
        return false;
    groups[count++] = admins->gr_gid;
    return setgroups((size_t)count, groups) == 0;
}

bool server_drop_rights(const struct server *s, struct err *e)
{
    if (!s->drop)
        return true;
    if (prctl(PR_SET_KEEPCAPS, 1L) != 0 || initgroups(s->settings->user, s->gid) != 0 ||
        !join_admin_group(s) || setresgid(s->gid, s->gid, s->gid) != 0 ||
        setresuid(s->uid, s->uid, s->uid) != 0)
        return err_set_errno(e, errno, "root's rights cannot be given up for user %s",
                             s->settings->user);
    return keep_ports_only(e);
}
