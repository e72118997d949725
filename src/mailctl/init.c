/*
 * init: a complete instance from nothing. Everything is decided before the first file is made;
 * maild.conf is written last, so its existence means that the rest exists too. When a step fails,
 * what was made so far is removed again.
 *
 *   DIR/maild.conf  DIR/tls/  DIR/data/  DIR/run/  DIR/log/        with --root DIR
 *   /etc/maild/  /var/lib/maild/  /run/maild/  /var/log/maild/     without
 */
#include "mailctl/init.h"

#include "core/disk.h"
#include "core/mem.h"
#include "ctl/server_settings.h"
#include "net/tls.h"
#include "smtp/drop_file.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CERTIFICATE_DAYS 3650
#define PORT_BASE_MAX    (65535 - 995)
#define USUAL_USER       "maild" /* as packages make it */

/* --- from the command line --- */

static bool decide_paths(struct mailctl *m, struct instance *i, struct err *e)
{
    struct arena *a = m->arena;
    if (!m->root) {
        i->config_path = "/etc/maild/maild.conf";
        i->tls_dir = "/etc/maild/tls";
        i->data_dir = "/var/lib/maild";
        i->run_dir = "/run/maild";
        i->log_dir = "/var/log/maild";
        i->maildrop = "/var/spool/maild";
    } else {
        char *here = m->root[0] == '/' ? NULL : getcwd(NULL, 0);
        if (m->root[0] != '/' && !here)
            return err_set_errno(e, errno, "the current directory");
        struct str root = str_from_c(m->root);
        while (root.n > 1 && root.p[root.n - 1] == '/')
            root.n--;
        const char *dir =
            here ? arena_printf(a, "%s/%.*s", here, STR_ARG(root)).p : arena_c(a, root);
        free(here);
        i->relative = true;
        i->config_path = arena_printf(a, "%s/maild.conf", dir).p;
        i->tls_dir = arena_printf(a, "%s/tls", dir).p;
        i->data_dir = arena_printf(a, "%s/data", dir).p;
        i->run_dir = arena_printf(a, "%s/run", dir).p;
        i->log_dir = arena_printf(a, "%s/log", dir).p;
        i->maildrop = arena_printf(a, "%s/maildrop", dir).p;
    }
    i->certificate = arena_printf(a, "%s/certificate.pem", i->tls_dir).p;
    i->key = arena_printf(a, "%s/key.pem", i->tls_dir).p;
    i->database = arena_printf(a, "%s/directory.db", i->data_dir).p;
    return true;
}

static bool decide_port(const struct arguments *a, struct instance *i, struct err *e)
{
    const char *text = option(a, "--port-base");
    uint32_t base;
    if (!text)
        return true;
    if (!str_to_u32(str_from_c(text), &base) || base > PORT_BASE_MAX)
        return err_set(e, ERR_SYNTAX, "--port-base: a number up to %d is expected", PORT_BASE_MAX);
    i->port_base = base;
    i->demo = true;
    return true;
}

static bool decide_owner(const struct arguments *a, struct instance *i, struct err *e)
{
    bool usual = !i->relative && geteuid() == 0 && getpwnam(USUAL_USER);
    i->run_as = option(a, "--run-as") ? option(a, "--run-as") : usual ? USUAL_USER : "";
    if (i->run_as[0] == '\0')
        return true;
    struct passwd *user = getpwnam(i->run_as);
    if (!user)
        return err_set(e, ERR_SYNTAX, "--run-as: there is no user \"%s\"", i->run_as);
    i->uid = user->pw_uid;
    i->gid = user->pw_gid;
    return true;
}

static bool is_domain_of(const struct instance *i, struct str login)
{
    ptrdiff_t at = str_find_last_char(login, '@');
    for (size_t n = 0; n < i->domain_count; n++)
        if (str_equal_nocase(str_skip(login, (size_t)at + 1), i->domains[n]))
            return true;
    return false;
}

/* "alice:secret", "alice@example.test:secret", "alice" */
static bool decide_user(struct mailctl *m, const struct arguments *a, struct instance *i,
                        const char *text, int *status)
{
    struct instance_user *user = &i->users[i->user_count++];
    const char *colon = strchr(text, ':');
    struct str login = str_from(text, colon ? (size_t)(colon - text) : strlen(text));
    bool full = str_find_char(login, '@') >= 0;
    user->login = full
                      ? arena_str(m->arena, login)
                      : arena_printf(m->arena, "%.*s@%.*s", STR_ARG(login), STR_ARG(i->domains[0]));
    if (login.n == 0 || !is_domain_of(i, user->login)) {
        *status = fail_usage("--user %.*s: NAME:PASSWORD or NAME@DOMAIN:PASSWORD of a given domain "
                             "is expected",
                             STR_ARG(login));
        return false;
    }
    user->password = colon ? colon + 1 : read_password(m, a, user->login.p, status);
    if (user->password && user->password[0] == '\0')
        *status = fail_usage("--user %.*s: the password is empty", STR_ARG(login));
    return user->password && user->password[0];
}

