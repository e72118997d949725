/*
 * Subscriptions, in Dovecot's forms. Version 2 begins with "V", tab, "2" and an empty line; then
 * one name per line, as on disk (modified UTF-7, escaped), its parts separated by tabs and
 * tab-escaped. Version 1 has no such beginning and a "." between the parts. Both are read,
 * version 2 is written. Lines that are no mailbox name are kept.
 */
#include "store/subscriptions.h"

#include "core/disk.h"
#include "core/mem.h"
#include "store/folder_name.h"
#include "store/limits.h"

#include <stdlib.h>

static const char header[] = "V\t2\n\n";

static char *file_path(const char *maildir)
{
    struct buf b = BUF_EMPTY;
    buf_printf(&b, "%s/subscriptions", maildir);
    buf_c(&b);
    return b.p;
}

/* A missing file is empty. */
static bool read_file(const char *path, struct buf *b, struct err *e)
{
    struct err error;
    if (disk_read_file(path, SUBSCRIPTIONS_SIZE_MAX, b, &error) || error.kind == ERR_NOT_FOUND)
        return true;
    if (e)
        *e = error;
    return false;
}

static struct str skip_header(struct str text, int *version)
{
    bool second = str_starts_with(text, STR("V\t2\n"));
    *version = second ? 2 : 1;
    text = second ? str_skip(text, 4) : text;
    return second && str_starts_with(text, STR("\n")) ? str_skip(text, 1) : text;
}

/* Dovecot's str_tabescape: \001 and a digit or letter. */
static void add_unescaped(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\001' || i + 1 == s.n) {
            buf_add_char(b, s.p[i]);
            continue;
        }
        i++;
        buf_add_char(b, s.p[i] == '1'   ? '\001'
                        : s.p[i] == 't' ? '\t'
                        : s.p[i] == 'n' ? '\n'
                        : s.p[i] == 'r' ? '\r'
                                        : s.p[i]);
    }
}

/* Appends the UTF-8 name of a line; false when it is none. */
static bool add_name(struct buf *b, const struct folder_naming *naming, struct str line,
                     int version)
{
    struct buf dir = BUF_EMPTY;

    if (str_equal_nocase(line, STR("INBOX"))) {
        buf_add_c(b, "INBOX");
        return true;
    }
    buf_add_char(&dir, '.');
    if (version == 2) {
        while (line.p) {
            add_unescaped(&dir, str_split(&line, '\t'));
            if (line.p)
                buf_add_char(&dir, '.');
        }
    } else {
        buf_add_str(&dir, line);
    }
    bool ok = folder_name_add_decoded(b, naming, buf_str(&dir));
    buf_free(&dir);
    return ok;
}

/* Appends a line of version 2. What is on disk holds no control characters: nothing to escape. */
static void add_line(struct buf *b, const struct folder_naming *naming, struct str name)
{
    struct buf dir = BUF_EMPTY;

    folder_name_add_dir(&dir, naming, name);
    for (size_t i = 1; i < dir.n; i++)
        buf_add_char(b, dir.p[i] == '.' ? '\t' : dir.p[i]);
    if (dir.n == 0)
        buf_add_c(b, "INBOX");
    buf_add_char(b, '\n');
    buf_free(&dir);
}

bool subscriptions_read(const char *maildir, const struct folder_naming *naming, struct arena *a,
                        struct str **names, size_t *count, struct err *e)
{
    struct buf content = BUF_EMPTY, name = BUF_EMPTY;
    char *path = file_path(maildir);
    size_t lines = 1;
    int version;

    *count = 0;
    bool ok = read_file(path, &content, e);
    free(path);
    struct str text = skip_header(buf_str(&content), &version);
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    *names = arena_array(a, lines, sizeof(**names));
    while (ok && text.n > 0) {
        struct str line = str_split(&text, '\n');
        buf_clear(&name);
        if (line.n > 0 && add_name(&name, naming, line, version))
            (*names)[(*count)++] = arena_str(a, buf_str(&name));
    }
    buf_free(&content);
    buf_free(&name);
    return ok;
}

/* Copies the lines into *out as version 2, but not those of `without`; true when it was there. */
static bool copy_lines(struct buf *out, const struct folder_naming *naming, struct str text,
                       struct str without)
{
    struct buf name = BUF_EMPTY;
    bool found = false;
    int version;

    text = skip_header(text, &version);
    while (text.n > 0) {
        struct str line = str_split(&text, '\n');
        buf_clear(&name);
        bool known = add_name(&name, naming, line, version);
        if (known && str_equal(buf_str(&name), without)) {
            found = true;
        } else if (known) {
            add_line(out, naming, buf_str(&name));
        } else if (line.n > 0) {
            buf_add_str(out, line);
            buf_add_char(out, '\n');
        }
    }
    buf_free(&name);
    return found;
}

bool subscriptions_change(const char *maildir, const struct folder_naming *naming, struct str name,
                          bool subscribe, struct err *e)
{
    struct buf old = BUF_EMPTY, out = BUF_EMPTY;
    char *path = file_path(maildir);

    bool ok = read_file(path, &old, e);
    buf_add_c(&out, header);
    bool found = ok && copy_lines(&out, naming, buf_str(&old), name);
    if (subscribe)
        add_line(&out, naming, name);
    if (ok && found != subscribe)
        ok = out.n <= SUBSCRIPTIONS_SIZE_MAX ? disk_replace_file(path, buf_str(&out), 0600, e)
                                             : err_set(e, ERR_LIMIT, "too many subscriptions");
    free(path);
    buf_free(&old);
    buf_free(&out);
    return ok;
}

void subscriptions_format(struct buf *b, const struct folder_naming *naming,
                          const struct str *names, size_t count)
{
    buf_add_c(b, header);
    for (size_t i = 0; i < count; i++)
        add_line(b, naming, names[i]);
}
