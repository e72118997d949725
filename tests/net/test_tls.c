/* TLS contexts: what is wrong with a file is said with its name; certificates that are made. */
#include "net/tls_private.h"
#include "net/tls_test.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static char *path_in(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", tls_dir, name);
    return path;
}

static void write_file(const char *path, struct str content)
{
    assert_ok(disk_replace_file(path, content, 0600, e));
}

static void refused(const struct tls_settings *s, const char *file, const char *reason)
{
    struct err e = {0};
    assert_null(tls_server_context(s, &e));
    assert_int_equal(e.kind, ERR_PERM);
    if (!strstr(e.text, file) || !strstr(e.text, reason))
        fail_msg("\"%s\" names neither %s nor %s", e.text, file, reason);
}

static void test_errors(void **state)
{
    (void)state;
    struct tls_settings s = tls_test_settings();
    s.certificate = ONE_FILE("/nonexistent/cert.pem");
    refused(&s, "/nonexistent/cert.pem", "No such file");
    s.certificate = NO_FILES;
    refused(&s, "certificate", "not set");

    s = tls_test_settings();
    s.key = ONE_FILE("/nonexistent/key.pem");
    refused(&s, "/nonexistent/key.pem", "No such file");
    s.key = NO_FILES;
    refused(&s, tls_certificate_path, "no private key");

    char *path = path_in("empty.pem");
    write_file(path, STR(""));
    s = tls_test_settings();
    s.certificate = ONE_FILE(path);
    refused(&s, "empty.pem", "no certificate");
    s = tls_test_settings();
    s.key = ONE_FILE(path);
    refused(&s, "empty.pem", "no private key");

    path = path_in("garbage.pem");
    write_file(path, STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    s = tls_test_settings();
    s.certificate = ONE_FILE(path);
    refused(&s, "garbage.pem", "no certificate");
    struct err e = {0};
    s.ca_file = path;
    assert_null(tls_client_context(&s, &e));
    assert_non_null(strstr(e.text, "garbage.pem"));
}

static void test_wrong_key(void **state)
{
    (void)state;
    char other[128], other_key[128];
    static const char *const names[] = {"other.example.test"};
    snprintf(other, sizeof(other), "%s/other.pem", tls_dir);
    snprintf(other_key, sizeof(other_key), "%s/other-key.pem", tls_dir);
    assert_ok(tls_make_self_signed(other, other_key, names, 1, 1, e));
    struct tls_settings s = tls_test_settings();
    s.key = ONE_FILE(other_key);
    refused(&s, "other-key.pem", "does not belong");

    struct tls_settings s2 = {.certificate = ONE_FILE(other),
                              .key = ONE_FILE(other_key),
                              .ca_file = "",
                              .client_ca_file = ""};
    struct tls_context *c;
    assert_ok((c = tls_server_context(&s2, e)));
    tls_context_unref(c);

    /* Key and certificate in one file. */
    struct buf both = BUF_EMPTY;
    assert_ok(disk_read_file(other_key, 10000, &both, e));
    assert_ok(disk_read_file(other, 10000, &both, e));
    char *path = path_in("both.pem");
    write_file(path, buf_str(&both));
    buf_free(&both);
    s2.certificate = ONE_FILE(path);
    s2.key = NO_FILES;
    assert_ok((c = tls_server_context(&s2, e)));
    tls_context_unref(c);
}

static void test_passphrase(void **state)
{
    (void)state;
    struct buf pem = BUF_EMPTY;
    assert_ok(disk_read_file(tls_key_path, 10000, &pem, e));
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n), *out = BIO_new(BIO_s_mem());
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    char *p;
    PEM_write_bio_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
    long n = BIO_get_mem_data(out, &p);
    char *path = path_in("locked.pem");
    write_file(path, str_from(p, (size_t)n));
    struct tls_settings s = tls_test_settings();
    s.key = ONE_FILE(path);
    refused(&s, "locked.pem", "passphrase");
    EVP_PKEY_free(key);
    BIO_free(in);
    BIO_free(out);
    buf_free(&pem);
}

static void test_self_signed(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(stat(tls_key_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    X509 *x = SSL_CTX_get0_certificate(tls_server->ssl);
    assert_int_equal(X509_check_host(x, "mail.example.test", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(x, "example.test", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "192.0.2.1", 0), 0);
    assert_int_equal(X509_check_ca(x), 0);
    int days, seconds;
    ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x));
    assert_in_range(days, 29, 30);

    const char *long_name[] = {"a-name-that-is-longer-than-a-common-name-may-be."
                               "mail.department.company.example.test"};
    char path[128], key[128];
    struct err e;
    snprintf(path, sizeof(path), "%s/long.pem", tls_dir);
    snprintf(key, sizeof(key), "%s/long-key.pem", tls_dir);
    assert_true(tls_make_self_signed(path, key, long_name, 1, 1, &e));
    const char *no_name[] = {""};
    assert_false(tls_make_self_signed(path, key, no_name, 1, 1, &e));
    assert_false(tls_make_self_signed("/nonexistent/a", "/nonexistent/b", long_name, 1, 1, &e));
    assert_non_null(strstr(e.text, "/nonexistent/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_passphrase),
        cmocka_unit_test(test_self_signed),
    };
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
