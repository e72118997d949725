/*
 * STARTTLS (RFC 3207). After the handshake the session is as new: the client says EHLO again, and
 * nothing it sent before is kept. What came in the same packet as STARTTLS may be an attacker's:
 * the session ends (CVE-2011-0411). What comes later, but before the handshake, is taken for a part
 * of the handshake, which fails.
 */
#include "core/log.h"
#include "smtp/smtp_command.h"

enum smtp_next smtp_starttls(struct smtp_session *s, struct str argument)
{
    struct err e = {0};
    if (argument.n > 0)
        return smtp_reply_error(s, 501, "5.5.4", "STARTTLS takes no argument");
    if (stream_is_tls(s->net.stream))
        return smtp_reply_error(s, 503, "5.5.1", "TLS is active already");
    if (!smtp_starttls_offered(s))
        return smtp_reply_error(s, 502, "5.5.1", "STARTTLS is not available here");
    if (stream_buffered(s->net.stream).n > 0) {
        log_warning(
            smtp_component(s), s->net.id,
            "closed peer=%s reason=\"commands were sent behind STARTTLS before TLS was active\"",
            s->peer.address);
        smtp_reply(s, 554, "5.5.0", "Nothing may follow STARTTLS before TLS is active");
        return SMTP_CLOSE;
    }
    smtp_reply(s, 220, "2.0.0", "Ready to start TLS");
    if (!stream_flush(s->net.stream, &e))
        return SMTP_CLOSE;
    smtp_session_reset(s);
    if (!stream_start_tls_server(s->net.stream, s->net.service->tls, &e)) {
        log_info(smtp_component(s), s->net.id, "TLS handshake failed peer=%s reason=\"%s\"",
                 s->peer.address, e.text);
        return SMTP_CLOSE;
    }
    return SMTP_GO_ON;
}
