/*
 * Any bytes as a login, an address or a password: names have one spelling, homes stay in their
 * place, and what SASLprep has prepared stays as it is.
 */
#include "auth/directory_name.h"
#include "auth/password.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_home(struct str home, const struct name *name)
{
    assert(str_starts_with(home, name->domain));
    struct str local = str_skip(home, name->domain.n);
    assert(local.n > 1 && local.p[0] == '/');
    local = str_skip(local, 1);
    assert(local.p[0] != '.' && !memchr(local.p, '/', local.n));
    assert(!memchr(home.p, '\0', home.n) && !memchr(home.p, '\n', home.n));
    assert(!str_starts_with(home, STR(".")) && !str_starts_with(home, STR("/")));
}

static void check_name(struct arena *a, struct str text)
{
    struct name name, again;
    const char *reason;
    struct str destination;
    if (!name_parse(a, text, &name, &reason) || name.domain.n == 0)
        return;
    check_home(name_home(a, &name), &name);
    if (!name_destination(a, text, &destination, &again, &reason))
        return;
    assert(str_equal(name.local, again.local) && str_equal(name.domain, again.domain));
    assert(name_parse(a, destination, &again, &reason));
    assert(str_equal(name.local, again.local) && str_equal(name.domain, again.domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_from((const char *)data, size);
    struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
    struct arena *a = arena_new();
    check_name(a, text);
    if (saslprep(text, &once)) {
        assert(str_is_utf8(buf_str(&once)));
        if (saslprep(buf_str(&once), &twice))
            assert(str_equal(buf_str(&once), buf_str(&twice)));
    }
    buf_free(&once);
    buf_free(&twice);
    arena_free(a);
    return 0;
}
