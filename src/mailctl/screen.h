#pragma once
/*
 * What is printed for the eyes alone: the size of the terminal, and fields with a title that are
 * broken into lines there.
 */
#include "mailctl/mailctl.h"

/* Standard output is a terminal; otherwise a program reads it, or a file keeps it. */
bool screen_is_terminal(void);
/* 80 and 24 where nobody says otherwise. */
size_t screen_columns(void);
size_t screen_rows(void);

/* "title     text", in the shade, the text broken between words on a terminal, in one line
 * elsewhere; control characters in it become '?'. Clears text. */
#define SCREEN_TITLE 10
/* Words of strangers, as clean_text.h has them, in one line. */
void print_clean(struct str text);
/* Text from the column on where the cursor stands, without control characters; on a terminal broken
 * between words into lines that begin in that column. No end of line behind it. */
void screen_words(struct str text, size_t column);
void screen_field(const char *title, enum shade shade, struct buf *text);
