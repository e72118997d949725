/*
 * What is done to the messages that a query finds: search, expunge, move, copy, flags. Changes go
 * through the mailboxes that sessions have open, in steps, each durable when it is counted.
 */
#include "ctl/ctl_change.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_query.h"
#include "imap/number_set.h"
#include "imap/parser.h"
#include "imap/selected.h"
#include "store/action_log.h"

/* Messages of one step: as many as one record, and no mailbox is held for long. */
#define STEP 5000

struct action {
    struct ctl_call *call;
    const char *who; /* for the log */
    uint64_t done, mailboxes;
    /* of a move or copy */
    struct account account;
    struct mailbox *target;
    bool move;
    /* of flags */
    enum flags_change change;
    struct imap_flags flags;
};

static json_t *counts(const struct action *a, const struct ctl_query *q)
{
    return json_pack("{s:I, s:I, s:I}", "messages", (json_int_t)a->done, "mailboxes",
                     (json_int_t)a->mailboxes, "failed", (json_int_t)q->failed);
}

static struct actor actor_of(const struct action *a, const struct ctl_found *f)
{
    return (struct actor){
        .component = "ctl", .login = f->account->login, .by = a->who, .to_login = a->account.login};
}

static SUSPENDS bool run(struct ctl_call *c, const json_t *args, struct action *a,
                         struct ctl_query *q, json_t **result, struct err *e)
{
    struct arena *arena = arena_new();
    a->call = c;
    a->who = ctl_who(c, arena);
    q->arg = a;
    bool ok = ctl_query_run(c, args, q, e);
    arena_free(arena);
    if (ok)
        *result = counts(a, q);
    return ok;
}

/* --- search --- */

static bool tell_found(void *arg, const struct ctl_found *f, struct err *e)
{
    struct action *a = arg;
    struct buf set = BUF_EMPTY;
    json_t *item = ctl_mailbox_item(f->account, mailbox_name(f->mailbox));
    number_set_write(&set, f->uids, f->count);
    json_object_set_new(item, "count", json_integer((json_int_t)f->count));
    json_object_set_new(item, "uids", ctl_json_str(buf_str(&set)));
    buf_free(&set);
    a->done += f->count;
    a->mailboxes++;
    return ctl_send_item(f->call, item, e);
}

static bool search(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct action a = {0};
    struct ctl_query q = {.found = tell_found};
    return run(c, args, &a, &q, result, e);
}

/* --- expunge --- */

static bool expunge_found(void *arg, const struct ctl_found *f, struct err *e)
{
    struct action *a = arg;
    a->mailboxes++;
    for (size_t i = 0; i < f->count; i += STEP) {
        size_t n = f->count - i < STEP ? f->count - i : STEP;
        if (!mailbox_expunge(f->mailbox, f->uids + i, n, e))
            return false;
        action_log_messages(actor_of(a, f), "expunge", f->mailbox, f->uids + i, n);
        a->done += n;
        if (!ctl_progress(a->call, a->done, 0, e))
            return false;
    }
    return true;
}

static bool expunge(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct action a = {0};
    struct ctl_query q = {.found = expunge_found};
    return run(c, args, &a, &q, result, e);
}

/* --- move and copy --- */

static bool copy_found(void *arg, const struct ctl_found *f, struct err *e)
{
    struct action *a = arg;
    a->mailboxes++;
    for (size_t i = 0; i < f->count; i += STEP) {
        size_t n = f->count - i < STEP ? f->count - i : STEP, done;
        struct arena *arena = arena_new();
        uint32_t *source, *copies;
        bool ok = mailbox_copy(f->mailbox, f->uids + i, n, a->target, a->move, arena, &source,
                               &copies, &done, e);
        if (ok)
            action_log_transfer(actor_of(a, f), a->move ? "move" : "copy", f->mailbox, a->target,
                                source, copies, done);
        arena_free(arena);
        if (!ok)
            return false;
        a->done += done;
        if (!ctl_progress(a->call, a->done, 0, e))
            return false;
    }
    return true;
}

/* The target is no source. */
static bool is_target(void *arg, const struct account *account, struct str name)
{
    const struct action *a = arg;
    return str_equal(account->login, a->account.login) && str_equal(name, mailbox_name(a->target));
}

