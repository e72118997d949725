/*
 * Patterns of addresses. They are few and asked in the order of the file, so they are compared one
 * after the other; all that costs time, folding, is done once for each side.
 */
#include "queue/address_match.h"

#include "mime/address.h"
#include "policy/domain.h"

static bool domain_is_good(struct str domain)
{
    return domain.n > 0 && domain.n <= 255 && domain.p[0] != '[' && domain_is_valid(domain, true);
}

static bool pattern_is_good(struct str pattern, enum address_match_for what)
{
    if (str_equal(pattern, STR("*")))
        return true;
    if (str_equal(pattern, STR("<>")))
        return what == MATCH_SENDERS;
    if (str_starts_with(pattern, STR(".")))
        return domain_is_good(str_skip(pattern, 1));
    if (str_find_char(pattern, '@') < 0)
        return domain_is_good(pattern);
    struct arena *a = arena_new();
    struct address address;
    bool good = address_parse(a, pattern, ADDRESS_UTF8, &address, NULL);
    arena_free(a);
    return good;
}

bool address_match_check(const struct string_list *list, enum address_match_for what,
                         const char *setting, struct err *e)
{
    for (size_t i = 0; i < list->count; i++)
        if (!pattern_is_good(str_from_c(list->items[i]), what))
            return err_set(e, ERR_SYNTAX,
                           "%s: \"%.80s\" is no address: expected user@domain, domain, .domain%s "
                           "or *",
                           setting, list->items[i], what == MATCH_SENDERS ? ", <>" : "");
    return true;
}

static bool is_folded(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80 || (s.p[i] >= 'A' && s.p[i] <= 'Z'))
            return false;
    return true;
}

struct str address_fold(struct str address, struct arena *a)
{
    if (is_folded(address))
        return address;
    struct buf b = BUF_EMPTY;
    size_t domain = (size_t)(str_find_last_char(address, '@') + 1);
    for (size_t i = 0; i < domain; i++)
        buf_add_char(&b, char_lower(address.p[i]));
    domain_add_folded(&b, str_skip(address, domain));
    struct str folded = arena_str(a, buf_str(&b));
    buf_free(&b);
    return folded;
}

struct address_match address_match_new(const struct string_list *list, struct arena *a)
{
    struct str *folded = arena_array(a, list->count + 1, sizeof(*folded));
    for (size_t i = 0; i < list->count; i++) {
        struct str pattern = str_from_c(list->items[i]);
        bool below = str_starts_with(pattern, STR("."));
        struct str rest = address_fold(str_skip(pattern, below), a);
        folded[i] = below ? arena_printf(a, ".%.*s", STR_ARG(rest)) : arena_str(a, rest);
    }
    return (struct address_match){folded, list->count};
}

static bool matches(struct str pattern, struct str address, struct str domain)
{
    if (pattern.n == 1 && pattern.p[0] == '*')
        return true;
    if (pattern.p[0] == '<')
        return address.n == 0;
    if (pattern.p[0] == '.')
        return domain.n > pattern.n && str_equal(str_skip(domain, domain.n - pattern.n), pattern);
    return str_equal(pattern, domain) || str_equal(pattern, address);
}

bool address_match_has_folded(const struct address_match *m, struct str folded)
{
    ptrdiff_t at = str_find_last_char(folded, '@');
    struct str domain = at < 0 ? STR("") : str_skip(folded, (size_t)at + 1);
    for (size_t i = 0; i < m->count; i++)
        if (matches(m->list[i], folded, domain))
            return true;
    return false;
}

bool address_match_has(const struct address_match *m, struct str address)
{
    if (m->count == 0)
        return false;
    struct arena *a = arena_new();
    bool has = address_match_has_folded(m, address_fold(address, a));
    arena_free(a);
    return has;
}
