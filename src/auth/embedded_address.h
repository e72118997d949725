#pragma once
/*
 * Addresses of the embedded directory in its database: of a domain, or "local@*" of all. Private to
 * auth.
 */
#include "auth/embedded_apply.h"

/* The domain of addresses that are of all domains. */
#define ALL_DOMAINS "*"

enum lookup address_db_find(struct directory_db *db, struct str address, struct arena *a,
                            struct directory_address *entry, struct err *e);
/* domain empty: all; "*": those of all domains. */
bool address_db_list(struct directory_db *db, struct str domain, struct arena *a,
                     struct directory_address **list, size_t *count, struct err *e);

/* All of them. */
struct address_table;
bool address_db_load(struct directory_db *db, struct address_table **table, struct err *e);

/* What is to be true of an address. */
struct address_order {
    struct name name;
    struct str address; /* name in one string */
    bool set_internal, internal;
    bool set_destinations; /* set: replaces all */
    struct embedded_address *destinations;
    size_t count;
};
/* An address of ours, or of all domains. ERR_SYNTAX. */
bool address_order_name(struct address_order *o, struct arena *a, struct str full, struct err *e);
/* For directory_apply; arg is a struct address_order. */
/* ERR_EXISTS: the address has one of these destinations already. */
bool address_db_add(struct directory_db *db, void *arg, struct err *e);
bool address_db_set(struct directory_db *db, void *arg, struct err *e);
/* Without destinations: all of it. */
bool address_db_delete(struct directory_db *db, void *arg, struct err *e);
