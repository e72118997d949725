#pragma once
/* A certificate in a temporary directory and contexts that know it. */
#include "net/net_test.h"

static char tls_dir[] = "/tmp/maild-test-XXXXXX";
static char tls_certificate_path[64], tls_key_path[64];
static struct tls_context *tls_server, *tls_client;

/* Lists of files; they live as long as the block around. */
#define ONE_FILE(path)  ((struct string_list){(const char *const[]){path}, 1})
#define TWO_FILES(a, b) ((struct string_list){(const char *const[]){a, b}, 2})
#define NO_FILES        ((struct string_list){NULL, 0})

static inline struct tls_settings tls_test_settings(void)
{
    static const char *const certificates[] = {tls_certificate_path};
    static const char *const keys[] = {tls_key_path};
    return (struct tls_settings){
        .certificate = {certificates, 1},
        .key = {keys, 1},
        .ca_file = tls_certificate_path,
        .client_ca_file = "",
    };
}

static inline int tls_setup(void **state)
{
    (void)state;
    static const char *const names[] = {"mail.example.test", "localhost", "127.0.0.1", "::1"};
    assert_non_null(mkdtemp(tls_dir));
    snprintf(tls_certificate_path, sizeof(tls_certificate_path), "%s/cert.pem", tls_dir);
    snprintf(tls_key_path, sizeof(tls_key_path), "%s/key.pem", tls_dir);
    assert_ok(tls_make_self_signed(tls_certificate_path, tls_key_path, names, 4, 30, e));
    struct tls_settings s = tls_test_settings();
    assert_ok((tls_server = tls_server_context(&s, e)));
    assert_ok((tls_client = tls_client_context(&s, e)));
    return 0;
}

static inline int tls_teardown(void **state)
{
    (void)state;
    tls_context_unref(tls_server);
    tls_context_unref(tls_client);
    disk_remove_tree(tls_dir, NULL);
    return 0;
}

/* A fiber that shakes hands as client. */
struct tls_shaking {
    struct stream *s;
    const char *verify;
    bool done, ok;
    struct err e;
};

static inline void tls_shake(void *arg)
{
    struct tls_shaking *h = arg;
    h->ok = stream_start_tls_client(h->s, tls_client, "mail.example.test", h->verify, &h->e);
    h->done = true;
}

/* A TLS connection: s[0] is the client. */
static inline void tls_pair(struct stream *s[2])
{
    stream_pair(s);
    struct tls_shaking client = {.s = s[0], .verify = "mail.example.test"};
    assert_non_null(fiber_start(loop, "client", tls_shake, &client));
    assert_ok(stream_start_tls_server(s[1], tls_server, e));
    while (!client.done)
        fiber_yield();
    if (!client.ok)
        fail_msg("%s", client.e.text);
}
