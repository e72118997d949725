#pragma once
/*
 * Names as the directory keys them. Private to auth.
 */
#include "core/arena.h"

/* A domain in lower case and A-labels; text may be in any case, U- or A-labels. False: nothing that
 * could be a domain of ours (address literals cannot). */
bool name_domain(struct arena *a, struct str text, struct str *domain);

/* "local@domain" of a mailbox address. domain is empty when there was none. */
struct name {
    struct str local;  /* lower case, without quotes */
    struct str domain; /* lower case, A-labels */
};
/* False: *reason (may be NULL) says what is wrong. */
bool name_parse(struct arena *a, struct str text, struct name *name, const char **reason);
struct str name_text(struct arena *a, const struct name *name);

/* The address mail goes on to: the local part as given (only its own server may fold its case),
 * quoted where needed, the domain as name_domain. */
bool name_destination(struct arena *a, struct str text, struct str *destination, struct name *name,
                      const char **reason);

/* "example.test/alice": the account's directory below the store. Different names give different
 * homes, none leaves its place. */
struct str name_home(struct arena *a, const struct name *name);
