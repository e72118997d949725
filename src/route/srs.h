#pragma once
/*
 * The sender rewriting scheme (SRS; Meng Weng Wong and Shevek, "SRS: Sender Rewriting Scheme",
 * 2003): the envelope sender of a forwarded message becomes an address of the forwarder,
 *
 *     alice@far.example            SRS0=HHH=TT=far.example=alice@here.example
 *     SRS0=...@other.example       SRS1=HHH=other.example==...@here.example
 *     SRS1=HHH=first.example==...  SRS1=HHH'=first.example==...@here.example
 *
 * and mail to that address, reports, goes back to where it came from. HHH is a keyed hash, TT the
 * day. Pure; nothing here suspends.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"

/* Secrets: the first one signs, all of them verify. */
#define SRS_SECRETS_MAX 10
struct srs_secrets {
    const struct str *list;
    size_t count;
};

/* Days for which an address is valid; below 1024, the period of TT. */
#define SRS_VALIDITY_MAX 365

/* sender: "local@domain", not null. domain: of the forwarder. Empty when the sender cannot be
 * rewritten: its local part would get too long, or its domain is none. In a. */
struct str srs_forward(const struct srs_secrets *secrets, struct str sender, struct str domain,
                       usec now, struct arena *a);

enum srs_answer {
    SRS_NONE,  /* not of this form */
    SRS_VALID, /* *sender */
    SRS_FORGED,
    SRS_OLD,
};
/* local: the local part of the address. *sender in a. */
enum srs_answer srs_reverse(const struct srs_secrets *secrets, struct str local, usec now,
                            unsigned validity_days, struct arena *a, struct str *sender);
