#pragma once
/* A policy from the text of a configuration, in a fresh folder, for tests in a fiber. */
#include "core/helper.h"

#include "auth/directory.h"
#include "core/mem.h"
#include "policy/policy.h"
#include "route/router.h"

struct world {
    char *folder;
    struct directory *directory;
    struct router *router;
    struct dns *dns; /* NULL: rules do not ask */
    struct policy *policy;
    struct policy_session *session;
    struct policy_facts facts;
    struct policy_verdict verdict;
    struct arena *a;
};

static inline struct config *config_of(const struct world *w, const char *text, struct err *e)
{
    static const struct settings_block *const blocks[] = {
        &policy_settings_block, &table_settings_block, &rule_settings_block, NULL};
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/maild.conf", w && w->folder ? w->folder : "/etc");
    struct config *c = config_parse(buf_c(&path), str_from_c(text), blocks, e);
    buf_free(&path);
    return c;
}

static inline void write_table(const struct world *w, const char *name, const char *content)
{
    struct err e;
    char *path = path_in(w->folder, name);
    assert_true(disk_replace_file(path, str_from_c(content), 0600, &e));
    free(path);
}

static inline void remove_table(const struct world *w, const char *name)
{
    struct err e;
    char *path = path_in(w->folder, name);
    assert_true(disk_unlink(path, &e));
    free(path);
}

/* example.test with alice, bob, info@ for both, all@ for info@. */
static inline void fill_directory(struct directory *d)
{
    struct err e;
    assert_true(directory_add_domain(d, STR("example.test"), &e));
    assert_true(directory_add_user(d, STR("alice@example.test"), STR("x"), STR(""), &e));
    assert_true(directory_add_user(d, STR("bob@example.test"), STR("x"), STR(""), &e));
    assert_true(directory_add_address(d, STR("info@example.test"), STR("alice@example.test"), &e));
    assert_true(directory_add_address(d, STR("all@example.test"), STR("info@example.test"), &e));
}

static inline void world_facts(struct world *w)
{
    w->facts = (struct policy_facts){.id = "test",
                                     .component = "smtpd",
                                     .protocol = SERVICE_SMTP,
                                     .address = "192.0.2.1",
                                     .local = "198.51.100.1",
                                     .helo = STR("mail.sender.test"),
                                     .sender = STR("a@sender.test"),
                                     .recipient = STR("alice@example.test"),
                                     .has_sender = true};
}

static inline void world_open(struct world *w)
{
    struct err e;
    static const struct directory_settings settings = {
        .path = "", .default_domain = "", .cache_lifetime = 60 * USEC_SEC, .cache_size = 1 << 20};
    *w = (struct world){.folder = make_directory(), .a = arena_new()};
    char *path = path_in(w->folder, "directory.db");
    w->directory = directory_open(loop_current(), &settings, path, &e);
    assert_non_null(w->directory);
    free(path);
    const struct router_context context = {.directory = w->directory,
                                           .hostname = "mx.example.test"};
    w->router = router_new(
        &context, &(struct router_settings){.postmaster = "", .separator = "+", .groups = true});
    world_facts(w);
}

static inline void world_configure(struct world *w, const char *text)
{
    struct err e = {0};
    struct config *c = config_of(w, text, &e);
    if (!c)
        fail_msg("%s", e.text);
    struct policy_context context = {.loop = loop_current(),
                                     .dns = w->dns,
                                     .directory = w->directory,
                                     .router = w->router,
                                     .hostname = "mx.example.test",
                                     .data_dir = w->folder};
    w->policy = policy_open(c, &context, &e);
    if (!w->policy)
        fail_msg("%s", e.text);
    config_unref(c);
}

static inline void world_disconnect(struct world *w)
{
    policy_session_free(w->session);
    w->session = NULL;
}

static inline void world_close(struct world *w)
{
    world_disconnect(w);
    policy_close(w->policy);
    router_free(w->router);
    directory_close(w->directory);
    arena_free(w->a);
    remove_directory(w->folder);
}

/* "reject 550 5.7.1 text by rule", "accept by rule", "tag: line by rule", "pass". */
static inline const char *ask_at(struct world *w, enum policy_stage stage)
{
    policy_check(w->policy, &w->session, stage, &w->facts, w->a, &w->verdict);
    const struct policy_verdict *v = &w->verdict;
    if (!v->rule)
        return "pass";
    if (v->code == 0)
        return arena_printf(w->a, "%s%s%.*s by %s", policy_action_name(v->action),
                            v->text.n ? ": " : "", STR_ARG(v->text), v->rule)
            .p;
    return arena_printf(w->a, "%s %d %s %.*s by %s", policy_action_name(v->action), v->code,
                        v->enhanced, STR_ARG(v->text), v->rule)
        .p;
}

/* The one finding has the text in its reason. */
static inline void expect_why(struct world *w, const char *text)
{
    struct policy_finding *list;
    size_t count;
    policy_explain(w->policy, &w->facts, w->a, &list, &count);
    assert_int_equal(count, 1);
    if (!strstr(list[0].why.p, text))
        fail_msg("expected \"%s\" in \"%s\"", text, list[0].why.p);
}
