#pragma once
/*
 * The sources that a directory asks, in their order, and what is counted of them so that a reload
 * can exchange them while they are asked. Private to auth.
 *
 * A chain is what is asked at a time: immutable, counted by the questions that go along it. A
 * source is counted twice: by who may still ask it (the chains it is in, a password that is being
 * checked), after whose last it is closed; and by who still knows it (answers).
 */
#include "auth/source.h"

struct directory_chain;
struct ldap_settings;

struct directory_source {
    unsigned references, users;
    const char *name; /* the directory's: it stays when the source does not */
    const struct source_functions *functions;
    struct source *source; /* NULL: closed */
    struct directory_source_stats stats;
    struct config *config; /* that its settings are in; NULL: of none */
    const struct ldap_settings *settings;
    struct directory_source *next_idle; /* of those that are to be closed */
    bool is_idle;
};

/* Takes s; one reference and no user. */
struct directory_source *directory_source_new(struct directory *d, struct source *s);
struct directory_source *directory_source_ref(struct directory_source *s);
/* NULL is allowed. */
void directory_source_unref(struct directory_source *s);
/* Who has just been given an answer of it may still enter, in the same turn of the loop. ERR_TEMP:
 * it is closed. */
bool directory_source_enter(struct directory_source *s, struct err *e);
/* Does not suspend: a fiber closes what nobody asks any more. */
void directory_source_leave(struct directory *d, struct directory_source *s);

struct directory_chain {
    unsigned references;
    struct directory *directory;
    struct directory_source **list;
    size_t count;
};

struct directory_chain *directory_chain_new(struct directory *d);
/* Puts it behind the first `at` ones. Only before anybody goes along the chain. */
void directory_chain_insert(struct directory_chain *c, size_t at, struct directory_source *s);
/* The one of this name; NULL: there is none. */
struct directory_source *directory_chain_find(const struct directory_chain *c, const char *name);
/* The present one, with a reference. */
struct directory_chain *directory_chain_hold(struct directory *d);
/* NULL is allowed. Does not suspend. */
void directory_chain_release(struct directory_chain *c);
/* Until all that nobody asks are closed. */
SUSPENDS void directory_sources_end(struct directory *d);
