/*
 * Who has a place among the connections of the control socket. Their number bounds the memory that
 * they take, so places are few, and whoever may connect could try to take them all.
 *
 * Root and the server's user have places of their own, and any other user has few. When all places
 * that are not reserved are taken, a newcomer gets one at the expense of the user with most of
 * them, as long as that one has at least two more than he: so many users who mean harm push each
 * other out, and who has but one connection keeps it. The one that goes is the one that has waited
 * for a request for longest; one whose request waits for its turn, if none waits for a request; one
 * whose request runs only for somebody who has no connection at all, who gets a place in any case
 * unless each place is another user's.
 *
 * A connection that goes is told why and ends in a turn of the loop or two. It has no place any
 * more then, but some memory, which is why but a few may be about to leave.
 */
#include "core/log.h"
#include "ctl/ctl_private.h"
#include "ctl/limits.h"

#define REFUSALS_TOLD_EVERY (60 * USEC_SEC)

/* Whoever tries again and again fills no log. */
static void tell(struct ctl *c, uid_t uid)
{
    usec now = clock_monotonic();
    if (c->told && now - c->told <= REFUSALS_TOLD_EVERY)
        return;
    log_warning("ctl", NULL, "too many control connections, refused=%llu displaced=%llu uid=%u",
                (unsigned long long)c->refused, (unsigned long long)c->displaced, (unsigned)uid);
    c->told = now;
    c->refused = c->displaced = 0;
}

static void say_limit(struct stream *s, const char *why)
{
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "{\"ok\":false,\"kind\":\"limit\",\"error\":\"%s\"}\n", why);
    stream_write_now(s, buf_str(&b));
    buf_free(&b);
}

/* --- who goes --- */

static size_t places_of(const struct ctl *c, uid_t uid)
{
    size_t own = 0;
    for (const struct ctl_connection *k = c->first; k; k = k->next)
        own += !k->leaving && k->caller.uid == uid;
    return own;
}

/* The less, the sooner it goes. */
static int worth(const struct ctl_connection *k)
{
    return k->running ? 2 : k->busy ? 1 : 0;
}

static bool goes_before(const struct ctl_connection *k, size_t own,
                        const struct ctl_connection *than, size_t of_other)
{
    if (!than || own != of_other)
        return !than || own > of_other;
    return worth(k) != worth(than) ? worth(k) < worth(than) : k->since < than->since;
}

/* NULL: all have to stay. */
static struct ctl_connection *find_leaver(const struct ctl *c, size_t newcomers)
{
    struct ctl_connection *found = NULL;
    size_t most = 0;
    for (struct ctl_connection *k = c->first; k; k = k->next) {
        size_t own = k->leaving || k->caller.reserved ? 0 : places_of(c, k->caller.uid);
        if (own == 0 || (k->running && (newcomers > 0 || own == 1)) ||
            (newcomers > 0 && own < newcomers + 2))
            continue;
        if (goes_before(k, own, found, most)) {
            found = k;
            most = own;
        }
    }
    return found;
}

/* What runs a request may be in the middle of its answer, and ends without a word. */
static void displace(struct ctl *c, struct ctl_connection *k)
{
    k->leaving = true;
    c->leaving++;
    c->count--;
    c->others--;
    c->displaced++;
    tell(c, k->caller.uid);
    if (!k->running)
        say_limit(k->stream, "too many connections to the control socket: you have most of them, "
                             "and this one makes room for another user's");
    stream_abort(k->stream);
    cond_broadcast(&c->turn);
}

bool ctl_place_take(struct ctl *c, const struct ctl_caller *caller)
{
    if (caller->reserved)
        return c->count < CTL_CONNECTIONS_MAX;
    size_t own = places_of(c, caller->uid);
    if (own >= CTL_CONNECTIONS_PER_USER)
        return false;
    if (c->others < CTL_CONNECTIONS_MAX - CTL_CONNECTIONS_RESERVED)
        return true;
    struct ctl_connection *leaver =
        c->leaving < CTL_CONNECTIONS_LEAVING ? find_leaver(c, own) : NULL;
    if (leaver)
        displace(c, leaver);
    return leaver != NULL;
}

void ctl_place_refuse(struct ctl *c, struct stream *stream, const struct ctl_caller *caller)
{
    c->refused++;
    tell(c, caller->uid);
    say_limit(stream, "too many connections to the control socket");
    stream_close(stream);
}

void ctl_place_add(struct ctl *c, struct ctl_connection *k)
{
    k->next = c->first;
    if (c->first)
        c->first->previous = k;
    c->first = k;
    k->since = clock_monotonic();
    c->count++;
    c->others += !k->caller.reserved;
}

void ctl_place_free(struct ctl *c, struct ctl_connection *k)
{
    *(k->previous ? &k->previous->next : &c->first) = k->next;
    if (k->next)
        k->next->previous = k->previous;
    if (k->leaving) {
        c->leaving--;
        return;
    }
    c->count--;
    c->others -= !k->caller.reserved;
}
