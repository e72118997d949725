/*
 * What is counted against guessing passwords: seeing it, forgiving it.
 */
#include "auth/auth.h"
#include "core/mem.h"
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"

#include <stdlib.h>

/* Lines of an answer: those that matter most. An attack fills the tables with tens of thousands. */
#define PENALTIES_SHOWN 1000

struct lines {
    struct arena *arena;
    struct penalty_line *list;
    size_t count, capacity;
};

static void collect(void *arg, const struct penalty_line *line)
{
    struct lines *l = arg;
    l->list = mem_grow(l->list, l->count, &l->capacity, sizeof(*l->list), 64);
    struct penalty_line *copy = &l->list[l->count++];
    *copy = *line;
    copy->login = arena_str(l->arena, line->login);
    copy->network = arena_str(l->arena, line->network);
}

/* Those who are locked out for longest, then those who have failed most. */
static int compare(const void *a, const void *b)
{
    const struct penalty_line *x = a, *y = b;
    if (x->locked_for != y->locked_for)
        return x->locked_for < y->locked_for ? 1 : -1;
    return (x->failures < y->failures) - (x->failures > y->failures);
}

static json_t *line_json(const struct penalty_line *line)
{
    json_t *json = json_object();
    json_object_set_new(json, "kind", ctl_json_c(penalty_kind_name(line->kind)));
    json_object_set_new(json, "login", ctl_json_str(line->login));
    json_object_set_new(json, "network", ctl_json_str(line->network));
    json_object_set_new(json, "failures", json_integer((json_int_t)(line->failures + 0.5)));
    json_object_set_new(json, "locked_for",
                        json_integer((line->locked_for + USEC_SEC - 1) / USEC_SEC));
    json_object_set_new(json, "forgotten_in", json_integer(line->forgotten_in / USEC_SEC));
    return json;
}

static bool penalties(const struct ctl_context *c, const json_t *args, json_t **result,
                      struct err *e)
{
    struct lines l = {.arena = arena_new()};
    json_t *list = json_array();
    (void)args;
    (void)e;
    penalty_each(auth_penalties(c->auth), collect, &l);
    if (l.count > 0)
        qsort(l.list, l.count, sizeof(*l.list), compare);
    for (size_t i = 0; i < l.count && i < PENALTIES_SHOWN; i++)
        json_array_append_new(list, line_json(&l.list[i]));
    *result = json_pack("{s:I, s:o}", "total", (json_int_t)l.count, "penalties", list);
    free(l.list);
    arena_free(l.arena);
    return true;
}

/* Under the name that was given, and under the account's own. */
static size_t forgive(const struct ctl_context *c, struct str what)
{
    struct arena *a = arena_new();
    struct account account;
    size_t count = penalty_forgive(auth_penalties(c->auth), what);
    if (directory_find_login(c->directory, what, a, &account, NULL) == LOOKUP_FOUND &&
        !str_equal_nocase(account.login, what))
        count += penalty_forgive(auth_penalties(c->auth), account.login);
    arena_free(a);
    return count;
}

static bool unlock(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct str what;
    bool all = json_is_true(json_object_get(args, "all"));
    if (!ctl_arg_optional(args, "what", &what, e))
        return false;
    if (all == (what.n > 0))
        return err_set(e, ERR_SYNTAX, "a login, an address or a network is expected, or --all");
    size_t count = all ? penalty_forgive(auth_penalties(c->auth), STR("")) : forgive(c, what);
    *result = json_pack("{s:I}", "forgotten", (json_int_t)count);
    return true;
}

const struct ctl_verb ctl_auth_verbs[] = {
    {"auth penalties", CTL_ADMIN, penalties},
    {"auth unlock", CTL_ADMIN, unlock},
    {0},
};
