/*
 * Columns of eight heights: the block elements of Unicode where the locale has UTF-8, elsewhere
 * characters that grow darker.
 */
#include "mailctl/chart.h"

#include <stdlib.h>
#include <string.h>

static bool terminal_has_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

void chart_add(struct buf *b, int64_t value, int64_t most)
{
    static const char *const blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char *const ascii[] = {".", ":", "-", "=", "+", "*", "%", "#"};
    if (value < 0) {
        buf_add_char(b, ' ');
        return;
    }
    size_t height = most > 0 ? (size_t)((value * 7 + most - 1) / most) : 0;
    buf_add_c(b, terminal_has_utf8() ? blocks[height] : ascii[height]);
}
