/*
 * Checks of the header and what is added, with RFC 6409 8 for messages from our own users:
 *
 *   Date, Message-ID   added when they are missing or empty
 *   From               added from the envelope when it is missing; else there must be one, with
 *                      addresses that can be answered
 *   Sender             the login, when From has several addresses and there is none; if the
 * settings ask for it, whenever From is not the login
 *
 * From others a message is taken as it is, within limits: what is missing there is the sender's
 * affair, and of it a setting decides.
 */
#include "smtp/message_header.h"

#include "mime/date.h"
#include "queue/envelope.h"
#include "route/route.h"
#include "smtp/smtp_server.h"

struct str message_domain(const struct smtp_settings *s, const struct message_origin *o)
{
    ptrdiff_t at = str_find_last_char(o->login, '@');
    if (!o->submission)
        return STR("");
    if (at >= 0)
        return str_skip(o->login, (size_t)at + 1);
    return s->origin[0] ? str_from_c(s->origin) : o->host;
}

struct header_rules message_rules(const struct smtp_settings *s, const struct message_origin *o)
{
    return (struct header_rules){
        .submission = o->submission,
        .drop_sender = o->submission && s->add_sender && o->login.n > 0,
        .domain = message_domain(s, o),
        .login = o->login,
        .host = o->host,
        .refuse_broken = s->broken_header == SMTP_BROKEN_HEADER_REJECT && !o->submission,
    };
}

/* Ours to answer for. */
static bool check_submitted(const struct message_origin *o, const struct header_facts *facts,
                            struct smtp_refusal *r)
{
    if (facts->from_fields == 0 && o->sender.n == 0 && o->login.n == 0)
        return smtp_refuse(r, 550, "5.6.0", "The message has no From field");
    if (facts->from_fields > 1)
        return smtp_refuse(r, 550, "5.6.0", "The message has more than one From field");
    if (facts->from_fields == 1 && !facts->from_valid)
        return smtp_refuse(r, 550, "5.6.0", "The From field of the message has no valid address");
    return true;
}

bool message_check_header(const struct smtp_settings *s, const struct message_origin *o,
                          const struct header_facts *facts, struct smtp_refusal *r)
{
    if (facts->hops > (unsigned)s->hops_max)
        return smtp_refuse(r, 554, "5.4.6", "Too many Received headers: the message seems to loop");
    if (o->submission)
        return check_submitted(o, facts, r);
    if (s->from_field >= SMTP_FROM_SINGLE && facts->from_fields > 1)
        return smtp_refuse(r, 550, "5.6.0", "The message has more than one From field");
    if (s->from_field == SMTP_FROM_REQUIRED && facts->from_fields == 0)
        return smtp_refuse(r, 550, "5.6.0", "The message has no From field");
    return true;
}

struct str message_identifier(const struct message_origin *o, const struct header_facts *facts,
                              struct arena *a)
{
    return facts->message_id || !o->submission
               ? buf_str(&facts->identifier)
               : arena_printf(a, "%s@%.*s", o->id, STR_ARG(o->host));
}

void message_add_fields(struct buf *out, const struct smtp_settings *s,
                        const struct message_origin *o, const struct header_facts *facts,
                        int64_t now)
{
    if (!o->submission)
        return;
    if (!facts->date) {
        buf_add_c(out, "Date: ");
        date_write_header(out, now);
        buf_add_char(out, '\n');
    }
    if (!facts->message_id)
        buf_printf(out, "Message-ID: <%s@%.*s>\n", o->id, STR_ARG(o->host));
    struct str from = o->sender.n > 0 ? o->sender : o->login;
    if (facts->from_fields == 0)
        buf_printf(out, "From: %.*s\n", STR_ARG(from));
    bool own = facts->from_fields > 0 ? facts->from_is_login : str_equal_nocase(from, o->login);
    /* Of several authors one must have sent it (RFC 5322 3.6.2). */
    bool nameless = facts->from_addresses > 1 && !facts->sender;
    if (o->login.n > 0 && (s->add_sender ? !own : nameless))
        buf_printf(out, "Sender: %.*s\n", STR_ARG(o->login));
}

/* Directly above our Received field: should the message come back from another server to which it
 * was sent on, it is known again (header_filter.c). With several recipients the field would tell
 * each of the others; such a message gets it when it comes back for one of them. */
void message_add_delivered_to(struct buf *out, const struct envelope *e)
{
    if (e->recipient_count == 1 && e->recipients[0].route->kind == ROUTE_ACCEPT)
        buf_printf(out, "Delivered-To: %.*s\n", STR_ARG(e->recipients[0].address));
}
