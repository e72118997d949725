/* Connections to LDAP servers that answer well, badly, or not at all. */
#include "auth/helper.h"

#include "auth/hostile_ldap.h"
#include "auth/ldap_client.h"
#include "auth/ldap_settings.h"

#define SERVERS 2

/* libldap 2.5 loses the text of a notice of disconnection. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:ber_memalloc_x\n";
}

struct ldap_fixture {
    struct fake_ldap servers[SERVERS];
    const char *uris[SERVERS];
    struct ldap_settings settings;
    struct ldap_client *client;
    struct arena *a;
    struct err e;
    struct ldap_entries found;
};

static void begin(struct ldap_fixture *x, size_t servers, usec timeout)
{
    memset(x, 0, sizeof(*x));
    x->a = arena_new();
    for (size_t i = 0; i < servers; i++) {
        fake_start(&x->servers[i]);
        x->uris[i] = x->servers[i].uri;
    }
    x->settings.name = "corp";
    x->settings.connection = (struct ldap_connection_settings){
        .servers = {x->uris, servers},
        .discover = "",
        .tls_ca = "",
        .tls_certificate = "",
        .tls_key = "",
        .tls_verify = true,
        .bind_dn = "cn=service",
        .password = "secret",
        .keytab = "",
        .principal = "",
        .timeout = timeout,
        .connect_timeout = timeout,
        .connections = 2,
        .bind_connections = 3,
    };
    x->client = ldap_client_new(loop_current(), &x->settings, &x->e);
    assert_non_null(x->client);
    ldap_client_set_intervals(x->client, &(struct ldap_intervals){.look = 20 * USEC_MSEC,
                                                                  .back_off_least = 40 * USEC_MSEC,
                                                                  .back_off_most = USEC_SEC});
}

static void end(struct ldap_fixture *x, size_t servers)
{
    ldap_client_close(x->client);
    for (size_t i = 0; i < servers; i++)
        fake_stop(&x->servers[i]);
    arena_free(x->a);
}

static enum lookup search_as(struct ldap_fixture *x, enum ldap_scope scope, size_t max, size_t page)
{
    static const char *const attributes[] = {"cn", "photo", NULL};
    struct ldap_query q = {.base = STR("dc=test"),
                           .scope = scope,
                           .filter = STR("(cn=*)"),
                           .attributes = attributes,
                           .entries_max = max,
                           .page = page};
    x->e = (struct err){0};
    return ldap_client_search(x->client, &q, x->a, &x->found, NULL, &x->e);
}

static enum lookup search(struct ldap_fixture *x)
{
    return search_as(x, LDAP_SUBTREE, 100, 0);
}

static enum lookup bind_as(struct ldap_fixture *x, const char *password)
{
    x->e = (struct err){0};
    return ldap_client_bind(x->client, STR("cn=alice"), str_from_c(password), NULL, &x->e);
}

static void assert_text(struct ldap_fixture *x, const char *part)
{
    if (!strstr(x->e.text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, x->e.text);
}

static void assert_answer(struct ldap_fixture *x, enum lookup got, enum lookup expected)
{
    if (got != expected)
        fail_msg("%d instead of %d: %s", (int)got, (int)expected, x->e.text);
}

/* Until the client has found the server well again. */
static void search_until_found(struct ldap_fixture *x)
{
    while (search(x) != LOOKUP_FOUND)
        assert_true(fiber_sleep(20 * USEC_MSEC, NULL));
}

/* --- searches --- */

static void searches(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    assert_answer(&x, search(&x), LOOKUP_NOT_FOUND);
    x.servers[0].entries = 3;
    x.servers[0].references = true;
    assert_answer(&x, search(&x), LOOKUP_FOUND);
    assert_int_equal(x.found.count, 3);
    assert_str(x.found.list[2].dn, "cn=2,dc=test");
    const struct ldap_attribute *photo = ldap_attribute_of(&x.found.list[2], "PHOTO");
    assert_str(photo->name, "photo;range=0-1");
    assert_int_equal(photo->count, 2);
    assert_int_equal(photo->values[0].n, 3);
    assert_int_equal(photo->values[0].p[0], 0);
    assert_str(photo->values[1], "second");
    assert_null(ldap_attribute_of(&x.found.list[2], "phot"));

    assert_answer(&x, search_as(&x, LDAP_SUBTREE, 3, 0), LOOKUP_FOUND);
    assert_answer(&x, search_as(&x, LDAP_SUBTREE, 2, 0), LOOKUP_TEMPFAIL);
    assert_text(&x, "more than 2 entries");
    assert_true(x.servers[0].binds <= 2);
    end(&x, 1);
}

