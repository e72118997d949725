/*
 * Mail transactions with another server (RFC 5321 3.3, RFC 2033 for LMTP). How it is said depends
 * on what the server can do, and each way less costs a round trip:
 *
 *   PIPELINING and CHUNKING   MAIL, RCPT..., BDAT LAST and a message that is not large leave
 *                             together; a large one follows when somebody was accepted
 *   PIPELINING                MAIL, RCPT..., DATA leave together (RFC 2920)
 *   neither                   each command waits for its reply
 *
 * Replies are matched in order. Every recipient has its own result: a refused MAIL, DATA or message
 * is the result of all that were not refused before; with LMTP each accepted recipient has its own
 * reply to the message.
 *
 * Recipients beyond what a transaction takes - the server's limit (RFC 9422), the one that it shows
 * with 452 (RFC 5321 4.5.3.1.10), or ours - have the next one, over the same connection.
 *
 * The one moment of doubt is after the end of the message: if the reply is lost, the server may
 * have the message or not. It is sent again later; a duplicate is possible, a loss is not. Before
 * it, and when the server has refused whom the message was for, nothing was taken over, and another
 * host may be asked at once. So it may when a connection that has carried mail before breaks
 * without a single reply: the server had ended it.
 */
#include "smtp/client_mail.h"

#include "smtp/client_options.h"
#include "smtp/client_tls.h"

/* A server may take this long for each of many recipients; all together no longer than settings
 * say. */
static usec transaction_deadline(const struct client_mail *x)
{
    const struct smtp_client_settings *t = &x->s->settings;
    usec size = t->rate_min > 0 ? (usec)(x->size_crlf / (uint64_t)t->rate_min) * USEC_SEC : 0;
    return t->transaction_timeout > 0 && t->rate_min > 0
               ? clock_monotonic() + t->transaction_timeout + size
               : DEADLINE_NONE;
}

SUSPENDS static bool read_reply(struct client_mail *x, usec timeout, const char *command)
{
    struct client_session *s = x->s;
    usec latest = clock_monotonic() + timeout;
    if (x->in_group && x->answered && stream_buffered(s->stream).n == 0)
        stream_acknowledge(s->stream);
    if (!client_session_read(s, timeout, command, &x->failure)) {
        x->timed_out = clock_monotonic() >= latest || clock_monotonic() >= s->deadline;
        return false;
    }
    x->answered = true;
    return true;
}

/* --- who is asked --- */

/* Whether one more of this domain is within the server's limit. */
static bool domain_fits(const struct client_mail *x, struct str *domains, size_t *count,
                        struct str domain)
{
    uint32_t most = x->s->hello.domains_max;
    for (size_t i = 0; i < *count; i++)
        if (str_equal_nocase(domains[i], domain))
            return true;
    if (most > 0 && *count >= most)
        return false;
    domains[(*count)++] = domain;
    return true;
}

/* The recipients of the next transaction. False: there are none. */
static bool choose_batch(struct client_mail *x)
{
    struct str domains[CLIENT_RECIPIENTS_MAX];
    size_t count = 0;
    x->batch_count = x->accepted = 0;
    for (size_t i = 0; i < x->m->recipient_count && x->batch_count < x->batch_max; i++)
        if (x->state[i] == CLIENT_OPEN &&
            domain_fits(x, domains, &count, str_after_last(x->m->recipients[i].address, '@'))) {
            x->state[i] = CLIENT_ASKED;
            x->batch[x->batch_count++] = i;
        }
    return x->batch_count > 0;
}

/* --- the envelope --- */

static void add_mail(struct client_mail *x)
{
    struct client_session *s = x->s;
    struct str sender = client_ability_address(x, x->m->sender);
    buf_printf(&s->wire, "MAIL FROM:<%.*s>", STR_ARG(sender));
    if (client_session_has(s, CLIENT_SIZE))
        buf_printf(&s->wire, " SIZE=%llu", (unsigned long long)x->size_crlf);
    if (x->m->body_8bit && client_session_has(s, CLIENT_8BITMIME))
        buf_add_c(&s->wire, " BODY=8BITMIME");
    if (x->use_utf8)
        buf_add_c(&s->wire, " SMTPUTF8");
    client_options_add_mail(&s->wire, s, x->m);
    buf_add_c(&s->wire, "\r\n");
    s->needs_reset = true;
    s->mails++;
}