static SUSPENDS bool open_target(const struct ctl_context *c, const json_t *args, struct action *a,
                                 struct arena *arena, struct err *e)
{
    struct str to, user;
    if (!ctl_arg_str(args, "to", &to, e) || !ctl_arg_optional(args, "to_user", &user, e))
        return false;
    json_t *who = json_object();
    json_object_set_new(
        who, "user", user.n > 0 ? ctl_json_str(user) : json_incref(json_object_get(args, "user")));
    bool ok = ctl_account(c, who, arena, &a->account, e);
    json_decref(who);
    if (!ok)
        return false;
    struct err error;
    if (json_is_true(json_object_get(args, "create")) &&
        !store_create_mailbox(c->store, &a->account, to, &error) && error.kind != ERR_EXISTS) {
        *e = error;
        return false;
    }
    return mailbox_open(c->store, &a->account, to, &a->target, e);
}

static SUSPENDS bool transfer(struct ctl_call *c, const json_t *args, bool move, json_t **result,
                              struct err *e)
{
    struct action a = {.move = move};
    struct ctl_query q = {.found = copy_found, .skips = is_target};
    struct arena *arena = arena_new();
    bool ok = open_target(c->context, args, &a, arena, e);
    if (ok) {
        ok = run(c, args, &a, &q, result, e);
        mailbox_unref(a.target);
    }
    arena_free(arena);
    return ok;
}

static bool move(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    return transfer(c, args, true, result, e);
}

static bool copy(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    return transfer(c, args, false, result, e);
}

/* --- flags --- */

static bool change_found(void *arg, const struct ctl_found *f, struct err *e)
{
    struct action *a = arg;
    struct flags_request request = {.uids = f->uids,
                                    .count = f->count,
                                    .change = a->change,
                                    .flags = a->flags.flags,
                                    .keywords = a->flags.keywords,
                                    .keyword_count = a->flags.keyword_count};
    if (!mailbox_change_flags(f->mailbox, &request, e))
        return false;
    action_log_flags(actor_of(a, f), f->mailbox, &request);
    a->mailboxes++;
    a->done += f->count;
    return ctl_progress(a->call, a->done, 0, e);
}

static bool take_change(const json_t *args, enum flags_change *change, struct err *e)
{
    static const struct {
        const char *name;
        enum flags_change change;
    } names[] = {{"add", FLAGS_ADD}, {"remove", FLAGS_REMOVE}, {"set", FLAGS_REPLACE}};
    struct str name;
    if (!ctl_arg_str(args, "change", &name, e))
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (str_equal(name, str_from_c(names[i].name))) {
            *change = names[i].change;
            return true;
        }
    }
    return err_set(e, ERR_SYNTAX, "change: add, remove or set");
}

/* "\Seen $Junk" */
static bool take_flags(const json_t *args, struct arena *a, struct imap_flags *flags, struct err *e)
{
    struct str text, word;
    uint8_t flag;
    if (!ctl_arg_optional(args, "flags", &text, e))
        return false;
    flags->keywords = arena_array(a, text.n + 1, sizeof(*flags->keywords));
    while ((word = str_word(&text)).p) {
        if (imap_flag_find(word, &flag))
            flags->flags |= flag;
        else if (imap_is_atom(word))
            flags->keywords[flags->keyword_count++] = word;
        else
            return err_set(e, ERR_SYNTAX,
                           "%.*s is no flag: \\Answered, \\Flagged, \\Deleted, \\Seen, \\Draft or "
                           "a keyword",
                           STR_ARG(word));
    }
    return true;
}

static bool change_flags(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct action a = {0};
    struct ctl_query q = {.found = change_found};
    struct arena *arena = arena_new();
    bool ok = take_change(args, &a.change, e) && take_flags(args, arena, &a.flags, e) &&
              run(c, args, &a, &q, result, e);
    arena_free(arena);
    return ok;
}

const struct ctl_stream_verb ctl_message_verbs[] = {
    {"search", CTL_OWN_MAIL("user", "query"), search},
    {"expunge", CTL_ADMIN, expunge},
    {"move", CTL_ADMIN, move},
    {"copy", CTL_ADMIN, copy},
    {"flags", CTL_ADMIN, change_flags},
    {0},
};
