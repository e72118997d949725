#pragma once
/*
 * Of struct directory: the application password that is being noted as used. Private to auth.
 */
#include "auth/directory.h"

struct app_passwords {
    int64_t id, day;
    struct fiber *writer;
    struct cond written; /* the fiber has ended */
};
SUSPENDS void app_passwords_close(struct directory *d);
