#pragma once
/*
 * What operators ask about look-ups: each step of one, and what is remembered. For mailctl.
 */
#include "auth/source.h"

/* What can be asked about a name. */
enum directory_question {
    QUESTION_LOGIN, /* who logs in with that */
    QUESTION_DOMAIN,
    QUESTION_ACCOUNT,
    QUESTION_ADDRESS, /* one that is no account's own */
    QUESTION_GROUP,
    QUESTIONS
};
/* "login", "domain", "account", "address", "group". */
const char *directory_question_name(enum directory_question question);

/* A source that was asked. */
struct directory_step {
    const char *source, *kind;
    struct lookup_trace trace;
    enum lookup status;
    struct err error; /* TEMPFAIL */
    usec took;
};

/* What the cache has. */
struct directory_cached {
    struct str question; /* directory_question_name */
    struct str name;     /* in its one spelling */
    bool exists;
    const char *source; /* exists: the name of whose it is */
    usec age;
    usec left; /* before it is asked for again; not positive: it is only given while a source fails
                */
};

struct answer;
struct directory_report {
    struct str name; /* in its one spelling */
    struct directory_step *steps;
    size_t step_count;
    enum lookup status;
    struct err error;      /* TEMPFAIL */
    struct answer *answer; /* FOUND; private to auth. The one that was asked for: */
    const struct account *account;
    const struct directory_address *address;
    const struct directory_group *group;
    const struct domain *domain;
    bool is_cached;
    struct directory_cached cached;
};

/* Asks, past the cache and without remembering. False: the question makes no sense for this name
 * (it is no address, its domain is not ours). All in a. */
SUSPENDS bool directory_trace(struct directory *d, enum directory_question question,
                              struct str name, struct arena *a, struct directory_report *r);

/* The health of source i in its own words. */
void directory_describe_source(const struct directory *d, size_t i, struct lookup_trace *t);

/* What is remembered about a name (empty: all), most recently used first; fn does not suspend and
 * returns false to stop. */
void directory_each_cached(struct directory *d, struct str name,
                           bool (*fn)(void *arg, const struct directory_cached *cached), void *arg);
