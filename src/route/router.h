#pragma once
/*
 * Where mail for addresses goes, and who may send as what: the settings of it, and whom it asks.
 */
#include "auth/directory.h"
#include "core/settings.h"
#include "route/srs.h"

struct router;

struct router_settings {
    const char *postmaster;           /* "" : postmaster@ the first domain */
    const char *separator;            /* of plus-addresses; "" : there are none */
    bool detail_mailbox;              /* what is behind it names a mailbox */
    bool groups;                      /* false: as if there were none */
    struct string_list include_paths; /* directories */
};
extern const struct settings_block router_settings_block; /* "addresses" */

struct router_context { /* outlives the router */
    struct directory *directory;
    const char *hostname; /* of this server: what mail_host may say */
};

struct router *router_new(const struct router_context *c, const struct router_settings *s);
/* NULL is allowed. */
void router_free(struct router *r);
/* Settings of a new configuration, for what is asked from now on; copied. */
void router_reload(struct router *r, const struct router_settings *s);

/* Who made addresses of foreign senders (SRS), and leads back from them. */
struct router_senders {
    void *arg;
    /* The domain of such addresses, whatever the directory says of it. */
    bool (*has_domain)(void *arg, struct str domain);
    enum srs_answer (*reverse)(void *arg, struct str local, struct arena *a, struct str *sender);
};
/* Without it nobody did. */
void router_set_senders(struct router *r, const struct router_senders *senders);

/* Which public mailboxes there are. */
struct router_mailboxes {
    void *arg;
    SUSPENDS enum lookup (*has_public)(void *arg, struct str name, struct err *e);
};
/* Without it there are none. */
void router_set_mailboxes(struct router *r, const struct router_mailboxes *mailboxes);

/* What is behind the separator names the mailbox that gets the mail, if it exists. */
bool router_uses_details(const struct router *r);
/* The postmaster of the settings; "" : none. */
struct str router_postmaster(const struct router *r);
