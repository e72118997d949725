/*
 * A refusal keeps the first reason; later checks may go on without looking.
 */
#include "smtp/refusal.h"

#include <stdarg.h>
#include <stdio.h>

bool smtp_refuse(struct smtp_refusal *r, int code, const char *enhanced, const char *format, ...)
{
    va_list args;
    if (r->code != 0)
        return false;
    r->code = code;
    r->enhanced = enhanced;
    va_start(args, format);
    vsnprintf(r->text, sizeof(r->text), format, args);
    va_end(args);
    return false;
}
