/* Several sources in a row, and what is remembered of them: who is believed, in which order, and
 * what happens while one fails. */
#include "auth/helper.h"

#include "auth/directory_trace.h"
#include "auth/ldap_settings.h"

#include <stdio.h>

/* Knows one login, one address and one group; counts what it is asked. */
struct fake {
    struct source source;
    const char *login, *name, *address, *group, *password, *hash;
    bool fails, hangs;
    struct cond answer; /* of one that hangs */
    int asked, checked;
    struct str set;
    const char *listed[4];
    bool closed;
};

static struct fake *fake_of(struct source *s)
{
    return (struct fake *)s;
}

static enum lookup answer(struct fake *f, struct str text, const char *known, struct err *e)
{
    f->asked++;
    while (f->hangs)
        if (!cond_wait(&f->answer, DEADLINE_NONE, e))
            return LOOKUP_TEMPFAIL;
    if (f->fails) {
        err_set(e, ERR_TEMP, "%s does not answer", f->source.name);
        return LOOKUP_TEMPFAIL;
    }
    return known && str_equal(text, str_from_c(known)) ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}

static enum lookup find_account(struct source *s, struct str address, struct arena *a,
                                struct source_account *found, struct lookup_trace *t, struct err *e)
{
    struct fake *f = fake_of(s);
    enum lookup status = answer(f, address, f->login, e);
    lookup_trace_add(t, "result", "%d", status);
    if (status != LOOKUP_FOUND)
        return status;
    found->account.login = arena_str(a, str_from_c(f->login));
    found->account.name = arena_str(a, str_from_c(f->name));
    found->account.keep_copy = true;
    found->key = found->account.login;
    found->hash = arena_c(a, str_from_c(f->hash));
    return status;
}

static enum lookup find_login(struct source *s, struct str login, struct arena *a,
                              struct source_account *found, struct lookup_trace *t, struct err *e)
{
    if (str_equal(login, STR("corp\\alice")))
        login = STR("alice@example.test");
    return find_account(s, login, a, found, t, e);
}

static enum lookup find_address(struct source *s, struct str address, struct arena *a,
                                struct directory_address *found, struct lookup_trace *t,
                                struct err *e)
{
    (void)t;
    enum lookup status = answer(fake_of(s), address, fake_of(s)->address, e);
    if (status != LOOKUP_FOUND)
        return status;
    found->destinations = arena_array(a, 1, sizeof(struct str));
    found->destinations[0] = arena_str(a, str_from_c(s->name));
    found->count = 1;
    return status;
}

static enum lookup find_group(struct source *s, struct str address, struct arena *a,
                              struct directory_group *found, struct lookup_trace *t, struct err *e)
{
    (void)t;
    enum lookup status = answer(fake_of(s), address, fake_of(s)->group, e);
    if (status == LOOKUP_FOUND)
        found->name = arena_str(a, str_from_c(s->name));
    return status;
}

static enum lookup check_password(struct source *s, const struct source_account *account,
                                  struct str password, struct lookup_trace *t, struct err *e)
{
    struct fake *f = fake_of(s);
    (void)account, (void)t;
    f->checked++;
    while (f->hangs)
        if (!cond_wait(&f->answer, DEADLINE_NONE, e))
            return LOOKUP_TEMPFAIL;
    if (f->fails) {
        err_set(e, ERR_TEMP, "down");
        return LOOKUP_TEMPFAIL;
    }
    if (str_equal(password, str_from_c(f->password)))
        return LOOKUP_FOUND;
    err_set(e, ERR_DENIED, "wrong_password");
    return LOOKUP_NOT_FOUND;
}

static bool set_password(struct source *s, const struct source_account *account, struct str old,
                         struct str password, struct err *e)
{
    (void)account, (void)e;
    assert_null(old.p);
    fake_of(s)->set = password;
    return true;
}

static bool list_accounts(struct source *s, struct str domain,
                          bool (*fn)(void *arg, const struct account *account), void *arg,
                          struct err *e)
{
    struct fake *f = fake_of(s);
    (void)domain;
    for (size_t i = 0; i < 4 && f->listed[i]; i++)
        if (!fn(arg, &(struct account){.login = str_from_c(f->listed[i])}))
            return false;
    return !f->fails || err_set(e, ERR_TEMP, "%s does not answer", s->name);
}

static void close_source(struct source *s)
{
    fake_of(s)->closed = true;
}

