/*
 * One call of "messages get". A message that the server cannot read is reported on standard error
 * and left out; the others go on.
 */
#include "mailctl/get.h"

#include "mailctl/interrupt.h"

struct getting {
    struct mailctl *m;
    struct client *client;
    const struct message_taker *taker;
    struct get_counts *counts;
    struct body body;
    json_t *mailbox;
    uint64_t done, of; /* of this call */
};

static bool receive_body(struct getting *g, struct err *e)
{
    struct str piece;
    body_clear(&g->body);
    do {
        if (!client_bytes(g->client, &piece, e) || !body_add(&g->body, piece, e))
            return false;
    } while (piece.n > 0);
    return true;
}

static bool take_unreadable(struct getting *g, const json_t *message, const char *why,
                            struct err *e)
{
    g->counts->failed++;
    progress_clear(g->m);
    fail("%s, UID %lld: %s", text_of(g->mailbox, "mailbox"), (long long)number_of(message, "uid"),
         why);
    return !g->taker->unreadable || g->taker->unreadable(g->taker->arg, message, e);
}

static bool take_message(struct getting *g, const json_t *item, const json_t *message,
                         struct err *e)
{
    const char *error = text_of(item, "error");
    struct err broken;
    g->done++;
    if (error[0])
        return take_unreadable(g, message, error, e);
    if (!receive_body(g, e)) {
        broken = *e;
        return client_is_broken(g->client) && take_unreadable(g, message, broken.text, e);
    }
    g->counts->messages++;
    g->counts->bytes += g->body.size;
    return g->taker->message(g->taker->arg, message, &g->body, e);
}

static bool take_mailbox(struct getting *g, json_t *item, struct err *e)
{
    const char *error = text_of(item, "error");
    if (error[0]) {
        g->counts->failed++;
        progress_clear(g->m);
        fail("%s: %s", text_of(item, "mailbox"), error);
        return true;
    }
    json_decref(g->mailbox);
    g->mailbox = json_incref(item);
    g->counts->mailboxes++;
    return !g->taker->mailbox || g->taker->mailbox(g->taker->arg, item, e);
}

static bool take_item(struct getting *g, json_t *item, struct err *e)
{
    const json_t *list = json_object_get(item, "list"), *message = json_object_get(item, "message");
    if (message)
        return take_message(g, item, message, e);
    if (list)
        return !g->taker->list || g->taker->list(g->taker->arg, list, e);
    if (json_object_get(item, "mailbox"))
        return take_mailbox(g, item, e);
    g->of = (uint64_t)number_of(item, "messages");
    return !g->taker->user || g->taker->user(g->taker->arg, item, e);
}

bool messages_get(struct mailctl *m, json_t *args, const struct message_taker *t,
                  struct get_counts *counts, struct err *e)
{
    struct getting g = {.m = m, .taker = t, .counts = counts, .body = BODY_EMPTY};
    json_t *json;
    g.client = client_open(m, e);
    if (!g.client) {
        json_decref(args);
        return false;
    }
    client_be_quiet(g.client);
    bool ok = client_begin(g.client, "messages get", args, e), done = false;
    while (ok && !done) {
        enum client_got got = client_next(g.client, &json, e);
        done = got == CLIENT_DONE;
        ok = got != CLIENT_FAILED && (done || take_item(&g, json, e));
        json_decref(json);
        if (ok && is_interrupted())
            ok = err_interrupted(e);
        progress_show(m, (int64_t)g.done, (int64_t)g.of, (int64_t)counts->bytes);
    }
    progress_clear(m);
    client_close(g.client);
    json_decref(g.mailbox);
    body_clear(&g.body);
    buf_free(&g.body.memory);
    return ok;
}

/* Appends what is known of the accounts that args name. */
static bool add_accounts(struct mailctl *m, json_t *args, json_t *accounts, struct err *e)
{
    json_t *item;
    enum client_got got = CLIENT_FAILED;
    struct client *c = client_open(m, e);
    if (!c)
        json_decref(args);
    else if (client_begin(c, "store accounts", args, e))
        while ((got = client_next(c, &item, e)) == CLIENT_ITEM)
            json_array_append_new(accounts, item);
    if (got == CLIENT_DONE)
        json_decref(item);
    if (c)
        client_close(c);
    return got == CLIENT_DONE;
}

bool find_user(struct mailctl *m, const char *login, json_t **user, struct err *e)
{
    json_t *accounts = json_array();
    bool ok = add_accounts(m, json_pack("{s:s}", "user", login), accounts, e);
    *user = json_incref(json_array_get(accounts, 0));
    json_decref(accounts);
    return ok;
}

json_t *logins_of(struct mailctl *m, const char *user, struct err *e)
{
    json_t *logins = json_array(), *accounts, *account;
    size_t i;
    if (user) {
        json_array_append_new(logins, json_string(user));
        return logins;
    }
    accounts = json_array();
    bool ok = add_accounts(m, json_pack("{s:b}", "all", 1), accounts, e);
    json_array_foreach(accounts, i, account)
        json_array_append(logins, json_object_get(account, "login"));
    json_decref(accounts);
    if (ok)
        return logins;
    json_decref(logins);
    return NULL;
}