static void add_recipient(struct client_mail *x, size_t i)
{
    const struct transport_recipient *r = &x->m->recipients[i];
    struct str address = client_ability_address(x, r->address);
    buf_printf(&x->s->wire, "RCPT TO:<%.*s>", STR_ARG(address));
    client_options_add_recipient(&x->s->wire, x->s, x->m, r);
    buf_add_c(&x->s->wire, "\r\n");
}

SUSPENDS static bool push(struct client_mail *x, const char *command)
{
    return client_session_push(x->s, x->s->settings.mail_timeout, command, &x->failure);
}

/* False: the connection broke, or ends with this reply. *ok: MAIL was accepted. */
SUSPENDS static bool read_mail(struct client_mail *x, bool *ok)
{
    if (!read_reply(x, x->s->settings.mail_timeout, "MAIL"))
        return false;
    *ok = client_session_is_positive(x->s);
    if (!*ok) {
        client_session_refused(x->s, "MAIL", &x->failure);
        x->in_doubt = false;
        if (!x->s->dead)
            client_outcome_fail_rest(x);
    }
    return !x->s->dead;
}

/* "Too many recipients", and no more about this one. */
static bool is_too_many(const struct client_mail *x)
{
    const struct client_reply *r = &x->s->reply;
    return x->accepted > 0 && (r->code == 452 || r->code == 552) &&
           (!*r->enhanced || strcmp(r->enhanced + 1, ".5.3") == 0);
}

SUSPENDS static bool read_recipient(struct client_mail *x, size_t i)
{
    if (!read_reply(x, x->s->settings.recipient_timeout, "RCPT"))
        return false;
    if (client_session_is_positive(x->s)) {
        x->state[i] = CLIENT_ACCEPTED;
        x->accepted++;
        return true;
    }
    client_session_refused(x->s, "RCPT", &x->failure);
    if (x->s->reply.code == 552) /* too many recipients: RFC 5321 4.5.3.1.10 */
        client_failure_soften(&x->failure);
    if (x->s->dead) {
        x->in_doubt = false;
        return false;
    }
    if (is_too_many(x)) {
        x->state[i] = CLIENT_OPEN;
        x->batch_max = x->accepted;
    } else {
        client_outcome_fail(x, i);
    }
    return true;
}

/* *go_on: 354. A refusal is the result of the accepted recipients. */
SUSPENDS static bool read_data(struct client_mail *x, bool *go_on)
{
    if (!read_reply(x, x->s->settings.data_timeout, "DATA"))
        return false;
    x->in_group = false;
    *go_on = x->s->reply.code == 354;
    if (*go_on)
        return true;
    client_session_refused(x->s, "DATA", &x->failure);
    if (client_session_is_positive(x->s)) {
        /* Neither yes nor no: what would it take the next command for? */
        x->s->dead = x->in_doubt = true;
        client_failure_set(&x->failure, false, "4.5.0", "%.*s answers DATA with %d",
                           STR_ARG(buf_str(&x->s->relay)), x->s->reply.code);
    }
    if (!x->s->dead || x->in_doubt)
        client_outcome_fail_accepted(x);
    return !x->s->dead;
}

/* --- the end of the message --- */

/* The server does not know the command that it has offered: it takes the message for commands now.
 * The next connection does without. */
static bool chunks_are_unknown(struct client_mail *x)
{
    struct client_session *s = x->s;
    if (!client_session_has(s, CLIENT_CHUNKING) || (s->reply.code != 500 && s->reply.code != 502))
        return false;
    s->dead = s->without_chunks = true;
    x->in_doubt = false;
    x->again = true;
    return true;
}

