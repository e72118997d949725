/* What a client asks of a certificate: names, DANE, nothing; and what it says about it afterwards.
 */
#include "net/tls_expect.h"
#include "net/tls_private.h"
#include "net/tls_test.h"

#include <openssl/pem.h>

#define NAME "mail.example.test"

/* --- the certificate of the test --- */

static X509 *certificate;
static unsigned char key_hash[32], whole_hash[32];
static struct str whole;

static int setup(void **state)
{
    tls_setup(state);
    FILE *f = fopen(tls_certificate_path, "r");
    certificate = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    assert_non_null(certificate);
    unsigned char *der = NULL, *key = NULL;
    int n = i2d_X509(certificate, &der);
    int key_n = i2d_PUBKEY(X509_get0_pubkey(certificate), &key);
    assert_true(n > 0 && key_n > 0);
    EVP_Digest(der, (size_t)n, whole_hash, NULL, EVP_sha256(), NULL);
    EVP_Digest(key, (size_t)key_n, key_hash, NULL, EVP_sha256(), NULL);
    whole = str_from(mem_dup((char *)der, (size_t)n), (size_t)n);
    OPENSSL_free(der);
    OPENSSL_free(key);
    return 0;
}

static int teardown(void **state)
{
    X509_free(certificate);
    free((char *)whole.p);
    return tls_teardown(state);
}

static struct dns_tlsa record(uint8_t usage, uint8_t selector, const unsigned char *hash)
{
    return (struct dns_tlsa){usage, selector, 1, {(const char *)hash, 32}};
}

/* --- a handshake --- */

static struct {
    struct tls_expectation expect;
    struct tls_context *context;
    bool done, ok;
    struct err e;
    enum tls_verdict verdict;
} h;

static void serve(void *arg)
{
    struct err ignored;
    stream_start_tls_server(arg, tls_server, &ignored);
    h.done = true;
}

static void run(void)
{
    struct stream *s[2];
    stream_pair(s);
    h.done = false;
    assert_int_equal(stream_tls_verdict(s[0]), TLS_UNKNOWN);
    assert_non_null(fiber_start(loop, "server", serve, s[1]));
    h.ok = stream_start_tls_expecting(s[0], h.context, &h.expect, &h.e);
    h.verdict = stream_tls_verdict(s[0]);
    stream_close(s[0]);
    while (!h.done)
        fiber_yield();
    stream_close(s[1]);
}

static void expect(const char *const *names, size_t count, enum tls_check check, bool ok,
                   enum tls_verdict verdict)
{
    h.expect.check = check;
    h.expect.names = names;
    h.expect.name_count = count;
    h.expect.sni = NAME;
    in_loop(run);
    if (h.ok != ok || h.verdict != verdict)
        fail_msg("%s, verdict %d: %s", h.ok ? "good" : "bad", (int)h.verdict, h.e.text);
    if (!ok)
        assert_int_equal(h.e.kind, ERR_TLS);
}

static const char *const right[] = {NAME}, *const wrong[] = {"other.example.test"},
                         *const several[] = {"other.example.test", NAME},
                         *const address[] = {"127.0.0.1"}, *const other_address[] = {"127.0.0.2"};

static void test_names(void **state)
{
    (void)state;
    memset(&h, 0, sizeof(h));
    h.context = tls_client;
    expect(right, 1, TLS_CHECK_NAMES, true, TLS_VERIFIED);
    expect(several, 2, TLS_CHECK_NAMES, true, TLS_VERIFIED);
    expect(address, 1, TLS_CHECK_NAMES, true, TLS_VERIFIED);
    expect(wrong, 1, TLS_CHECK_NAMES, false, TLS_OTHER_NAME);
    expect(other_address, 1, TLS_CHECK_NAMES, false, TLS_OTHER_NAME);
    expect(NULL, 0, TLS_CHECK_NAMES, false, TLS_FAILED);
    /* Nothing is asked for, but it is looked at. */
    expect(right, 1, TLS_CHECK_NOTHING, true, TLS_VERIFIED);
    expect(wrong, 1, TLS_CHECK_NOTHING, true, TLS_OTHER_NAME);
    expect(NULL, 0, TLS_CHECK_NOTHING, true, TLS_UNKNOWN);
}

