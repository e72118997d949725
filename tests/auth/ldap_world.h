#pragma once
/* An LDAP source over the directory of fake_ldap.h, made from the text of a configuration. */
#include "core/helper.h"

#include "auth/directory.h"
#include "auth/fake_ldap.h"
#include "auth/ldap_source.h"

static struct arena *a;
static struct err e;
static struct config *config;
static struct source *source;

static const struct settings_block *const blocks[] = {&ldap_settings_block, NULL};

/* settings: what stands in the block beside the server. */
static inline bool read_source(const char *settings)
{
    struct buf text = BUF_EMPTY;
    buf_printf(&text, "ldap test {\n servers = ldapi://%%2fnowhere\n %s\n}\n", settings);
    config_unref(config);
    config = config_parse("test.conf", buf_str(&text), blocks, &e);
    buf_free(&text);
    return config != NULL;
}

static inline void open_source(const char *settings)
{
    if (!read_source(settings))
        fail_msg("%s", e.text);
    source = ldap_source_open(loop_current(), NULL, config_at(config, &ldap_settings_block, 0), &e);
    if (!source)
        fail_msg("%s", e.text);
}

static inline void close_source(void)
{
    if (source)
        source->functions->close(source);
    source = NULL;
    config_unref(config);
    config = NULL;
}

static inline enum lookup find_login(const char *login, struct source_account *found)
{
    memset(&e, 0, sizeof(e));
    return source->functions->find_login(source, str_from_c(login), a, found, NULL, &e);
}

static inline enum lookup find_account(const char *address, struct source_account *found)
{
    memset(&e, 0, sizeof(e));
    return source->functions->find_account(source, str_from_c(address), a, found, NULL, &e);
}

static inline enum lookup find_group(const char *address, struct directory_group *found)
{
    memset(&e, 0, sizeof(e));
    return source->functions->find_group(source, str_from_c(address), a, found, NULL, &e);
}

static inline void assert_found(enum lookup result)
{
    if (result != LOOKUP_FOUND)
        fail_msg("%s: %s", result == LOOKUP_NOT_FOUND ? "not found" : "no answer", e.text);
}

static inline void assert_text(struct str s, const char *expected)
{
    assert_string_equal(arena_c(a, s), expected);
}

/* The list, sorted and joined. */
static inline int compare_texts(const void *x, const void *y)
{
    return str_compare(*(const struct str *)x, *(const struct str *)y);
}
static inline void assert_list(struct str *list, size_t count, const char *expected)
{
    struct buf b = BUF_EMPTY;
    struct str *sorted = account_copy_list(a, list, count);
    if (count > 0)
        qsort(sorted, count, sizeof(*sorted), compare_texts);
    for (size_t i = 0; i < count; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", STR_ARG(sorted[i]));
    assert_string_equal(buf_c(&b), expected);
    buf_free(&b);
}

static inline void in_world(void (*fn)(void *arg))
{
    a = arena_new();
    fake_ldap_reset();
    run_in_fiber(fn, NULL);
    arena_free(a);
    arena_free(fake_ldap.arena);
    buf_free(&fake_ldap.password);
    fake_ldap.arena = NULL;
}
