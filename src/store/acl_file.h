#pragma once
/*
 * The file `dovecot-acl` in the directory of a mailbox. Blocking: for workers.
 */
#include "store/acl.h"

#define ACL_FILE "dovecot-acl"

/* Tells whether a file was changed. */
struct acl_stamp {
    int64_t modified, changed; /* nanoseconds; 0: not known, or it may have changed since unseen */
    uint64_t inode, size;
};

enum acl_state {
    ACL_NO_MAILBOX, /* its directory is missing */
    ACL_NO_FILE,    /* there is no list: nobody has any rights */
    ACL_LISTED,
    ACL_DAMAGED, /* it cannot be understood: nobody has any rights */
    ACL_UNKNOWN, /* it cannot be read now */
};

struct acl_loaded {
    enum acl_state state;
    struct acl_stamp stamp;
    bool same;           /* as the one that is known: nothing else is filled in */
    struct arena *arena; /* LISTED: of the list; the caller frees it */
    struct acl acl;
    struct err error; /* DAMAGED, UNKNOWN */
};

/* known: NULL: read it in any case. */
void acl_file_load(const char *dir, const struct acl_stamp *known, struct acl_loaded *l);
/* Durable and as a whole. root: of all mailboxes, where Dovecot has a cache of all lists, which
 * goes. */
bool acl_file_write(const char *dir, const char *root, const struct acl *acl, struct err *e);
/* A new mailbox that is being built in `dir` gets the list of its parent; without one, none. */
bool acl_file_inherit(const char *parent, const char *dir, struct err *e);
