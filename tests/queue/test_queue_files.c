/* The spool directory: what waits survives, few bytes are written for a change, and damage is told.
 */
#include "queue/message.h"
#include "queue/message_text.h"
#include "queue/queue_internal.h"
#include "queue/world.h"

/* --- helpers --- */

static char *spool_file(const char *name)
{
    char *dir = path_in(world.root, "queue"), *path = path_in(dir, name);
    free(dir);
    return path;
}

/* The name of the only file there that is called this and a number. */
static void only_file(const char *prefix, char name[40])
{
    char *path = path_in(world.root, "queue");
    DIR *d = opendir(path);
    size_t n = strlen(prefix), count = 0;
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));) {
        uint64_t number;
        if (strncmp(entry->d_name, prefix, n) == 0 &&
            str_to_u64(str_from_c(entry->d_name + n), &number)) {
            snprintf(name, 40, "%.39s", entry->d_name);
            count++;
        }
    }
    closedir(d);
    free(path);
    assert_int_equal(count, 1);
}

static struct buf content_of(const char *name)
{
    struct buf content = BUF_EMPTY;
    struct err e;
    char *path = spool_file(name);
    assert_true(disk_read_file(path, (size_t)1 << 30, &content, &e));
    free(path);
    return content;
}

static void replace_content(const char *name, struct str content)
{
    char *path = spool_file(name);
    write_test_file(path, content);
    free(path);
}

static void checkpoint(void)
{
    struct err e;
    assert_true(journal_checkpoint(world.journal, &e));
}

/* One for each recipient, which cannot be sent for now. */
static void give_each(struct gift *g, size_t count, const char *const *recipients)
{
    wire.script = not_now;
    for (size_t i = 0; i < count; i++) {
        g[i] = (struct gift){.sender = "alice@example.test", .recipients = {recipients[i]}};
        assert_true(give(&g[i]));
    }
    settle();
}

static bool was_sent(const char *address)
{
    for (size_t i = 0; i < wire.count; i++)
        if (strcmp(wire.list[i].address, address) == 0 &&
            wire.list[i].status == TRANSPORT_DELIVERED)
            return true;
    return false;
}

static void send_all(void)
{
    forget_wire();
    advance(400 * USEC_SEC);
}

static const struct queue_message *message_of(const struct gift *g)
{
    return message_find(world.queue, str_from_c(g->id));
}

static void give_filler(void)
{
    /* A record, so that there is something to checkpoint. */
    struct gift g = {.sender = "", .recipients = {"filler@far.test"}};
    assert_true(give(&g));
}

/* --- damage --- */

static void damaged_state(void)
{
    struct gift g[3];
    char name[40];
    world_open();
    give_each(g, 3, (const char *[]){"a@far.test", "b@far.test", "c@far.test"});
    world_close();
    only_file("state.", name);
    struct buf content = content_of(name);
    ptrdiff_t at = str_find(buf_str(&content), STR("b@far.test"));
    assert_true(at > 0);
    content.p[at] ^= 1;
    replace_content(name, buf_str(&content));
    buf_free(&content);
    world_open();
    assert_int_equal(queued(), 2);
    /* What may be needed to find out what is missing: the state and the texts. */
    give_filler();
    checkpoint();
    assert_int_equal(files(".damaged"), 2);
    world_close();
    world_open();
    assert_int_equal(files(".damaged"), 2);
    send_all();
    assert_true(was_sent("a@far.test") && was_sent("c@far.test") && !was_sent("b@far.test"));
    world_close();
}

/* Of the state nothing can be understood: that is no empty queue. */
static void state_of_zeros(void)
{
    struct gift g[2];
    char name[40];
    world_open();
    give_each(g, 2, (const char *[]){"a@far.test", "b@far.test"});
    world_close();
    only_file("state.", name);
    struct buf content = content_of(name);
    memset(content.p, 0, content.n);
    replace_content(name, buf_str(&content));
    buf_free(&content);
    world_open();
    assert_int_equal(queued(), 0);
    give_filler();
    checkpoint();
    assert_int_equal(files(".damaged"), 2);
    world_close();
}

