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
             "refused from=<%.*s> to=<%.*s> peer=%s helo=<%s> code=%d reason=\"%.*s\"",
             STR_ARG(t->envelope.sender), STR_ARG(address), s->peer.address, s->peer.helo,
             answer->code, STR_ARG(answer->reason));
    smtp_reply(s, answer->code, answer->enhanced, "%.*s", STR_ARG(answer->text));
    /* A server that hands on what others sent names unknown recipients all day. */
    bool counts = answer->fate == FATE_REFUSE && !smtp_is_trusted(s);
    return counts ? smtp_count_error(s) : SMTP_GO_ON;
}

static struct recipient_question question_of(const struct smtp_session *s, struct str address)
{
    return (struct recipient_question){.address = address,
                                       .sender = s->transaction->envelope.sender,
                                       .size = s->transaction->size_announced,
                                       .trusted = smtp_is_trusted(s),
                                       .may_relay = smtp_may_relay(s)};
}

/* A client that pipelines (RFC 2920) has named the next recipients already: those of the same
 * domain are asked for over the same connection, at the same time. Nothing is decided about them
 * here; what is malformed is passed over. No more than a client may have refused. */
static void look_ahead(struct smtp_session *s, const struct recipient_answer *answer)
{
    struct str rest = stream_buffered(s->net.stream), path, params;
    struct arena *a = arena_new();
    int64_t most = smtp_errors_max(s) - s->errors;
    most = most < SMTP_LOOK_AHEAD_MAX ? most : SMTP_LOOK_AHEAD_MAX;
    for (int64_t i = 1; i < most && str_find_char(rest, '\n') >= 0; i++) {
        struct address address;
        struct str line = str_trim(str_split(&rest, '\n')), verb = str_word(&line);
        if (!verb.p || !str_equal_nocase(verb, STR("RCPT")))
            break;
        if (smtp_split_path(str_trim(line), STR("TO:"), &path, &params) &&
            address_parse(a, path, ADDRESS_UTF8, &address, NULL))
            recipient_expect(s->context->queue, answer, address_text(a, &address));
    }
    arena_free(a);
}

/* What its server says, if it has to be asked. */
static SUSPENDS void check_there(struct smtp_session *s, struct recipient_question *question,
                                 struct recipient_answer *answer)
{
    struct smtp_transaction *t = s->transaction;
    usec begun = clock_monotonic();
    if (recipient_ask_there(s->context->queue, answer))
        look_ahead(s, answer);
    question->verify_until = begun + SMTP_VERIFY_PATIENCE - t->verified;
    recipient_check_there(s->context->queue, question, t->arena, answer);
    t->verified += clock_monotonic() - begun;
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
    check_there(s, &question, &answer);
    if (answer.fate != FATE_ACCEPT)
        return refuse_recipient(s, recipient->address, &answer);
    recipient->route = answer.route;
    smtp_transaction_add(t, recipient);
    smtp_reply(s, answer.code, answer.enhanced, "%.*s", STR_ARG(answer.text));
    return SMTP_GO_ON;
}

/* Recipients that were refused with 4xx hold memory as well. */
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
    recipient.address =
        smtp_rewrite(t, REWRITE_ENVELOPE_RECIPIENT, address_text(t->arena, &address));
    return take_recipient(s, &recipient);
}
