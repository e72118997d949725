/* The SMTP client against scripted servers: chunks, limits, LMTP, kept connections, time. */
#include "smtp/client_test.h"

#define CHUNKED  HELLO, "S: 250-mx.far.test", "S: 250-PIPELINING", "S: 250 CHUNKING"
#define RCPT(to) "C: RCPT TO:<" to "@far.test>"
#define TO(to)   RCPT(to), "S: 250 ok"
#define SENT     "C: DATA", "S: 354 go", "DATA", "S: 250 ok"

static void expect_data(const char *text)
{
    assert_string_equal(buf_c(&server.data), text);
}

/* --- chunks (RFC 3030) --- */

static void chunk_at_once(void)
{
    begin();
    SCRIPT(CHUNKED, "C: MAIL", RCPT("x"), RCPT("y"), "LAST",
           "R: 250 ok\r\n550 5.1.1 no\r\n250 ok\r\n250 2.0.0 taken\r\n", "C: MAIL", RCPT("z"),
           "LAST", "R: 250 ok\r\n250 ok\r\n451 4.3.0 later\r\n", "C: MAIL", RCPT("w"), "LAST",
           "R: 250 ok\r\n250 ok\r\n250 ok\r\n", BYE);
    struct transport_message *m =
        message("Subject: x\n\n.dot\n.\r\nlast", "x@far.test", "y@far.test");
    struct transport_message *n = message("second\n", "z@far.test", NULL);
    struct transport_message *o = message("", "w@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.1.1", "550 5.1.1 no (in reply to RCPT)");
    expect(m, 1, TRANSPORT_DELIVERED, "2.0.0", "250 2.0.0 taken");
    expect(n, 0, TRANSPORT_DEFERRED, "4.3.0", "451 4.3.0 later");
    expect(o, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    expect_data("Received: here\r\nSubject: x\r\n\r\n.dot\r\n.\r\nlast\r\n"
                "Received: here\r\nsecond\r\n"
                "Received: here\r\n");
    end();
}

static void chunk_nobody_wants(void)
{
    begin();
    SCRIPT(CHUNKED, "C: MAIL", RCPT("x"), "LAST", "R: 550 5.7.1 you\r\n503 no\r\n503 no\r\n",
           "C: RSET", "S: 250 ok", "C: MAIL", RCPT("y"), "LAST",
           "R: 250 ok\r\n550 5.1.1 no\r\n503 5.5.1 for nobody\r\n", "C: RSET", "S: 250 ok",
           "C: MAIL", RCPT("z"), "LAST", "R: 250 ok\r\n250 ok\r\n250 ok\r\n", BYE);
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    struct transport_message *n = message("2\n", "y@far.test", NULL);
    struct transport_message *o = message("3\n", "z@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.7.1", "550 5.7.1 you (in reply to MAIL)");
    expect(n, 0, TRANSPORT_FAILED, "5.1.1", "550 5.1.1 no (in reply to RCPT)");
    expect(o, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void chunk_in_turn(void)
{
    begin();
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 CHUNKING", MAIL, TO("x"), "LAST", "S: 250 ok", MAIL,
           RCPT("y"), "S: 550 5.1.1 no", "C: QUIT");
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    struct transport_message *n = message("body\n", "y@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    expect(n, 0, TRANSPORT_FAILED, "5.1.1", "no");
    end();
}

/* n lines of 100 bytes. */
static char *large(size_t n)
{
    char *text = mem_alloc(n * 100 + 1);
    memset(text, 'x', n * 100);
    for (size_t i = 1; i <= n; i++)
        text[i * 100 - 1] = '\n';
    text[n * 100] = '\0';
    return text;
}

static void chunks_of_a_large_message(void)
{
    begin();
    char *text = large(1500);
    SCRIPT(CHUNKED, "C: MAIL", RCPT("x"), RCPT("y"), "R: 250 ok\r\n250 ok\r\n451 4.2.1 later\r\n",
           "BDAT", "BDAT", "R: 250 ok\r\n250 ok\r\n", "LAST", "S: 250 taken", BYE);
    struct transport_message *m = message(text, "x@far.test", "y@far.test");
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 taken");
    expect(m, 1, TRANSPORT_DEFERRED, "4.2.1", "451 4.2.1 later");
    assert_int_equal(server.data.n, strlen(text) + 1500 + strlen("Received: here\r\n"));
    free(text);
    end();
}

static void chunks_that_are_refused(void)
{
    begin();
    char *text = large(1500);
    /* In turn the server is asked before the rest is sent, and the connection stays. */
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 CHUNKING", MAIL, TO("x"), "BDAT",
           "S: 552 5.3.4 too large", "C: RSET", "S: 250 ok", MAIL, TO("y"), "LAST", "S: 250 ok",
           BYE);
    struct transport_message *m = message(text, "x@far.test", NULL);
    struct transport_message *n = message("small\n", "y@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.3.4", "552 5.3.4 too large (in reply to BDAT)");
    expect(n, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    free(text);
    end();
}

static void connection_breaks_in_a_chunk(void)
{
    begin();
    char *text = large(1500);
    by_mx();
    dns_fake.mx[1] = (struct dns_mx){20, STR("mx2.far.test")};
    dns_fake.mx_count = 2;
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 CHUNKING", MAIL, TO("x"), "BDAT", "S: 250 ok",
           "BDAT");
    SCRIPT(CHUNKED, "C: MAIL", RCPT("x"), "R: 250 ok\r\n250 ok\r\n", "BDAT", "BDAT",
           "R: 250 ok\r\n250 ok\r\n", "LAST", "S: 250 taken", BYE);
    struct transport_message *m = message(text, "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 taken");
    free(text);
    end();
}

/* Offered, and not known. */
static void chunks_that_nobody_knows(void)
{
    begin();
    SCRIPT(CHUNKED, "C: MAIL", RCPT("x"), "LAST", "R: 250 ok\r\n250 ok\r\n502 5.5.1 BDAT?\r\n");
    SCRIPT(CHUNKED, "C: MAIL", RCPT("x"), "C: DATA", "R: 250 ok\r\n250 ok\r\n354 go\r\n", "DATA",
           "S: 250 taken", BYE);
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 taken");
    end();
}

/* --- doubt --- */

static void reply_lost(const char *const *script, bool second_connection)
{
    static const char *const takes_it[] = {
        CHUNKED, "C: MAIL", RCPT("x"), "LAST", "R: 250 ok\r\n250 ok\r\n250 taken\r\n", BYE, NULL};
    begin();
    by_mx();
    dns_fake.mx[1] = (struct dns_mx){20, STR("mx2.far.test")};
    dns_fake.mx_count = 2;
    server.scripts[server.scripted++] = script;
    if (second_connection)
        server.scripts[server.scripted++] = takes_it;
    struct transport_message *m = message("body\n", "x@far.test", NULL);
    run();
    if (second_connection)
        expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 taken");
    else
        expect(m, 0, TRANSPORT_DEFERRED, "4.4.2", "lost the connection");
    assert_false(m->destination_failed);
    end();
}

static void replies_lost(void)
{
    static const char *const last[] = {
        CHUNKED, "C: MAIL", RCPT("x"), "LAST", "R: 250 ok\r\n250 ok\r\n", NULL};
    static const char *const all[] = {CHUNKED, "C: MAIL", RCPT("x"), "LAST", NULL};
    static const char *const before[] = {
        CHUNKED, "C: MAIL", RCPT("x"), "LAST", "R: 250 ok\r\n421 4.3.2 going down\r\n", NULL};
    static const char *const at_mail[] = {
        CHUNKED, "C: MAIL", RCPT("x"), "LAST", "R: 421 4.3.2 going down\r\n", NULL};
    reply_lost(last, false);
    reply_lost(all, false);
    reply_lost(before, true);
    reply_lost(at_mail, true);
}

/* --- kept connections --- */

static void ended_while_it_waited(void)
{
    begin();
    SCRIPT(PLAIN, MAIL, TO("x"), SENT);
    SCRIPT(PLAIN, MAIL, TO("y"), SENT, "S: 421 4.4.2 idle for too long");
    SCRIPT(PLAIN, MAIL, TO("z"), SENT, BYE);
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    struct transport_message *n = message("2\n", "y@far.test", NULL);
    struct transport_message *o = message("3\n", "z@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    expect(n, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    expect(o, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

/* It ends with the message on its way, without a word: it had ended before. */
static void ended_at_the_second_message(void)
{
    begin();
    SCRIPT(CHUNKED, "C: MAIL", RCPT("x"), "LAST", "R: 250 ok\r\n250 ok\r\n250 ok\r\n", "C: MAIL");
    SCRIPT(CHUNKED, "C: MAIL", RCPT("y"), "LAST", "R: 250 ok\r\n250 ok\r\n250 ok\r\n", BYE);
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    struct transport_message *n = message("2\n", "y@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    expect(n, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void quit_without_a_reply(void)
{
    begin();
    out.timeouts.quit_timeout = 20 * USEC_MSEC;
    SCRIPT(PLAIN, MAIL, TO("x"), SENT, "C: QUIT", "HANG");
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

/* --- limits --- */

static const char *const five[] = {"a@far.test", "b@far.test", "c@far.test", "d@far.test",
                                   "e@far.test"};

static void recipients_limit(void)
{
    begin();
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 LIMITS RCPTMAX=2 UNKNOWN=7 MAILMAX=x", MAIL,
           TO("a"), TO("b"), SENT, MAIL, TO("c"), RCPT("d"), "S: 550 5.1.1 no", SENT, MAIL, TO("e"),
           SENT, BYE);
    struct transport_message *m = message_to("1\n", five, 5);
    run();
    for (size_t i = 0; i < 5; i++)
        if (i != 3)
            expect(m, i, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    expect(m, 3, TRANSPORT_FAILED, "5.1.1", "no");
    end();
}

static void mails_limit(void)
{
    begin();
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 LIMITS RCPTMAX=2 MAILMAX=2", MAIL, TO("a"),
           RCPT("b"), "S: 451 4.2.1 later", SENT, MAIL, TO("c"), TO("d"), SENT, BYE);
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 LIMITS MAILMAX=1", MAIL, TO("e"), SENT, BYE);
    SCRIPT(PLAIN, MAIL, TO("x"), SENT, BYE);
    struct transport_message *m = message_to("1\n", five, 5);
    struct transport_message *n = message("2\n", "x@far.test", NULL);
    run();
    for (size_t i = 0; i < 5; i++)
        if (i != 1)
            expect(m, i, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    expect(m, 1, TRANSPORT_DEFERRED, "4.2.1", "later");
    expect(n, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void domains_limit(void)
{
    static const char *const mixed[] = {"a@one.test", "b@two.test", "c@ONE.test"};
    begin();
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 LIMITS RCPTDOMAINMAX=1", MAIL,
           "C: RCPT TO:<a@one.test>", "S: 250 ok", "C: RCPT TO:<c@ONE.test>", "S: 250 ok", SENT,
           MAIL, "C: RCPT TO:<b@two.test>", "S: 250 ok", SENT, BYE);
    struct transport_message *m = message_to("1\n", mixed, 3);
    run();
    for (size_t i = 0; i < 3; i++)
        expect(m, i, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

/* RFC 5321 4.5.3.1.10 */
static void too_many_recipients(void)
{
    begin();
    SCRIPT(PLAIN, MAIL, TO("a"), TO("b"), RCPT("c"), "S: 452 4.5.3 too many", RCPT("d"),
           "S: 452 too many", RCPT("e"), "S: 452 4.2.2 full", SENT, MAIL, TO("c"), TO("d"), SENT,
           MAIL, RCPT("f"), "S: 452 4.5.3 not even one", BYE);
    struct transport_message *m = message_to("1\n", five, 5);
    struct transport_message *n = message("2\n", "f@far.test", NULL);
    run();
    for (size_t i = 0; i < 4; i++)
        expect(m, i, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    expect(m, 4, TRANSPORT_DEFERRED, "4.2.2", "452 4.2.2 full");
    expect(n, 0, TRANSPORT_DEFERRED, "4.5.3", "not even one");
    end();
}

static void many_recipients(void)
{
    static char names[250][20];
    static const char *recipients[250], *script[600];
    size_t lines = 0;
    static const char *const hello[] = {HELLO, "S: 250 mx.far.test"};
    begin();
    for (size_t i = 0; i < 3; i++)
        script[lines++] = hello[i];
    for (size_t i = 0; i < 250; i++) {
        snprintf(names[i], sizeof(names[i]), "u%zu@far.test", i);
        recipients[i] = names[i];
        if (i % 100 == 0) {
            static const char *const mail[] = {SENT, MAIL};
            for (size_t k = i == 0 ? 4 : 0; k < 6; k++)
                script[lines++] = mail[k];
        }
        script[lines++] = "C: RCPT";
        script[lines++] = "S: 250 ok";
    }
    static const char *const finish[] = {SENT, BYE};
    for (size_t k = 0; k < 6; k++)
        script[lines++] = finish[k];
    server.scripts[server.scripted++] = script;
    struct transport_message *m = message_to("1\n", recipients, 250);
    run();
    for (size_t i = 0; i < 250; i++)
        expect(m, i, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

/* --- LMTP (RFC 2033) --- */

#define LHLO "S: 220 box", "C: LHLO mail.example.test"

static void lmtp(void)
{
    begin();
    out.job.next_hop.protocol = NEXT_HOP_LMTP;
    SCRIPT(LHLO, "S: 250-mail.example.test", "S: 250-PIPELINING", "S: 250 ENHANCEDSTATUSCODES",
           "C: MAIL", RCPT("a"), RCPT("b"), RCPT("c"), "C: DATA",
           "R: 250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n354 go\r\n", "DATA",
           "R: 250 2.0.0 saved\r\n552 5.2.2 full\r\n", "C: MAIL", RCPT("d"), RCPT("e"), "C: DATA",
           "R: 250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", "DATA", "S: 250 2.0.0 saved");
    static const char *const more[] = {"d@far.test", "e@far.test"};
    struct transport_message *m = message_to("1\n", five, 3);
    struct transport_message *n = message_to("2\n", more, 2);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 2.0.0 saved");
    expect(m, 1, TRANSPORT_FAILED, "5.1.1", "no");
    expect(m, 2, TRANSPORT_FAILED, "5.2.2", "full");
    expect(n, 0, TRANSPORT_DELIVERED, "2.0.0", "250 2.0.0 saved");
    expect(n, 1, TRANSPORT_DEFERRED, "4.4.2", "lost the connection");
    end();
}

static void lmtp_with_nobody(void)
{
    begin();
    out.job.next_hop.protocol = NEXT_HOP_LMTP;
    SCRIPT(LHLO, "S: 250-box", "S: 250 PIPELINING", "C: MAIL", RCPT("x"), "C: DATA",
           "R: 250 ok\r\n550 5.1.1 no\r\n354 strange\r\n", "C: .");
    SCRIPT(LHLO, "S: 250-box", "S: 250-CHUNKING", "S: 250 PIPELINING", "C: MAIL", RCPT("y"),
           RCPT("z"), "LAST", "R: 250 ok\r\n250 ok\r\n250 ok\r\n250 one\r\n250 two\r\n", BYE);
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    struct transport_message *n = message("2\n", "y@far.test", "z@far.test");
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.1.1", "no");
    expect(n, 0, TRANSPORT_DELIVERED, "2.0.0", "250 one");
    expect(n, 1, TRANSPORT_DELIVERED, "2.0.0", "250 two");
    end();
}

static void lmtp_over_a_unix_socket(void)
{
    char path[80];
    begin();
    snprintf(path, sizeof(path), "unix:%s/lmtp.sock", tls_dir);
    listener_close(server.listener);
    server_listen(path);
    over_relay(path);
    out.job.next_hop.protocol = NEXT_HOP_LMTP;
    SCRIPT(LHLO, "S: 250 box", MAIL, TO("x"), SENT, BYE);
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    assert_true(str_equal(m->recipients[0].relay, str_from_c(path + strlen("unix:"))));
    end();
}

/* --- hosts --- */

static void greetings(void)
{
    static const struct {
        const char *first, *second;
        enum transport_status status;
        const char *code;
    } cases[] = {
        {"S: 521 5.3.2 no mail here", "S: 521 5.3.2 nor here", TRANSPORT_FAILED, "5.3.2"},
        {"S: 521 5.3.2 no mail here", "S: 554 5.7.1 go away", TRANSPORT_DEFERRED, "4.7.1"},
        {"S: 554 5.7.1 go away", "S: 521 5.3.2 no mail here", TRANSPORT_DEFERRED, "4.7.1"},
        {"S: 450 4.3.2 busy", "S: 250 strange", TRANSPORT_DEFERRED, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        begin();
        by_mx();
        dns_fake.mx[1] = (struct dns_mx){20, STR("mx2.far.test")};
        dns_fake.mx_count = 2;
        SCRIPT(cases[i].first);
        SCRIPT(cases[i].second);
        struct transport_message *m = message("1\n", "x@far.test", NULL);
        run();
        expect(m, 0, cases[i].status, cases[i].code, "");
        end();
    }
}

static void fallback_hosts(void)
{
    const char *const fallback[] = {"broken host:0", out.relay};
    begin();
    by_mx();
    dns_fake.dead_host = "mx.far.test";
    out.job.next_hop.fallback = (struct string_list){fallback, 2};
    SCRIPT(PLAIN, MAIL, TO("x"), SENT, BYE);
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void own_name_and_address(void)
{
    begin();
    out.job.next_hop.helo = "other.example.test";
    out.job.next_hop.source_ipv4 = "127.0.0.7";
    SCRIPT("S: 220 mx", "C: EHLO other.example.test", "S: 250 mx", MAIL, TO("x"), SENT, BYE);
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
    begin();
    out.job.next_hop.source_ipv4 = "192.0.2.77";
    m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.4.1", "source address 192.0.2.77");
    end();
}

static void ignored_networks(void)
{
    static const char *const networks[] = {"127.0.0.0/8"};
    begin();
    by_mx();
    out.timeouts.ignored_networks = (struct string_list){networks, 1};
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.4.4", "only addresses that no mail is sent to (127.0.0.1)");
    end();
    begin(); /* a route may say so */
    out.timeouts.ignored_networks = (struct string_list){networks, 1};
    SCRIPT(PLAIN, MAIL, TO("x"), SENT, BYE);
    m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

/* The next address of the host, then the other host. */
static void addresses_of_a_host(void)
{
    begin();
    by_mx();
    dns_fake.addresses[0] = "127.0.0.98";
    dns_fake.addresses[1] = "127.0.0.1";
    dns_fake.addresses[2] = "127.0.0.1";
    SCRIPT("S: 421 4.3.2 busy");
    SCRIPT(PLAIN, MAIL, TO("x"), SENT, BYE);
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

/* A server that never greets is not waited for again. */
static void silent_server(void)
{
    struct smtp_client *c;
    begin();
    by_mx();
    out.timeouts.greeting_timeout = 30 * USEC_MSEC;
    SCRIPT("HANG");
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    c = smtp_client_new(NULL, &out.timeouts);
    run_with(c);
    expect(m, 0, TRANSPORT_DEFERRED, "4.4.2", "the greeting");
    m->recipients[0].text = STR("");
    run_with(c);
    expect(m, 0, TRANSPORT_DEFERRED, "4.4.1", "asked a moment ago");
    smtp_client_free(c);
    end();
}

/* --- addresses in the ASCII form --- */

static void international_domains(void)
{
    begin();
    SCRIPT(PLAIN, "E: MAIL FROM:<alice@xn--bcher-kva.test>", "S: 250 ok",
           "E: RCPT TO:<x@xn--mnchen-3ya.test>", "S: 250 ok", SENT, BYE);
    struct transport_message *m =
        message("Subject: ascii\n\nascii\n", "x@m\xc3\xbcnchen.test", "\xc3\xbc@far.test");
    m->sender = STR("alice@b\xc3\xbc"
                    "cher.test");
    m->smtputf8 = true;
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    expect(m, 1, TRANSPORT_FAILED, "5.6.7", "SMTPUTF8");
    end();
    begin();
    SCRIPT(PLAIN, BYE);
    m = message("Subject: \xc3\xbc\n\nascii\n", "x@far.test", NULL);
    m->smtputf8 = true;
    run();
    expect(m, 0, TRANSPORT_FAILED, "5.6.7", "international header");
    end();
}

/* --- passwords --- */

#define WITH_AUTH HELLO, "S: 250-mx.far.test", "S: 250 AUTH LOGIN PLAIN XOAUTH2"

static void login(enum next_hop_tls tls, const char *mechanisms)
{
    begin();
    out.job.next_hop.user = "alice";
    out.job.next_hop.password = "secret";
    out.job.next_hop.mechanisms = mechanisms;
    out.job.next_hop.tls = tls;
}

static void passwords_in_plain_text(void)
{
    login(NEXT_HOP_TLS_OPPORTUNISTIC, "");
    SCRIPT(WITH_AUTH);
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.7.4", "TLS is required");
    end();
    /* Unless the rule says so, and nobody is between us. */
    login(NEXT_HOP_TLS_NONE, "");
    SCRIPT(WITH_AUTH, "E: AUTH PLAIN AGFsaWNlAHNlY3JldA==", "S: 235 ok", MAIL, TO("x"), SENT, BYE);
    m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
}

static void mechanisms(void)
{
    login(NEXT_HOP_TLS_NONE, "LOGIN");
    SCRIPT(WITH_AUTH, "E: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "E: YWxpY2U=", "S: 334 UGFzc3dvcmQ6",
           "E: c2VjcmV0", "S: 235 ok", MAIL, TO("x"), SENT, BYE);
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DELIVERED, "2.0.0", "250 ok");
    end();
    login(NEXT_HOP_TLS_NONE, "XOAUTH2");
    SCRIPT(WITH_AUTH, "E: AUTH XOAUTH2 dXNlcj1hbGljZQFhdXRoPUJlYXJlciBzZWNyZXQBAQ==", "S: 334 e30=",
           "E: ", "S: 535 5.7.8 expired");
    m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.7.8", "535 5.7.8 expired (in reply to AUTH)");
    end();
    login(NEXT_HOP_TLS_NONE, "SCRAM-SHA-256");
    SCRIPT(WITH_AUTH);
    m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.7.0", "no AUTH that can be used (LOGIN PLAIN XOAUTH2)");
    end();
}

static void logins_that_lie(void)
{
    static const struct {
        const char *mechanism, *reply, *why;
    } cases[] = {
        {"LOGIN", "S: 334 ***", "not base64"},
        {"LOGIN", "S: 235 welcome", "has not proved"},
        {"PLAIN", "S: 334 bW9yZQ==", "one challenge more"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        login(NEXT_HOP_TLS_NONE, cases[i].mechanism);
        SCRIPT(WITH_AUTH, "C: AUTH", cases[i].reply);
        struct transport_message *m = message("1\n", "x@far.test", NULL);
        run();
        expect(m, 0, TRANSPORT_DEFERRED, "4.7.0", cases[i].why);
        end();
    }
}

/* --- time --- */

static void byte_by_byte(void)
{
    begin();
    out.timeouts.mail_timeout = 100 * USEC_MSEC;
    SCRIPT(PLAIN, "C: MAIL", "D: 250 2.1.0 this is a reply that will not end in time");
    struct transport_message *m = message("1\n", "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.4.2", "timed out");
    end();
}

/* Each reply is in time, all of them are not. */
static void slow_in_all(void)
{
    begin();
    out.timeouts.transaction_timeout = 150 * USEC_MSEC;
    SCRIPT(PLAIN, "C: MAIL", "D: 250 ok\r\n", RCPT("a"), "D: 250 ok\r\n", RCPT("b"),
           "D: 250 ok\r\n");
    struct transport_message *m = message_to("1\n", five, 5);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.4.2", "timed out");
    end();
}

/* A block now and then is not enough. */
static void slow_with_the_message(void)
{
    begin();
    char *text = large(1500);
    out.timeouts.data_block_timeout = USEC_MSEC;
    out.timeouts.rate_min = (int64_t)1 << 30;
    SCRIPT(HELLO, "S: 250-mx.far.test", "S: 250 CHUNKING", MAIL, TO("x"), "BDAT",
           "D: 250 2.0.0 one block\r\n");
    struct transport_message *m = message(text, "x@far.test", NULL);
    run();
    expect(m, 0, TRANSPORT_DEFERRED, "4.4.2", "takes the message too slowly");
    free(text);
    end();
}

#define TESTS(X)                                                                                   \
    X(chunk_at_once)                                                                               \
    X(chunk_nobody_wants)                                                                          \
    X(chunk_in_turn)                                                                               \
    X(chunks_of_a_large_message)                                                                   \
    X(chunks_that_are_refused)                                                                     \
    X(chunks_that_nobody_knows)                                                                    \
    X(connection_breaks_in_a_chunk)                                                                \
    X(replies_lost)                                                                                \
    X(ended_while_it_waited)                                                                       \
    X(ended_at_the_second_message)                                                                 \
    X(quit_without_a_reply)                                                                        \
    X(recipients_limit)                                                                            \
    X(mails_limit)                                                                                 \
    X(domains_limit)                                                                               \
    X(too_many_recipients)                                                                         \
    X(many_recipients)                                                                             \
    X(lmtp)                                                                                        \
    X(lmtp_with_nobody)                                                                            \
    X(lmtp_over_a_unix_socket)                                                                     \
    X(greetings)                                                                                   \
    X(fallback_hosts)                                                                              \
    X(own_name_and_address)                                                                        \
    X(ignored_networks)                                                                            \
    X(addresses_of_a_host)                                                                         \
    X(silent_server)                                                                               \
    X(international_domains)                                                                       \
    X(passwords_in_plain_text)                                                                     \
    X(mechanisms)                                                                                  \
    X(logins_that_lie)                                                                             \
    X(byte_by_byte)                                                                                \
    X(slow_in_all)                                                                                 \
    X(slow_with_the_message)

TESTS(LOOP_TEST)

int main(void)
{
#define ENTRY(name) cmocka_unit_test(test_##name),
    const struct CMUnitTest tests[] = {TESTS(ENTRY)};
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