static bool decide(struct mailctl *m, const struct arguments *a, struct instance *i, int *status)
{
    struct err e;
    i->arena = m->arena;
    i->domains = arena_array(m->arena, a->option_count + 1, sizeof(*i->domains));
    i->users = arena_array(m->arena, a->option_count + 1, sizeof(*i->users));
    for (size_t n = 0; n < a->option_count; n++)
        if (strcmp(a->options[n].name, "--domain") == 0)
            i->domains[i->domain_count++] = str_from_c(a->options[n].value);
    if (i->domain_count == 0) {
        *status = fail_usage("init needs a domain: --domain example.org");
        return false;
    }
    if (!decide_paths(m, i, &e) || !decide_port(a, i, &e) || !decide_owner(a, i, &e)) {
        *status = e.kind == ERR_SYNTAX ? fail_usage("%s", e.text) : fail_error(&e);
        return false;
    }
    for (size_t n = 0; n < a->option_count; n++)
        if (strcmp(a->options[n].name, "--user") == 0 &&
            !decide_user(m, a, i, a->options[n].value, status))
            return false;
    i->hostname = option(a, "--hostname")
                      ? option(a, "--hostname")
                      : arena_printf(m->arena, "mail.%.*s", STR_ARG(i->domains[0])).p;
    return true;
}

/* --- making it --- */

/* What was made, to be removed when a later step fails. */
struct made {
    const char *paths[16];
    bool tree[16];
    size_t count;
};

static void note(struct made *made, const char *path, bool tree)
{
    made->paths[made->count] = path;
    made->tree[made->count++] = tree;
}

static void remove_made(const struct made *made)
{
    for (size_t n = made->count; n-- > 0;) {
        if (made->tree[n])
            disk_remove_tree(made->paths[n], NULL);
        else
            disk_unlink(made->paths[n], NULL);
    }
}

static bool make_dir(struct made *made, const char *path, mode_t mode, const struct instance *i,
                     bool own, struct err *e)
{
    if (disk_exists(path))
        return true;
    note(made, path, true);
    if (!disk_make_dirs(path, mode, e))
        return false;
    if (own && i->run_as[0] && chown(path, i->uid, i->gid) != 0)
        return err_set_errno(e, errno, "%s cannot be given to %s", path, i->run_as);
    return true;
}

static bool give_file(const struct instance *i, const char *path, struct err *e)
{
    if (i->run_as[0] && disk_exists(path) && chown(path, i->uid, i->gid) != 0)
        return err_set_errno(e, errno, "%s cannot be given to %s", path, i->run_as);
    return true;
}

/* The server reads its configuration and does not write it. */
static bool give_config(const struct instance *i, struct err *e)
{
    if (i->run_as[0] && chown(i->config_path, (uid_t)-1, i->gid) != 0)
        return err_set_errno(e, errno, "%s cannot be given to %s", i->config_path, i->run_as);
    return true;
}

static const char *folder_of(const struct instance *i, const char *path)
{
    struct str p = str_from_c(path);
    return arena_c(i->arena, str_head(p, (size_t)str_find_last_char(p, '/')));
}

static bool make_certificate(const struct instance *i, struct err *e)
{
    /* Clients on this machine may use any of these. */
    static const char *const local[] = {"localhost", "127.0.0.1", "::1"};
    const size_t local_count = sizeof(local) / sizeof(local[0]);
    const char **names = arena_array(i->arena, 1 + i->domain_count + local_count, sizeof(*names));
    size_t count = 0;
    names[count++] = i->hostname;
    for (size_t n = 0; n < i->domain_count; n++)
        if (!str_equal(i->domains[n], str_from_c(i->hostname)))
            names[count++] = arena_c(i->arena, i->domains[n]);
    for (size_t n = 0; n < local_count; n++)
        names[count++] = local[n];
    return tls_make_self_signed(i->certificate, i->key, names, count, CERTIFICATE_DAYS, e);
}

/* Before it is written: a name on the command line may be none that the configuration takes. */
static bool check_config(const struct instance *i, struct str text, struct err *e)
{
    struct config *c = config_parse(i->config_path, text, server_blocks, e);
    bool ok = c && server_check(c, e);
    config_unref(c);
    return ok;
}