static void results(void *arg)
{
    static const int temporary[] = {1, 3, 4, 10, 11, 12, 50, 51, 52, 53, 80};
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    x.servers[0].entries = 1;
    for (size_t i = 0; i < sizeof(temporary) / sizeof(*temporary); i++) {
        x.servers[0].result = temporary[i];
        x.servers[0].diagnostic = "look \n here";
        assert_answer(&x, search(&x), LOOKUP_TEMPFAIL);
        assert_text(&x, "look . here");
        assert_int_equal(x.found.count, 0);
    }
    /* An entry that was asked for is not there; a base that is not there is a wrong setting. */
    x.servers[0].entries = 0;
    x.servers[0].result = 32;
    assert_answer(&x, search_as(&x, LDAP_ENTRY_ONLY, 1, 0), LOOKUP_NOT_FOUND);
    assert_answer(&x, search(&x), LOOKUP_TEMPFAIL);
    end(&x, 1);
}

static void pages(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    x.servers[0].entries = 250;
    assert_answer(&x, search_as(&x, LDAP_SUBTREE, 1000, 100), LOOKUP_FOUND);
    assert_int_equal(x.found.count, 250);
    assert_str(x.found.list[249].dn, "cn=249,dc=test");
    assert_int_equal(x.servers[0].searches, 3);
    assert_answer(&x, search_as(&x, LDAP_SUBTREE, 150, 100), LOOKUP_TEMPFAIL);
    assert_text(&x, "more than 150");
    x.servers[0].result = 4;
    assert_answer(&x, search_as(&x, LDAP_SUBTREE, 1000, 100), LOOKUP_TEMPFAIL);
    end(&x, 1);
}

struct reader_of_pages {
    struct ldap_fixture *x;
    size_t seen, stop_at, break_at;
};

static bool read_entry(void *arg, const struct ldap_entry *entry)
{
    struct reader_of_pages *r = arg;
    struct err e;
    (void)entry;
    r->seen++;
    if (r->seen % 50 == 0)
        fiber_sleep(USEC_MSEC, &e);
    if (r->seen == r->break_at)
        r->x->servers[0].mode = FAKE_CLOSE;
    return r->seen != r->stop_at;
}

static bool read_all(struct ldap_fixture *x, struct reader_of_pages *r)
{
    static const char *const attributes[] = {"cn", NULL};
    struct ldap_query q = {.base = STR("dc=test"),
                           .scope = LDAP_SUBTREE,
                           .filter = STR("(cn=*)"),
                           .attributes = attributes,
                           .page = 100};
    x->e = (struct err){0};
    r->x = x;
    return ldap_client_search_pages(x->client, &q, read_entry, r, &x->e);
}

static void page_by_page(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    x.servers[0].entries = 250;
    struct reader_of_pages all = {0}, some = {.stop_at = 120}, broken = {.break_at = 150};
    assert_true(read_all(&x, &all));
    assert_int_equal(all.seen, 250);
    assert_false(read_all(&x, &some));
    assert_int_equal(some.seen, 120);
    assert_int_equal(x.e.kind, ERR_NONE);
    assert_false(read_all(&x, &broken));
    assert_int_equal(broken.seen, 200);
    assert_int_equal(x.e.kind, ERR_TEMP);
    end(&x, 1);
}

/* --- servers that are no good --- */

