/*
 * VRFY and EXPN (RFC 5321 3.5, 4.1.1.6, 4.1.1.7). Where the setting has them off, they neither
 * confirm nor deny (7.3). Where it is on, VRFY says what RCPT would say, and EXPN where an address
 * leads that is no mailbox itself: the members of a list, the mailbox behind an alias.
 */
#include "mime/address.h"
#include "queue/recipient.h"
#include "smtp/smtp_command.h"

bool smtp_vrfy_offered(const struct smtp_session *s)
{
    return s->settings->vrfy;
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
    return address_parse(a, address_without_brackets(argument), flags, address, NULL);
}

typedef enum smtp_next answer_function(struct smtp_session *s,
                                       const struct recipient_question *question, struct arena *a);

static enum smtp_next answer_refused(struct smtp_session *s, const struct recipient_answer *found)
{
    if (found->fate == FATE_REFUSE)
        return smtp_reply_error(s, found->code, found->enhanced, "%.*s", STR_ARG(found->text));
    smtp_reply(s, found->code, found->enhanced, "%.*s", STR_ARG(found->text));
    return SMTP_GO_ON;
}

static SUSPENDS enum smtp_next answer_vrfy(struct smtp_session *s,
                                           const struct recipient_question *question,
                                           struct arena *a)
{
    struct recipient_answer found;
    recipient_check(s->context->queue, question, a, &found);
    if (found.fate != FATE_ACCEPT)
        return answer_refused(s, &found);
    if (found.certain)
        smtp_reply(s, 250, "2.1.5", "<%.*s>", STR_ARG(question->address));
    else
        smtp_reply(s, 252, "2.5.2", "Cannot verify <%.*s>, but will take mail for it",
                   STR_ARG(question->address));
    return SMTP_GO_ON;
}

/* --- EXPN --- */

/* A public mailbox has no address that could be told. */
static bool has_address(const struct route_target *t)
{
    return t->kind != TARGET_PUBLIC;
}

/* The last of those that can be told; NULL: there is none. */
static const struct route_target *last_told(const struct route *route)
{
    for (size_t i = route->count; i > 0; i--)
        if (has_address(&route->targets[i - 1]))
            return &route->targets[i - 1];
    return NULL;
}

static bool is_user(const struct route *route, struct str address)
{
    const struct route_target *last = last_told(route);
    if (!last)
        return true;
    return route->count == 1 && (last->kind == TARGET_SINK ||
                                 ((last->kind == TARGET_MAILBOX || last->kind == TARGET_HOST) &&
                                  str_equal_nocase(last->address, address)));
}

/* RFC 6531 3.7.4.2: who has not said SMTPUTF8 is not told half of it. */
static bool is_readable(const struct smtp_session *s, const struct route *route)
{
    bool ascii = true;
    for (size_t i = 0; i < route->count; i++)
        ascii &= !has_address(&route->targets[i]) || str_is_ascii(route->targets[i].address);
    return ascii || s->utf8_command;
}

static SUSPENDS enum smtp_next answer_expn(struct smtp_session *s,
                                           const struct recipient_question *question,
                                           struct arena *a)
{
    struct recipient_answer found;
    recipient_check_here(s->context->queue, question, a, &found);
    const struct route *route = found.route;
    if (found.fate != FATE_ACCEPT)
        return answer_refused(s, &found);
    if (route->kind != ROUTE_ACCEPT || route->unlisted) {
        smtp_reply(s, 252, "2.5.2", "Cannot expand <%.*s>, but will take mail for it",
                   STR_ARG(question->address));
        return SMTP_GO_ON;
    }
    if (is_user(route, question->address))
        return smtp_reply_error(s, 550, "5.1.0", "That is a user, not a mailing list");
    if (!is_readable(s, route)) {
        smtp_reply(s, 252, "2.6.8", "The members have international addresses: say SMTPUTF8");
        return SMTP_GO_ON;
    }
    const struct route_target *last = last_told(route);
    for (const struct route_target *t = route->targets; t < last; t++)
        if (has_address(t))
            smtp_reply_part(s, 250, "2.1.5", "<%.*s>", STR_ARG(t->address));
    smtp_reply(s, 250, "2.1.5", "<%.*s>", STR_ARG(last->address));
    return SMTP_GO_ON;
}

/* --- both --- */

static SUSPENDS enum smtp_next answer(struct smtp_session *s, struct arena *a, struct str argument,
                                      const char *verb, answer_function *answer_with)
{
    struct address address;
    if (!parse(s, a, argument, &address))
        return smtp_reply_error(s, 501, "5.1.3", "Say %s address", verb);
    if (address.domain.n == 0 && !str_equal_nocase(address.local, STR("postmaster"))) {
        smtp_reply(s, 252, "2.5.2", "Say an address with a domain");
        return SMTP_GO_ON;
    }
    struct recipient_question question = {
        .address = address_text(a, &address),
        .sender_unknown = true,
        .trusted = smtp_is_trusted(s),
        .may_relay = smtp_may_relay(s),
    };
    return answer_with(s, &question, a);
}

static SUSPENDS enum smtp_next run(struct smtp_session *s, struct str argument, const char *verb,
                                   answer_function *answer_with)
{
    if (argument.n == 0)
        return smtp_reply_error(s, 501, "5.5.4", "Say %s address", verb);
    if (!smtp_vrfy_offered(s)) {
        smtp_reply(s, 252, "2.5.2", "Cannot tell, but try and send the message");
        return SMTP_GO_ON;
    }
    if (smtp_login_missing(s))
        return smtp_reply_login_missing(s);
    struct arena *a = arena_new();
    enum smtp_next next = answer(s, a, argument, verb, answer_with);
    arena_free(a);
    return next;
}

enum smtp_next smtp_vrfy(struct smtp_session *s, struct str argument)
{
    return run(s, argument, "VRFY", answer_vrfy);
}

enum smtp_next smtp_expn(struct smtp_session *s, struct str argument)
{
    return run(s, argument, "EXPN", answer_expn);
}
