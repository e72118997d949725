/*
 * One connection, one call of "messages put" for each mailbox. The server answers when it has all
 * messages; if it refuses one, it says why and closes, which is seen when sending fails.
 */
#include "mailctl/put.h"

#include "mailctl/interrupt.h"

#include <stdio.h>

bool put_begin(struct putting *p, json_t *args, struct err *e)
{
    if (!p->client)
        p->client = client_open(p->m, e);
    if (!p->client) {
        json_decref(args);
        return false;
    }
    client_be_quiet(p->client);
    return client_begin(p->client, "messages put", args, e);
}

static bool send_piece(void *arg, struct str piece, struct err *e)
{
    struct putting *p = arg;
    json_t *item = p->first ? json_pack("{s:O}", "message", p->item) : NULL;
    p->first = false;
    return client_send(p->client, item, piece, true, e);
}

bool put_message(struct putting *p, const json_t *message, struct body *body, struct err *e)
{
    p->item = message;
    p->first = true;
    bool ok = body_each(body, send_piece, p, e);
    if (ok) {
        json_t *item = p->first ? json_pack("{s:O}", "message", message) : NULL;
        ok = client_send(p->client, item, STR(""), false, e);
    }
    if (!ok)
        return client_take_refusal(p->client, e);
    p->done++;
    p->counts.bytes += body->size;
    progress_show(p->m, (int64_t)p->done, (int64_t)p->of, (int64_t)p->counts.bytes);
    return !is_interrupted() || err_interrupted(e);
}

bool put_end(struct putting *p, struct err *e)
{
    json_t *result = NULL;
    if (!client_send_end(p->client, e))
        return client_take_refusal(p->client, e);
    if (client_next(p->client, &result, e) != CLIENT_DONE) {
        json_decref(result);
        return false;
    }
    p->counts.mailboxes++;
    p->counts.restored += (uint64_t)number_of(result, "restored");
    p->counts.present += (uint64_t)number_of(result, "present");
    p->counts.renumbered += (uint64_t)number_of(result, "renumbered");
    json_decref(result);
    return true;
}

void put_close(struct putting *p)
{
    progress_clear(p->m);
    if (p->client)
        client_close(p->client);
    p->client = NULL;
}

bool put_is_over(const struct err *e)
{
    return e->kind == ERR_CLOSED || e->kind == ERR_CANCELLED || e->kind == ERR_NO_SPACE ||
           e->kind == ERR_DENIED;
}

int put_report(struct putting *p, const char *what)
{
    const struct put_counts *c = &p->counts;
    if (p->m->json) {
        json_t *json =
            json_pack("{s:I, s:I, s:I, s:I, s:I}", "mailboxes", (json_int_t)c->mailboxes,
                      "messages", (json_int_t)c->restored, "present", (json_int_t)c->present,
                      "renumbered", (json_int_t)c->renumbered, "failed", (json_int_t)c->failed);
        print_json(json);
        json_decref(json);
    } else {
        char messages[COUNT_TEXT], mailboxes[COUNT_TEXT];
        printf("%s %s", what, count_of(messages, (int64_t)c->restored, "message"));
        if (!p->one)
            printf(" in %s", count_of(mailboxes, (int64_t)c->mailboxes, "mailbox"));
        if (c->present > 0)
            printf("; there already: %llu", (unsigned long long)c->present);
        if (c->renumbered > 0)
            printf("; with new UIDs, since the old ones are used up: %llu",
                   (unsigned long long)c->renumbered);
        putchar('\n');
    }
    return c->failed > 0 ? EXIT_FAILED : EXIT_OK;
}
