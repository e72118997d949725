/*
 * What clients ask for with a message goes into the envelope (queue/envelope.h), where the queue,
 * the reports and the client to other servers find it; here it is only understood.
 *
 * Times become wall clock the moment MAIL is read: BY counts from there (RFC 2852 4), and so does
 * HOLDFOR. What is held for a user takes room on our disk, so how long and how many is limited (RFC
 * 4865 6). A priority above what the settings allow is lowered, and the client told (RFC 6710 4.1).
 */
#include "smtp/smtp_options.h"

#include "mime/date.h"
#include "smtp/limits.h"
#include "smtp/original_recipient.h"
#include "smtp/xtext.h"

static struct envelope_options *options(const struct smtp_parameter_call *c)
{
    return &c->transaction->envelope.options;
}

static enum smtp_parameter_result taken_if(bool well_formed)
{
    return well_formed ? SMTP_PARAMETER_TAKEN : SMTP_PARAMETER_MALFORMED;
}

/* --- DSN --- */

enum smtp_parameter_result smtp_take_ret(const struct smtp_parameter_call *c)
{
    if (str_equal_nocase(c->value, STR("FULL")))
        options(c)->dsn_return = DSN_RETURN_FULL;
    else if (str_equal_nocase(c->value, STR("HDRS")))
        options(c)->dsn_return = DSN_RETURN_HEADERS;
    return taken_if(options(c)->dsn_return != DSN_RETURN_UNSET);
}

enum smtp_parameter_result smtp_take_envid(const struct smtp_parameter_call *c)
{
    struct str *id = &options(c)->envelope_id;
    return taken_if(c->value.n > 0 && c->value.n <= SMTP_ENVID_MAX &&
                    xtext_decode(c->transaction->arena, c->value, id) && str_is_ascii(*id));
}

static unsigned notify_bit(struct str keyword)
{
    return str_equal_nocase(keyword, STR("NEVER"))     ? NOTIFY_NEVER
           : str_equal_nocase(keyword, STR("SUCCESS")) ? NOTIFY_SUCCESS
           : str_equal_nocase(keyword, STR("FAILURE")) ? NOTIFY_FAILURE
           : str_equal_nocase(keyword, STR("DELAY"))   ? NOTIFY_DELAY
                                                       : 0u;
}

enum smtp_parameter_result smtp_take_notify(const struct smtp_parameter_call *c)
{
    struct str list = c->value;
    unsigned notify = 0;
    while (list.p) {
        unsigned bit = notify_bit(str_split(&list, ','));
        if (!bit)
            return SMTP_PARAMETER_MALFORMED;
        notify |= bit;
    }
    c->recipient->notify = notify;
    return taken_if(notify != 0 && (!(notify & NOTIFY_NEVER) || notify == NOTIFY_NEVER));
}

enum smtp_parameter_result smtp_take_orcpt(const struct smtp_parameter_call *c)
{
    return taken_if(c->value.n <= SMTP_ORCPT_MAX &&
                    original_recipient_decode(c->transaction->arena, c->value,
                                              &c->recipient->original_recipient));
}

/* --- REQUIRETLS --- */

bool smtp_offer_requiretls(struct smtp_session *s, struct buf *arguments)
{
    (void)arguments;
    return stream_is_tls(s->net.stream);
}

enum smtp_parameter_result smtp_take_requiretls(const struct smtp_parameter_call *c)
{
    if (!stream_is_tls(c->session->net.stream)) {
        smtp_reply_error(c->session, 530, "5.7.0", "REQUIRETLS needs TLS: say STARTTLS first");
        return SMTP_PARAMETER_REFUSED;
    }
    options(c)->require_tls = true;
    return taken_if(c->value.p == NULL);
}

/* --- DELIVERBY --- */

/* One to nine digits. */
static bool parse_seconds(struct str text, int64_t *seconds)
{
    uint64_t number;
    if (text.n < 1 || text.n > 9 || !str_to_u64(text, &number))
        return false;
    *seconds = (int64_t)number;
    return true;
}

enum smtp_parameter_result smtp_take_by(const struct smtp_parameter_call *c)
{
    struct envelope_options *o = options(c);
    struct str mode = c->value;
    struct str time = str_split(&mode, ';');
    bool sign = time.n > 0 && (time.p[0] == '-' || time.p[0] == '+');
    bool negative = sign && time.p[0] == '-';
    int64_t seconds;
    if (!parse_seconds(str_skip(time, sign), &seconds) || mode.n < 1 || mode.n > 2)
        return SMTP_PARAMETER_MALFORMED;
    char action = char_lower(mode.p[0]);
    o->deliver_by = clock_wall() + (negative ? -seconds : seconds) * USEC_SEC;
    o->deliver_by_return = action == 'r';
    o->deliver_by_trace = mode.n == 2;
    if ((action != 'r' && action != 'n') || (mode.n == 2 && char_lower(mode.p[1]) != 't'))
        return SMTP_PARAMETER_MALFORMED;
    return taken_if(!o->deliver_by_return || (seconds > 0 && !negative));
}

