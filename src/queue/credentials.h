#pragma once
/*
 * Who logs in as whom at a route's hosts: a file with a line for each sender or login,
 *
 *     # sender, login or @domain      user:password
 *     alice@example.org               alice@provider.example:secret
 *
 * read with the configuration. It must not be readable by everybody.
 */
#include "core/arena.h"
#include "core/err.h"

struct credential {
    struct str key; /* folded */
    const char *user, *password;
};

struct credentials {
    struct credential *list; /* sorted by key */
    size_t count;
};

/* Blocking. Strings in a. *e: "path:line: ..." */
bool credentials_read(const char *path, struct arena *a, struct credentials *c, struct err *e);
/* The same from text; path is for messages. */
bool credentials_parse(const char *path, struct str text, struct arena *a, struct credentials *c,
                       struct err *e);
/* Of the sender; else of the login; else of "@domain" of the sender. Both folded, "" : none. NULL:
 * there is none. */
const struct credential *credentials_find(const struct credentials *c, struct str sender,
                                          struct str login);
/* The one with that key. */
const struct credential *credentials_get(const struct credentials *c, struct str key);
