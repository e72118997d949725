#pragma once
/*
 * Passwords of users of the embedded directory: what is stored of one, who may choose which, and
 * what happens beside a login. Private to auth.
 */
#include "auth/embedded_apply.h"
#include "auth/password_policy.h"

/* All that is kept of a password; "": cannot be used. */
struct embedded_password {
    struct str hash;
    struct str scram_sha1, scram_sha256;
    struct str cram_md5; /* in hexadecimal */
};
/* Of a password in clear, on WORKER_AUTH. Strings in a. */
SUSPENDS bool embedded_password_make(struct arena *a, struct str password, bool cram_md5,
                                     struct embedded_password *made, struct err *e);

/* The 32 bytes of cram_md5; "" when there are none. */
struct str password_cram_md5_bytes(struct arena *a, struct str hex);

/* Of struct directory: what it knows about passwords. */
struct embedded_passwords {
    struct password_policy *policy;
    bool store_cram_md5;
    struct password_upgrade *upgrades; /* waiting, the first is at work when there is a fiber */
    size_t upgrade_count;
    struct fiber *upgrader;
    struct cond upgraded; /* the fiber has ended */
};
/* Waits for what is being written. */
SUSPENDS void embedded_passwords_close(struct directory *d);

/* The password is right, its hash is not as it would be made today: makes it anew, beside the
 * login. What cannot be done is left to the next login. */
void embedded_password_upgrade(struct directory *d, struct str login, const char *hash,
                               struct str password);

/* For directory_apply: a new password of a user. */
struct password_order {
    struct str login;
    struct embedded_password password;
    int64_t history;        /* former ones that are kept */
    const char *instead_of; /* not NULL: only while this is the hash */
};
bool password_db_set(struct directory_db *db, void *arg, struct err *e);
