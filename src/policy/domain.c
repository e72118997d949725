/*
 * One form for names that may be written in several: upper and lower case, U-labels and A-labels
 * (RFC 5890), with and without a final dot. What is no internationalised name stays as it is; it
 * can still be equal to the same bytes.
 */
#include "policy/domain.h"

#include <idn2.h>

static bool add_a_labels(struct buf *b, struct str name)
{
    struct buf text = BUF_EMPTY;
    char *labels = NULL;
    buf_add_str(&text, name);
    bool ok = !memchr(name.p, '\0', name.n) &&
              idn2_lookup_u8((const uint8_t *)buf_c(&text), (uint8_t **)&labels,
                             IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) == IDN2_OK;
    if (ok)
        buf_add_c(b, labels);
    idn2_free(labels);
    buf_free(&text);
    return ok;
}

void domain_add_folded(struct buf *b, struct str name)
{
    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;
    struct str dot = str_head(name, str_starts_with(name, STR(".")) ? 1 : 0);
    if (!str_is_ascii(name)) {
        buf_add_str(b, dot);
        if (add_a_labels(b, str_skip(name, dot.n)))
            return;
        name = str_skip(name, dot.n);
    }
    for (size_t i = 0; i < name.n; i++)
        buf_add_char(b, char_lower(name.p[i]));
}
