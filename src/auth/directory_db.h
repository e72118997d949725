#pragma once
/*
 * The database of the embedded directory. Every function here blocks and belongs on a worker; one
 * connection is used by one worker at a time. Names are given as directory_name.h makes them.
 * Private to auth.
 */
#include "auth/directory.h"
#include "auth/directory_name.h"
#include "auth/source.h"

struct directory_db;

/* Creates the file (mode 0600) when it is missing and brings its schema up to date. */
bool directory_db_prepare(const char *path, struct err *e);
struct directory_db *directory_db_open(const char *path, struct err *e);
void directory_db_close(struct directory_db *db);

/* --- look-ups: *e on LOOKUP_TEMPFAIL --- */

enum lookup directory_db_find_domain(struct directory_db *db, struct str name, struct arena *a,
                                     struct domain *domain, struct err *e);
/* FOUND when there is exactly one domain. */
enum lookup directory_db_only_domain(struct directory_db *db, struct arena *a, struct str *name,
                                     struct err *e);
enum lookup directory_db_find_account(struct directory_db *db, struct str login, struct arena *a,
                                      struct source_account *found, struct err *e);
enum lookup directory_db_find_address(struct directory_db *db, struct str address, struct arena *a,
                                      struct directory_address *entry, struct err *e);

/* --- changes: durable when they return true --- */

struct directory_change {
    bool (*apply)(struct directory_db *db, const struct directory_change *c, struct err *e);
    struct name name;            /* of the user, the address; only .domain: of the domain */
    struct str text;             /* name in one string */
    struct str destination;      /* of an address; "" : delete all */
    bool internal;               /* of an address */
    struct domain_change domain; /* add_domain, set_domain; its relay is normal */
};
bool directory_db_add_domain(struct directory_db *db, const struct directory_change *c,
                             struct err *e);
bool directory_db_set_domain(struct directory_db *db, const struct directory_change *c,
                             struct err *e);
bool directory_db_delete_domain(struct directory_db *db, const struct directory_change *c,
                                struct err *e);
bool directory_db_delete_user(struct directory_db *db, const struct directory_change *c,
                              struct err *e);
bool directory_db_add_address(struct directory_db *db, const struct directory_change *c,
                              struct err *e);
bool directory_db_set_internal(struct directory_db *db, const struct directory_change *c,
                               struct err *e);
bool directory_db_delete_address(struct directory_db *db, const struct directory_change *c,
                                 struct err *e);
/* Runs c->apply in one transaction. */
bool directory_db_change(struct directory_db *db, const struct directory_change *c, struct err *e);

/* The domain's row, ERR_NOT_FOUND without one. */
bool directory_db_domain_id(struct directory_db *db, struct str name, int64_t *id, struct err *e);

/* --- lists; domain empty: all --- */

bool directory_db_list_domains(struct directory_db *db, struct arena *a, struct domain **list,
                               size_t *count, struct err *e);
/* Rows of the users, by domain and login. */
bool directory_db_list_user_ids(struct directory_db *db, struct str domain, struct arena *a,
                                int64_t **ids, size_t *count, struct err *e);
enum lookup directory_db_get_user(struct directory_db *db, int64_t id, struct arena *a,
                                  struct account *account, struct err *e);
bool directory_db_list_addresses(struct directory_db *db, struct str domain, struct arena *a,
                                 struct directory_address **list, size_t *count, struct err *e);
