#pragma once
/* What the files of MTA-STS share. */
#include "core/loop.h"
#include "smtp/mta_sts.h"

#include <sys/queue.h>

/* Domains whose policies are kept. */
#define MTA_STS_DOMAINS_MAX 10000
/* A failed fetch is not repeated before (RFC 8461 3.3: at most one in five minutes is advised). */
#define MTA_STS_BACK_OFF (300 * USEC_SEC)
/* A policy is fetched anew a day after the last time (RFC 8461 10.2), or after half its life. */
#define MTA_STS_REFRESH_AGE (24 * 3600 * USEC_SEC)
/* ... unless no mail has asked for it for so long. */
#define MTA_STS_UNUSED_MAX (30 * 24 * 3600 * USEC_SEC)
#define MTA_STS_PASS       (600 * USEC_SEC) /* between two looks at all of them */

struct mta_sts_entry {
    TAILQ_ENTRY(mta_sts_entry) link; /* the least recently used first */
    struct str domain;               /* lower case, of letters, digits, hyphens, dots; owned */
    struct arena *arena;             /* of the policy; NULL: none was ever fetched */
    struct mta_sts_policy policy;
    struct str id; /* of DNS, when it was fetched */
    usec fetched, used;
    /* The last attempt. */
    usec tried; /* 0: never */
    char tried_id[MTA_STS_ID_MAX + 1];
    enum mta_sts_problem problem;
    struct err error;
    bool fetching;
    struct cond fetched_cond;
    unsigned holds; /* fibers that wait for it */
};
TAILQ_HEAD(mta_sts_list, mta_sts_entry);

struct mta_sts {
    struct mta_sts_settings settings;
    struct mta_sts_context context;
    char *dir;
    struct tls_context *tls;
    void *by_domain; /* tsearch */
    struct mta_sts_list list;
    size_t count;
    struct timer pass_timer;
    struct fiber *pass;
    struct cond pass_ended;
    bool stopping;
};

/* --- mta_sts_table.c --- */

struct mta_sts_entry *mta_sts_entry_find(const struct mta_sts *m, const char *name);
/* Made if it is not there; NULL when all places are taken by entries in use. */
struct mta_sts_entry *mta_sts_entry_get(struct mta_sts *m, const char *name);
void mta_sts_entry_remove(struct mta_sts *m, struct mta_sts_entry *e);
/* Takes the arena. */
void mta_sts_entry_set(struct mta_sts_entry *e, struct arena *a,
                       const struct mta_sts_policy *policy, struct str id, usec fetched);
usec mta_sts_entry_expires(const struct mta_sts_entry *e);
bool mta_sts_entry_holds(const struct mta_sts_entry *e);

/* --- mta_sts_fetch.c --- */

/* One HTTPS request, or waits for the one under way. e->problem says what came of it; false when
 * nothing did, since the fiber was cancelled. */
SUSPENDS bool mta_sts_fetch(struct mta_sts *m, struct mta_sts_entry *e, struct str id);

/* --- mta_sts_file.c --- */

/* Pure, for tests. */
void mta_sts_encode(const struct mta_sts_entry *e, struct buf *out);
bool mta_sts_decode(struct mta_sts *m, struct str bytes);
SUSPENDS void mta_sts_save(struct mta_sts *m, const struct mta_sts_entry *e);
SUSPENDS void mta_sts_remove_file(struct mta_sts *m, const char *name);
SUSPENDS void mta_sts_load(struct mta_sts *m);

/* --- mta_sts_refresh.c --- */

void mta_sts_begin_passes(struct mta_sts *m);
/* Fetches anew what is due, forgets what has expired. For tests without the timer. */
SUSPENDS void mta_sts_refresh_all(struct mta_sts *m);
