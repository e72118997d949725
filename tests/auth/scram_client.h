#pragma once
/* The client's side of SCRAM (RFC 5802), for tests. */
#include "core/arena.h"
#include "core/buf.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

struct scram_client {
    struct arena *arena;
    const EVP_MD *digest;
    struct str header; /* "n,,", "p=tls-exporter,,": gs2-header */
    struct str binding;
    struct str bare;             /* client-first-message-bare */
    struct str server_signature; /* after the proof: what the server must show, "v=..." */
};

static inline struct str scram_hmac(struct scram_client *c, struct str key, struct str text)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    HMAC(c->digest, key.p, (int)key.n, (const unsigned char *)text.p, text.n, out, &n);
    return arena_str(c->arena, str_from((const char *)out, n));
}

static inline struct str scram_base64(struct scram_client *c, struct str bytes)
{
    struct buf text = BUF_EMPTY;
    buf_add_base64(&text, bytes);
    struct str copy = arena_str(c->arena, buf_str(&text));
    buf_free(&text);
    return copy;
}

static inline struct str scram_first(struct scram_client *c, struct str user)
{
    c->bare = arena_printf(c->arena, "n=%.*s,r=rOprNGfwEbeRWgbNEkqO", STR_ARG(user));
    return arena_printf(c->arena, "%.*s%.*s", STR_ARG(c->header), STR_ARG(c->bare));
}

/* The answer to the server's first message. */
static inline struct str scram_final(struct scram_client *c, struct str challenge,
                                     struct str password)
{
    struct str rest = challenge, nonce = str_skip(str_split(&rest, ','), 2),
               salt = str_skip(str_split(&rest, ','), 2);
    uint32_t iterations = 0;
    unsigned char salted[EVP_MAX_MD_SIZE], stored[EVP_MAX_MD_SIZE], proof[EVP_MAX_MD_SIZE];
    unsigned n = (unsigned)EVP_MD_get_size(c->digest);
    struct buf salt_bytes = BUF_EMPTY, bound = BUF_EMPTY;
    str_to_u32(str_skip(rest, 2), &iterations);
    buf_add_base64_decoded(&salt_bytes, salt);
    PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt_bytes.p,
                      (int)salt_bytes.n, (int)iterations, c->digest, (int)n, salted);
    struct str key = str_from((const char *)salted, n);
    struct str client_key = scram_hmac(c, key, STR("Client Key"));
    EVP_Digest(client_key.p, client_key.n, stored, NULL, c->digest, NULL);
    buf_add_str(&bound, c->header);
    buf_add_str(&bound, c->binding);
    struct str without = arena_printf(c->arena, "c=%.*s,r=%.*s",
                                      STR_ARG(scram_base64(c, buf_str(&bound))), STR_ARG(nonce));
    struct str message = arena_printf(c->arena, "%.*s,%.*s,%.*s", STR_ARG(c->bare),
                                      STR_ARG(challenge), STR_ARG(without));
    struct str signature = scram_hmac(c, str_from((const char *)stored, n), message);
    for (unsigned i = 0; i < n; i++)
        proof[i] = (unsigned char)(client_key.p[i] ^ signature.p[i]);
    c->server_signature = arena_printf(
        c->arena, "v=%.*s",
        STR_ARG(scram_base64(c, scram_hmac(c, scram_hmac(c, key, STR("Server Key")), message))));
    buf_free(&salt_bytes);
    buf_free(&bound);
    return arena_printf(c->arena, "%.*s,p=%.*s", STR_ARG(without),
                        STR_ARG(scram_base64(c, str_from((const char *)proof, n))));
}
