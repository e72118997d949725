#pragma once
/*
 * The one parser of client commands (RFC 3501 section 9): whatever the command, its arguments
 * become a tree of atoms, quoted strings, literals and lists, so extensions need no grammar of
 * their own. It is fed line by line, because literals stand between lines: the caller fetches a
 * literal's bytes (or streams them into a spool) and goes on with the next line. Pure: no I/O.
 */
#include "core/arena.h"

struct spool;

enum imap_argument_type {
    IMAP_ATOM, /* also flags, numbers, sets, patterns: anything without quotes */
    IMAP_QUOTED,
    IMAP_LITERAL,
    IMAP_LIST,
};

struct imap_argument {
    enum imap_argument_type type;
    bool has_section;               /* an atom with brackets behind it: BODY[...] */
    bool binary;                    /* a literal8: ~{n} (RFC 3516); may hold NUL */
    struct str text;                /* of an atom, quoted string or literal in memory */
    struct spool *spool;            /* literal that was streamed */
    struct str partial;             /* behind the section, between < and >; p == NULL: none */
    struct imap_argument *children; /* of a list, or in the section's brackets */
    struct imap_argument *next;
    size_t offset; /* in the command, for messages */
};

struct imap_parser_limits {
    size_t arguments_max, depth_max;
};

enum imap_parse {
    IMAP_PARSE_DONE,
    IMAP_PARSE_LITERAL, /* literal_size and literal_sync tell which; give it to the parser, then
                           the next line */
    IMAP_PARSE_BAD,     /* error tells what was expected where */
};

struct imap_parser {
    struct arena *arena;
    struct imap_parser_limits limits;
    bool sections; /* "[" behind an atom opens a section (FETCH) instead of being part of it */
    bool utf8;     /* quoted strings must be UTF-8 (RFC 9755 section 3) */
    struct imap_argument *arguments; /* the result: first of the top level */
    uint64_t literal_size;
    bool literal_sync;   /* the client waits for "+" */
    bool literal_binary; /* a literal8 */
    struct str error;    /* "expected ... at byte 12" */

    /* private */
    struct imap_frame *frame;
    struct imap_argument *literal;
    size_t depth, count;
    struct str line;
    size_t at, before; /* in the line; bytes of the command before it */
    bool after_value;
};

void imap_parser_init(struct imap_parser *p, struct arena *a, struct imap_parser_limits limits);
/* The next line, without its line end; must live as long as the tree. */
void imap_parser_line(struct imap_parser *p, struct str line);
/* Tag, and command name behind it: call before imap_parser_arguments. False: p->error. */
bool imap_parser_tag(struct imap_parser *p, struct str *tag);
bool imap_parser_name(struct imap_parser *p, struct str *name);
enum imap_parse imap_parser_arguments(struct imap_parser *p);
/* The literal asked for: its bytes, or the spool they went to. */
void imap_parser_literal(struct imap_parser *p, struct str bytes, struct spool *spool);

/* A line that ends in a literal's header, however wrong the rest may be. */
bool imap_line_literal(struct str line, uint64_t *size, bool *sync);

/* Character classes of RFC 3501: what an astring may hold without quotes, and what an atom may. */
bool imap_is_astring(struct str s);
bool imap_is_atom(struct str s);
/* Of an argument and those behind it, with all they hold but spools. */
struct imap_argument *imap_argument_copy(struct arena *a, const struct imap_argument *from);
/* An atom that says this, in any case. */
bool imap_argument_is(const struct imap_argument *a, const char *atom);
/* A string in any form (astring): atoms must consist of ASTRING-CHARs. False for lists and spools.
 */
bool imap_argument_astring(const struct imap_argument *a, struct str *s);
