/*
 * COMPRESS (RFC 4978): from the tagged OK on both directions are deflated, inside TLS.
 */
#include "imap/command.h"

static void start(struct imap_session *s)
{
    if (session_flush(&s->net))
        stream_start_deflate(s->net.stream);
}

void imap_cmd_compress(struct imap_command *c)
{
    struct str mechanism;
    if (!imap_take_atom(c, "a compression mechanism", &mechanism) || !imap_take_end(c))
        return;
    if (!str_equal_nocase(mechanism, STR("DEFLATE"))) {
        imap_bad(c, "Expected DEFLATE");
    } else if (stream_is_compressed(c->session->net.stream)) {
        imap_no(c, "[COMPRESSIONACTIVE] DEFLATE is active already");
    } else {
        c->after = start;
        imap_ok(c, "DEFLATE active");
    }
}
