/*
 * What logins are proved with. Who asks knows the account first (directory_ask.c, never an answer
 * that is too old), then its source is asked whether the password is right, or the hash that it
 * gave is computed. A user who does not exist costs a hash as well.
 *
 * A password may have been changed, or an entry moved, in a directory that does not tell us: what
 * is wrong by a remembered answer is asked for again, and only what is wrong by a new one is wrong.
 * The embedded directory does tell us.
 */
#include "auth/directory_internal.h"

#include "auth/password.h"
#include "core/worker.h"

struct verification {
    struct str password;
    const char *hash;
    enum password_match match;
};

static void verify_on_worker(void *arg)
{
    struct verification *v = arg;
    v->match = password_verify(v->password, v->hash);
}

/* The reason is for the log; the client hears the same for all. */
static enum lookup refuse(struct err *e, const char *reason)
{
    err_set(e, ERR_DENIED, "%s", reason);
    return LOOKUP_NOT_FOUND;
}

static enum lookup verify(struct verification *v, struct err *e)
{
    if (worker_backlog(WORKER_AUTH) > LOGINS_WAITING_MAX) {
        err_set(e, ERR_TEMP, "too many logins are waiting for their password check");
        return LOOKUP_TEMPFAIL;
    }
    worker_run(WORKER_AUTH, verify_on_worker, v);
    return v->match == PASSWORD_RIGHT ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}

static enum lookup check_nobody(struct directory *d, struct str password, struct err *e)
{
    struct verification v = {password, d->impossible_hash, PASSWORD_WRONG};
    enum lookup status = verify(&v, e);
    return status == LOOKUP_TEMPFAIL ? status : refuse(e, "unknown_user");
}

/* Nothing is remembered of who may not log in: the time would tell that the password was right. */
static enum lookup check_hash(struct directory *d, const struct source_account *found,
                              struct str password, struct err *e)
{
    struct success_tag tag;
    struct verification v = {password, found->hash, PASSWORD_WRONG};
    bool may_log_in = !found->account.no_login;
    success_make_tag(d->successes, found->account.login, v.hash, password, &tag);
    if (may_log_in && success_find(d->successes, &tag))
        return LOOKUP_FOUND;
    enum lookup status = verify(&v, e);
    if (status == LOOKUP_FOUND && may_log_in)
        success_put(d->successes, &tag);
    if (status != LOOKUP_NOT_FOUND)
        return status;
    if (v.match == PASSWORD_WRONG)
        return refuse(e, "wrong_password");
    err_set(e, ERR_TEMP, "the stored password of %.*s is of no method this system knows",
            STR_ARG(found->account.login));
    return LOOKUP_TEMPFAIL;
}

static enum lookup ask_whether_right(struct directory *d, const struct answer *answer,
                                     struct str password, struct lookup_trace *t, struct err *e)
{
    struct directory_source *s = answer->source;
    if (!directory_source_enter(s, e))
        return LOOKUP_TEMPFAIL;
    enum lookup status = s->functions->check_password(s->source, &answer->found, password, t, e);
    directory_source_leave(d, s);
    if (status == LOOKUP_NOT_FOUND)
        e->kind = ERR_DENIED;
    return status;
}

enum lookup directory_check_answer(struct directory *d, const struct answer *answer,
                                   struct str password, struct lookup_trace *t, struct err *e)
{
    if (password.n == 0)
        return refuse(e, "wrong_password");
    if (answer->source->functions->check_password)
        return ask_whether_right(d, answer, password, t, e);
    enum lookup status = check_hash(d, &answer->found, password, e);
    if (status == LOOKUP_FOUND && answer->source == d->embedded_source)
        embedded_password_upgrade(d, answer->found.account.login, answer->found.hash, password);
    return status;
}

/* Whether the source says something else by now. */
static bool is_outdated(const struct answer *old, const struct answer *new)
{
    return old->source != new->source || !str_equal(old->found.key, new->found.key) ||
           strcmp(old->found.hash, new->found.hash) != 0;
}

