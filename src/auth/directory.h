#pragma once
/*
 * The directory: which domains, accounts, addresses and groups exist. Domains are those of the
 * embedded directory; the rest is asked of the sources of the configuration in their order, and
 * answers are cached on the loop. A directory that cannot answer is LOOKUP_TEMPFAIL, which nobody
 * may fold into "not found": senders get 4xx, users "try later".
 *
 * What a look-up finds lives as long as the arena it is given, is shared with others who asked, and
 * is not to be changed: a copy that costs nothing, however long its lists are.
 */
#include "auth/account.h"
#include "auth/address_rule.h"
#include "auth/delegation.h"
#include "auth/domain.h"
#include "core/fiber.h"
#include "core/histogram.h"
#include "core/settings.h"

struct directory;
struct loop;

struct directory_settings {
    const char *path; /* database file; "" : DATA/directory.db */
    const char
        *default_domain; /* for logins without a domain; "" : the only domain if there is one */
    usec cache_lifetime;
    struct string_list sources; /* names; empty: "embedded", then as they are added */
    usec cache_negative_lifetime, cache_stale;
    int64_t cache_size; /* bytes */
    bool store_cram_md5;
};
extern const struct settings_block directory_settings_block; /* "directory" */

/* Blocking part of opening (creates the schema) runs on a worker. */
SUSPENDS struct directory *directory_open(struct loop *l, const struct directory_settings *s,
                                          const char *path, struct err *e);
/* Closes its sources too. */
SUSPENDS void directory_close(struct directory *d);

/* The source's name among `sources` of the settings. */
#define EMBEDDED_NAME "embedded"
struct source;
/* Whether the settings want a source of this name. */
bool directory_wants_source(const struct directory *d, const char *name);
/* One that no configuration has, before anything is asked; s is taken over. It gets its place in
 * the order of the settings. */
void directory_add_source(struct directory *d, struct source *s);

/* The blocks `directory` and `ldap` of a configuration in two steps, at the start and later. Those
 * sources whose settings have not changed stay, with their connections; others are opened, and no
 * server is waited for. dns outlives the directory. *e: what is wrong with the settings. */
struct config;
struct dns;
struct directory_change;
struct directory_change *directory_change_prepare(struct directory *d, struct loop *l,
                                                  struct dns *dns, struct config *config,
                                                  struct err *e);
/* Either takes the change. Who is being answered gets his answer from whom he asked; a source that
 * is no longer there is closed after its last question. */
void directory_change_apply(struct directory_change *c);
void directory_change_forget(struct directory_change *c);

/* login: as the user typed it: an address, a name without a domain, whatever the sources know. Not
 * whether he may log in. */
SUSPENDS enum lookup directory_find_login(struct directory *d, struct str login, struct arena *a,
                                          struct account *account, struct err *e);
/* address: of the account (its login or another one of its own), or local part in the default
 * domain; any case. For recipients: while a source fails, what it said lately counts. */
SUSPENDS enum lookup directory_find_account(struct directory *d, struct str address,
                                            struct arena *a, struct account *account,
                                            struct err *e);
/* Destinations of an address that is no account's own: full addresses, and special ones
 * (auth/special.h) that the embedded directory has. "local@*": an address of all domains. */
SUSPENDS enum lookup directory_find_address(struct directory *d, struct str address,
                                            struct arena *a, struct str **destinations,
                                            size_t *count, struct err *e);

/* The same with all that is known of the address. */
struct directory_address {
    struct str address;
    struct str *destinations;
    size_t count;
    bool internal;      /* only for senders who are logged in or of a trusted network */
    const char *source; /* who has it: EMBEDDED_NAME, or the name of an ldap block */
};
SUSPENDS enum lookup directory_find_entry(struct directory *d, struct str address, struct arena *a,
                                          struct directory_address *entry, struct err *e);
SUSPENDS enum lookup directory_find_group(struct directory *d, struct str address, struct arena *a,
                                          struct directory_group *group, struct err *e);

/* What a login is proved with where the client does not show the password; "": the source has none
 * of the kind. They are secrets: for SASL alone. */
struct directory_secrets {
    struct account account; /* who may not log in is FOUND as well */
    struct str scram_sha1;  /* verifiers, RFC 5803 */
    struct str scram_sha256;
    struct str cram_md5; /* state of the HMAC after the key: 32 bytes */
};
SUSPENDS enum lookup directory_find_secrets(struct directory *d, struct str login, struct arena *a,
                                            struct directory_secrets *secrets, struct err *e);

