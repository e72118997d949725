#pragma once
/*
 * Lists of UIDs as they stand in the log: "1:3,7".
 */
#include "core/str.h"

/* The position of uid in the list, or -1. */
int64_t uids_find(struct str list, uint32_t uid);
/* The UID at a position; 0: there is none. */
uint32_t uids_at(struct str list, int64_t position);
