/*
 * Sets of keywords. Equal sets have the same id; what a change makes of a set is remembered, so
 * that a change of many messages computes it once for each different set among them. Ids are
 * given out anew only after keyword_sets_collect, which the mailbox calls when it knows that nobody
 * holds one but its messages.
 */
#include "store/keywords.h"

#include "core/mem.h"

#include <stdlib.h>

static struct keyword_set *set_at(const struct keyword_table *k, uint32_t set)
{
    return set > 0 && set <= k->set_count && k->sets[set - 1].numbers ? &k->sets[set - 1] : NULL;
}

static uint64_t hash_of(const uint16_t *numbers, size_t count)
{
    return str_hash(str_from((const char *)numbers, count * sizeof(*numbers)));
}

static bool is_set(const struct keyword_set *s, const uint16_t *numbers, size_t count)
{
    return s->numbers && s->count == count &&
           memcmp(s->numbers, numbers, count * sizeof(*numbers)) == 0;
}

/* The slot of the set, or the empty one where it belongs. */
static uint32_t *slot_of(const struct keyword_table *k, const uint16_t *numbers, size_t count)
{
    size_t i = hash_of(numbers, count) & k->slot_mask;

    while (k->slots[i] && !is_set(&k->sets[k->slots[i] - 1], numbers, count))
        i = (i + 1) & k->slot_mask;
    return &k->slots[i];
}

static void rehash(struct keyword_table *k)
{
    size_t slots = 64;

    while (slots < k->set_count * 4)
        slots *= 2;
    free(k->slots);
    k->slots = mem_array(slots, sizeof(*k->slots));
    k->slot_mask = slots - 1;
    for (uint32_t id = 1; id <= k->set_count; id++) {
        const struct keyword_set *s = set_at(k, id);
        if (s)
            *slot_of(k, s->numbers, s->count) = id;
    }
}

static size_t text_size(const struct keyword_table *k, const uint16_t *numbers, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += k->names[numbers[i]].n + 1;
    return size;
}

/* Numbers and text in one piece of memory. */
static void fill(struct keyword_table *k, struct keyword_set *s, const uint16_t *numbers,
                 size_t count)
{
    size_t size = text_size(k, numbers, count);
    char *memory = mem_alloc(count * sizeof(*numbers) + size);
    char *text = memory + count * sizeof(*numbers), *at = text;

    memcpy(memory, numbers, count * sizeof(*numbers));
    *s = (struct keyword_set){.numbers = (uint16_t *)memory, .count = count};
    for (size_t i = 0; i < count; i++) {
        struct str name = k->names[numbers[i]];
        memcpy(at, name.p, name.n);
        at[name.n] = ' ';
        at += name.n + 1;
        s->letters |= numbers[i] < KEYWORD_LETTERS ? 1u << numbers[i] : 0;
    }
    s->text = str_from(text, size - 1);
    k->live_sets++;
    k->set_bytes += sizeof(*s) + count * sizeof(*numbers) + size;
}

static void clear(struct keyword_table *k, struct keyword_set *s)
{
    if (!s->numbers)
        return;
    k->live_sets--;
    k->set_bytes -= sizeof(*s) + s->count * sizeof(*s->numbers) + s->text.n + 1;
    free(s->numbers);
    *s = (struct keyword_set){0};
}

/* Makes ids up to `set` exist, the new ones free. */
static void grow(struct keyword_table *k, size_t set)
{
    if (set > k->set_capacity) {
        k->set_capacity = set < 16 ? 16 : set * 2;
        k->sets = mem_resize(k->sets, k->set_capacity * sizeof(*k->sets));
    }
    while (k->set_count < set)
        k->sets[k->set_count++] = (struct keyword_set){0};
}

static uint32_t free_id(struct keyword_table *k)
{
    if (k->live_sets >= KEYWORD_SETS_MAX)
        return 0;
    while (k->free_from <= k->set_count && (k->free_from == 0 || set_at(k, k->free_from)))
        k->free_from++;
    return k->free_from;
}

/* numbers: ascending, different, with names. */
static bool intern(struct keyword_table *k, const uint16_t *numbers, size_t count, uint32_t *set)
{
    *set = 0;
    if (count == 0)
        return true;
    if (k->set_count * 2 >= k->slot_mask)
        rehash(k);
    uint32_t *slot = slot_of(k, numbers, count);
    if (*slot) {
        *set = *slot;
        return true;
    }
    size_t bytes = text_size(k, numbers, count) + count * sizeof(*numbers);
    uint32_t id = free_id(k);
    if (id == 0 || k->set_bytes + bytes > KEYWORD_SETS_BYTES_MAX)
        return false;
    *slot = *set = id;
    grow(k, id);
    fill(k, &k->sets[id - 1], numbers, count);
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

bool keyword_set_of(struct keyword_table *k, const uint16_t *numbers, size_t count, uint32_t *set)
{
    uint16_t *sorted = mem_array(count, sizeof(*sorted));
    size_t kept = 0;

    if (count > 0)
        memcpy(sorted, numbers, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_numbers);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || sorted[kept - 1] != sorted[i])
            sorted[kept++] = sorted[i];
    }
    bool ok = intern(k, sorted, kept, set);
    free(sorted);
    return ok;
}

/* Appends the letters with a name. */
static size_t add_letters(const struct keyword_table *k, uint32_t letters, uint16_t *numbers)
{
    size_t count = 0;

    for (uint16_t i = 0; i < KEYWORD_LETTERS && i < k->count; i++) {
        if (letters & 1u << i && k->names[i].n > 0)
            numbers[count++] = i;
    }
    return count;
}

