#pragma once
/*
 * What is counted, as its own files see it: penalty.c, penalty_file.c.
 */
#include "auth/penalty.h"
#include "auth/penalty_table.h"
#include "core/kept_file.h"

struct penalties {
    struct penalty_settings settings;
    struct host_set *exempt;
    int64_t limits[PENALTY_KINDS];
    struct penalty_table *tables[PENALTY_KINDS];
    struct penalty_table *known; /* accounts with the networks they have logged in from, networks */
    struct kept_file file;
};

extern const struct kept_file_form penalty_file_form;
