#pragma once
/*
 * What changes of the embedded directory have in common: names in its spelling, one transaction,
 * and answers that are forgotten when it is over. Private to auth.
 */
#include "auth/directory_db.h"
#include "auth/directory_sql.h"

/* Runs apply in one transaction on the connection for changes: durable when it returns true, and
 * whoever hears of it sees it. */
SUSPENDS bool directory_apply(struct directory *d,
                              bool (*apply)(struct directory_db *db, void *arg, struct err *e),
                              void *arg, struct err *e);
/* The same without forgetting: for what no answer says. */
SUSPENDS bool directory_apply_quietly(struct directory *d,
                                      bool (*apply)(struct directory_db *db, void *arg,
                                                    struct err *e),
                                      void *arg, struct err *e);
/* Runs read in one transaction, so that what it reads is of one moment. */
SUSPENDS bool directory_read(struct directory *d,
                             bool (*read)(struct directory_db *db, void *arg, struct err *e),
                             void *arg, struct err *e);

/* A user, an address or a group of ours: the domain may be left out where there is a default. *full
 * is "local@domain". ERR_SYNTAX. */
SUSPENDS bool directory_own_name(struct directory *d, struct str text, struct arena *a,
                                 struct name *name, struct str *full, struct err *e);

/* A full address here or elsewhere, as it is kept and as it compares. ERR_SYNTAX. */
struct embedded_address {
    struct str text, key;
};
bool embedded_address(struct arena *a, struct str text, struct embedded_address *address,
                      struct err *e);
/* Where an address, a rule or a catch-all leads: an address, or special (auth/special.h). */
bool embedded_destination(struct arena *a, struct str text, struct embedded_address *address,
                          struct err *e);
bool embedded_destinations(struct arena *a, const struct str *texts, size_t count,
                           struct embedded_address **list, size_t *list_count, struct err *e);
/* A list of addresses, each once. */
bool embedded_addresses(struct arena *a, const struct str *texts, size_t count,
                        struct embedded_address **list, size_t *list_count, struct err *e);

/* ERR_EXISTS when there is something of this name. except: "user", "address", "group" or "": what
 * may be there already. */
bool embedded_name_is_free(struct directory_db *db, struct str name, const char *except,
                           struct err *e);

/* ERR_SYNTAX unless it is a text for people. */
bool embedded_display_name(struct str name, struct err *e);
