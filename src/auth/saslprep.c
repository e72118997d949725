/*
 * SASLprep (RFC 4013): one form for a password however the keyboard or the mail client composed its
 * characters. Non-ASCII spaces become spaces, what is "commonly mapped to nothing" goes, then
 * NFKC; control characters, private use, surrogates, non-characters and the like are prohibited,
 * and right-to-left text may not be mixed (RFC 3454 section 6). Code points that are unassigned
 * today are prohibited too, as for all stored strings. The tables of RFC 3454 are those of
 * Unicode 3.2; general properties of libunistring's Unicode stand in for them where they mean the
 * same.
 */
#include "auth/password.h"

#include <stdlib.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

/* RFC 3454 B.1. */
static bool maps_to_nothing(ucs4_t c)
{
    return c == 0x00ad || c == 0x034f || c == 0x1806 || (c >= 0x180b && c <= 0x180d) ||
           (c >= 0x200b && c <= 0x200d) || c == 0x2060 || (c >= 0xfe00 && c <= 0xfe0f) ||
           c == 0xfeff;
}

/* RFC 3454 C.1.2, C.2 to C.9; unassigned: A.1. */
static bool is_prohibited(ucs4_t c)
{
    return (c >= 0x80 && uc_is_general_category(c, UC_SPACE_SEPARATOR)) ||
           uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Co |
                                                   UC_CATEGORY_MASK_Cs | UC_CATEGORY_MASK_Cn |
                                                   UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp) ||
           uc_is_property_not_a_character(c) || c == 0x06dd || c == 0x070f || c == 0x180e ||
           c == 0x200c || c == 0x200d || (c >= 0x2061 && c <= 0x2063) ||
           (c >= 0x206a && c <= 0x206f) || (c >= 0xfff9 && c <= 0xfffd) ||
           (c >= 0x2ff0 && c <= 0x2ffb) || c == 0x0340 || c == 0x0341 || c == 0x200e ||
           c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0xe0000 && c <= 0xe007f);
}

static bool is_right_to_left(ucs4_t c)
{
    int class = uc_bidi_class(c);
    return class == UC_BIDI_R || class == UC_BIDI_AL;
}

/* RFC 3454 section 6: with any right-to-left character, the first and the last must be such and
 * none may be left-to-right. */
static bool directions_fit(const uint32_t *text, size_t n)
{
    bool right = false, left = false;
    for (size_t i = 0; i < n; i++) {
        right |= is_right_to_left(text[i]);
        left |= uc_bidi_class(text[i]) == UC_BIDI_L;
    }
    return !right || (!left && is_right_to_left(text[0]) && is_right_to_left(text[n - 1]));
}

static size_t map(uint32_t *text, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool space = text[i] >= 0x80 && uc_is_general_category(text[i], UC_SPACE_SEPARATOR);
        if (!maps_to_nothing(text[i]))
            text[kept++] = space ? ' ' : text[i];
    }
    return kept;
}

bool saslprep(struct str text, struct buf *out)
{
    size_t n = 0, normal_n = 0, bytes = 0;
    uint32_t *wide = NULL, *normal = NULL;
    uint8_t *result = NULL;
    bool ok = text.n > 0 && str_is_utf8(text) &&
              (wide = u8_to_u32((const uint8_t *)text.p, text.n, NULL, &n)) != NULL;
    if (ok) {
        size_t kept = map(wide, n);
        normal = u32_normalize(UNINORM_NFKC, wide, kept, NULL, &normal_n);
        ok = normal && normal_n > 0 && directions_fit(normal, normal_n);
        for (size_t i = 0; ok && i < normal_n; i++)
            ok = !is_prohibited(normal[i]);
    }
    if (ok)
        ok = (result = u32_to_u8(normal, normal_n, NULL, &bytes)) != NULL;
    if (ok)
        buf_add(out, result, bytes);
    if (wide)
        explicit_bzero(wide, n * sizeof(*wide));
    if (normal)
        explicit_bzero(normal, normal_n * sizeof(*normal));
    if (result)
        explicit_bzero(result, bytes);
    free(wide);
    free(normal);
    free(result);
    return ok;
}
