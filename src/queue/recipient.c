/*
 * Answers to who names a recipient. The questions in their order, the first "no" is the answer:
 *
 *   1. route_recipient(): does the address lead anywhere?
 *   2. May this sender write to it: relaying, internal addresses?
 *   3. route_has_room(): would a mailbox take it?
 *
 * Reply codes are of RFC 5321 4.2.3, enhanced ones of RFC 3463.
 */
#include "queue/recipient.h"

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
        answer_set(answer, FATE_REFUSE, 550, "5.7.1", text);
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
        if (err_is_temporary(e->kind))
            answer_set(answer, FATE_LATER, 451, "4.3.0", STR("Temporary failure, try again later"));
        else
            answer_set(answer, FATE_REFUSE, 550, status ? status : "5.0.0", text);
        break;
    }
}

/* False: *e. */
static bool sender_may(const struct recipient_question *question, const struct route *route,
                       struct err *e)
{
    if (route->kind == ROUTE_RELAY && !question->may_relay)
        return err_set(e, ERR_DENIED, "Relay access denied");
    if (route->internal && !question->trusted)
        return err_set(e, ERR_DENIED, "This address takes no mail from outside");
    return true;
}

/* A full mailbox of the postmaster is somebody's to empty: mail comes again. */
SUSPENDS static bool has_room(struct queue *q, const struct recipient_question *question,
                              const struct route *route, struct err *e)
{
    if (route->kind == ROUTE_RELAY || route_has_room(q, route, question->size, e))
        return true;
    if (route->role && e->kind == ERR_QUOTA)
        e->kind = ERR_QUOTA_NOW;
    return false;
}

SUSPENDS void recipient_check(struct queue *q, const struct recipient_question *question,
                              struct arena *a, struct recipient_answer *answer)
{
    struct err e = {.kind = ERR_NONE};
    struct route *route = route_recipient(q, question->address, a);
    *answer = (struct recipient_answer){.route = route};
    if (route->kind == ROUTE_REFUSE || route->kind == ROUTE_LATER) {
        answer_error(answer, &route->error, route->status, a);
        return;
    }
    if (!sender_may(question, route, &e) || !has_room(q, question, route, &e)) {
        answer_error(answer, &e, NULL, a);
        return;
    }
    answer->certain = route->kind == ROUTE_ACCEPT && !route->unlisted;
    answer_set(answer, FATE_ACCEPT, 250, "2.1.5", STR("Ok"));
}