static void damaged_text(void)
{
    struct gift g[3];
    char name[40];
    world_open();
    give_each(g, 3, (const char *[]){"a@far.test", "b@far.test", "c@far.test"});
    world_close();
    only_file("text.", name);
    struct buf content = content_of(name);
    content.p[content.n / 2] ^= 1;
    replace_content(name, buf_str(&content));
    buf_free(&content);
    world_open();
    assert_int_equal(queued(), 3);
    send_all();
    /* No spoilt mail is sent, and none is lost silently. */
    assert_true(was_sent("a@far.test") && was_sent("c@far.test") && !was_sent("b@far.test"));
    assert_int_equal(queued(), 1);
    const struct queue_message *m = message_of(&g[1]);
    assert_true(m->on_hold && m->hold_reason == HOLD_DAMAGED);
    let_results_be_written();
    world_crash();
    world_open();
    m = message_of(&g[1]);
    assert_true(m->on_hold && m->hold_reason == HOLD_DAMAGED);
    world_close();
}

static void missing_texts(void)
{
    struct gift small[1],
        large = {.sender = "alice@example.test", .recipients = {"y@near.test"}, .padding = 200000};
    char name[40];
    world_open();
    give_each(small, 1, (const char *[]){"a@far.test"});
    assert_true(give(&large));
    settle();
    world_close();
    only_file("text.", name);
    char *path = spool_file(name);
    assert_int_equal(unlink(path), 0);
    free(path);
    world_open();
    assert_int_equal(queued(), 2);
    assert_true(message_of(&small[0])->on_hold && message_of(&large)->on_hold);
    send_all();
    assert_int_equal(wire.count, 0);
    world_close();
}

static void missing_large_body(void)
{
    struct gift large = {
        .sender = "alice@example.test", .recipients = {"y@near.test"}, .padding = 200000};
    char name[40];
    world_open();
    wire.script = not_now;
    assert_true(give(&large));
    settle();
    world_close();
    snprintf(name, sizeof(name), "%s.msg", large.id);
    replace_content(name, STR("short"));
    world_open();
    assert_true(message_of(&large)->on_hold);
    assert_int_equal(message_of(&large)->hold_reason, HOLD_DAMAGED);
    world_close();
}

/* --- crashes --- */

static void cut_state(size_t by)
{
    char name[40];
    only_file("state.", name);
    struct buf content = content_of(name);
    replace_content(name, str_head(buf_str(&content), content.n - by));
    buf_free(&content);
}

/* The power went while a checkpoint added to the state: the journal has what is not there. */
static void torn_state(void)
{
    size_t added = 2;
    for (size_t by = 1; by < added; by += 37) {
        struct gift g[2];
        char name[40];
        world_open();
        give_each(g, 1, (const char *[]){"a@far.test"});
        checkpoint();
        only_file("state.", name);
        struct buf first = content_of(name);
        give_each(g + 1, 1, (const char *[]){"b@far.test"});
        /* The copy is of a moment when the journal had not heard of its end. */
        char *before = crash_copy(world.root);
        checkpoint();
        struct buf content = content_of(name);
        added = content.n - first.n;
        assert_true(memcmp(first.p, content.p, first.n) == 0);
        buf_free(&first);
        world_close();
        remove_directory(world.root);
        world.root = before;
        replace_content(name, str_head(buf_str(&content), content.n - by));
        buf_free(&content);
        world_open();
        assert_int_equal(queued(), 2);
        assert_int_equal(files(".damaged"), 0);
        send_all();
        assert_true(was_sent("a@far.test") && was_sent("b@far.test"));
        assert_int_equal(queued(), 0);
        world_close();
    }
}

/* The same when the checkpoint is known as complete: then it is damage. */
static void shortened_state(void)
{
    struct gift g[2];
    world_open();
    give_each(g, 1, (const char *[]){"a@far.test"});
    checkpoint();
    give_each(g + 1, 1, (const char *[]){"b@far.test"});
    world_close();
    cut_state(60);
    world_open();
    assert_int_equal(queued(), 1);
    give_filler();
    checkpoint();
    assert_int_equal(files(".damaged"), 2);
    world_close();
}

static void leftovers(void)
{
    struct gift g[1];
    world_open();
    give_each(g, 1, (const char *[]){"a@far.test"});
    /* Of a crash in the first checkpoint; and a body without a record. */
    replace_content("state.7", STR("maild queue 1\nMDQ"));
    replace_content("text.9", STR("maild te"));
    replace_content("BCDFGHJKLMNPQ.msg", STR("nobody's"));
    world_crash();
    world_open();
    assert_int_equal(queued(), 1);
    assert_int_equal(files(".damaged"), 0);
    assert_int_equal(files(".msg"), 0);
    give_filler();
    checkpoint();
    give_filler();
    checkpoint();
    assert_int_equal(files_named("text."), 1);
    assert_int_equal(files_named("state."), 1);
    send_all();
    assert_true(was_sent("a@far.test"));
    world_close();
}