static bool make_all(const struct instance *i, struct made *made, struct err *e)
{
    const char *wal = arena_printf(i->arena, "%s-wal", i->database).p;
    const char *shm = arena_printf(i->arena, "%s-shm", i->database).p;
    if (!make_dir(made, folder_of(i, i->config_path), 0755, i, false, e) ||
        !make_dir(made, i->tls_dir, 0755, i, false, e) ||
        !make_dir(made, i->data_dir, 0700, i, true, e) ||
        !make_dir(made, i->run_dir, 0755, i, true, e) ||
        !make_dir(made, i->log_dir, 0750, i, true, e) ||
        !make_dir(made, i->maildrop, 0755, i, true, e) ||
        !disk_set_mode(i->maildrop, DROP_DIR_MODE, e))
        return false;
    note(made, i->certificate, false);
    note(made, i->key, false);
    if (!make_certificate(i, e) || !give_file(i, i->key, e))
        return false;
    note(made, i->database, false);
    note(made, wal, false);
    note(made, shm, false);
    if (!init_make_directory(i, e) || !give_file(i, i->database, e) || !give_file(i, wal, e) ||
        !give_file(i, shm, e))
        return false;
    struct buf text = BUF_EMPTY;
    init_add_config(&text, i);
    note(made, i->config_path, false);
    bool ok = check_config(i, buf_str(&text), e) &&
              disk_replace_file(i->config_path, buf_str(&text), 0640, e) && give_config(i, e);
    buf_free(&text);
    return ok;
}

/* Nothing of an instance may be there: neither its mail nor its key is overwritten. */
static bool refuse_existing(const struct instance *i, struct err *e)
{
    const char *const files[] = {i->config_path, i->database, i->certificate, i->key};
    for (size_t n = 0; n < sizeof(files) / sizeof(*files); n++)
        if (disk_exists(files[n]))
            return err_set(e, ERR_EXISTS, "%s exists already; init does not overwrite an instance",
                           files[n]);
    return true;
}

/* --- what it says --- */

static json_t *names_json(const struct instance *i, bool users)
{
    json_t *list = json_array();
    for (size_t n = 0; n < (users ? i->user_count : i->domain_count); n++) {
        struct str name = users ? i->users[n].login : i->domains[n];
        json_array_append_new(list, json_stringn(name.p, name.n));
    }
    return list;
}

static void print_made_json(const struct instance *i)
{
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "config", i->config_path,
                  "certificate", i->certificate, "data_dir", i->data_dir, "log_dir", i->log_dir,
                  "hostname", i->hostname, "port_base", (json_int_t)i->port_base, "domains",
                  names_json(i, false), "users", names_json(i, true));
    print_json(json);
    json_decref(json);
}

static void print_made(const struct mailctl *m, const struct instance *i)
{
    const char *host = i->demo ? "127.0.0.1" : i->hostname;
    unsigned base = i->port_base;
    printf("configuration  %s\n", i->config_path);
    printf("certificate    %s\n               signed by itself, for %s\n", i->certificate,
           i->hostname);
    printf("mail and data  %s\nlog            %s/maild.log\n", i->data_dir, i->log_dir);
    for (size_t n = 0; n < i->domain_count; n++)
        printf("domain         %.*s\n", STR_ARG(i->domains[n]));
    for (size_t n = 0; n < i->user_count; n++)
        printf("user           %.*s%s\n", STR_ARG(i->users[n].login),
               n == 0 ? " (gets mail for postmaster and abuse)" : "");
    printf("ports          %s: SMTP %u, submission %u and %u (TLS),\n", host, base + 25, base + 587,
           base + 465);
    printf("               IMAP %u and %u (TLS), POP3 %u and %u (TLS)\n", base + 143, base + 993,
           base + 110, base + 995);
    printf("local          for programs of this machine, without login: 127.0.0.1 port %u;\n",
           base + 26);
    printf("               %s/submission.sock (sendmail), %s/lmtp.sock\n", i->run_dir, i->run_dir);
    const char *root = m->root ? m->root : "";
    const char *option_root = m->root ? " --root " : "";
    if (!m->root && service_unit_exists())
        printf("\nnext:\n    systemctl enable --now maild\n");
    else
        printf("\nnext:\n    %s%s%s start\n", m->program, option_root, root);
    if (i->user_count == 0)
        printf("    %s%s%s user add NAME@%.*s\n    %s%s%s address add postmaster@%.*s NAME@%.*s\n",
               m->program, option_root, root, STR_ARG(i->domains[0]), m->program, option_root, root,
               STR_ARG(i->domains[0]), STR_ARG(i->domains[0]));
    printf("    %s%s%s status\n", m->program, option_root, root);
    if (!i->demo)
        printf("    %s dns records %.*s\n", m->program, STR_ARG(i->domains[0]));
}

int command_init(struct mailctl *m, const struct arguments *a)
{
    struct instance i = {0};
    struct made made = {.count = 0};
    struct err e;
    int status = EXIT_FAILED;
    if (!decide(m, a, &i, &status))
        return status;
    if (!refuse_existing(&i, &e))
        return fail_error(&e);
    if (!make_all(&i, &made, &e)) {
        remove_made(&made);
        return fail("%s; nothing was made", e.text);
    }
    if (m->json)
        print_made_json(&i);
    else
        print_made(m, &i);
    return EXIT_OK;
}
