/*
 * Evaluation of search keys in three values: a key that needs more of the message than is known yet
 * is undecided, and AND, OR and NOT carry that upward. So a message is decided by its flags, size
 * and dates if they suffice, else by its header, and only else by its content. Pure; runs on the
 * loop or on a worker.
 *
 * Dates are compared as days, time and zone disregarded (RFC 3501 6.4.4).
 */
#include "imap/search.h"
#include "mime/address.h"
#include "mime/date.h"
#include "mime/header.h"

static enum search_answer as_answer(bool yes)
{
    return yes ? SEARCH_TRUE : SEARCH_FALSE;
}

static enum search_level needed(enum search_kind kind)
{
    switch (kind) {
    case SEARCH_ALL:
    case SEARCH_NONE:
        return SEARCH_NOTHING;
    case SEARCH_EMAILID:
    case SEARCH_THREADID:
        return SEARCH_IDENTITY;
    case SEARCH_SENTBEFORE:
    case SEARCH_SENTON:
    case SEARCH_SENTSINCE:
    case SEARCH_HEADER:
    case SEARCH_ADDRESS:
        return SEARCH_HEADERS;
    case SEARCH_BODY:
    case SEARCH_TEXT:
        return SEARCH_CONTENT;
    default:
        return SEARCH_MEMORY;
    }
}

/* The bare addresses of a field, whatever comments, quotes and spaces it is written with. */
static bool address_matches(const struct search_key *key, struct str value)
{
    struct arena *a = arena_new();
    size_t count;
    bool found = false;
    struct mailbox_address *list = address_list_parse(a, value, &count);
    for (size_t i = 0; i < count && !found; i++)
        if (list[i].local.p && list[i].domain.p)
            found = search_key_in(
                key, arena_printf(a, "%.*s@%.*s", STR_ARG(list[i].local), STR_ARG(list[i].domain)));
    arena_free(a);
    return found;
}

static bool value_matches(const struct search_node *node, struct str value)
{
    return !node->key || search_key_in_header(node->key, value) ||
           (node->kind == SEARCH_ADDRESS && address_matches(node->key, value));
}

static bool header_matches(const struct search_node *node, struct str block)
{
    struct header_field field;
    while (header_next(&block, &field))
        if (str_equal_nocase(field.name, node->field) && value_matches(node, field.value))
            return true;
    return false;
}

/* `as`: the key without its first word: BEFORE, ON or SINCE. */
static bool time_matches(const struct search_node *node, enum search_kind as, int64_t seconds,
                         int64_t day)
{
    switch (as) {
    case SEARCH_BEFORE:
        return node->exact ? seconds < node->time : day < node->day;
    case SEARCH_SINCE:
        return node->exact ? seconds >= node->time : day >= node->day;
    default:
        return day == node->day;
    }
}

/* A message without a date was sent on no day. */
static bool sent_matches(const struct search_node *node, struct str block)
{
    struct str value;
    int64_t seconds;
    int zone;
    if (!header_find(block, STR("Date"), &value) || !date_parse_header(value, &seconds, &zone))
        return false;
    return time_matches(node,
                        node->kind == SEARCH_SENTBEFORE ? SEARCH_BEFORE
                        : node->kind == SEARCH_SENTON   ? SEARCH_ON
                                                        : SEARCH_SINCE,
                        seconds, date_day(seconds, zone));
}

static bool leaf_matches(const struct search_node *node, const struct search_message *m)
{
    switch (node->kind) {
    case SEARCH_FLAG:
        return m->flags & node->flag;
    case SEARCH_KEYWORD:
        return keyword_test_matches(&node->test, m->keywords);
    case SEARCH_RECENT:
        return m->recent;
    case SEARCH_UIDS:
        return number_set_contains(&node->uids, m->uid);
    case SEARCH_MODSEQ:
        return m->modseq >= node->size;
    case SEARCH_LARGER:
        return m->size > node->size;
    case SEARCH_SMALLER:
        return m->size < node->size;
    case SEARCH_BEFORE:
    case SEARCH_ON:
    case SEARCH_SINCE:
        return time_matches(node, node->kind, m->date, m->day);
    case SEARCH_SAVEDBEFORE:
    case SEARCH_SAVEDON:
    case SEARCH_SAVEDSINCE:
        return time_matches(node,
                            (enum search_kind)(node->kind - SEARCH_SAVEDBEFORE + SEARCH_BEFORE),
                            m->save_date, date_day(m->save_date, 0));
    case SEARCH_EMAILID:
        return memcmp(m->id, node->id, sizeof m->id) == 0;
    case SEARCH_THREADID:
        return memcmp(m->thread, node->id, sizeof m->thread) == 0;
    case SEARCH_SENTBEFORE:
    case SEARCH_SENTON:
    case SEARCH_SENTSINCE:
        return sent_matches(node, m->header);
    case SEARCH_HEADER:
    case SEARCH_ADDRESS:
        return header_matches(node, m->header);
    case SEARCH_BODY:
    case SEARCH_TEXT:
        return search_key_in_message(node->key, m->root, m->bytes, node->kind == SEARCH_TEXT);
    default:
        return node->kind == SEARCH_ALL;
    }
}

/* AND ends at the first false child, OR at the first true one. */
static enum search_answer evaluate_children(const struct search_node *node,
                                            const struct search_message *m, enum search_level level,
                                            enum search_answer ends)
{
    enum search_answer all = ends == SEARCH_FALSE ? SEARCH_TRUE : SEARCH_FALSE;
    for (const struct search_node *child = node->children; child; child = child->next) {
        enum search_answer answer = search_evaluate(child, m, level);
        if (answer == ends)
            return ends;
        if (answer == SEARCH_UNDECIDED)
            all = SEARCH_UNDECIDED;
    }
    return all;
}

enum search_answer search_evaluate(const struct search_node *node, const struct search_message *m,
                                   enum search_level level)
{
    enum search_answer answer;
    switch (node->kind) {
    case SEARCH_AND:
        return evaluate_children(node, m, level, SEARCH_FALSE);
    case SEARCH_OR:
        return evaluate_children(node, m, level, SEARCH_TRUE);
    case SEARCH_NOT:
        answer = search_evaluate(node->children, m, level);
        return answer == SEARCH_UNDECIDED ? answer : as_answer(answer == SEARCH_FALSE);
    default:
        if (needed(node->kind) > level)
            return SEARCH_UNDECIDED;
        return as_answer(leaf_matches(node, m));
    }
}

bool search_excludes(const struct search_program *program)
{
    static const struct search_message unknown = {0};
    return search_evaluate(program->root, &unknown, SEARCH_NOTHING) == SEARCH_FALSE;
}