static const struct source_functions binds = {
    .kind = "fake",
    .find_login = find_login,
    .find_account = find_account,
    .find_address = find_address,
    .find_group = find_group,
    .check_password = check_password,
    .set_password = set_password,
    .list_accounts = list_accounts,
    .close = close_source,
};

/* One whose passwords are compared here. */
static const struct source_functions hashes = {
    .kind = "fake",
    .find_login = find_login,
    .find_account = find_account,
    .find_address = find_address,
    .find_group = find_group,
    .close = close_source,
};

static struct fake make_fake(const char *name)
{
    return (struct fake){.source = {&binds, name},
                         .login = "alice@example.test",
                         .name = name,
                         .address = "info@example.test",
                         .group = "staff@example.test",
                         .password = "secret",
                         .hash = "",
                         .set = STR("")};
}

/* --- what a test has --- */

struct world {
    struct fixture f;
    struct fake one, two;
};

static usec skipped;

static usec later(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (usec)t.tv_sec * USEC_SEC + t.tv_nsec / 1000 + skipped;
}

static void open_world_of(struct world *w, const char *const *order, size_t count,
                          const struct source_functions *one)
{
    *w = (struct world){.one = make_fake("one"), .two = make_fake("two")};
    w->one.source.functions = one;
    set_up(&w->f);
    w->f.settings.sources = (struct string_list){order, count};
    reopen(&w->f);
    assert_true(directory_add_domain(w->f.d, STR("example.test"), &w->f.e));
    if (directory_wants_source(w->f.d, "one"))
        directory_add_source(w->f.d, &w->one.source);
    if (directory_wants_source(w->f.d, "two"))
        directory_add_source(w->f.d, &w->two.source);
    skipped = 0;
    clock_replace(later, NULL);
}

/* `sources` of the settings as many as there are. */
static void open_world(struct world *w, const char *const *order, size_t count)
{
    open_world_of(w, order, count, &binds);
}

static void close_world(struct world *w)
{
    tear_down(&w->f);
    clock_replace(NULL, NULL);
}

static enum lookup find(struct world *w, const char *address, struct account *account)
{
    return directory_find_account(w->f.d, str_from_c(address), w->f.a, account, &w->f.e);
}

static enum lookup find_as_login(struct world *w, const char *login, struct account *account)
{
    return directory_find_login(w->f.d, str_from_c(login), w->f.a, account, &w->f.e);
}

static void assert_name(struct world *w, const char *address, const char *name)
{
    struct account account;
    assert_int_equal(find(w, address, &account), LOOKUP_FOUND);
    assert_str(account.name, name);
}

/* --- the order --- */

IN_FIBER(first_has_it)
{
    (void)arg;
    struct world w;
    struct account account;
    open_world(&w, NULL, 0);
    assert_name(&w, "Alice@EXAMPLE.test", "one");
    assert_int_equal(w.two.asked, 0);
    /* One of its own in the embedded directory comes first, and is seen at once. */
    assert_true(directory_add_user(w.f.d, STR("alice"), STR("x"), STR("embedded"), &w.f.e));
    assert_name(&w, "alice@example.test", "embedded");
    assert_true(directory_delete_user(w.f.d, STR("alice"), &w.f.e));
    assert_name(&w, "alice@example.test", "one");
    /* The second has what the first has not; nobody has what both have not. */
    w.two.login = "bob@example.test";
    assert_name(&w, "bob@example.test", "two");
    assert_int_equal(find(&w, "carol@example.test", &account), LOOKUP_NOT_FOUND);
    bool *closed = &w.two.closed;
    close_world(&w);
    assert_true(*closed && w.one.closed);
}