/* Verifies a password. FOUND: right, and *account is filled. NOT_FOUND: unknown user, one who may
 * not log in, or wrong password, *e has the reason as one word for the log; the answer takes as
 * long for each. A hash is computed on a worker and a recent success is remembered as a keyed hash
 * for cache_lifetime; sources without hashes are asked each time. */
SUSPENDS enum lookup directory_check_password(struct directory *d, struct str login,
                                              struct str password, struct arena *a,
                                              struct account *account, struct err *e);

/* --- changes: durable when they return true; ERR_EXISTS, ERR_NOT_FOUND, ERR_SYNTAX, ERR_TEMP ---
 */

/* password: at least 1 byte; hashed with yescrypt, SCRAM verifier stored beside it. */
SUSPENDS bool directory_add_user(struct directory *d, struct str login, struct str password,
                                 struct str name, struct err *e);
/* The mail stays on disk. */
SUSPENDS bool directory_delete_user(struct directory *d, struct str login, struct err *e);
/* In whichever source has the account. ERR_PERM: it does not allow it. */
SUSPENDS bool directory_set_password(struct directory *d, struct str login, struct str password,
                                     struct err *e);
SUSPENDS bool directory_set_disabled(struct directory *d, struct str login, bool disabled,
                                     struct err *e);
/* Limits as in struct account; QUOTA_KEEP: stays as it is. */
#define QUOTA_DEFAULT (-1)
#define QUOTA_KEEP    (-2)
SUSPENDS bool directory_set_quota(struct directory *d, struct str login, int64_t storage,
                                  int64_t messages, struct err *e);
/* Adds one destination to an address (creates the address). address: of a domain of ours, or
 * "local@*": of all that are local. destination: a full address, or special (auth/special.h). */
SUSPENDS bool directory_add_address(struct directory *d, struct str address, struct str destination,
                                    struct err *e);
/* The same; internal: and the address is internal from now on. */
SUSPENDS bool directory_add_address_as(struct directory *d, struct str address,
                                       struct str destination, bool internal, struct err *e);
SUSPENDS bool directory_set_internal(struct directory *d, struct str address, bool internal,
                                     struct err *e);
/* What is to be changed of an address that is there. */
struct directory_address_change {
    bool set_destinations; /* replaces all; at least one */
    const struct str *destinations;
    size_t count;
    bool set_internal, internal;
};
SUSPENDS bool directory_set_address(struct directory *d, struct str address,
                                    const struct directory_address_change *change, struct err *e);
/* destination empty: the whole address. */
SUSPENDS bool directory_delete_address(struct directory *d, struct str address,
                                       struct str destination, struct err *e);

/* What is to be changed of a user; the rest stays as it is (by default: of a new one). */
struct directory_user_change {
    struct str name; /* p == NULL: stays */
    bool set_disabled, disabled;
    bool set_protocols;
    unsigned protocols; /* set of enum account_protocol */
    bool set_forwards;  /* replaces all; full addresses, none to itself */
    const struct str *forwards;
    size_t forward_count;
    bool set_keep_copy, keep_copy;
    bool set_quota;
    int64_t quota_storage, quota_messages; /* as for directory_set_quota */
};
/* password as for directory_add_user. */
SUSPENDS bool directory_add_user_as(struct directory *d, struct str login, struct str password,
                                    const struct directory_user_change *change, struct err *e);
SUSPENDS bool directory_change_user(struct directory *d, struct str login,
                                    const struct directory_user_change *change, struct err *e);

/* Whether the policy lets a user choose this password; name may be empty. ERR_PERM says what is
 * wrong with it. An operator may set it all the same. */
SUSPENDS bool directory_check_new_password(struct directory *d, struct str login, struct str name,
                                           struct str password, struct err *e);
struct password_policy_settings;
/* From now on; copied. Without it there is no policy. */
void directory_set_password_policy(struct directory *d, const struct password_policy_settings *s);

/* --- passwords for programs, of accounts of every source --- */

struct app_password {
    struct str label;         /* one of an account */
    unsigned protocols;       /* set of enum account_protocol */
    struct str networks;      /* "192.0.2.0/24 2001:db8::/32"; "": from everywhere */
    int64_t created, expires; /* seconds since 1970; 0: never */
    int64_t last_used;        /* the same, by the day; 0: not yet */
};
/* login: as account.login. Makes a secret for it, which is told here and never again (in a).
 * ERR_EXISTS: the label is used; ERR_SYNTAX; ERR_LIMIT. */
SUSPENDS bool directory_add_app_password(struct directory *d, struct str login,
                                         const struct app_password *p, struct arena *a,
                                         struct str *secret, struct err *e);
