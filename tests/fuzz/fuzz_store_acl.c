/*
 * Access control lists: whatever is read gives rights to those only whom it names, and is written
 * as something that means the same.
 */
#include "store/acl.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct str groups[] = {{"staff", 5}, {"sales", 5}};
static const struct acl_who people[] = {{{"alice", 5}, groups, 2}, {{"bob", 3}, NULL, 0}};

static void check_same(const struct acl *acl, struct arena *a)
{
    struct buf text = BUF_EMPTY, again = BUF_EMPTY;
    struct acl back;
    struct err e;

    acl_format(&text, acl);
    assert(acl_parse(&back, buf_str(&text), a, &e));
    acl_format(&again, &back);
    assert(str_equal(buf_str(&text), buf_str(&again)));
    for (size_t i = 0; i < 2; i++)
        assert(acl_rights_of(acl, &people[i]) == acl_rights_of(&back, &people[i]));
    buf_free(&text);
    buf_free(&again);
}

/* Nobody has a right by a list from which every entry was removed. */
static void remove_all(struct acl *acl, struct arena *a)
{
    struct err e;
    while (acl->count > 0) {
        struct acl_identifier id = {acl->list[0].kind, acl->list[0].name, false};
        size_t before = acl->count;
        assert(acl_apply(acl, &id, ACL_DELETE, 0, a, &e));
        id.negative = true;
        if (acl->count == before)
            assert(acl_apply(acl, &id, ACL_DELETE, 0, a, &e));
        assert(acl->count == before - 1);
    }
    assert(acl_rights_of(acl, &people[0]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new();
    struct acl_identifier id;
    struct acl acl;
    struct err e;

    acl_identifier_parse(str_from((const char *)data, n), &id);
    if (acl_parse(&acl, str_from((const char *)data, n), a, &e)) {
        check_same(&acl, a);
        if (acl.count < 20)
            remove_all(&acl, a);
    }
    arena_free(a);
    return 0;
}
