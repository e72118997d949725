/*
 * Who asks is decided by the kernel's word on the peer (SO_PEERCRED), nothing that it says:
 *
 *   root, the user the server runs as    administrators; a part of the connections is theirs alone
 *   members of admin_group               administrators; a group that does not exist has none
 *   the Unix user NAME                   with control_users_domain: whoever has the account
 *                                        NAME@domain, for his own things
 *   others                               nobody
 *
 * Membership and names are looked up on a worker, because name services may wait for a network,
 * once for a connection; the account at each request, so that one that is disabled has no more
 * rights from then on.
 *
 * A user may call only verbs whose row says so, with no other arguments than those of the row. The
 * argument that names the account becomes his login here, whatever he wrote, so that the verb sees
 * the same as when an administrator asks for that account. A Unix name stands for an account only
 * if it is written like one: names in capitals, with a detail ("a+b") or a domain would mean the
 * account of somebody else, and so would an alias, which is why the account that is found must have
 * this very name.
 */
#include "ctl/ctl_access.h"

#include "auth/auth.h"
#include "core/buf.h"
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "ctl/ctl_json.h"
#include "net/stream.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#define GROUPS_MAX  65536
#define NAME_BUFFER 65536

/* --- who --- */

struct identity {
    char *group; /* "": none */
    uid_t uid;
    gid_t gid;
    bool member;
    char name[CTL_NAME_MAX];
};

static bool is_member(const struct identity *i, const struct passwd *user)
{
    char *text = mem_alloc(NAME_BUFFER);
    struct group group, *found = NULL;
    int count = GROUPS_MAX;
    bool member = false;
    gid_t *groups = mem_array(GROUPS_MAX, sizeof(*groups));
    if (i->group[0] && getgrnam_r(i->group, &group, text, NAME_BUFFER, &found) == 0 && found) {
        member = i->gid == group.gr_gid;
        if (user && getgrouplist(user->pw_name, user->pw_gid, groups, &count) >= 0)
            for (int n = 0; n < count && !member; n++)
                member = groups[n] == group.gr_gid;
    }
    free(groups);
    free(text);
    return member;
}

static void identify(void *arg)
{
    struct identity *i = arg;
    char *text = mem_alloc(NAME_BUFFER);
    struct passwd entry, *user = NULL;
    if (getpwuid_r(i->uid, &entry, text, NAME_BUFFER, &user) != 0)
        user = NULL;
    if (user && strlen(user->pw_name) < sizeof(i->name))
        memcpy(i->name, user->pw_name, strlen(user->pw_name));
    i->member = is_member(i, user);
    free(text);
}

bool ctl_name_is_usable(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    return name[0] && strspn(name, letters) == strlen(name);
}

bool ctl_caller_look(const struct stream *s, struct ctl_caller *caller)
{
    gid_t gid;
    pid_t pid;
    *caller = (struct ctl_caller){.admin = false};
    if (!stream_peer_credentials(s, &caller->uid, &gid, &pid))
        return false;
    caller->reserved = caller->uid == 0 || caller->uid == geteuid();
    return true;
}

bool ctl_caller_find(const struct ctl_context *c, const struct stream *s, struct ctl_caller *caller,
                     struct err *e)
{
    struct identity i = {.member = false};
    pid_t pid;
    if (!ctl_caller_look(s, caller) || !stream_peer_credentials(s, &i.uid, &i.gid, &pid))
        return err_set(e, ERR_DENIED, "nobody knows who asks");
    caller->admin = caller->reserved;
    if (caller->admin)
        return true;
    i.group = mem_dup(c->admin_group, strlen(c->admin_group)); /* a reload may change it */
    worker_run(WORKER_READ, identify, &i);
    free(i.group);
    caller->admin = i.member;
    if (c->users_domain[0] && ctl_name_is_usable(i.name))
        memcpy(caller->name, i.name, sizeof(i.name));
    return caller->admin || caller->name[0] ||
           err_set(e, ERR_DENIED, "only root, the user of maild%s%s may do this",
                   c->admin_group[0] ? " and the group " : "", c->admin_group);
}

/* --- the socket's file --- */

struct socket_job {
    char *path, *group;
    bool users, found, given, done;
};

static void change_socket(void *arg)
{
    struct socket_job *j = arg;
    char *text = mem_alloc(NAME_BUFFER);
    struct group group, *found = NULL;
    if (j->group[0] && getgrnam_r(j->group, &group, text, NAME_BUFFER, &found) != 0)
        found = NULL;
    j->found = found != NULL;
    j->given = found && chown(j->path, (uid_t)-1, found->gr_gid) == 0;
    j->done = disk_set_mode(j->path, j->users ? 0666 : j->given ? 0660 : 0600, NULL);
    free(text);
}

void ctl_open_socket(const char *path, const char *admin_group, bool users)
{
    struct socket_job j = {.path = mem_dup(path, strlen(path)),
                           .group = mem_dup(admin_group, strlen(admin_group)),
                           .users = users};
    worker_run(WORKER_DISK, change_socket, &j);
    if (!j.done)
        log_warning("ctl", NULL, "the control socket cannot be opened to others path=<%s>", j.path);
    else if (j.found && !j.given && !users)
        log_warning("ctl", NULL,
                    "the control socket cannot be given to group \"%s\": the server's user is no "
                    "member of it",
                    j.group);
    free(j.path);
    free(j.group);
}

