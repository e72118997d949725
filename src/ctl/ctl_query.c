/*
 * Searching users' mailboxes. A mailbox whose name excludes it is not even opened; in the others
 * the same code as for IMAP's SEARCH finds the messages, over the messages there are at that
 * moment. A mailbox that cannot be read is told and passed over, so that one broken mailbox does
 * not hide the others.
 */
#include "ctl/ctl_query.h"

#include "ctl/ctl_json.h"
#include "imap/search.h"
#include "imap/search_words.h"
#include "imap/selected.h"

#include <stdlib.h>

struct querying {
    struct ctl_call *call;
    struct ctl_query *query;
    const struct account *account;
    const struct imap_argument *keys;
    struct err told; /* progress could not be sent */
};

static struct search_scope scope_for(struct arena *a, struct str name)
{
    return (struct search_scope){.arena = a,
                                 .words = true,
                                 .charset = STR("UTF-8"),
                                 .name = name,
                                 .now = clock_wall() / USEC_SEC};
}

static bool breathe(void *arg, size_t done)
{
    struct querying *q = arg;
    (void)done;
    return ctl_progress(q->call, q->query->messages, 0, &q->told);
}

/* The UIDs found, in `a`. */
static SUSPENDS bool search(struct querying *q, struct mailbox *m, struct arena *a,
                            uint32_t **found, size_t *count, struct err *e)
{
    struct search_program program;
    struct search_scope scope = scope_for(a, mailbox_name(m));
    const struct message *messages = mailbox_messages(m, &scope.count);
    uint32_t *uids = arena_array(a, scope.count + 1, sizeof(*uids));
    for (size_t i = 0; i < scope.count; i++)
        uids[i] = messages[i].uid;
    scope.uids = uids;
    scope.mailbox = m;
    if (!search_compile(&scope, q->keys, &program))
        return err_set(e, ERR_SYNTAX, "%.*s", STR_ARG(scope.error));
    struct number_range recent = {mailbox_claim_recent(m, true), UINT32_MAX};
    struct search_run run = {.context = q->call->context->imap,
                             .program = &program,
                             .mailbox = m,
                             .uids = uids,
                             .count = scope.count,
                             .recent = {&recent, 1},
                             .breathe = breathe,
                             .arg = q};
    bool ok = search_run(&run, e);
    *count = run.found_count;
    *found = arena_array(a, run.found_count + 1, sizeof(**found));
    for (size_t i = 0; i < run.found_count; i++)
        (*found)[i] = uids[run.found[i]];
    free(run.found);
    if (ok && q->told.kind) {
        *e = q->told;
        return false;
    }
    return ok;
}

static SUSPENDS bool search_mailbox(struct querying *q, struct str name, struct err *e)
{
    struct ctl_found f = {.call = q->call, .account = q->account};
    struct arena *a = arena_new();
    uint32_t *uids = NULL;
    if (!mailbox_open(q->call->context->store, q->account, name, &f.mailbox, e)) {
        arena_free(a);
        return e->kind == ERR_NOT_FOUND; /* deleted meanwhile */
    }
    bool ok = search(q, f.mailbox, a, &uids, &f.count, e);
    if (ok && f.count > 0) {
        f.uids = uids;
        q->query->messages += f.count;
        ok = q->query->found(q->query->arg, &f, e);
    }
    mailbox_unref(f.mailbox);
    arena_free(a);
    return ok;
}

static bool is_excluded(const struct querying *q, struct str name)
{
    struct search_program program;
    struct arena *a = arena_new();
    struct search_scope scope = scope_for(a, name);
    bool excluded = search_compile(&scope, q->keys, &program) && search_excludes(&program);
    arena_free(a);
    return excluded;
}

/* About one mailbox, not about the one who asked. */
static bool is_local(const struct err *e)
{
    return e->kind != ERR_CLOSED && e->kind != ERR_CANCELLED && e->kind != ERR_SYNTAX;
}

static SUSPENDS bool tell_failure(struct querying *q, struct str name, const struct err *failure,
                                  struct err *e)
{
    json_t *item = ctl_mailbox_item(q->account, name);
    json_object_set_new(item, "error", ctl_json_c(failure->text));
    q->query->failed++;
    return ctl_send_item(q->call, item, e);
}

static SUSPENDS bool search_account(struct querying *q, struct err *e)
{
    struct arena *a = arena_new();
    struct mailbox_info *list;
    size_t count = 0;
    struct ctl_query *query = q->query;
    bool ok = store_list_mailboxes(q->call->context->store, q->account, a, &list, &count, e);
    if (!ok && is_local(e)) {
        struct err failure = *e;
        ok = tell_failure(q, STR(""), &failure, e);
    }
    for (size_t i = 0; ok && i < count; i++) {
        if (!list[i].exists || is_excluded(q, list[i].name) ||
            (query->skips && query->skips(query->arg, q->account, list[i].name)))
            continue;
        ok = search_mailbox(q, list[i].name, e);
        if (!ok && is_local(e)) {
            struct err failure = *e;
            ok = tell_failure(q, list[i].name, &failure, e);
        }
    }
    arena_free(a);
    return ok;
}

/* The keys, checked. */
static bool take_keys(const json_t *args, struct arena *a, struct imap_argument **keys,
                      struct err *e)
{
    const json_t *query = json_object_get(args, "query");
    size_t count = json_array_size(query), i;
    struct search_scope scope = scope_for(a, STR(""));
    struct search_program program;
    json_t *word;
    struct str *words = arena_array(a, count + 1, sizeof(*words));
    json_array_foreach(query, i, word) words[i] =
        str_from(json_string_value(word), json_string_length(word));
    if (count == 0)
        return err_set(e, ERR_SYNTAX, "a query is missing; \"all\" finds all messages");
    return (search_words_parse(a, words, count, keys, &scope.error) &&
            search_compile(&scope, *keys, &program)) ||
           err_set(e, ERR_SYNTAX, "%.*s", STR_ARG(scope.error));
}

bool ctl_query_run(struct ctl_call *c, const json_t *args, struct ctl_query *query, struct err *e)
{
    struct arena *a = arena_new();
    struct account *accounts;
    struct imap_argument *keys;
    size_t count = 0;
    bool ok =
        take_keys(args, a, &keys, e) && ctl_accounts(c->context, args, a, &accounts, &count, e);
    for (size_t i = 0; ok && i < count; i++) {
        struct querying q = {.call = c, .query = query, .account = &accounts[i], .keys = keys};
        ok = search_account(&q, e);
    }
    arena_free(a);
    return ok;
}

json_t *ctl_mailbox_item(const struct account *account, struct str mailbox)
{
    json_t *item = json_object();
    json_object_set_new(item, "user", ctl_json_str(account->login));
    json_object_set_new(item, "mailbox", ctl_json_str(mailbox));
    return item;
}

void ctl_add_flags(struct buf *b, const struct mailbox *m, const struct message *message)
{
    imap_write_flags(b, m, message->flags, message->keywords, false);
}
