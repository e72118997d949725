/*
 * The steps of auth_login (auth.c), one function each, with the same parts but without their
 * consequences: no failure is counted, none forgiven, nothing is logged, nobody waits. What a
 * refusal hides from a client - whether there is such a user at all - is what an operator wants to
 * know; so the steps go on behind one, and the first that refuses is the result.
 */
#include "auth/auth_explain.h"

#include "auth/auth_internal.h"
#include "auth/directory_internal.h"

#include <assert.h>

#define STEPS_MAX 12

struct explaining {
    struct auth *auth;
    const struct auth_peer *peer;
    struct arena *arena;
    struct auth_explanation *x;
    struct answer *answer; /* who he is; NULL: nobody */
};

const char *auth_step_result_name(enum auth_step_result result)
{
    static const char *const names[] = {"ok", "refused", "failed"};
    return names[result];
}

static struct auth_step *add_step(struct explaining *w, const char *name)
{
    assert(w->x->count < STEPS_MAX);
    struct auth_step *step = &w->x->steps[w->x->count++];
    step->name = name;
    step->text = STR("");
    step->trace.arena = w->arena;
    return step;
}

/* reason: for the log. */
static void stop(struct explaining *w, struct auth_step *step, enum auth_step_result result,
                 const char *reason)
{
    step->result = result;
    if (w->x->result != AUTH_STEP_OK)
        return;
    w->x->result = result;
    w->x->reason = arena_str(w->arena, str_from_c(reason));
}

static void explain_form(struct explaining *w, struct str user, struct str as, struct str password)
{
    struct auth_step *step = add_step(w, "form");
    step->text = as.n == 0 ? arena_str(w->arena, user)
                           : arena_printf(w->arena, "%.*s, who wants to be %.*s", STR_ARG(user),
                                          STR_ARG(as));
    if (password.n > 0)
        return;
    step->text = STR("an empty password is never right");
    stop(w, step, AUTH_STEP_REFUSED, "wrong_password");
}

static void explain_penalties(struct explaining *w, struct str login)
{
    struct penalties *p = w->auth->guard.penalties;
    struct penalty_who who = {w->peer->address, login};
    enum penalty_kind kind;
    usec left;
    struct auth_step *step = add_step(w, "guessing");
    if (penalty_is_locked(p, &who, &kind, &left)) {
        step->text =
            arena_printf(w->arena, "%.*s from %s is locked out for %lld s (%s)", STR_ARG(login),
                         w->peer->address, (long long)(left / USEC_SEC), penalty_kind_name(kind));
        stop(w, step, AUTH_STEP_REFUSED, "locked_out");
        return;
    }
    step->text =
        arena_printf(w->arena, "%.*s from %s is not locked out; a failure takes %.1f s",
                     STR_ARG(login), w->peer->address, (double)penalty_delay(p, &who) / USEC_SEC);
}

/* An account past the cache. */
static struct answer *look_up(struct explaining *w, const char *name,
                              enum directory_question question, struct str text, const char *reason)
{
    struct auth_step *step = add_step(w, name);
    struct directory_report *r = ARENA_NEW(w->arena, struct directory_report);
    usec begun = clock_monotonic();
    bool sensible = directory_trace(w->auth->directory, question, text, w->arena, r);
    step->took = clock_monotonic() - begun;
    step->report = sensible ? r : NULL;
    if (r->status == LOOKUP_FOUND) {
        step->text = arena_printf(w->arena, "%.*s is %.*s of %s", STR_ARG(text),
                                  STR_ARG(r->account->login), r->answer->source->name);
        return r->answer;
    }
    if (r->status == LOOKUP_TEMPFAIL) {
        step->text = arena_str(w->arena, str_from_c(r->error.text));
        stop(w, step, AUTH_STEP_FAILED, r->error.text);
        return NULL;
    }
    step->text = arena_printf(w->arena, "there is no %.*s", STR_ARG(text));
    stop(w, step, AUTH_STEP_REFUSED, reason);
    return NULL;
}

static void explain_password(struct explaining *w, struct str password)
{
    struct auth_step *step = add_step(w, "password");
    struct err e = {0};
    usec begun = clock_monotonic();
    bool hash = !w->answer->source->functions->check_password;
    enum lookup status =
        directory_check_answer(w->auth->directory, w->answer, password, &step->trace, &e);
    step->took = clock_monotonic() - begun;
    step->text = arena_printf(w->arena, "%s by %s%s",
                              status == LOOKUP_FOUND       ? "right"
                              : status == LOOKUP_NOT_FOUND ? "wrong"
                                                           : "cannot be told",
                              hash ? "the hash in " : "", w->answer->source->name);
    if (status == LOOKUP_FOUND)
        return;
    if (strcmp(e.text, "wrong_password") != 0)
        step->text = arena_printf(w->arena, "%.*s: %s", STR_ARG(step->text), e.text);
    stop(w, step, status == LOOKUP_TEMPFAIL ? AUTH_STEP_FAILED : AUTH_STEP_REFUSED, e.text);
}

