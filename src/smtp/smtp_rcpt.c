/*
 * RCPT (RFC 5321 4.1.1.3). A recipient gets exactly the answer that delivery would give:
 * recipient_check() decides; here is who asks.
 */
#include "core/log.h"
#include "mime/address.h"
#include "smtp/limits.h"
#include "smtp/smtp_command.h"
#include "smtp/smtp_parameter.h"
#include "smtp/syntax.h"

static enum smtp_next refuse_recipient(struct smtp_session *s, struct str address,
                                       const struct recipient_answer *answer)
{
    struct smtp_transaction *t = s->transaction;
    t->recipients_refused++;
    log_info(smtp_component(s), t->envelope.id,
             "refused from=<%.*s> to=<%.*s> peer=%s reason=\"%.*s\"", STR_ARG(t->envelope.sender),
             STR_ARG(address), s->peer.address, STR_ARG(answer->reason));
    smtp_reply(s, answer->code, answer->enhanced, "%.*s", STR_ARG(answer->text));
    return answer->fate == FATE_LATER ? SMTP_GO_ON : smtp_count_error(s);
}

static struct recipient_question question_of(const struct smtp_session *s, struct str address)
{
    return (struct recipient_question){.address = address,
                                       .size = s->transaction->size_announced,
                                       .trusted = smtp_is_trusted(s),
                                       .may_relay = smtp_may_relay(s)};
}

/* The access policy stands between: no other server is asked for the sake of somebody who is
 * refused anyway. */
static enum smtp_next take_recipient(struct smtp_session *s, struct envelope_recipient *recipient)
{
    struct smtp_transaction *t = s->transaction;
    struct queue *q = s->context->queue;
    struct recipient_question question = question_of(s, recipient->address);
    struct recipient_answer answer;
    enum smtp_next next;
    recipient_check_here(q, &question, t->arena, &answer);
    if (answer.fate != FATE_ACCEPT)
        return refuse_recipient(s, recipient->address, &answer);
    if (!smtp_policy_rcpt(s, recipient->address, &next)) {
        t->recipients_refused++;
        return next;
    }
    recipient_check_there(q, &question, t->arena, &answer);
    if (answer.fate != FATE_ACCEPT)
        return refuse_recipient(s, recipient->address, &answer);
    recipient->route = answer.route;
    smtp_transaction_add(t, recipient);
    smtp_reply(s, answer.code, answer.enhanced, "%.*s", STR_ARG(answer.text));
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
    if (!str_equal_nocase(address.local, STR("postmaster")))
        smtp_complete_address(s, t, &address);
    if (address.domain.n == 0 && !str_equal_nocase(address.local, STR("postmaster")))
        return smtp_reply_error(s, 501, "5.1.3", "The recipient's address needs a domain");
    recipient.address = address_text(t->arena, &address);
    return take_recipient(s, &recipient);
}
