#pragma once
/*
 * The directory as status and the verbs about it tell it.
 */
#include "auth/directory.h"

#include <jansson.h>

/* Sources with their health and counters, and the cache. */
json_t *ctl_directory_json(const struct directory *d);
/* What an account is. */
json_t *ctl_account_json(const struct account *account);
