/*
 * VRFY (RFC 5321 3.5, 4.1.1.6). Where the setting has it off, it neither confirms nor denies
 * (3.5.3); where it is on, the answer is what RCPT would say.
 */
#include "mime/address.h"
#include "queue/recipient.h"
#include "smtp/smtp_command.h"

static struct str without_brackets(struct str s)
{
    return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? str_from(s.p + 1, s.n - 2) : s;
}

/* RFC 6531 3.7.4.2: "VRFY address SMTPUTF8". */
static bool parse(struct smtp_session *s, struct arena *a, struct str argument,
                  struct address *address)
{
    static const struct str keyword = {" SMTPUTF8", 9};
    int flags = ADDRESS_NO_DOMAIN;
    if (s->peer.extended && str_ends_with_nocase(argument, keyword)) {
        flags |= ADDRESS_UTF8;
        s->utf8_command = true;
        argument = str_trim(str_head(argument, argument.n - keyword.n));
    }
    if (!(flags & ADDRESS_UTF8) && !str_is_ascii(argument))
        return false;
    return address_parse(a, without_brackets(argument), flags, address, NULL);
}

static enum smtp_next answer(struct smtp_session *s, struct arena *a, struct str argument)
{
    struct address address;
    if (!parse(s, a, argument, &address))
        return smtp_reply_error(s, 501, "5.1.3", "Say VRFY address");
    if (address.domain.n == 0 && !str_equal_nocase(address.local, STR("postmaster"))) {
        smtp_reply(s, 252, "2.5.2", "Say an address with a domain to have it verified");
        return SMTP_GO_ON;
    }
    struct recipient_question question = {
        .address = address_text(a, &address),
        .trusted = smtp_is_trusted(s),
        .may_relay = smtp_may_relay(s),
    };
    struct recipient_answer found;
    recipient_check(s->context->queue, &question, a, &found);
    if (found.fate == FATE_REFUSE)
        return smtp_reply_error(s, found.code, found.enhanced, "%.*s", STR_ARG(found.text));
    if (found.fate == FATE_LATER)
        smtp_reply(s, found.code, found.enhanced, "%.*s", STR_ARG(found.text));
    else if (found.certain)
        smtp_reply(s, 250, "2.1.5", "<%.*s>", STR_ARG(question.address));
    else
        smtp_reply(s, 252, "2.5.2", "Cannot verify <%.*s>, but will take mail for it",
                   STR_ARG(question.address));
    return SMTP_GO_ON;
}

enum smtp_next smtp_vrfy(struct smtp_session *s, struct str argument)
{
    if (argument.n == 0)
        return smtp_reply_error(s, 501, "5.5.4", "Say VRFY address");
    if (!s->settings->vrfy) {
        smtp_reply(s, 252, "2.5.2", "Cannot verify, but try and send the message");
        return SMTP_GO_ON;
    }
    if (smtp_login_missing(s))
        return smtp_reply_login_missing(s);
    struct arena *a = arena_new();
    enum smtp_next next = answer(s, a, argument);
    arena_free(a);
    return next;
}
