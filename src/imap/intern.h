#pragma once
/*
 * Texts of others as numbers: message identifiers and subjects of THREAD. Only a keyed hash of 128
 * bits is kept of each, so a text of any length costs the same; the key is random, so nobody can
 * make two texts collide on purpose.
 */
#include "core/str.h"

struct intern {
    uint64_t keys[4];
    struct intern_slot {
        uint64_t hash[2]; /* both 0: free */
        uint32_t value;
    } * slots;
    size_t count, mask;
};

void intern_init(struct intern *t);
void intern_free(struct intern *t);
/* The value of the text, for reading and setting, good until the next call; *is_new: it was not
 * there, its value is 0. */
uint32_t *intern(struct intern *t, struct str text, bool *is_new);
