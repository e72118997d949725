#pragma once
/*
 * A source of accounts, addresses and groups: the embedded directory, or one `ldap` block of the
 * configuration. directory.c asks them in the order of the configuration and remembers answers; a
 * source remembers nothing and may be slow. All functions are called on the loop in a fiber; they
 * wait no longer than the source's own time limit and may be called many times at once.
 *
 * FOUND fills the result with strings in `a`. NOT_FOUND is certain. Everything else (does not
 * answer, answers half, two entries where one is expected, an entry that makes no sense) is
 * TEMPFAIL with *e in words for the operator: source, server, what, why. Private to auth.
 */
#include "auth/account.h"
#include "auth/directory.h"

/* What is known of an account beyond what others may know. */
struct source_account {
    struct account account;
    struct str key; /* by which its source knows it: DN of the entry, row of the table */
    /* "": the source has none. */
    const char *hash;      /* of the password, as password.h reads it */
    struct str scram_sha1; /* verifiers, RFC 5803 */
    struct str scram_sha256;
    struct str cram_md5;  /* state of the HMAC after the key: 32 bytes */
    int64_t password_set; /* seconds since 1970; 0: not known */
};

/* What was asked and answered, for `mailctl directory lookup`; lines in the order of the events. */
struct lookup_line {
    const char *what; /* "server", "base", "filter", "attribute", "result", ... a literal */
    struct str text;
};
struct lookup_trace {
    struct arena *arena;
    struct lookup_line *lines;
    size_t count, capacity;
};
/* t may be NULL: nothing happens. Never give it a secret. */
void lookup_trace_add(struct lookup_trace *t, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct source {
    const struct source_functions *functions;
    const char *name; /* "embedded", or of the block */
    /* Whether a group that is inside of another one is a member as it stands, since something is
     * said of it that its members would not show. By whom the source is asked; NULL: none is. Does
     * not suspend. */
    bool (*stands_alone)(void *arg, struct str address);
    void *arg; /* of stands_alone */
};

struct source_functions {
    const char *kind; /* "embedded", "ldap" */

    /* Look-ups. TEMPFAIL with ERR_SYNTAX: the source is well, what it holds of this name is not
     * (two entries with one address); others hear ERR_TEMP of it.
     *
     * login: as the user typed it, any case, with or without a domain; never empty. */
    SUSPENDS enum lookup (*find_login)(struct source *s, struct str login, struct arena *a,
                                       struct source_account *found, struct lookup_trace *t,
                                       struct err *e);
    /* address: "local@domain" in lower case, the domain in A-labels; the account's own. */
    SUSPENDS enum lookup (*find_account)(struct source *s, struct str address, struct arena *a,
                                         struct source_account *found, struct lookup_trace *t,
                                         struct err *e);
    /* An address that is not an account's: where it leads. */
    SUSPENDS enum lookup (*find_address)(struct source *s, struct str address, struct arena *a,
                                         struct directory_address *found, struct lookup_trace *t,
                                         struct err *e);
    SUSPENDS enum lookup (*find_group)(struct source *s, struct str address, struct arena *a,
                                       struct directory_group *found, struct lookup_trace *t,
                                       struct err *e);

    /* NULL: the source has a hash of each. FOUND: right; NOT_FOUND: wrong, *e has the reason as one
     * word ("wrong_password", "disabled", "expired", "locked", "password_expired"). password is
     * never empty. */
    SUSPENDS enum lookup (*check_password)(struct source *s, const struct source_account *account,
                                           struct str password, struct lookup_trace *t,
                                           struct err *e);
    /* NULL: cannot. old: p == NULL when an operator sets it. ERR_DENIED: old is wrong; ERR_PERM:
     * the new one is against its rules, or the service account may not. */
    SUSPENDS bool (*set_password)(struct source *s, const struct source_account *account,
                                  struct str old, struct str password, struct err *e);

    /* Calls fn for each account of the domain (empty: all), in any order; fn may suspend and ends
     * the list by returning false (which is then the result, *e untouched). */
    SUSPENDS bool (*list_accounts)(struct source *s, struct str domain,
                                   bool (*fn)(void *arg, const struct account *account), void *arg,
                                   struct err *e);
    SUSPENDS bool (*list_groups)(struct source *s, struct str domain,
                                 bool (*fn)(void *arg, const struct directory_group *group),
                                 void *arg, struct err *e);

    /* Lines on its health for `mailctl status` and `directory show`; does not suspend. */
    void (*describe)(struct source *s, struct lookup_trace *t);

    SUSPENDS void (*close)(struct source *s);
};

/* The embedded directory is opened by directory_open. One for each `ldap` block; does not wait for
 * the server: one that is down is tried again later. *e: what is wrong with the settings. */
struct ldap_settings;
struct dns;
/* dns finds servers by SRV records, where the block says so; s and dns outlive the source. */
struct source *ldap_source_open(struct loop *l, struct dns *dns, const struct ldap_settings *s,
                                struct err *e);