SUSPENDS bool directory_delete_app_password(struct directory *d, struct str login, struct str label,
                                            struct err *e);
SUSPENDS bool directory_list_app_passwords(struct directory *d, struct str login, struct arena *a,
                                           struct app_password **list, size_t *count,
                                           struct err *e);
/* It looks like one. */
bool directory_is_app_password(struct str password);
/* FOUND: it is one of this account and good for this protocol from this numeric address; notes that
 * it was used. NOT_FOUND: e->kind is ERR_NOT_FOUND when it is none (found out without asking
 * anybody when it does not look like one), ERR_DENIED when it is one that is not good here, with
 * the reason in one word for the log. */
SUSPENDS enum lookup directory_check_app_password(struct directory *d, struct str login,
                                                  struct str password,
                                                  enum account_protocol protocol,
                                                  const char *address, struct err *e);

/* --- groups of the embedded directory, and what is kept here of those of other sources --- */

struct directory_group_change {
    struct str name; /* p == NULL: stays */
    bool set_disabled, disabled;
    bool set_internal, internal;
    bool set_members_only, members_only;
    bool set_send_as, send_as;
    struct str public_mailbox; /* p == NULL: stays */
};
/* members: full addresses here or elsewhere, of other groups, or special (auth/special.h). */
SUSPENDS bool directory_add_group(struct directory *d, struct str address,
                                  const struct directory_group_change *change,
                                  const struct str *members, size_t count, struct err *e);
/* Of a group of another source all but the name; ERR_PERM tells which source has that. */
SUSPENDS bool directory_set_group(struct directory *d, struct str address,
                                  const struct directory_group_change *change, struct err *e);
/* Of a group of another source what is kept here. */
SUSPENDS bool directory_delete_group(struct directory *d, struct str address, struct err *e);
SUSPENDS bool directory_add_members(struct directory *d, struct str address,
                                    const struct str *members, size_t count, struct err *e);
SUSPENDS bool directory_delete_members(struct directory *d, struct str address,
                                       const struct str *members, size_t count, struct err *e);
/* With their own members only, groups inside as such; sorted, strings in a. domain empty: all. */
SUSPENDS bool directory_list_embedded_groups(struct directory *d, struct str domain,
                                             struct arena *a, struct directory_group **list,
                                             size_t *count, struct err *e);

/* --- lists --- */

/* Calls fn for each account of a domain (empty: all), source after source; those of the embedded
 * directory by domain and login. fn may suspend and ends the list by returning false, which is
 * then the result, *e untouched. A source that fails ends it as well. */
SUSPENDS bool directory_list_users(struct directory *d, struct str domain,
                                   bool (*fn)(void *arg, const struct account *account), void *arg,
                                   struct err *e);
SUSPENDS bool directory_list_groups(struct directory *d, struct str domain,
                                    bool (*fn)(void *arg, const struct directory_group *group),
                                    void *arg, struct err *e);

/* Of the embedded directory, sorted; strings in a. domain "*": those of all domains. */
SUSPENDS bool directory_list_addresses(struct directory *d, struct str domain, struct arena *a,
                                       struct directory_address **list, size_t *count,
                                       struct err *e);

/* --- the cache --- */

/* All answers and right passwords. */
void directory_forget(struct directory *d);
/* The same, and reads what is held in memory of the embedded directory from its file again. False:
 * that stays as it was. */
SUSPENDS bool directory_reload(struct directory *d, struct err *e);
/* Those about a name: a login, an address, a domain; how many there were. */
size_t directory_forget_name(struct directory *d, struct str name);

struct directory_stats {
    uint64_t hits, misses; /* look-ups that the cache answered, and others */
    uint64_t stale;        /* given because a source failed */
    size_t answers, missing, bytes;
    /* Of the embedded directory in memory, and how much of that are the texts themselves. */
    size_t addresses, address_bytes, address_text;
};
void directory_get_stats(const struct directory *d, struct directory_stats *stats);

struct directory_source_stats {
    uint64_t asked, found, failures;
    struct histogram times; /* of its answers */
    usec failed;            /* the last time, clock_wall; 0: never */
    struct err failure;
    /* The source answered, but entries contradict each other or make no sense: of single names. */
    uint64_t wrong;
    usec wrong_seen; /* the last time, clock_wall; 0: never */
    struct err wrong_entry;
};
/* In their order, embedded included. */
size_t directory_source_count(const struct directory *d);
const struct source *directory_source(const struct directory *d, size_t i,
                                      struct directory_source_stats *stats);