/* --- FUTURERELEASE --- */

bool smtp_offer_future_release(struct smtp_session *s, struct buf *arguments)
{
    usec longest = s->settings->future_release_max;
    buf_printf(arguments, " %lld ", (long long)(longest / USEC_SEC));
    date_write_rfc3339(arguments, (clock_wall() + longest) / USEC_SEC);
    return longest > 0;
}

static enum smtp_parameter_result hold(const struct smtp_parameter_call *c, usec until,
                                       const char *kind)
{
    struct envelope_options *o = options(c);
    usec longest = c->session->settings->future_release_max;
    if (longest == 0) {
        smtp_reply_error(c->session, 555, "5.5.4", "FUTURERELEASE is not offered here");
        return SMTP_PARAMETER_REFUSED;
    }
    if (o->hold_until != 0) {
        smtp_reply_error(c->session, 501, "5.5.4", "HOLDFOR and HOLDUNTIL exclude each other");
        return SMTP_PARAMETER_REFUSED;
    }
    /* What was announced a moment ago as the latest time is allowed. */
    if (until <= clock_wall() || until > clock_wall() + longest) {
        smtp_reply_error(c->session, 501, "5.5.4",
                         "A message can be held for %lld seconds at most, and not into the past",
                         (long long)(longest / USEC_SEC));
        return SMTP_PARAMETER_REFUSED;
    }
    o->hold_until = until;
    o->hold_request = arena_printf(c->transaction->arena, "%s;%.*s", kind, STR_ARG(c->value));
    return SMTP_PARAMETER_TAKEN;
}

enum smtp_parameter_result smtp_take_holdfor(const struct smtp_parameter_call *c)
{
    int64_t seconds;
    if (!parse_seconds(c->value, &seconds) || c->value.p[0] == '0')
        return SMTP_PARAMETER_MALFORMED;
    return hold(c, clock_wall() + seconds * USEC_SEC, "for");
}

enum smtp_parameter_result smtp_take_holduntil(const struct smtp_parameter_call *c)
{
    int64_t seconds;
    if (!date_parse_rfc3339(c->value, &seconds) || seconds > SMTP_HOLD_UNTIL_MAX)
        return SMTP_PARAMETER_MALFORMED;
    return hold(c, seconds * USEC_SEC, "until");
}

/* --- MT-PRIORITY --- */

enum smtp_parameter_result smtp_take_priority(const struct smtp_parameter_call *c)
{
    struct str digits = c->value;
    bool negative = digits.n > 0 && digits.p[0] == '-';
    if (negative)
        digits = str_skip(digits, 1);
    if (digits.n != 1 || digits.p[0] < '0' || digits.p[0] > '9' ||
        (negative && digits.p[0] == '0')) {
        smtp_reply_error(c->session, 501, "5.5.2", "MT-PRIORITY is a number from -9 to 9");
        return SMTP_PARAMETER_REFUSED;
    }
    int priority = digits.p[0] - '0', most = (int)c->session->settings->priority_max;
    c->transaction->priority_asked = negative ? -priority : priority;
    options(c)->priority =
        c->transaction->priority_asked < most ? c->transaction->priority_asked : most;
    return SMTP_PARAMETER_TAKEN;
}

bool smtp_options_reply(struct smtp_session *s, const struct smtp_transaction *t)
{
    if (t->envelope.options.priority == t->priority_asked)
        return false;
    smtp_reply(s, 250, "2.3.6", "%d is the new priority of the message",
               t->envelope.options.priority);
    return true;
}

/* --- together --- */

bool smtp_options_check(struct smtp_session *s, struct smtp_transaction *t)
{
    const struct envelope_options *o = &t->envelope.options;
    struct str login = str_from_c(smtp_login(s));
    if (o->hold_until == 0)
        return true;
    if (o->deliver_by != 0 && o->hold_until > o->deliver_by) { /* RFC 4865 5.2.2 */
        smtp_reply_error(s, 501, "5.5.4", "The message would be held longer than BY allows");
        return false;
    }
    if (queue_count_held(s->context->queue, login) >=
        (size_t)s->settings->future_release_messages) {
        smtp_reply(s, 552, "5.7.16", "Too many of your messages wait for their time already");
        return false;
    }
    return true;
}
