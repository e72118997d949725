/*
 * Whether this server can take this message, asked before anything is said. What it cannot take at
 * all goes back to the sender with the reason: a size beyond what it has announced (RFC 1870 6.2),
 * an international address or header without SMTPUTF8 (RFC 6531 3.2). What can be said in another
 * way is: 8-bit text without 8BITMIME is converted, an address that is international in its domain
 * only is written with A-labels.
 *
 * Binary parts (BINARYMIME) need no thought here: they are stored as base64 when they arrive.
 */
#include "net/dns_decode.h"
#include "smtp/client_downgrade.h"
#include "smtp/client_mail.h"
#include "smtp/client_options.h"

/* Header block that is searched for UTF-8. */
#define HEADER_MAX ((size_t)256 * 1024)

SUSPENDS static bool header_is_ascii(struct client_mail *x)
{
    struct err e;
    struct buf header = BUF_EMPTY;
    bool ok = spool_read_header(x->m->body, HEADER_MAX, &header, &e) &&
              str_is_ascii(buf_str(&header)) && str_is_ascii(x->m->prefix);
    buf_free(&header);
    return ok;
}

/* For a server without 8BITMIME. */
SUSPENDS static bool downgrade(struct client_mail *x)
{
    struct spool *body;
    if (!client_downgrade(x->m, &body, &x->size_crlf, &x->failure))
        return false;
    spool_unref(x->body);
    x->body = body;
    return true;
}

static bool is_printable(struct str address)
{
    for (size_t i = 0; i < address.n; i++)
        if ((unsigned char)address.p[i] < ' ' || address.p[i] == 127)
            return false;
    return true;
}

/* Addresses come from parsers that let nothing else through; this is the last gate before the wire.
 */
static void fail_unprintable(struct client_mail *x)
{
    bool sender = is_printable(x->m->sender);
    client_failure_set(&x->failure, true, "5.1.3", "the address holds control characters");
    for (size_t i = 0; i < x->m->recipient_count; i++)
        if (x->state[i] == CLIENT_OPEN && !(sender && is_printable(x->m->recipients[i].address)))
            client_outcome_fail(x, i);
}

struct str client_ability_address(const struct client_mail *x, struct str address)
{
    ptrdiff_t at = str_find_last_char(address, '@');
    const char *domain;
    if (x->use_utf8 || at < 0 || str_is_ascii(address) ||
        !str_is_ascii(str_head(address, (size_t)at)) ||
        !dns_query_name(str_skip(address, (size_t)at + 1), x->m->arena, &domain))
        return address;
    return arena_printf(x->m->arena, "%.*s@%s", (int)at, address.p, domain);
}

static bool is_sayable(const struct client_mail *x, struct str address)
{
    return str_is_ascii(client_ability_address(x, address));
}

/* Without SMTPUTF8. */
SUSPENDS static void fail_international(struct client_mail *x)
{
    struct str relay = buf_str(&x->s->relay);
    client_failure_set(&x->failure, true, "5.6.7",
                       "%.*s cannot take international addresses (SMTPUTF8)", STR_ARG(relay));
    for (size_t i = 0; i < x->m->recipient_count; i++)
        if (x->state[i] == CLIENT_OPEN && !is_sayable(x, x->m->recipients[i].address))
            client_outcome_fail(x, i);
    if (!is_sayable(x, x->m->sender)) {
        client_outcome_fail_rest(x);
    } else if (x->m->smtputf8 && !header_is_ascii(x)) {
        client_failure_set(&x->failure, true, "5.6.7",
                           "%.*s cannot take a message with an international header (SMTPUTF8)",
                           STR_ARG(relay));
        client_outcome_fail_rest(x);
    }
}

static bool is_too_large(struct client_mail *x)
{
    uint64_t most = x->s->hello.size_max;
    if (most == 0 || x->size_crlf <= most)
        return false;
    client_failure_set(
        &x->failure, true, "5.3.4", "the message has %llu bytes, %.*s takes %llu at most",
        (unsigned long long)x->size_crlf, STR_ARG(buf_str(&x->s->relay)), (unsigned long long)most);
    return true;
}

SUSPENDS void client_ability_check(struct client_mail *x)
{
    const struct client_session *s = x->s;
    const struct transport_message *m = x->m;
    fail_unprintable(x);
    if (!client_options_check(s, m, &x->failure)) {
        client_outcome_fail_rest(x);
        return;
    }
    x->use_utf8 = m->smtputf8 && client_session_has(s, CLIENT_SMTPUTF8);
    bool seven = m->body_8bit && !client_session_has(s, CLIENT_8BITMIME);
    if ((seven && !downgrade(x)) || is_too_large(x)) {
        client_outcome_fail_rest(x);
        return;
    }
    if (!client_session_has(s, CLIENT_SMTPUTF8))
        fail_international(x);
}