bool keyword_set_of_letters(struct keyword_table *k, uint32_t letters, uint32_t *set)
{
    return keyword_set_with_letters(k, 0, letters, set);
}

bool keyword_set_with_letters(struct keyword_table *k, uint32_t set, uint32_t letters,
                              uint32_t *result)
{
    const struct keyword_set *old = set_at(k, set);
    uint16_t few[KEYWORD_LETTERS], *numbers = few;
    size_t old_count = old ? old->count : 0;

    *result = set;
    if (letters == keyword_set_letters(k, set))
        return true;
    if (old)
        numbers = mem_array(KEYWORD_LETTERS + old_count, sizeof(*numbers));
    size_t count = add_letters(k, letters, numbers);
    for (size_t i = 0; i < old_count; i++) {
        if (old->numbers[i] >= KEYWORD_LETTERS)
            numbers[count++] = old->numbers[i];
    }
    bool ok = intern(k, numbers, count, result);
    if (old)
        free(numbers);
    return ok;
}

/* The sum or the difference of two sets. */
static bool combine(struct keyword_table *k, const struct keyword_set *a,
                    const struct keyword_set *b, bool add, uint32_t *result)
{
    uint16_t *numbers = mem_array(a->count + b->count, sizeof(*numbers));
    size_t count = 0, i = 0, j = 0;

    while (i < a->count || (add && j < b->count)) {
        if (j == b->count || (i < a->count && a->numbers[i] < b->numbers[j])) {
            numbers[count++] = a->numbers[i++];
        } else if (i == a->count || b->numbers[j] < a->numbers[i]) {
            if (add)
                numbers[count++] = b->numbers[j];
            j++;
        } else {
            if (add)
                numbers[count++] = a->numbers[i];
            i++;
            j++;
        }
    }
    bool ok = intern(k, numbers, count, result);
    free(numbers);
    return ok;
}

bool keyword_set_change(struct keyword_table *k, uint32_t set, enum flags_change change,
                        uint32_t with, uint32_t *result)
{
    struct keyword_memo *memo = &k->memos[(set * 31u + with * 7u + change) % KEYWORD_MEMOS];
    const struct keyword_set *a = set_at(k, set), *b = set_at(k, with);

    *result = change == FLAGS_REPLACE || (change == FLAGS_ADD && !a) ? with : set;
    if (change == FLAGS_REPLACE || !a || !b || (change == FLAGS_ADD && set == with))
        return true;
    if (memo->used && memo->set == set && memo->with == with && memo->change == change) {
        *result = memo->result;
        return true;
    }
    if (!combine(k, a, b, change == FLAGS_ADD, result))
        return false;
    *memo = (struct keyword_memo){
        .set = set, .with = with, .result = *result, .change = (uint8_t)change, .used = 1};
    return true;
}

uint32_t keyword_set_letters(const struct keyword_table *k, uint32_t set)
{
    const struct keyword_set *s = set_at(k, set);
    return s ? s->letters : 0;
}

const uint16_t *keyword_set_numbers(const struct keyword_table *k, uint32_t set, size_t *count)
{
    const struct keyword_set *s = set_at(k, set);
    *count = s ? s->count : 0;
    return s ? s->numbers : NULL;
}

struct str keyword_set_text(const struct keyword_table *k, uint32_t set)
{
    const struct keyword_set *s = set_at(k, set);
    return s ? s->text : STR("");
}

bool keyword_set_has(const struct keyword_table *k, uint32_t set, size_t number)
{
    const struct keyword_set *s = set_at(k, set);

    if (!s)
        return false;
    if (number < KEYWORD_LETTERS)
        return s->letters & 1u << number;
    for (size_t i = s->count; i > 0 && s->numbers[i - 1] >= number; i--) {
        if (s->numbers[i - 1] == number)
            return true;
    }
    return false;
}

bool keyword_set_put(struct keyword_table *k, uint32_t set, const uint16_t *numbers, size_t count)
{
    if (set == 0 || set > KEYWORD_SETS_MAX || set_at(k, set) || count == 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] >= k->count || k->names[numbers[i]].n == 0 ||
            (i > 0 && numbers[i] <= numbers[i - 1]))
            return false;
    }
    grow(k, set);
    if (k->set_count * 2 >= k->slot_mask)
        rehash(k);
    uint32_t *slot = slot_of(k, numbers, count);
    if (*slot)
        return false;
    fill(k, &k->sets[set - 1], numbers, count);
    *slot = set;
    return true;
}

void keyword_sets_collect(struct keyword_table *k, const uint8_t *used)
{
    for (uint32_t id = 1; id <= k->set_count; id++) {
        if (!(used[id / 8] & 1u << id % 8))
            clear(k, &k->sets[id - 1]);
    }
    memset(k->memos, 0, sizeof(k->memos));
    k->collections++;
    k->free_from = 1;
    rehash(k);
}

void keywords_remove(struct keyword_table *k, size_t number)
{
    uint8_t *keep = mem_array(k->set_count / 8 + 1, 1);

    for (uint32_t id = 1; id <= k->set_count; id++) {
        if (!keyword_set_has(k, id, number))
            keep[id / 8] |= (uint8_t)(1u << id % 8);
    }
    keyword_sets_collect(k, keep);
    free(keep);
    free((char *)k->names[number].p);
    k->names[number] = STR("");
    k->changes++;
}

void keywords_free(struct keyword_table *k)
{
    for (uint32_t id = 1; id <= k->set_count; id++)
        clear(k, &k->sets[id - 1]);
    for (size_t i = 0; i < k->count; i++) {
        if (k->names[i].n > 0)
            free((char *)k->names[i].p);
    }
    free(k->names);
    free(k->sets);
    free(k->slots);
    *k = (struct keyword_table){0};
}
