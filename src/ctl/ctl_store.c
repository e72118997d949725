/*
 * The store as a whole: check, rebuild, release, flush.
 */
#include "auth/directory.h"
#include "core/crash.h"
#include "core/journal.h"
#include "core/log.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"
#include "store/check.h"
#include "store/mailbox.h"

/* --- check --- */

struct check_call {
    struct ctl_call *call;
    const struct account *account;
};

static bool send_finding(void *arg, const struct check_finding *f, struct err *e)
{
    const struct check_call *k = arg;
    json_t *json = json_object();

    json_object_set_new(json, "user", ctl_json_str(k->account->login));
    json_object_set_new(json, "mailbox", ctl_json_str(f->mailbox));
    json_object_set_new(json, "finding", ctl_json_str(f->text));
    json_object_set_new(json, "harmless", json_boolean(f->harmless));
    json_object_set_new(json, "repaired", json_boolean(f->repaired));
    return ctl_send_item(k->call, json, e);
}

static bool tell_progress(void *arg, uint64_t messages, struct err *e)
{
    return ctl_progress(((const struct check_call *)arg)->call, messages, 0, e);
}

/* An account that cannot be looked at is a finding; the others go on. */
static SUSPENDS bool check_account(struct check_call *k, struct store_check *c, struct err *e)
{
    struct err why = {0};

    if (store_check(k->call->context->store, k->account, c, &why))
        return true;
    if (why.kind == ERR_CANCELLED || why.kind == ERR_CLOSED || why.kind == ERR_TIMEOUT)
        return err_set(e, why.kind, "%s", why.text);
    c->findings++;
    return send_finding(k, &(struct check_finding){.text = str_from_c(why.text)}, e);
}

static bool check(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct arena *a = arena_new();
    struct check_call k = {.call = call};
    struct store_check c = {.repair = json_is_true(json_object_get(args, "repair")),
                            .found = send_finding,
                            .progress = tell_progress,
                            .arg = &k};
    struct account *accounts;
    size_t count = 0;
    bool ok = ctl_accounts(call->context, args, a, &accounts, &count, e);

    for (size_t i = 0; ok && i < count; i++) {
        k.account = &accounts[i];
        ok = check_account(&k, &c, e);
    }
    if (ok)
        *result = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "users", (json_int_t)count,
                            "mailboxes", (json_int_t)c.mailboxes, "messages",
                            (json_int_t)c.messages, "bytes", (json_int_t)c.bytes, "findings",
                            (json_int_t)c.findings, "repaired", (json_int_t)c.repaired);
    arena_free(a);
    return ok;
}

/* --- rebuild --- */

static SUSPENDS bool rebuild_one(struct ctl_call *call, const struct account *account,
                                 struct str name, struct err *e)
{
    uint64_t messages = 0;
    bool in_use = false;
    struct err why = {0};
    bool ok = store_rebuild_mailbox(call->context->store, account, name, &in_use, &messages, &why);
    json_t *json = json_object();

    json_object_set_new(json, "mailbox", ctl_json_str(name));
    json_object_set_new(json, "messages", json_integer((json_int_t)messages));
    json_object_set_new(json, "in_use", json_boolean(in_use));
    if (!ok)
        json_object_set_new(json, "error", ctl_json_c(why.text));
    return ctl_send_item(call, json, e) && ctl_progress(call, 0, 0, e);
}

static bool rebuild(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct arena *a = arena_new();
    struct account account;
    struct mailbox_info *list;
    struct str name;
    size_t count = 0;
    (void)result;
    bool ok = ctl_arg_optional(args, "mailbox", &name, e) &&
              ctl_account(call->context, args, a, &account, e);

    if (ok && name.n > 0)
        ok = rebuild_one(call, &account, name, e);
    else
        ok = ok && store_list_mailboxes(call->context->store, &account, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = !list[i].exists || rebuild_one(call, &account, list[i].name, e);
    arena_free(a);
    return ok;
}

/* --- release --- */

/* What was set aside because the server crashed with it is taken up again. */
static bool release(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct crashes *c = call->context->crashes;
    struct arena *a = arena_new();
    struct account account;
    struct str name;
    bool ok = ctl_arg_given(args, "mailbox", &name, e) &&
              ctl_account(call->context, args, a, &account, e);

    if (ok) {
        size_t mailboxes = crashes_forgive(c, SUSPECT_MAILBOX, account.home, name);
        size_t replays = name.p ? 0 : crashes_forgive(c, SUSPECT_REPLAY, account.home, STR(""));
        log_info("store", NULL, "released home=<%.*s> mailbox=<%.*s> crashes=%zu restart=%s",
                 STR_ARG(account.home), STR_ARG(name), mailboxes + replays, replays ? "yes" : "no");
        ok = crashes_save(c, e) ||
             err_prefix(e, "taken up again until the next start, since it cannot be written");
        *result = json_pack("{s:I, s:b}", "crashes", (json_int_t)(mailboxes + replays), "restart",
                            replays > 0);
    }
    arena_free(a);
    return ok;
}

/* --- flush --- */

static bool flush(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    const struct ctl_context *c = call->context;
    lsn before = journal_checkpointed(c->journal);
    usec begun = clock_monotonic();
    (void)args;

    if (!journal_checkpoint(c->journal, e))
        return false;
    *result =
        json_pack("{s:I, s:I}", "records", (json_int_t)(journal_checkpointed(c->journal) - before),
                  "milliseconds", (json_int_t)((clock_monotonic() - begun) / USEC_MSEC));
    return true;
}

/* --- accounts --- */

/* Whose mailboxes there are: who is meant, by its one name. */
static bool accounts(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct arena *a = arena_new();
    struct account *list;
    size_t count = 0;
    (void)result;
    bool ok = ctl_accounts(call->context, args, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = ctl_send_item(call, json_pack("{s:o}", "login", ctl_json_str(list[i].login)), e);
    arena_free(a);
    return ok;
}

const struct ctl_stream_verb ctl_store_verbs[] = {
    {"store accounts", CTL_OWN("user", ""), accounts},
    {"store check", CTL_ADMIN, check},
    {"store rebuild", CTL_ADMIN, rebuild},
    {"store release", CTL_ADMIN, release},
    {"store flush", CTL_ADMIN, flush},
    {0},
};
