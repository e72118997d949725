/*
 * Keys and their order. Texts are compared by i;unicode-casemap: a key is folded once and then
 * compared byte by byte; its first eight bytes stand in the value itself, which decides nearly all
 * comparisons without another look into memory.
 */
#include "imap/sort.h"

#include "core/mem.h"
#include "imap/command.h"
#include "imap/envelope.h"
#include "imap/limits.h"
#include "mime/base_subject.h"
#include "mime/collate.h"
#include "mime/header.h"

#include <stdlib.h>

/* --- criteria --- */

static const struct {
    const char *name;
    unsigned fields;
    enum envelope_field from;
} kinds[SORT_KINDS] = {
    [SORT_ARRIVAL] = {"ARRIVAL", 0, 0},
    [SORT_CC] = {"CC", SUMMARY_ENVELOPE, ENVELOPE_CC},
    [SORT_DATE] = {"DATE", SUMMARY_FIXED, 0},
    [SORT_DISPLAYFROM] = {"DISPLAYFROM", SUMMARY_ENVELOPE, ENVELOPE_FROM},
    [SORT_DISPLAYTO] = {"DISPLAYTO", SUMMARY_ENVELOPE, ENVELOPE_TO},
    [SORT_FROM] = {"FROM", SUMMARY_ENVELOPE, ENVELOPE_FROM},
    [SORT_SIZE] = {"SIZE", 0, 0},
    [SORT_SUBJECT] = {"SUBJECT", SUMMARY_ENVELOPE, ENVELOPE_SUBJECT},
    [SORT_TO] = {"TO", SUMMARY_ENVELOPE, ENVELOPE_TO},
};

static bool add_criterion(struct sort_program *program, const struct imap_argument *a, bool reverse)
{
    enum sort_kind kind = 0;
    while (kind < SORT_KINDS && !imap_argument_is(a, kinds[kind].name))
        kind++;
    if (kind == SORT_KINDS)
        return false;
    for (size_t i = 0; i < program->count; i++)
        if (program->criteria[i].kind == kind)
            return true;
    program->criteria[program->count++] = (struct sort_criterion){kind, reverse};
    program->fields |= kinds[kind].fields;
    if (kinds[kind].from > program->last)
        program->last = kinds[kind].from;
    return true;
}

bool imap_take_criteria(struct imap_command *c, struct sort_program *program)
{
    struct imap_argument *list = imap_take(c, "a list of sort criteria");
    *program = (struct sort_program){0};
    if (!list || list->type != IMAP_LIST || !list->children) {
        imap_expected(c, list, "a list of sort criteria");
        return false;
    }
    for (const struct imap_argument *a = list->children; a; a = a->next) {
        bool reverse = imap_argument_is(a, "REVERSE");
        if (reverse)
            a = a->next;
        if (!a || !add_criterion(program, a, reverse)) {
            imap_expected(c, a,
                          "ARRIVAL, CC, DATE, DISPLAYFROM, DISPLAYTO, FROM, SIZE, SUBJECT "
                          "or TO");
            return false;
        }
    }
    return true;
}

/* --- keys --- */

void sort_table_init(struct sort_table *t, const struct sort_program *program)
{
    *t = (struct sort_table){.program = program, .arena = arena_new()};
}

void sort_table_free(struct sort_table *t)
{
    free(t->values);
    buf_free(&t->texts);
    buf_free(&t->raw);
    buf_free(&t->folded);
    arena_free(t->arena);
}

void sort_table_take(struct sort_table *t, struct sort_table *from,
                     const struct sort_program *program)
{
    *t = *from;
    t->program = program;
    *from = (struct sort_table){0};
}

/* The values of one more message, zeroed. */
static struct sort_value *add_values(struct sort_table *t)
{
    size_t count = t->program->count;
    t->values = mem_grow(t->values, t->count, &t->capacity, count * sizeof *t->values, 256);
    struct sort_value *values = t->values + t->count++ * count;
    memset(values, 0, count * sizeof *values);
    return values;
}

void sort_table_add_copy(struct sort_table *t, const struct sort_table *from, size_t number)
{
    struct sort_value *values = add_values(t);
    for (size_t i = 0; i < t->program->count; i++) {
        values[i] = from->values[number * t->program->count + i];
        struct str text = str_from(from->texts.p + values[i].at, values[i].length);
        values[i].at = t->texts.n;
        if (text.n)
            buf_add_str(&t->texts, text);
    }
}

/* raw is UTF-8. */
static void set_text(struct sort_table *t, struct sort_value *v)
{
    buf_clear(&t->folded);
    collate_key(&t->folded, buf_str(&t->raw));
    struct str key = str_head(buf_str(&t->folded), IMAP_SORT_KEY_MAX);
    v->order = 0;
    for (size_t i = 0; i < 8; i++)
        v->order = v->order << 8 | (i < key.n ? (unsigned char)key.p[i] : 0);
    v->at = t->texts.n;
    v->length = key.n & 0xffff;
    buf_add_str(&t->texts, key);
}

