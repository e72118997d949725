#pragma once
/*
 * What a client wants to hear of the result of a search (RFC 4466 2.6): return options, and the
 * ESEARCH response that gives it (RFC 4731, 5267, 9394, 7377). The result is a list in the order
 * asked for: that of the mailbox, or that of a sort program.
 */
#include "core/buf.h"
#include "imap/partial.h"
#include "imap/wire_name.h"

struct imap_command;

enum return_option {
    RETURN_MIN = 1,
    RETURN_MAX = 2,
    RETURN_ALL = 4,
    RETURN_COUNT = 8,
    RETURN_PARTIAL = 16, /* RFC 5267 4.4, RFC 9394 */
    RETURN_SAVE = 32,    /* RFC 5182 */
    RETURN_CONTEXT = 64, /* RFC 5267 4.2: only a hint */
    RETURN_UPDATE = 128, /* RFC 5267 4.3 */
};

struct return_options {
    bool extended; /* there was RETURN: the answer is ESEARCH */
    unsigned give; /* enum return_option */
    struct partial partial;
    const struct imap_argument
        *fetch; /* UPDATE (...): items for new results, or NULL (RFC 5465 7) */
};

/* RETURN and its list, if they are next. False: the result is set. */
bool imap_take_return(struct imap_command *c, struct return_options *o);

struct esearch {
    struct str tag;
    bool uid;
    struct str mailbox;        /* p == NULL: the selected one */
    struct wire_naming naming; /* its name on the wire: imap_session_naming */
    uint32_t uid_validity;
    const struct return_options *options;
    const uint32_t *numbers; /* in the order asked for */
    size_t count;
    uint64_t modseq; /* of those referred to; 0: not asked for */
};

/* "* ESEARCH (TAG "a") UID", the beginning of each response. */
void esearch_write_start(struct buf *out, const struct esearch *r);
/* The whole response with its line end. Nothing when there is nothing but SAVE. */
void esearch_write(struct buf *out, const struct esearch *r);

/* Which of `count` results SAVE keeps (RFC 5182 2.4, RFC 9394 3.2) and MODSEQ is the highest of
 * (RFC 4731 3.2): all, or the first, the last and those in the window. */
struct esearch_referred {
    bool all, first, last;
    size_t from, end; /* the window; from == end: none */
};
struct esearch_referred esearch_referred(const struct return_options *o, size_t count);
static inline bool esearch_refers(const struct esearch_referred *r, size_t i, size_t count)
{
    return r->all || (r->first && i == 0) || (r->last && i + 1 == count) ||
           (i >= r->from && i < r->end);
}
