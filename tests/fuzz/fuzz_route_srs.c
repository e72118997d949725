/*
 * Rewritten senders: whatever stands in a local part, reading it ends, and what is taken for valid
 * is what was made here. The first byte says where to: forward or back.
 */
#include "mime/address.h"
#include "route/srs.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct str list[] = {{"secret", 6}};
static const struct srs_secrets secrets = {list, 1};
static const usec now = 20000 * 86400 * USEC_SEC;

static void there_and_back(struct str text, struct arena *a)
{
    struct address address, made;
    struct str sender;
    if (!address_parse(a, text, ADDRESS_UTF8, &address, NULL))
        return;
    struct str rewritten = srs_forward(&secrets, text, STR("here.example"), now, a);
    if (rewritten.n == 0)
        return;
    if (!address_parse(a, rewritten, ADDRESS_UTF8, &made, NULL) ||
        srs_reverse(&secrets, made.local, now, 21, a, &sender) != SRS_VALID)
        abort();
    struct address back;
    if (!address_parse(a, sender, ADDRESS_UTF8, &back, NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct str sender, text = str_from((const char *)data + 1, size ? size - 1 : 0);
    if (size > 0 && data[0] % 2)
        there_and_back(text, a);
    else if (size > 0)
        srs_reverse(&secrets, text, now, 21, a, &sender);
    arena_free(a);
    return 0;
}
