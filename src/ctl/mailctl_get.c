/*
 * One call of "messages get". A message that the server cannot read is reported on standard error
 * and left out; the others go on.
 */
#include "ctl/mailctl_get.h"

#include "ctl/mailctl_interrupt.h"

#include <stdio.h>

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

bool find_user(struct mailctl *m, const char *login, json_t **user, struct err *e)
{
    struct client *c = client_open(m, e);
    bool ok = c && client_call(c, "user show", json_pack("{s:s}", "login", login), user, e);
    if (c)
        client_close(c);
    return ok;
}

/* Appends the logins of all users. */
static bool add_logins(struct client *c, json_t *logins, struct err *e)
{
    json_t *item;
    enum client_got got = CLIENT_FAILED;
    if (!client_begin(c, "user list", NULL, e))
        return false;
    while ((got = client_next(c, &item, e)) == CLIENT_ITEM) {
        json_array_append(logins, json_object_get(item, "login"));
        json_decref(item);
    }
    if (got == CLIENT_DONE)
        json_decref(item);
    return got == CLIENT_DONE;
}

json_t *logins_of(struct mailctl *m, const char *user, struct err *e)
{
    json_t *logins = json_array();
    if (user) {
        json_array_append_new(logins, json_string(user));
        return logins;
    }
    struct client *c = client_open(m, e);
    bool ok = c && add_logins(c, logins, e);
    if (c)
        client_close(c);
    if (ok)
        return logins;
    json_decref(logins);
    return NULL;
}
