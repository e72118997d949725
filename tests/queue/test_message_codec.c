/* Envelopes on the disk: what is written is read again, and so is what older versions wrote. */
#include "queue/message.h"
#include "queue/message_codec.h"
#include "queue/message_text.h"
#include "queue/queue_journal.h"
#include "queue/world.h"

/* An envelope file of version 1; the record of the journal is the same behind its first 14 bytes.
 */
static const char version_1[] =
    "4d4451450100a6db3bb1904bc67f07000000316f6c643969640600401e18240a0600280000000000"
    "000013000000000000000a00000078406661722e7465737412000000616c696365406578616d706c"
    "652e746573740a0000007375626d697373696f6e1300000052656365697665643a2066726f6d206f"
    "6c640a020000000000000300000000e3ff29240a06000a00000061406661722e7465737411000000"
    "6c697374406578616d706c652e746573740b000000343531206e6f74206e6f7705000000342e322e"
    "30100000006d785b3139322e302e322e315d3a323501030101000000000000000000000010000000"
    "626f62406578616d706c652e7465737410000000626f62406578616d706c652e7465737400000000"
    "0000000000000000";
#define FILE_HEAD 14

static struct buf from_hex(const char *hex)
{
    struct buf bytes = BUF_EMPTY;
    for (; *hex; hex += 2) {
        char digits[3] = {hex[0], hex[1], '\0'};
        buf_add_u8(&bytes, (uint8_t)strtoul(digits, NULL, 16));
    }
    return bytes;
}

static void assert_str(struct str s, const char *wanted)
{
    if (!str_equal(s, str_from_c(wanted)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), wanted);
}

static void is_the_old_message(const struct queue_message *m)
{
    assert_non_null(m);
    assert_string_equal(m->id, "1old9id");
    assert_str(m->sender, "x@far.test");
    assert_str(m->login, "alice@example.test");
    assert_string_equal(m->component, "submission");
    assert_str(m->prefix, "Received: from old\n");
    assert_true(m->arrival == 1700000000000000);
    assert_true(m->body_8bit && m->warned && !m->smtputf8 && !m->body_in_file);
    assert_int_equal(m->recipient_count, 2);
    const struct queue_recipient *r = m->recipients;
    assert_str(recipient_address(&r[0]), "a@far.test");
    assert_str(recipient_original(&r[0]), "list@example.test");
    assert_str(recipient_original(&r[1]), "bob@example.test");
    assert_int_equal(r[0].attempts, 3);
    assert_str(recipient_error(&r[0]), "451 not now");
    assert_str(recipient_relay(&r[0]), "mx[192.0.2.1]:25");
    assert_int_equal(r[1].state, RECIPIENT_FAILED);
    assert_true(r[1].reported && recipient_is_done(&r[1]));
    /* Nobody asked for anything. */
    assert_int_equal(r[0].notify, 0);
    assert_int_equal(r[0].success, SUCCESS_SILENT);
    assert_true(m->options.hold_until == 0 && m->options.deliver_by == 0 && !m->told_late);
    assert_int_equal(m->options.priority, 0);
}

static void old_versions(void)
{
    world_open();
    struct buf file = from_hex(version_1);
    struct queue_message *m = envelope_file_decode(world.queue, buf_str(&file));
    is_the_old_message(m);
    assert_int_equal(m->body_size, 19);
    message_free(m);
    struct str record = str_skip(buf_str(&file), FILE_HEAD);
    m = message_decode(world.queue, record, 1);
    is_the_old_message(m);
    message_free(m);
    /* Not of that version, or of none that is known. */
    assert_null(message_decode(world.queue, record, 2));
    assert_null(message_decode(world.queue, record, 0));
    assert_null(message_decode(world.queue, record, MESSAGE_VERSION + 1));
    buf_free(&file);
    world_close();
}

/* The records of version 1, replayed. */
static void old_records(void)
{
    struct err e;
    world_open();
    struct buf file = from_hex(version_1), accept = BUF_EMPTY, result = BUF_EMPTY, id = BUF_EMPTY;
    buf_add_counted(&accept, str_skip(buf_str(&file), FILE_HEAD));
    buf_add_c(&accept, "Subject: old\n\nbody\n");
    struct journal_record record = {
        .lsn = 1, .owner = JOURNAL_QUEUE, .type = 1, .version = 1, .payload = buf_str(&accept)};
    assert_true(journal_replay_record(world.queue, &record, &e));
    struct queue_message *m = message_find(world.queue, STR("1old9id"));
    is_the_old_message(m);
    m->warned = false;

    buf_add_counted(&id, STR("1old9id"));
    record.type = 3;
    record.payload = buf_str(&id);
    assert_true(journal_replay_record(world.queue, &record, &e));
    assert_true(m->warned && !m->told_late);

    buf_add_str(&result, buf_str(&id));
    buf_add_u32(&result, 0);
    buf_add_u8(&result, RECIPIENT_DELIVERED);
    buf_add_u8(&result, 0);
    buf_add_u32(&result, 4);
    buf_add_u64(&result, 0);
    for (int i = 0; i < 3; i++)
        buf_add_counted(&result, STR("text"));
    record.type = 2;
    record.payload = buf_str(&result);
    assert_true(journal_replay_record(world.queue, &record, &e));
    assert_true(recipient_is_done(&m->recipients[0]));

    record.type = 4;
    record.payload = buf_str(&id);
    assert_true(journal_replay_record(world.queue, &record, &e));
    assert_null(message_find(world.queue, STR("1old9id")));
    record.version = MESSAGE_VERSION + 1;
    assert_false(journal_replay_record(world.queue, &record, &e));
    assert_non_null(strstr(e.text, "newer server"));
    buf_free(&file);
    buf_free(&accept);
    buf_free(&result);
    buf_free(&id);
    world_close();
}