/* False: it is none, and the user's own is the question. */
static bool explain_app_password(struct explaining *w, struct str password)
{
    struct err e = {0};
    if (!directory_is_app_password(password))
        return false;
    struct auth_step *step = add_step(w, "password");
    enum lookup status =
        directory_check_app_password(w->auth->directory, w->answer->found.account.login, password,
                                     guard_protocol(w->peer), w->peer->address, &e);
    if (status == LOOKUP_NOT_FOUND && e.kind == ERR_NOT_FOUND) {
        step->text = STR("it looks like an application password, but is none of this account");
        return false;
    }
    step->text = STR("an application password of this account");
    if (status != LOOKUP_FOUND) {
        step->text = arena_printf(w->arena, "%.*s: %s", STR_ARG(step->text), e.text);
        stop(w, step, status == LOOKUP_TEMPFAIL ? AUTH_STEP_FAILED : AUTH_STEP_REFUSED, e.text);
    }
    return true;
}

static void explain_account(struct explaining *w, const char *name, const struct account *account,
                            bool exempt)
{
    struct auth_step *step = add_step(w, name);
    if (!account->no_login) {
        step->text = arena_printf(w->arena, "%.*s may log in", STR_ARG(account->login));
        return;
    }
    step->text = arena_printf(w->arena, "%.*s is %s", STR_ARG(account->login), account->no_login);
    if (!exempt)
        stop(w, step, AUTH_STEP_REFUSED, account->no_login);
}

static void explain_access(struct explaining *w, const struct account *account)
{
    const char *reason = "";
    struct auth_step *step = add_step(w, "access");
    enum account_protocol protocol = guard_protocol(w->peer);
    bool ok = auth_may_use(w->auth, account, protocol, w->peer->address, &reason);
    step->text = arena_printf(w->arena, "%s from %s is %s; the account's protocols: %.*s",
                              w->peer->component, w->peer->address, ok ? "allowed" : "not allowed",
                              STR_ARG(account_protocols_text(w->arena, account->protocols)));
    if (!ok)
        stop(w, step, AUTH_STEP_REFUSED, reason);
}

/* Who he is from now on. */
static const struct account *explain_master(struct explaining *w, struct str as)
{
    const struct account *own = &w->answer->found.account;
    if (as.n == 0)
        return own;
    struct answer *target = look_up(w, "master", QUESTION_ACCOUNT, as, "authorization_identity");
    if (!target)
        return NULL;
    const struct account *other = &target->found.account;
    struct auth_step *step = add_step(w, "master");
    if (auth_may_become(w->auth, own, other)) {
        step->text =
            arena_printf(w->arena, "%.*s may be %.*s", STR_ARG(own->login), STR_ARG(other->login));
        return other;
    }
    step->text =
        arena_printf(w->arena, "%.*s may not be %.*s", STR_ARG(own->login), STR_ARG(other->login));
    stop(w, step, AUTH_STEP_REFUSED, "authorization_identity");
    return NULL;
}

static void explain_identity(struct explaining *w, struct str as)
{
    explain_account(w, "account", &w->answer->found.account, false);
    const struct account *account = explain_master(w, as);
    if (!account)
        return;
    if (account != &w->answer->found.account)
        explain_account(w, "account", account, w->auth->settings.master_disabled);
    explain_access(w, account);
    if (w->x->result == AUTH_STEP_OK)
        w->x->account = account;
}

void auth_explain(struct auth *a, const struct auth_peer *peer, struct str user,
                  struct str password, struct arena *arena, struct auth_explanation *x)
{
    struct str login, as;
    struct explaining w = {a, peer, arena, x, NULL};
    *x = (struct auth_explanation){.reason = STR("")};
    x->steps = arena_array(arena, STEPS_MAX, sizeof(*x->steps));
    auth_split_login(a, user, &login, &as);
    explain_form(&w, login, as, password);
    w.answer = look_up(&w, "login", QUESTION_LOGIN, login, "unknown_user");
    explain_penalties(&w, w.answer ? w.answer->found.account.login : login);
    if (!w.answer)
        return;
    if (password.n > 0 && !explain_app_password(&w, password))
        explain_password(&w, password);
    explain_identity(&w, as);
}
