/*
 * A command line is taken apart by the shell already, so a word may hold spaces, quotes and
 * wildcards as they are; only the parentheses have to stand alone. Who is used to IMAP may give all
 * keys as one word with IMAP's own quotes.
 */
#include "imap/search_words.h"

#include "imap/limits.h"
#include "mime/date.h"

struct open_list {
    struct imap_argument **tail;
    struct open_list *outer;
};

static bool parse_line(struct arena *a, struct str line, struct imap_argument **keys,
                       struct str *error)
{
    struct imap_parser p;
    imap_parser_init(&p, a, (struct imap_parser_limits){IMAP_ARGUMENTS_MAX, IMAP_DEPTH_MAX});
    imap_parser_line(&p, str_trim(line));
    switch (imap_parser_arguments(&p)) {
    case IMAP_PARSE_DONE:
        *keys = p.arguments;
        return true;
    case IMAP_PARSE_LITERAL:
        *error = STR("literals are not for a command line");
        return false;
    default:
        *error = p.error;
        return false;
    }
}

static struct imap_argument *add(struct arena *a, struct open_list *list,
                                 enum imap_argument_type type, struct str text)
{
    struct imap_argument *argument = ARENA_NEW(a, struct imap_argument);
    argument->type = type;
    argument->text = text;
    *list->tail = argument;
    list->tail = &argument->next;
    return argument;
}

bool search_words_parse(struct arena *a, const struct str *words, size_t count,
                        struct imap_argument **keys, struct str *error)
{
    struct open_list top = {.tail = keys}, *list = &top;
    *keys = NULL;
    if (count == 1 && str_find_char(words[0], ' ') >= 0)
        return parse_line(a, words[0], keys, error);
    for (size_t i = 0; i < count; i++) {
        if (str_equal(words[i], STR("("))) {
            struct open_list *inner = ARENA_NEW(a, struct open_list);
            inner->tail = &add(a, list, IMAP_LIST, STR(""))->children;
            inner->outer = list;
            list = inner;
        } else if (str_equal(words[i], STR(")")) && list->outer) {
            list = list->outer;
        } else {
            add(a, list, IMAP_ATOM, words[i]);
        }
    }
    if (list->outer) {
        *error = STR("A \")\" is missing");
        return false;
    }
    return true;
}

/* --- operands --- */

/* A number below 10^9, and what stands behind it. */
static bool split_number(struct str word, int64_t *number, struct str *unit)
{
    size_t digits = 0;
    uint64_t value;
    while (digits < word.n && word.p[digits] >= '0' && word.p[digits] <= '9')
        digits++;
    if (digits > 9 || !str_to_u64(str_head(word, digits), &value))
        return false;
    *number = (int64_t)value;
    *unit = str_skip(word, digits);
    return true;
}

bool search_word_time(struct str word, int64_t now, int64_t *seconds)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"s", 1},     {"min", 60},      {"h", 3600},
                 {"d", 86400}, {"w", 7 * 86400}, {"y", 365 * 86400}};
    struct str unit;
    int64_t number;
    if (!split_number(word, &number, &unit))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (str_equal_nocase(unit, str_from_c(units[i].name))) {
            *seconds = now - number * units[i].seconds;
            return true;
        }
    }
    return false;
}

bool search_word_day(struct str word, int64_t *day)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[12];
    uint64_t month;
    if (word.n != 10 || word.p[4] != '-' || word.p[7] != '-' ||
        !str_to_u64(str_from(word.p + 5, 2), &month) || month < 1 || month > 12)
        return false;
    memcpy(text, word.p + 8, 2);
    text[2] = text[6] = '-';
    memcpy(text + 3, months[month - 1], 3);
    memcpy(text + 7, word.p, 4);
    return date_parse_imap_day(str_from(text, 11), day);
}

bool search_word_size(struct str word, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    struct str unit;
    int64_t number;
    if (!split_number(word, &number, &unit) || number > 1000000 || unit.n != 1)
        return false;
    for (int i = 0; i < 4; i++) {
        if (char_lower(units[i]) == char_lower(unit.p[0])) {
            *bytes = (uint64_t)number << 10 * (i + 1);
            return true;
        }
    }
    return false;
}
