/*
 * XCLIENT and XFORWARD, as Postfix documents them, for the hosts that the settings name; others
 * neither see them nor may say them.
 *
 * XCLIENT: a proxy or a filter says who its client is. From then on that is the client, for policy,
 * log and Received header, until the end of the connection, and the session begins anew with the
 * greeting. Whether XCLIENT may be said is about who is connected, not about who it speaks for.
 *
 * XFORWARD: a filter in the middle says where the next message came from, for the log alone. It is
 * forgotten with the transaction.
 */
#include "core/log.h"
#include "net/host_list.h"
#include "smtp/smtp_attributes.h"
#include "smtp/smtp_command.h"

/* The same with "-" for what is not there. */
static const char *shown(const struct smtp_attributes *x, enum smtp_attribute attribute)
{
    const char *text = smtp_attributes_get(x, attribute);
    return text ? text : "-";
}

/* False: a reply was sent. */
static bool parse(struct smtp_session *s, struct smtp_attributes *x,
                  enum smtp_attribute_command command, struct arena *a, struct str argument)
{
    struct str wrong;
    if (smtp_attributes_parse(x, command, a, argument, &wrong))
        return true;
    if (wrong.p)
        smtp_reply_error(s, 501, "5.5.4", "Malformed attribute: %.*s", STR_ARG(wrong));
    else
        smtp_reply_error(s, 501, "5.5.4", "Say attribute=value");
    return false;
}

/* --- XCLIENT --- */

bool smtp_xclient_offered(const struct smtp_session *s)
{
    return host_list_has(&s->settings->xclient_hosts, s->peer.connected);
}

static void set_name(struct smtp_peer *peer, const struct smtp_attributes *x)
{
    static const enum client_name_status states[] = {
        [ATTRIBUTE_VALUE] = CLIENT_NAME_CONFIRMED,
        [ATTRIBUTE_UNAVAILABLE] = CLIENT_NAME_NONE,
        [ATTRIBUTE_TEMPORARY] = CLIENT_NAME_UNKNOWN,
    };
    enum smtp_attribute_state state = x->of[ATTRIBUTE_NAME].state;
    if (state == ATTRIBUTE_NOT_GIVEN)
        return;
    peer->name = smtp_attributes_get(x, ATTRIBUTE_NAME);
    peer->name_status = states[state];
}

static void set_address(struct smtp_peer *peer, const struct smtp_attributes *x)
{
    if (x->of[ATTRIBUTE_ADDR].state == ATTRIBUTE_NOT_GIVEN)
        return;
    const char *address = smtp_attributes_get(x, ATTRIBUTE_ADDR);
    peer->address = address ? address : "unknown";
    if (x->of[ATTRIBUTE_NAME].state == ATTRIBUTE_NOT_GIVEN) {
        peer->name = NULL; /* the name was the other address's */
        peer->name_status = CLIENT_NAME_UNASKED;
    }
}

static uint16_t port_of(const struct smtp_attributes *x, enum smtp_attribute attribute,
                        uint16_t present)
{
    uint32_t port = 0;
    if (x->of[attribute].state == ATTRIBUTE_NOT_GIVEN)
        return present;
    str_to_u32(str_from_c(smtp_attributes_get(x, attribute)), &port);
    return (uint16_t)port;
}

static void set_peer(struct smtp_session *s, const struct smtp_attributes *x)
{
    struct smtp_peer peer = s->peer;
    set_name(&peer, x);
    set_address(&peer, x);
    peer.port = port_of(x, ATTRIBUTE_PORT, peer.port);
    peer.local_port = port_of(x, ATTRIBUTE_DESTPORT, peer.local_port);
    if (x->of[ATTRIBUTE_DESTADDR].state != ATTRIBUTE_NOT_GIVEN)
        peer.local_address = smtp_attributes_get(x, ATTRIBUTE_DESTADDR);
    smtp_peer_replace(s, &peer);
}

static bool set_login(struct smtp_session *s, const char *login)
{
    struct err e;
    const char *kept = arena_c(smtp_session_arena(s), str_from_c(login));
    if (session_list_login(s->net.list, &s->net.entry, kept, &e))
        return true;
    smtp_reply(s, 421, "4.7.0", "%s", e.text);
    return false;
}

