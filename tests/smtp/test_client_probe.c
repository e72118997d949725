/*
 * Asking other servers for recipients, against scripted ones. The queue's half is replaced by
 * functions of the same names, which hand out the addresses of the test.
 */
#include "queue/probe.h"
#include "smtp/smtp_client.h"

#include "core/log.h"
#include "smtp/plain_dns.h"
#include "smtp/scripted_server.h"

/* --- the queue --- */

static void (*probe)(void *arg, struct probe_job *job);
static void *probe_arg;

void queue_set_prober(struct queue *q, void (*fn)(void *arg, struct probe_job *job), void *arg)
{
    (void)q;
    probe = fn;
    probe_arg = arg;
}

void queue_set_transport(struct queue *q, void (*fn)(void *arg, struct transport_job *job),
                         void *arg)
{
    (void)q;
    (void)fn;
    (void)arg;
}

void transport_connected(struct transport_job *job)
{
    (void)job;
}

struct transport_message *transport_next(struct transport_job *job)
{
    (void)job;
    return NULL;
}

static struct {
    struct arena *arena;
    struct queue_settings settings;
    struct probe_job job;
    struct probe probes[20];
    size_t count, given, batch;
    char relay[40];
    const char *relay_item;
} out;

bool probe_next(struct probe_job *job)
{
    job->probes = out.probes + out.given;
    job->count = out.count - out.given < out.batch ? out.count - out.given : out.batch;
    out.given += job->count;
    return job->count > 0;
}

/* --- DNS --- */

enum dns_status dns_mx(struct dns *d, struct str name, struct arena *a, struct dns_answer *answer,
                       struct err *e)
{
    (void)d;
    (void)name;
    (void)a;
    (void)answer;
    err_set(e, ERR_TEMP, "SERVFAIL");
    return DNS_TEMPFAIL;
}

enum dns_status dns_addresses(struct dns *d, struct str name, struct arena *a,
                              struct dns_answer *answer, struct err *e)
{
    return dns_mx(d, name, a, answer, e);
}

/* --- a test --- */

static void begin(size_t batch, const char *const *names)
{
    struct err e;
    assert_true(log_open("/dev/null", LOG_LEVEL_INFO, &e));
    server_start();
    memset(&out, 0, sizeof(out));
    out.arena = arena_new();
    out.batch = batch;
    snprintf(out.relay, sizeof(out.relay), "[127.0.0.1]:%u", server.port);
    for (; names[out.count]; out.count++)
        out.probes[out.count].address = str_from_c(names[out.count]);
    out.job = (struct probe_job){.arena = out.arena, .probes = out.probes};
    out.job.where = (struct transport_job){.settings = &out.settings,
                                           .loop = loop,
                                           .hostname = "mail.example.test",
                                           .destination = STR("relay.test")};
    out.relay_item = out.relay;
    out.job.where.next_hop = next_hop_by_mx();
    out.job.where.next_hop.by_mx = false;
    out.job.where.next_hop.own_choice = true;
    out.job.where.next_hop.hosts = (struct string_list){&out.relay_item, 1};
}

static void run(void)
{
    usec t = 60 * USEC_SEC; /* no test waits for one */
    struct smtp_client_settings timeouts = {.connect_timeout = t,
                                            .greeting_timeout = t,
                                            .hello_timeout = t,
                                            .mail_timeout = t,
                                            .recipient_timeout = t,
                                            .data_timeout = t,
                                            .data_block_timeout = t,
                                            .data_end_timeout = t,
                                            .quit_timeout = t};
    struct smtp_client *c = smtp_client_new(NULL, &timeouts);
    smtp_client_offer_probes(c, NULL);
    probe(probe_arg, &out.job);
    smtp_client_free(c);
}

static void expect(size_t i, enum probe_verdict verdict, const char *status, const char *text)
{
    const struct probe *p = &out.probes[i];
    char got[300];
    snprintf(got, sizeof(got), "%.*s", STR_ARG(p->text));
    if (p->verdict != verdict || strcmp(p->status, status) != 0 || !strstr(got, text))
        fail_msg("%zu: verdict %d status %s: %s", i, p->verdict, p->status, got);
}

