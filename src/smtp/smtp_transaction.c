/*
 * A transaction: one message from MAIL to its end, with everything that is known of it, in one
 * arena. Freeing it is what RSET does.
 */
#include "core/log.h"
#include "mime/unbinary.h"
#include "smtp/session.h"

static void end_rewriter(void *rewriter)
{
    rewriter_end(rewriter);
}

struct smtp_transaction *smtp_transaction_new(void)
{
    struct arena *a = arena_new();
    struct smtp_transaction *t = ARENA_NEW(a, struct smtp_transaction);
    t->arena = a;
    t->started = clock_monotonic();
    arena_on_free(a, end_rewriter, &t->rewriter);
    random_id(t->envelope.id);
    return t;
}

struct str smtp_rewrite(struct smtp_transaction *t, enum rewrite_part part, struct str address)
{
    struct str new = rewriter_address(&t->rewriter, part, address, t->arena);
    if (!str_equal(new, address))
        log_info(t->envelope.component, t->envelope.id, "rewritten address=<%.*s> new=<%.*s>",
                 STR_ARG(address), STR_ARG(new));
    return new;
}

void smtp_transaction_free(struct smtp_session *s)
{
    struct smtp_transaction *t = s->transaction;
    smtp_forwarded_free(s);
    if (!t)
        return;
    s->transaction = NULL;
    policy_session_message_end(s->policy);
    incoming_free(&t->incoming);
    buf_free(&t->decoded);
    mime_unbinary_free(t->unbinary);
    buf_free(&t->encoded);
    arena_free(t->arena); /* holds t itself */
}

void smtp_transaction_add(struct smtp_transaction *t, const struct envelope_recipient *recipient)
{
    struct envelope *e = &t->envelope;
    if (e->recipient_count == t->recipient_capacity) {
        size_t capacity = t->recipient_capacity ? 4 * t->recipient_capacity : 4;
        struct envelope_recipient *list =
            arena_array(t->arena, capacity, sizeof(struct envelope_recipient));
        if (e->recipient_count > 0)
            memcpy(list, e->recipients, e->recipient_count * sizeof(*list));
        e->recipients = list;
        t->recipient_capacity = capacity;
    }
    t->target_count += recipient->route->count;
    e->recipients[e->recipient_count++] = *recipient;
}