IN_FIBER(order_of_the_settings)
{
    (void)arg;
    static const char *const order[] = {"two", "embedded", "one"};
    static const char *const less[] = {"two"};
    struct world w;
    open_world(&w, order, 3);
    assert_true(directory_add_user(w.f.d, STR("alice"), STR("x"), STR("embedded"), &w.f.e));
    assert_name(&w, "alice@example.test", "two");
    w.two.login = "other@example.test";
    directory_forget(w.f.d);
    assert_name(&w, "alice@example.test", "embedded");
    struct directory_source_stats stats;
    const char *const expected[] = {"two", "embedded", "one"};
    assert_int_equal(directory_source_count(w.f.d), 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(directory_source(w.f.d, i, &stats)->name, expected[i]);
    close_world(&w);

    open_world(&w, less, 1);
    assert_false(directory_wants_source(w.f.d, "one"));
    assert_true(directory_add_user(w.f.d, STR("zoe"), STR("x"), STR(""), &w.f.e));
    struct account account;
    assert_int_equal(find(&w, "zoe@example.test", &account), LOOKUP_NOT_FOUND);
    close_world(&w);
}

/* One that cannot tell may be the one that has it. */
IN_FIBER(failure_before_the_answer)
{
    (void)arg;
    struct world w;
    struct account account;
    struct directory_source_stats stats;
    open_world(&w, NULL, 0);
    w.one.fails = true;
    assert_int_equal(find(&w, "alice@example.test", &account), LOOKUP_TEMPFAIL);
    assert_string_equal(w.f.e.text, "one does not answer");
    assert_int_equal(w.two.asked, 0);
    directory_source(w.f.d, 1, &stats);
    assert_int_equal(stats.failures, 1);
    assert_true(stats.failed > 0);
    assert_string_equal(stats.failure.text, "one does not answer");
    /* What the first has needs no other. */
    w.one.fails = false;
    w.two.fails = true;
    assert_name(&w, "alice@example.test", "one");
    assert_int_equal(find(&w, "bob@example.test", &account), LOOKUP_TEMPFAIL);
    /* A failure is not remembered. */
    w.two.fails = false;
    assert_int_equal(find(&w, "bob@example.test", &account), LOOKUP_NOT_FOUND);
    close_world(&w);
}

IN_FIBER(addresses_and_groups)
{
    (void)arg;
    struct world w;
    struct directory_address entry;
    struct directory_group group;
    open_world(&w, NULL, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            directory_find_entry(w.f.d, STR("Info@example.test"), w.f.a, &entry, &w.f.e),
            LOOKUP_FOUND);
        assert_str(entry.address, "info@example.test");
        assert_str(entry.destinations[0], "one");
        assert_int_equal(directory_find_group(w.f.d, STR("staff"), w.f.a, &group, &w.f.e),
                         LOOKUP_FOUND);
        assert_str(group.address, "staff@example.test");
        assert_str(group.name, "one");
        assert_int_equal(directory_find_group(w.f.d, STR("info"), w.f.a, &group, &w.f.e),
                         LOOKUP_NOT_FOUND);
    }
    assert_int_equal(w.one.asked, 3);
    assert_int_equal(w.two.asked, 1);
    close_world(&w);
}

/* Nobody is asked about addresses elsewhere; a login may be of a domain that has no mail. */
IN_FIBER(domains_that_are_not_ours)
{
    (void)arg;
    struct world w;
    struct account account;
    open_world(&w, NULL, 0);
    w.one.login = "alice@corp.test";
    assert_int_equal(find(&w, "alice@corp.test", &account), LOOKUP_NOT_FOUND);
    assert_int_equal(w.one.asked, 0);
    assert_int_equal(find_as_login(&w, "Alice@corp.test", &account), LOOKUP_FOUND);
    assert_int_equal(w.one.asked, 1);
    close_world(&w);
}

