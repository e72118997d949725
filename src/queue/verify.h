#pragma once
/*
 * Do addresses of relay domains exist? Their servers are asked, and what they said is remembered.
 */
#include "core/settings.h"
#include "queue/probe.h"

struct verify;

struct verify_settings {
    usec timeout; /* of the reply to RCPT */
    usec positive_lifetime, positive_refresh;
    usec negative_lifetime, negative_refresh;
    usec accept_all_refresh;
    int64_t entries_max;
    int64_t connections;
    const char *sender;
};
extern const struct settings_block verify_settings_block; /* "verify" */

/* Belongs to the queue from now on, until verify_free. */
struct verify *verify_new(struct queue *q, const struct verify_settings *s);
/* What is known is kept in this file over a restart; first what it holds is known. One that is
 * missing or damaged is no failure. */
SUSPENDS void verify_keep(struct verify *v, const char *path);
void verify_reload(struct verify *v, const struct verify_settings *s);
/* Ends the connections, writes the file. */
SUSPENDS void verify_stop(struct verify *v);
void verify_free(struct verify *v);

struct verify_answer {
    enum probe_verdict verdict;
    bool accepts_all; /* verdict is PROBE_ACCEPTED: of any address, so nobody knows */
    bool stale;       /* older than its lifetime, since the server cannot be asked */
    usec checked;     /* wall clock, when its server said so; 0: never */
    struct str status, text;
};

/* address: of domain. Waits for the server as long as the settings say and not after `until`
 * (monotonic); a question that takes longer goes on without the asker. Strings in a. */
SUSPENDS void verify_address(struct verify *v, const struct domain *domain, struct str address,
                             usec until, struct arena *a, struct verify_answer *answer);
/* Somebody will want to know soon: the server is asked, if it has to be. True: this call began it.
 */
bool verify_begin(struct verify *v, const struct domain *domain, struct str address);
/* The next asker has its server asked again. */
void verify_forget(struct verify *v, const struct domain *domain, struct str address);

struct verify_stats {
    size_t entries, waiting, connections;
    uint64_t asked, accepted, refused, unanswered; /* probes */
};
void verify_get_stats(const struct verify *v, struct verify_stats *s);
/* Of the queue's; zeros when it verifies nothing. */
void queue_get_verify_stats(const struct queue *q, struct verify_stats *s);
