/*
 * The little XML that pages need: writing elements.
 */
#include "http/pages.h"

void xml_text(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        switch (c) {
        case '<':
            buf_add_c(b, "&lt;");
            break;
        case '>':
            buf_add_c(b, "&gt;");
            break;
        case '&':
            buf_add_c(b, "&amp;");
            break;
        case '"':
            buf_add_c(b, "&quot;");
            break;
        case '\'':
            buf_add_c(b, "&#39;");
            break;
        default:
            if (c >= ' ' && c != 0x7f)
                buf_add(b, text.p + i, 1);
        }
    }
}

void xml_element(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, "<%s>", name);
    xml_text(b, value);
    buf_printf(b, "</%s>\n", name);
}

void xml_element_number(struct buf *b, const char *name, unsigned value)
{
    buf_printf(b, "<%s>%u</%s>\n", name, value, name);
}
