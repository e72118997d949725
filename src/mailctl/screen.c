/*
 * The terminal. Its size is asked of the kernel each time, since it may change while a command
 * shows something that moves. Where the output is no terminal nothing is broken into lines, so that
 * grep finds what belongs together.
 */
#include "mailctl/screen.h"

#include "core/str.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80
#define ROWS_DEFAULT    24
#define COLUMNS_MIN     40

bool screen_is_terminal(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

static struct winsize size(void)
{
    struct winsize w = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col < COLUMNS_MIN || w.ws_row == 0)
        w = (struct winsize){.ws_col = COLUMNS_DEFAULT, .ws_row = ROWS_DEFAULT};
    return w;
}

size_t screen_columns(void)
{
    return size().ws_col;
}

size_t screen_rows(void)
{
    return size().ws_row;
}

static void print_broken(struct str text, size_t columns)
{
    struct str word;
    size_t at = SCREEN_TITLE;
    bool first = true;
    while ((word = str_word(&text)).p) {
        size_t width = str_count_characters(word);
        if (!first && at + 1 + width > columns) {
            printf("\n%*s", SCREEN_TITLE, "");
            at = SCREEN_TITLE;
            first = true;
        }
        printf("%s%.*s", first ? "" : " ", STR_ARG(word));
        at += width + !first;
        first = false;
    }
}

void screen_field(const char *title, enum shade shade, struct buf *text)
{
    for (size_t i = 0; i < text->n; i++)
        if ((unsigned char)text->p[i] < 0x20 || text->p[i] == 0x7f)
            text->p[i] = '?';
    printf("%s%-*s%s%s", shade_begin(SHADE_DIM), SCREEN_TITLE, title, shade_end(),
           shade_begin(shade));
    if (screen_is_terminal())
        print_broken(buf_str(text), screen_columns());
    else
        printf("%s", buf_c(text));
    printf("%s\n", shade_end());
    buf_clear(text);
}
