#pragma once
/*
 * The expansion of an address, as the files of routing share it. Private to route.
 */
#include "mime/address.h"
#include "route/address_set.h"
#include "route/include_file.h"
#include "route/route.h"
#include "route/route_trace.h"
#include "route/router.h"

/* Settings of one configuration. Counted: an expansion keeps those of its beginning. */
struct router_config {
    unsigned references;
    struct router_settings settings;
    struct str separator;
    struct arena *strings;
};
struct router_config *router_config_ref(struct router_config *c);
void router_config_unref(struct router_config *c);

struct router {
    struct router_context context;
    struct router_config *config;
    struct router_senders senders;
    struct router_mailboxes mailboxes;
    struct include_files files;
};

struct expansion {
    struct router *router;
    struct router_config *config;
    struct arena *arena;
    struct str asked;            /* the address of RCPT, for the log */
    struct address_set visited;  /* addresses in our domains by their key */
    struct address_set lists;    /* keys of listed addresses that were followed */
    struct address_set groups;   /* the same of groups */
    struct address_set opened;   /* logins of accounts whose forwards were followed */
    struct address_set accounts; /* logins, of targets */
    struct address_set remotes;  /* addresses of the other targets */
    struct route_target *targets;
    size_t count, capacity;
    size_t waiting;       /* targets that take no mail just now */
    size_t reached;       /* how often a target was reached, the same one too */
    struct err error;     /* the worst so far: what the answer says when there are no targets */
    const char *status;   /* of it */
    bool catch_all_fails; /* that was said in the log */
    unsigned steps;       /* since somebody looked at the clock */
    usec turn;            /* when the present turn of the loop began, for this expansion */
    struct route *route;
    struct route_trace *trace; /* NULL: nobody wants to know */
    bool later_noted;          /* in the trace */
};

/* How an address was come to. */
struct leg {
    unsigned depth;
    bool first;              /* it is the one that was asked for, under another domain maybe */
    struct str detail;       /* what stood behind the separator, on the way or here */
    struct str listed_by;    /* it is a destination of this key; "" */
    struct str forwarded_by; /* it is a forward of this login; "" */
};

/* What the questions are about: an address in a domain of ours. */
struct place {
    struct address address; /* the local part as it was written */
    struct str key;         /* lower case, domain in A-labels */
    struct str whole;       /* the key with what stands behind the separator, for the trace */
    struct str domain_name; /* of the address, in A-labels: domain.name, or one below it */
    struct domain domain;
    bool below; /* the address is in a domain below it */
    struct leg leg;
};

/* What one step of an expansion came to. The last two end the whole. */
enum step {
    STEP_NONE, /* this question does not know it: the next one */
    STEP_DONE,
    STEP_LATER,
    STEP_TOO_LARGE,
};

/* Of something that knows the address or does not. */
typedef enum step question_function(struct expansion *x, const struct place *p);

/* --- route.c --- */

enum step route_add_target(struct expansion *x, const struct route_target *target);
/* A part of it: noted for the log, and for the answer when nothing else remains. */
enum step route_leads_nowhere(struct expansion *x, const struct leg *leg, struct str key,
                              const char *status, const char *why);
/* What this is was met before. */
enum step route_leads_back(struct expansion *x);
/* Long lists must not hold the loop. */
SUSPENDS void route_let_others_run(struct expansion *x);
/* From here to a destination, forward or member. */
struct leg route_next_leg(const struct place *p);

/* --- route_domain.c --- */

/* Goes on with an address; text: "local@domain". */
SUSPENDS enum step route_expand_text(struct expansion *x, struct str text, const struct leg *leg);
/* Of a domain of ours that was found for it. */
SUSPENDS enum step route_expand_own(struct expansion *x, const struct address *address,
                                    const struct domain *domain, const struct leg *leg);
/* The address as it compares. */
struct str route_key(const struct expansion *x, const struct place *p);
bool route_is_role(struct str local);
/* The postmaster for all domains: the setting, else the one of the first domain. */
SUSPENDS enum step route_expand_postmaster(struct expansion *x, const struct leg *leg);

/* --- route_list.c --- */

/* It is a destination or forward of what has this key, in another spelling: by way of a
 * plus-address or an alias domain. */
bool route_comes_from(const struct place *p, struct str key);
question_function route_ask_listed;      /* SUSPENDS */
question_function route_ask_plus;        /* SUSPENDS */
question_function route_ask_all_domains; /* SUSPENDS */
question_function route_ask_rules;       /* SUSPENDS */

/* --- route_account.c, route_group.c --- */

question_function route_ask_account; /* SUSPENDS */
question_function route_ask_group;   /* SUSPENDS */
/* With `mailbox` the account's mailbox alone, whatever its forwards. */
SUSPENDS enum step route_expand_account(struct expansion *x, const struct place *p, bool mailbox);

/* --- route_special.c --- */

/* A destination that an administrator wrote: an address, or special. */
SUSPENDS enum step route_expand_destination(struct expansion *x, const struct place *from,
                                            struct str text, const struct leg *leg);
SUSPENDS enum step route_expand_public(struct expansion *x, const struct leg *leg,
                                       struct str mailbox);

/* --- route_trace.c --- */

/* Nothing without a trace. */
void route_note(struct expansion *x, const struct place *p, const char *question, bool decides,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
