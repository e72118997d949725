/*
 * MAIL (RFC 5321 4.1.1.2): the beginning of a transaction.
 */
#include "core/crash.h"
#include "core/log.h"
#include "mime/address.h"
#include "smtp/smtp_command.h"
#include "smtp/smtp_options.h"
#include "smtp/syntax.h"

static enum rewrite_origin origin_of(const struct smtp_session *s)
{
    if (smtp_login(s))
        return REWRITE_USERS;
    if (smtp_is_submission(s))
        return REWRITE_PROGRAMS;
    return smtp_may_relay(s) ? REWRITE_RELAY : REWRITE_OUTSIDE;
}

/* Its messages have ended the process; an hour after the last time it may try again. */
static bool is_suspect(struct smtp_session *s, const struct smtp_transaction *t)
{
    if (!crashes_accuse(s->context->crashes, SUSPECT_SENDER, str_from_c(s->peer.address),
                        t->envelope.sender))
        return false;
    log_warning(smtp_component(s), t->envelope.id,
                "refused from=<%.*s> peer=%s reason=\"the server crashed twice with this sender\"",
                STR_ARG(t->envelope.sender), s->peer.address);
    smtp_reply(s, 450, "4.3.0", "The last messages of this sender have made the server fail");
    return true;
}

static enum smtp_next mail_begin(struct smtp_session *s, struct smtp_transaction *t,
                                 struct str path, struct str params)
{
    if (!smtp_parameters_take(s, t, NULL, params))
        return smtp_after_replies(s);
    int flags = ADDRESS_NULL | (t->envelope.smtputf8 ? ADDRESS_UTF8 : 0) |
                (smtp_protocol(s) == SERVICE_SUBMISSION ? ADDRESS_NO_DOMAIN : 0);
    const char *reason = NULL;
    struct address sender;
    if (!t->envelope.smtputf8 && !str_is_ascii(path))
        return smtp_reply_error(s, 553, "5.6.7", "This address needs SMTPUTF8");
    if (!address_parse(t->arena, path, flags, &sender, &reason))
        return smtp_reply_error(s, 501, "5.1.7", "The sender's address is malformed: %s", reason);
    smtp_complete_address(s, t, &sender);
    if (t->size_announced > (uint64_t)s->settings->message_size_max)
        return smtp_reply_error(s, 552, "5.3.4", "The message is larger than the limit of %lld",
                                (long long)s->settings->message_size_max);
    if (!smtp_options_check(s, t))
        return smtp_after_replies(s);
    t->envelope.sender = address_text(t->arena, &sender);
    t->envelope.component = smtp_component(s);
    t->envelope.login = str_from_c(smtp_login(s));
    enum smtp_next next;
    if (is_suspect(s, t))
        return SMTP_GO_ON;
    if (!smtp_policy_mail(s, t, &next))
        return next;
    rewriter_begin(&t->rewriter, s->context->queue, origin_of(s));
    s->transaction = t;
    smtp_forwarded_log(s);
    if (t->said_login.n > 0)
        log_info(smtp_component(s), t->envelope.id, "said to be from user=<%.*s> peer=%s",
                 STR_ARG(t->said_login), s->peer.address);
    if (!smtp_options_reply(s, t))
        smtp_reply(s, 250, "2.1.0", "Ok");
    return SMTP_GO_ON;
}

enum smtp_next smtp_mail(struct smtp_session *s, struct str argument)
{
    struct str path, params;
    if (s->messages >= s->settings->messages_per_connection) {
        smtp_reply(s, 421, "4.7.0", "Too many messages over one connection");
        return SMTP_CLOSE;
    }
    if (!smtp_split_path(argument, STR("FROM:"), &path, &params))
        return smtp_reply_error(s, 501, "5.5.4", "Say MAIL FROM:<address>");
    struct smtp_transaction *t = smtp_transaction_new();
    enum smtp_next next = mail_begin(s, t, path, params);
    if (s->transaction != t)
        arena_free(t->arena);
    return next;
}
