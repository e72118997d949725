/*
 * The window, as Postfix's scheduler has shown to work well: it begins small, each message that is
 * dealt with makes it larger by a part of itself (1/size, so a full round of the window makes it
 * one larger), each connection that fails makes it smaller by the same measure. It does not grow
 * when it is not used. With steps of 1/size a server with a limit of its own holds the window near
 * that limit; steps of one would let it swing, and defer several times as much. After a failure it
 * does not grow for a while: otherwise it would run against that limit as often as mail gets
 * through.
 *
 * Connections that fail are counted in parts of the window too: when as many have failed in a row
 * as the window has room for, the destination is dead. It is left alone for a while; then one
 * connection (and no other) tries whether it lives again. A destination of which nothing is known
 * begins like that, so a black hole costs one connection and not a window full of them.
 *
 * What was learned fades: after some time without use the size begins anew, and after a longer one
 * nobody knows whether the servers still answer.
 */
#include "queue/window.h"

#define GROWTH_PAUSE (30 * USEC_SEC)
/* Without use. */
#define KEEP_SIZE   (600 * USEC_SEC)
#define KEEP_PROVEN (3600 * USEC_SEC)

static void use(struct window *w, const struct window_limits *l, usec now)
{
    if (w->size < 1 || now - w->used > KEEP_SIZE)
        w->size = (double)l->first;
    if (w->size > (double)l->most)
        w->size = (double)l->most;
    w->used = now;
}

bool window_connected(struct window *w, const struct window_limits *l, usec now)
{
    bool doubtful = !w->proven;
    use(w, l, now);
    w->proven = true;
    w->failures = 0;
    w->dead_until = 0;
    return doubtful;
}

void window_delivered(struct window *w, const struct window_limits *l, size_t busy, usec now)
{
    use(w, l, now);
    w->failures = 0;
    if (w->size < (double)(busy + l->first) && now >= w->grows)
        w->size += 1 / w->size;
    if (w->size > (double)l->most)
        w->size = (double)l->most;
}

bool window_failed(struct window *w, const struct window_limits *l, usec now)
{
    use(w, l, now);
    if (w->proven) {
        double part = 1 / w->size;
        w->failures += part;
        w->grows = now + GROWTH_PAUSE;
        w->size = w->size - part < 1 ? 1 : w->size - part;
        /* Sums of parts: a little less than one is one. */
        if (w->failures < 0.99)
            return false;
    }
    w->proven = false;
    w->failures = 0;
    w->size = (double)l->first;
    w->dead_until = now + l->dead_time;
    return true;
}

bool window_is_dead(const struct window *w, usec now)
{
    return w->dead_until > now;
}

bool window_is_proven(const struct window *w, usec now)
{
    return w->proven && now - w->used <= KEEP_PROVEN;
}

size_t window_room(const struct window *w, const struct window_limits *l, usec now)
{
    if (window_is_dead(w, now))
        return 0;
    if (!window_is_proven(w, now))
        return 1;
    double size = now - w->used > KEEP_SIZE ? (double)l->first : w->size;
    return size < (double)l->most ? (size_t)size : l->most;
}

void window_forgive(struct window *w)
{
    w->dead_until = 0;
}

bool window_is_forgotten(const struct window *w, usec now)
{
    return !window_is_dead(w, now) && (w->size < 1 || now - w->used > KEEP_PROVEN);
}
