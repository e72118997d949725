/*
 * One setting's value: from the words of the file (or the table's default) into the block's struct,
 * and from there back into text. Every type has one small function for the way in; the way out is
 * such that reading it again gives the same value.
 *
 * Defaults are read leniently: the text of a single value is taken whole, so a table may say
 * "ready for mail" without quotes inside its quotes.
 */
#include "core/config.h"
#include "core/config_unit.h"
#include "core/disk.h"

#include <arpa/inet.h>
#include <assert.h>
#include <sys/un.h>

static void *target(const struct setting *s, void *values)
{
    return (char *)values + s->offset;
}

static const void *source(const struct setting *s, const void *values)
{
    return (const char *)values + s->offset;
}

static bool wrong(const struct setting *s, struct str word, struct err *e)
{
    struct buf b = BUF_EMPTY;
    config_quote(&b, word);
    buf_printf(&b, " does not fit, expected ");
    config_value_expected(s, &b);
    err_set(e, ERR_SYNTAX, "%s: %s", s->name, buf_c(&b));
    buf_free(&b);
    return false;
}

static bool set_bool(const struct setting *s, struct str word, bool *value, struct err *e)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (str_equal_nocase(word, str_from_c(words[i]))) {
            *value = i & 1;
            return true;
        }
    }
    return wrong(s, word, e);
}

static bool set_number(const struct setting *s, struct str word, int64_t *value, struct err *e)
{
    int64_t n;
    bool ok = s->type == SETTING_NUMBER ? unit_parse_number(word, &n)
              : s->type == SETTING_SIZE ? unit_parse_size(word, &n)
                                        : unit_parse_duration(word, &n);
    if (!ok || ((s->min || s->max) && (n < s->min || n > s->max)))
        return wrong(s, word, e);
    *value = n;
    return true;
}

static const char *next_choice(void *arg)
{
    const char *const **at = arg;
    return **at ? *(*at)++ : NULL;
}

static bool set_choice(const struct setting *s, struct str word, int *value, struct err *e)
{
    for (int i = 0; s->choices[i]; i++) {
        if (str_equal_nocase(word, str_from_c(s->choices[i]))) {
            *value = i;
            return true;
        }
    }
    const char *const *choices = s->choices;
    const char *near = config_nearest(word, next_choice, &choices);
    wrong(s, word, e);
    if (near && e) {
        struct err whole = *e;
        err_set(e, ERR_SYNTAX, "%s; did you mean \"%s\"?", whole.text, near);
    }
    return false;
}

const char *config_absolute(struct arena *a, const char *dir, struct str path)
{
    if (path.n == 0 || path.p[0] == '/')
        return arena_c(a, path);
    return arena_printf(a, "%s/%.*s", dir, STR_ARG(path)).p;
}

static bool set_secret(const struct config_value_context *c, const struct setting *s,
                       const struct config_word *word, const char **value, struct err *e)
{
    if (word->quoted || !str_starts_with(word->text, STR("<"))) {
        *value = word->text.p; /* the only copy, with a NUL behind it */
        return true;
    }
    if (!c->files)
        return err_set(e, ERR_SYNTAX, "%s: files are not read here", s->name);
    const char *path = config_absolute(c->arena, c->dir, str_skip(word->text, 1));
    struct buf b = BUF_EMPTY;
    if (!disk_read_file(path, CONFIG_SECRET_FILE_MAX, &b, e)) {
        buf_free(&b);
        return err_prefix(e, "%s", s->name);
    }
    struct str rest = buf_str(&b), line = str_trim(str_split(&rest, '\n'));
    bool ok = line.n > 0 && line.n <= CONFIG_WORD_MAX && str_is_utf8(line);
    if (ok)
        *value = arena_c(c->arena, line);
    else
        err_set(e, ERR_SYNTAX, "%s: %s: the first line must hold the secret (text up to %d bytes)",
                s->name, path, CONFIG_WORD_MAX);
    buf_wipe(&b);
    return ok;
}

