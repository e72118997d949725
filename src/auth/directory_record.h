#pragma once
/*
 * The embedded directory as records: what an export gives and an import takes. Texts are as people
 * write them; "" is not given: it stays as it is, or is as of a new one. "-" empties a name or a
 * list.
 */
#include "auth/directory.h"

enum record_kind {
    RECORD_DOMAIN,
    RECORD_USER,
    RECORD_GROUP,
    RECORD_ADDRESS,
    RECORD_RULE,           /* address: its name; in their order, new ones at the end */
    RECORD_SEND_AS,        /* address: "local@domain", "@domain"; members: who may send as it */
    RECORD_GROUP_SETTINGS, /* what is kept here of a group of another source */
    RECORD_KINDS
};
/* "domain", "user", "group", "address", "rule", "send_as", "group_settings". */
const char *record_kind_name(enum record_kind kind);

struct directory_record {
    enum record_kind kind;
    int64_t line;       /* of the file that it came from */
    struct str address; /* of a user, group or address, in full; a domain's name */
    struct str name;    /* for people: of users and groups */
    struct str disabled, internal, members_only, verify, keep_copy; /* "yes", "no" */
    /* Of users. password: "{SCHEME}..."; the others are what goes with it. */
    struct str password, scram_sha1, scram_sha256, cram_md5;
    struct str protocols;
    struct str quota_storage, quota_messages; /* "default", or a number, 0: none; domains' too */
    struct str *forwards;
    /* Of groups; of addresses and rules: where they lead; of send_as: the grantees. */
    struct str *members;
    size_t forward_count, member_count;
    /* Of domains. */
    struct str domain_kind, relay, alias_of, catch_all;
    struct str subdomains; /* "yes", "no" */
    struct str *copies;
    size_t copy_count;
    struct str disclaimer, dkim_selector, dkim_key;
    /* Of groups. */
    struct str send_as; /* "yes", "no" */
    struct str public_mailbox;
    /* Of rules; domain "*": all. */
    struct str pattern, domain;
};

/* Calls fn for each record of a domain (empty: all); it may suspend and ends the export by
 * returning false, which is then the result, *e untouched. Users come in slices: one that is
 * changed meanwhile is as before or as after. */
SUSPENDS bool directory_export(struct directory *d, struct str domain,
                               bool (*fn)(void *arg, const struct directory_record *record),
                               void *arg, struct err *e);

enum record_change { RECORD_UNCHANGED, RECORD_ADDED, RECORD_CHANGED, RECORD_WRONG };
struct record_column;
/* Texts as an export would have them; none: nothing is said. */
struct record_difference {
    const struct record_column *column; /* auth/record_column.h */
    const struct str *before, *after;
    size_t before_count, after_count;
};
struct record_result {
    enum record_change change;
    const char *error;                     /* RECORD_WRONG */
    struct record_difference *differences; /* RECORD_CHANGED */
    size_t difference_count;
};
/* All records in one transaction, or, if one of them is wrong or with dry_run, none. results: one
 * for each, strings in a. ERR_SYNTAX: some are wrong. progress (may be NULL) is called while
 * passwords in clear are hashed and ends the import by returning false. */
SUSPENDS bool directory_import(struct directory *d, const struct directory_record *records,
                               size_t count, bool dry_run, struct arena *a,
                               struct record_result *results,
                               bool (*progress)(void *arg, size_t done, size_t of), void *arg,
                               struct err *e);
