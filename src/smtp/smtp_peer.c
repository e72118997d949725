/*
 * Who the client is (struct smtp_peer): first of all what the socket says.
 */
#include "core/mem.h"
#include "smtp/session.h"

#include <stdlib.h>

void smtp_peer_init(struct smtp_session *s)
{
    const char *text = stream_peer_text(s->net.stream);
    const char *colon = strrchr(text, ':');
    uint32_t port;
    s->peer.address = stream_peer(s->net.stream);
    s->peer.loopback = stream_peer_is_loopback(s->net.stream);
    if (colon && str_to_u32(str_from_c(colon + 1), &port) && port <= UINT16_MAX)
        s->peer.port = (uint16_t)port;
}

void smtp_peer_free(struct smtp_session *s)
{
    free(s->peer.helo);
}

void smtp_peer_set_helo(struct smtp_session *s, struct str name, bool extended)
{
    free(s->peer.helo);
    s->peer.helo = name.p ? mem_dup(name.p, name.n) : NULL;
    s->peer.extended = extended;
}
