/*
 * Answers to who names a recipient. The questions in their order, the first "no" is the answer:
 *
 *   1. route_recipient(): does the address lead anywhere?
 *   2. May this sender write to it: relaying, internal addresses?
 *   3. recipient_has_room(): would a mailbox take it?
 *   4. verify_address(): would the server of a relay domain take it, if the domain wants it asked?
 *
 * Reply codes are of RFC 5321 4.2.3, enhanced ones of RFC 3463.
 */
#include "queue/recipient.h"

#include "mime/address.h"
#include "queue/message.h"
#include "queue/queue_internal.h"

static void answer_set(struct recipient_answer *answer, enum recipient_fate fate, int code,
                       const char *enhanced, struct str text)
{
    answer->fate = fate;
    answer->code = code;
    answer->enhanced = enhanced;
    answer->text = text;
}

/* The one place where kinds of errors become the reply to a recipient. Details of the machine are
 * for the log. */
static void answer_error(struct recipient_answer *answer, const struct err *e, const char *status,
                         struct arena *a)
{
    struct str text = arena_str(a, str_from_c(e->text));
    answer->reason = text;
    switch (e->kind) {
    case ERR_NOT_FOUND:
        answer_set(answer, FATE_REFUSE, 550, "5.1.1", text);
        break;
    case ERR_DENIED:
        answer_set(answer, FATE_REFUSE, 550, status ? status : "5.7.1", text);
        break;
    case ERR_QUOTA:
        answer_set(answer, FATE_REFUSE, 552, "5.2.2", text);
        break;
    case ERR_QUOTA_NOW:
        answer_set(answer, FATE_LATER, 452, "4.2.2", text);
        break;
    case ERR_SYNTAX:
        answer_set(answer, FATE_REFUSE, 553, "5.1.3", text);
        break;
    case ERR_NO_SPACE:
        answer_set(answer, FATE_LATER, 452, "4.3.1", STR("Insufficient system storage"));
        break;
    default:
        if (err_is_temporary(e->kind) && status)
            answer_set(answer, FATE_LATER, 450, status, text);
        else if (err_is_temporary(e->kind))
            answer_set(answer, FATE_LATER, 451, "4.3.0", STR("Temporary failure, try again later"));
        else
            answer_set(answer, FATE_REFUSE, 550, status ? status : "5.0.0", text);
        break;
    }
}

/* False: *e. */
SUSPENDS static bool sender_may(struct queue *q, const struct recipient_question *question,
                                const struct route *route, struct arena *a, struct err *e)
{
    if (route->kind == ROUTE_RELAY && !question->may_relay)
        return err_set(e, ERR_DENIED, "Relay access denied");
    if (route->internal && !question->trusted)
        return err_set(e, ERR_DENIED, "This address takes no mail from outside");
    return question->sender_unknown ||
           route_admits(q->context.router, route, question->sender, a, e);
}

/* A full mailbox of the postmaster is somebody's to empty: mail comes again. */
SUSPENDS static bool has_room(struct queue *q, const struct recipient_question *question,
                              const struct route *route, struct err *e)
{
    if (route->kind == ROUTE_RELAY)
        return !message_table_is_full(q) || err_set(e, ERR_NO_SPACE, "the queue is full");
    if (recipient_has_room(q, route, question->size, e))
        return true;
    if (route->role && e->kind == ERR_QUOTA)
        e->kind = ERR_QUOTA_NOW;
    return false;
}

/* --- the server of a relay domain --- */

static void answer_accept(struct recipient_answer *answer, bool certain)
{
    answer->certain = certain;
    answer_set(answer, FATE_ACCEPT, 250, "2.1.5", STR("Ok"));
}

/* postmaster and abuse always reach somebody: here, when nobody reads them there. */
SUSPENDS static bool answer_role_here(struct queue *q, struct arena *a,
                                      struct recipient_answer *answer)
{
    struct err ignored;
    struct route *here = route_recipient(q->context.router, STR("postmaster"), a);
    if (here->kind != ROUTE_ACCEPT || !recipient_has_room(q, here, 0, &ignored))
        return false;
    answer->route = here;
    answer_accept(answer, true);
    return true;
}