/* --- what of his own --- */

/* "mailbox" in "mailbox query". */
static bool is_listed(const char *words, const char *name)
{
    struct str rest = str_from_c(words), word;
    while ((word = str_word(&rest)).p)
        if (str_equal(word, str_from_c(name)))
            return true;
    return false;
}

/* The object that has the argument for the account: args, or one in it. */
static bool find_place(const struct ctl_access *access, json_t *args, json_t **place,
                       const char **name, struct err *e)
{
    const char *dot = strchr(access->account, '.');
    *place = args;
    *name = dot ? dot + 1 : access->account;
    if (!dot)
        return true;
    struct buf outer = BUF_EMPTY;
    buf_add_str(&outer, str_from(access->account, (size_t)(dot - access->account)));
    *place = json_object_get(args, buf_c(&outer));
    if (!*place) {
        *place = json_object();
        json_object_set_new(args, buf_c(&outer), *place);
    }
    bool ok = json_is_object(*place) ||
              err_set(e, ERR_SYNTAX, "%s: an object is expected", buf_c(&outer));
    buf_free(&outer);
    return ok;
}

static bool is_own_name(const json_t *value, struct str login)
{
    struct str text = str_from(json_string_value(value), json_string_length(value));
    ptrdiff_t at = str_find_last_char(login, '@');
    return json_is_string(value) &&
           (str_equal_nocase(text, login) ||
            (at > 0 && str_equal_nocase(text, str_head(login, (size_t)at))));
}

/* All members but the one for the account (NULL: it is in another object); prefix: of the object
 * they are in, "filter." */
static bool are_listed(const struct ctl_access *access, json_t *object, struct str prefix,
                       const char *account, struct err *e)
{
    struct buf name = BUF_EMPTY;
    const char *key;
    json_t *value;
    bool ok = true;
    json_object_foreach(object, key, value)
    {
        buf_clear(&name);
        buf_add_str(&name, prefix);
        buf_add_c(&name, key);
        bool is_account = account && strcmp(key, account) == 0;
        if (ok && !is_account && !is_listed(access->arguments, buf_c(&name)))
            ok = err_set(e, ERR_DENIED, "only administrators may give \"%.40s\"", key);
    }
    buf_free(&name);
    return ok;
}

bool ctl_access_apply(const struct ctl_access *access, struct str login, json_t *args,
                      struct err *e)
{
    const char *name;
    json_t *place;
    if (access->class != CTL_CLASS_OWN)
        return err_set(e, ERR_DENIED, "only administrators may do this");
    if (!find_place(access, args, &place, &name, e))
        return false;
    const json_t *given = json_object_get(place, name);
    if (given && !is_own_name(given, login))
        return err_set(e, ERR_DENIED, "only administrators may ask for others than %.*s",
                       STR_ARG(login));
    if (!are_listed(access, args, STR(""), place == args ? name : NULL, e) ||
        (place != args &&
         !are_listed(access, place,
                     str_head(str_from_c(access->account), (size_t)(name - access->account)), name,
                     e)))
        return false;
    json_object_set_new(place, name, ctl_json_str(login));
    return true;
}

/* --- whose --- */

static SUSPENDS bool find_account(const struct ctl_context *c, const struct ctl_caller *caller,
                                  struct arena *a, struct account *account, struct err *e)
{
    struct str login = arena_printf(a, "%s@%s", caller->name, c->users_domain);
    enum lookup found = directory_find_login(c->directory, login, a, account, e);
    if (found == LOOKUP_TEMPFAIL)
        return false;
    if (found == LOOKUP_NOT_FOUND || !str_equal_nocase(account->login, login))
        return err_set(e, ERR_DENIED,
                       "there is no account %.*s, and only administrators may do "
                       "more than users may with their own",
                       STR_ARG(login));
    return !account->no_login ||
           err_set(e, ERR_DENIED, "the account %.*s is %s", STR_ARG(login), account->no_login);
}

bool ctl_admit(const struct ctl_context *c, const struct ctl_caller *caller,
               const struct ctl_row *row, json_t *args, struct arena *a, const struct account **own,
               struct err *e)
{
    struct account *account = ARENA_NEW(a, struct account);
    *own = NULL;
    if (caller->admin)
        return true;
    if (row->access->class != CTL_CLASS_OWN)
        return err_set(e, ERR_DENIED,
                       "only administrators may do this: root, the user of maild%s%s",
                       c->admin_group[0] ? ", the group " : "", c->admin_group);
    if (!find_account(c, caller, a, account, e))
        return false;
    if (row->access->mail && !auth_may_use(c->auth, account, ACCOUNT_IMAP, "unix", NULL))
        return err_set(e, ERR_DENIED, "this account may not use IMAP, and so not this either");
    *own = account;
    return ctl_access_apply(row->access, account->login, args, e);
}