static bool is_socket_host(struct str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    bool v6 = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (str_equal(host, STR("*")))
        return true;
    if (v6)
        host = str_from(host.p + 1, host.n - 2);
    if (host.n >= sizeof(text))
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    return inet_pton(v6 ? AF_INET6 : AF_INET, text, &address) == 1;
}

/* The socket's address in its final form, NULL with *e when malformed. */
static const char *socket_address(const struct config_value_context *c, const struct setting *s,
                                  struct str word, struct err *e)
{
    if (str_starts_with(word, STR("unix:"))) {
        struct str path = str_skip(word, 5);
        const char *absolute = config_absolute(c->arena, c->dir, path);
        size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
        if (path.n == 0)
            wrong(s, word, e);
        else if (strlen(absolute) > longest)
            err_set(e, ERR_SYNTAX, "%s: the path of a Unix socket has at most %zu bytes: %s",
                    s->name, longest, absolute);
        else
            return arena_printf(c->arena, "unix:%s", absolute).p;
        return NULL;
    }
    ptrdiff_t colon = str_find_last_char(word, ':');
    uint32_t port;
    if (colon < 1 || !str_to_u32(str_skip(word, (size_t)colon + 1), &port) || port > 65535 ||
        !is_socket_host(str_head(word, (size_t)colon))) {
        wrong(s, word, e);
        return NULL;
    }
    return arena_c(c->arena, word);
}

/* One of a list in its final form, NULL with *e when malformed. */
static const char *list_item(const struct config_value_context *c, const struct setting *s,
                             struct str word, struct err *e)
{
    if (s->type == SETTING_SOCKETS)
        return socket_address(c, s, word, e);
    if (s->type != SETTING_PATHS)
        return arena_c(c->arena, word);
    if (word.n > 0)
        return config_absolute(c->arena, c->dir, word);
    wrong(s, word, e);
    return NULL;
}

static bool set_list(const struct config_value_context *c, const struct setting *s,
                     const struct config_word *words, size_t count, struct string_list *list,
                     struct err *e)
{
    const char **items = arena_array(c->arena, count + 1, sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        items[i] = list_item(c, s, words[i].text, e);
        if (!items[i])
            return false;
    }
    *list = (struct string_list){items, count};
    return true;
}

static bool is_list(const struct setting *s)
{
    return s->type == SETTING_STRING_LIST || s->type == SETTING_SOCKETS || s->type == SETTING_PATHS;
}

bool config_value_set(const struct config_value_context *c, const struct setting *s,
                      const struct config_word *words, size_t count, void *values, struct err *e)
{
    void *to = target(s, values);
    if (is_list(s)) {
        bool empty = count == 1 && words[0].text.n == 0;
        return set_list(c, s, words, empty ? 0 : count, to, e);
    }
    if (count != 1)
        return err_set(
            e, ERR_SYNTAX,
            "%s: one value expected, found %zu (text with spaces or commas needs quotes)", s->name,
            count);
    struct str word = words[0].text;
    switch (s->type) {
    case SETTING_BOOL:
        return set_bool(s, word, to, e);
    case SETTING_NUMBER:
    case SETTING_SIZE:
    case SETTING_DURATION:
        return set_number(s, word, to, e);
    case SETTING_STRING:
        *(const char **)to = arena_c(c->arena, word);
        return true;
    case SETTING_PATH:
        *(const char **)to = config_absolute(c->arena, c->dir, word);
        return true;
    case SETTING_SECRET:
        return set_secret(c, s, &words[0], to, e);
    case SETTING_CHOICE:
        return set_choice(s, word, to, e);
    case SETTING_STRING_LIST:
    case SETTING_SOCKETS:
    case SETTING_PATHS:
        break;
    }
    return false;
}

void config_value_default(const struct config_value_context *c, const struct setting *s,
                          void *values)
{
    struct str text = str_from_c(s->default_text), rest = text;
    struct config_word *words = arena_array(c->arena, text.n + 1, sizeof(*words));
    size_t count = 0;
    if (!is_list(s)) {
        words[count++] = (struct config_word){text, true};
    } else {
        for (size_t i = 0, start = 0; i <= rest.n; i++) {
            if (i < rest.n && rest.p[i] != ',' && rest.p[i] != ' ')
                continue;
            if (i > start)
                words[count++].text = str_from(rest.p + start, i - start);
            start = i + 1;
        }
    }
    bool ok = config_value_set(c, s, words, count, values, NULL);
    assert(ok && "the default in a settings table is none of its type");
}

