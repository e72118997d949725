/*
 * Arguments of XCLIENT and XFORWARD: what is taken is of its kind and harmless in a log line, and
 * what is refused changes nothing. xtext comes back as it was.
 */
#include "smtp/smtp_attributes.h"
#include "smtp/xtext.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_attributes(struct arena *a, enum smtp_attribute_command command, struct str text)
{
    struct smtp_attributes x = {0}, before = x;
    struct str wrong;
    if (!smtp_attributes_parse(&x, command, a, text, &wrong)) {
        if (memcmp(&x, &before, sizeof(x)) != 0)
            abort();
        return;
    }
    size_t given = 0;
    for (int i = 0; i < ATTRIBUTES; i++) {
        const char *value = smtp_attributes_get(&x, (enum smtp_attribute)i);
        given += x.of[i].state != ATTRIBUTE_NOT_GIVEN;
        for (const char *c = value; c && *c; c++)
            if (*c <= ' ' || *c > 126 || strchr("\"\\<>()", *c))
                abort();
    }
    if (given == 0)
        abort();
}

static void check_xtext(struct arena *a, struct str text)
{
    struct str decoded, again;
    struct buf encoded = BUF_EMPTY;
    if (xtext_decode(a, text, &decoded)) {
        xtext_encode(&encoded, decoded);
        if (!xtext_decode(a, buf_str(&encoded), &again) || !str_equal(decoded, again))
            abort();
    }
    buf_free(&encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_from((const char *)data, size);
    struct arena *a = arena_new();
    check_attributes(a, OF_XCLIENT, text);
    check_attributes(a, OF_XFORWARD, text);
    check_xtext(a, text);
    arena_free(a);
    return 0;
}
