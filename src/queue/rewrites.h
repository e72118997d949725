#pragma once
/*
 * Rewriting of addresses by rule (docs/rewriting.md): blocks `rewrite NAME { ... }`, in the order
 * of the file, each of which gets what the one before made of an address.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/settings.h"

struct queue;
struct queue_rules;
struct rewrite_table;

extern const struct settings_block rewrite_settings_block; /* "rewrite", named */

/* Whose mail. */
enum rewrite_origin {
    REWRITE_USERS = 1,    /* logged in */
    REWRITE_PROGRAMS = 2, /* of this machine: sendmail, submission without a login */
    REWRITE_RELAY = 4,    /* clients of relay_networks */
    REWRITE_OUTSIDE = 8,
};

/* Which addresses. */
enum rewrite_part {
    REWRITE_ENVELOPE_SENDER = 1,
    REWRITE_ENVELOPE_RECIPIENT = 2,
    REWRITE_HEADER_SENDER = 4,    /* From, Sender, Reply-To, and their Resent- forms */
    REWRITE_HEADER_RECIPIENT = 8, /* To, Cc, and their Resent- forms */
};

enum rewrite_type { REWRITE_EXACT, REWRITE_DOMAIN, REWRITE_PATTERN };

struct rewrite_settings {
    const char *name;
    struct string_list origins; /* "for" */
    struct string_list parts;
    const char *table; /* "" : none */
    int type;          /* enum rewrite_type */
    struct string_list masquerade, except;
};

struct rewrite_rule {
    const struct rewrite_settings *settings;
    unsigned origins, parts;
    const struct rewrite_table *table; /* NULL: none */
    const struct str *masquerade;      /* folded; "!" in front: stays */
    size_t masquerade_count;
};

struct rewrite_list {
    struct rewrite_rule *list;
    size_t count;
};

/* Reads the tables: blocking. */
bool rewrite_list_new(const struct config *config, struct arena *a, struct rewrite_list *list,
                      struct err *e);

/* The rules for one message. Zeroed: none. */
struct rewriter {
    struct queue_rules *rules; /* a reference; NULL: none */
    unsigned origin;           /* enum rewrite_origin */
    unsigned tries;            /* of patterns so far */
};

/* The present rules, for mail of this origin. */
void rewriter_begin(struct rewriter *r, struct queue *q, enum rewrite_origin origin);
/* A zeroed one is allowed. */
void rewriter_end(struct rewriter *r);
/* Is there a rule for this part? r: NULL is allowed. */
bool rewriter_wants(const struct rewriter *r, enum rewrite_part part);
/* What the rules make of "local@domain": the same string when nothing. In a. Does not suspend. */
struct str rewriter_address(struct rewriter *r, enum rewrite_part part, struct str address,
                            struct arena *a);
