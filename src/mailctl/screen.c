/*
 * The terminal. Its size is asked of the kernel each time, since it may change while a command
 * shows something that moves. Where the output is no terminal nothing is broken into lines, so that
 * grep finds what belongs together.
 */
#include "mailctl/screen.h"

#include "core/str.h"
#include "mailctl/clean_text.h"

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

void print_clean(struct str text)
{
    clean_text_print(stdout, text, "");
}

void screen_words(struct str text, size_t column)
{
    struct str word;
    size_t at = column, columns = screen_columns();
    bool first = true;
    if (!screen_is_terminal()) {
        print_clean(text);
        return;
    }
    while ((word = str_word(&text)).p) {
        size_t width = str_count_characters(word);
        bool wrap = !first && at + 1 + width > columns;
        if (wrap)
            printf("\n%*s", (int)column, "");
        else if (!first)
            putchar(' ');
        print_clean(word);
        at = (wrap ? column : at + !first) + width;
        first = false;
    }
}

void screen_field(const char *title, enum shade shade, struct buf *text)
{
    printf("%s%-*s%s%s", shade_begin(SHADE_DIM), SCREEN_TITLE, title, shade_end(),
           shade_begin(shade));
    screen_words(buf_str(text), SCREEN_TITLE);
    printf("%s\n", shade_end());
    buf_clear(text);
}