/* --- older versions --- */

static const char old_envelope[] =
    "4d4451450100a6db3bb1904bc67f07000000316f6c643969640600401e18240a0600280000000000"
    "000013000000000000000a00000078406661722e7465737412000000616c696365406578616d706c"
    "652e746573740a0000007375626d697373696f6e1300000052656365697665643a2066726f6d206f"
    "6c640a020000000000000300000000e3ff29240a06000a00000061406661722e7465737411000000"
    "6c697374406578616d706c652e746573740b000000343531206e6f74206e6f7705000000342e322e"
    "30100000006d785b3139322e302e322e315d3a323501030101000000000000000000000010000000"
    "626f62406578616d706c652e7465737410000000626f62406578616d706c652e7465737400000000"
    "0000000000000000";

static void write_old_files(void)
{
    struct buf bytes = BUF_EMPTY;
    for (const char *hex = old_envelope; *hex; hex += 2) {
        char digits[3] = {hex[0], hex[1], '\0'};
        buf_add_u8(&bytes, (uint8_t)strtoul(digits, NULL, 16));
    }
    replace_content("1old9id.env", buf_str(&bytes));
    replace_content("1old9id.msg", STR("Subject: old\n\nbody\n"));
    buf_free(&bytes);
}

/* Files of a version that wrote one for each envelope are taken over, whatever happens then. */
static void envelopes_of_older_versions(void)
{
    world.settings.lifetime = INT64_MAX / 2;
    world_open();
    world_close();
    write_old_files();
    wire.script = not_now;
    world_open();
    assert_int_equal(queued(), 1);
    world_crash();
    world_open();
    assert_int_equal(queued(), 1);
    settle();
    checkpoint();
    assert_int_equal(files(".env"), 1); /* until that checkpoint is known to be complete */
    world_crash();
    world_open();
    assert_int_equal(queued(), 1);
    give_filler();
    checkpoint();
    give_filler();
    checkpoint();
    assert_int_equal(files(".env"), 0);
    world_crash();
    world_open();
    forget_wire();
    advance(4000 * USEC_SEC);
    assert_true(was_sent("a@far.test"));
    for (size_t i = 0; i < wire.count; i++)
        if (strcmp(wire.list[i].address, "a@far.test") == 0)
            assert_string_equal(wire.list[i].text, "Received: from old\nSubject: old\n\nbody\n");
    checkpoint();
    assert_int_equal(files(".msg"), 0);
    world_close();
}

static void damaged_old_envelope(void)
{
    world_open();
    world_close();
    write_old_files();
    replace_content("1old9id.env", STR("QDEM"));
    world_open();
    assert_int_equal(queued(), 0);
    assert_int_equal(files(".damaged"), 2);
    world_close();
    world_open();
    assert_int_equal(files(".damaged"), 2);
    world_close();
}

/* --- many --- */

static void give_many(size_t count, size_t padding)
{
    for (size_t i = 0; i < count; i++) {
        char address[40];
        snprintf(address, sizeof(address), "user%zu@far.test", i);
        struct gift g = {
            .sender = "alice@example.test", .recipients = {address}, .padding = padding};
        assert_true(give(&g));
    }
}

static uint64_t size_of_only(const char *prefix)
{
    char name[40];
    struct stat st;
    only_file(prefix, name);
    char *path = spool_file(name);
    assert_int_equal(stat(path, &st), 0);
    free(path);
    return (uint64_t)st.st_size;
}

/* What a checkpoint writes depends on what has changed, not on how much waits. */
static void checkpoints_are_cheap(void)
{
    world.settings.connections_max = 1;
    world.settings.connections_per_destination = 1;
    world_open();
    wire.unreachable = true;
    give_many(2000, 0);
    settle();
    checkpoint();
    uint64_t state = size_of_only("state."), text = size_of_only("text.");
    struct gift g = {.sender = "alice@example.test", .recipients = {"one@more.test"}};
    assert_true(give(&g));
    settle();
    checkpoint();
    assert_true(size_of_only("state.") - state < 1000);
    assert_true(size_of_only("text.") - text < 1000);
    world_crash();
    world_open();
    assert_int_equal(queued(), 2001);
    world_close();
}

