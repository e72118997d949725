/*
 * A query over a mailbox that is not there any more. What the list of the archive tells decides
 * first; only then a message is read.
 */
#include "mailctl/match.h"

#include "core/clock.h"
#include "core/mem.h"
#include "imap/search_words.h"
#include "mailctl/maildir.h"
#include "mime/date.h"
#include "mime/header.h"

#include <stdlib.h>

static struct search_scope scope_for(struct message_list *list, struct str mailbox)
{
    return (struct search_scope){.arena = list->arena,
                                 .words = true,
                                 .charset = STR("UTF-8"),
                                 .name = mailbox,
                                 .uids = list->uids,
                                 .count = list->count,
                                 .now = list->now};
}

static bool refuse(struct str error, struct err *e)
{
    return err_set(e, ERR_SYNTAX, "--query: %.*s", STR_ARG(error));
}

bool match_parse(struct arena *a, struct str text, struct imap_argument **keys, struct err *e)
{
    struct message_list none = {.arena = a};
    struct search_program program;
    struct str error;
    if (!search_words_parse(a, &text, 1, keys, &error))
        return refuse(error, e);
    struct search_scope scope = scope_for(&none, STR(""));
    return search_compile(&scope, *keys, &program) || refuse(scope.error, e);
}

/* --- the list --- */

static int compare_listed(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

json_t *match_line(const struct message_list *list, const struct listed *l)
{
    json_error_t where;
    return json_loadb(buf_str(&list->text).p + l->at, l->n, 0, &where);
}

static bool take_lines(struct message_list *list, struct err *e)
{
    struct str rest = buf_str(&list->text);
    list->items = mem_array(str_count_char(rest, '\n') + 1, sizeof(*list->items));
    while (rest.n > 0) {
        struct listed *l = &list->items[list->count];
        l->at = list->text.n - rest.n;
        l->n = str_split(&rest, '\n').n;
        json_t *json = match_line(list, l);
        int64_t uid = number_of(json, "uid");
        json_decref(json);
        if (uid <= 0 || uid > UINT32_MAX)
            return err_set(e, ERR_SYNTAX, "the list of messages is damaged");
        l->uid = (uint32_t)uid;
        list->count++;
        rest.n = rest.p ? rest.n : 0;
    }
    qsort(list->items, list->count, sizeof(*list->items), compare_listed);
    return true;
}

bool match_begin(struct message_list *list, struct str mailbox, const struct imap_argument *keys,
                 struct err *e)
{
    list->arena = arena_new();
    list->now = clock_wall() / USEC_SEC;
    if (!take_lines(list, e))
        return false;
    list->has_query = keys != NULL;
    list->uids = arena_array(list->arena, list->count + 1, sizeof(*list->uids));
    for (size_t i = 0; i < list->count; i++)
        list->uids[i] = list->items[i].uid;
    struct search_scope scope = scope_for(list, mailbox);
    return !keys || search_compile(&scope, keys, &list->program) || refuse(scope.error, e);
}

void match_end(struct message_list *list)
{
    if (list->arena)
        arena_free(list->arena);
    free(list->items);
    buf_free(&list->text);
    *list = (struct message_list){0};
}

struct listed *match_find(struct message_list *list, uint32_t uid)
{
    struct listed key = {.uid = uid};
    return list->count > 0 ? bsearch(&key, list->items, list->count, sizeof(key), compare_listed)
                           : NULL;
}

/* --- the query --- */

static bool has_word(const char *text, struct str wanted)
{
    struct str rest = str_from_c(text), word;
    while ((word = str_word(&rest)).p)
        if (str_equal_nocase(word, wanted))
            return true;
    return false;
}

/* There are no sets of keywords here: the message's is number 0, and each test is for it. */
static void set_keywords(struct message_list *list, const json_t *line)
{
    static const uint8_t no = 0, yes = 1;
    const char *keywords = text_of(line, "keywords");
    for (struct search_node *node = list->program.keywords; node; node = node->next_keyword)
        node->test = (struct keyword_test){.bits = has_word(keywords, node->keyword) ? &yes : &no,
                                           .sets = 1};
}

static enum search_answer evaluate_content(struct message_list *list, struct search_message *m)
{
    struct arena *a = arena_new();
    m->root = mime_parse(a, m->bytes, &mime_limits_default, false);
    enum search_answer answer = search_evaluate(list->program.root, m, SEARCH_CONTENT);
    arena_free(a);
    return answer;
}

bool match_message(struct message_list *list, const struct listed *l, const json_t *line,
                   struct body *body, enum search_answer *answer, struct err *e)
{
    size_t end;
    *answer = SEARCH_TRUE;
    if (!list->has_query)
        return true;
    struct search_message m = {.uid = l->uid,
                               .flags = flags_from_text(text_of(line, "flags")),
                               .size = (uint64_t)number_of(line, "size_crlf"),
                               .date = number_of(line, "date"),
                               .save_date = number_of(line, "saved")};
    m.day = date_day(m.date, 0);
    set_keywords(list, line);
    *answer = search_evaluate(list->program.root, &m, SEARCH_MEMORY);
    if (*answer != SEARCH_UNDECIDED || !body)
        return true;
    if (!body_view(body, &m.bytes, e))
        return false;
    m.header = header_find_end(m.bytes, NULL, &end) ? str_head(m.bytes, end) : m.bytes;
    *answer = search_evaluate(list->program.root, &m, SEARCH_HEADERS);
    if (*answer == SEARCH_UNDECIDED)
        *answer = evaluate_content(list, &m);
    return true;
}
