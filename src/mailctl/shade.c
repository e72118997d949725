/*
 * Colours, for a person at a terminal only. NO_COLOR (no-color.org) and TERM=dumb turn them off.
 * Text says the same without them: a shade helps the eye, it is never the only sign.
 */
#include "mailctl/mailctl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_coloured(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no_color && no_color[0]) && term && term[0] && strcmp(term, "dumb") != 0 &&
           isatty(STDOUT_FILENO);
}

const char *shade_begin(enum shade shade)
{
    static const char *const codes[] = {
        [SHADE_NONE] = "",          [SHADE_GOOD] = "\033[32m", [SHADE_WARN] = "\033[33m",
        [SHADE_BAD] = "\033[1;31m", [SHADE_DIM] = "\033[2m",   [SHADE_BOLD] = "\033[1m",
    };
    return is_coloured() ? codes[shade] : "";
}

const char *shade_end(void)
{
    return is_coloured() ? "\033[0m" : "";
}
