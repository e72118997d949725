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
void screen_field(const char *title, enum shade shade, struct buf *text);
