/*
 * When the machine is busy (core/load.h), who goes first: clients on port 25 that nobody knows.
 * They are greeted a little later, get less time and fewer errors, those that say nothing are sent
 * away, and in the end new ones are told to come back (421 4.3.2, in net/session.c). Senders that
 * are worth something do. Users, trusted networks and LMTP notice nothing.
 */
#include "smtp/session.h"

#define GREETING_DELAY USEC_SEC
#define SWEEP          5000 /* sessions looked at in one go */

static bool is_put_off(const struct smtp_session *s)
{
    return s->net.entry.stranger && load_level(s->context->load) > LOAD_NORMAL;
}

void smtp_load_recognize(struct smtp_session *s)
{
    bool stranger = smtp_protocol(s) == SERVICE_SMTP && !smtp_is_trusted(s);
    session_list_set_stranger(s->context->sessions, &s->net.entry, stranger);
}

usec smtp_timeout(const struct smtp_session *s)
{
    usec usual = s->settings->timeout, busy = s->settings->busy_timeout;
    return is_put_off(s) && busy < usual ? busy : usual;
}

int64_t smtp_errors_max(const struct smtp_session *s)
{
    int64_t usual = s->settings->errors_max, busy = s->settings->busy_errors_max;
    return is_put_off(s) && busy < usual ? busy : usual;
}

/* Too many connections do not become fewer by waiting. */
usec smtp_load_delay(const struct smtp_session *s)
{
    return s->net.entry.stranger && load_is_working_hard(s->context->load) ? GREETING_DELAY : 0;
}

static usec patience(const struct session_entry *entry)
{
    return smtp_timeout((const struct smtp_session *)entry);
}

void smtp_relieve(struct smtp_context *c)
{
    session_list_kick_silent(c->sessions, patience, SWEEP, "Too busy to wait for you");
}
