/* The SMTP client against scripted servers: the ordinary ways, refusals, broken connections, TLS.
 */
#include "smtp/client_test.h"

/* --- the ordinary way --- */

static void in_turn(void)
{
    begin();
    SCRIPT(PLAIN, MAIL, "C: RCPT TO:<x@far.test>", "S: 250 ok", "C: RCPT TO:<y@far.test>",
           "S: 250 ok", "C: DATA", "S: 354 go", "DATA", "S: 250 2.0.0 taken as 4711", BYE);
    struct transport_message *m =
        message("Subject: x\n\n.dot\n..\nlast line", "x@far.test", "y@far.test");
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 2.0.0 taken as 4711");
    expect(m, 1, TRANSPORT_DELIVERED, "2.0.0", "250 2.0.0 taken as 4711");
    assert_null(m->tls);
    assert_false(m->destination_failed);
    assert_string_equal(buf_c(&server.data),
                        "Received: here\r\nSubject: x\r\n\r\n..dot\r\n...\r\nlast line\r\n");
    char relay[60];
    snprintf(relay, sizeof(relay), "127.0.0.1[127.0.0.1]:%u", server.port);
    assert_true(str_equal(m->recipients[0].relay, str_from_c(relay)));
    end();
}

static void pipelined(void)
{
    begin();
    SCRIPT(PIPELINED, "C: MAIL FROM:<alice@example.test> SIZE=20 BODY=8BITMIME SMTPUTF8",
           "C: RCPT TO:<x@far.test>", "C: RCPT TO:<y@far.test>", "C: DATA",
           "R: 250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no such user\r\n354 go\r\n", "DATA",
           "S: 250 taken", "E: MAIL FROM:<alice@example.test> SIZE=21", "C: RCPT TO:<z@far.test>",
           "C: DATA", "R: 250 ok\r\n250 ok\r\n354 go\r\n", "DATA", "S: 250 taken", BYE);
    struct transport_message *m = message("body\n", "x@far.test", "y@far.test");
    struct transport_message *n = message("second", "z@far.test", NULL);
    m->body_8bit = m->smtputf8 = true;
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 taken");
    expect(m, 1, TRANSPORT_FAILED, "5.1.1", "550 5.1.1 no such user (in reply to RCPT)");
    expect(n, 0, TRANSPORT_DELIVERED, "2.0.0", "250 taken");
    end();
}

static void helo(void)
{
    begin();
    SCRIPT(HELLO, "S: 502 what", "C: HELO mail.example.test", "S: 250-mx.far.test",
           "S: 250 PIPELINING", MAIL, "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go", "DATA",
           "S: 250 ok", BYE);
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void long_replies(void)
{
    begin();
    SCRIPT("S: 220-welcome", "S: 220-to us", "S: 220", "C: EHLO", "S: 250-mx.far.test",
           "S: 250-X-ANYTHING at all", "S: 250", "C: MAIL", "S: 250-2.1.0 fine",
           "S: 250 2.1.0 really", "C: RCPT", "S: 550-5.7.1 we do not", "S: 550-5.7.1 like\tyou",
           "S: 550 5.7.1 \x01\xff", "C: QUIT");
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.7.1",
           "550 5.7.1 we do not 5.7.1 like?you 5.7.1 ?? (in reply to RCPT)");
    end();
}

/* --- refusals --- */

static void refused_at_mail(void)
{
    begin();
    SCRIPT(PIPELINED, "C: MAIL", "C: RCPT", "C: DATA",
           "R: 450 4.7.1 greylisted\r\n503 no\r\n503 no\r\n", "C: RSET", "S: 250 ok", "C: MAIL",
           "C: RCPT", "C: DATA", "R: 550 5.7.1 never\r\n503 no\r\n354 what\r\n", "C: .",
           "S: 554 no recipients", BYE);
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    struct transport_message *n = message("body\n", "y@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.7.1", "450 4.7.1 greylisted (in reply to MAIL)");
    assert_false(m->destination_failed);
    expect(n, 0, TRANSPORT_FAILED, "5.7.1", "550 5.7.1 never (in reply to MAIL)");
    end();
}