/* Texts do not stay in memory, and are the same when they come back. */
static void texts_leave_memory(void)
{
    world_open();
    wire.script = not_now;
    give_many(200, 150 * 1000);
    settle();
    assert_true(world.queue->texts_in_memory <= QUEUE_TEXTS_IN_MEMORY);
    assert_true(files_named("text.") > 0);
    assert_int_equal(files_named("state."), 0);
    /* The journal alone counts until a checkpoint. */
    world_crash();
    world_open();
    assert_int_equal(queued(), 200);
    assert_true(world.queue->texts_in_memory <= QUEUE_TEXTS_IN_MEMORY);
    send_all();
    assert_int_equal(queued(), 0);
    for (size_t i = 0; i < wire.count; i++)
        assert_true(
            strncmp(wire.list[i].text, "Received: from test\nSubject: x\n\nbody\nxxx", 40) == 0);
    world_close();
}

static enum transport_status all_but_some(const struct transport_message *m,
                                          struct transport_recipient *r)
{
    return str_ends_with_nocase(r->address, STR("7@far.test")) ? not_now(m, r) : take_all(m, r);
}

/* A file of which little is needed is left; what is needed survives. */
static void sparse_text_files(void)
{
    world_open();
    wire.script = not_now;
    give_many(400, 2000);
    settle();
    world_close(); /* the next start writes into another file */
    world_open();
    uint64_t before = size_of_only("text.");
    forget_wire();
    wire.script = all_but_some;
    advance(400 * USEC_SEC);
    assert_int_equal(queued(), 40);
    for (int i = 0; i < 4; i++) {
        give_filler();
        settle();
        checkpoint();
    }
    assert_true(size_of_only("text.") < before / 2);
    world_crash();
    world_open();
    assert_int_equal(queued(), 40);
    forget_wire();
    advance(4000 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_int_equal(wire.count, 40);
    world_close();
}

/* It does not grow for ever, and nothing is forgotten when it begins anew. */
static void state_begins_anew(void)
{
    world_open();
    wire.script = not_now;
    give_many(300, 0);
    settle();
    checkpoint();
    char first[40];
    only_file("state.", first);
    uint64_t most = 0;
    for (int i = 0; i < 200 && files_named("state.") == 1; i++) {
        char name[40];
        only_file("state.", name);
        if (strcmp(name, first) != 0)
            break;
        for (struct queue_message *m = world.queue->first; m; m = m->next) {
            m->stored = false;
            message_mark_dirty(m);
        }
        give_filler();
        checkpoint();
        most = files_named("state.") == 1 ? size_of_only("state.") : most;
    }
    assert_true(most < 3 * QUEUE_STATE_GROWTH_MIN);
    give_filler();
    checkpoint();
    char second[40];
    only_file("state.", second);
    assert_string_not_equal(first, second);
    size_t waiting = queued();
    world_crash();
    world_open();
    assert_int_equal(queued(), waiting);
    world_close();
}

/* The mailbox has the message, and the server crashes before anybody else knows. */
static void crash_in_a_delivery(bool unrouted)
{
    world_open();
    mail_store.fails = unrouted ? NULL : "bob@example.test";
    mail_store.failure = ERR_TEMP;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"bob@example.test", "x@far.test"}};
    if (unrouted)
        g.options.hold_until = clock_wall() + 300 * USEC_SEC;
    wire.script = not_now;
    assert_true(give(&g));
    settle();
    mail_store.fails = NULL;
    mail_store.crash = true;
    advance(400 * USEC_SEC);
    assert_int_equal(mail_store.count, 1);
    assert_non_null(mail_store.copy);
    world_close();
    remove_directory(world.root);
    world.root = mail_store.copy;
    world_open();
    forget_wire();
    advance(8000 * USEC_SEC);
    assert_int_equal(mail_store.count, 1);
    assert_true(was_sent("x@far.test"));
    assert_int_equal(queued(), 0);
    world_close();
}

static void crash_in_a_retried_delivery(void)
{
    crash_in_a_delivery(false);
}

static void crash_in_a_held_delivery(void)
{
    crash_in_a_delivery(true);
}

/* It crashes before the client hears anything: who is here has the message, so the rest is queued,
 * and the same when its body is large. */
static void crash_in_an_acceptance(size_t padding)
{
    world_open();
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"bob@example.test", "x@far.test"},
                     .padding = padding};
    wire.script = not_now;
    mail_store.crash = true;
    assert_true(give(&g));
    assert_int_equal(mail_store.count, 1);
    assert_non_null(mail_store.copy);
    world_close();
    remove_directory(world.root);
    world.root = mail_store.copy;
    world_open();
    assert_int_equal(queued(), 1);
    forget_wire();
    advance(400 * USEC_SEC);
    assert_true(was_sent("x@far.test"));
    assert_true(strncmp(wire.list[0].text, "Received: from test\nSubject: x\n\nbody\n", 37) == 0);
    assert_int_equal(mail_store.count, 1);
    assert_int_equal(queued(), 0);
    world_close();
    world_open();
    assert_int_equal(files(".msg"), 0);
    world_close();
}