static void bad_servers(void *arg)
{
    static const enum fake_mode modes[] = {FAKE_GARBAGE, FAKE_CUT,     FAKE_CLOSE, FAKE_HUGE,
                                           FAKE_NOTICE,  FAKE_ENDLESS, FAKE_WRONG, FAKE_MUTE};
    (void)arg;
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        struct ldap_fixture x;
        bool silent = modes[i] == FAKE_MUTE || modes[i] == FAKE_GARBAGE;
        begin(&x, 1, silent ? 500 * USEC_MSEC : 60 * USEC_SEC);
        x.servers[0].entries = 1;
        x.servers[0].value_size = modes[i] == FAKE_ENDLESS ? 100000 : 3;
        assert_answer(&x, search(&x), LOOKUP_FOUND);
        x.servers[0].mode = modes[i];
        assert_answer(&x, search_as(&x, LDAP_SUBTREE, 0, 0), LOOKUP_TEMPFAIL);
        x.servers[0].mode = FAKE_NORMAL;
        search_until_found(&x);
        end(&x, 1);
    }
}

static void byte_by_byte(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    x.servers[0].entries = 1;
    x.servers[0].mode = FAKE_DRIP;
    assert_answer(&x, search(&x), LOOKUP_FOUND);
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
    end(&x, 1);
}

/* What one server fails at, the next is asked. */
static void next_server(void *arg)
{
    static const enum fake_mode modes[] = {FAKE_GARBAGE, FAKE_CUT,   FAKE_CLOSE, FAKE_HUGE,
                                           FAKE_NOTICE,  FAKE_WRONG, FAKE_MUTE};
    (void)arg;
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        struct ldap_fixture x;
        bool silent = modes[i] == FAKE_MUTE || modes[i] == FAKE_GARBAGE;
        begin(&x, 2, silent ? 2 * USEC_SEC : 60 * USEC_SEC);
        ldap_client_set_intervals(x.client, &ldap_intervals);
        x.servers[0].entries = x.servers[1].entries = 1;
        x.servers[0].mode = modes[i];
        assert_answer(&x, search(&x), LOOKUP_FOUND);
        assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
        assert_answer(&x, bind_as(&x, "wrong"), LOOKUP_NOT_FOUND);
        assert_true(x.servers[1].searches > 0);
        end(&x, 2);
    }
}

static void busy_server(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 2, 10 * USEC_SEC);
    ldap_client_set_intervals(x.client, &ldap_intervals);
    x.servers[0].entries = x.servers[1].entries = 1;
    x.servers[0].result = 51;
    assert_answer(&x, search(&x), LOOKUP_FOUND);
    assert_int_equal(x.servers[1].searches, 1);
    end(&x, 2);
}

/* With nobody to ask the answer comes at once, and the server's return is noticed. */
static void server_away(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    x.servers[0].entries = 1;
    fake_stop(&x.servers[0]);
    for (int i = 0; i < 100; i++) {
        assert_answer(&x, search(&x), LOOKUP_TEMPFAIL);
        assert_text(&x, "refused");
    }
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_TEMPFAIL);
    fake_start_at(&x.servers[0], x.servers[0].port);
    search_until_found(&x);
    /* The same while connections stand. */
    fake_stop(&x.servers[0]);
    assert_answer(&x, search(&x), LOOKUP_TEMPFAIL);
    fake_start_at(&x.servers[0], x.servers[0].port);
    search_until_found(&x);
    end(&x, 1);
}

/* Each login of the service account could lock it: a server that refuses it is not asked again and
 * again. */
static void service_refused(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    x.servers[0].refuses_service = true;
    ldap_client_set_intervals(x.client, &ldap_intervals);
    for (int i = 0; i < 100; i++) {
        assert_answer(&x, search(&x), LOOKUP_TEMPFAIL);
        assert_text(&x, "service account: Invalid credentials");
    }
    assert_true(x.servers[0].connections < 5);
    end(&x, 1);
}

/* --- logins --- */

struct reason {
    int result;
    const char *diagnostic, *reason; /* NULL: cannot be told */
};