static void refused_at_data(void)
{
    begin();
    SCRIPT(PLAIN, MAIL, "C: RCPT", "S: 250 ok", "C: RCPT", "S: 552 5.2.2 full", "C: DATA",
           "S: 451 4.3.0 disk", "C: RSET", "S: 250 ok", MAIL, "C: RCPT", "S: 250 ok", "C: DATA",
           "S: 250 hm");
    struct transport_message *m = message("body\n", "x@far.test", "y@far.test");
    struct transport_message *n = message("body\n", "z@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.3.0", "451 4.3.0 disk (in reply to DATA)");
    expect(m, 1, TRANSPORT_DEFERRED, "4.2.2", "552 5.2.2 full");
    expect(n, 0, TRANSPORT_DEFERRED, "4.5.0", "answers DATA with 250");
    end();
}

static void refused_at_the_dot(void)
{
    begin();
    SCRIPT(PLAIN, MAIL, "C: RCPT", "S: 250 ok", "C: RCPT", "S: 451 4.2.1 later", "C: DATA",
           "S: 354 go", "DATA", "S: 554 5.7.1 spam", BYE);
    struct transport_message *m = message("body\n", "x@far.test", "y@far.test");
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.7.1", "554 5.7.1 spam (in reply to the end of the message)");
    expect(m, 1, TRANSPORT_DEFERRED, "4.2.1", "451 4.2.1 later");
    end();
}

static void abilities(void)
{
    begin();
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 SIZE 25", "C: RCPT", BYE);
    server.scripts[0] =
        (const char *const[]){HELLO, "S: 250-mx.far.test", "S: 250 SIZE 25", BYE, NULL};
    struct transport_message *m = message("longer than that\n", "x@far.test", NULL);
    struct transport_message *eight = message("caf\xc3\xa9\n", "x@far.test", NULL);
    struct transport_message *address = message("x\n", "caf\xc3\xa9@far.test", NULL);
    struct transport_message *sender = message("x\n", "x@far.test", NULL);
    eight->body_8bit = true;
    sender->sender = STR("caf\xc3\xa9@example.test");
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.3.4", "takes 25 at most");
    expect(eight, 0, TRANSPORT_FAILED, "5.6.3", "8-bit");
    expect(address, 0, TRANSPORT_FAILED, "5.6.7", "international");
    expect(sender, 0, TRANSPORT_FAILED, "5.6.7", "international");
    end();
}

