/*
 * Mailbox names on disk are what Dovecot makes of them with the separator "/" and its listescape
 * plugin: each part in modified UTF-7, in it ".", "/", "\" and a leading "~" as "\" and two hex
 * digits, parts joined by ".". "a.b/c" is ".a\2eb.c".
 *
 * A part on disk that holds an escaped "/" (made under another separator) keeps its "\2f" in the
 * API, since "/" separates there; and "\2f" of an API name is not escaped again. So every name
 * has one directory and every directory one name.
 */
#include "store/folder_name.h"

#include "mime/utf7.h"
#include "store/limits.h"

bool folder_escape_is_usable(char c)
{
    return c != '\0' && strchr("\\%^_+=!#", c) != NULL;
}

static char escape_of(const struct folder_naming *naming)
{
    return naming->escape ? naming->escape : '\\';
}

static bool is_escaped_slash(struct str s, char escape)
{
    return s.n >= 3 && s.p[0] == escape && str_equal_nocase(str_from(s.p + 1, 2), STR("2f"));
}

static void add_part(struct buf *b, const struct folder_naming *naming, struct str part)
{
    struct buf text = BUF_EMPTY;
    char escape = escape_of(naming);

    if (naming->utf8)
        buf_add_str(&text, part);
    else
        buf_add_mutf7(&text, part);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool special = c == '.' || c == '/' || (c == '~' && i == 0) ||
                       (c == escape && !is_escaped_slash(str_skip(buf_str(&text), i), escape));
        if (special)
            buf_printf(b, "%c%02x", escape, (unsigned char)c);
        else
            buf_add_char(b, c);
    }
    buf_free(&text);
}

void folder_name_add_dir(struct buf *b, const struct folder_naming *naming, struct str name)
{
    struct str rest = name;

    if (str_equal(name, STR("INBOX")))
        return;
    while (rest.p) {
        buf_add_char(b, '.');
        add_part(b, naming, str_split(&rest, '/'));
    }
}

static bool check_part(struct str part, struct err *e)
{
    if (part.n == 0)
        return err_set(e, ERR_SYNTAX, "a mailbox name has an empty part");
    if (str_equal(part, STR(".")) || str_equal(part, STR("..")))
        return err_set(e, ERR_SYNTAX, "a part of a mailbox name cannot be \"%.*s\"", STR_ARG(part));
    return true;
}

/* However names look on disk. */
static bool fits_directory(struct str name)
{
    struct buf dir = BUF_EMPTY;
    bool fits = true;

    for (int utf8 = 0; utf8 < 2; utf8++) {
        buf_clear(&dir);
        folder_name_add_dir(&dir, &(struct folder_naming){.utf8 = utf8}, name);
        fits &= dir.n <= FILE_NAME_MAX;
    }
    buf_free(&dir);
    return fits;
}

bool folder_name_check(struct str name, struct buf *canonical, struct err *e)
{
    struct str rest = name;
    size_t depth = 0;

    if (name.n > FOLDER_NAME_MAX)
        return err_set(e, ERR_LIMIT, "a mailbox name has at most %d bytes", FOLDER_NAME_MAX);
    if (name.n == 0 || !str_is_utf8(name))
        return err_set(e, ERR_SYNTAX, "a mailbox name must be UTF-8 and not empty");
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
            return err_set(e, ERR_SYNTAX, "a mailbox name cannot hold control characters");
    }
    while (rest.p) {
        if (!check_part(str_split(&rest, '/'), e))
            return false;
        if (++depth > FOLDER_DEPTH_MAX)
            return err_set(e, ERR_LIMIT, "mailboxes are at most %d levels deep", FOLDER_DEPTH_MAX);
    }
    size_t first = canonical->n;
    buf_add_str(canonical, name);
    if (name.n >= 5 && str_equal_nocase(str_head(name, 5), STR("INBOX")) &&
        (name.n == 5 || name.p[5] == '/'))
        memcpy(canonical->p + first, "INBOX", 5);
    bool fits = fits_directory(str_skip(buf_str(canonical), first));
    if (!fits)
        canonical->n = first;
    return fits || err_set(e, ERR_LIMIT, "the mailbox name is too long for a directory");
}

static bool add_decoded_part(struct buf *b, const struct folder_naming *naming, struct str part)
{
    struct buf plain = BUF_EMPTY;
    char escape = escape_of(naming);

    for (size_t i = 0; i < part.n; i++) {
        struct str rest = str_skip(part, i);
        if (rest.n >= 3 && rest.p[0] == escape && char_hex_value(rest.p[1]) >= 0 &&
            char_hex_value(rest.p[2]) >= 0 && !is_escaped_slash(rest, escape)) {
            buf_add_char(&plain,
                         (char)(char_hex_value(rest.p[1]) << 4 | char_hex_value(rest.p[2])));
            i += 2;
        } else {
            buf_add_char(&plain, part.p[i]);
        }
    }
    bool ok = plain.n > 0 && (naming->utf8 ? str_is_utf8(buf_str(&plain))
                                           : buf_add_mutf7_decoded(b, buf_str(&plain)));
    if (ok && naming->utf8)
        buf_add_str(b, buf_str(&plain));
    buf_free(&plain);
    return ok;
}

bool folder_name_add_decoded(struct buf *b, const struct folder_naming *naming, struct str dir)
{
    size_t before = b->n;
    struct str rest = str_skip(dir, 1);
    struct buf again = BUF_EMPTY;
    bool ok = dir.n > 1 && dir.p[0] == '.';

    while (ok && rest.p) {
        if (b->n > before)
            buf_add_char(b, '/');
        ok = add_decoded_part(b, naming, str_split(&rest, '.'));
    }
    if (ok)
        folder_name_add_dir(&again, naming, str_skip(buf_str(b), before));
    ok = ok && str_equal(buf_str(&again), dir);
    buf_free(&again);
    if (!ok)
        b->n = before;
    return ok;
}

/* "/" sorts before everything else, so that children follow their parent. */
static int compare_parts(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];
        if (x == y)
            continue;
        if (x == '/' || y == '/')
            return x == '/' ? -1 : 1;
        return x < y ? -1 : 1;
    }
    return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

int folder_name_compare(struct str a, struct str b)
{
    bool x = str_equal(a, STR("INBOX")) || folder_name_is_below(a, STR("INBOX"));
    bool y = str_equal(b, STR("INBOX")) || folder_name_is_below(b, STR("INBOX"));
    if (x != y)
        return x ? -1 : 1;
    return compare_parts(a, b);
}

bool folder_name_is_below(struct str child, struct str parent)
{
    return child.n > parent.n + 1 && str_starts_with(child, parent) && child.p[parent.n] == '/';
}
