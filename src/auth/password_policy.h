#pragma once
/*
 * Which passwords people may choose. Asked when one is set, never when one is checked.
 */
#include "core/settings.h"

struct password_policy_settings {
    int64_t min_length; /* characters */
    int64_t min_classes;
    bool refuse_names;
    const char *bad_list; /* file; "": none */
    int64_t history;      /* former passwords that may not come back */
    usec max_age;         /* 0: for ever */
};
extern const struct settings_block password_policy_settings_block; /* "password_policy" */

/* Private to auth from here on. */
struct password_policy {
    struct password_policy_settings settings;
    char *bad_list;
};
/* Copies. */
struct password_policy *password_policy_new(const struct password_policy_settings *s);
/* NULL is allowed. */
void password_policy_free(struct password_policy *p);

/* ERR_PERM says what is wrong with it, for who has chosen it; ERR_IO, ERR_NOT_FOUND: the list
 * cannot be read. Reads the list of bad ones: for a worker. login, name: whose it will be. */
bool password_policy_check(const struct password_policy *p, struct str login, struct str name,
                           struct str password, struct err *e);