static void decode_raw(struct sort_table *t)
{
    struct str raw = buf_str(&t->raw);
    if (str_is_ascii(raw) && str_find(raw, STR("=?")) < 0)
        return;
    struct str text = arena_str(t->arena, header_decode(t->arena, raw));
    buf_clear(&t->raw);
    buf_add_str(&t->raw, text);
}

static void take_subject(struct sort_table *t, struct str subject)
{
    if (!envelope_add_text(&t->raw, subject))
        return;
    struct str text = arena_str(t->arena, header_decode(t->arena, buf_str(&t->raw)));
    buf_clear(&t->raw);
    base_subject(&t->raw, text);
}

static void take_mailbox(struct sort_table *t, struct str list)
{
    struct envelope_address a;
    if (envelope_first_address(list, &a) && envelope_add_text(&t->raw, a.mailbox))
        decode_raw(t);
}

/* RFC 5957 3. */
static void take_display(struct sort_table *t, struct str list)
{
    struct envelope_address a;
    if (!envelope_first_address(list, &a))
        return;
    if (envelope_add_text(&t->raw, a.name)) {
        decode_raw(t);
        if (t->raw.n > 0)
            return;
    }
    if (!envelope_add_text(&t->raw, a.mailbox))
        return;
    size_t n = t->raw.n;
    buf_add_char(&t->raw, '@');
    if (!envelope_add_text(&t->raw, a.host))
        t->raw.n = n;
    decode_raw(t);
}

static void set_from_envelope(struct sort_table *t, struct sort_value *v, enum sort_kind kind,
                              struct str field)
{
    buf_clear(&t->raw);
    if (kind == SORT_SUBJECT)
        take_subject(t, field);
    else if (kind == SORT_DISPLAYFROM || kind == SORT_DISPLAYTO)
        take_display(t, field);
    else
        take_mailbox(t, field);
    set_text(t, v);
}

static uint64_t order_of(int64_t number)
{
    return (uint64_t)number ^ (uint64_t)1 << 63;
}

void sort_table_add(struct sort_table *t, int64_t internal_date, uint64_t size,
                    const struct message_summary *summary)
{
    const struct sort_program *p = t->program;
    struct str envelope[ENVELOPE_FIELDS];
    struct sort_value *values = add_values(t);
    if (p->fields & SUMMARY_ENVELOPE)
        envelope_split(summary->envelope, p->last, envelope);
    for (size_t i = 0; i < p->count; i++) {
        struct sort_value *v = &values[i];
        enum sort_kind kind = p->criteria[i].kind;
        if (kind == SORT_ARRIVAL)
            v->order = order_of(internal_date);
        else if (kind == SORT_DATE)
            v->order = order_of(sort_date(summary, internal_date));
        else if (kind == SORT_SIZE)
            v->order = size;
        else
            set_from_envelope(t, v, kind, envelope[kinds[kind].from]);
        if (p->criteria[i].reverse)
            v->order = ~v->order;
    }
    arena_reset(t->arena);
}

/* --- order --- */

static int compare_values(const struct sort_table *t, size_t a, size_t b, size_t criterion)
{
    size_t count = t->program->count;
    const struct sort_value *x = &t->values[a * count + criterion];
    const struct sort_value *y = &t->values[b * count + criterion];
    int order;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    if (x->length <= 8 || y->length <= 8)
        order = x->length < y->length ? -1 : x->length > y->length;
    else
        order = str_compare(str_from(t->texts.p + x->at + 8, x->length - 8u),
                            str_from(t->texts.p + y->at + 8, y->length - 8u));
    return t->program->criteria[criterion].reverse ? -order : order;
}

int sort_table_compare(const struct sort_table *t, size_t a, size_t b)
{
    for (size_t i = 0; i < t->program->count; i++) {
        int order = compare_values(t, a, b, i);
        if (order)
            return order;
    }
    return 0;
}

struct sort_entry {
    uint64_t order; /* by the first criterion */
    uint32_t number;
};

static int compare_entries(const void *x, const void *y, void *table)
{
    const struct sort_entry *a = x, *b = y;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    int order = sort_table_compare(table, a->number, b->number);
    return order ? order : a->number < b->number ? -1 : 1;
}

void sort_table_order(const struct sort_table *t, uint32_t *numbers)
{
    struct sort_entry *entries = mem_array(t->count + 1, sizeof *entries);
    for (size_t i = 0; i < t->count; i++)
        entries[i] = (struct sort_entry){t->values[i * t->program->count].order, (uint32_t)i};
    qsort_r(entries, t->count, sizeof *entries, compare_entries, (void *)t);
    for (size_t i = 0; i < t->count; i++)
        numbers[i] = entries[i].number;
    free(entries);
}
