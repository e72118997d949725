/*
 * Sets of networks. Prefixes never overlap by halves: of two, one holds the other or they are
 * apart. So a set can be flattened into ranges: sorted by beginning, the wide before the narrow, a
 * stack of those that are open gives the narrowest at each point, and only points where that
 * changes are kept. A look-up is one binary search over them, and a million networks take some 16
 * MB.
 */
#include "net/network.h"

#include "core/mem.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* IPv4 uses the same arithmetic, in the lowest 32 bits. */
typedef unsigned __int128 place;

struct v6_point {
    uint64_t high, low;
};

struct network_set {
    size_t v4_count, v6_count;
    uint32_t *v4_points, *v4_values;
    struct v6_point *v6_points;
    uint32_t *v6_values;
};

/* --- text --- */

static bool parse_numeric(struct network_address *a, const char *text)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    *a = (struct network_address){0};
    if (inet_pton(AF_INET, text, a->bytes) == 1)
        return true;
    a->v6 = inet_pton(AF_INET6, text, a->bytes) == 1;
    if (a->v6 && memcmp(a->bytes, mapped, sizeof(mapped)) == 0) {
        a->v6 = false;
        memmove(a->bytes, a->bytes + sizeof(mapped), 4);
        memset(a->bytes + 4, 0, 12);
        return true;
    }
    return a->v6;
}

bool network_address_parse(struct network_address *a, struct str text)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.n >= sizeof(copy) || memchr(text.p, '\0', text.n))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    return parse_numeric(a, copy);
}

void network_address_text(const struct network_address *a, char text[NETWORK_TEXT_SIZE])
{
    if (!inet_ntop(a->v6 ? AF_INET6 : AF_INET, a->bytes, text, NETWORK_TEXT_SIZE))
        text[0] = '\0';
}

static void clear_behind(struct network_address *a, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
        if (kept < 8)
            a->bytes[i] &= (unsigned char)(0xff00u >> kept);
    }
}

bool network_parse(struct network *n, struct str text, struct err *e)
{
    struct str rest = text, address = str_split(&rest, '/');
    uint32_t bits;
    if (!network_address_parse(&n->first, address))
        return err_set(e, ERR_SYNTAX, "\"%.*s\" is no address or network",
                       (int)(text.n < 100 ? text.n : 100), text.p);
    unsigned most = n->first.v6 ? 128 : 32;
    n->bits = most;
    if (!rest.p)
        return true;
    if (!str_to_u32(rest, &bits) || bits > most)
        return err_set(e, ERR_SYNTAX, "\"%.*s\": the prefix has 0 to %u bits",
                       (int)(text.n < 100 ? text.n : 100), text.p, most);
    n->bits = bits;
    struct network_address whole = n->first;
    clear_behind(&n->first, bits);
    if (memcmp(whole.bytes, n->first.bytes, 16) == 0)
        return true;
    char meant[NETWORK_TEXT_SIZE];
    network_address_text(&n->first, meant);
    return err_set(e, ERR_SYNTAX, "\"%.*s\" has bits behind its prefix: the network is %s/%u",
                   (int)(text.n < 100 ? text.n : 100), text.p, meant, bits);
}

/* --- making a set --- */

struct range {
    place first, last;
    size_t order;
    uint32_t value;
};

static place place_of(const struct network_address *a)
{
    place p = 0;
    for (int i = 0; i < (a->v6 ? 16 : 4); i++)
        p = p << 8 | a->bytes[i];
    return p;
}

static int compare_ranges(const void *x, const void *y)
{
    const struct range *a = x, *b = y;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->last != b->last)
        return a->last > b->last ? -1 : 1; /* the wide one first */
    return a->order < b->order ? -1 : 1;
}

static struct range *take_ranges(const struct network_pair *pairs, size_t count, bool v6, size_t *n)
{
    struct range *ranges = mem_array(count ? count : 1, sizeof(*ranges));
    *n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct network *network = &pairs[i].network;
        if (network->first.v6 != v6)
            continue;
        unsigned behind = (v6 ? 128 : 32) - network->bits;
        place first = place_of(&network->first);
        place width = behind == 128 ? ~(place)0 : ((place)1 << behind) - 1;
        ranges[(*n)++] = (struct range){first, first + width, i, pairs[i].value};
    }
    qsort(ranges, *n, sizeof(*ranges), compare_ranges);
    return ranges;
}

struct points {
    struct point {
        place from;
        uint32_t value;
    } * list;
    size_t count;
};

