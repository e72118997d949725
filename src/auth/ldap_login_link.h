#pragma once
/*
 * The connections for logins, and the line of fibers that wait for one. Private to auth/ldap_*.
 */
#include "auth/ldap_connection.h"
#include "auth/ldap_hub.h"
#include "core/loop.h"

#include <event2/event_struct.h>

enum ldap_login_state {
    LDAP_LOGIN_CLOSED,
    LDAP_LOGIN_OPENING,
    LDAP_LOGIN_IDLE,
    LDAP_LOGIN_BUSY,
};

/* A place for a connection. */
struct ldap_login_link {
    struct ldap_login_links *all;
    enum ldap_login_state state;
    struct ldap_login_link *below; /* among the idle ones: the one that was used before it */
    struct ldap_login_opening *opening;
    struct ldap_connection connection;
    struct ldap_server *server;
    usec opened, used;
    struct event event;
    struct cond readable; /* who asks waits here */
};

struct ldap_login_links {
    struct loop *loop;
    struct ldap_hub *hub;
    struct ldap_login_link *items;
    size_t count, opening, open;
    struct ldap_login_link *idle; /* the one used last first, so that those not needed grow old */
    struct timer idle_timer;
    struct ldap_login_waiter *first, *last;
    size_t waiting;
    bool stopped;
    uint64_t timed_out;
};

/* As many as the settings' bind_connections; none is open. Holds a reference to the hub. */
void ldap_login_links_init(struct ldap_login_links *all, struct loop *l, struct ldap_hub *h);
/* Who waits, for a link or an answer, gets ERR_CANCELLED. */
void ldap_login_links_stop(struct ldap_login_links *all);
/* After it, with the hub's inbox closed: openings that have not ended find it so. */
void ldap_login_links_free(struct ldap_login_links *all);

/* One to the best server, for the caller alone; in_front: of all others that wait. NULL: *e says
 * why there is none. */
SUSPENDS struct ldap_login_link *ldap_login_link_get(struct ldap_login_links *all, bool in_front,
                                                     usec deadline, struct err *e);
/* Given back: to the first in line, or to those that are idle. */
void ldap_login_link_hand_on(struct ldap_login_link *k);
/* It is of no use: given back and closed. */
void ldap_login_link_lose(struct ldap_login_link *k, const struct err *why);
