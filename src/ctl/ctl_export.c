/*
 * "messages get": whole mailboxes with their messages, as they are at one moment for each user
 * (store/snapshot.h). Backups and exports are written from it by mailctl. The items, in this order:
 *
 *   {"user": "alice@example.test", "subscriptions": [...], "mailboxes": 7, "messages": 1200}
 *     {"mailbox": "Old", "error": ...}   one that cannot be read
 *     {"mailbox": "Sent", "id": ..., "uid_validity": ..., "uid_next": ..., "messages": 20, ...}
 *       {"list": {"uid": 1, ...}}      for each message, if the list was asked for
 *       {"message": {"uid": 1, ...}}   and its bytes; or with "error" when it cannot be read
 *
 * args: "user" or "all"; "mailboxes", names or patterns; "list"; and "known", what need not be sent
 * because the peer has it from an earlier call: by mailbox id {"uid_validity", "uid_next", "again":
 * [UIDs below that one that it could not get, in their order]}. The lists are whole nevertheless.
 */
#include "core/mem.h"
#include "ctl/ctl_acl.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_metadata.h"
#include "ctl/ctl_query.h"
#include "imap/list_match.h"
#include "imap/selected.h"
#include "store/snapshot.h"

#include <stdlib.h>

struct exporting {
    struct ctl_call *call;
    const json_t *args;
    const struct account *account;
    struct mailbox_info *infos;
    size_t info_count;
    struct snapshot *snapshot;
    char *part;
    uint64_t done, failed;
};

/* --- what there is --- */

static bool is_asked_for(const struct exporting *x, const struct mailbox_info *info)
{
    const json_t *patterns = json_object_get(x->args, "mailboxes");
    size_t i;
    json_t *pattern;
    if (!info->exists || json_array_size(patterns) == 0)
        return info->exists;
    json_array_foreach(patterns, i, pattern) if (list_match(str_from_c(json_string_value(pattern)),
                                                            info->name)) return true;
    return false;
}

static const struct mailbox_info *info_of(const struct exporting *x, struct str name)
{
    for (size_t i = 0; i < x->info_count; i++)
        if (str_equal(x->infos[i].name, name))
            return &x->infos[i];
    return NULL;
}

static json_t *message_json(const struct exporting *x, size_t mailbox, const struct message *m)
{
    json_t *json = json_object();
    struct buf flags = BUF_EMPTY;
    imap_write_flags(&flags, NULL, m->flags, 0, false);
    json_object_set_new(json, "uid", json_integer(m->uid));
    json_object_set_new(json, "flags", ctl_json_str(buf_str(&flags)));
    json_object_set_new(json, "keywords", ctl_json_str(snapshot_keywords(x->snapshot, mailbox, m)));
    json_object_set_new(json, "date", json_integer(m->internal_date));
    json_object_set_new(json, "saved", json_integer(m->save_date));
    json_object_set_new(json, "size", json_integer((json_int_t)m->size));
    json_object_set_new(json, "size_crlf", json_integer((json_int_t)m->size_crlf));
    buf_free(&flags);
    return json;
}

/* --- what is known already --- */

struct known {
    uint32_t next;       /* UIDs below are known */
    const json_t *again; /* in ascending order */
};

/* Each message is looked for in it, and it may be as long as a request. */
static bool is_in_order(const json_t *list)
{
    for (size_t i = 1; i < json_array_size(list); i++)
        if (json_integer_value(json_array_get(list, i - 1)) >
            json_integer_value(json_array_get(list, i)))
            return false;
    return true;
}

static struct known known_of(const struct exporting *x, const struct snapshot_mailbox *box)
{
    struct known k = {0};
    struct buf id = BUF_EMPTY;
    buf_add_str(&id, box->id);
    const json_t *json = json_object_get(json_object_get(x->args, "known"), buf_c(&id));
    if (json_integer_value(json_object_get(json, "uid_validity")) == box->uid_validity) {
        json_int_t next = json_integer_value(json_object_get(json, "uid_next"));
        k.next = next > 0 && next <= UINT32_MAX ? (uint32_t)next : 0;
        k.again = json_object_get(json, "again");
        if (!is_in_order(k.again))
            k.next = 0;
    }
    buf_free(&id);
    return k;
}

