#pragma once
/*
 * Who may send as an address that is not his own: delegations, kept in the embedded directory and
 * held in memory. Users of every source can be given one.
 */
#include "auth/lookup.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/fiber.h"

struct directory;

struct delegation {
    struct str address; /* "local@domain", or "@domain": every address of that domain */
    struct str grantee; /* a login or the address of a group */
};

/* Everybody who was given "local@domain" or its "@domain", each once. */
SUSPENDS enum lookup directory_find_send_as(struct directory *d, struct str address,
                                            struct arena *a, struct str **grantees, size_t *count,
                                            struct err *e);
/* name: an address, "@domain", or a grantee; empty: all. Sorted; strings in a. */
SUSPENDS bool directory_list_send_as(struct directory *d, struct str name, struct arena *a,
                                     struct delegation **list, size_t *count, struct err *e);

/* The domain has to be ours, or below one that counts for those. ERR_EXISTS, ERR_NOT_FOUND,
 * ERR_SYNTAX. */
SUSPENDS bool directory_add_send_as(struct directory *d, struct str address, struct str grantee,
                                    struct err *e);
/* grantee empty: everybody's. */
SUSPENDS bool directory_delete_send_as(struct directory *d, struct str address, struct str grantee,
                                       struct err *e);
