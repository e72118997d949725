#pragma once
/*
 * The expansion of an address, as the files of routing share it. Private to route.
 */
#include "mime/address.h"
#include "route/address_set.h"
#include "route/route.h"
#include "route/router.h"

struct router {
    struct router_context context;
    struct router_settings settings;
    struct router_senders senders;
    struct arena *strings; /* of the settings */
};

struct expansion {
    struct router *router;
    struct arena *arena;
    struct str asked;            /* the address of RCPT, for the log */
    struct address_set visited;  /* addresses in our domains by their key */
    struct address_set opened;   /* logins of accounts whose forwards were followed */
    struct address_set accounts; /* logins, of targets */
    struct address_set remotes;
    struct route_target *targets;
    size_t count, capacity;
    size_t waiting;   /* targets that take no mail just now */
    struct err error; /* the worst so far: what the answer says when there are no targets */
    const char *status;
    usec turn; /* when the present turn of the loop began, for this expansion */
    struct route *route;
};

/* What one step of an expansion came to. Only the last two end the whole. */
enum step { STEP_GO_ON, STEP_LATER, STEP_TOO_LARGE };

enum step route_add_target(struct expansion *x, const struct route_target *target);
/* A part of it: noted for the log, and for the answer when nothing else remains. */
enum step route_leads_nowhere(struct expansion *x, struct str key, const char *status,
                              const char *why);
/* The address was met before. */
enum step route_leads_back(struct expansion *x);
/* Goes on with an address; text: "local@domain". */
SUSPENDS enum step route_expand_text(struct expansion *x, struct str text, unsigned depth);

/* --- route_account.c --- */

/* The account of this key, if there is one: its mailbox and its forwards; with `mailbox` the former
 * alone. */
SUSPENDS enum step route_expand_account(struct expansion *x, struct str key, bool mailbox,
                                        unsigned depth, bool *found);
/* The group of this key, if there is one: its members. */
SUSPENDS enum step route_expand_group(struct expansion *x, struct str key, unsigned depth,
                                      bool *found);
