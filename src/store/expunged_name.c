/*
 * Names of what is kept of expunged messages. All that bringing one back needs stands in the name,
 * so keeping it costs no more than a rename.
 */
#include "store/expunged_name.h"

#include "store/keywords.h"
#include "store/maildir_name.h"

#include <inttypes.h>

#define DELETED "deleted."

void expunged_name_add(struct buf *b, const struct expunged_name *n)
{
    char info[MAILDIR_INFO_MAX];
    size_t start = b->n, length = maildir_info_format(info, n->flags, n->keywords);

    buf_printf(b, "%" PRId64 ".%" PRIu32 ".%.*s.", n->time, n->uid, (int)length - 3, info + 3);
    size_t room = FILE_NAME_MAX - (b->n - start);
    buf_add_str(b, str_head(n->base, room));
}

static bool read_time(struct str s, int64_t *time)
{
    uint64_t value;

    if (!str_to_u64(s, &value) || value > INT64_MAX)
        return false;
    *time = (int64_t)value;
    return true;
}

bool expunged_name_parse(struct str name, struct expunged_name *n)
{
    char info[MAILDIR_INFO_MAX + 1] = ":2,";
    struct str time = str_split(&name, '.'), uid = str_split(&name, '.');
    struct str letters = str_split(&name, '.');

    n->base = name;
    if (!name.p || name.n == 0 || letters.n > MAILDIR_INFO_MAX - 3)
        return false;
    memcpy(info + 3, letters.p, letters.n);
    return read_time(time, &n->time) && str_to_u32(uid, &n->uid) &&
           maildir_info_parse(str_from(info, 3 + letters.n), &n->flags, &n->keywords);
}

void expunged_deleted_add(struct buf *b, int64_t time)
{
    buf_printf(b, DELETED "%" PRId64, time);
}

bool expunged_deleted_parse(struct str name, int64_t *time)
{
    return str_starts_with(name, STR(DELETED)) &&
           read_time(str_skip(name, sizeof(DELETED) - 1), time);
}

/* --- the note --- */

void expunged_note_add(struct buf *b, const struct expunged_note *n)
{
    buf_printf(b, "name %.*s\nuidvalidity %" PRIu32 "\n", STR_ARG(n->name), n->uid_validity);
    for (size_t i = 0; i < KEYWORD_LETTERS; i++) {
        if (n->keywords[i].n > 0)
            buf_printf(b, "keyword %zu %.*s\n", i, STR_ARG(n->keywords[i]));
    }
}

static void read_keyword(struct expunged_note *n, struct str line)
{
    uint32_t number;

    if (str_to_u32(str_split(&line, ' '), &number) && number < KEYWORD_LETTERS &&
        keywords_is_name(line))
        n->keywords[number] = line;
}

void expunged_note_parse(struct expunged_note *n, struct str text)
{
    *n = (struct expunged_note){.name = STR("")};
    while (text.p) {
        struct str line = str_split(&text, '\n');
        struct str word = str_split(&line, ' ');
        if (str_equal(word, STR("name")) && line.p)
            n->name = line;
        else if (str_equal(word, STR("uidvalidity")))
            str_to_u32(line, &n->uid_validity);
        else if (str_equal(word, STR("keyword")) && line.p)
            read_keyword(n, line);
    }
}
