#pragma once
/* A directory in a fresh folder, for tests in a fiber. */
#include "core/helper.h"

#include "auth/directory.h"
#include "core/mem.h"

struct fixture {
    char *folder, *path;
    struct directory_settings settings;
    struct directory *d;
    struct arena *a;
    struct err e;
};

static inline void reopen(struct fixture *f)
{
    directory_close(f->d);
    f->d = directory_open(loop_current(), &f->settings, f->path, &f->e);
    assert_non_null(f->d);
}

static inline void set_up(struct fixture *f)
{
    *f = (struct fixture){.folder = make_directory(), .a = arena_new()};
    f->path = path_in(f->folder, "directory.db");
    f->settings = (struct directory_settings){.path = f->path,
                                              .default_domain = "",
                                              .cache_lifetime = 60 * USEC_SEC,
                                              .cache_negative_lifetime = 60 * USEC_SEC,
                                              .cache_stale = 3600 * USEC_SEC,
                                              .cache_size = 1 << 20};
    reopen(f);
}

/* example.test with alice (secret) and the disabled carol (secret). */
static inline void fill(struct fixture *f)
{
    assert_true(directory_add_domain(f->d, STR("example.test"), &f->e));
    assert_true(
        directory_add_user(f->d, STR("alice@example.test"), STR("secret"), STR("Alice A."), &f->e));
    assert_true(directory_add_user(f->d, STR("carol@example.test"), STR("secret"), STR(""), &f->e));
    assert_true(directory_set_disabled(f->d, STR("carol@example.test"), true, &f->e));
}

static inline void tear_down(struct fixture *f)
{
    directory_close(f->d);
    arena_free(f->a);
    free(f->path);
    remove_directory(f->folder);
}

static inline void assert_str(struct str s, const char *expected)
{
    char *text = mem_dup(s.p, s.n);
    assert_string_equal(text, expected);
    free(text);
}
