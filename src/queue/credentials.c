/*
 * The file of credentials. A password is the rest of its line, so that it may have blanks and
 * colons in it. Messages never quote anything of a line but its key.
 */
#include "queue/credentials.h"

#include "core/disk.h"
#include "queue/address_match.h"
#include "queue/limits.h"

#include <stdlib.h>
#include <sys/stat.h>

static int compare(const void *a, const void *b)
{
    const struct credential *x = a, *y = b;
    return str_compare(x->key, y->key);
}

static bool key_is_good(struct str key)
{
    const char *item = key.p;
    struct string_list one = {.items = &item, .count = 1};
    struct err ignored;
    ptrdiff_t at = str_find_char(key, '@');
    if (at == 0)
        item++; /* "@domain" */
    return at >= 0 && address_match_check(&one, MATCH_RECIPIENTS, "", &ignored);
}

/* "KEY USER:PASSWORD" */
static bool parse_line(struct str line, struct arena *a, struct credential *c, struct err *e)
{
    struct str key = str_word(&line);
    struct str rest = str_trim(line);
    ptrdiff_t colon = str_find_char(rest, ':');
    key = arena_str(a, key);
    if (!key_is_good(key))
        return err_set(e, ERR_SYNTAX, "\"%.*s\" is no address, expected user@domain or @domain",
                       STR_ARG(str_head(key, 80)));
    if (colon <= 0 || (size_t)colon + 1 == rest.n)
        return err_set(e, ERR_SYNTAX, "expected user:password behind \"%.*s\"",
                       STR_ARG(str_head(key, 80)));
    c->key = address_fold(key, a);
    c->user = arena_c(a, str_head(rest, (size_t)colon));
    c->password = arena_c(a, str_skip(rest, (size_t)colon + 1));
    return true;
}

static bool check_unique(const char *path, const struct credentials *c, struct err *e)
{
    for (size_t i = 1; i < c->count; i++)
        if (str_equal(c->list[i - 1].key, c->list[i].key))
            return err_set(e, ERR_SYNTAX, "%s: \"%.*s\" stands there twice", path,
                           STR_ARG(str_head(c->list[i].key, 80)));
    return true;
}

bool credentials_parse(const char *path, struct str text, struct arena *a, struct credentials *c,
                       struct err *e)
{
    unsigned number = 0;
    *c = (struct credentials){.list =
                                  arena_array(a, 1 + str_count_char(text, '\n'), sizeof(*c->list))};
    while (text.n > 0) {
        struct str line = str_trim(str_split(&text, '\n'));
        number++;
        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (memchr(line.p, '\0', line.n))
            return err_set(e, ERR_SYNTAX, "%s:%u: NUL byte", path, number);
        if (!parse_line(line, a, &c->list[c->count++], e)) {
            struct err why = *e;
            return err_set(e, ERR_SYNTAX, "%s:%u: %s", path, number, why.text);
        }
    }
    if (c->count)
        qsort(c->list, c->count, sizeof(*c->list), compare);
    return check_unique(path, c, e);
}

bool credentials_read(const char *path, struct arena *a, struct credentials *c, struct err *e)
{
    struct stat st;
    struct buf text = BUF_EMPTY;
    if (!disk_stat(path, &st, e))
        return false;
    if (st.st_mode & S_IRWXO)
        return err_set(e, ERR_PERM, "%s: everybody may read or change it: chmod o= %s", path, path);
    bool ok = disk_read_file(path, QUEUE_CREDENTIALS_MAX, &text, e) &&
              credentials_parse(path, buf_str(&text), a, c, e);
    if (text.p)
        explicit_bzero(text.p, text.n);
    buf_free(&text);
    return ok;
}

const struct credential *credentials_get(const struct credentials *c, struct str key)
{
    struct credential wanted = {.key = key};
    if (c->count == 0 || key.n == 0)
        return NULL;
    return bsearch(&wanted, c->list, c->count, sizeof(*c->list), compare);
}

const struct credential *credentials_find(const struct credentials *c, struct str sender,
                                          struct str login)
{
    ptrdiff_t at = str_find_last_char(sender, '@');
    const struct credential *found = credentials_get(c, sender);
    if (!found)
        found = credentials_get(c, login);
    if (!found && at >= 0)
        found = credentials_get(c, str_skip(sender, (size_t)at));
    return found;
}