static void declared_but_not_needed(void)
{
    begin();
    SCRIPT(PLAIN, "E: MAIL FROM:<alice@example.test>", "S: 250 ok", "C: RCPT", "S: 250 ok",
           "C: DATA", "S: 354 go", "DATA", "S: 250 ok", BYE);
    struct transport_message *m = message("Subject: plain\n\nplain\n", "x@far.test", NULL);
    m->smtputf8 = m->body_8bit = true;
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

/* --- broken connections --- */

static void reply_lost_after_the_dot(void)
{
    begin();
    by_mx();
    dns_fake.mx[1] = (struct dns_mx){20, STR("mx2.far.test")};
    dns_fake.mx_count = 2;
    /* No second connection: the message may be there already. */
    SCRIPT(PLAIN, MAIL, "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go", "DATA");
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.4.2", "lost the connection");
    assert_false(m->destination_failed);
    end();
}

static void next_host_when_it_breaks(void)
{
    begin();
    by_mx();
    dns_fake.mx[1] = (struct dns_mx){20, STR("mx2.far.test")};
    dns_fake.mx[2] = (struct dns_mx){30, STR("mx3.far.test")};
    dns_fake.mx[3] = (struct dns_mx){40, STR("mx4.far.test")};
    dns_fake.mx_count = 4;
    SCRIPT("S: 554 go away");
    SCRIPT(PLAIN, MAIL, "C: RCPT", "S: 550 5.1.1 no", "C: RCPT", "S: 421 4.3.2 closing");
    SCRIPT(PLAIN, MAIL, "C: RCPT TO:<y@far.test>", "S: 250 ok", "C: DATA");
    SCRIPT(PLAIN, MAIL, "C: RCPT TO:<y@far.test>", "S: 250 ok", "C: DATA", "S: 354 go", "DATA",
           "S: 250 ok", BYE);
    struct transport_message *m = message("body\n", "x@far.test", "y@far.test");
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.1.1", "550 5.1.1 no");
    expect(m, 1, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void server_tires_between_messages(void)
{
    begin();
    SCRIPT(PLAIN, MAIL, "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go", "DATA", "S: 250 ok",
           "C: MAIL", "S: 421 enough");
    SCRIPT(PLAIN, MAIL, "C: RCPT TO:<y@far.test>", "S: 250 ok", "C: DATA", "S: 354 go", "DATA",
           "S: 250 ok", BYE);
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    struct transport_message *n = message("body\n", "y@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    expect(n, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void no_server(void)
{
    begin();
    by_mx();
    SCRIPT("S: 421 not today");
    dns_fake.dead_host = "mx0.far.test";
    dns_fake.mx[1] = dns_fake.mx[0];
    dns_fake.mx[0] = (struct dns_mx){5, STR("mx0.far.test")};
    dns_fake.mx_count = 2;
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "", "421 not today");
    assert_true(m->destination_failed);
    end();
}

static void not_smtp(void)
{
    begin();
    SCRIPT("S: SSH-2.0-OpenSSH_9.2");
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.5.0", "does not speak SMTP");
    end();
}

static void endless_replies(void)
{
    static char line[2100];
    static const char *many[150] = {"S: 220 mx", "C: EHLO"};
    begin();
    by_mx();
    dns_fake.mx[1] = (struct dns_mx){20, STR("mx2.far.test")};
    dns_fake.mx_count = 2;
    memset(line, 'x', sizeof(line) - 1);
    memcpy(line, "S: 220 ", 7);
    SCRIPT(line, "HANG");
    for (size_t i = 2; i < 149; i++)
        many[i] = "S: 250-AND-SO-ON";
    server.scripts[server.scripted++] = many;
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.5.0", "does not speak SMTP (EHLO)");
    end();
}

static void slow_servers(void)
{
    begin();
    by_mx();
    out.timeouts.greeting_timeout = out.timeouts.mail_timeout = 50 * USEC_MSEC;
    out.timeouts.silent_time = 0; /* both have the same address */
    dns_fake.mx[1] = (struct dns_mx){20, STR("mx2.far.test")};
    dns_fake.mx_count = 2;
    SCRIPT("HANG");
    SCRIPT(PLAIN, "C: MAIL", "HANG");
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.4.2", "lost the connection");
    end();
}

/* --- where to --- */

static void no_way(void)
{
    static const struct {
        enum dns_status mx, address;
        bool nxdomain;
        const char *host; /* of one MX record; NULL: none */
        enum transport_status status;
        const char *code;
    } cases[] = {
        {DNS_TEMPFAIL, DNS_TEMPFAIL, false, NULL, TRANSPORT_DEFERRED, "4.4.3"},
        {DNS_NOT_FOUND, DNS_NOT_FOUND, true, NULL, TRANSPORT_FAILED, "5.1.2"},
        {DNS_NOT_FOUND, DNS_NOT_FOUND, false, NULL, TRANSPORT_FAILED, "5.4.4"},
        {DNS_NOT_FOUND, DNS_TEMPFAIL, false, NULL, TRANSPORT_DEFERRED, "4.4.3"},
        {DNS_FOUND, DNS_FOUND, false, "", TRANSPORT_FAILED, "5.1.10"},
        {DNS_FOUND, DNS_NOT_FOUND, false, "mx.far.test", TRANSPORT_FAILED, "5.4.4"},
        {DNS_FOUND, DNS_TEMPFAIL, false, "mx.far.test", TRANSPORT_DEFERRED, "4.4.3"},
        {DNS_FOUND, DNS_FOUND, false, "MAIL.example.test", TRANSPORT_FAILED, "5.4.6"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        begin();
        out.job.next_hop = next_hop_by_mx();
        dns_fake.mx_status = cases[i].mx;
        dns_fake.address_status = cases[i].address;
        dns_fake.nxdomain = cases[i].nxdomain;
        dns_fake.mx_count = cases[i].host != NULL;
        dns_fake.mx[0].host = str_from_c(cases[i].host);
        struct transport_message *m = message("body\n", "x@far.test", NULL);
        run();
        expect(m, 0, cases[i].status, cases[i].code, "");
        assert_int_equal(m->destination_failed, cases[i].status == TRANSPORT_DEFERRED);
        end();
    }
}

static void address_without_mx(void)
{
    begin();
    by_mx();
    dns_fake.mx_status = DNS_NOT_FOUND;
    SCRIPT(PLAIN, MAIL, "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go", "DATA", "S: 250 ok", BYE);
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void ourselves(void)
{
    begin();
    by_mx();
    SCRIPT(HELLO, "S: 250 Mail.Example.Test greets you");
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.4.6", "circles");
    end();
}

/* --- TLS --- */

#define TLS_HELLO HELLO, "S: 250-mx.far.test", "S: 250-PIPELINING", "S: 250 STARTTLS"
#define TLS_START "C: STARTTLS", "S: 220 go", "TLS", "C: EHLO mail.example.test"
#define REST      MAIL, "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go", "DATA", "S: 250 ok", BYE

static void opportunistic_tls(void)
{
    begin();
    by_mx();
    SCRIPT(TLS_HELLO, TLS_START, "S: 250 mx.far.test", REST);
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    assert_string_equal(m->tls, "TLSv1.3");
    end();
}

static void broken_tls(void)
{
    begin();
    by_mx();
    SCRIPT(TLS_HELLO, "C: STARTTLS", "S: 220 go", "S: this is no handshake", "HANG");
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 STARTTLS", REST);
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    assert_null(m->tls);
    end();
}

static void injected_before_tls(void)
{
    begin();
    by_mx();
    SCRIPT(TLS_HELLO, "C: STARTTLS", "R: 220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n");
    SCRIPT(PLAIN, REST);
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void tls_refused(void)
{
    begin();
    by_mx();
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 STARTTLS", "C: STARTTLS", "S: 454 no key", REST);
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void relay_with_login(void)
{
    begin();
    out.job.next_hop.tls = NEXT_HOP_TLS_VERIFY;
    out.job.next_hop.user = "alice";
    out.job.next_hop.password = "secret";
    SCRIPT(TLS_HELLO, TLS_START, "S: 250-mx.far.test", "S: 250 AUTH LOGIN PLAIN",
           "C: AUTH PLAIN AGFsaWNlAHNlY3JldA==", "S: 235 welcome", REST);
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    assert_string_equal(m->tls, "TLSv1.3");
    end();
}

static void relay_login_refused(void)
{
    begin();
    out.job.next_hop.tls = NEXT_HOP_TLS_VERIFY;
    out.job.next_hop.user = "alice";
    out.job.next_hop.password = "wrong";
    SCRIPT(TLS_HELLO, TLS_START, "S: 250-mx.far.test", "S: 250 AUTH PLAIN", "C: AUTH PLAIN",
           "S: 535 5.7.8 wrong");
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.7.8", "535 5.7.8 wrong");
    end();
}

static void relay_without_tls(void)
{
    begin();
    out.job.next_hop.tls = NEXT_HOP_TLS_VERIFY;
    out.job.next_hop.user = "alice";
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 AUTH PLAIN");
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.7.4", "TLS is required");
    end();
}

static void relay_with_wrong_name(void)
{
    begin();
    char relay[60];
    snprintf(relay, sizeof(relay), "other.test:%u", server.port);
    over_relay(relay);
    out.job.next_hop.tls = NEXT_HOP_TLS_VERIFY;
    SCRIPT(TLS_HELLO, "C: STARTTLS", "S: 220 go", "TLS");
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.7.5", "TLS with other.test");
    end();
}

#define TESTS(X)                                                                                   \
    X(in_turn)                                                                                     \
    X(pipelined)                                                                                   \
    X(helo)                                                                                        \
    X(long_replies)                                                                                \
    X(refused_at_mail)                                                                             \
    X(refused_at_data)                                                                             \
    X(refused_at_the_dot)                                                                          \
    X(abilities)                                                                                   \
    X(declared_but_not_needed)                                                                     \
    X(reply_lost_after_the_dot)                                                                    \
    X(next_host_when_it_breaks)                                                                    \
    X(server_tires_between_messages)                                                               \
    X(no_server)                                                                                   \
    X(not_smtp)                                                                                    \
    X(endless_replies)                                                                             \
    X(slow_servers)                                                                                \
    X(no_way)                                                                                      \
    X(address_without_mx)                                                                          \
    X(ourselves)                                                                                   \
    X(opportunistic_tls)                                                                           \
    X(broken_tls)                                                                                  \
    X(injected_before_tls)                                                                         \
    X(tls_refused)                                                                                 \
    X(relay_with_login)                                                                            \
    X(relay_login_refused)                                                                         \
    X(relay_without_tls)                                                                           \
    X(relay_with_wrong_name)

TESTS(LOOP_TEST)

int main(void)
{
#define ENTRY(name) cmocka_unit_test(test_##name),
    const struct CMUnitTest tests[] = {TESTS(ENTRY)};
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
