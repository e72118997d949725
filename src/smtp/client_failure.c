/*
 * A failure replaces the one before it: with several hosts the last one speaks.
 */
#include "smtp/client_failure.h"

#include <stdio.h>

struct str client_text_cut(struct str text)
{
    if (text.n <= CLIENT_TEXT_MAX)
        return text;
    size_t n = CLIENT_TEXT_MAX;
    while (n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    return str_head(text, n);
}

void client_failure_set(struct client_failure *f, bool permanent, const char *code,
                        const char *format, ...)
{
    struct buf text = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 127)
            text.p[i] = '?';
    text.n = client_text_cut(buf_str(&text)).n;
    buf_free(&f->text);
    f->text = text;
    f->permanent = permanent;
    snprintf(f->code, sizeof(f->code), "%s", code);
}

void client_failure_soften(struct client_failure *f)
{
    f->permanent = false;
    if (f->code[0] == '5')
        f->code[0] = '4';
}

void client_failure_free(struct client_failure *f)
{
    buf_free(&f->text);
}