/* A reply, for these recipients. */
SUSPENDS static bool read_end(struct client_mail *x, size_t *from, size_t count)
{
    static const char command[] = "the end of the message";
    if (!read_reply(x, x->s->settings.data_end_timeout, command) || chunks_are_unknown(x))
        return false;
    bool ok = client_session_is_positive(x->s);
    if (!ok)
        client_session_refused(x->s, command, &x->failure);
    for (; count > 0 && *from < x->batch_count; ++*from) {
        size_t i = x->batch[*from];
        if (x->state[i] != CLIENT_ACCEPTED)
            continue;
        if (ok)
            client_outcome_delivered(x, i);
        else
            client_outcome_fail(x, i);
        count--;
    }
    return true;
}

/* One reply for all, with LMTP one for each (RFC 2033 4.2). These time-outs are not shortened: who
 * hangs up now makes a duplicate. */
SUSPENDS static bool read_results(struct client_mail *x)
{
    struct client_session *s = x->s;
    size_t from = 0;
    bool each = client_session_is_lmtp(s);
    s->deadline = each && s->deadline != DEADLINE_NONE ? s->deadline + s->settings.data_end_timeout
                                                       : DEADLINE_NONE;
    for (size_t left = each ? x->accepted : 1; left > 0; left--)
        if (!read_end(x, &from, each ? 1 : x->accepted))
            return false;
    s->needs_reset = false;
    return !s->dead;
}

/* DATA was accepted with nobody to send to: RFC 2920 3.1 wants an empty message. With LMTP there
 * is no reply to it that could be told from others. */
SUSPENDS static bool finish_empty(struct client_mail *x)
{
    x->s->needs_reset = true;
    buf_add_c(&x->s->wire, ".\r\n");
    if (!push(x, "DATA"))
        return false;
    x->s->dead |= client_session_is_lmtp(x->s);
    return x->s->dead || read_reply(x, x->s->settings.data_end_timeout, "DATA");
}

SUSPENDS static bool send_data(struct client_mail *x)
{
    bool go_on = false;
    buf_add_c(&x->s->wire, "DATA\r\n");
    return push(x, "DATA") && read_data(x, &go_on) &&
           (!go_on || (client_body_send_data(x) && read_results(x)));
}

SUSPENDS static bool send_chunks(struct client_mail *x)
{
    bool refused = false;
    if (!client_body_send_chunks(x, &refused))
        return false;
    if (!refused)
        return read_results(x);
    if (chunks_are_unknown(x))
        return false;
    client_session_refused(x->s, "BDAT", &x->failure);
    client_outcome_fail_accepted(x);
    return !x->s->dead;
}

SUSPENDS static bool send_message(struct client_mail *x)
{
    return client_session_has(x->s, CLIENT_CHUNKING) ? send_chunks(x) : send_data(x);
}

/* --- the two ways --- */

/* MAIL was refused, but RCPT and DATA or BDAT are on their way: their replies are read and mean
 * nothing, except that a 354 wants a dot. */
SUSPENDS static bool drain(struct client_mail *x, bool message)
{
    struct client_failure why = x->failure;
    bool ok = true;
    x->failure = (struct client_failure){.permanent = false};
    for (size_t i = 0; ok && i < x->batch_count + message; i++)
        ok = read_reply(x, x->s->settings.recipient_timeout, "RCPT");
    if (ok && message && x->s->reply.code == 354)
        ok = finish_empty(x);
    client_failure_free(&x->failure);
    x->failure = why;
    return ok;
}

/* What comes behind the replies to RCPT. */
SUSPENDS static bool finish_pipelined(struct client_mail *x, bool with_data)
{
    bool go_on = false;
    if (x->at_once) {
        x->in_doubt = x->accepted > 0;
        if (x->accepted > 0)
            return read_results(x);
        return read_reply(x, x->s->settings.data_end_timeout, "BDAT");
    }
    if (!with_data)
        return x->accepted == 0 || send_chunks(x);
    if (!read_data(x, &go_on))
        return false;
    if (!go_on)
        return true;
    return x->accepted > 0 ? client_body_send_data(x) && read_results(x) : finish_empty(x);
}

