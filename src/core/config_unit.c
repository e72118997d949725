/*
 * Sizes and durations to and from text. Every multiplication is checked; a value that does not fit
 * 63 bits is malformed, since no setting means that much.
 */
#include "core/config_unit.h"

struct unit {
    const char *name;
    int64_t factor;
};

#define KIB ((int64_t)1024)

static const struct unit size_units[] = {
    {"t", KIB *KIB *KIB *KIB},
    {"g", KIB *KIB *KIB},
    {"m", KIB *KIB},
    {"k", KIB},
    {"tb", KIB *KIB *KIB *KIB},
    {"gb", KIB *KIB *KIB},
    {"mb", KIB *KIB},
    {"kb", KIB},
    {"tib", KIB *KIB *KIB *KIB},
    {"gib", KIB *KIB *KIB},
    {"mib", KIB *KIB},
    {"kib", KIB},
    {"b", 1},
    {NULL, 0},
};

#define SIZE_UNITS_SHORT 4

static const struct unit duration_units[] = {
    {"w", 7 * 24 * 3600 * USEC_SEC},
    {"d", 24 * 3600 * USEC_SEC},
    {"h", 3600 * USEC_SEC},
    {"m", 60 * USEC_SEC},
    {"s", USEC_SEC},
    {"ms", USEC_MSEC},
    {"us", 1},
    {"min", 60 * USEC_SEC},
    {NULL, 0},
};

#define DURATION_UNITS_SHORT 7

/* Takes digits and the letters behind them. */
static bool take_part(struct str *rest, int64_t *number, struct str *unit)
{
    size_t digits = 0, letters = 0;
    uint64_t value;
    while (digits < rest->n && char_is_digit(rest->p[digits]))
        digits++;
    while (digits + letters < rest->n && !char_is_digit(rest->p[digits + letters]))
        letters++;
    if (!str_to_u64(str_head(*rest, digits), &value) || value > INT64_MAX)
        return false;
    *number = (int64_t)value;
    *unit = str_from(rest->p + digits, letters);
    *rest = str_skip(*rest, digits + letters);
    return true;
}

static bool add_units(const struct unit *units, struct str name, int64_t number, int64_t *total)
{
    int64_t product;
    for (const struct unit *u = units; u->name; u++)
        if (str_equal_nocase(str_from_c(u->name), name))
            return !__builtin_mul_overflow(number, u->factor, &product) &&
                   !__builtin_add_overflow(*total, product, total);
    return false;
}

bool unit_parse_number(struct str s, int64_t *value)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    uint64_t magnitude;
    if (!str_to_u64(str_skip(s, negative), &magnitude) || magnitude > INT64_MAX)
        return false;
    *value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

bool unit_parse_size(struct str s, int64_t *bytes)
{
    int64_t number, total = 0;
    struct str unit;
    if (!take_part(&s, &number, &unit) || s.n > 0)
        return false;
    if (unit.n > 0 && !add_units(size_units, unit, number, &total))
        return false;
    *bytes = unit.n > 0 ? total : number;
    return true;
}

bool unit_parse_duration(struct str s, usec *duration)
{
    int64_t number, total = 0;
    struct str unit;
    if (str_equal(s, STR("0"))) {
        *duration = 0;
        return true;
    }
    do {
        if (!take_part(&s, &number, &unit) || !add_units(duration_units, unit, number, &total))
            return false;
    } while (s.n > 0);
    *duration = total;
    return true;
}

static void add_exact(struct buf *b, const struct unit *units, size_t count, int64_t value)
{
    for (size_t i = 0; i < count; i++) {
        if (value != 0 && value % units[i].factor == 0) {
            buf_printf(b, "%lld%s", (long long)(value / units[i].factor), units[i].name);
            return;
        }
    }
    buf_printf(b, "%lld", (long long)value);
}

void unit_add_size(struct buf *b, int64_t bytes)
{
    size_t at = b->n;
    add_exact(b, size_units, SIZE_UNITS_SHORT, bytes);
    if (b->n > at && b->p[b->n - 1] >= 'a')
        b->p[b->n - 1] -= 'a' - 'A'; /* K, M, G, T */
}

void unit_add_duration(struct buf *b, usec duration)
{
    add_exact(b, duration_units, DURATION_UNITS_SHORT, duration);
}