/* Replies are ASCII (RFC 5321 2.4), whatever the other server says. */
static struct str ascii(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] >= 0x80)
            ((char *)text.p)[i] = '?';
    return text;
}

static void answer_refused(struct recipient_answer *answer, const struct verify_answer *v,
                           struct arena *a)
{
    struct str text =
        ascii(arena_printf(a, "The server of the domain refuses it: %.*s", STR_ARG(v->text)));
    const char *status = arena_c(a, v->status);
    answer->reason = text;
    answer_set(answer, FATE_REFUSE, 550, *status == '5' ? status : "5.1.1", text);
}

static void answer_unknown(struct recipient_answer *answer, const struct verify_answer *v,
                           struct arena *a)
{
    answer->reason = arena_printf(a, "not verified: %.*s", STR_ARG(v->text));
    answer_set(answer, FATE_LATER, 450, "4.1.1",
               STR("The address cannot be verified now, try again later"));
}

/* Users here are not told to come again because another server is slow: should it refuse the
 * address later, they get a report. */
SUSPENDS static void answer_verified(struct queue *q, const struct recipient_question *question,
                                     struct arena *a, struct recipient_answer *answer)
{
    struct verify_answer *v = ARENA_NEW(a, struct verify_answer);
    const struct route *route = answer->route;
    if (question->ask_anew)
        verify_forget(q->verify, route->relay, route->targets[0].address);
    usec until = question->verify_until ? question->verify_until : DEADLINE_NONE;
    verify_address(q->verify, route->relay, route->targets[0].address, until, a, v);
    answer->verified = v;
    switch (v->verdict) {
    case PROBE_ACCEPTED:
        answer_accept(answer, !v->accepts_all);
        break;
    case PROBE_REFUSED:
        if (!route->role || !answer_role_here(q, a, answer))
            answer_refused(answer, v, a);
        break;
    case PROBE_UNKNOWN:
        if (route->role || question->may_relay)
            answer_accept(answer, false);
        else
            answer_unknown(answer, v, a);
        break;
    }
}

SUSPENDS void recipient_check_here(struct queue *q, const struct recipient_question *question,
                                   struct arena *a, struct recipient_answer *answer)
{
    struct err e = {.kind = ERR_NONE};
    struct route *route = route_recipient(q->context.router, question->address, a);
    *answer = (struct recipient_answer){.route = route};
    if (route->kind == ROUTE_REFUSE || route->kind == ROUTE_LATER)
        answer_error(answer, route->error, route->status, a);
    else if (!sender_may(q, question, route, a, &e) || !has_room(q, question, route, &e))
        answer_error(answer, &e, route->members_of && e.kind == ERR_DENIED ? "5.7.2" : NULL, a);
    else
        answer_accept(answer, route->kind == ROUTE_ACCEPT && !route->unlisted);
}

static bool is_known_there(const struct queue *q, const struct recipient_answer *answer)
{
    const struct route *route = answer->route;
    return answer->fate == FATE_ACCEPT && route->unlisted && route->relay->verify && q->verify;
}

bool recipient_ask_there(struct queue *q, const struct recipient_answer *answer)
{
    const struct route *route = answer->route;
    return is_known_there(q, answer) &&
           verify_begin(q->verify, route->relay, route->targets[0].address);
}

void recipient_expect(struct queue *q, const struct recipient_answer *like, struct str address)
{
    const struct domain *domain = like->route->relay;
    if (is_known_there(q, like) && str_equal_nocase(address_domain(address), domain->name))
        verify_begin(q->verify, domain, address);
}

SUSPENDS void recipient_check_there(struct queue *q, const struct recipient_question *question,
                                    struct arena *a, struct recipient_answer *answer)
{
    if (is_known_there(q, answer))
        answer_verified(q, question, a, answer);
}

SUSPENDS void recipient_check(struct queue *q, const struct recipient_question *question,
                              struct arena *a, struct recipient_answer *answer)
{
    recipient_check_here(q, question, a, answer);
    recipient_check_there(q, question, a, answer);
}
