#pragma once
/*
 * What is counted, as its own files see it: penalty.c, penalty_file.c.
 */
#include "auth/penalty.h"
#include "auth/penalty_table.h"
#include "core/buf.h"
#include "core/fiber.h"
#include "core/loop.h"

struct penalties {
    struct penalty_settings settings;
    struct host_set *exempt;
    int64_t limits[PENALTY_KINDS];
    struct penalty_table *tables[PENALTY_KINDS];
    struct penalty_table *known; /* accounts with the networks they have logged in from, networks */

    /* The file; loop NULL: none. */
    struct loop *loop;
    char *path;
    bool changed, saving, stopping;
    struct timer save_timer;
    struct cond saved;
};

/* Something has changed. */
void penalty_save_later(struct penalties *p);

/* The file's bytes; decode adds what it finds. False: damaged, what is left is not read. */
void penalty_encode(const struct penalties *p, struct buf *out);
bool penalty_decode(struct penalties *p, struct str bytes);
