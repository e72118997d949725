/*
 * The arguments of MAIL, RCPT and BDAT, cut apart (RFC 5321 4.1.1.2, 4.1.2; RFC 3030 2). Pure.
 */
#include "smtp/syntax.h"

#include "smtp/limits.h"

bool smtp_split_path(struct str argument, struct str keyword, struct str *path, struct str *params)
{
    if (!str_starts_with_nocase(argument, keyword))
        return false;
    struct str rest = str_trim(str_skip(argument, keyword.n));
    if (rest.n < 2 || rest.p[0] != '<')
        return false;
    bool quoted = false;
    for (size_t i = 1; i < rest.n; i++) {
        if (quoted && rest.p[i] == '\\') {
            i++;
        } else if (rest.p[i] == '"') {
            quoted = !quoted;
        } else if (rest.p[i] == '>' && !quoted) {
            *path = str_from(rest.p + 1, i - 1);
            *params = str_skip(rest, i + 1);
            return params->n == 0 || params->p[0] == ' ' || params->p[0] == '\t';
        }
    }
    return false;
}

bool smtp_parse_chunk(struct str argument, uint64_t *size, bool *last)
{
    struct str word = str_word(&argument);
    *last = false;
    if (!word.p || !str_to_u64(word, size) || *size > SMTP_CHUNK_MAX)
        return false;
    word = str_word(&argument);
    if (!word.p)
        return true;
    *last = str_equal_nocase(word, STR("LAST"));
    return *last && !str_word(&argument).p;
}
