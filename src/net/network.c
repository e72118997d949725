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

void network_address_cut(struct network_address *a, unsigned bits)
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
    network_address_cut(&n->first, bits);
    if (memcmp(whole.bytes, n->first.bytes, 16) == 0)
        return true;
    char meant[NETWORK_TEXT_SIZE];
    network_address_text(&n->first, meant);
    return err_set(e, ERR_SYNTAX, "\"%.*s\" has bits behind its prefix: the network is %s/%u",
                   (int)(text.n < 100 ? text.n : 100), text.p, meant, bits);
}

/* --- making a set --- */

/* A million of them are sorted, so they are small. */
struct range {
    place first;
    uint32_t order, value;
    uint8_t behind; /* bits behind the prefix */
};

static place place_of(const struct network_address *a)
{
    place p = 0;
    for (int i = 0; i < (a->v6 ? 16 : 4); i++)
        p = p << 8 | a->bytes[i];
    return p;
}

static place last_of(const struct range *r)
{
    return r->behind == 128 ? ~(place)0 : r->first + (((place)1 << r->behind) - 1);
}

static int compare_ranges(const void *x, const void *y)
{
    const struct range *a = x, *b = y;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->behind != b->behind)
        return a->behind > b->behind ? -1 : 1; /* the wide one first */
    return a->order < b->order ? -1 : 1;
}

static struct range *take_ranges(const struct network_pair *pairs, size_t count, bool v6, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < count; i++)
        *n += pairs[i].network.first.v6 == v6;
    struct range *ranges = mem_array(*n ? *n : 1, sizeof(*ranges)), *next = ranges;
    for (size_t i = 0; i < count; i++) {
        const struct network *network = &pairs[i].network;
        if (network->first.v6 == v6)
            *next++ = (struct range){place_of(&network->first), (uint32_t)i, pairs[i].value,
                                     (uint8_t)((v6 ? 128 : 32) - network->bits)};
    }
    qsort(ranges, *n, sizeof(*ranges), compare_ranges);
    return ranges;
}

/* The points of one family, while they are made. */
struct points {
    size_t count;
    uint32_t *v4, *values;
    struct v6_point *v6;
};

static bool is_at(const struct points *p, size_t i, place from)
{
    return p->v4 ? p->v4[i] == from
                 : p->v6[i].high == (uint64_t)(from >> 64) && p->v6[i].low == (uint64_t)from;
}

static void add_point(struct points *p, place from, uint32_t value)
{
    if (p->count > 0 && is_at(p, p->count - 1, from))
        p->count--;
    if (p->count > 0 && p->values[p->count - 1] == value)
        return;
    if (p->v4)
        p->v4[p->count] = (uint32_t)from;
    else
        p->v6[p->count] = (struct v6_point){(uint64_t)(from >> 64), (uint64_t)from};
    p->values[p->count++] = value;
}

/* The stack is as deep as prefixes have lengths. */
static void flatten(struct points *p, const struct range *ranges, size_t count, place end)
{
    const struct range *open[130];
    size_t depth = 0;
    add_point(p, 0, NETWORK_NONE);
    for (size_t i = 0; i <= count; i++) {
        while (depth > 0 && (i == count || last_of(open[depth - 1]) < ranges[i].first)) {
            place last = last_of(open[--depth]);
            if (last < end)
                add_point(p, last + 1, depth > 0 ? open[depth - 1]->value : NETWORK_NONE);
        }
        if (i == count)
            break;
        bool same = depth > 0 && open[depth - 1]->first == ranges[i].first &&
                    open[depth - 1]->behind == ranges[i].behind;
        if (same) /* the first of equal ones counts */
            continue;
        open[depth++] = &ranges[i];
        add_point(p, ranges[i].first, ranges[i].value);
    }
}

/* Each range gives two points at most; what is not needed is given back. */
static struct points make_points(const struct network_pair *pairs, size_t count, bool v6)
{
    size_t n;
    struct range *ranges = take_ranges(pairs, count, v6, &n);
    struct points p = {.values = mem_array(2 * n + 1, sizeof(*p.values))};
    if (v6)
        p.v6 = mem_array(2 * n + 1, sizeof(*p.v6));
    else
        p.v4 = mem_array(2 * n + 1, sizeof(*p.v4));
    flatten(&p, ranges, n, v6 ? ~(place)0 : UINT32_MAX);
    free(ranges);
    p.values = mem_resize(p.values, p.count * sizeof(*p.values));
    if (v6)
        p.v6 = mem_resize(p.v6, p.count * sizeof(*p.v6));
    else
        p.v4 = mem_resize(p.v4, p.count * sizeof(*p.v4));
    return p;
}

struct network_set *network_set_new(const struct network_pair *pairs, size_t count)
{
    struct network_set *s = MEM_NEW(struct network_set);
    struct points v4 = make_points(pairs, count, false), v6 = make_points(pairs, count, true);
    s->v4_count = v4.count;
    s->v4_points = v4.v4;
    s->v4_values = v4.values;
    s->v6_count = v6.count;
    s->v6_points = v6.v6;
    s->v6_values = v6.values;
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
