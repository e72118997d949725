#pragma once
/*
 * What tests of the SMTP client share. The queue and DNS are replaced by functions of the same
 * names here: they hand out the messages and the records of the test.
 */
#include "smtp/smtp_client.h"

#include "core/log.h"
#include "queue/transport.h"
#include "smtp/plain_dns.h"
#include "smtp/scripted_server.h"

/* --- the queue --- */

static void (*deliver)(void *arg, struct transport_job *job);
static void *deliver_arg;

void queue_set_transport(struct queue *q, void (*fn)(void *arg, struct transport_job *job),
                         void *arg)
{
    (void)q;
    deliver = fn;
    deliver_arg = arg;
}

static struct {
    struct arena *arena;
    struct queue_settings settings;
    struct smtp_client_settings timeouts;
    struct transport_job job;
    struct transport_message messages[8];
    size_t message_count, next;
    char relay[40];
    const char *relay_item;
} out;

void transport_connected(struct transport_job *job)
{
    (void)job;
}

struct transport_message *transport_next(struct transport_job *job)
{
    job->message = out.next < out.message_count ? &out.messages[out.next++] : NULL;
    return job->message;
}

/* --- DNS --- */

static struct {
    enum dns_status mx_status, address_status;
    struct dns_mx mx[4];
    size_t mx_count;
    bool nxdomain;
    const char *dead_host;    /* has an address where nobody listens */
    const char *addresses[4]; /* of the others; none: 127.0.0.1 */
} dns_fake;

enum dns_status dns_mx(struct dns *d, struct str name, struct arena *a, struct dns_answer *answer,
                       struct err *e)
{
    (void)d;
    (void)name;
    (void)a;
    answer->mx = dns_fake.mx;
    answer->count = dns_fake.mx_count;
    answer->nxdomain = dns_fake.nxdomain;
    err_set(e, ERR_TEMP, "SERVFAIL");
    return dns_fake.mx_status;
}

enum dns_status dns_addresses(struct dns *d, struct str name, struct arena *a,
                              struct dns_answer *answer, struct err *e)
{
    (void)d;
    bool dead = dns_fake.dead_host && str_equal(name, str_from_c(dns_fake.dead_host));
    const char *const only[4] = {dead ? "127.0.0.99" : "127.0.0.1"};
    const char *const *list = dead || !dns_fake.addresses[0] ? only : dns_fake.addresses;
    answer->addresses = arena_array(a, 4, sizeof(*answer->addresses));
    for (answer->count = 0; answer->count < 4 && list[answer->count]; answer->count++)
        snprintf(answer->addresses[answer->count].text, sizeof(answer->addresses->text), "%s",
                 list[answer->count]);
    answer->nxdomain = dns_fake.nxdomain;
    err_set(e, ERR_TEMP, "SERVFAIL");
    return dns_fake.address_status;
}

/* --- a test --- */

static inline void over_relay(const char *host)
{
    out.relay_item = host;
    out.job.next_hop.by_mx = false;
    out.job.next_hop.own_choice = true;
    out.job.next_hop.hosts = (struct string_list){&out.relay_item, 1};
}

static inline void begin(void)
{
    struct err e;
    assert_true(log_open("/dev/null", LOG_LEVEL_INFO, &e));
    server_start();
    memset(&out, 0, sizeof(out));
    memset(&dns_fake, 0, sizeof(dns_fake));
    out.arena = arena_new();
    usec t = 5 * USEC_SEC;
    out.timeouts = (struct smtp_client_settings){.connect_timeout = t,
                                                 .greeting_timeout = t,
                                                 .hello_timeout = t,
                                                 .mail_timeout = t,
                                                 .recipient_timeout = t,
                                                 .data_timeout = t,
                                                 .data_block_timeout = t,
                                                 .data_end_timeout = t,
                                                 .quit_timeout = t,
                                                 .connect_stagger = 20 * USEC_MSEC,
                                                 .silent_time = 60 * USEC_SEC,
                                                 .transaction_timeout = 60 * USEC_SEC,
                                                 .rate_min = 500};
    snprintf(out.relay, sizeof(out.relay), "[127.0.0.1]:%u", server.port);
    out.settings = (struct queue_settings){.smtp_port = server.port};
    out.job = (struct transport_job){.settings = &out.settings,
                                     .tls = tls_client,
                                     .loop = loop,
                                     .hostname = "mail.example.test",
                                     .destination = STR("far.test"),
                                     .next_hop = next_hop_by_mx()};
    over_relay(out.relay);
}

static inline void by_mx(void)
{
    out.job.next_hop = next_hop_by_mx();
    dns_fake.mx[0] = (struct dns_mx){10, STR("mx.far.test")};
    dns_fake.mx_count = 1;
}

static inline struct transport_message *message_to(const char *body, const char *const *recipients,
                                                   size_t count)
{
    struct transport_message *m = &out.messages[out.message_count++];
    struct err e;
    static const struct envelope_options nothing = {.priority = 0};
    *m = (struct transport_message){.id = "TESTID",
                                    .options = &nothing,
                                    .sender = STR("alice@example.test"),
                                    .prefix = STR("Received: here\n"),
                                    .arena = out.arena,
                                    .recipient_count = count};
    m->recipients = arena_array(out.arena, count, sizeof(*m->recipients));
    for (size_t i = 0; i < count; i++)
        m->recipients[i].address = str_from_c(recipients[i]);
    m->body = spool_new("/nonexistent", m->id);
    assert_true(spool_write(m->body, str_from_c(body), &e));
    m->size_crlf = strlen(body) + 15;
    return m;
}

static inline struct transport_message *message(const char *body, const char *first,
                                                const char *second)
{
    const char *const recipients[] = {first, second};
    return message_to(body, recipients, second ? 2 : 1);
}

static inline void run_with(struct smtp_client *c)
{
    (void)c;
    out.job.message = &out.messages[0];
    out.next = 1;
    deliver(deliver_arg, &out.job);
}

static inline void run(void)
{
    struct smtp_client *c = smtp_client_new(NULL, &out.timeouts);
    run_with(c);
    smtp_client_free(c);
}

static inline void end(void)
{
    for (size_t i = 0; i < out.message_count; i++)
        spool_unref(out.messages[i].body);
    arena_free(out.arena);
    server_stop();
}

static inline void expect(const struct transport_message *m, size_t i, enum transport_status status,
                          const char *code, const char *text)
{
    const struct transport_recipient *r = &m->recipients[i];
    char got[1100];
    snprintf(got, sizeof(got), "%.*s", STR_ARG(r->text));
    if (r->status != status || !strstr(got, text) || !str_equal(r->code, str_from_c(code)))
        fail_msg("recipient %zu: status %d code %.*s: %s", i, r->status, STR_ARG(r->code), got);
}

#define HELLO "S: 220 mx.far.test", "C: EHLO mail.example.test"
#define PLAIN HELLO, "S: 250 mx.far.test"
#define PIPELINED                                                                                  \
    HELLO, "S: 250-mx.far.test hello", "S: 250-PIPELINING", "S: 250-SIZE 1000000",                 \
        "S: 250-8BITMIME", "S: 250-SMTPUTF8", "S: 250 ENHANCEDSTATUSCODES"
#define MAIL "C: MAIL FROM:<alice@example.test>", "S: 250 2.1.0 ok"
#define BYE  "C: QUIT", "S: 221 bye"

#define LOOP_TEST(name)                                                                            \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        in_loop(name);                                                                             \
    }