static bool is_known(const struct known *k, uint32_t uid)
{
    size_t low = 0, high = json_array_size(k->again);
    if (uid >= k->next)
        return false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (json_integer_value(json_array_get(k->again, middle)) < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return json_integer_value(json_array_get(k->again, low)) != uid;
}

static SUSPENDS bool count_unknown(const struct exporting *x, const struct snapshot_mailbox *box,
                                   size_t *count, struct err *e)
{
    struct known k = known_of(x, box);
    bool ok = true;
    for (size_t i = 0; ok && i < box->count; i++) {
        *count += !is_known(&k, box->messages[i].uid);
        ok = ctl_breathe(x->call, e);
    }
    return ok;
}

/* --- the items --- */

/* What cannot be read is left out: the messages count more. */
static SUSPENDS void add_metadata(struct exporting *x, json_t *item, struct str mailbox)
{
    struct err e;
    json_t *list = ctl_metadata_json(x->call->context->store, x->account, mailbox, &e);
    if (list)
        json_object_set_new(item, "metadata", list);
}

static SUSPENDS void add_acl(struct exporting *x, json_t *item, struct str mailbox)
{
    struct store *store = x->call->context->store;
    if (str_equal(x->account->login, store_public_account(store)->login))
        json_object_set_new(item, "acl", ctl_acl_json(store, mailbox));
}

static SUSPENDS bool send_user(struct exporting *x, struct err *e)
{
    size_t count, messages = 0;
    const struct snapshot_mailbox *boxes = snapshot_mailboxes(x->snapshot, &count);
    for (size_t i = 0; i < count; i++)
        if (!count_unknown(x, &boxes[i], &messages, e))
            return false;
    json_t *item = json_object(), *subscriptions = json_array();
    for (size_t i = 0; i < x->info_count; i++)
        if (x->infos[i].subscribed)
            json_array_append_new(subscriptions, ctl_json_str(x->infos[i].name));
    json_object_set_new(item, "user", ctl_json_str(x->account->login));
    json_object_set_new(item, "name", ctl_json_str(x->account->name));
    json_object_set_new(item, "subscriptions", subscriptions);
    json_object_set_new(item, "mailboxes", json_integer((json_int_t)count));
    json_object_set_new(item, "messages", json_integer((json_int_t)messages));
    add_metadata(x, item, STR(""));
    add_acl(x, item, STR(""));
    return ctl_send_item(x->call, item, e);
}

static SUSPENDS bool send_mailbox(struct exporting *x, const struct snapshot_mailbox *box,
                                  struct err *e)
{
    json_t *item = json_object();
    const struct mailbox_info *info = info_of(x, box->name);
    json_object_set_new(item, "mailbox", ctl_json_str(box->name));
    json_object_set_new(item, "special_use", ctl_json_str(info ? info->special_use : STR("")));
    json_object_set_new(item, "id", ctl_json_str(box->id));
    json_object_set_new(item, "uid_validity", json_integer(box->uid_validity));
    json_object_set_new(item, "uid_next", json_integer(box->uid_next));
    json_object_set_new(item, "messages", json_integer((json_int_t)box->count));
    add_metadata(x, item, box->name);
    add_acl(x, item, box->name);
    return ctl_send_item(x->call, item, e);
}

static SUSPENDS bool send_list(struct exporting *x, size_t mailbox,
                               const struct snapshot_mailbox *box, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; ok && i < box->count; i++)
        ok = ctl_send_item(x->call,
                           json_pack("{s:o}", "list", message_json(x, mailbox, &box->messages[i])),
                           e) &&
             ctl_progress(x->call, x->done, 0, e);
    return ok;
}

/* --- messages --- */

static SUSPENDS bool send_failure(struct exporting *x, json_t *message, const struct err *failure,
                                  struct err *e)
{
    x->failed++;
    return ctl_send_item(
        x->call, json_pack("{s:o, s:o}", "message", message, "error", ctl_json_c(failure->text)),
        e);
}

/* The parts behind the first one, which was not the last. */
static SUSPENDS bool send_rest(struct exporting *x, struct message_reader *r, struct err *e)
{
    struct err failure;
    size_t got;
    for (uint64_t at = CTL_PART_MAX;; at += got) {
        if (!message_read_at(r, x->part, CTL_PART_MAX, at, &got, &failure)) {
            x->failed++;
            return ctl_send_broken(x->call, &failure, e);
        }
        bool more = got == CTL_PART_MAX;
        if (!ctl_send_bytes(x->call, NULL, str_from(x->part, got), more, e))
            return false;
        if (!more)
            return true;
    }
}

