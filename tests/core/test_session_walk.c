#include "core/session_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct session_kind kind = {.component = "imap"};

static void add(struct session_list *l, struct session_entry *entry, const char *id)
{
    *entry = (struct session_entry){.kind = &kind, .id = id, .peer = "192.0.2.1"};
    assert_true(session_list_add(l, entry, NULL));
}

static void expect(struct session_walk *w, const char *id)
{
    struct session_entry *entry = session_walk_next(w);
    assert_non_null(entry);
    assert_string_equal(entry->id, id);
}

/* Two walks at a time, while sessions come and go. */
static void test_walk(void **state)
{
    struct session_list *l = session_list_new();
    struct session_entry entries[5];
    struct session_walk first, second;
    (void)state;
    session_walk_begin(l, &first);
    assert_null(session_walk_next(&first));
    session_walk_end(l, &first);
    add(l, &entries[0], "a");
    add(l, &entries[1], "b");
    add(l, &entries[2], "c");
    add(l, &entries[3], "d");
    session_walk_begin(l, &first);
    session_walk_begin(l, &second);
    expect(&first, "a");
    expect(&second, "a");
    expect(&second, "b");
    session_list_remove(l, &entries[0]); /* behind both */
    session_list_remove(l, &entries[1]); /* next of the first */
    session_list_remove(l, &entries[2]); /* of both */
    expect(&first, "d");
    add(l, &entries[4], "e");
    expect(&second, "d");
    session_list_remove(l, &entries[3]);
    assert_null(session_walk_next(&first)); /* it was at its end */
    expect(&second, "e");
    assert_null(session_walk_next(&second)); /* as many as at the beginning, at most */
    session_walk_end(l, &first);
    session_walk_end(l, &second);
    session_list_remove(l, &entries[4]);
    session_list_free(l);
}

/* However fast they come, a walk ends. */
static void test_end(void **state)
{
    struct session_list *l = session_list_new();
    struct session_entry entries[40];
    struct session_walk w;
    int n = 2, met = 0;
    (void)state;
    add(l, &entries[0], "a");
    add(l, &entries[1], "b");
    session_walk_begin(l, &w);
    for (; session_walk_next(&w) && n < 40; met++) {
        add(l, &entries[n++], "n");
        add(l, &entries[n++], "n");
    }
    assert_int_equal(met, 2);
    session_walk_end(l, &w);
    while (n > 0)
        session_list_remove(l, &entries[--n]);
    session_list_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
