/* What the directory remembers: how long, how much, and what a change makes of it. */
#include "core/helper.h"

#include "auth/directory_internal.h"

#include <stdio.h>

static usec now;

static usec replaced_clock(void)
{
    return now;
}

static const struct cache_limits limits = {60 * USEC_SEC, 10 * USEC_SEC, 3600 * USEC_SEC, 1 << 20};
static struct directory_source one = {.references = 1, .name = "one"},
                               other = {.references = 1, .name = "other"};

static struct cache *set_up(void)
{
    now = 1000 * USEC_SEC;
    clock_replace(replaced_clock, NULL);
    return cache_new(&limits);
}

static void tear_down(struct cache *c)
{
    cache_free(c);
    clock_replace(NULL, NULL);
}

static void put(struct cache *c, const char *key, struct directory_source *source)
{
    struct answer *a = answer_new(ANSWER_ACCOUNT);
    a->found.hash = "";
    a->found.account.login = arena_str(a->arena, str_from_c(key));
    answer_set_source(a, source);
    cache_put(c, str_from_c(key), a);
    answer_unref(a);
}

static enum lookup find(struct cache *c, const char *key)
{
    struct answer *a = NULL;
    enum lookup status = cache_find(c, str_from_c(key), &a);
    if (status == LOOKUP_FOUND)
        assert_true(str_equal(a->found.account.login, str_from_c(key)));
    return status;
}

static void test_is_bounded(void **state)
{
    (void)state;
    struct cache *c = set_up();
    char key[32];
    put(c, "akept", &one);
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "akey%d", i);
        put(c, key, &one);
        assert_int_equal(find(c, key), LOOKUP_FOUND);
        assert_int_equal(find(c, "akept"), LOOKUP_FOUND); /* what is used stays */
    }
    struct cache_size size = cache_get_size(c);
    assert_in_range(size.answers, 200, 2000);
    assert_in_range(size.bytes, 1 << 19, 1 << 20);
    assert_int_equal(find(c, "akey0"), LOOKUP_TEMPFAIL);
    /* Wrong addresses push out wrong addresses only. */
    for (int i = 0; i < CACHE_MISSING_MAX + 10; i++) {
        snprintf(key, sizeof(key), "anobody%d", i);
        cache_put_missing(c, str_from_c(key));
    }
    assert_int_equal(cache_get_size(c).missing, CACHE_MISSING_MAX);
    assert_int_equal(cache_get_size(c).answers, size.answers);
    assert_int_equal(find(c, key), LOOKUP_NOT_FOUND);
    assert_int_equal(find(c, "anobody0"), LOOKUP_TEMPFAIL);
    cache_clear(c);
    size = cache_get_size(c);
    assert_int_equal(size.answers + size.missing + size.bytes, 0);
    tear_down(c);
}

/* One that is larger than everything is an answer, but not one to keep. */
static void test_too_large(void **state)
{
    (void)state;
    struct cache *c = set_up();
    struct answer *a = answer_new(ANSWER_GROUP);
    a->group.members = arena_array(a->arena, 100000, sizeof(struct str));
    cache_put(c, STR("glarge"), a);
    assert_int_equal(cache_get_size(c).answers, 0);
    assert_int_equal(a->references, 1);
    answer_unref(a);
    tear_down(c);
}

static void test_lifetimes(void **state)
{
    (void)state;
    struct cache *c = set_up();
    put(c, "aalice", &one);
    cache_put_missing(c, STR("anobody"));
    now += 9 * USEC_SEC;
    assert_int_equal(find(c, "aalice"), LOOKUP_FOUND);
    assert_int_equal(find(c, "anobody"), LOOKUP_NOT_FOUND);
    now += USEC_SEC;
    assert_int_equal(find(c, "anobody"), LOOKUP_TEMPFAIL);
    now += 50 * USEC_SEC;
    assert_int_equal(find(c, "aalice"), LOOKUP_TEMPFAIL);
    assert_non_null(cache_find_stale(c, STR("aalice")));
    assert_null(cache_find_stale(c, STR("anobody")));
    now += 3540 * USEC_SEC;
    assert_null(cache_find_stale(c, STR("aalice")));
    /* What exists, or does not exist any more, is one or the other. */
    put(c, "aalice", &one);
    cache_put_missing(c, STR("aalice"));
    assert_int_equal(find(c, "aalice"), LOOKUP_NOT_FOUND);
    assert_null(cache_find_stale(c, STR("aalice")));
    put(c, "aalice", &one);
    assert_int_equal(find(c, "aalice"), LOOKUP_FOUND);
    tear_down(c);
}