static void add_point(struct points *p, place from, uint32_t value)
{
    if (p->count > 0 && p->list[p->count - 1].from == from)
        p->count--;
    if (p->count > 0 && p->list[p->count - 1].value == value)
        return;
    p->list[p->count++] = (struct point){from, value};
}

/* Each range gives two points at most. The stack is as deep as prefixes have lengths. */
static struct points flatten(const struct range *ranges, size_t count, place end)
{
    struct points p = {.list = mem_array(2 * count + 2, sizeof(struct point))};
    const struct range *open[130];
    size_t depth = 0;
    add_point(&p, 0, NETWORK_NONE);
    for (size_t i = 0; i <= count; i++) {
        while (depth > 0 && (i == count || open[depth - 1]->last < ranges[i].first)) {
            place last = open[--depth]->last;
            if (last < end)
                add_point(&p, last + 1, depth > 0 ? open[depth - 1]->value : NETWORK_NONE);
        }
        if (i == count)
            break;
        bool same = depth > 0 && open[depth - 1]->first == ranges[i].first &&
                    open[depth - 1]->last == ranges[i].last;
        if (same) /* the first of equal ones counts */
            continue;
        open[depth++] = &ranges[i];
        add_point(&p, ranges[i].first, ranges[i].value);
    }
    return p;
}

struct network_set *network_set_new(const struct network_pair *pairs, size_t count)
{
    struct network_set *s = MEM_NEW(struct network_set);
    for (int v6 = 0; v6 <= 1; v6++) {
        size_t n;
        struct range *ranges = take_ranges(pairs, count, v6, &n);
        struct points p = flatten(ranges, n, v6 ? ~(place)0 : UINT32_MAX);
        free(ranges);
        uint32_t *values = mem_array(p.count, sizeof(*values));
        for (size_t i = 0; i < p.count; i++)
            values[i] = p.list[i].value;
        if (v6) {
            s->v6_count = p.count;
            s->v6_values = values;
            s->v6_points = mem_array(p.count, sizeof(*s->v6_points));
            for (size_t i = 0; i < p.count; i++)
                s->v6_points[i] =
                    (struct v6_point){(uint64_t)(p.list[i].from >> 64), (uint64_t)p.list[i].from};
        } else {
            s->v4_count = p.count;
            s->v4_values = values;
            s->v4_points = mem_array(p.count, sizeof(*s->v4_points));
            for (size_t i = 0; i < p.count; i++)
                s->v4_points[i] = (uint32_t)p.list[i].from;
        }
        free(p.list);
    }
    return s;
}

void network_set_free(struct network_set *s)
{
    if (!s)
        return;
    free(s->v4_points);
    free(s->v4_values);
    free(s->v6_points);
    free(s->v6_values);
    free(s);
}

size_t network_set_memory(const struct network_set *s)
{
    return sizeof(*s) + s->v4_count * 2 * sizeof(uint32_t) +
           s->v6_count * (sizeof(struct v6_point) + sizeof(uint32_t));
}

/* --- looking up --- */

static bool begins_after(const struct network_set *s, bool v6, size_t i, place p)
{
    if (!v6)
        return s->v4_points[i] > p;
    return ((place)s->v6_points[i].high << 64 | s->v6_points[i].low) > p;
}

uint32_t network_set_find(const struct network_set *s, const struct network_address *a)
{
    place p = place_of(a);
    size_t low = 0, high = a->v6 ? s->v6_count : s->v4_count; /* the first point is 0 */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (begins_after(s, a->v6, middle, p))
            high = middle;
        else
            low = middle;
    }
    return a->v6 ? s->v6_values[low] : s->v4_values[low];
}

struct network_set *network_set_from_list(const struct string_list *list, bool *unix_sockets,
                                          struct err *e)
{
    struct network_pair *pairs = mem_array(list->count + 1, sizeof(*pairs));
    size_t count = 0;
    bool ok = true;
    *unix_sockets = false;
    for (size_t i = 0; ok && i < list->count; i++) {
        struct str word = str_from_c(list->items[i]);
        bool exception = str_starts_with(word, STR("!"));
        word = str_skip(word, exception);
        if (str_equal_nocase(word, STR("unix"))) {
            *unix_sockets = !exception;
            continue;
        }
        pairs[count].value = exception ? 0 : 1;
        ok = network_parse(&pairs[count++].network, word, e);
    }
    struct network_set *s = ok ? network_set_new(pairs, count) : NULL;
    free(pairs);
    return s;
}