IN_FIBER(logins_as_typed)
{
    (void)arg;
    struct world w;
    struct account account;
    static const char *const typed[] = {"CORP\\Alice", "corp\\alice", " corp\\alice ",
                                        "ALICE@Example.test"};
    static const char *const nobody[] = {"", " ", "a\tb", "a\nb", "\xff\xfe", "x\x7f"};
    open_world(&w, NULL, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(find_as_login(&w, typed[i], &account), LOOKUP_FOUND);
        assert_str(account.login, "alice@example.test");
    }
    assert_int_equal(w.one.asked, 2); /* two spellings */
    for (size_t i = 0; i < sizeof(nobody) / sizeof(*nobody); i++)
        assert_int_equal(find_as_login(&w, nobody[i], &account), LOOKUP_NOT_FOUND);
    char large[2000];
    memset(large, 'a', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(find_as_login(&w, large, &account), LOOKUP_NOT_FOUND);
    assert_int_equal(w.one.asked, 2);
    close_world(&w);
}

/* --- what is remembered --- */

IN_FIBER(lifetimes)
{
    (void)arg;
    struct world w;
    struct account account;
    struct directory_stats stats;
    open_world(&w, NULL, 0);
    w.f.settings.cache_negative_lifetime = 10 * USEC_SEC;
    for (int i = 0; i < 3; i++)
        assert_name(&w, "alice@example.test", "one");
    for (int i = 0; i < 3; i++)
        assert_int_equal(find(&w, "nobody@example.test", &account), LOOKUP_NOT_FOUND);
    assert_int_equal(w.one.asked, 2);
    directory_get_stats(w.f.d, &stats);
    assert_int_equal(stats.answers, 1); /* alice */
    assert_int_equal(stats.missing, 1);
    assert_true(stats.hits >= 4);
    skipped = 61 * USEC_SEC;
    w.one.name = "new";
    assert_name(&w, "alice@example.test", "new");
    assert_int_equal(find(&w, "nobody@example.test", &account), LOOKUP_NOT_FOUND);
    assert_int_equal(w.one.asked, 4);
    close_world(&w);
}

/* Mail for who was known goes on while a source is down; logins do not. */
IN_FIBER(stale_answers)
{
    (void)arg;
    struct world w;
    struct account account;
    struct directory_address entry;
    struct directory_stats stats;
    open_world(&w, NULL, 0);
    assert_name(&w, "alice@example.test", "one");
    assert_int_equal(find_as_login(&w, "alice@example.test", &account), LOOKUP_FOUND);
    assert_int_equal(find(&w, "info@example.test", &account), LOOKUP_NOT_FOUND);
    assert_int_equal(directory_find_entry(w.f.d, STR("info"), w.f.a, &entry, &w.f.e), LOOKUP_FOUND);
    skipped = 1000 * USEC_SEC;
    w.one.fails = true;
    assert_name(&w, "alice@example.test", "one");
    assert_int_equal(find_as_login(&w, "alice@example.test", &account), LOOKUP_TEMPFAIL);
    assert_int_equal(find(&w, "new@example.test", &account), LOOKUP_TEMPFAIL);
    /* That it is an address says that it is no account. */
    assert_int_equal(find(&w, "info@example.test", &account), LOOKUP_NOT_FOUND);
    assert_int_equal(directory_find_entry(w.f.d, STR("info"), w.f.a, &entry, &w.f.e), LOOKUP_FOUND);
    directory_get_stats(w.f.d, &stats);
    assert_int_equal(stats.stale, 3);
    /* A change of the embedded directory takes nothing away from others. */
    assert_true(directory_add_user(w.f.d, STR("zoe"), STR("x"), STR(""), &w.f.e));
    assert_name(&w, "alice@example.test", "one");
    /* Too old is too old. */
    skipped = 3601 * USEC_SEC;
    assert_int_equal(find(&w, "alice@example.test", &account), LOOKUP_TEMPFAIL);
    close_world(&w);
}

IN_FIBER(forgetting)
{
    (void)arg;
    struct world w;
    struct account account;
    open_world(&w, NULL, 0);
    w.two.login = "bob@example.test";
    assert_name(&w, "alice@example.test", "one");
    assert_int_equal(find_as_login(&w, "corp\\alice", &account), LOOKUP_FOUND);
    assert_name(&w, "bob@example.test", "two");
    assert_int_equal(directory_forget_name(w.f.d, STR("ALICE@example.test")), 2);
    assert_int_equal(directory_forget_name(w.f.d, STR("alice@example.test")), 0);
    w.one.fails = true;
    assert_int_equal(find(&w, "alice@example.test", &account), LOOKUP_TEMPFAIL);
    assert_name(&w, "bob@example.test", "two"); /* still remembered */
    directory_forget(w.f.d);
    assert_int_equal(find(&w, "bob@example.test", &account), LOOKUP_TEMPFAIL);
    close_world(&w);
}

/* --- many at once --- */

struct asker {
    struct world *w;
    int *left;
    enum lookup expected;
    enum err_kind kind;
};

static void ask_alice(void *arg)
{
    struct asker *asker = arg;
    struct arena *a = arena_new();
    struct account account;
    struct err e = {0};
    assert_int_equal(
        directory_find_account(asker->w->f.d, STR("alice@example.test"), a, &account, &e),
        asker->expected);
    assert_int_equal(e.kind, asker->kind);
    arena_free(a);
    --*asker->left;
}

static struct fiber *start(struct asker *asker)
{
    ++*asker->left;
    struct fiber *f = fiber_start(loop_current(), "ask", ask_alice, asker);
    assert_non_null(f);
    return f;
}

static void until(struct world *w, const int *value, int expected)
{
    while (*value != expected)
        assert_true(fiber_sleep(USEC_MSEC, &w->f.e));
}

static void let_answer(struct world *w)
{
    w->one.hangs = false;
    cond_broadcast(&w->one.answer);
}

IN_FIBER(one_question_for_all)
{
    (void)arg;
    struct world w;
    int left = 0;
    struct asker asker = {&w, &left, LOOKUP_FOUND, ERR_NONE};
    open_world(&w, NULL, 0);
    w.one.hangs = true;
    for (int i = 0; i < 50; i++)
        start(&asker);
    until(&w, &w.one.asked, 1);
    for (int i = 0; i < 5; i++)
        fiber_yield();
    assert_int_equal(left, 50);
    let_answer(&w);
    until(&w, &left, 0);
    assert_int_equal(w.one.asked, 1);
    close_world(&w);
}

/* A change while it is asked: who asked before gets the answer of before, and nobody else. */
IN_FIBER(change_during_a_question)
{
    (void)arg;
    struct world w;
    int left = 0;
    struct asker asker = {&w, &left, LOOKUP_FOUND, ERR_NONE};
    open_world(&w, NULL, 0);
    w.one.hangs = true;
    start(&asker);
    until(&w, &w.one.asked, 1);
    assert_true(directory_add_user(w.f.d, STR("alice"), STR("x"), STR("embedded"), &w.f.e));
    assert_name(&w, "alice@example.test", "embedded");
    let_answer(&w);
    until(&w, &left, 0);
    assert_name(&w, "alice@example.test", "embedded");
    close_world(&w);
}

/* Who waits can be sent away; when who asks is, those who wait ask themselves. */
IN_FIBER(cancellation)
{
    (void)arg;
    struct world w;
    int left = 0, staying = 0;
    struct asker sent_away = {&w, &left, LOOKUP_TEMPFAIL, ERR_CANCELLED};
    struct asker stays = {&w, &staying, LOOKUP_FOUND, ERR_NONE};
    open_world(&w, NULL, 0);
    w.one.hangs = true;
    struct fiber *first = start(&sent_away);
    until(&w, &w.one.asked, 1);
    struct fiber *waits = start(&sent_away);
    start(&stays);
    fiber_yield();
    fiber_cancel(waits);
    until(&w, &left, 1);
    assert_int_equal(w.one.asked, 1);
    fiber_cancel(first);
    until(&w, &left, 0);
    until(&w, &w.one.asked, 2);
    let_answer(&w);
    until(&w, &staying, 0);
    close_world(&w);
}

/* --- passwords --- */

static enum lookup check(struct world *w, const char *login, const char *password)
{
    struct account account;
    w->f.e = (struct err){0};
    return directory_check_password(w->f.d, str_from_c(login), str_from_c(password), w->f.a,
                                    &account, &w->f.e);
}

IN_FIBER(passwords_of_sources)
{
    (void)arg;
    struct world w;
    open_world(&w, NULL, 0);
    assert_int_equal(check(&w, "corp\\alice", "secret"), LOOKUP_FOUND);
    assert_int_equal(check(&w, "corp\\alice", "secret"), LOOKUP_FOUND);
    assert_int_equal(w.one.checked, 2); /* each time: it may have been changed there */
    assert_int_equal(check(&w, "corp\\alice", "wrong"), LOOKUP_NOT_FOUND);
    assert_string_equal(w.f.e.text, "wrong_password");
    assert_int_equal(w.one.checked, 3);
    assert_int_equal(check(&w, "corp\\alice", ""), LOOKUP_NOT_FOUND);
    assert_int_equal(w.one.checked, 3); /* never asked with an empty one */
    assert_int_equal(check(&w, "nobody", "secret"), LOOKUP_NOT_FOUND);
    assert_string_equal(w.f.e.text, "unknown_user");
    w.one.fails = true;
    assert_int_equal(check(&w, "corp\\alice", "secret"), LOOKUP_TEMPFAIL);
    close_world(&w);
}

#define HASH_OF_OLD                                                                                \
    "$6$abcdefgh$C/"                                                                               \
    "UyUIoYbYZoxRzWA1jhrMzCtoWAP4X1Y3K19W9MF2iadjXK6APn0m0eIbRgBIBf9YqHG5NBvs.aaEUSctcx51"
#define HASH_OF_SECRET                                                                             \
    "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/"      \
    "O6IND4WQhG."

/* Changed in a directory that does not tell us: the new one is right at once. */
IN_FIBER(hash_that_was_remembered)
{
    (void)arg;
    struct world w;
    open_world_of(&w, NULL, 0, &hashes);
    w.one.hash = HASH_OF_OLD;
    assert_int_equal(check(&w, "alice@example.test", "old"), LOOKUP_FOUND);
    w.one.hash = HASH_OF_SECRET;
    assert_int_equal(check(&w, "alice@example.test", "secret"), LOOKUP_FOUND);
    assert_int_equal(check(&w, "alice@example.test", "old"), LOOKUP_NOT_FOUND);
    assert_string_equal(w.f.e.text, "wrong_password");
    close_world(&w);
}

IN_FIBER(setting_a_password)
{
    (void)arg;
    struct world w;
    open_world(&w, NULL, 0);
    assert_true(directory_set_password(w.f.d, STR("corp\\alice"), STR("new"), &w.f.e));
    assert_str(w.one.set, "new");
    assert_false(directory_set_password(w.f.d, STR("corp\\alice"), STR(""), &w.f.e));
    assert_int_equal(w.f.e.kind, ERR_SYNTAX);
    close_world(&w);
    open_world_of(&w, NULL, 0, &hashes);
    assert_false(directory_set_password(w.f.d, STR("alice@example.test"), STR("new"), &w.f.e));
    assert_int_equal(w.f.e.kind, ERR_PERM);
    assert_false(directory_set_password(w.f.d, STR("nobody"), STR("new"), &w.f.e));
    assert_int_equal(w.f.e.kind, ERR_NOT_FOUND);
    assert_true(directory_add_user(w.f.d, STR("zoe"), STR("x"), STR(""), &w.f.e));
    assert_true(directory_set_password(w.f.d, STR("zoe"), STR("y"), &w.f.e));
    assert_int_equal(check(&w, "zoe", "y"), LOOKUP_FOUND);
    close_world(&w);
}

/* --- lists --- */

static bool note(void *arg, const struct account *account)
{
    char *text = arg;
    size_t n = strlen(text);
    snprintf(text + n, 200 - n, "%.*s ", STR_ARG(account->login));
    return true;
}

IN_FIBER(lists)
{
    (void)arg;
    struct world w;
    char text[200] = "";
    open_world(&w, NULL, 0);
    assert_true(directory_add_user(w.f.d, STR("alice"), STR("x"), STR(""), &w.f.e));
    w.one.listed[0] = "bob@example.test";
    w.one.listed[1] = "alice@example.test"; /* the embedded directory's */
    w.two.listed[0] = "bob@example.test";
    w.two.listed[1] = "carol@example.test";
    assert_true(directory_list_users(w.f.d, STR(""), note, text, &w.f.e));
    assert_string_equal(text, "alice@example.test bob@example.test carol@example.test ");
    w.two.fails = true;
    text[0] = '\0';
    assert_false(directory_list_users(w.f.d, STR(""), note, text, &w.f.e));
    assert_string_equal(w.f.e.text, "two does not answer");
    close_world(&w);
}

/* --- what operators see --- */

static bool count_cached(void *arg, const struct directory_cached *cached)
{
    assert_str(cached->question, "account");
    ++*(int *)arg;
    return true;
}

static bool trace(struct world *w, enum directory_question question, const char *name,
                  struct directory_report *r)
{
    return directory_trace(w->f.d, question, str_from_c(name), w->f.a, r);
}

/* Past the cache, which it neither uses nor fills; it says what is there. */
IN_FIBER(steps_of_a_look_up)
{
    (void)arg;
    struct world w;
    struct directory_report r;
    int cached = 0;
    open_world(&w, NULL, 0);
    w.two.login = "bob@example.test";
    assert_true(trace(&w, QUESTION_ACCOUNT, "Bob@Example.test", &r));
    assert_int_equal(r.status, LOOKUP_FOUND);
    assert_str(r.name, "bob@example.test");
    assert_str(r.account->name, "two");
    assert_int_equal(r.step_count, 3);
    assert_string_equal(r.steps[1].source, "one");
    assert_int_equal(r.steps[1].status, LOOKUP_NOT_FOUND);
    assert_int_equal(r.steps[1].trace.count, 1);
    assert_false(r.is_cached);
    directory_each_cached(w.f.d, STR("bob@example.test"), count_cached, &cached);
    assert_int_equal(cached, 0);

    assert_name(&w, "bob@example.test", "two");
    skipped = 10 * USEC_SEC;
    w.two.name = "new";
    assert_true(trace(&w, QUESTION_ACCOUNT, "bob", &r));
    assert_str(r.account->name, "new");
    assert_true(r.is_cached && r.cached.exists && strcmp(r.cached.source, "two") == 0);
    assert_true(r.cached.age >= 10 * USEC_SEC && r.cached.left <= 50 * USEC_SEC);
    assert_name(&w, "bob@example.test", "two");
    directory_each_cached(w.f.d, STR("BOB@example.test"), count_cached, &cached);
    assert_int_equal(cached, 1);

    w.one.fails = true;
    assert_true(trace(&w, QUESTION_LOGIN, "corp\\alice", &r));
    assert_int_equal(r.status, LOOKUP_TEMPFAIL);
    assert_int_equal(r.step_count, 2);
    assert_string_equal(r.error.text, "one does not answer");
    /* Questions that make no sense. */
    assert_false(trace(&w, QUESTION_ACCOUNT, "bob@elsewhere.test", &r));
    assert_false(trace(&w, QUESTION_ADDRESS, "corp\\alice", &r));
    assert_false(trace(&w, QUESTION_LOGIN, "\n", &r));
    assert_false(trace(&w, QUESTION_DOMAIN, "bob", &r));
    assert_true(trace(&w, QUESTION_DOMAIN, "bob@example.test", &r));
    assert_str(r.domain->name, "example.test");
    close_world(&w);
}

/* --- other settings --- */

static const struct settings_block *const blocks[] = {&directory_settings_block,
                                                      &ldap_settings_block, NULL};

static struct directory_change *prepare(struct world *w, const char *text)
{
    struct config *config = config_parse("test.conf", str_from_c(text), blocks, &w->f.e);
    if (!config)
        fail_msg("%s", w->f.e.text);
    struct directory_change *c =
        directory_change_prepare(w->f.d, loop_current(), NULL, config, &w->f.e);
    config_unref(config);
    return c;
}

static void change(struct world *w, const char *text)
{
    struct directory_change *c = prepare(w, text);
    if (!c)
        fail_msg("%s", w->f.e.text);
    directory_change_apply(c);
}

static void until_closed(struct world *w, const struct fake *f)
{
    while (!f->closed)
        assert_true(fiber_sleep(USEC_MSEC, &w->f.e));
}

#define THREE "ldap three {\n servers = ldapi://%2Fnowhere\n base = dc=test\n}\n"

/* Questions under way are answered by the source that is gone, which is closed after the last one;
 * those asked from then on go elsewhere. */
IN_FIBER(exchange_during_a_question)
{
    (void)arg;
    struct world w;
    struct account account;
    int left = 0;
    struct asker asker = {&w, &left, LOOKUP_FOUND, ERR_NONE};
    open_world(&w, NULL, 0);
    w.one.hangs = true;
    for (int i = 0; i < 3; i++)
        start(&asker);
    until(&w, &w.one.asked, 1);
    change(&w, THREE);
    assert_int_equal(directory_source_count(w.f.d), 2);
    assert_int_equal(find(&w, "alice@example.test", &account), LOOKUP_TEMPFAIL);
    assert_non_null(strstr(w.f.e.text, "three"));
    assert_false(w.one.closed || w.two.closed); /* the second may still be asked, too */
    assert_int_equal(left, 3);
    let_answer(&w);
    until(&w, &left, 0);
    until_closed(&w, &w.one);
    until_closed(&w, &w.two);
    /* What it said last is not remembered. */
    assert_int_equal(find(&w, "alice@example.test", &account), LOOKUP_TEMPFAIL);
    assert_int_equal(w.one.asked, 1);
    close_world(&w);
}

struct login {
    struct world *w;
    int left;
    enum lookup status;
};

static void log_in(void *arg)
{
    struct login *l = arg;
    struct arena *a = arena_new();
    struct account account;
    struct err e;
    l->status = directory_check_password(l->w->f.d, STR("alice@example.test"), STR("secret"), a,
                                         &account, &e);
    if (l->status == LOOKUP_FOUND)
        assert_string_equal(account.source, "one");
    arena_free(a);
    l->left--;
}

IN_FIBER(exchange_during_a_login)
{
    (void)arg;
    struct world w;
    struct account account;
    struct login l = {.w = &w, .left = 1};
    open_world(&w, NULL, 0);
    assert_name(&w, "alice@example.test", "one");
    assert_int_equal(find_as_login(&w, "alice@example.test", &account), LOOKUP_FOUND);
    w.one.hangs = true;
    assert_non_null(fiber_start(loop_current(), "test", log_in, &l));
    until(&w, &w.one.checked, 1);
    change(&w, THREE);
    until_closed(&w, &w.two);
    assert_false(w.one.closed);
    let_answer(&w);
    until(&w, &l.left, 0);
    assert_int_equal(l.status, LOOKUP_FOUND);
    until_closed(&w, &w.one);
    assert_string_equal(account.source, "one"); /* who keeps an account may look at it */
    close_world(&w);
}

IN_FIBER(sources_that_stay)
{
    (void)arg;
    struct world w;
    struct account account;
    struct directory_source_stats stats;
    open_world(&w, NULL, 0);
    change(&w, THREE);
    const struct source *three = directory_source(w.f.d, 1, &stats);
    assert_string_equal(three->name, "three");
    assert_int_equal(find(&w, "alice@example.test", &account), LOOKUP_TEMPFAIL);
    change(&w, THREE "directory {\n cache_lifetime = 1m\n}\n");
    assert_ptr_equal(directory_source(w.f.d, 1, &stats), three);
    change(&w, "directory {\n sources = three, embedded\n}\n" THREE);
    assert_ptr_equal(directory_source(w.f.d, 0, &stats), three);
    assert_int_equal(stats.asked, 1);
    assert_true(stats.failed > 0);
    change(&w, "ldap three {\n servers = ldapi://%2Fnowhere\n base = dc=test\n bind_dn = cn=x\n"
               " bind_password = new\n}\n");
    assert_ptr_not_equal(directory_source(w.f.d, 1, &stats), three);
    assert_int_equal(stats.asked, 1);
    assert_true(stats.failed == 0);
    change(&w, "");
    assert_int_equal(directory_source_count(w.f.d), 1);
    assert_int_equal(find(&w, "alice@example.test", &account), LOOKUP_NOT_FOUND);
    close_world(&w);
}

/* What is wrong, or only tried, changes nothing. */
IN_FIBER(changes_that_are_not_made)
{
    (void)arg;
    struct world w;
    open_world(&w, NULL, 0);
    assert_null(prepare(&w, THREE "directory {\n sources = embedded, three, four\n}\n"));
    assert_non_null(strstr(w.f.e.text, "four"));
    directory_change_forget(prepare(&w, THREE));
    assert_name(&w, "alice@example.test", "one");
    assert_int_equal(directory_source_count(w.f.d), 3);
    assert_false(w.one.closed || w.two.closed);
    close_world(&w);
}

IN_FIBER(another_default_domain)
{
    (void)arg;
    struct world w;
    struct account account;
    open_world(&w, NULL, 0);
    assert_true(directory_add_domain(w.f.d, STR("other.test"), &w.f.e));
    change(&w, "directory {\n default_domain = example.test\n}\n");
    assert_true(directory_add_user(w.f.d, STR("zoe@other.test"), STR("x"), STR("other"), &w.f.e));
    assert_true(directory_add_user(w.f.d, STR("zoe@example.test"), STR("x"), STR("first"), &w.f.e));
    assert_int_equal(find_as_login(&w, "zoe", &account), LOOKUP_FOUND);
    assert_str(account.name, "first");
    change(&w, "directory {\n default_domain = OTHER.test\n}\n");
    assert_int_equal(find_as_login(&w, "zoe", &account), LOOKUP_FOUND);
    assert_str(account.name, "other");
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_has_it),
        cmocka_unit_test(test_order_of_the_settings),
        cmocka_unit_test(test_failure_before_the_answer),
        cmocka_unit_test(test_addresses_and_groups),
        cmocka_unit_test(test_domains_that_are_not_ours),
        cmocka_unit_test(test_logins_as_typed),
        cmocka_unit_test(test_lifetimes),
        cmocka_unit_test(test_stale_answers),
        cmocka_unit_test(test_forgetting),
        cmocka_unit_test(test_one_question_for_all),
        cmocka_unit_test(test_change_during_a_question),
        cmocka_unit_test(test_cancellation),
        cmocka_unit_test(test_passwords_of_sources),
        cmocka_unit_test(test_hash_that_was_remembered),
        cmocka_unit_test(test_setting_a_password),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_steps_of_a_look_up),
        cmocka_unit_test(test_exchange_during_a_question),
        cmocka_unit_test(test_exchange_during_a_login),
        cmocka_unit_test(test_sources_that_stay),
        cmocka_unit_test(test_changes_that_are_not_made),
        cmocka_unit_test(test_another_default_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
