/*
 * RCPT (RFC 5321 4.1.1.3). A recipient gets exactly the answer that delivery would give:
 * route_recipient() decides, and route_has_room() with the announced size; here it is put into a
 * reply.
 */
#include "core/log.h"
#include "mime/address.h"
#include "smtp/limits.h"
#include "smtp/smtp_parameter.h"
#include "smtp/syntax.h"

static enum smtp_next refuse_recipient(struct smtp_session *s, struct str address,
                                       const struct err *error)
{
    struct smtp_transaction *t = s->transaction;
    t->recipients_refused++;
    log_info(smtp_component(s), t->envelope.id,
             "refused from=<%.*s> to=<%.*s> peer=%s reason=\"%s\"", STR_ARG(t->envelope.sender),
             STR_ARG(address), s->peer.address, error->text);
    smtp_reply_err(s, error, "");
    return err_is_temporary(error->kind) ? SMTP_GO_ON : smtp_count_error(s);
}

static enum smtp_next route_reply(struct smtp_session *s, struct envelope_recipient *recipient)
{
    struct smtp_transaction *t = s->transaction;
    struct route *route = recipient->route;
    struct err relay_denied = {ERR_DENIED, "Relay access denied"}, no_room;
    switch (route->kind) {
    case ROUTE_REFUSE:
    case ROUTE_LATER:
        return refuse_recipient(s, recipient->address, &route->error);
    case ROUTE_RELAY:
        if (!smtp_may_relay(s))
            return refuse_recipient(s, recipient->address, &relay_denied);
        break;
    case ROUTE_ACCEPT:
        if (!route_has_room(s->context->queue, route, t->size_announced, &no_room))
            return refuse_recipient(s, recipient->address, &no_room);
        break;
    }
    smtp_transaction_add(t, recipient);
    smtp_reply(s, 250, "2.1.5", "Ok");
    return SMTP_GO_ON;
}

/* Recipients that were refused for now hold memory as well. */
static bool has_enough_recipients(const struct smtp_session *s)
{
    const struct smtp_transaction *t = s->transaction;
    size_t max = (size_t)s->settings->recipients_max;
    return t->envelope.recipient_count + t->recipients_refused >= max ||
           t->target_count >= max + SMTP_TARGETS_MAX;
}

enum smtp_next smtp_rcpt(struct smtp_session *s, struct str argument)
{
    struct smtp_transaction *t = s->transaction;
    struct envelope_recipient recipient = {0};
    struct str path, params;
    if (!smtp_split_path(argument, STR("TO:"), &path, &params))
        return smtp_reply_error(s, 501, "5.5.4", "Say RCPT TO:<address>");
    if (has_enough_recipients(s)) {
        smtp_reply(s, 452, "4.5.3", "Too many recipients, send the others with another message");
        return SMTP_GO_ON;
    }
    if (!smtp_parameters_take(s, t, &recipient, params))
        return smtp_after_replies(s);
    if (!t->envelope.smtputf8 && !str_is_ascii(path))
        return smtp_reply_error(s, 553, "5.6.7", "This address needs SMTPUTF8");
    struct address address;
    const char *reason = NULL;
    int flags = ADDRESS_NO_DOMAIN | (t->envelope.smtputf8 ? ADDRESS_UTF8 : 0);
    if (!address_parse(t->arena, path, flags, &address, &reason))
        return smtp_reply_error(s, 501, "5.1.3", "The recipient's address is malformed: %s",
                                reason);
    if (address.domain.n == 0 && !str_equal_nocase(address.local, STR("postmaster")))
        return smtp_reply_error(s, 501, "5.1.3", "The recipient's address needs a domain");
    recipient.address = address_text(t->arena, &address);
    recipient.route = route_recipient(s->context->queue, recipient.address, t->arena);
    return route_reply(s, &recipient);
}