static void crash_in_a_small_acceptance(void)
{
    crash_in_an_acceptance(0);
}

static void crash_in_a_large_acceptance(void)
{
    crash_in_an_acceptance(200000);
}

/* A body that was placed for those who turn out to need no queue goes at once; that of a message
 * that is queued already stays. */
static void large_bodies_that_are_not_queued(void)
{
    world_open();
    struct gift here = {.sender = "alice@example.test",
                        .recipients = {"bob@example.test", "alice@example.test"},
                        .padding = 200000};
    assert_true(give(&here));
    assert_int_equal(mail_store.count, 2);
    assert_int_equal(queued(), 0);
    assert_int_equal(files(".msg"), 0);
    mail_store.fails = "*";
    mail_store.failure = ERR_TEMP;
    assert_false(give(&here));
    assert_int_equal(files(".msg"), 0);
    struct gift both = {.sender = "alice@example.test",
                        .recipients = {"bob@example.test", "x@far.test"},
                        .padding = 200000};
    wire.script = not_now;
    assert_true(give(&both));
    assert_int_equal(queued(), 1);
    assert_int_equal(files(".msg"), 1);
    mail_store.fails = NULL;
    forget_wire();
    advance(4000 * USEC_SEC);
    assert_int_equal(mail_store.count, 3);
    assert_true(was_sent("x@far.test"));
    assert_int_equal(queued(), 0);
    world_close();
}

/* What waits is bounded; what is for here does not wait. */
static void limit_of_memory(void)
{
    world.settings.memory_max = 20000;
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    size_t taken = 0;
    while (taken < 1000 && give(&g))
        taken++;
    assert_in_range(taken, 10, 60);
    assert_int_equal(g.whole.kind, ERR_NO_SPACE);
    struct gift both = {.sender = "alice@example.test",
                        .recipients = {"bob@example.test", "x@far.test"}};
    assert_false(give(&both));
    assert_int_equal(mail_store.count, 0); /* it will come again */
    struct gift here = {.sender = "alice@example.test", .recipients = {"bob@example.test"}};
    assert_true(give(&here));
    forget_wire();
    advance(400 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_int_equal(world.queue->memory, 0);
    assert_true(give(&g));
    world_close();
}

WORLD_TEST(damaged_state)
WORLD_TEST(crash_in_a_retried_delivery)
WORLD_TEST(crash_in_a_held_delivery)
WORLD_TEST(crash_in_a_small_acceptance)
WORLD_TEST(crash_in_a_large_acceptance)
WORLD_TEST(large_bodies_that_are_not_queued)
WORLD_TEST(limit_of_memory)
WORLD_TEST(state_of_zeros)
WORLD_TEST(damaged_text)
WORLD_TEST(missing_texts)
WORLD_TEST(missing_large_body)
WORLD_TEST(torn_state)
WORLD_TEST(shortened_state)
WORLD_TEST(leftovers)
WORLD_TEST(envelopes_of_older_versions)
WORLD_TEST(damaged_old_envelope)
WORLD_TEST(checkpoints_are_cheap)
WORLD_TEST(texts_leave_memory)
WORLD_TEST(sparse_text_files)
WORLD_TEST(state_begins_anew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_state),
        cmocka_unit_test(test_crash_in_a_retried_delivery),
        cmocka_unit_test(test_crash_in_a_held_delivery),
        cmocka_unit_test(test_crash_in_a_small_acceptance),
        cmocka_unit_test(test_crash_in_a_large_acceptance),
        cmocka_unit_test(test_large_bodies_that_are_not_queued),
        cmocka_unit_test(test_limit_of_memory),
        cmocka_unit_test(test_state_of_zeros),
        cmocka_unit_test(test_damaged_text),
        cmocka_unit_test(test_missing_texts),
        cmocka_unit_test(test_missing_large_body),
        cmocka_unit_test(test_torn_state),
        cmocka_unit_test(test_shortened_state),
        cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_envelopes_of_older_versions),
        cmocka_unit_test(test_damaged_old_envelope),
        cmocka_unit_test(test_checkpoints_are_cheap),
        cmocka_unit_test(test_texts_leave_memory),
        cmocka_unit_test(test_sparse_text_files),
        cmocka_unit_test(test_state_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