static void logins(void *arg)
{
    static const struct reason reasons[] = {
        {49, "", "wrong_password"},
        {49, "80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data 52e, v2580",
         "wrong_password"},
        {49, "comment: AcceptSecurityContext error, data 533, v2580", "disabled"},
        {49, "comment: AcceptSecurityContext error, data 701, v2580", "expired"},
        {49, "comment: AcceptSecurityContext error, data 773, v2580", "password_expired"},
        {49, "comment: AcceptSecurityContext error, data 775, v2580", "locked"},
        {53, "Account inactivated. Contact system administrator.", "disabled"},
        {19, "Exceed password retry limit. Please try later.", "locked"},
        {32, "", "wrong_password"},
        {8, "", NULL},
        {13, "", NULL},
        {34, "", NULL},
        {53, "no", NULL},
        {1, "secret is in here", NULL},
    };
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
    assert_answer(&x, bind_as(&x, "wrong"), LOOKUP_NOT_FOUND);
    assert_string_equal(x.e.text, "wrong_password");
    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
        x.servers[0].bind_result = reasons[i].result;
        x.servers[0].diagnostic = reasons[i].diagnostic;
        assert_int_equal(bind_as(&x, "secret"),
                         reasons[i].reason ? LOOKUP_NOT_FOUND : LOOKUP_TEMPFAIL);
        if (reasons[i].reason)
            assert_string_equal(x.e.text, reasons[i].reason);
        assert_null(strstr(x.e.text, "secret"));
    }
    x.servers[0].bind_result = 0;
    x.servers[0].diagnostic = "";
    x.servers[0].policy_locked = true;
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_NOT_FOUND);
    assert_string_equal(x.e.text, "locked");

    int logins = x.servers[0].logins;
    assert_answer(&x, bind_as(&x, ""), LOOKUP_NOT_FOUND);
    assert_int_equal(ldap_client_bind(x.client, STR(""), STR("secret"), NULL, &x.e),
                     LOOKUP_TEMPFAIL);
    assert_int_equal(x.servers[0].logins, logins);
    end(&x, 1);
}

/* Until the client has found the server well again. */
static void bind_until_found(struct ldap_fixture *x)
{
    while (bind_as(x, "secret") != LOOKUP_FOUND)
        assert_true(fiber_sleep(5 * USEC_MSEC, NULL));
}

static void logins_at_bad_servers(void *arg)
{
    static const enum fake_mode modes[] = {FAKE_GARBAGE, FAKE_CUT,     FAKE_CLOSE, FAKE_HUGE,
                                           FAKE_NOTICE,  FAKE_ENDLESS, FAKE_WRONG, FAKE_MUTE};
    (void)arg;
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        struct ldap_fixture x;
        bool silent = modes[i] == FAKE_MUTE || modes[i] == FAKE_GARBAGE;
        begin(&x, 1, silent ? 300 * USEC_MSEC : 60 * USEC_SEC);
        assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
        x.servers[0].mode = modes[i];
        assert_answer(&x, bind_as(&x, "secret"), LOOKUP_TEMPFAIL);
        assert_answer(&x, bind_as(&x, "wrong"), LOOKUP_TEMPFAIL);
        x.servers[0].mode = FAKE_NORMAL;
        bind_until_found(&x);
        assert_answer(&x, bind_as(&x, "wrong"), LOOKUP_NOT_FOUND);
        end(&x, 1);
    }
}

/* A server that was restarted while nobody logged in. */
static void closed_meanwhile(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    for (int i = 0; i < 5; i++) {
        assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
        fake_stop(&x.servers[0]);
        fake_start_at(&x.servers[0], x.servers[0].port);
        assert_answer(&x, bind_as(&x, "wrong"), LOOKUP_NOT_FOUND);
    }
    end(&x, 1);
}

static void close_unused(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    ldap_client_close(x.client);
    x.settings.connection.idle_timeout = 30 * USEC_MSEC;
    x.client = ldap_client_new(loop_current(), &x.settings, &x.e);
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
    assert_int_equal(x.servers[0].connections, 1);
    while (x.servers[0].closed == 0)
        assert_true(fiber_sleep(5 * USEC_MSEC, NULL));
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
    assert_int_equal(x.servers[0].connections, 2);
    end(&x, 1);
}

struct called_off {
    struct ldap_fixture *x;
    struct fiber *fiber;
    struct err e;
    struct cond over;
};

