#pragma once
/*
 * Lists of addresses in the settings: which mail a route, a hidden copy or a rewriting rule is for.
 *
 *     alice@example.org   that address          *     any address, the null sender as well
 *     example.org         all of that domain    <>    the null sender
 *     .example.org        all of domains below it
 *
 * Letters of either case are the same, domains may stand in U-labels or A-labels.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/settings.h"

enum address_match_for {
    MATCH_SENDERS,    /* "<>" is allowed */
    MATCH_RECIPIENTS, /* it is not */
};

/* ERR_SYNTAX; the text begins with the setting's name. */
bool address_match_check(const struct string_list *list, enum address_match_for what,
                         const char *setting, struct err *e);

struct address_match {
    const struct str *list; /* folded */
    size_t count;
};
/* Of a list that was checked; strings in a. */
struct address_match address_match_new(const struct string_list *list, struct arena *a);
/* address: "local@domain" in any case, "" for the null sender. */
bool address_match_has(const struct address_match *m, struct str address);
/* The same with an address that is folded already, for many questions about one. */
bool address_match_has_folded(const struct address_match *m, struct str folded);
/* Lower case, the domain in A-labels. Borrowed when it is so already. */
struct str address_fold(struct str address, struct arena *a);
