/*
 * i;unicode-casemap (RFC 5051): each character in its simple titlecase and then decomposed (NFKD).
 * Decomposition is done run by run of non-ASCII characters, since an ASCII character never changes
 * and never combines with what is before it.
 */
#include "mime/collate.h"

#include "mime/text.h"

#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

/* A run without ASCII. */
static void fold_run(struct buf *out, struct str run)
{
    struct buf title = BUF_EMPTY;
    const uint8_t *p = (const uint8_t *)run.p, *end = p + run.n;
    while (p < end) {
        ucs4_t c;
        uint8_t bytes[6];
        p += u8_mbtouc(&c, p, (size_t)(end - p));
        int n = u8_uctomb(bytes, uc_totitle(c), sizeof(bytes));
        buf_add(&title, bytes, n > 0 ? (size_t)n : 0);
    }
    size_t n = 0;
    uint8_t *normal = u8_normalize(UNINORM_NFKD, (const uint8_t *)title.p, title.n, NULL, &n);
    for (size_t i = 0; normal && i < n; i++)
        buf_add_char(out, collate_ascii((char)normal[i])); /* what a ligature falls into */
    free(normal);
    buf_free(&title);
}

void collate_key(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n;) {
        size_t ascii = text_ascii_prefix(str_skip(text, i));
        char *to = buf_reserve(out, ascii);
        for (size_t k = 0; k < ascii; k++)
            to[k] = collate_ascii(text.p[i + k]);
        out->n += ascii;
        i += ascii;
        size_t start = i;
        while (i < text.n && ((unsigned char)text.p[i] >= 128 || text.p[i] == '\0'))
            i++;
        if (i > start)
            fold_run(out, str_from(text.p + start, i - start));
    }
}
