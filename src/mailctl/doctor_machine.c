/*
 * doctor: the machine around the server: limits of the process, owners and permissions of files,
 * and what was left behind.
 */
#include "core/disk.h"
#include "mailctl/doctor.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

/* --- limits --- */

#define LIMITS_MAX ((size_t)64 * 1024)
/* Files of mailboxes, the journal and connections to others take some as well. */
#define OTHER_DESCRIPTORS 1000

/* "Max open files            1024                 524288               files" */
static bool read_open_files(int64_t pid, struct arena *a, uint64_t *soft)
{
    struct buf b = BUF_EMPTY;
    struct str line;
    bool found = false;
    const char *path = arena_printf(a, "/proc/%lld/limits", (long long)pid).p;
    disk_read_file(path, LIMITS_MAX, &b, NULL);
    for (struct str rest = buf_str(&b); !found && (line = str_split(&rest, '\n')).p;)
        if (str_starts_with(line, STR("Max open files"))) {
            line = str_skip(line, strlen("Max open files"));
            struct str word = str_word(&line);
            found = str_to_u64(word, soft) || str_equal(word, STR("unlimited"));
            if (str_equal(word, STR("unlimited")))
                *soft = UINT64_MAX;
        }
    buf_free(&b);
    return found;
}

void doctor_limits(struct doctor_job *j)
{
    uint64_t soft = 0;
    uint64_t wanted = (uint64_t)j->doctor->site.server->connections_max + OTHER_DESCRIPTORS;
    if (!read_open_files(number_of(j->doctor->status, "pid"), j->arena, &soft)) {
        doctor_found(j, DOCTOR_SKIPPED, "", "the limits of the process are not to be seen");
    } else if (soft < wanted) {
        doctor_found(
            j, soft < wanted / 10 ? DOCTOR_BAD : DOCTOR_WARN, "",
            "the server may have %llu descriptors; connections_max (%lld) and files need %llu",
            (unsigned long long)soft, (long long)j->doctor->site.server->connections_max,
            (unsigned long long)wanted);
        doctor_mend(j,
                    "LimitNOFILE=%llu in the unit of systemd (systemctl edit maild), or ulimit -n",
                    (unsigned long long)wanted);
        doctor_mend(j, "or a lower connections_max in %s", j->doctor->mailctl->config_path);
    } else {
        doctor_found(j, DOCTOR_GOOD, "", "the server may have %llu descriptors",
                     (unsigned long long)soft);
    }
}

/* --- leftovers --- */

#define LEFT_MAX      20 /* named of each folder */
#define OLD_TEMPORARY 86400

struct left {
    struct doctor_job *job; /* not touched by the worker but for its arena */
    const char *path;
    const char **names;
    size_t count, more;
    int64_t now;
};

/* Files by which damage or an interruption can be told. */
static bool is_left(const struct left *l, const char *name)
{
    static const char *const ends[] = {".damaged", ".bak", ".old", ".orig", ".rej", "~"};
    struct str s = str_from_c(name);
    struct stat st;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (str_ends_with_nocase(s, str_from_c(ends[i])))
            return true;
    if (str_find(s, STR(".damaged-")) >= 0)
        return true;
    return str_ends_with_nocase(s, STR(".tmp")) &&
           disk_stat(arena_printf(l->job->arena, "%s/%s", l->path, name).p, &st, NULL) &&
           st.st_mtim.tv_sec < l->now - OLD_TEMPORARY;
}

static bool see_entry(void *arg, const char *name, unsigned char type)
{
    struct left *l = arg;
    (void)type;
    bool damaged = strcmp(name, "damaged") == 0; /* the journal's folder for it */
    if (!damaged && !is_left(l, name))
        return true;
    if (l->count < LEFT_MAX)
        l->names[l->count++] = arena_c(l->job->arena, str_from_c(name));
    else
        l->more++;
    return true;
}

