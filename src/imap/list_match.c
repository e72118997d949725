/*
 * Matching goes through the name once and, on a mismatch, goes back to the latest wildcard and lets
 * it take one character more. Going back further than to the latest "*" never helps, and "%" need
 * only be tried until the next "/": at most pattern times name steps, whatever the pattern.
 */
#include "imap/list_match.h"

#define NONE ((size_t)-1)

static bool match_from(struct str pattern, struct str name, size_t folded)
{
    size_t p = 0, n = 0;
    size_t star = NONE, star_name = 0;       /* behind the latest "*", and where it ends */
    size_t percent = NONE, percent_name = 0; /* the same for a "%" behind it */
    for (;;) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = ++p;
            star_name = n;
            percent = NONE;
        } else if (p < pattern.n && pattern.p[p] == '%') {
            percent = ++p;
            percent_name = n;
        } else if (p == pattern.n && n == name.n) {
            return true;
        } else if (p < pattern.n && n < name.n &&
                   (pattern.p[p] == name.p[n] ||
                    (n < folded && char_lower(pattern.p[p]) == char_lower(name.p[n])))) {
            p++;
            n++;
        } else if (percent != NONE && percent_name < name.n && name.p[percent_name] != '/') {
            p = percent;
            n = ++percent_name;
        } else if (star != NONE && star_name < name.n) {
            p = star;
            n = ++star_name;
            percent = NONE;
        } else {
            return false;
        }
    }
}

bool list_match(struct str pattern, struct str name)
{
    bool inbox = str_starts_with(name, STR("INBOX")) && (name.n == 5 || name.p[5] == '/');
    return match_from(pattern, name, inbox ? 5 : 0);
}

bool list_match_wants_parents(struct str pattern)
{
    return pattern.n && pattern.p[pattern.n - 1] == '%';
}
