/*
 * Destinations that are no addresses, told by the colon in front: no address begins with one.
 */
#include "auth/special.h"

static bool takes(struct str text, struct str word, struct str *rest)
{
    if (!str_starts_with_nocase(text, word))
        return false;
    *rest = str_skip(text, word.n);
    return true;
}

static bool is_clean(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
            return false;
    return text.n > 0 && str_is_utf8(text);
}

enum special_kind special_parse(struct str text, struct str *rest)
{
    *rest = STR("");
    if (text.n == 0 || text.p[0] != ':')
        return SPECIAL_NONE;
    if (takes(text, STR(":include:"), rest))
        return is_clean(*rest) && rest->p[0] == '/' ? SPECIAL_INCLUDE : SPECIAL_WRONG;
    if (takes(text, STR(":public:"), rest))
        return is_clean(*rest) ? SPECIAL_PUBLIC : SPECIAL_WRONG;
    return str_equal_nocase(text, STR(":discard:")) ? SPECIAL_DISCARD : SPECIAL_WRONG;
}