void config_quoted_format(struct str s, struct buf *b)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\n' || c == '\r' || c == '\t') {
            buf_printf(b, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
            continue;
        }
        if (c == '"' || c == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, c);
    }
    buf_add_char(b, '"');
}

static void add_word(struct buf *b, struct str s)
{
    bool plain = s.n > 0;
    for (size_t i = 0; i < s.n && plain; i++)
        plain = !strchr(" \t\r\n,;{}#\"\\<", s.p[i]);
    if (plain)
        buf_add_str(b, s);
    else
        config_quoted_format(s, b);
}

static void add_list(struct buf *b, const struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_add_c(b, ", ");
        add_word(b, str_from_c(list->items[i]));
    }
    if (list->count == 0)
        buf_add_c(b, "\"\"");
}

void config_value_format(const struct setting *s, const void *values, struct buf *b)
{
    const void *from = source(s, values);
    switch (s->type) {
    case SETTING_BOOL:
        buf_add_c(b, *(const bool *)from ? "yes" : "no");
        break;
    case SETTING_NUMBER:
        buf_printf(b, "%lld", (long long)*(const int64_t *)from);
        break;
    case SETTING_SIZE:
        unit_add_size(b, *(const int64_t *)from);
        break;
    case SETTING_DURATION:
        unit_add_duration(b, *(const usec *)from);
        break;
    case SETTING_STRING:
    case SETTING_PATH:
        add_word(b, str_from_c(*(const char *const *)from));
        break;
    case SETTING_SECRET:
        buf_add_c(b, **(const char *const *)from ? "\"(hidden)\"" : "\"\"");
        break;
    case SETTING_CHOICE:
        buf_add_c(b, s->choices[*(const int *)from]);
        break;
    case SETTING_STRING_LIST:
    case SETTING_SOCKETS:
    case SETTING_PATHS:
        add_list(b, from);
        break;
    }
}

static void add_limit(const struct setting *s, int64_t limit, struct buf *b)
{
    if (s->type == SETTING_SIZE)
        unit_add_size(b, limit);
    else if (s->type == SETTING_DURATION)
        unit_add_duration(b, limit);
    else
        buf_printf(b, "%lld", (long long)limit);
}

void config_value_expected(const struct setting *s, struct buf *b)
{
    static const char *const kinds[] = {
        [SETTING_BOOL] = "yes or no",
        [SETTING_NUMBER] = "a number",
        [SETTING_SIZE] = "a size such as 4096, 10K, 25M or 1G",
        [SETTING_DURATION] = "a duration such as 500ms, 30s, 5m, 2h or 4d",
        [SETTING_STRING] = "a text",
        [SETTING_PATH] = "a path",
        [SETTING_PATHS] = "a path, or several",
        [SETTING_SECRET] = "a secret, or <path of a file whose first line is the secret",
        [SETTING_CHOICE] = "one of",
        [SETTING_STRING_LIST] = "a list of texts",
        [SETTING_SOCKETS] = "addresses such as *:25, 192.0.2.1:25, [2001:db8::1]:25, unix:/path",
    };
    bool numeric =
        s->type == SETTING_NUMBER || s->type == SETTING_SIZE || s->type == SETTING_DURATION;
    buf_add_c(b, kinds[s->type]);
    for (size_t i = 0; s->type == SETTING_CHOICE && s->choices[i]; i++)
        buf_printf(b, "%s %s", i > 0 ? "," : "", s->choices[i]);
    if (numeric && (s->min || s->max)) {
        buf_add_c(b, s->max == INT64_MAX ? ", at least " : ", from ");
        add_limit(s, s->min, b);
        if (s->max != INT64_MAX) {
            buf_add_c(b, " to ");
            add_limit(s, s->max, b);
        }
    }
}
