#pragma once
/*
 * Between the files about passwords. Private to them.
 */
#include "auth/password.h"

/* crypt(3) of the phrase; NULL when it cannot. The caller wipes and frees. */
char *password_crypt(struct str password, const char *setting);

/* The hash's own parameters let it be computed: a method that is known, at a cost that a login may
 * have. ERR_SYNTAX says what is wrong. */
bool password_check_hash(struct str hash, struct err *e);

/* Compares with a hash in one of the schemes that are no crypt(3); `known` is false when it is in
 * none of them. */
enum password_match password_scheme_verify(struct str password, struct str hash, bool *known);
