/*
 * Notes of an expansion. They cost a look at a pointer when nobody wants them.
 */
#include "core/buf.h"
#include "route/route_internal.h"

#include <stdarg.h>

static struct route_trace_step *add_step(struct route_trace *t)
{
    if (t->count == ROUTE_TRACE_MAX) {
        t->left_out++;
        return NULL;
    }
    t->steps = arena_grow(t->arena, t->steps, t->count, &t->capacity, sizeof(*t->steps), 32);
    return &t->steps[t->count++];
}

void route_note(struct expansion *x, const struct place *p, const char *question, bool decides,
                const char *format, ...)
{
    va_list args;
    struct buf text = BUF_EMPTY;
    struct route_trace_step *step = x->trace ? add_step(x->trace) : NULL;
    if (!step)
        return;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    *step = (struct route_trace_step){
        .depth = p->leg.depth,
        .address = arena_str(x->trace->arena, p->whole.n > 0 ? p->whole : p->key),
        .question = question,
        .decides = decides,
        .answer = arena_str(x->trace->arena, buf_str(&text))};
    buf_free(&text);
}

const char *route_target_kind_name(enum route_target_kind kind)
{
    static const char *const names[] = {
        [TARGET_MAILBOX] = "mailbox", [TARGET_RELAY] = "relay", [TARGET_REMOTE] = "remote",
        [TARGET_SINK] = "dropped",    [TARGET_HOST] = "host",   [TARGET_WAITING] = "waiting",
        [TARGET_PUBLIC] = "public",
    };
    return names[kind];
}
