/*
 * The policy of passwords: length, kinds of characters, names, and a list of bad ones. Length is
 * what makes a password strong; kinds of characters are there for those who have to ask for them
 * (NIST SP 800-63B advises against).
 *
 * The list is a text file with a password on each line, as collections of stolen ones are; it is
 * read through each time a password is set, a piece at a time, so it may be large and costs no
 * memory. Case does not count in it.
 */
#include "auth/password_policy.h"

#include "auth/limits.h"
#include "core/buf.h"
#include "core/disk.h"
#include "core/mem.h"

#include <stdlib.h>
#include <unicase.h>

#define FIELD(name) offsetof(struct password_policy_settings, name)
#define DAY         (24 * 3600 * USEC_SEC)

static const struct setting settings[] = {
    {"min_length", SETTING_NUMBER, FIELD(min_length), "8", 1, 128, NULL,
     "Characters that a new password has at least."},
    {"min_classes", SETTING_NUMBER, FIELD(min_classes), "1", 1, 4, NULL,
     "How many kinds of characters it has at least: small letters, capital letters, digits, "
     "others. Length is worth more."},
    {"refuse_names", SETTING_BOOL, FIELD(refuse_names), "yes", 0, 0, NULL,
     "Refuse passwords that are the user's login or name, or hold one of them and little else."},
    {"bad_list", SETTING_PATH, FIELD(bad_list), "", 0, 0, NULL,
     "File of passwords that nobody may choose, one a line, in any order; case does not count. "
     "Empty: none."},
    {"history", SETTING_NUMBER, FIELD(history), "0", 0, 50, NULL,
     "How many former passwords of a user may not be chosen again, the present one included."},
    {"max_age", SETTING_DURATION, FIELD(max_age), "0", 0, 3650 * DAY, NULL,
     "How long a password of the embedded directory is good for logins; then an operator has to "
     "set a new one. 0: for ever."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

const struct settings_block password_policy_settings_block = {
    .name = "password_policy",
    .help = "Which passwords may be chosen. They hold when a password is set, for operators as "
            "well (mailctl ... --force sets it all the same).",
    .size = sizeof(struct password_policy_settings),
    .settings = settings,
};

struct password_policy *password_policy_new(const struct password_policy_settings *s)
{
    struct password_policy *p = MEM_NEW(struct password_policy);
    p->settings = *s;
    p->bad_list = mem_dup(s->bad_list, strlen(s->bad_list));
    p->settings.bad_list = p->bad_list;
    return p;
}

void password_policy_free(struct password_policy *p)
{
    if (!p)
        return;
    free(p->bad_list);
    free(p);
}

static int64_t count_characters(struct str s)
{
    int64_t count = 0;
    while (s.n > 0) {
        size_t n = str_character(s);
        s = str_skip(s, n ? n : 1);
        count++;
    }
    return count;
}

static int64_t count_classes(struct str s)
{
    bool lower = false, upper = false, digit = false, other = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c >= 'a' && c <= 'z')
            lower = true;
        else if (c >= 'A' && c <= 'Z')
            upper = true;
        else if (c >= '0' && c <= '9')
            digit = true;
        else
            other = true;
    }
    return lower + upper + digit + other;
}

/* In lower case; what is no UTF-8 in that of ASCII. */
static void fold(struct str s, struct buf *out)
{
    size_t n = 0;
    uint8_t *text =
        str_is_utf8(s) ? u8_tolower((const uint8_t *)s.p, s.n, NULL, NULL, NULL, &n) : NULL;
    if (text)
        buf_add(out, text, n);
    for (size_t i = 0; !text && i < s.n; i++)
        buf_add_char(out, char_lower(s.p[i]));
    if (text)
        explicit_bzero(text, n);
    free(text);
}

/* The name, forwards, is the password but for a few characters. */
static bool is_mostly(struct str password, struct str name)
{
    struct buf folded = BUF_EMPTY;
    fold(name, &folded);
    struct str word = str_trim(buf_str(&folded));
    bool holds = word.n >= POLICY_NAME_MIN && str_find(password, word) >= 0 &&
                 password.n - word.n <= POLICY_NAME_REST;
    buf_free(&folded);
    return holds;
}

static bool is_of_names(struct str password, struct str login, struct str name)
{
    struct str rest = name, word, local = login;
    ptrdiff_t at = str_find_last_char(login, '@');
    if (at >= 0)
        local = str_head(login, (size_t)at);
    if (is_mostly(password, login) || is_mostly(password, local) || is_mostly(password, name))
        return true;
    while (word = str_split(&rest, ' '), word.p)
        if (is_mostly(password, word))
            return true;
    return false;
}

/* --- the list --- */

static bool line_is(struct buf *line, struct str folded, struct buf *scratch)
{
    buf_clear(scratch);
    fold(str_trim(buf_str(line)), scratch);
    bool same = str_equal(buf_str(scratch), folded);
    buf_clear(line);
    return same;
}

static bool search_list(int fd, const char *path, struct str folded, bool *found, struct err *e)
{
    struct buf line = BUF_EMPTY, scratch = BUF_EMPTY;
    char *piece = mem_alloc(POLICY_LIST_PIECE);
    uint64_t offset = 0;
    size_t got = POLICY_LIST_PIECE;
    bool ok = true;
    while (ok && !*found && got == POLICY_LIST_PIECE) {
        ok = disk_read_at(fd, piece, POLICY_LIST_PIECE, offset, &got, path, e);
        for (size_t i = 0; ok && i < got && !*found; i++) {
            if (piece[i] == '\n')
                *found = line_is(&line, folded, &scratch);
            else if (line.n <= POLICY_LINE_MAX)
                buf_add_char(&line, piece[i]);
        }
        offset += got;
    }
    if (ok && !*found && line.n > 0)
        *found = line_is(&line, folded, &scratch);
    free(piece);
    buf_free(&line);
    buf_free(&scratch);
    return ok;
}

static bool check_list(const char *path, struct str folded, struct err *e)
{
    int fd;
    bool found = false;
    if (*path == '\0')
        return true;
    if (!disk_open(path, O_RDONLY, 0, &fd, e))
        return err_prefix(e, "password_policy.bad_list");
    bool ok = search_list(fd, path, folded, &found, e);
    disk_close(fd);
    return ok && (!found || err_set(e, ERR_PERM, "the password is one that is known to be bad"));
}

bool password_policy_check(const struct password_policy *p, struct str login, struct str name,
                           struct str password, struct err *e)
{
    const struct password_policy_settings *s = &p->settings;
    struct buf folded = BUF_EMPTY;
    bool ok = false;
    fold(password, &folded);
    if (count_characters(password) < s->min_length)
        err_set(e, ERR_PERM, "the password is shorter than %lld characters",
                (long long)s->min_length);
    else if (count_classes(password) < s->min_classes)
        err_set(e, ERR_PERM,
                "the password needs %lld of: small letters, capital letters, digits, other "
                "characters",
                (long long)s->min_classes);
    else if (s->refuse_names && is_of_names(buf_str(&folded), login, name))
        err_set(e, ERR_PERM, "the password is the user's name, or little else");
    else
        ok = check_list(s->bad_list, buf_str(&folded), e);
    if (folded.n > 0)
        explicit_bzero(folded.p, folded.n);
    buf_free(&folded);
    return ok;
}
