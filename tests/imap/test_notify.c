/*
 * What of an account's events is news for a session (RFC 5465): filters, joining, overflow.
 */
#include "store/store_helper.h"

#include "imap/limits.h"
#include "imap/notify.h"

struct listening {
    struct fixture store;
    struct imap_context context;
    struct imap_settings settings;
    struct imap_session session;
    struct imap_user user;
    struct notify_group groups[3];
    struct imap_notify *notify;
};

/* A session that is busy: somebody else makes the changes. */
static void begin(struct listening *l)
{
    struct err e = {0};
    struct arena *a = arena_new();
    struct notify_request *r = ARENA_NEW(a, struct notify_request);
    l->context.store = l->store.store;
    l->session.context = &l->context;
    l->settings.public_namespace = "Public";
    l->session.settings = &l->settings;
    l->session.user = &l->user;
    l->session.net.fiber = (struct fiber *)1;
    l->user.account = alice;
    r->arena = a;
    r->groups = l->groups;
    if (!notify_install(&l->session, r, &e))
        fail_msg("%s", e.text);
    l->notify = l->session.notify;
}

static void happens(struct listening *l, const struct account_event *event)
{
    l->notify->watcher.fn(l->notify->watcher.arg, event);
}

static void name_event(struct listening *l, enum account_event_kind kind, const char *name)
{
    happens(l, &(struct account_event){.kind = kind, .name = str_from_c(name)});
}

/* "S" STATUS, "L" LIST, "M" METADATA with the mailbox; forgets them. */
static void assert_news(struct listening *l, const char *expected)
{
    struct buf b = BUF_EMPTY;
    while (l->notify->first) {
        struct notify_news *news = l->notify->first;
        buf_printf(&b, "%s%c:%s", b.n ? " " : "", "SLM"[news->kind], news -> name);
        if (news->old_name)
            buf_printf(&b, "<%s", news->old_name);
        l->notify->first = news->next;
        free(news->name);
        free(news->old_name);
        buf_free(&news->entries);
        free(news);
    }
    l->notify->last = &l->notify->first;
    l->notify->count = 0;
    assert_string_equal(buf_c(&b), expected);
    buf_free(&b);
}

static void filters(void *arg)
{
    struct listening l = {.store = *(struct fixture *)arg};
    struct str tree = STR("Lists"), one = STR("Work");
    fixture_open(&l.store, l.store.root);
    l.groups[0] = (struct notify_group){
        .filter = NOTIFY_SUBTREE, .names = &tree, .count = 1, .events = NOTIFY_NAME};
    l.groups[0].next = &l.groups[1];
    l.groups[1] = (struct notify_group){
        .filter = NOTIFY_MAILBOXES, .names = &one, .count = 1, .events = NOTIFY_SUBSCRIPTION};
    l.groups[1].next = &l.groups[2];
    l.groups[2] = (struct notify_group){.filter = NOTIFY_SUBSCRIBED, .events = NOTIFY_NAME};
    begin(&l);
    name_event(&l, ACCOUNT_CREATED, "Lists/a");
    name_event(&l, ACCOUNT_CREATED, "Listsx");
    name_event(&l, ACCOUNT_CREATED, "Work");
    name_event(&l, ACCOUNT_DELETED, "Lists/a");
    assert_news(&l, "L:Lists L:Lists/a");
    name_event(&l, ACCOUNT_SUBSCRIBED, "Work");
    name_event(&l, ACCOUNT_SUBSCRIBED, "Lists/a");
    name_event(&l, ACCOUNT_DELETED, "Work");
    name_event(&l, ACCOUNT_UNSUBSCRIBED, "Work");
    assert_news(&l, "L:Work");
    name_event(&l, ACCOUNT_CREATED, "Work");
    name_event(&l, ACCOUNT_DELETED, "Drafts"); /* subscribed from the start */
    assert_news(&l, "L:Drafts");
    happens(&l, &(struct account_event){
                    .kind = ACCOUNT_RENAMED, .name = STR("Other"), .old_name = STR("Lists")});
    assert_news(&l, "L:Other<Lists");
    imap_notify_free(&l.session);
    fixture_close(&l.store);
}

static void test_filters(void **state)
{
    (void)state;
    with_store(filters);
}

/* News that nobody takes are joined by mailbox, and dropped when they are too many. */
static void overflow(void *arg)
{
    struct listening l = {.store = *(struct fixture *)arg};
    char name[40];
    fixture_open(&l.store, l.store.root);
    l.groups[0] = (struct notify_group){.filter = NOTIFY_PERSONAL, .events = NOTIFY_SUBSCRIPTION};
    begin(&l);
    for (int i = 0; i < 2 * IMAP_NOTIFY_NEWS_MAX; i++) {
        snprintf(name, sizeof(name), "n%d", i % IMAP_NOTIFY_NEWS_MAX);
        name_event(&l, ACCOUNT_SUBSCRIBED, name);
    }
    assert_int_equal(l.notify->count, IMAP_NOTIFY_NEWS_MAX);
    assert_false(l.notify->overflow);
    name_event(&l, ACCOUNT_SUBSCRIBED, "one more");
    assert_true(l.notify->overflow);
    assert_null(l.notify->first);
    name_event(&l, ACCOUNT_SUBSCRIBED, "and more");
    assert_null(l.notify->first);
    imap_notify_free(&l.session);
    fixture_close(&l.store);
}

static void test_overflow(void **state)
{
    (void)state;
    with_store(overflow);
}

/* Names of annotations are told once. */
static void annotations(void *arg)
{
    struct listening l = {.store = *(struct fixture *)arg};
    struct metadata_entry entries[] = {{.name = STR("/private/a")}, {.name = STR("/private/b")}};
    fixture_open(&l.store, l.store.root);
    l.groups[0] =
        (struct notify_group){.filter = NOTIFY_PERSONAL, .events = NOTIFY_MAILBOX_METADATA};
    begin(&l);
    struct account_event event = {
        .kind = ACCOUNT_METADATA, .name = STR("INBOX"), .entries = entries, .count = 2};
    happens(&l, &event);
    event.count = 1;
    happens(&l, &event);
    event.name = STR("");
    happens(&l, &event);
    assert_int_equal(l.notify->count, 1);
    assert_memory_equal(l.notify->first->entries.p, "/private/a\0/private/b", 22);
    assert_news(&l, "M:INBOX");
    l.session.enabled = ENABLED_METADATA;
    happens(&l, &event);
    assert_news(&l, "M:");
    imap_notify_free(&l.session);
    fixture_close(&l.store);
}

static void test_annotations(void **state)
{
    (void)state;
    with_store(annotations);
}

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_annotations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
