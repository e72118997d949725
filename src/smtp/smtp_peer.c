/*
 * Who the client is (struct smtp_peer): first of all what the socket says, then what is said
 * instead by those who are trusted to know it better. What is borrowed from the socket needs no
 * memory; what is replaced has an arena.
 */
#include "core/mem.h"
#include "net/socket_address.h"
#include "smtp/session.h"

#include <stdlib.h>

void smtp_peer_init(struct smtp_session *s)
{
    const char *text = stream_peer_text(s->net.stream);
    const char *colon = strrchr(text, ':');
    uint32_t port;
    s->peer.connected = s->peer.address = stream_peer(s->net.stream);
    s->peer.loopback = stream_peer_is_loopback(s->net.stream);
    if (colon && str_to_u32(str_from_c(colon + 1), &port) && port <= UINT16_MAX)
        s->peer.port = (uint16_t)port;
}

void smtp_peer_free(struct smtp_session *s)
{
    arena_free(s->peer_arena);
    free(s->peer.helo);
}

static bool is_loopback(const char *address)
{
    struct socket_address a;
    if (str_equal(str_from_c(address), STR("unix")))
        return true;
    return socket_address_parse(&a, str_from_c(address), 0, NULL) && socket_address_is_loopback(&a);
}

static const char *copy(struct arena *a, const char *text)
{
    return text ? arena_c(a, str_from_c(text)) : NULL;
}

void smtp_peer_replace(struct smtp_session *s, const struct smtp_peer *peer)
{
    struct arena *a = arena_new();
    char *helo = s->peer.helo;
    s->peer = *peer;
    s->peer.helo = helo;
    s->peer.address = copy(a, peer->address);
    s->peer.connected = copy(a, peer->connected);
    s->peer.name = copy(a, peer->name);
    s->peer.local_address = copy(a, peer->local_address);
    s->peer.loopback = is_loopback(peer->address);
    s->net.entry.peer = s->peer.address;
    arena_free(s->peer_arena);
    s->peer_arena = a;
}

void smtp_peer_set_helo(struct smtp_session *s, struct str name, bool extended)
{
    free(s->peer.helo);
    s->peer.helo = name.p ? mem_dup(name.p, name.n) : NULL;
    s->peer.extended = extended;
}
