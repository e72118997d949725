#pragma once
/*
 * Search keys (RFC 3501 6.4.4): compiled into a tree (search_keys.c), evaluated on one message
 * (search_evaluate.c) and run over a mailbox (search_run.c). None of these knows a session: the
 * SEARCH command and the operator's tool use the same.
 */
#include "imap/number_set.h"
#include "imap/parser.h"
#include "mime/message.h"
#include "mime/search_text.h"
#include "store/summary.h"

struct imap_context;

enum search_kind {
    SEARCH_ALL,
    SEARCH_NONE,
    SEARCH_AND, /* of the children */
    SEARCH_OR,
    SEARCH_NOT, /* of the one child */
    SEARCH_FLAG,
    SEARCH_KEYWORD,
    SEARCH_RECENT,
    SEARCH_UIDS, /* sequence numbers as well: what they mean is settled when they are read */
    SEARCH_MODSEQ,
    SEARCH_LARGER,
    SEARCH_SMALLER,
    SEARCH_BEFORE,
    SEARCH_ON,
    SEARCH_SINCE,
    SEARCH_SAVEDBEFORE,
    SEARCH_SAVEDON,
    SEARCH_SAVEDSINCE,
    SEARCH_EMAILID, /* RFC 8474 */
    SEARCH_THREADID,
    /* from here on: the message is looked into */
    SEARCH_SENTBEFORE,
    SEARCH_SENTON,
    SEARCH_SENTSINCE,
    SEARCH_HEADER,
    SEARCH_ADDRESS, /* a header field with addresses: From, To, Cc, Bcc */
    SEARCH_BODY,
    SEARCH_TEXT,
};

struct search_node {
    enum search_kind kind;
    struct search_node *children, *next;
    uint8_t flag;
    struct str keyword;
    struct keyword_test test; /* of the keyword */
    struct search_node *next_keyword;
    uint64_t size; /* or the modseq */
    bool exact;    /* time is meant to the second, not day */
    int64_t day, time;
    int64_t age; /* of OLDER and YOUNGER: time follows from it and the clock */
    struct search_node *next_age;
    struct number_set uids;
    uint8_t id[SUMMARY_HASH_SIZE]; /* of a message or thread */
    struct str field;              /* of a header */
    struct search_key *key;        /* NULL: the field's presence is enough */
};

struct search_program {
    struct search_node *root;
    struct arena *arena;
    struct search_node *keywords; /* nodes with a keyword */
    struct search_node *ages;     /* nodes with an age */
    bool needs_date, needs_save_date;
    bool by_number; /* names sequence numbers */
    bool modseq;    /* asks for MODSEQ: replies have one (RFC 7162 3.1.5) */
    bool is_saved;  /* asks for the saved result */
    size_t costly;  /* keys that look into the message */
};

/* What keys are compiled for. */
struct search_scope {
    struct arena *arena;
    const struct mailbox *mailbox; /* its keywords; NULL: not open, for search_excludes */
    const uint32_t *uids;          /* ascending: the messages, by sequence number */
    size_t count;
    /* UIDs that "$" stands for (RFC 5182); NULL: it is no key here. */
    const struct number_set *saved;
    struct str charset; /* of texts */
    bool uid_only;      /* sequence numbers are refused (RFC 9586) */
    /* The keys are the words of a command line: any word may be a string, times may be relative,
     * and there is the key MAILBOX. */
    bool words;
    struct str name; /* for MAILBOX: of the mailbox, UTF-8 */
    int64_t now;     /* seconds, for relative times */
    /* The result when they cannot be compiled: what is wrong. */
    bool refused; /* well-formed, but not granted (IMAP: NO instead of BAD) */
    struct str error;
};

/* Is text in that charset taken as it is? */
bool search_charset_is_utf8(struct str charset);
/* Keys that are all to match. False: scope->error. The program keeps nothing but what is in the
 * scope's arena. */
bool search_compile(struct search_scope *scope, const struct imap_argument *keys,
                    struct search_program *program);
/* On the loop, before messages are looked at: tests of keywords know all sets that there are. */
void search_refresh(const struct search_program *program, const struct mailbox *m);
/* OLDER and YOUNGER count from there. */
void search_set_time(const struct search_program *program, int64_t now);
/* True when nothing in a mailbox of that name can match. */
bool search_excludes(const struct search_program *program);

/* How much of a message is known: keys that need more are undecided. */
enum search_level {
    SEARCH_NOTHING = -1,
    SEARCH_MEMORY,
    SEARCH_IDENTITY,
    SEARCH_HEADERS,
    SEARCH_CONTENT
};

/* A message as a snapshot: evaluation touches nothing else, so it can run on a worker. */
struct search_message {
    uint32_t uid;
    uint8_t flags;
    bool recent;
    uint32_t keywords;
    uint64_t size, modseq;
    int64_t date, day;                                        /* internal date: seconds, days */
    int64_t save_date;                                        /* seconds */
    uint8_t id[SUMMARY_HASH_SIZE], thread[SUMMARY_HASH_SIZE]; /* SEARCH_IDENTITY */
    struct str header;                                        /* SEARCH_HEADERS */
    struct str bytes; /* SEARCH_CONTENT: the whole message and its structure */
    const struct mime_part *root;
};

enum search_answer { SEARCH_FALSE, SEARCH_TRUE, SEARCH_UNDECIDED };

enum search_answer search_evaluate(const struct search_node *node, const struct search_message *m,
                                   enum search_level level);

/* --- over a mailbox --- */

struct search_run {
    struct imap_context *context;
    const struct search_program *program;
    struct mailbox *mailbox;
    const uint32_t *uids;
    size_t count;
    struct number_set recent; /* UIDs that have \Recent here */
    /* Between messages, `done` of them are through: lets others run; false to stop early, which is
     * no error. */
    SUSPENDS bool (*breathe)(void *arg, size_t done);
    void *arg;
    /* The result: positions in uids, ascending; to be freed. */
    uint32_t *found;
    size_t found_count, found_capacity;
    bool gone; /* some were expunged meanwhile: these are found by nothing */
};
SUSPENDS bool search_run(struct search_run *r, struct err *e);