static enum smtp_next xclient(struct smtp_session *s, const struct smtp_attributes *x)
{
    const char *helo = smtp_attributes_get(x, ATTRIBUTE_HELO);
    const char *protocol = smtp_attributes_get(x, ATTRIBUTE_PROTO);
    const char *login = smtp_attributes_get(x, ATTRIBUTE_LOGIN);
    struct err e;
    log_info(smtp_component(s), s->net.id,
             "xclient by=%s name=%s address=%s port=%s protocol=%s helo=<%s> user=<%s> "
             "destination=%s:%s",
             s->peer.connected, shown(x, ATTRIBUTE_NAME), shown(x, ATTRIBUTE_ADDR),
             shown(x, ATTRIBUTE_PORT), shown(x, ATTRIBUTE_PROTO), shown(x, ATTRIBUTE_HELO),
             shown(x, ATTRIBUTE_LOGIN), shown(x, ATTRIBUTE_DESTADDR), shown(x, ATTRIBUTE_DESTPORT));
    smtp_session_reset(s);
    smtp_policy_forget(s);
    set_peer(s, x);
    if (login && !set_login(s, login))
        return SMTP_CLOSE;
    smtp_load_recognize(s);
    if (helo)
        smtp_peer_set_helo(s, str_from_c(helo),
                           !protocol || str_equal_nocase(str_from_c(protocol), STR("ESMTP")));
    return smtp_policy_connect(s) && smtp_greet(s, &e) ? SMTP_GO_ON : SMTP_CLOSE;
}

enum smtp_next smtp_xclient(struct smtp_session *s, struct str argument)
{
    if (!smtp_xclient_offered(s))
        return smtp_reply_error(s, 550, "5.7.0", "You may not say XCLIENT");
    struct smtp_attributes x = {0};
    struct arena *a = arena_new();
    enum smtp_next next =
        parse(s, &x, OF_XCLIENT, a, argument) ? xclient(s, &x) : smtp_after_replies(s);
    arena_free(a);
    return next;
}

/* --- XFORWARD --- */

struct smtp_forwarded {
    struct arena *arena; /* holds this, too */
    struct smtp_attributes attributes;
};

bool smtp_xforward_offered(const struct smtp_session *s)
{
    return host_list_has(&s->settings->xforward_hosts, s->peer.connected);
}

void smtp_forwarded_free(struct smtp_session *s)
{
    if (s->forwarded)
        arena_free(s->forwarded->arena);
    s->forwarded = NULL;
}

/* A client may say it over and over: what was replaced is let go. */
static void keep(struct smtp_session *s, const struct smtp_attributes *x)
{
    struct arena *a = arena_new();
    struct smtp_forwarded *f = ARENA_NEW(a, struct smtp_forwarded);
    f->arena = a;
    smtp_attributes_copy(&f->attributes, x, a);
    smtp_forwarded_free(s);
    s->forwarded = f;
}

enum smtp_next smtp_xforward(struct smtp_session *s, struct str argument)
{
    if (!smtp_xforward_offered(s))
        return smtp_reply_error(s, 550, "5.7.0", "You may not say XFORWARD");
    struct smtp_attributes x = {0};
    if (s->forwarded)
        x = s->forwarded->attributes;
    struct arena *a = arena_new();
    bool ok = parse(s, &x, OF_XFORWARD, a, argument);
    if (ok) {
        keep(s, &x);
        smtp_reply(s, 250, "2.0.0", "Ok");
    }
    arena_free(a);
    return smtp_after_replies(s);
}

void smtp_forwarded_log(const struct smtp_session *s)
{
    if (!s->forwarded)
        return;
    const struct smtp_attributes *x = &s->forwarded->attributes;
    /* The up-stream host's own message has no client. */
    if (x->of[ATTRIBUTE_ADDR].state == ATTRIBUTE_UNAVAILABLE)
        log_info(smtp_component(s), s->transaction->envelope.id, "forwarded source=local ident=%s",
                 shown(x, ATTRIBUTE_IDENT));
    else
        log_info(smtp_component(s), s->transaction->envelope.id,
                 "forwarded name=%s address=%s port=%s protocol=%s helo=<%s> ident=%s source=%s",
                 shown(x, ATTRIBUTE_NAME), shown(x, ATTRIBUTE_ADDR), shown(x, ATTRIBUTE_PORT),
                 shown(x, ATTRIBUTE_PROTO), shown(x, ATTRIBUTE_HELO), shown(x, ATTRIBUTE_IDENT),
                 shown(x, ATTRIBUTE_SOURCE));
}
