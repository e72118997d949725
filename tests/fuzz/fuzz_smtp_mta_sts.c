/* What other domains publish about TLS: the record and the policy of MTA-STS, our file of it, the
 * record of TLSRPT. */
#include "core/mem.h"
#include "smtp/mta_sts_internal.h"
#include "smtp/tls_report_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

static void record(struct str data)
{
    struct str texts[8], id;
    size_t count = 0;
    while (data.n > 0 && count < 8)
        texts[count++] = str_split(&data, '\n');
    if (mta_sts_find_id(texts, count, &id))
        expect(id.n > 0 && id.n <= MTA_STS_ID_MAX && !memchr(id.p, '/', id.n));
}

/* What was understood is written so that it is understood the same way. */
static void policy(struct str data, struct arena *a)
{
    struct mta_sts_policy first, second;
    struct buf text = BUF_EMPTY;
    struct err e;
    if (!mta_sts_policy_parse(data, a, &first, &e))
        return;
    mta_sts_policy_write(&text, &first);
    expect(mta_sts_policy_parse(buf_str(&text), a, &second, &e));
    expect(first.mode == second.mode && first.max_age == second.max_age &&
           first.mx_count == second.mx_count);
    for (size_t i = 0; i < first.mx_count; i++) {
        bool star = str_starts_with(first.mx[i], STR("*."));
        expect(str_equal(first.mx[i], second.mx[i]));
        expect(mta_sts_policy_allows(&first, first.mx[i]) || star);
    }
    buf_free(&text);
}

static void file(struct str data)
{
    struct mta_sts m = {.count = 0};
    struct buf text = BUF_EMPTY;
    TAILQ_INIT(&m.list);
    if (mta_sts_decode(&m, data)) {
        struct mta_sts_entry *e = TAILQ_FIRST(&m.list);
        expect(e->domain.n > 0 && e->domain.p[0] != '.' && !memchr(e->domain.p, '/', e->domain.n));
        mta_sts_encode(e, &text);
        expect(mta_sts_decode(&m, buf_str(&text)) && m.count == 1);
    }
    while (!TAILQ_EMPTY(&m.list))
        mta_sts_entry_remove(&m, TAILQ_FIRST(&m.list));
    buf_free(&text);
}

static void report(struct str data, struct arena *a)
{
    struct str texts[8];
    struct tls_report_target targets[TLS_REPORT_TARGETS_MAX];
    size_t count = 0;
    while (data.n > 0 && count < 8)
        texts[count++] = str_split(&data, '\n');
    size_t found = tls_report_targets(texts, count, a, targets);
    expect(found <= TLS_REPORT_TARGETS_MAX);
    for (size_t i = 0; i < found; i++)
        for (const char *c = targets[i].to; *c; c++)
            expect((unsigned char)*c >= ' ' && *c != 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 1)
        return 0;
    char *copy = malloc(n); /* one byte more than the input, so never of size 0 */
    memcpy(copy, p + 1, n - 1);
    char *exact = n > 1 ? realloc(copy, n - 1) : copy;
    struct str data = str_from(exact, n - 1);
    struct arena *a = arena_new();
    switch (p[0] % 4) {
    case 0:
        record(data);
        break;
    case 1:
        policy(data, a);
        break;
    case 2:
        file(data);
        break;
    case 3:
        report(data, a);
        break;
    }
    arena_free(a);
    free(exact);
    return 0;
}
