/*
 * The keywords of a mailbox in memory: names become numbers and sets here. When there is no room
 * for another set or letter, what no message uses any more goes first.
 */
#include "core/mem.h"
#include "store/store_internal.h"

#include <stdlib.h>

const struct str *mailbox_keywords(const struct mailbox *m, size_t *count)
{
    *count = m->c.keywords.count;
    return m->c.keywords.names;
}

uint32_t mailbox_keyword_changes(const struct mailbox *m)
{
    return m->c.keywords.changes;
}

bool mailbox_takes_keywords(const struct mailbox *m)
{
    return keywords_names(&m->c.keywords) < KEYWORDS_MAX;
}

struct str mailbox_set_text(const struct mailbox *m, uint32_t set)
{
    return keyword_set_text(&m->c.keywords, set);
}

bool mailbox_set_has(const struct mailbox *m, uint32_t set, size_t keyword)
{
    return keyword_set_has(&m->c.keywords, set, keyword);
}

/* --- tests --- */

void mailbox_keyword_test(const struct mailbox *m, struct str name, struct arena *a,
                          struct keyword_test *t)
{
    const struct keyword_table *k = &m->c.keywords;
    int number = keywords_find(k, name);
    uint8_t *bits = arena_array(a, k->set_count / 8 + 1, 1);

    for (uint32_t set = 1; number >= 0 && set <= k->set_count; set++) {
        if (keyword_set_has(k, set, (size_t)number))
            bits[set / 8] |= (uint8_t)(1u << set % 8);
    }
    *t = (struct keyword_test){
        .bits = bits, .sets = (uint32_t)k->set_count + 1, .version = k->collections};
}

bool mailbox_keyword_test_is_current(const struct mailbox *m, const struct keyword_test *t)
{
    return t->sets == m->c.keywords.set_count + 1 && t->version == m->c.keywords.collections;
}

/* --- room --- */

/* Nobody but messages holds sets: none is on its way through the journal. */
static bool may_collect(const struct mailbox *m)
{
    return m->account->in_flight == 0;
}

static void collect(struct mailbox *m)
{
    struct keyword_table *k = &m->c.keywords;
    uint8_t *used = mem_array(k->set_count / 8 + 1, 1);

    for (size_t i = 0; i < m->c.count; i++)
        used[m->c.messages[i].keywords / 8] |= (uint8_t)(1u << m->c.messages[i].keywords % 8);
    keyword_sets_collect(k, used);
    free(used);
}

/* Some room is kept for what changes make of each other on their way through the journal: what was
 * promised there must find place. */
static bool make_room(struct mailbox *m)
{
    const struct keyword_table *k = &m->c.keywords;

    for (int i = 0; i < 2; i++) {
        if (k->live_sets < KEYWORD_SETS_MAX / 10 * 9 &&
            k->set_bytes < KEYWORD_SETS_BYTES_MAX / 10 * 9)
            return true;
        if (i == 0 && may_collect(m))
            collect(m);
    }
    return false;
}

static bool no_room(struct err *e)
{
    return err_set(e, ERR_LIMIT, "a mailbox has at most %d keywords and %d combinations of them",
                   KEYWORDS_MAX, KEYWORD_SETS_MAX);
}

/* --- names to sets --- */

static bool find_or_add(struct mailbox *m, struct str name, bool add, uint16_t *number, bool *found)
{
    struct keyword_table *k = &m->c.keywords;
    int n = keywords_find(k, name);

    *found = n >= 0;
    if (n < 0 && add) {
        n = keywords_add(k, name);
        if (n < 0)
            return false;
        m->c.keywords_changed |= n < KEYWORD_LETTERS;
        mailbox_mark_dirty(m);
        *found = true;
    }
    *number = (uint16_t)n;
    return true;
}

bool mailbox_keyword_set(struct mailbox *m, const struct str *names, size_t count, bool add,
                         uint32_t *set, struct err *e)
{
    uint16_t few[32], *numbers = count > 32 ? mem_array(count, sizeof(*numbers)) : few;
    size_t known = 0;
    bool ok = true, found;

    *set = 0;
    if (count == 0)
        return true;
    for (size_t i = 0; i < count && ok; i++) {
        if (names[i].n == 0)
            continue;
        ok = find_or_add(m, names[i], add, &numbers[known], &found);
        known += ok && found;
    }
    ok = ok && (!add || known == 0 || make_room(m)) &&
         keyword_set_of(&m->c.keywords, numbers, known, set);
    if (numbers != few)
        free(numbers);
    return ok || no_room(e);
}

uint32_t mailbox_set_changed(struct mailbox *m, uint32_t set, enum flags_change change,
                             const struct str *names, size_t count)
{
    uint32_t with, result;

    if (!mailbox_keyword_set(m, names, count, false, &with, NULL) ||
        !keyword_set_change(&m->c.keywords, set, change, with, &result))
        return set;
    return result;
}

/* The sets that a change will need, made in advance. */
bool mailbox_prepare_sets(struct mailbox *m, const uint32_t *uids, size_t count,
                          enum flags_change change, uint32_t with, struct err *e)
{
    uint32_t before = UINT32_MAX, result;
    size_t at = count > 0 ? mailbox_content_find(&m->c, uids[0]) : 0;

    if (with == 0 || change == FLAGS_REPLACE)
        return true;
    if (change == FLAGS_ADD && !make_room(m))
        return no_room(e);
    for (size_t i = 0; i < count; i++) {
        while (at < m->c.count && m->c.messages[at].uid < uids[i])
            at++;
        if (at == m->c.count)
            break;
        uint32_t set = m->c.messages[at].keywords;
        if (set != before && !keyword_set_change(&m->c.keywords, set, change, with, &result))
            return no_room(e);
        before = set;
    }
    return true;
}