static void log_in_until_called_off(void *arg)
{
    struct called_off *c = arg;
    assert_int_equal(ldap_client_bind(c->x->client, STR("cn=alice"), STR("secret"), NULL, &c->e),
                     LOOKUP_TEMPFAIL);
    c->fiber = NULL;
    cond_signal(&c->over);
}

/* Who goes away while the server thinks leaves nothing to the next one. */
static void login_called_off(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
    x.servers[0].mode = FAKE_MUTE;
    struct called_off c[5]; /* three speak, two wait in line */
    for (size_t i = 0; i < 5; i++) {
        c[i] = (struct called_off){.x = &x};
        c[i].fiber = fiber_start(loop_current(), "login", log_in_until_called_off, &c[i]);
    }
    while (x.servers[0].connections < 3)
        assert_true(fiber_sleep(5 * USEC_MSEC, NULL));
    assert_true(fiber_sleep(20 * USEC_MSEC, NULL));
    for (size_t i = 0; i < 5; i++)
        fiber_cancel(c[i].fiber);
    for (size_t i = 0; i < 5; i++) {
        while (c[i].fiber)
            cond_wait_certain(&c[i].over);
        assert_int_equal(c[i].e.kind, ERR_CANCELLED);
    }
    x.servers[0].mode = FAKE_NORMAL;
    assert_answer(&x, bind_as(&x, "wrong"), LOOKUP_NOT_FOUND);
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
    end(&x, 1);
}

static void changes(void *arg)
{
    struct ldap_fixture x;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    struct str dn = STR("cn=alice"), none = {0};
    assert_true(ldap_client_password_modify(x.client, dn, none, STR("new"), &x.e));
    assert_true(ldap_client_password_modify(x.client, dn, STR("secret"), STR("new"), &x.e));
    assert_int_equal(x.servers[0].changes, 2);
    assert_false(ldap_client_password_modify(x.client, dn, STR("wrong"), STR("new"), &x.e));
    assert_int_equal(x.e.kind, ERR_DENIED);
    assert_int_equal(x.servers[0].changes, 2);
    x.servers[0].result = 19;
    x.servers[0].diagnostic = "too short";
    assert_false(ldap_client_password_modify(x.client, dn, none, STR("new"), &x.e));
    assert_int_equal(x.e.kind, ERR_PERM);
    assert_text(&x, "too short");
    x.servers[0].result = 0;
    assert_true(ldap_client_replace(x.client, dn, "mail", none, STR("a@b"), false, &x.e));
    int sent = x.servers[0].changes;
    assert_false(ldap_client_replace(x.client, dn, "unicodePwd", none, STR("x"), true, &x.e));
    assert_int_equal(x.e.kind, ERR_PERM);
    assert_int_equal(x.servers[0].changes, sent);
    /* What may have been done is not done again. */
    x.servers[0].mode = FAKE_CLOSE;
    assert_false(ldap_client_replace(x.client, dn, "mail", none, STR("a@b"), false, &x.e));
    assert_int_equal(x.e.kind, ERR_TEMP);
    assert_int_equal(x.servers[0].changes, sent + 1);
    sent = x.servers[0].logins;
    assert_false(ldap_client_password_modify(x.client, dn, STR("secret"), STR("new"), &x.e));
    assert_int_equal(x.e.kind, ERR_TEMP);
    assert_true(x.servers[0].logins <= sent + 1);
    end(&x, 1);
}

/* --- many, and the end --- */

struct crowd {
    struct ldap_fixture *x;
    size_t running, found, not_found, failed, cancelled;
    struct cond over;
};

