/*
 * Exact and domain tables: all keys in one piece of memory, lower case, and a sorted list of where
 * they are. A look-up is a binary search (twenty comparisons among a million keys); a name in a
 * domain table takes one for each of its labels.
 *
 * Domains are kept as A-labels, so a table may have either form.
 */
#include "core/mem.h"
#include "policy/content.h"
#include "policy/domain.h"

#include <stdlib.h>

/* Labels of a name that are looked at: RFC 1035 allows 127. */
#define LABELS_MAX 128

static struct str key_text(const struct policy_content *c, const struct content_key *k)
{
    return str_from(c->text.p + k->at, k->length);
}

/* The key in the form in which it is compared, appended. True: it is an address. */
static bool add_folded(struct buf *b, struct str key)
{
    struct network_address address;
    char text[NETWORK_TEXT_SIZE];
    if (network_address_parse(&address, key)) {
        network_address_text(&address, text);
        buf_add_c(b, text);
        return true;
    }
    ptrdiff_t at = str_find_last_char(key, '@');
    struct str local = str_head(key, (size_t)(at + 1)), domain = str_skip(key, (size_t)(at + 1));
    for (size_t i = 0; i < local.n; i++)
        buf_add_char(b, char_lower(local.p[i]));
    domain_add_folded(b, domain);
    return false;
}

bool content_add_key(struct policy_content *c, const struct content_line *line, struct err *e)
{
    c->keys = mem_grow(c->keys, c->count, &c->key_room, sizeof(*c->keys), 64);
    size_t at = c->text.n;
    struct str key = line->key;
    if (c->type == TABLE_DOMAIN && str_find_char(key, '@') >= 0)
        return err_set(e, ERR_SYNTAX,
                       "\"%.*s\" is no domain (addresses need a table of type exact)",
                       key.n < 60 ? (int)key.n : 60, key.p);
    bool is_address = add_folded(&c->text, key);
    c->has_names = c->has_names || !is_address;
    size_t length = c->text.n - at;
    if (length > UINT16_MAX || c->text.n > UINT32_MAX)
        return err_set(e, ERR_LIMIT, "too long");
    c->keys[c->count++] = (struct content_key){(uint32_t)at, line->value, (uint16_t)length};
    return true;
}

static int compare_keys(const void *x, const void *y, void *arg)
{
    const struct policy_content *c = arg;
    const struct content_key *a = x, *b = y;
    int order = str_compare(key_text(c, a), key_text(c, b));
    return order ? order : a->at < b->at ? -1 : 1; /* the first of equal ones comes first */
}

void content_sort_keys(struct policy_content *c)
{
    size_t kept = 0;
    if (c->count == 0)
        return;
    qsort_r(c->keys, c->count, sizeof(*c->keys), compare_keys, c);
    for (size_t i = 0; i < c->count; i++)
        if (kept == 0 || !str_equal(key_text(c, &c->keys[kept - 1]), key_text(c, &c->keys[i])))
            c->keys[kept++] = c->keys[i];
    c->count = c->key_room = kept;
    c->keys = mem_resize(c->keys, kept * sizeof(*c->keys));
    c->text.p = mem_resize(c->text.p, c->text.n ? c->text.n : 1);
    c->text.capacity = c->text.n;
}

static bool find_folded(const struct policy_content *c, struct str key, struct policy_entry *entry)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(key, key_text(c, &c->keys[middle]));
        if (order == 0) {
            *entry = c->values[c->keys[middle].value];
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

bool policy_content_find_exact(const struct policy_content *c, struct str key,
                               struct policy_entry *entry)
{
    struct buf folded = BUF_EMPTY;
    add_folded(&folded, key);
    bool found = find_folded(c, buf_str(&folded), entry);
    buf_free(&folded);
    return found;
}

bool policy_content_find_domain(const struct policy_content *c, struct str domain,
                                struct policy_entry *entry)
{
    struct buf folded = BUF_EMPTY;
    domain_add_folded(&folded, domain);
    struct str rest = buf_str(&folded);
    bool found = rest.n > 0 && find_folded(c, rest, entry);
    for (int labels = 0; !found && labels < LABELS_MAX; labels++) {
        ptrdiff_t dot = str_find_char(rest, '.');
        if (dot < 0)
            break;
        rest = str_skip(rest, (size_t)dot);
        found = find_folded(c, rest, entry); /* ".example.org": only what is below it */
        rest = str_skip(rest, 1);
        found = found || (rest.n > 0 && find_folded(c, rest, entry));
    }
    buf_free(&folded);
    return found;
}
