/*
 * Any bytes as the text of a failed bind and as the address of a server: reasons are of our list,
 * what goes to the log is short, printable and without the password.
 */
#include "auth/ldap_reason.h"
#include "auth/ldap_uri.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reason(struct str text)
{
    static const char *const known[] = {"wrong_password", "disabled", "expired", "locked",
                                        "password_expired"};
    static const int results[] = {0, 19, 32, 48, 49, 53, 80};
    for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
        const char *reason = ldap_reason_of(results[i], -1, text);
        bool found = !reason;
        for (size_t j = 0; j < sizeof(known) / sizeof(*known); j++)
            found |= reason && strcmp(reason, known[j]) == 0;
        assert(found && (results[i] != 0 || !reason));
    }
}

static void check_text(struct str text, struct str secret)
{
    char said[40];
    ldap_reason_text(text, secret, said, sizeof(said));
    struct str got = str_from_c(said);
    assert(got.n < sizeof(said));
    for (size_t i = 0; i < got.n; i++)
        assert(got.p[i] >= ' ' && got.p[i] <= '~');
}

static void check_uri(struct str text)
{
    struct ldap_uri uri;
    struct arena *a = arena_new();
    if (ldap_uri_parse(text, &uri, NULL)) {
        assert(uri.host.n > 0 && (uri.port != 0) == (uri.scheme != LDAP_SCHEME_UNIX));
        assert(ldap_uri_path(&uri, a).n <= uri.host.n);
        (void)ldap_uri_is_local(&uri);
    }
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_from((const char *)data, size);
    check_reason(text);
    check_text(text, str_head(text, 4));
    check_uri(text);
    return 0;
}