static void end(void)
{
    server_stop();
    arena_free(out.arena);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

#define HELLO "S: 220 relay.test", "C: EHLO mail.example.test"

static void in_turn(void)
{
    begin(10, NAMES("a@relay.test", "b@relay.test", "c@relay.test", "d@relay.test"));
    SCRIPT(HELLO, "S: 250 relay.test", "E: MAIL FROM:<>", "S: 250 ok", "E: RCPT TO:<a@relay.test>",
           "S: 250 2.1.5 ok", "E: RSET", "S: 250 ok", "E: MAIL FROM:<>", "S: 250 ok",
           "E: RCPT TO:<b@relay.test>", "S: 550-5.1.1 no", "S: 550 such user", "E: RSET",
           "S: 250 ok", "E: MAIL FROM:<>", "S: 450 4.3.2 not now", "E: RSET", "S: 250 ok",
           "E: MAIL FROM:<>", "S: 250 ok", "E: RCPT TO:<d@relay.test>", "S: 550 no code", "E: RSET",
           "S: 250 ok", "E: QUIT", "S: 221 bye");
    run();
    expect(0, PROBE_ACCEPTED, "2.1.5", "250 2.1.5 ok");
    expect(1, PROBE_REFUSED, "5.1.1", "550 5.1.1 no such user");
    expect(2, PROBE_UNKNOWN, "4.3.2", "in reply to MAIL");
    expect(3, PROBE_REFUSED, "", "550 no code");
    assert_false(out.job.unreachable);
    end();
}

/* All commands of a batch in one go, the next batch over the same connection. */
static void pipelined(void)
{
    begin(2, NAMES("a@relay.test", "b@relay.test", "c@relay.test"));
    out.job.sender = STR("checks@example.test");
    SCRIPT(HELLO, "S: 250-relay.test", "S: 250 PIPELINING", "E: MAIL FROM:<checks@example.test>",
           "E: RCPT TO:<a@relay.test>", "E: RSET", "E: MAIL FROM:<checks@example.test>",
           "E: RCPT TO:<b@relay.test>", "E: RSET", "S: 250 ok", "S: 251 forwards", "S: 250 ok",
           "S: 550 5.7.1 not you", "S: 503 5.5.1 MAIL first", "S: 250 ok",
           "E: MAIL FROM:<checks@example.test>", "E: RCPT TO:<c@relay.test>", "E: RSET",
           "S: 250 ok", "S: 553 5.1.3 what name is that", "S: 250 ok", "E: QUIT", "S: 221 bye");
    run();
    expect(0, PROBE_ACCEPTED, "", "251");
    expect(1, PROBE_UNKNOWN, "5.7.1", "not you");
    expect(2, PROBE_REFUSED, "5.1.3", "what name");
    end();
}

/* What is not about the address. */
static void other_refusals(void)
{
    begin(10, NAMES("a@relay.test", "b@relay.test", "c@relay.test", "d@relay.test"));
    SCRIPT(HELLO, "S: 250-relay.test", "S: 250 PIPELINING", "C: MAIL", "C: RCPT", "C: RSET",
           "C: MAIL", "C: RCPT", "C: RSET", "C: MAIL", "C: RCPT", "C: RSET", "C: MAIL", "C: RCPT",
           "C: RSET", "S: 250 ok", "S: 552 5.2.2 full", "S: 250 ok", "S: 250 ok",
           "S: 530 5.7.0 STARTTLS first", "S: 250 ok", "S: 250 ok", "S: 550 5.2.2 quota",
           "S: 250 ok", "S: 250 ok", "S: 503 bad sequence", "S: 250 ok", "E: QUIT", "S: 221 bye");
    run();
    expect(0, PROBE_UNKNOWN, "5.2.2", "full");
    expect(1, PROBE_UNKNOWN, "5.7.0", "STARTTLS first");
    expect(2, PROBE_UNKNOWN, "5.2.2", "quota");
    expect(3, PROBE_UNKNOWN, "", "bad sequence");
    end();
}

/* A server that ends the connection after a few is asked for the others over the next one. */
static void connection_ends(void)
{
    begin(10, NAMES("a@relay.test", "b@relay.test", "c@relay.test"));
    SCRIPT(HELLO, "S: 250 relay.test", "C: MAIL", "S: 250 ok", "E: RCPT TO:<a@relay.test>",
           "S: 250 ok", "C: RSET", "S: 250 ok", "C: MAIL", "S: 421 4.7.0 enough");
    SCRIPT(HELLO, "S: 250 relay.test", "C: MAIL", "S: 250 ok", "E: RCPT TO:<c@relay.test>",
           "S: 550 5.1.1 no", "C: RSET", "S: 250 ok", "E: QUIT", "S: 221 bye");
    run();
    expect(0, PROBE_ACCEPTED, "", "250 ok");
    expect(1, PROBE_UNKNOWN, "4.7.0", "421");
    expect(2, PROBE_REFUSED, "5.1.1", "550");
    end();
}

/* One that ends it at once is not asked again and again. */
static void connection_breaks(void)
{
    begin(10, NAMES("a@relay.test", "b@relay.test"));
    SCRIPT(HELLO, "S: 250 relay.test", "C: MAIL");
    run();
    expect(0, PROBE_UNKNOWN, "4.4.2", "lost the connection");
    expect(1, PROBE_UNKNOWN, "4.4.2", "lost the connection");
    end();
}

static void garbage(void)
{
    begin(10, NAMES("a@relay.test"));
    SCRIPT(HELLO, "S: 250 relay.test", "C: MAIL", "S: 250 ok", "C: RCPT", "S: hello, who is it?");
    run();
    expect(0, PROBE_UNKNOWN, "4.5.0", "does not speak SMTP");
    end();
}

static void unreachable(void)
{
    begin(10, NAMES("a@relay.test"));
    SCRIPT("S: 554 5.7.1 no service here");
    run();
    assert_true(out.job.unreachable);
    assert_true(str_find(out.job.why, STR("no service here")) >= 0);
    assert_int_equal(out.given, 0);
    out.job.where.next_hop = next_hop_by_mx();
    run();
    assert_true(out.job.unreachable);
    assert_true(str_find(out.job.why, STR("SERVFAIL")) >= 0);
    end();
}

static void international(void)
{
    begin(10, NAMES("j\xc3\xbcrgen@relay.test", "a@relay.test"));
    SCRIPT(HELLO, "S: 250 relay.test", "C: MAIL", "S: 250 ok", "E: RCPT TO:<a@relay.test>",
           "S: 250 ok", "C: RSET", "S: 250 ok", "E: QUIT", "S: 221 bye");
    run();
    expect(0, PROBE_REFUSED, "5.6.7", "international");
    expect(1, PROBE_ACCEPTED, "", "250 ok");
    end();
    begin(10, NAMES("j\xc3\xbcrgen@relay.test"));
    SCRIPT(HELLO, "S: 250-relay.test", "S: 250 SMTPUTF8", "E: MAIL FROM:<> SMTPUTF8", "S: 250 ok",
           "E: RCPT TO:<j\xc3\xbcrgen@relay.test>", "S: 250 ok", "C: RSET", "S: 250 ok", "E: QUIT",
           "S: 221 bye");
    run();
    expect(0, PROBE_ACCEPTED, "", "250 ok");
    end();
}

#define LOOP_TEST(name)                                                                            \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        in_loop(name);                                                                             \
    }

LOOP_TEST(in_turn)
LOOP_TEST(pipelined)
LOOP_TEST(other_refusals)
LOOP_TEST(connection_ends)
LOOP_TEST(connection_breaks)
LOOP_TEST(garbage)
LOOP_TEST(unreachable)
LOOP_TEST(international)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_turn),           cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_other_refusals),    cmocka_unit_test(test_connection_ends),
        cmocka_unit_test(test_connection_breaks), cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_unreachable),       cmocka_unit_test(test_international),
    };
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
