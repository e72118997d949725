#pragma once
/*
 * What lines are found by: terms, as numbers. Ids, what stands in angle brackets (addresses,
 * message-ids, names), logins, peers; and places, which are a mailbox of an account.
 */
#include "core/str.h"

/* In any case. A term with a line end within is a place: "HOME\nMAILBOX". */
uint64_t term_hash(struct str term);

/* Calls fn for each term of a line, some of them more than once. */
void term_each(struct str line, void (*fn)(void *arg, uint64_t hash), void *arg);

/* --- places --- */

/* The mailboxes that an event is about. Homes are such as "example.test/alice", whatever way the
 * line names the account. */
struct place_names {
    struct str account; /* as the line has it: a home or a login; n 0: there is no place */
    struct str mailbox; /* without the mark of public ones */
    struct str to;      /* where to, of copies and renames; n 0: nowhere */
    struct str to_account;
    bool is_public, to_public;
};
/* False: the line names no mailbox. */
bool place_of(struct str text, struct place_names *p);
uint64_t place_hash(struct str account, struct str mailbox);
/* The account as "example.test/alice" in lower case, into out; ".public" for the public one. */
struct buf;
void place_add_home(struct buf *out, struct str account, bool is_public);
