/*
 * The file of failed logins: any bytes are refused or understood, and what was understood is
 * written in a form that is understood.
 */
#include "auth/penalty_private.h"

#include "auth/auth.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct penalty_settings settings = {.lockout_address = 30,
                                                 .lockout_account = 10,
                                                 .failure_memory = 3600 * USEC_SEC,
                                                 .known_network_time = 3600 * USEC_SEC,
                                                 .network_ipv4 = 24,
                                                 .network_ipv6 = 48};

/* With the right head, so that the entries are reached. */
static struct buf with_head(const uint8_t *data, size_t size)
{
    struct str body = str_from((const char *)data, size);
    struct buf bytes = BUF_EMPTY;
    buf_add_u32(&bytes, 0x4e50444du);
    buf_add_u16(&bytes, 1);
    buf_add_u64(&bytes, str_hash(body));
    buf_add_str(&bytes, body);
    return bytes;
}

static void look(void *arg, const struct penalty_line *line)
{
    *(size_t *)arg += line->login.n + line->network.n;
    if (!(line->failures >= 0) || line->locked_for < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct penalties *p = penalties_new(&settings), *again = penalties_new(&settings);
    struct buf bytes = with_head(data, size), written = BUF_EMPTY;
    size_t seen = 0;
    kept_file_decode(&penalty_file_form, p, str_from((const char *)data, size));
    kept_file_decode(&penalty_file_form, p, buf_str(&bytes));
    penalty_each(p, look, &seen);
    kept_file_encode(&penalty_file_form, p, &written);
    if (!kept_file_decode(&penalty_file_form, again, buf_str(&written)))
        abort();
    penalties_free(p);
    penalties_free(again);
    buf_free(&bytes);
    buf_free(&written);
    return 0;
}
