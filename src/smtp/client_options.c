/*
 * Who asked for success to be told and whose mail goes to a server without DSN hears of that from
 * us ("relayed"); so does who set a time and whose mail leaves what knows of times. That is the
 * queue's to do (queue/result.c); here it is said which server took over what.
 *
 * With BY in the mode "notify" a server that knows DSN but not DELIVERBY is asked to tell of delays
 * (RFC 2852 4.1.4.2). In the mode "return" it does not get the message.
 */
#include "smtp/client_options.h"

#include "smtp/original_recipient.h"
#include "smtp/xtext.h"

bool client_options_need_tls(const struct transport_message *m)
{
    /* RFC 8689 5: a report is not lost for want of it. */
    return m->options->require_tls && m->sender.n > 0;
}

/* Seconds that are left, begun ones counted; 0 and less: past. */
static int64_t seconds_left(const struct envelope_options *o)
{
    usec left = o->deliver_by - clock_wall();
    return left / USEC_SEC + (left % USEC_SEC > 0);
}

bool client_options_check(const struct client_session *s, const struct transport_message *m,
                          struct client_failure *f)
{
    const struct envelope_options *o = m->options;
    if (o->deliver_by == 0 || !o->deliver_by_return)
        return true;
    if (seconds_left(o) <= 0) {
        /* No further attempt will be made: queue/result.c. */
        client_failure_set(f, false, "4.4.7", "no time was left to send it");
        return false;
    }
    if (!(s->hello.extensions & CLIENT_DELIVERBY)) {
        client_failure_set(f, true, "5.3.3",
                           "%.*s does not promise delivery in a given time (DELIVERBY)",
                           STR_ARG(buf_str(&s->relay)));
        return false;
    }
    if ((int64_t)s->hello.deliver_by_min > seconds_left(o)) {
        client_failure_set(f, true, "5.3.3",
                           "%.*s does not promise delivery in less than %u seconds (DELIVERBY)",
                           STR_ARG(buf_str(&s->relay)), s->hello.deliver_by_min);
        return false;
    }
    return true;
}

void client_options_add_mail(struct buf *line, const struct client_session *s,
                             const struct transport_message *m)
{
    const struct envelope_options *o = m->options;
    bool dsn = s->hello.extensions & CLIENT_DSN;
    if (dsn && o->dsn_return != DSN_RETURN_UNSET)
        buf_printf(line, " RET=%s", o->dsn_return == DSN_RETURN_FULL ? "FULL" : "HDRS");
    if (dsn && o->envelope_id.n > 0) {
        buf_add_c(line, " ENVID=");
        xtext_encode(line, o->envelope_id);
    }
    if (o->require_tls && (s->hello.extensions & CLIENT_REQUIRETLS) && stream_is_tls(s->stream))
        buf_add_c(line, " REQUIRETLS");
    if (o->deliver_by != 0 && (s->hello.extensions & CLIENT_DELIVERBY))
        buf_printf(line, " BY=%lld;%c%s", (long long)seconds_left(o),
                   o->deliver_by_return ? 'R' : 'N', o->deliver_by_trace ? "T" : "");
    if (o->priority != 0 && (s->hello.extensions & CLIENT_MT_PRIORITY))
        buf_printf(line, " MT-PRIORITY=%d", o->priority);
}

/* What the next server is asked to tell. */
static unsigned notify_of(const struct client_session *s, const struct transport_message *m,
                          const struct transport_recipient *r)
{
    const struct envelope_options *o = m->options;
    bool ask_for_delay = o->deliver_by != 0 && !o->deliver_by_return && seconds_left(o) > 0 &&
                         !(s->hello.extensions & CLIENT_DELIVERBY);
    if (!ask_for_delay || (r->notify & NOTIFY_NEVER))
        return r->notify;
    return (r->notify ? r->notify : (unsigned)NOTIFY_FAILURE) | NOTIFY_DELAY;
}

void client_options_add_recipient(struct buf *line, const struct client_session *s,
                                  const struct transport_message *m,
                                  const struct transport_recipient *r)
{
    if (!(s->hello.extensions & CLIENT_DSN))
        return;
    unsigned notify = notify_of(s, m, r);
    if (notify) {
        buf_add_c(line, " NOTIFY=");
        dsn_notify_write(line, notify);
    }
    if (r->requested.n > 0) {
        buf_add_c(line, " ORCPT=");
        original_recipient_encode(line, r->requested, s->hello.extensions & CLIENT_SMTPUTF8);
    }
}

void client_options_passed(const struct client_session *s, struct transport_recipient *r)
{
    r->notify_passed = s->hello.extensions & CLIENT_DSN;
    r->deliver_by_passed = s->hello.extensions & CLIENT_DELIVERBY;
}
