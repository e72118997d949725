/*
 * What became of each recipient. A recipient gets its result once in an attempt; what is said later
 * (the end of the message is refused) is for those that were still waiting for it.
 */
#include "smtp/client_mail.h"
#include "smtp/client_options.h"

static void set_result(struct transport_message *m, size_t i, enum transport_status status,
                       const char *code, struct str text, struct str relay)
{
    struct transport_recipient *t = &m->recipients[i];
    t->status = status;
    t->code = arena_str(m->arena, str_from_c(code));
    t->text = arena_str(m->arena, text);
    t->relay = arena_str(m->arena, relay);
}

static void fail(struct transport_message *m, size_t i, struct str relay,
                 const struct client_failure *f)
{
    set_result(m, i, f->permanent ? TRANSPORT_FAILED : TRANSPORT_DEFERRED, f->code,
               buf_str(&f->text), relay);
}

bool client_outcome_is_known(const struct transport_recipient *r)
{
    return r->status != TRANSPORT_DEFERRED || r->text.n > 0;
}

void client_mail_fail(struct transport_message *m, struct str relay, const struct client_failure *f)
{
    for (size_t i = 0; i < m->recipient_count; i++)
        if (!client_outcome_is_known(&m->recipients[i]))
            fail(m, i, relay, f);
}

void client_outcome_fail(struct client_mail *x, size_t i)
{
    fail(x->m, i, buf_str(&x->s->relay), &x->failure);
    x->state[i] = CLIENT_SETTLED;
}

void client_outcome_fail_accepted(struct client_mail *x)
{
    for (size_t k = 0; k < x->batch_count; k++)
        if (x->state[x->batch[k]] == CLIENT_ACCEPTED)
            client_outcome_fail(x, x->batch[k]);
}

void client_outcome_fail_rest(struct client_mail *x)
{
    for (size_t i = 0; i < x->m->recipient_count; i++)
        if (x->state[i] != CLIENT_SETTLED)
            client_outcome_fail(x, i);
}

void client_outcome_delivered(struct client_mail *x, size_t i)
{
    const struct client_reply *r = &x->s->reply;
    struct buf text = BUF_EMPTY;
    client_reply_write(&text, r);
    set_result(x->m, i, TRANSPORT_DELIVERED, *r->enhanced ? r->enhanced : "2.0.0",
               client_text_cut(buf_str(&text)), buf_str(&x->s->relay));
    buf_free(&text);
    client_options_passed(x->s, &x->m->recipients[i]);
    x->state[i] = CLIENT_SETTLED;
}

size_t client_outcome_count(const struct client_mail *x, enum client_recipient_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < x->m->recipient_count; i++)
        count += x->state[i] == state;
    return count;
}
