/*
 * Whether who has logged in may send as what the message says (route/send_as.h): its envelope's
 * sender, and its author.
 *
 * RFC 5322 3.6.2: From names the authors, and Sender who handed the message in, when that is not
 * the one author. 3.6.6: a message that is sent on as it is (Resent-) keeps the From of its author.
 * Most people see nothing but From, so usually all of it has to belong to the login, and Sender as
 * well where there is one. A rule with `own = sender` asks for him only whom these sections hold to
 * have sent the message: then a secretary can write for her boss under her own name.
 */
#include "mime/address.h"
#include "policy/limits.h"
#include "policy/policy_internal.h"
#include "route/send_as.h"

/* The directory cannot tell: neither yes nor no. */
static enum policy_result later(struct policy_call *c, const struct err *e)
{
    policy_why(c, "the directory does not answer: %s", e->text);
    c->has_action = true;
    c->action = POLICY_DEFER;
    c->text = STR("The directory does not answer, try again later");
    return POLICY_MATCH;
}

/* MATCH: it is not his. Of a stranger: it is somebody's. */
static SUSPENDS enum policy_result check_address(struct policy_call *c, const char *what,
                                                 struct str address)
{
    struct str login = c->facts->login;
    struct send_as_answer answer;
    struct err e;
    enum lookup result =
        send_as_check(c->policy->context.router, login, address, c->arena, &answer, &e);
    if (result == LOOKUP_TEMPFAIL)
        return later(c, &e);
    struct str text = send_as_text(&answer, c->arena);
    if (result == LOOKUP_FOUND || (login.n == 0 && answer.how != SEND_AS_OTHERS)) {
        policy_why(c, "%s<%.*s>: %.*s", what, STR_ARG(address), STR_ARG(text));
        return POLICY_NO_MATCH;
    }
    if (login.n > 0)
        policy_why(c, "%s<%.*s> does not belong to %.*s: %.*s", what, STR_ARG(address),
                   STR_ARG(login), STR_ARG(text));
    else
        policy_why(c, "%s<%.*s> is an address of this server, and nobody has logged in", what,
                   STR_ARG(address));
    return POLICY_MATCH;
}

/* A client without a login of whom that is not asked. */
static bool is_trusted(const struct policy_call *c)
{
    return c->facts->login.n == 0 && policy_rules_trust(c->session->rules, c->facts->address);
}

enum policy_result check_sender_login(struct policy_call *c)
{
    const struct policy_facts *f = c->facts;
    if (f->sender.n == 0) /* reports of delivery and reading (RFC 8098) come from nobody */
        return POLICY_NO_MATCH;
    return is_trusted(c) ? POLICY_NO_MATCH : check_address(c, "", f->sender);
}

/* --- the header --- */

/* Something in it is none. A stranger is not asked to do better. */
static enum policy_result say_none(struct policy_call *c, const char *name)
{
    if (c->facts->login.n == 0)
        return POLICY_NO_MATCH;
    policy_why(c, "%s names no address", name);
    return POLICY_MATCH;
}

/* Each address of the field. */
static SUSPENDS enum policy_result check_field(struct policy_call *c, const char *name,
                                               struct str value)
{
    enum policy_result result = POLICY_NO_MATCH;
    size_t count, asked = 0;
    struct mailbox_address *list = address_list_parse(c->arena, value, &count);
    struct str what = arena_printf(c->arena, "%s ", name);
    for (size_t i = 0; i < count && result == POLICY_NO_MATCH; i++) {
        struct address address = {list[i].local, list[i].domain};
        if (!list[i].domain.p) /* begin or end of a group */
            continue;
        if (++asked > POLICY_AUTHORS_MAX) {
            policy_why(c, "%s has more than %d addresses", name, POLICY_AUTHORS_MAX);
            return POLICY_MATCH;
        }
        bool whole = address.local.n > 0 && address.domain.n > 0;
        result =
            whole ? check_address(c, what.p, address_text(c->arena, &address)) : say_none(c, name);
    }
    return asked > 0 ? result : say_none(c, name);
}

static enum policy_result say_twice(struct policy_call *c, const char *name)
{
    policy_why(c, "there is more than one %s field", name);
    return POLICY_MATCH;
}

/* Without the field it is made of the envelope's sender, else of the login. */
static SUSPENDS enum policy_result check_from(struct policy_call *c, const struct policy_header *h)
{
    if (h->from_fields > 1)
        return say_twice(c, "From");
    if (h->from_fields == 1)
        return check_field(c, "From", h->from);
    return c->facts->sender.n > 0 ? check_address(c, "", c->facts->sender) : POLICY_NO_MATCH;
}

static SUSPENDS enum policy_result check_all(struct policy_call *c, const struct policy_header *h)
{
    enum policy_result result = check_from(c, h);
    if (result != POLICY_NO_MATCH || h->sender_fields == 0)
        return result;
    return h->sender_fields > 1 ? say_twice(c, "Sender") : check_field(c, "Sender", h->sender);
}

/* The one who sent it, as RFC 5322 has it. */
static SUSPENDS enum policy_result check_who_sent(struct policy_call *c,
                                                  const struct policy_header *h)
{
    if (h->resent_sender.n > 0)
        return check_field(c, "Resent-Sender", h->resent_sender);
    if (h->resent_from.n > 0)
        return check_field(c, "Resent-From", h->resent_from);
    if (h->sender_fields > 1)
        return say_twice(c, "Sender");
    return h->sender_fields == 1 ? check_field(c, "Sender", h->sender) : check_from(c, h);
}

enum policy_result check_from_login(struct policy_call *c)
{
    const struct policy_header *h = c->facts->header;
    if (is_trusted(c))
        return POLICY_NO_MATCH;
    return c->rule->settings->own == RULE_OWN_SENDER ? check_who_sent(c, h) : check_all(c, h);
}
