#pragma once
/*
 * An account: somebody who may log in and has mailboxes, wherever he is listed.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

/* What an account may use; sets of them. */
enum account_protocol {
    ACCOUNT_SMTP = 1, /* submission: hand in mail */
    ACCOUNT_IMAP = 2,
    ACCOUNT_POP3 = 4,
    ACCOUNT_SIEVE = 8,
    ACCOUNT_ALL_PROTOCOLS = 15,
};

/* What happens to mail for it. */
enum account_mail {
    ACCOUNT_MAIL_ACCEPT,
    ACCOUNT_MAIL_DEFER,  /* not now: 4xx */
    ACCOUNT_MAIL_REFUSE, /* 5.2.1 */
};

struct account {
    int64_t id;       /* never another account's */
    struct str login; /* "alice@example.test", lower case: its name in the log, the store, mailctl,
                         and its main address */
    struct str name;  /* for people, may be empty */
    struct str home;  /* below the store's path: "example.test/alice"; path separators in it are the
                         directory's own */
    /* Why it may not log in, one word for the log ("disabled", "expired", "locked",
     * "password_expired"); NULL: it may. */
    const char *no_login;
    enum account_mail mail;
    unsigned protocols; /* set of enum account_protocol */
    /* Other addresses that are its own, lower case; it may send as them. */
    struct str *addresses;
    size_t address_count;
    /* Where its mail goes instead, or too. */
    struct str *forwards; /* full addresses */
    size_t forward_count;
    bool keep_copy; /* beside forwards; true without any */
    /* Another server of ours that has its mailboxes: "host", "host:port"; "": this one. */
    struct str mail_host;
    /* Groups it is in, those of groups included: for access rules. Lower case names. */
    struct str *groups;
    size_t group_count;
    /* The user's own limits. -1: those of the settings; 0: none. */
    int64_t quota_storage; /* bytes */
    int64_t quota_messages;
    int64_t quota_version; /* grows with each change of them */
    const char *source;    /* who has it: EMBEDDED_NAME, or the name of an ldap block */
};

/* The same with all its strings in a. */
struct account account_copy(struct arena *a, const struct account *from);

/* Texts of a list in a, each copied. */
struct str *account_copy_list(struct arena *a, const struct str *list, size_t count);

/* "imap pop3", "none"; in a. */
struct str account_protocols_text(struct arena *a, unsigned protocols);
/* Words separated by spaces or commas: smtp (or submission), imap, pop3, sieve, all, none.
 * ERR_SYNTAX names the word. */
bool account_protocols_parse(struct str text, unsigned *protocols, struct err *e);

/* A list of addresses that is kept in a directory. */
struct directory_group {
    struct str address;  /* "staff@example.test", lower case */
    struct str name;     /* for people, may be empty */
    struct str *members; /* full addresses, those of groups inside included, each once; of the
                            embedded directory special ones as well */
    size_t member_count;
    bool disabled;             /* takes no mail */
    bool internal;             /* only for senders who are logged in or of a trusted network */
    bool members_only;         /* only for its members */
    bool send_as;              /* members may send as the group */
    struct str public_mailbox; /* that has its mail instead of the members; "" : none */
    const char *source;        /* who has it: EMBEDDED_NAME, or the name of an ldap block */
};
