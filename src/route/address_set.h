#pragma once
/*
 * A set of strings (addresses), for removing duplicates and for finding loops. A balanced tree:
 * nobody can choose addresses that make it slow.
 */
#include "core/arena.h"

struct address_set {
    struct arena *arena; /* holds the nodes' strings; the strings added must live as long */
    struct str first;    /* the only one needs no tree */
    void *root;          /* of the others */
    size_t count;
};

/* True when it was not in the set yet. */
bool address_set_add(struct address_set *s, struct str address);
/* The arena keeps the strings. */
void address_set_free(struct address_set *s);
