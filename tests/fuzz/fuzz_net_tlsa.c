/* TLSA records from strangers: taken apart, judged by OpenSSL, written down. */
#include "core/mem.h"
#include "net/dns_decode.h"
#include "net/tls_expect.h"
#include "net/tls_private.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct tls_context *context(void)
{
    static struct tls_context *c;
    if (!c) {
        c = MEM_NEW(struct tls_context);
        c->ssl = SSL_CTX_new(TLS_client_method());
        if (!c->ssl || SSL_CTX_dane_enable(c->ssl) != 1)
            abort();
    }
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena *a = arena_new();
    struct dns_tlsa record;
    struct buf text = BUF_EMPTY;
    char *exact = malloc(n > 0 ? n : 1);
    memcpy(exact, p, n);
    if (dns_decode_tlsa(str_from(exact, n), a, &record)) {
        bool usable = tls_usable_records(context(), &record, 1) > 0;
        if (usable && record.usage != 2 && record.usage != 3)
            abort();
        tls_record_write(&text, &record);
        if (text.n < 6 + 2 * record.data.n)
            abort();
    }
    free(exact);
    buf_free(&text);
    arena_free(a);
    return 0;
}
