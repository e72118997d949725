/*
 * Users: the forms of the commands; the running server does the work.
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>

/* What is said of the user in the options; false: they contradict each other, which was said. */
static bool take_change(const struct arguments *a, json_t *args)
{
    bool keep = option(a, "--keep-copy"), no_copy = option(a, "--no-copy");
    bool disable = option(a, "--disable"), enable = option(a, "--enable");
    const char *protocols = option(a, "--protocols");
    if ((keep && no_copy) || (disable && enable) ||
        (option(a, "--forward") && option(a, "--no-forward"))) {
        fail_usage("these options contradict each other");
        return false;
    }
    if (option(a, "--name"))
        json_object_set_new(args, "name", json_string(option(a, "--name")));
    if (protocols)
        json_object_set_new(args, "protocols", json_string(protocols));
    if (option(a, "--forward") || option(a, "--no-forward"))
        json_object_set_new(args, "forwards", option_list(a, "--forward"));
    if (keep || no_copy)
        json_object_set_new(args, "keep_copy", json_boolean(keep));
    if (disable || enable)
        json_object_set_new(args, "disabled", json_boolean(disable));
    return true;
}

/* "login", "password" and, with --force, "force"; NULL: there is no password, which was said. */
static json_t *password_args(struct mailctl *m, const struct arguments *a, int *status)
{
    const char *login = a->words[0], *password = read_password(m, a, login, status);
    if (!password)
        return NULL;
    json_t *args = args_of("login", login, "password", password);
    if (option(a, "--force"))
        json_object_set_new(args, "force", json_true());
    return args;
}

int command_user_add(struct mailctl *m, const struct arguments *a)
{
    int status = EXIT_OK;
    json_t *change = json_object();
    if (!take_change(a, change)) {
        json_decref(change);
        return EXIT_USAGE;
    }
    json_t *args = password_args(m, a, &status);
    if (args)
        json_object_update(args, change);
    json_decref(change);
    return args ? ask_simply(m, "user add", args, "added", a->words[0]) : status;
}

int command_user_set(struct mailctl *m, const struct arguments *a)
{
    json_t *args = args_of("login", a->words[0], NULL, NULL);
    if (a->option_count > 0 && take_change(a, args))
        return ask_simply(m, "user set", args, "changed", a->words[0]);
    json_decref(args);
    return a->option_count > 0 ? EXIT_USAGE : fail_usage("nothing to change");
}

/* Who is no administrator must know the one he has. */
static int change_own_password(struct mailctl *m, const struct arguments *a, const char *login)
{
    int status = EXIT_OK;
    if (option(a, "--force"))
        return fail_usage("--force is for administrators");
    if (a->count > 0)
        login = a->words[0];
    const char *old = read_known_password(m, a, login, &status);
    const char *new =
        old ? read_password(m, a, arena_printf(m->arena, "%s, new", login).p, &status) : NULL;
    if (!new)
        return status;
    json_t *args = args_of("old", old, "password", new);
    json_object_set_new(args, "login", json_string(login));
    return ask_simply(m, "password change", args, "password set of", login);
}

int command_user_password(struct mailctl *m, const struct arguments *a)
{
    int status = EXIT_OK;
    const char *own = NULL;
    struct err e;
    if (!find_own_login(m, &own, &e))
        return fail_error(&e);
    if (own)
        return change_own_password(m, a, own);
    if (a->count == 0)
        return fail_usage("whose password?");
    json_t *args = password_args(m, a, &status);
    return args ? ask_simply(m, "user password", args, "password set of", a->words[0]) : status;
}

static const char *state_of(const json_t *user)
{
    const char *reason = text_of(user, "no_login");
    if (*reason)
        return reason;
    return json_is_true(json_object_get(user, "disabled")) ? "disabled" : "active";
}

static void add_user(void *arg, const json_t *user)
{
    struct table *t = arg;
    char *forwards = join_texts(user, "forwards", " ");
    table_add(t, text_of(user, "login"));
    table_add(t, text_of(user, "name"));
    table_add(t, state_of(user));
    table_add(t, text_of(user, "protocols"));
    table_add(t, forwards);
    table_add(t, text_of(user, "source"));
    free(forwards);
}

int command_user_list(struct mailctl *m, const struct arguments *a)
{
    static const char *const titles[] = {"login",       "name",   "state", "protocols",
                                         "forwards to", "source", NULL};
    struct table *t = table_new(titles);
    json_t *args = args_of("domain", argument(a, 0), NULL, NULL);
    int status = ask_items(m, "user list", args, add_user, t, NULL);
    table_end(t, status == EXIT_OK && !m->json, there_are_no(m, "users", argument(a, 0)));
    return status;
}

static void print_list(const json_t *user, const char *name, const char *title)
{
    char *texts = join_texts(user, name, ", ");
    if (*texts)
        printf("%s%s\n", title, texts);
    free(texts);
}

int command_user_show(struct mailctl *m, const struct arguments *a)
{
    json_t *user = NULL;
    int status = ask(m, "user show", args_of("login", a->words[0], NULL, NULL), &user);
    if (!user)
        return status;
    printf("login      %s\nname       %s\nstate      %s\nprotocols  %s\nhome       %s\n",
           text_of(user, "login"), text_of(user, "name"), state_of(user),
           text_of(user, "protocols"), text_of(user, "home"));
    print_list(user, "addresses", "addresses  ");
    print_list(user, "forwards", "forwards   ");
    if (json_array_size(json_object_get(user, "forwards")) > 0)
        printf("keeps copy %s\n", json_is_true(json_object_get(user, "keep_copy")) ? "yes" : "no");
    print_list(user, "groups", "groups     ");
    if (*text_of(user, "mail_host"))
        printf("mail host  %s\n", text_of(user, "mail_host"));
    printf("source     %s\n", text_of(user, "source"));
    json_decref(user);
    return status;
}

int command_user_delete(struct mailctl *m, const struct arguments *a)
{
    if (!confirm(a, "Delete user %s with password and settings? The mail stays on disk.",
                 a->words[0]))
        return EXIT_FAILED;
    return ask_simply(m, "user delete", args_of("login", a->words[0], NULL, NULL), "deleted",
                      a->words[0]);
}

int command_user_disable(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "user disable", args_of("login", a->words[0], NULL, NULL), "disabled",
                      a->words[0]);
}

int command_user_enable(struct mailctl *m, const struct arguments *a)
{
    return ask_simply(m, "user enable", args_of("login", a->words[0], NULL, NULL), "enabled",
                      a->words[0]);
}
