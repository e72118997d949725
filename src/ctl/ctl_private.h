#pragma once
/*
 * The control socket's connections as ctl.c and ctl_places.c see them.
 */
#include "ctl/ctl.h"
#include "ctl/ctl_access.h"
#include "ctl/limits.h"
#include "net/listener.h"
#include "net/stream.h"

struct ctl_connection {
    struct ctl_connection *next, *previous;
    struct ctl *ctl;
    struct stream *stream;
    struct fiber *fiber;
    struct ctl_caller caller;
    uint64_t version; /* of the settings that caller is true for */
    usec since;       /* when it began to wait for a request */
    bool asking;      /* who it is: a look-up runs */
    bool busy;        /* has read a request */
    bool running;     /* and runs it */
    bool unread;      /* what is left on it cannot be told from requests */
    bool leaving;     /* another user has its place */
};

struct ctl {
    struct ctl_context context;
    struct listener *listener;
    char *path, *admin_group, *users_domain;
    uint64_t version;
    struct ctl_connection *first;
    /* Connections that have a place, those of them whose place is not reserved, and those that had
     * one and are about to end. */
    size_t count, others, leaving;
    struct cond ended;                       /* a connection ended */
    struct cond turn;                        /* a request ended, or a look-up of who asks */
    struct str tracing[CTL_USER_TRACES_MAX]; /* whose traces run; n 0: nobody's */
    struct cond traced;                      /* one of them ended */
    uint64_t refused;                        /* connections, since it was told */
    uint64_t displaced;                      /* the same of those that lost their place */
    usec told;
    bool closing;
};

/* --- ctl_places.c --- */

/* Whether one more connection of the caller may be served; if somebody has to leave for that, he
 * has been told so. */
bool ctl_place_take(struct ctl *c, const struct ctl_caller *caller);
/* For one for which there was no place: told so and closed. */
void ctl_place_refuse(struct ctl *c, struct stream *stream, const struct ctl_caller *caller);
/* A new connection is there, or one has ended. */
void ctl_place_add(struct ctl *c, struct ctl_connection *k);
void ctl_place_free(struct ctl *c, struct ctl_connection *k);
