#pragma once
/*
 * The embedded directory: domains, and the first source of accounts and addresses. Private to auth.
 */
#include "auth/directory_db.h"
#include "auth/source.h"

struct embedded;

/* Creates the file when it is missing, on a worker. default_domain: as name_domain makes it, or
 * "". */
SUSPENDS struct embedded *embedded_open(const char *path, const char *default_domain,
                                        struct err *e);
/* NULL is allowed. */
SUSPENDS void embedded_close(struct embedded *s);
struct source *embedded_source(struct embedded *s);

/* Passwords that are older are good for no login. 0: they never are. */
void embedded_set_password_max_age(struct embedded *s, usec age);

/* Runs fn(db, arg) on a worker with a connection that nobody else uses meanwhile. */
SUSPENDS void embedded_run(struct embedded *s, bool change,
                           void (*fn)(struct directory_db *db, void *arg), void *arg);

/* name: as name_domain makes it. */
SUSPENDS enum lookup embedded_find_domain(struct embedded *s, struct str name, struct arena *a,
                                          struct domain *domain, struct err *e);
/* The domain of names without one: the default, or the only one there is. */
SUSPENDS enum lookup embedded_usual_domain(struct embedded *s, struct arena *a,
                                           struct domain *domain, struct err *e);