/* A client that knows no authorities: DANE needs none, and names cannot be verified. */
static void test_dane(void **state)
{
    (void)state;
    struct tls_settings s = tls_test_settings();
    static const char *const names[] = {"stranger.test"};
    char other_certificate[80], other_key[80];
    snprintf(other_certificate, sizeof(other_certificate), "%s/other.pem", tls_dir);
    snprintf(other_key, sizeof(other_key), "%s/other.key", tls_dir);
    assert_ok(tls_make_self_signed(other_certificate, other_key, names, 1, 30, e));
    s.ca_file = other_certificate;
    memset(&h, 0, sizeof(h));
    assert_ok((h.context = tls_client_context(&s, e)));
    expect(right, 1, TLS_CHECK_NAMES, false, TLS_UNTRUSTED);
    expect(right, 1, TLS_CHECK_NOTHING, true, TLS_UNTRUSTED);

    unsigned char zeros[32] = {0};
    struct dns_tlsa records[3] = {record(3, 1, key_hash)};
    h.expect.tlsa = records;
    h.expect.tlsa_count = 1;
    expect(right, 1, TLS_CHECK_DANE, true, TLS_VERIFIED);
    expect(wrong, 1, TLS_CHECK_DANE, true, TLS_VERIFIED); /* DANE-EE asks for no names */
    records[0] = record(3, 0, whole_hash);
    expect(right, 1, TLS_CHECK_DANE, true, TLS_VERIFIED);
    records[0] = record(3, 1, zeros);
    expect(right, 1, TLS_CHECK_DANE, false, TLS_NO_RECORD_FITS);
    records[1] = record(3, 1, key_hash);
    h.expect.tlsa_count = 2;
    expect(right, 1, TLS_CHECK_DANE, true, TLS_VERIFIED);
    /* Those that cannot be used are passed over; none that can: no handshake. */
    records[0] = record(1, 1, key_hash);
    expect(right, 1, TLS_CHECK_DANE, true, TLS_VERIFIED);
    h.expect.tlsa_count = 1;
    expect(right, 1, TLS_CHECK_DANE, false, TLS_FAILED);
    tls_context_unref(h.context);
}

static void usable(uint8_t usage, uint8_t selector, uint8_t matching, struct str data, bool wanted)
{
    const struct dns_tlsa r = {usage, selector, matching, data};
    struct buf text = BUF_EMPTY;
    tls_record_write(&text, &r);
    if (tls_usable_records(tls_client, &r, 1) != (wanted ? 1 : 0))
        fail_msg("%s", buf_c(&text));
    buf_free(&text);
}

static void test_usable_records(void **state)
{
    (void)state;
    char zeros[64] = {0};
    struct str short_hash = str_from(zeros, 32), long_hash = str_from(zeros, 64);
    usable(3, 1, 1, short_hash, true);
    usable(2, 0, 2, long_hash, true);
    usable(2, 0, 0, whole, true);
    usable(3, 0, 0, whole, true);
    usable(0, 0, 1, short_hash, false);
    usable(1, 0, 1, short_hash, false);
    usable(255, 0, 1, short_hash, false);
    usable(3, 2, 1, short_hash, false);
    usable(3, 1, 3, short_hash, false);
    usable(3, 1, 1, long_hash, false);
    usable(3, 1, 2, short_hash, false);
    usable(3, 1, 1, str_from(zeros, 1), false);
    usable(2, 0, 0, short_hash, false);
    usable(3, 1, 0, whole, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_dane),
        cmocka_unit_test(test_usable_records),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