SUSPENDS static bool talk_pipelined(struct client_mail *x)
{
    bool mail_ok, with_data = !client_session_has(x->s, CLIENT_CHUNKING);
    x->at_once = !with_data && x->size_crlf <= CLIENT_AT_ONCE_MAX;
    add_mail(x);
    for (size_t k = 0; k < x->batch_count; k++)
        add_recipient(x, x->batch[k]);
    if (with_data)
        buf_add_c(&x->s->wire, "DATA\r\n");
    if (x->at_once && !client_body_add(x))
        return false;
    x->in_doubt = x->at_once;
    x->in_group = true;
    if (!push(x, "MAIL") || !read_mail(x, &mail_ok))
        return false;
    if (!mail_ok)
        return drain(x, with_data || x->at_once);
    for (size_t k = 0; k < x->batch_count; k++)
        if (!read_recipient(x, x->batch[k]))
            return false;
    return finish_pipelined(x, with_data);
}

SUSPENDS static bool talk_in_turn(struct client_mail *x)
{
    bool mail_ok;
    add_mail(x);
    if (!push(x, "MAIL") || !read_mail(x, &mail_ok))
        return false;
    for (size_t k = 0; mail_ok && k < x->batch_count; k++) {
        add_recipient(x, x->batch[k]);
        if (!push(x, "RCPT") || !read_recipient(x, x->batch[k]))
            return false;
    }
    return x->accepted == 0 || send_message(x);
}

/* --- all of it --- */

SUSPENDS static bool reset(struct client_mail *x)
{
    if (!x->s->needs_reset)
        return true;
    if (!client_session_talk(x->s, "RSET", STR("RSET"), &x->failure))
        return false;
    x->s->needs_reset = false;
    if (x->s->dead)
        client_session_refused(x->s, "RSET", &x->failure);
    return !x->s->dead;
}

/* False: the session is over; x->failure says why. */
SUSPENDS static bool transact(struct client_mail *x)
{
    x->s->deadline = transaction_deadline(x);
    x->in_doubt = x->answered = x->in_group = x->timed_out = false;
    bool ok = reset(x) &&
              (client_session_has(x->s, CLIENT_PIPELINING) ? talk_pipelined(x) : talk_in_turn(x));
    x->s->deadline = DEADLINE_NONE;
    /* It was ended before it was used again. */
    if (!ok && !x->answered && !x->timed_out && x->s->mails > 1)
        x->in_doubt = false;
    return ok && !x->s->dead;
}

/* Who has no result may be asked again over another connection, unless the server may have the
 * message. */
static enum client_mail_end end_of(struct client_mail *x, bool ok)
{
    if (client_outcome_count(x, CLIENT_SETTLED) == x->m->recipient_count)
        return CLIENT_MAIL_DONE;
    if (ok || x->again)
        return CLIENT_MAIL_SPENT;
    if (!x->in_doubt)
        return CLIENT_MAIL_LOST;
    client_outcome_fail_rest(x);
    return CLIENT_MAIL_DONE;
}

static void begin(struct client_mail *x)
{
    struct transport_message *m = x->m;
    uint32_t most = x->s->hello.recipients_max;
    x->state = arena_array(m->arena, m->recipient_count, sizeof(*x->state));
    x->batch = arena_array(m->arena, CLIENT_RECIPIENTS_MAX, sizeof(*x->batch));
    x->batch_max = most > 0 && most < CLIENT_RECIPIENTS_MAX ? most : CLIENT_RECIPIENTS_MAX;
    for (size_t i = 0; i < m->recipient_count; i++)
        if (client_outcome_is_known(&m->recipients[i]))
            x->state[i] = CLIENT_SETTLED;
    m->tls = stream_tls_version(x->s->stream);
    m->tls_policy = client_tls_describe(x->s, m->arena);
}

SUSPENDS enum client_mail_end client_mail_send(struct client_session *s,
                                               struct transport_message *m,
                                               struct client_failure *f)
{
    struct client_mail x = {.s = s, .m = m, .body = spool_ref(m->body), .size_crlf = m->size_crlf};
    bool ok = true;
    begin(&x);
    client_ability_check(&x);
    while (ok && !client_session_is_spent(s) && choose_batch(&x))
        ok = transact(&x);
    enum client_mail_end end = end_of(&x, ok);
    spool_unref(x.body);
    client_failure_free(f);
    *f = x.failure;
    return end;
}