static SUSPENDS bool send_message(struct exporting *x, size_t mailbox, size_t i,
                                  const struct message *m, struct err *e)
{
    json_t *message = message_json(x, mailbox, m);
    struct message_reader *r;
    struct err failure;
    size_t got;
    if (!snapshot_open(x->snapshot, mailbox, i, &r, &failure))
        return send_failure(x, message, &failure, e);
    bool ok = message_read_at(r, x->part, CTL_PART_MAX, 0, &got, &failure);
    if (!ok) {
        message_close(r);
        return send_failure(x, message, &failure, e);
    }
    bool more = got == CTL_PART_MAX;
    if (!more) /* what the file says, not what was noted */
        json_object_set_new(message, "size", json_integer((json_int_t)got));
    ok = ctl_send_bytes(x->call, json_pack("{s:o}", "message", message), str_from(x->part, got),
                        more, e) &&
         (!more || send_rest(x, r, e));
    message_close(r);
    x->done++;
    return ok && ctl_progress(x->call, x->done, 0, e);
}

/* The mailboxes that cannot be read at all. */
static SUSPENDS bool send_failures(struct exporting *x, struct err *e)
{
    size_t count;
    const struct snapshot_failure *failures = snapshot_failures(x->snapshot, &count);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = ctl_send_item(x->call,
                           json_pack("{s:o, s:o}", "mailbox", ctl_json_str(failures[i].name),
                                     "error", ctl_json_c(failures[i].error.text)),
                           e);
    x->failed += count;
    return ok;
}

static SUSPENDS bool send_snapshot(struct exporting *x, struct err *e)
{
    size_t count;
    const struct snapshot_mailbox *boxes = snapshot_mailboxes(x->snapshot, &count);
    bool list = json_is_true(json_object_get(x->args, "list"));
    bool ok = send_user(x, e) && send_failures(x, e);
    for (size_t i = 0; ok && i < count; i++) {
        ok = send_mailbox(x, &boxes[i], e) && (!list || send_list(x, i, &boxes[i], e));
        struct known known = known_of(x, &boxes[i]);
        for (size_t k = 0; ok && k < boxes[i].count; k++)
            ok = is_known(&known, boxes[i].messages[k].uid)
                     ? ctl_breathe(x->call, e)
                     : send_message(x, i, k, &boxes[i].messages[k], e);
    }
    return ok;
}

static SUSPENDS bool export_account(struct exporting *x, size_t *found, struct err *e)
{
    struct arena *a = arena_new();
    struct store *store = x->call->context->store;
    bool ok = store_list_mailboxes(store, x->account, a, &x->infos, &x->info_count, e);
    struct str *names = arena_array(a, x->info_count + 1, sizeof(*names));
    size_t count = 0;
    for (size_t i = 0; ok && i < x->info_count; i++) {
        if (is_asked_for(x, &x->infos[i]))
            names[count++] = x->infos[i].name;
        ok = ctl_breathe(x->call, e);
    }
    if (ok) {
        *found += count;
        x->snapshot = snapshot_take(store, x->account, names, count, e);
        ok = x->snapshot && send_snapshot(x, e);
        snapshot_free(x->snapshot);
    }
    arena_free(a);
    return ok;
}

/* The account of *e cannot be read: that is told, and the others have their turn. */
static SUSPENDS bool tell_account(struct exporting *x, struct err *e)
{
    if (e->kind == ERR_CLOSED || e->kind == ERR_CANCELLED)
        return false;
    x->failed++;
    return ctl_send_item(x->call,
                         json_pack("{s:o, s:o}", "user", ctl_json_str(x->account->login), "error",
                                   ctl_json_c(e->text)),
                         e);
}

static bool get(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct exporting x = {.call = c, .args = args, .part = mem_alloc(CTL_PART_MAX)};
    struct arena *a = arena_new();
    struct account *accounts;
    size_t count = 0, found = 0;
    bool ok = ctl_accounts(c->context, args, a, &accounts, &count, e);
    for (size_t i = 0; ok && i < count; i++) {
        x.account = &accounts[i];
        ok = export_account(&x, &found, e) || (count > 1 && tell_account(&x, e));
    }
    if (ok && found == 0 && count > 0)
        ok = err_set(e, ERR_NOT_FOUND, "there is no such mailbox");
    if (ok)
        *result =
            json_pack("{s:I, s:I}", "messages", (json_int_t)x.done, "failed", (json_int_t)x.failed);
    free(x.part);
    arena_free(a);
    return ok;
}

const struct ctl_stream_verb ctl_export_verbs[] = {
    {"messages get", CTL_OWN_MAIL("user", "mailboxes list known"), get}, {0}};
