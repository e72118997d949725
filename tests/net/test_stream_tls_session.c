/* A second TLS connection to a server that is known, and what binds a login to one. */
#include "net/tls_private.h"
#include "net/tls_session.h"
#include "net/tls_test.h"

#include <openssl/pem.h>

static const char *verify_name = "mail.example.test";

/* A connection whose client offers the session; the tickets have arrived. */
static void connect_again(struct stream *s[2], struct tls_session *offered)
{
    struct str line;
    stream_pair(s);
    if (offered)
        stream_resume_tls(s[0], offered);
    struct tls_shaking client = {.s = s[0], .verify = verify_name};
    assert_non_null(fiber_start(loop, "client", tls_shake, &client));
    assert_ok(stream_start_tls_server(s[1], tls_server, e));
    while (!client.done)
        fiber_yield();
    assert_true(client.ok);
    assert_ok(stream_printf(s[1], e, "220 ready\r\n"));
    assert_ok(stream_flush(s[1], e));
    assert_ok(stream_read_line(s[0], 100, &line, NULL, e));
}

static void close_both(struct stream *s[2])
{
    stream_close(s[0]);
    stream_close(s[1]);
}

static void resumption(void)
{
    struct stream *s[2];
    connect_again(s, NULL);
    assert_false(stream_tls_is_resumed(s[0]));
    struct tls_session *session = stream_tls_session(s[0]);
    assert_non_null(session);
    close_both(s);

    connect_again(s, session);
    assert_true(stream_tls_is_resumed(s[0]) && stream_tls_is_resumed(s[1]));
    struct tls_session *next = stream_tls_session(s[0]);
    close_both(s);
    tls_session_free(session);

    /* Another server's: the handshake is a full one. */
    struct tls_context *own = tls_server;
    struct tls_settings settings = tls_test_settings();
    assert_ok((tls_server = tls_server_context(&settings, e)));
    connect_again(s, next);
    assert_false(stream_tls_is_resumed(s[0]));
    close_both(s);
    tls_context_unref(tls_server);
    tls_server = own;
    tls_session_free(next);
    tls_session_free(NULL);

    stream_pair(s);
    assert_null(stream_tls_session(s[0]));
    assert_false(stream_tls_is_resumed(s[0]));
    close_both(s);
}

static void binding(void)
{
    unsigned char of_client[TLS_BINDING_SIZE], of_server[TLS_BINDING_SIZE];
    struct stream *s[2], *plain[2];
    connect_again(s, NULL);
    assert_true(stream_tls_binding(s[0], of_client) && stream_tls_binding(s[1], of_server));
    assert_memory_equal(of_client, of_server, TLS_BINDING_SIZE);
    close_both(s);
    stream_pair(plain);
    assert_false(stream_tls_binding(plain[0], of_client));
    close_both(plain);
}

/* Self-signed, with an RSA key. */
static void make_rsa(const char *certificate, const char *key)
{
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    X509 *x = X509_new();
    FILE *f;
    X509_set_version(x, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, rsa);
    assert_true(X509_sign(x, rsa, EVP_sha256()) > 0);
    assert_non_null((f = fopen(certificate, "w")));
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    assert_non_null((f = fopen(key, "w")));
    assert_int_equal(PEM_write_PrivateKey(f, rsa, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(rsa);
}

/* What the server binds a login on the connection to; 32 bytes. */
static void end_point(struct stream *s, unsigned char hash[32])
{
    struct buf b = BUF_EMPTY;
    assert_true(stream_tls_channel_binding(s, "tls-server-end-point", &b));
    assert_int_equal(b.n, 32);
    memcpy(hash, b.p, 32);
    buf_free(&b);
}

/* Of a server with two certificates the one counts that the client was shown, a resumption ago or
 * two. */
static void end_point_of_several(void)
{
    static const char *const algorithms[] = {"ECDSA+SHA256", "rsa_pss_rsae_sha256:RSA+SHA256"};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    char certificate[80], key[80];
    unsigned char first[32], again[32], last[2][32];
    struct tls_context *own_server = tls_server, *own_client = tls_client;
    struct tls_settings settings = tls_test_settings();
    snprintf(certificate, sizeof(certificate), "%s/rsa.pem", tls_dir);
    snprintf(key, sizeof(key), "%s/rsa-key.pem", tls_dir);
    make_rsa(certificate, key);
    settings.certificate = TWO_FILES(tls_certificate_path, certificate);
    settings.key = TWO_FILES(tls_key_path, key);
    assert_ok((tls_server = tls_server_context(&settings, e)));
    settings.ca_file = certificate;
    for (size_t i = 0; i < 4; i++) {
        struct stream *s[2];
        settings.ca_file = i % 2 ? certificate : tls_certificate_path;
        assert_ok((tls_client = tls_client_context(&settings, e)));
        SSL_CTX_set_verify(tls_client->ssl, SSL_VERIFY_NONE, NULL);
        assert_int_equal(SSL_CTX_set1_sigalgs_list(tls_client->ssl, algorithms[i % 2]), 1);
        SSL_CTX_set_max_proto_version(tls_client->ssl, versions[i / 2]);
        verify_name = NULL;
        connect_again(s, NULL);
        struct tls_session *session = stream_tls_session(s[0]), *next;
        end_point(s[1], first);
        close_both(s);
        for (int k = 0; k < 2; k++, session = next) {
            connect_again(s, session);
            assert_true(stream_tls_is_resumed(s[1]));
            end_point(s[1], again);
            assert_memory_equal(first, again, 32);
            next = stream_tls_session(s[0]);
            close_both(s);
            tls_session_free(session);
        }
        tls_session_free(session);
        verify_name = "mail.example.test";
        memcpy(last[i % 2], first, 32);
        tls_context_unref(tls_client);
    }
    assert_memory_not_equal(last[0], last[1], 32);
    tls_context_unref(tls_server);
    tls_server = own_server;
    tls_client = own_client;
}

/* Before something is said: the other side may have spoken, or be gone. */
static void quiet(void)
{
    struct stream *s[2];
    struct str line;
    connect_again(s, NULL);
    assert_true(stream_is_quiet(s[0]));
    assert_ok(stream_printf(s[1], e, "421 enough\r\n"));
    assert_ok(stream_flush(s[1], e));
    let_run();
    assert_false(stream_is_quiet(s[0]));
    assert_false(stream_is_quiet(s[0]));
    assert_ok(stream_read_line(s[0], 100, &line, NULL, e));
    assert_true(stream_is_quiet(s[0]));
    stream_close(s[1]);
    let_run();
    assert_false(stream_is_quiet(s[0]));
    stream_close(s[0]);

    stream_pair(s);
    assert_true(stream_is_quiet(s[0]));
    stream_close(s[1]);
    let_run();
    assert_false(stream_is_quiet(s[0]));
    stream_close(s[0]);
}

#define LOOP_TEST(name)                                                                            \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        in_loop(name);                                                                             \
    }

LOOP_TEST(resumption)
LOOP_TEST(binding)
LOOP_TEST(end_point_of_several)
LOOP_TEST(quiet)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resumption), cmocka_unit_test(test_binding),
        cmocka_unit_test(test_end_point_of_several), cmocka_unit_test(test_quiet)};
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
