#pragma once
/*
 * A manual page, in roff for man(1) or as plain text for a terminal: the same page, only the marks
 * around titles, terms and paragraphs differ.
 */
#include "core/buf.h"

struct manual_page {
    struct buf *b;
    bool roff;
};

/* name in capitals: "MAILD.CONF". */
void manual_begin(struct manual_page *p, const char *name, int section);
void manual_title(struct manual_page *p, const char *title);
void manual_subtitle(struct manual_page *p, const char *title);
/* A paragraph, `indent` columns from the left in plain text. */
void manual_text(struct manual_page *p, const char *text, int indent);
/* Between two paragraphs. */
void manual_gap(struct manual_page *p);
/* What the text behind it explains; rest (may be NULL) stands behind it in plain letters. */
void manual_term(struct manual_page *p, const char *term, const char *rest, int indent);
/* Another line of the same explanation. */
void manual_break(struct manual_page *p);
/* Terms between these are a level deeper in roff. */
void manual_deeper(struct manual_page *p);
void manual_back(struct manual_page *p);
/* Lines as they are. */
void manual_example_begin(struct manual_page *p);
void manual_example_line(struct manual_page *p, struct str line, int indent);
void manual_example_end(struct manual_page *p);