static void one_of_crowd(void *arg)
{
    struct crowd *c = arg;
    struct err e = {0};
    struct arena *a = arena_new();
    for (int i = 0; i < 20; i++) {
        enum lookup answer = ldap_client_bind(c->x->client, STR("cn=alice"),
                                              i % 2 ? STR("secret") : STR("wrong"), NULL, &e);
        c->found += answer == LOOKUP_FOUND;
        c->not_found += answer == LOOKUP_NOT_FOUND;
        c->failed += answer == LOOKUP_TEMPFAIL;
        if (e.kind == ERR_CANCELLED) { /* the client is gone */
            c->cancelled++;
            break;
        }
        struct ldap_query q = {
            .base = STR("dc=test"), .scope = LDAP_SUBTREE, .filter = STR("(cn=*)")};
        struct ldap_entries found;
        answer = ldap_client_search(c->x->client, &q, a, &found, NULL, &e);
        c->found += answer == LOOKUP_FOUND;
        c->failed += answer == LOOKUP_TEMPFAIL;
        c->cancelled += answer == LOOKUP_TEMPFAIL && e.kind == ERR_CANCELLED;
        if (e.kind == ERR_CANCELLED)
            break;
    }
    arena_free(a);
    if (--c->running == 0)
        cond_signal(&c->over);
}

static void start_crowd(struct crowd *c, struct ldap_fixture *x, size_t count)
{
    *c = (struct crowd){.x = x, .running = count};
    for (size_t i = 0; i < count; i++)
        assert_non_null(fiber_start(loop_current(), "crowd", one_of_crowd, c));
}

static void many_at_once(void *arg)
{
    struct ldap_fixture x;
    struct crowd c;
    (void)arg;
    begin(&x, 1, 60 * USEC_SEC);
    x.servers[0].entries = 1;
    start_crowd(&c, &x, 100);
    while (c.running > 0)
        cond_wait_certain(&c.over);
    assert_int_equal(c.found, 3000);
    assert_int_equal(c.not_found, 1000);
    /* Two carry searches, three logins. */
    assert_true(x.servers[0].connections <= 5);
    end(&x, 1);
}

/* Waiting for a server that hangs ends with the server. */
static void closed_while_hanging(void *arg)
{
    struct ldap_fixture x;
    struct crowd c;
    (void)arg;
    begin(&x, 1, 300 * USEC_SEC);
    assert_answer(&x, search(&x), LOOKUP_NOT_FOUND);
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
    x.servers[0].mode = FAKE_MUTE;
    start_crowd(&c, &x, 50);
    assert_true(fiber_sleep(50 * USEC_MSEC, NULL));
    end(&x, 1);
    while (c.running > 0)
        cond_wait_certain(&c.over);
    assert_int_equal(c.cancelled, 50);
}

/* More than the queue takes are told at once. */
static void queue_full(void *arg)
{
    struct ldap_fixture x;
    struct crowd c;
    (void)arg;
    begin(&x, 1, 300 * USEC_SEC);
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_FOUND);
    x.servers[0].mode = FAKE_MUTE;
    start_crowd(&c, &x, 1100);
    assert_true(fiber_sleep(50 * USEC_MSEC, NULL));
    assert_answer(&x, bind_as(&x, "secret"), LOOKUP_TEMPFAIL);
    assert_text(&x, "too many questions");
    end(&x, 1);
    while (c.running > 0)
        cond_wait_certain(&c.over);
}

#define TEST(name)                                                                                 \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_in_fiber(name, NULL);                                                                  \
    }

TEST(searches)
TEST(results)
TEST(pages)
TEST(page_by_page)
TEST(bad_servers)
TEST(byte_by_byte)
TEST(next_server)
TEST(busy_server)
TEST(server_away)
TEST(service_refused)
TEST(logins)
TEST(logins_at_bad_servers)
TEST(closed_meanwhile)
TEST(close_unused)
TEST(login_called_off)
TEST(changes)
TEST(many_at_once)
TEST(closed_while_hanging)
TEST(queue_full)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_searches),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_page_by_page),
        cmocka_unit_test(test_bad_servers),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_next_server),
        cmocka_unit_test(test_busy_server),
        cmocka_unit_test(test_server_away),
        cmocka_unit_test(test_service_refused),
        cmocka_unit_test(test_logins),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_logins_at_bad_servers),
        cmocka_unit_test(test_closed_meanwhile),
        cmocka_unit_test(test_close_unused),
        cmocka_unit_test(test_login_called_off),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_closed_while_hanging),
        cmocka_unit_test(test_queue_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
