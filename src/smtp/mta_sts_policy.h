#pragma once
/*
 * What a domain says about TLS of its mail servers, as text: the TXT record and the policy of
 * MTA-STS (RFC 8461 3.1, 3.2). Pure.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

/* RFC 8461 3.2: a policy is at most this large, 3.1: an id, 3.2: seconds (about a year). */
#define MTA_STS_POLICY_MAX (64 * 1024)
#define MTA_STS_ID_MAX     32
#define MTA_STS_AGE_MAX    31557600
/* Patterns of hosts in one policy. */
#define MTA_STS_HOSTS_MAX 200

enum mta_sts_mode { MTA_STS_NONE, MTA_STS_TESTING, MTA_STS_ENFORCE };

struct mta_sts_policy {
    enum mta_sts_mode mode;
    uint32_t max_age;     /* seconds */
    const struct str *mx; /* "mx.example.org", "*.example.org", lower case */
    size_t mx_count;
};

/* The id of the one record among these that is MTA-STS's. False: there is none, or more than one,
 * or it is malformed: the domain has no policy. */
bool mta_sts_find_id(const struct str *texts, size_t count, struct str *id);
/* ERR_SYNTAX. Strings in a. */
bool mta_sts_policy_parse(struct str text, struct arena *a, struct mta_sts_policy *policy,
                          struct err *e);
/* As lines, the way it would be published. */
void mta_sts_policy_write(struct buf *out, const struct mta_sts_policy *policy);
/* RFC 8461 4.1: whether the policy names this host. */
bool mta_sts_policy_allows(const struct mta_sts_policy *policy, struct str host);
const char *mta_sts_mode_name(enum mta_sts_mode mode);