static void fill(struct queue_message *m)
{
    struct err e;
    memcpy(m->id, "new", 4);
    m->told_late = m->on_hold = true;
    m->hold_reason = HOLD_DAMAGED;
    const struct envelope_options options = {.dsn_return = DSN_RETURN_FULL,
                                             .envelope_id = STR("QQ 314159"),
                                             .require_tls = true,
                                             .tls_optional = true,
                                             .hold_until = 1800000000000000,
                                             .hold_request = STR("for;60"),
                                             .deliver_by = -5,
                                             .deliver_by_trace = true,
                                             .priority = -9};
    message_set_envelope(m, STR("x@far.test"), STR(""), STR("submission"), &options);
    struct spool *body = spool_new(mail_store.dir, "new");
    assert_true(spool_write(body, STR("x"), &e));
    message_set_text(m, STR("Received: x\n"), body);
    const struct recipient_words words = {STR("a@far.test"), STR("a@far.test"),
                                          STR("rfc822;A@far.test"), STR("detail")};
    message_set_recipients(m, 1, recipient_words_size(&words));
    m->recipients[0] = (struct queue_recipient){.state = RECIPIENT_DELIVERED,
                                                .success = SUCCESS_RELAYED,
                                                .notify = NOTIFY_SUCCESS | NOTIFY_DELAY};
    recipient_set_words(m, &m->recipients[0], &words);
}

static void all_that_was_asked_for(void)
{
    struct buf bytes = BUF_EMPTY;
    world_open();
    struct queue_message *m = message_new(world.queue);
    fill(m);
    message_encode(&bytes, m);
    message_free(m);
    m = message_decode(world.queue, buf_str(&bytes), MESSAGE_VERSION);
    assert_non_null(m);
    assert_str(m->prefix, "Received: x\n");
    assert_true(m->on_hold && m->hold_reason == HOLD_DAMAGED);
    const struct envelope_options *o = &m->options;
    assert_int_equal(o->dsn_return, DSN_RETURN_FULL);
    assert_str(o->envelope_id, "QQ 314159");
    assert_str(o->hold_request, "for;60");
    assert_true(o->hold_until == 1800000000000000 && o->deliver_by == -5);
    assert_true(o->require_tls && o->tls_optional && o->deliver_by_trace && !o->deliver_by_return &&
                m->told_late);
    assert_int_equal(o->priority, -9);
    const struct queue_recipient *r = &m->recipients[0];
    assert_str(recipient_requested(r), "rfc822;A@far.test");
    assert_str(recipient_detail(r), "detail");
    assert_int_equal(r->notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
    assert_int_equal(r->success, SUCCESS_RELAYED);
    assert_false(recipient_is_done(r));
    message_free(m);
    /* Cut off anywhere it is damaged, not half a message. */
    for (size_t n = 0; n < bytes.n; n++)
        assert_null(message_decode(world.queue, str_head(buf_str(&bytes), n), MESSAGE_VERSION));
    buf_free(&bytes);
    world_close();
}

/* Version 4 knew nothing of what stands behind the separator. */
static void version_before_details(void)
{
    struct buf bytes = BUF_EMPTY, old = BUF_EMPTY;
    world_open();
    struct queue_message *m = message_new(world.queue);
    fill(m);
    message_encode(&bytes, m);
    message_free(m);
    ptrdiff_t at = str_find(buf_str(&bytes), STR("detail"));
    assert_true(at > 4);
    buf_add_str(&old, str_head(buf_str(&bytes), (size_t)at - sizeof(uint32_t)));
    buf_add_str(&old, str_skip(buf_str(&bytes), (size_t)at + 6));
    m = message_decode(world.queue, buf_str(&old), 4);
    assert_non_null(m);
    assert_str(recipient_requested(&m->recipients[0]), "rfc822;A@far.test");
    assert_str(recipient_detail(&m->recipients[0]), "");
    message_free(m);
    buf_free(&bytes);
    buf_free(&old);
    world_close();
}

WORLD_TEST(old_versions)
WORLD_TEST(old_records)
WORLD_TEST(all_that_was_asked_for)
WORLD_TEST(version_before_details)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_versions),
        cmocka_unit_test(test_old_records),
        cmocka_unit_test(test_all_that_was_asked_for),
        cmocka_unit_test(test_version_before_details),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
