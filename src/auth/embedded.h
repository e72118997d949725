#pragma once
/*
 * The embedded directory: domains, and the first source of accounts and addresses. Private to auth.
 */
#include "auth/directory_db.h"
#include "auth/embedded_tables.h"
#include "auth/source.h"

struct embedded;

/* Creates the file when it is missing, on a worker. default_domain: as name_domain makes it, or
 * "". */
SUSPENDS struct embedded *embedded_open(const char *path, const char *default_domain,
                                        struct err *e);
/* False: it is the present one. */
bool embedded_set_default_domain(struct embedded *s, struct str domain);
/* NULL is allowed. */
SUSPENDS void embedded_close(struct embedded *s);
struct source *embedded_source(struct embedded *s);

/* Passwords that are older are good for no login. 0: they never are. */
void embedded_set_password_max_age(struct embedded *s, usec age);

/* Runs fn(db, arg) on a worker with a connection that nobody else uses meanwhile. */
SUSPENDS void embedded_run(struct embedded *s, bool change,
                           void (*fn)(struct directory_db *db, void *arg), void *arg);

/* What is held in memory: look-ups there neither wait nor fail. */
const struct embedded_tables *embedded_tables(const struct embedded *s);
/* After a transaction that committed; what is replaced is in the news now. */
void embedded_take(struct embedded *s, struct tables_news *news);

/* name: as name_domain makes it. False: it is none of ours. */
bool embedded_find_domain(struct embedded *s, struct str name, struct arena *a,
                          struct domain *domain);
bool embedded_has_domain(const struct embedded *s, struct str name);
/* The domain of names without one: the default, or the only one there is; borrowed. */
bool embedded_usual_domain(const struct embedded *s, struct str *name);
/* Where an address leads, or "local@*". */
bool embedded_find_address(struct embedded *s, struct str address, struct arena *a,
                           struct directory_address *found);
