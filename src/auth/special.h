#pragma once
/*
 * Destinations that are no addresses. Only administrators may write them: of addresses, rules,
 * catch-alls and as members of groups of the embedded directory.
 */
#include "core/str.h"

enum special_kind {
    SPECIAL_NONE,    /* an address */
    SPECIAL_INCLUDE, /* ":include:/absolute/path": a file of addresses */
    SPECIAL_PUBLIC,  /* ":public:NAME": a public mailbox */
    SPECIAL_DISCARD, /* ":discard:": accepted and dropped */
    SPECIAL_WRONG,   /* begins as one and is none of them */
};
/* *rest: the path, the name. The words in any case. */
enum special_kind special_parse(struct str text, struct str *rest);
