#pragma once
/*
 * Search keys (RFC 3501 6.4.4) as a tree, and its evaluation on one message.
 */
#include "imap/command.h"
#include "mime/search_text.h"

enum search_kind {
    SEARCH_ALL,
    SEARCH_AND, /* of the children */
    SEARCH_OR,
    SEARCH_NOT, /* of the one child */
    SEARCH_FLAG,
    SEARCH_KEYWORD,
    SEARCH_RECENT,
    SEARCH_INDEXES, /* sequence numbers and UIDs */
    SEARCH_LARGER,
    SEARCH_SMALLER,
    SEARCH_BEFORE,
    SEARCH_ON,
    SEARCH_SINCE,
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
    uint32_t keywords;
    uint64_t size;
    int64_t day;
    struct number_set indexes;
    struct str field;       /* of a header */
    struct search_key *key; /* NULL: the field's presence is enough */
};

struct search_program {
    struct search_node *root;
    bool needs_date;
    size_t costly; /* keys that look into the message */
};

/* Takes CHARSET and the keys. False: the result is set. */
bool search_take_keys(struct imap_command *c, struct search_program *program);

/* How much of a message is known: keys that need more are undecided. */
enum search_level { SEARCH_MEMORY, SEARCH_HEADERS, SEARCH_CONTENT };

/* A message as a snapshot: evaluation touches nothing else, so it can run on a worker. */
struct search_message {
    uint32_t index;
    uint8_t flags;
    bool recent;
    uint32_t keywords;
    uint64_t size;
    int64_t day;
    struct str header; /* SEARCH_HEADERS */
    struct str bytes;  /* SEARCH_CONTENT: the whole message and its structure */
    const struct mime_part *root;
};

enum search_answer { SEARCH_FALSE, SEARCH_TRUE, SEARCH_UNDECIDED };

enum search_answer search_evaluate(const struct search_node *node, const struct search_message *m,
                                   enum search_level level);
