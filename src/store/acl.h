#pragma once
/*
 * Access control lists (RFC 4314) in the form of Dovecot's files `dovecot-acl`: who may do what
 * with a mailbox. Pure; the files are in store/acl_file.h, their memory in store/acl_memory.h.
 *
 *   user=alice@example.test lrwstipekxa
 *   group=staff lrs
 *   -user=bob@example.test s
 *   anyone l :custom
 *
 * A user has the rights of the most specific kind of entry that is about him: group-override, user,
 * owner, group, authenticated, anyone, in this order; groups of his are added up. Negative entries
 * ("-") are taken away from that.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

enum acl_right {
    RIGHT_LOOKUP = 1,          /* l: LIST shows it, SUBSCRIBE */
    RIGHT_READ = 2,            /* r: SELECT, STATUS, FETCH, COPY from it */
    RIGHT_SEEN = 4,            /* s: \Seen stays */
    RIGHT_WRITE = 8,           /* w: other flags and keywords */
    RIGHT_INSERT = 16,         /* i: APPEND, COPY into it */
    RIGHT_CREATE = 32,         /* k: mailboxes below it, new or renamed */
    RIGHT_DELETE_MAILBOX = 64, /* x: DELETE, RENAME of it */
    RIGHT_DELETE = 128,        /* t: \Deleted */
    RIGHT_EXPUNGE = 256,       /* e: EXPUNGE, also the one of CLOSE */
    RIGHT_ADMINISTER = 512,    /* a */
    RIGHT_POST = 1024,         /* p: send mail to it; nobody asks for it */
    RIGHTS_ALL = 2047,
    RIGHTS_WRITE = RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_DELETE | RIGHT_EXPUNGE,
    /* Those with which one may know one's rights: MYRIGHTS. */
    RIGHTS_KNOW = RIGHT_LOOKUP | RIGHT_READ | RIGHT_INSERT | RIGHT_CREATE | RIGHT_DELETE_MAILBOX |
                  RIGHT_ADMINISTER,
};

/* Whom an entry is about, the least specific first. */
enum acl_kind {
    ACL_ANYONE,
    ACL_AUTHENTICATED,
    ACL_GROUP,
    ACL_OWNER,
    ACL_USER,
    ACL_GROUP_OVERRIDE,
};

struct acl_identifier {
    enum acl_kind kind;
    struct str name; /* of USER, GROUP, GROUP_OVERRIDE; else "" */
    bool negative;
};

/* Rights that an entry gives, or takes away. */
struct acl_rights {
    bool given; /* the entry says something, and be it "none" */
    unsigned rights;
    struct str names; /* of rights that are not ours, with spaces between them */
};

struct acl_entry {
    enum acl_kind kind;
    struct str name;
    struct acl_rights positive, negative;
};

struct acl {
    struct acl_entry *list; /* sorted by kind and name, each once */
    size_t count;
    struct str comments; /* lines with # in front */
};

/* Strings in `a`. ERR_SYNTAX, ERR_LIMIT: *e has the line, and nobody has any rights by it. */
bool acl_parse(struct acl *acl, struct str text, struct arena *a, struct err *e);
void acl_format(struct buf *b, const struct acl *acl);

/* Who asks. Groups: in any case. */
struct acl_who {
    struct str login;
    const struct str *groups;
    size_t group_count;
};
/* Of somebody who does not own the mailbox. */
unsigned acl_rights_of(const struct acl *acl, const struct acl_who *who);

enum acl_change { ACL_REPLACE, ACL_ADD, ACL_REMOVE, ACL_DELETE };
/* Changes the entry of the identifier, positive or negative, in `a`. An entry that loses its last
 * right stays, and says "none": without it less specific ones would count. ERR_LIMIT. */
bool acl_apply(struct acl *acl, const struct acl_identifier *id, enum acl_change change,
               unsigned rights, struct arena *a, struct err *e);
const struct acl_entry *acl_find(const struct acl *acl, const struct acl_identifier *id);

/* "user=alice", "-group=staff", "anyone": as in the file, without quotes. *id borrows the text. */
bool acl_identifier_parse(struct str text, struct acl_identifier *id);
void acl_identifier_write(struct buf *b, const struct acl_identifier *id);
/* Letters of RFC 4314, also the old c (k, x) and d (t, e). False: there is another one. */
bool acl_letters_parse(struct str letters, unsigned *rights);
/* "lrswip..." */
void acl_letters_write(struct buf *b, unsigned rights);
