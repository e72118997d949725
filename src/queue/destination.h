#pragma once
/*
 * Where items go (destination_key.h): what is ready for it, how many connections there may be, how
 * fast mail may go there, and what is known of its servers.
 */
#include "queue/fair_list.h"
#include "queue/lane.h"
#include "queue/window.h"

struct scheduler;

struct destination {
    char *key; /* first: the table compares by it; "" : here */
    struct scheduler *scheduler;
    struct fair_list ready; /* items */
    struct link all;        /* in one of the scheduler's lists of all */
    struct link idle;       /* kept for what is known of it */
    struct link runnable;   /* in a list of those that may have a connection, or in a lane's */
    struct link *runs_in;   /* that list; NULL: none */
    struct link lingering;  /* slots of connections that wait for more to do */
    struct link parked;     /* items that wait since it is dead */
    struct window window;
    struct rate rate;
    struct rate_limit rate_limit;
    struct lane *route, *source; /* NULL: none */
    struct timer timer;          /* for what may go later */
    char *code, *words;          /* of the last failure; NULL: none */
    size_t items, connections;
    bool deferring; /* a fiber defers what is ready */
    bool frequent;  /* the last two items became ready within a short time */
    usec last_ready;
    bool slow; /* a message took long: it may not have many of the connections */
};

/* Why nothing (more) can be sent to it at this moment. */
enum block {
    BLOCK_NOTHING,
    BLOCK_EMPTY,
    BLOCK_PAUSED,
    BLOCK_DEAD,
    BLOCK_PROBE,  /* one connection finds out whether it lives */
    BLOCK_WINDOW, /* as many connections as there may be */
    BLOCK_ROUTE_CONNECTIONS,
    BLOCK_RATE,
    BLOCK_ROUTE_RATE,
    BLOCK_SOURCE_RATE,
};

static inline bool destination_is_local(const struct destination *d)
{
    return *d->key == '\0';
}

/* The one with this key, made when there is none. */
struct destination *destination_get(struct scheduler *s, struct str key);
/* When nothing refers to it any more, it is freed, or kept for a while for what is known of it. */
void destination_release(struct scheduler *s, struct destination *d);
/* All that are kept. */
void destination_forget_idle(struct scheduler *s);
/* Its limits, as the settings are now. */
void destination_set_limits(struct scheduler *s, struct destination *d);
struct window_limits destination_window_limits(const struct scheduler *s);

/* more: for a connection that there is already. *until: when a rate lets it go on. */
enum block destination_block(const struct scheduler *s, const struct destination *d, bool more,
                             usec *until);
/* After any change: it gets a connection as soon as it may, or what is ready is deferred. */
void destination_update(struct scheduler *s, struct destination *d);
/* A message is about to be sent to it. */
void destination_count_rate(struct destination *d, usec now);

/* What a connection found out. */
void destination_connected(struct scheduler *s, struct destination *d);
void destination_delivered(struct scheduler *s, struct destination *d);
/* False: it is dead. */
bool destination_failed(struct scheduler *s, struct destination *d, struct str code,
                        struct str words);
bool destination_is_dead(const struct destination *d);
/* An operator wants it tried now, whatever is known. */
void destination_forgive(struct destination *d);
/* In this list, at its end, unless it is there already; NULL: in none. */
void destination_move(struct destination *d, struct link *list);
struct destination *destination_from_runnable(struct link *l);