static enum lookup check(struct directory *d, struct str login, struct answer **answer,
                         struct str password, struct err *e)
{
    struct answer *again;
    struct str key;
    struct err why = {0};
    enum lookup status = directory_check_answer(d, *answer, password, NULL, e);
    if (status != LOOKUP_NOT_FOUND || (*answer)->source == d->embedded_source || password.n == 0 ||
        !directory_login_key(d, login, &key))
        return status;
    switch (directory_ask_anew(d, key, &again, &why)) {
    case LOOKUP_FOUND:
        break;
    case LOOKUP_NOT_FOUND:
        return refuse(e, "unknown_user");
    case LOOKUP_TEMPFAIL:
        *e = why;
        return LOOKUP_TEMPFAIL;
    }
    if (is_outdated(*answer, again))
        status = directory_check_answer(d, again, password, NULL, e);
    answer_unref(*answer);
    *answer = again;
    return status;
}

enum lookup directory_check_password(struct directory *d, struct str login, struct str password,
                                     struct arena *a, struct account *account, struct err *e)
{
    struct answer *answer;
    struct str key;
    struct err unused;
    e = e ? e : &unused;
    enum lookup status = LOOKUP_NOT_FOUND;
    if (directory_login_key(d, login, &key))
        status = directory_ask(d, key, &answer, e);
    if (status == LOOKUP_TEMPFAIL)
        return status;
    if (status == LOOKUP_NOT_FOUND)
        return check_nobody(d, password, e);
    status = check(d, login, &answer, password, e);
    if (status == LOOKUP_FOUND && answer->found.account.no_login)
        status = refuse(e, answer->found.account.no_login);
    if (status == LOOKUP_FOUND)
        *account = directory_account_of(d, answer);
    answer_give(answer, a);
    return status;
}

enum lookup directory_find_secrets(struct directory *d, struct str login, struct arena *a,
                                   struct directory_secrets *secrets, struct err *e)
{
    struct answer *answer;
    struct str key;
    if (!directory_login_key(d, login, &key))
        return LOOKUP_NOT_FOUND;
    enum lookup status = directory_ask(d, key, &answer, e);
    if (status != LOOKUP_FOUND)
        return status;
    *secrets = (struct directory_secrets){directory_account_of(d, answer), answer->found.scram_sha1,
                                          answer->found.scram_sha256, answer->found.cram_md5};
    answer_give(answer, a);
    return LOOKUP_FOUND;
}

/* --- setting one --- */

static bool set_password(struct directory *d, struct directory_source *s,
                         const struct source_account *account, struct str password, struct err *e)
{
    if (!s->functions->set_password)
        return err_set(e, ERR_PERM, "passwords of %s are not set here, but where it is kept",
                       s->name);
    if (!directory_source_enter(s, e))
        return false;
    bool ok = s->functions->set_password(s->source, account, str_from(NULL, 0), password, e);
    directory_source_leave(d, s);
    return ok;
}

bool directory_set_password(struct directory *d, struct str login, struct str password,
                            struct err *e)
{
    struct str key;
    struct answer *answer;
    enum lookup status = LOOKUP_NOT_FOUND;
    if (directory_login_key(d, login, &key))
        status = directory_ask_anew(d, key, &answer, e);
    if (status == LOOKUP_TEMPFAIL)
        return false;
    if (status == LOOKUP_NOT_FOUND)
        return directory_set_embedded_password(d, login, password, e);
    bool ok;
    if (answer->source == d->embedded_source) {
        ok = directory_set_embedded_password(d, answer->found.account.login, password, e);
    } else {
        ok = password_check_form(password, e) &&
             set_password(d, answer->source, &answer->found, password, e);
        directory_forget_name(d, answer->found.account.login);
    }
    answer_unref(answer);
    return ok;
}
