/*
 * Any bytes as a filter, base or path of the configuration, and as the values in it: what was
 * accepted stays a filter of the same structure, whatever the values are.
 */
#include "auth/ldap_filter.h"
#include "core/buf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(struct ldap_values *v, struct str value)
{
    for (size_t i = 0; i < LDAP_PLACEHOLDERS; i++)
        v->of[i] = value;
}

/* In paths a backslash is nothing special. */
static void structure(struct str text, const char *signs, struct buf *b)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\\' && signs[0] != '/')
            i++;
        else if (memchr(signs, text.p[i], strlen(signs)))
            buf_add_char(b, text.p[i]);
    }
}

static void check(struct arena *a, enum ldap_template_kind kind, struct str text, struct str value,
                  const char *signs)
{
    struct err e;
    struct ldap_values plain, odd;
    struct str one, other;
    struct buf of_one = BUF_EMPTY, of_other = BUF_EMPTY;
    const struct ldap_template *t = ldap_template_parse(a, kind, "fuzzed", text, UINT32_MAX, &e);
    if (!t)
        return;
    fill(&plain, STR("x"));
    fill(&odd, value);
    if (kind == LDAP_TEMPLATE_FILTER) {
        one = ldap_filter_text(t, &plain, a);
        other = ldap_filter_text(t, &odd, a);
        if (value.n == 0)
            return;
    } else if (!ldap_template_text(t, &plain, a, &one) || !ldap_template_text(t, &odd, a, &other)) {
        return;
    }
    /* The domain's own labels are names of their own. */
    if (ldap_template_needs(t) & LDAP_HAS(LDAP_DOMAIN_DN))
        return;
    structure(one, signs, &of_one);
    structure(other, signs, &of_other);
    assert(str_equal(buf_str(&of_one), buf_str(&of_other)));
    if (kind != LDAP_TEMPLATE_PATH && other.n <= LDAP_TEMPLATE_MAX)
        assert(ldap_template_parse(a, kind, "again", other, 0, &e));
    buf_free(&of_one);
    buf_free(&of_other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct str text = str_from((const char *)data, size), value = text;
    struct str template = str_split(&value, '\n');
    if (!value.p)
        value = STR("");
    check(a, LDAP_TEMPLATE_FILTER, template, value, "()*");
    check(a, LDAP_TEMPLATE_BASE, template, value, ",+");
    check(a, LDAP_TEMPLATE_PATH, template, value, "/");
    arena_free(a);
    return 0;
}