static int compare_names(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void look_for_left(void *arg)
{
    struct left *l = arg;
    l->names = arena_array(l->job->arena, LEFT_MAX, sizeof(*l->names));
    disk_list(l->path, see_entry, l, NULL);
    qsort(l->names, l->count, sizeof(*l->names), compare_names);
}

void doctor_leftovers(struct doctor_job *j)
{
    const struct server_settings *s = j->doctor->site.server;
    const struct journal_file_settings *journal =
        config_block(j->doctor->site.config, &journal_settings_block);
    const char *const folders[] = {s->data_dir, server_data_path(s, "", "queue", j->arena),
                                   server_data_path(s, journal->path, "journal", j->arena)};
    for (size_t i = 0; i < 3; i++) {
        struct left l = {.job = j, .path = folders[i], .now = clock_wall() / USEC_SEC};
        doctor_block(look_for_left, &l);
        for (size_t k = 0; k < l.count; k++) {
            doctor_found(j, DOCTOR_WARN, "", "%s/%s was left behind", l.path, l.names[k]);
            doctor_mend(j, "look into it, then: rm -r '%s/%s'", l.path, l.names[k]);
        }
        if (l.more > 0)
            doctor_found(j, DOCTOR_WARN, "", "%zu more of that kind are in %s", l.more, l.path);
    }
    struct stat st;
    if (!disk_stat(s->data_dir, &st, NULL))
        doctor_found(j, DOCTOR_SKIPPED, s->data_dir, "it is not there, or not to be seen by you");
    else if (!j->first)
        doctor_found(j, DOCTOR_GOOD, "", "nothing was left behind in %s", s->data_dir);
}

/* --- permissions --- */

struct owners {
    struct doctor_job *job;
    uid_t uid;
    gid_t *groups;
    int group_count;
    const char *user, *group;
    bool known;
};

#define GROUPS_MAX 256

/* Whom the server runs as: the setting, or the owner of its data. */
static void find_owners(struct owners *o)
{
    const struct server_settings *s = o->job->doctor->site.server;
    const struct passwd *p = s->user[0] ? getpwnam(s->user) : NULL;
    struct stat st;
    if (!p && !s->user[0] && disk_stat(s->data_dir, &st, NULL))
        p = getpwuid(st.st_uid);
    if (!p)
        return;
    o->known = true;
    o->uid = p->pw_uid;
    o->user = arena_c(o->job->arena, str_from_c(p->pw_name));
    const struct group *g = getgrgid(p->pw_gid);
    o->group = g ? arena_c(o->job->arena, str_from_c(g->gr_name)) : o->user;
    o->groups = arena_array(o->job->arena, GROUPS_MAX, sizeof(*o->groups));
    o->group_count = GROUPS_MAX;
    if (getgrouplist(p->pw_name, p->pw_gid, o->groups, &o->group_count) < 0)
        o->group_count = 1;
}

static bool in_group(const struct owners *o, gid_t gid)
{
    for (int i = 0; i < o->group_count; i++)
        if (o->groups[i] == gid)
            return true;
    return false;
}

/* bits: of "others", as 4 (read). A list of rights beyond owner, group and others (acl(5)) is not
 * read: what has one may be as it should. */
static bool may(const struct owners *o, const char *path, const struct stat *st, mode_t bits)
{
    if (o->uid == 0 || getxattr(path, "system.posix_acl_access", NULL, 0) > 0)
        return true;
    if (st->st_uid == o->uid)
        return (st->st_mode & (bits << 6)) != 0;
    return in_group(o, st->st_gid) ? (st->st_mode & (bits << 3)) != 0 : (st->st_mode & bits) != 0;
}

/* The folder on the way to the file that the server's user may not pass; NULL: none. */
static const char *closed_folder(const struct owners *o, const char *path)
{
    struct stat st;
    for (const char *slash = path; (slash = strchr(slash + 1, '/'));) {
        const char *folder = arena_c(o->job->arena, str_from(path, (size_t)(slash - path)));
        if (disk_stat(folder, &st, NULL) && !may(o, folder, &st, 1))
            return folder;
    }
    return NULL;
}

/* What a link leads to counts: certbot has its files elsewhere than it says. */
static void judge_readable(struct doctor_job *j, const struct owners *o, const char *path,
                           bool secret)
{
    struct stat st;
    char *real = realpath(path, NULL);
    const char *folder = closed_folder(o, path);
    if (!folder && real)
        folder = closed_folder(o, arena_c(j->arena, str_from_c(real)));
    free(real);
    if (folder) {
        doctor_found(j, DOCTOR_BAD, path,
                     "%s, as whom the server runs, may not enter %s: a start or a reload will fail",
                     o->user, folder);
        if (secret)
            doctor_mend(j, "a copy in /etc/maild/tls, made by a deploy hook of certbot "
                           "(installation.md, step 4)");
        else
            doctor_mend(j, "chmod a+x '%s'", folder);
    } else if (disk_stat(path, &st, NULL) && !may(o, path, &st, 4)) {
        doctor_found(j, DOCTOR_BAD, path,
                     "%s, as whom the server runs, may not read it: a start or a reload will fail",
                     o->user);
        doctor_mend(j, "chgrp %s '%s'; chmod 640 '%s'", o->group, path, path);
    }
}

static void judge_config(struct doctor_job *j, const struct owners *o)
{
    const char *path = j->doctor->mailctl->config_path;
    struct stat st;
    if (!disk_stat(path, &st, NULL))
        return;
    if (st.st_mode & 0002) {
        doctor_found(j, DOCTOR_BAD, path, "everybody may write it");
        doctor_mend(j, "chmod o-w '%s'", path);
    }
    if (o->known)
        judge_readable(j, o, path, false);
}

static void judge_data(struct doctor_job *j, const struct owners *o)
{
    const char *path = o->job->doctor->site.server->data_dir;
    struct stat st;
    struct err e;
    if (!disk_stat(path, &st, &e)) {
        bool missing = e.kind == ERR_NOT_FOUND;
        doctor_found(j, missing ? DOCTOR_BAD : DOCTOR_SKIPPED, path, "%s",
                     missing ? "it is not there" : e.text);
        if (missing)
            doctor_mend(j, "mailctl init makes a whole installation; mailctl start the folder");
        return;
    }
    if (st.st_mode & 0007) {
        doctor_found(j, st.st_mode & 0002 ? DOCTOR_BAD : DOCTOR_WARN, path,
                     "every user of this machine may %s it",
                     st.st_mode & 0002 ? "write into" : "look into");
        doctor_mend(j, "chmod o= '%s'", path);
    }
    if (o->known && st.st_uid != o->uid) {
        doctor_found(j, DOCTOR_BAD, path, "it does not belong to %s, as whom the server runs",
                     o->user);
        doctor_mend(j, "chown -R %s: '%s'", o->user, path);
    }
}

struct strangers {
    const struct owners *owners;
    const char *path;
    const char *first;
    size_t count;
};

static bool see_owner(void *arg, const char *name, unsigned char type)
{
    struct strangers *s = arg;
    struct stat st;
    (void)type;
    if (strcmp(name, "lost+found") == 0) /* data_dir is a file system of its own */
        return true;
    const char *path = arena_printf(s->owners->job->arena, "%s/%s", s->path, name).p;
    if (disk_stat(path, &st, NULL) && st.st_uid != s->owners->uid && s->count++ == 0)
        s->first = path;
    return true;
}

/* Somebody ran a program as root over the data, or brought it back from a backup. */
static void judge_contents(struct doctor_job *j, const struct owners *o)
{
    struct strangers s = {.owners = o, .path = o->job->doctor->site.server->data_dir};
    char text[COUNT_TEXT];
    if (!o->known || !disk_list(s.path, see_owner, &s, NULL) || s.count == 0)
        return;
    doctor_found(j, DOCTOR_BAD, s.path, "%s in it %s not to %s, as whom the server runs: %s",
                 count_of(text, (int64_t)s.count, "file"), s.count == 1 ? "belongs" : "belong",
                 o->user, s.first);
    doctor_mend(j, "chown -R %s: '%s'", o->user, s.path);
}

static void judge_certificate(struct doctor_job *j, const struct owners *o,
                              const struct site_certificate *c)
{
    const char *key = c->key;
    struct stat st;
    if (disk_stat(key, &st, NULL) && st.st_mode & 0006) {
        doctor_found(j, DOCTOR_BAD, key, "every user of this machine may read the private key");
        doctor_mend(j, "chmod o= '%s'; it may be known already: get a new one", key);
    }
    if (!o->known)
        return;
    judge_readable(j, o, key, true);
    if (key != c->path)
        judge_readable(j, o, c->path, true);
}

static void judge_log(struct doctor_job *j)
{
    const char *path = j->doctor->site.server->log;
    struct stat st;
    if (!path[0] || !disk_stat(path, &st, NULL) || !(st.st_mode & 0006))
        return;
    doctor_found(j, DOCTOR_WARN, path, "every user of this machine may read who writes to whom");
    doctor_mend(j, "chmod o= '%s'", path);
}

static void look_at_permissions(void *arg)
{
    struct owners *o = arg;
    find_owners(o);
    judge_config(o->job, o);
    judge_data(o->job, o);
    judge_contents(o->job, o);
    for (size_t i = 0; i < o->job->doctor->site.certificate_count; i++)
        judge_certificate(o->job, o, &o->job->doctor->site.certificates[i]);
    judge_log(o->job);
}

void doctor_permissions(struct doctor_job *j)
{
    const struct server_settings *s = j->doctor->site.server;
    struct owners o = {.job = j};
    doctor_block(look_at_permissions, &o);
    if (!o.known && s->user[0]) {
        doctor_found(j, DOCTOR_BAD, "", "there is no user %s (setting user)", s->user);
        doctor_mend(j, "useradd --system --home-dir '%s' --shell /usr/sbin/nologin %s", s->data_dir,
                    s->user);
    }
    if (!j->first)
        doctor_found(j, DOCTOR_GOOD, "",
                     "files belong to %s, and nobody else may read what is secret",
                     o.known ? o.user : "the server");
}
