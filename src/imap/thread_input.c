/*
 * What threads are made of. An identifier is what stands between angle brackets, without quotes,
 * white space and comments around its parts; one without "@" is none (RFC 5256: valid msg-ids
 * only, normalised). References come from References, else the first identifier of In-Reply-To.
 *
 * A message whose identifier is missing, or was that of an earlier message, gets a node that nobody
 * can refer to.
 */
#include "imap/thread.h"

#include "core/mem.h"
#include "imap/limits.h"
#include "mime/base_subject.h"
#include "mime/collate.h"
#include "mime/header.h"

#include <stdlib.h>

struct threads *threads_new(enum thread_algorithm algorithm)
{
    struct threads *t = MEM_NEW(struct threads);
    t->algorithm = algorithm;
    intern_init(&t->identifiers);
    intern_init(&t->subjects);
    t->reference_capacity = 1024;
    t->references = mem_array(t->reference_capacity, sizeof *t->references);
    return t;
}

void threads_free(struct threads *t)
{
    intern_free(&t->identifiers);
    intern_free(&t->subjects);
    free(t->items);
    free(t->node_items);
    free(t->references);
    buf_free(&t->text);
    free(t);
}

static struct thread_item *new_item(struct threads *t)
{
    t->items = mem_grow(t->items, t->count, &t->capacity, sizeof(*t->items), 256);
    struct thread_item *item = &t->items[t->count++];
    *item = (struct thread_item){.node = THREAD_NONE,
                                 .parent = THREAD_NONE,
                                 .first = THREAD_NONE,
                                 .last = THREAD_NONE,
                                 .next = THREAD_NONE};
    return item;
}

uint32_t threads_add_dummy(struct threads *t)
{
    new_item(t);
    return (uint32_t)t->count - 1;
}

static uint32_t new_node(struct threads *t)
{
    t->node_items =
        mem_grow(t->node_items, t->node_count, &t->node_capacity, sizeof(*t->node_items), 256);
    t->node_items[t->node_count] = THREAD_NONE;
    return (uint32_t)t->node_count++;
}

/* --- identifiers --- */

/* Behind "<": its content, normalised, to t->text; moves *rest behind ">". */
static bool read_identifier(struct threads *t, struct str *rest)
{
    bool quoted = false, has_at = false;
    buf_clear(&t->text);
    for (size_t i = 0; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (c == '>' && !quoted) {
            *rest = str_skip(*rest, i + 1);
            return has_at && t->text.n > 1;
        } else if (c == '<' && !quoted) {
            *rest = str_skip(*rest, i);
            return false;
        } else if (quoted || !char_is_space(c)) {
            i += quoted && c == '\\' && i + 1 < rest->n;
            buf_add_char(&t->text, rest->p[i]);
            has_at = has_at || (c == '@' && !quoted);
        }
    }
    *rest = STR("");
    return false;
}

/* The next identifier of a field's value. */
static bool next_identifier(struct threads *t, struct str *rest)
{
    ptrdiff_t start;
    while ((start = str_find_char(*rest, '<')) >= 0) {
        *rest = str_skip(*rest, (size_t)start + 1);
        if (read_identifier(t, rest))
            return true;
    }
    return false;
}

/* The node of the identifier in t->text. */
static uint32_t find_node(struct threads *t)
{
    bool is_new;
    uint32_t *node = intern(&t->identifiers, buf_str(&t->text), &is_new);
    if (is_new)
        *node = new_node(t);
    t->too_many = t->node_count > IMAP_THREAD_IDENTIFIERS_MAX;
    return *node;
}

static void add_reference(struct threads *t, struct thread_item *item)
{
    if (t->reference_count == t->reference_capacity) {
        t->reference_capacity *= 2;
        t->references = mem_resize(t->references, t->reference_capacity * sizeof *t->references);
    }
    t->references[t->reference_count++] = find_node(t);
    item->reference_count++;
}

/* Of very many the last ones, which are the nearest. */
static void add_references(struct threads *t, struct thread_item *item, struct str value)
{
    item->references = (uint32_t)t->reference_count;
    while (!t->too_many && next_identifier(t, &value)) {
        if (item->reference_count == IMAP_THREAD_REFERENCES_MAX) {
            uint32_t *first = t->references + item->references;
            item->reference_count--;
            t->reference_count--;
            memmove(first, first + 1, item->reference_count * sizeof *first);
        }
        add_reference(t, item);
    }
}

static void add_identifiers(struct threads *t, struct thread_item *item, uint32_t index,
                            struct str id, struct str references, struct str in_reply_to)
{
    item->node = next_identifier(t, &id) ? find_node(t) : new_node(t);
    if (t->node_items[item->node] != THREAD_NONE)
        item->node = new_node(t);
    t->node_items[item->node] = index;
    add_references(t, item, references);
    if (!item->reference_count && next_identifier(t, &in_reply_to))
        add_reference(t, item);
}

/* --- subjects --- */

static void add_subject(struct threads *t, struct thread_item *item, struct str subject)
{
    struct arena *a = arena_new();
    struct buf key = BUF_EMPTY;
    bool is_new;
    buf_clear(&t->text);
    item->is_reply = base_subject(&t->text, header_decode(a, subject));
    collate_key(&key, buf_str(&t->text));
    if (key.n) {
        uint32_t *number = intern(&t->subjects, buf_str(&key), &is_new);
        if (is_new)
            *number = (uint32_t)t->subjects.count;
        item->subject = *number;
    }
    buf_free(&key);
    arena_free(a);
}

/* --- messages --- */

void threads_add(struct threads *t, uint32_t number, int64_t sent, int64_t arrived,
                 struct str header)
{
    static const struct str names[] = {STR("Subject"), STR("Message-ID"), STR("References"),
                                       STR("In-Reply-To")};
    struct str values[4] = {{0}};
    struct header_field field;
    uint32_t index = (uint32_t)t->count;
    struct thread_item *item = new_item(t);
    item->number = number;
    item->sent = sent;
    item->arrived = arrived;
    while (header_next(&header, &field))
        for (size_t i = 0; i < 4; i++)
            if (!values[i].p && str_equal_nocase(field.name, names[i]))
                values[i] = field.value;
    if (t->algorithm != THREAD_ORDEREDSUBJECT)
        add_identifiers(t, item, index, values[1], values[2], values[3]);
    if (t->algorithm != THREAD_REFS && values[0].p)
        add_subject(t, item, values[0]);
}
