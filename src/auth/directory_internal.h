#pragma once
/*
 * The directory on the loop. Private to auth.
 */
#include "auth/app_password.h"
#include "auth/directory_cache.h"
#include "auth/directory_source.h"
#include "auth/directory_success.h"
#include "auth/embedded.h"
#include "auth/embedded_password.h"
#include "auth/limits.h"
#include "core/buf.h"
#include "core/lru.h"

struct directory {
    struct embedded *embedded;
    struct directory_source *embedded_source; /* with a user of its own: it stays */
    char **order;                             /* of the settings; none: as they come */
    size_t order_count;
    struct directory_chain *chain;
    struct directory_source *idle; /* to be closed */
    bool closing;                  /* a fiber is at it */
    struct cond closed;            /* it has ended */
    char **names;                  /* of all sources that there ever were */
    size_t name_count;
    struct cache *cache;
    struct successes *successes;
    struct lru *asked;     /* struct question *: on their way */
    struct buf key;        /* of the look-up that is just beginning */
    uint64_t generation;   /* grows with each change and each forgetting */
    char *impossible_hash; /* of a password nobody has: what unknown users are compared with */
    struct directory_stats stats;
    struct embedded_passwords passwords;
    struct app_passwords app_passwords;
};

/* Runs fn(db, arg) on a worker with a connection that nobody else uses meanwhile. */
SUSPENDS void directory_run(struct directory *d, bool change,
                            void (*fn)(struct directory_db *db, void *arg), void *arg);

/* The key of what is asked, until the next one is made. text: in its one spelling. */
struct str directory_key(struct directory *d, enum answer_kind kind, struct str text);

/* The answer for this key: from the cache, from who asks the same just now, or from the sources.
 * FOUND: *answer is a reference. e may be NULL. */
SUSPENDS enum lookup directory_ask(struct directory *d, struct str key, struct answer **answer,
                                   struct err *e);
/* The same, whatever the cache says. */
SUSPENDS enum lookup directory_ask_anew(struct directory *d, struct str key, struct answer **answer,
                                        struct err *e);
/* One of the sources, and nothing else; the caller holds a chain that it is in. */
SUSPENDS enum lookup directory_ask_source(struct directory_source *s, struct str key,
                                          struct answer *answer, struct lookup_trace *t,
                                          struct err *e);

/* s may ask how groups stand here. */
void directory_stand_alone(struct directory *d, struct source *s);
/* The order of the settings, copied. */
void directory_set_order(struct directory *d, const struct string_list *names);

/* The key of a login as typed; false: nobody can have it. */
bool directory_login_key(struct directory *d, struct str login, struct str *key);

/* A login or address with its domain; the default one is added where there is none. False: nobody
 * can have it. */
bool directory_full_name(const struct directory *d, struct str text, struct arena *a,
                         struct str *full);

/* The account of an answer with the limits of its domain; its texts are the answer's. */
struct account directory_account_of(const struct directory *d, const struct answer *answer);
/* What is said here of a group that another source has, put into it. */
void directory_overlay_group(const struct directory *d, struct arena *a,
                             struct directory_group *group);

/* domain empty: *known is that. Else it is that domain in its one spelling, ERR_NOT_FOUND: there is
 * none. */
SUSPENDS bool directory_known_domain(struct directory *d, struct str domain, struct arena *a,
                                     struct str *known, struct err *e);

/* A change was made in the embedded directory: forgets what came from there. */
void directory_changed(struct directory *d);
/* Questions on their way are not joined and their answers not kept. */
void directory_detach_questions(struct directory *d);

/* Whether the password is right: FOUND, NOT_FOUND with the reason in *e. Not whether he may log in.
 * No cached answer is asked for again. */
SUSPENDS enum lookup directory_check_answer(struct directory *d, const struct answer *answer,
                                            struct str password, struct lookup_trace *t,
                                            struct err *e);

/* Of an account of the embedded directory. */
SUSPENDS bool directory_set_embedded_password(struct directory *d, struct str login,
                                              struct str password, struct err *e);
