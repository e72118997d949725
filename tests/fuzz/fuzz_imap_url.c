/*
 * Any bytes as an IMAP URL: what is taken for one names a message, and only on this server and of
 * this user.
 */
#include "imap/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct imap_url url;
    struct str text = str_from((const char *)data, size);
    if (imap_url_parse(a, text, STR("mail.test"), STR("alice@example.test"), &url)) {
        if (!url.uid || str_find_char(url.mailbox, '\0') >= 0 ||
            str_find_char(url.section, '\0') >= 0 || url.offset > url.end)
            __builtin_trap();
    }
    arena_free(a);
    return 0;
}
