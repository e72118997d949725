#pragma once
/*
 * Domains in the database of the embedded directory. Private to auth.
 */
#include "auth/embedded_apply.h"

enum lookup domain_db_find(struct directory_db *db, struct str name, struct arena *a,
                           struct domain *domain, struct err *e);
bool domain_db_list(struct directory_db *db, struct arena *a, struct domain **list, size_t *count,
                    struct err *e);
/* The domain's row, ERR_NOT_FOUND without one. */
bool domain_db_id(struct directory_db *db, struct str name, int64_t *id, struct err *e);
/* The same, or that of the nearest domain above it that counts for those below. */
bool domain_db_id_or_parent(struct directory_db *db, struct str name, int64_t *id, struct err *e);

/* What is to be true of a domain. */
struct domain_order {
    struct str name;             /* in its one spelling */
    struct domain_change change; /* normal */
    bool force;                  /* delete: with what is in it */
    struct domain_contents contents;
};
/* For directory_apply; arg is a struct domain_order. */
bool domain_db_add(struct directory_db *db, void *arg, struct err *e);
bool domain_db_set(struct directory_db *db, void *arg, struct err *e);
bool domain_db_delete(struct directory_db *db, void *arg, struct err *e);