/* A change of one source: what others said is asked for again, but it is not forgotten. */
static void test_change(void **state)
{
    (void)state;
    struct cache *c = set_up();
    put(c, "aalice", &one);
    put(c, "abob", &other);
    cache_put_missing(c, STR("anobody"));
    cache_change(c, &one);
    assert_int_equal(find(c, "aalice"), LOOKUP_TEMPFAIL);
    assert_null(cache_find_stale(c, STR("aalice")));
    assert_int_equal(find(c, "abob"), LOOKUP_TEMPFAIL);
    assert_non_null(cache_find_stale(c, STR("abob")));
    assert_int_equal(find(c, "anobody"), LOOKUP_TEMPFAIL);
    tear_down(c);
}

static struct directory_source *heir_of_one(void *arg, struct directory_source *source)
{
    return source == &one ? arg : NULL;
}

/* Other sources: what is inherited is asked for again, and given while that fails; the rest is
 * gone. */
static void test_exchange(void **state)
{
    (void)state;
    struct cache *c = set_up();
    struct directory_source heir = {.references = 1, .name = "one"};
    put(c, "aalice", &one);
    put(c, "abob", &other);
    cache_put_missing(c, STR("anobody"));
    cache_exchange(c, heir_of_one, &heir);
    assert_int_equal(find(c, "aalice"), LOOKUP_TEMPFAIL);
    assert_ptr_equal(cache_find_stale(c, STR("aalice"))->source, &heir);
    assert_null(cache_find_stale(c, STR("abob")));
    assert_int_equal(find(c, "anobody"), LOOKUP_TEMPFAIL);
    assert_int_equal(one.references, 1);
    assert_int_equal(other.references, 1);
    assert_int_equal(heir.references, 2);
    tear_down(c);
    assert_int_equal(heir.references, 1);
}

/* Other limits count for what is there already. */
static void test_other_limits(void **state)
{
    (void)state;
    struct cache *c = set_up();
    struct cache_limits new = limits;
    put(c, "aalice", &one);
    put(c, "abob", &other);
    cache_put_missing(c, STR("anobody"));
    cache_change(c, &one);
    cache_put_missing(c, STR("anobody"));
    now += 5 * USEC_SEC;
    put(c, "acarol", &one);
    new.negative_lifetime = 4 * USEC_SEC;
    new.lifetime = 600 * USEC_SEC;
    cache_set_limits(c, &new);
    assert_int_equal(find(c, "anobody"), LOOKUP_TEMPFAIL);
    assert_int_equal(find(c, "abob"), LOOKUP_TEMPFAIL); /* was to be asked for again */
    now += 500 * USEC_SEC;
    assert_int_equal(find(c, "acarol"), LOOKUP_FOUND);
    new.lifetime = 300 * USEC_SEC;
    cache_set_limits(c, &new);
    assert_int_equal(find(c, "acarol"), LOOKUP_TEMPFAIL);
    assert_non_null(cache_find_stale(c, STR("acarol")));
    new.stale = 100 * USEC_SEC;
    cache_set_limits(c, &new);
    assert_null(cache_find_stale(c, STR("acarol")));
    new.size = 1;
    cache_set_limits(c, &new);
    assert_int_equal(cache_get_size(c).answers, 0);
    tear_down(c);
}

/* Who was given an answer may read it as long as his arena lives. */
static void test_references(void **state)
{
    (void)state;
    struct cache *c = set_up();
    struct arena *a = arena_new();
    struct answer *answer;
    put(c, "aalice", &one);
    assert_int_equal(cache_find(c, STR("aalice"), &answer), LOOKUP_FOUND);
    answer->references++;
    answer_give(answer, a);
    struct str login = answer->found.account.login;
    cache_clear(c);
    assert_int_equal(answer->references, 1);
    assert_true(str_equal(login, STR("aalice")));
    arena_free(a);
    tear_down(c);
}

static void test_successes(void **state)
{
    (void)state;
    now = 1000 * USEC_SEC;
    clock_replace(replaced_clock, NULL);
    struct successes *s = successes_new(60 * USEC_SEC);
    struct success_tag tag, new;
    success_make_tag(s, STR("alice"), "hash", STR("secret"), &tag);
    success_make_tag(s, STR("alice"), "hash2", STR("secret"), &new);
    success_put(s, &tag);
    now += 59 * USEC_SEC;
    assert_true(success_find(s, &tag));
    assert_false(success_find(s, &new));
    now += USEC_SEC;
    assert_false(success_find(s, &tag));
    success_put(s, &tag);
    successes_clear(s);
    assert_false(success_find(s, &tag));
    successes_free(s);
    clock_replace(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_bounded), cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_lifetimes),  cmocka_unit_test(test_change),
        cmocka_unit_test(test_exchange),   cmocka_unit_test(test_other_limits),
        cmocka_unit_test(test_references), cmocka_unit_test(test_successes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
