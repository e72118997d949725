/*
 * The whole message is there: checks, the header lines we add, queue_accept(), and the reply that
 * takes or refuses responsibility (RFC 5321 4.2.5, 4.4; LMTP: one reply per recipient, RFC 2033).
 */
#include "core/log.h"
#include "smtp/received.h"
#include "smtp/session.h"

/* The same words for the one reply of SMTP and for each recipient of LMTP. */
static void reply_to_all(struct smtp_session *s, int code, const char *enhanced, const char *text)
{
    size_t times = smtp_protocol(s) == SERVICE_LMTP ? s->transaction->envelope.recipient_count : 1;
    for (size_t i = 0; i < times; i++)
        smtp_reply(s, code, enhanced, "%s", text);
}

static void log_refused(struct smtp_session *s, const char *reason)
{
    const struct smtp_transaction *t = s->transaction;
    log_info(smtp_component(s), t->envelope.id,
             "refused from=<%.*s> recipients=%zu size=%llu peer=%s helo=<%s> reason=\"%s\"",
             STR_ARG(t->envelope.sender), t->envelope.recipient_count,
             (unsigned long long)t->wire_size, s->peer.address, s->peer.helo, reason);
}

static void refuse(struct smtp_session *s, int code, const char *enhanced, const char *text)
{
    reply_to_all(s, code, enhanced, text);
    log_refused(s, text);
    smtp_count_error(s);
}

/* --- the header lines in front --- */

struct message_origin smtp_message_origin(const struct smtp_session *s,
                                          const struct smtp_transaction *t)
{
    return (struct message_origin){
        .submission = smtp_is_submission(s),
        .login = str_from_c(smtp_login(s)),
        .sender = t->envelope.sender,
        .host = str_from_c(s->net.service->hostname),
        .id = t->envelope.id,
    };
}

void smtp_complete_address(const struct smtp_session *s, const struct smtp_transaction *t,
                           struct address *address)
{
    struct message_origin origin = smtp_message_origin(s, t);
    if (address->domain.n == 0 && address->local.n > 0)
        address->domain = arena_str(t->arena, message_domain(s->settings, &origin));
}

/* The kernel's word on a local program. */
static bool find_local_user(const struct smtp_session *s, uid_t *uid)
{
    gid_t gid;
    pid_t pid;
    return !smtp_login(s) && stream_peer_credentials(s->net.stream, uid, &gid, &pid);
}

static const char *local_user(const struct smtp_session *s)
{
    uid_t uid;
    return find_local_user(s, &uid) ? arena_printf(s->transaction->arena, "uid %u", (unsigned)uid).p
                                    : NULL;
}

static void write_received(const struct smtp_session *s, struct buf *out)
{
    const struct envelope *envelope = &s->transaction->envelope;
    bool submission = smtp_is_submission(s);
    struct buf protocol = BUF_EMPTY, certificate = BUF_EMPTY;
    received_write_protocol(&protocol, smtp_protocol(s) == SERVICE_LMTP, s->peer.extended,
                            envelope->smtputf8, stream_is_tls(s->net.stream), smtp_login(s));
    struct received r = {
        .helo = s->peer.helo,
        .address = s->peer.address,
        .name = s->peer.name,
        .user = submission ? local_user(s) : NULL,
        .hide_client = submission && s->settings->hide_client,
        .host = s->net.service->hostname,
        .protocol = buf_c(&protocol),
        .id = envelope->id,
        .tls = stream_tls_version(s->net.stream),
        .cipher = stream_tls_cipher(s->net.stream),
        .tls_name = stream_tls_peer_name(s->net.stream, &certificate) ? buf_c(&certificate) : NULL,
        .login = submission && s->settings->show_login ? smtp_login(s) : NULL,
        .priority = envelope->options.priority,
        .time = clock_wall() / USEC_SEC,
    };
    if (envelope->recipient_count == 1)
        r.recipient = envelope->recipients[0].address;
    received_write(out, &r);
    buf_free(&protocol);
    buf_free(&certificate);
}

/* --- checks --- */

/* Recipients for whom the message was here before. In LMTP and with others, each has its own fate.
 */
static void refuse_loops(struct smtp_session *s)
{
    struct smtp_transaction *t = s->transaction;
    struct envelope *e = &t->envelope;
    for (size_t i = 0; i < e->recipient_count; i++) {
        struct envelope_recipient *r = &e->recipients[i];
        if (r->route->kind != ROUTE_ACCEPT ||
            !header_filter_was_visited(&t->incoming.header, r->address))
            continue;
        r->route = route_new(t->arena, ROUTE_REFUSE);
        err_set(route_fail(r->route, ROUTE_REFUSE), ERR_PERM,
                "Mail for <%.*s> loops: it was delivered here before", STR_ARG(r->address));
        if (e->recipient_count == 1 && smtp_protocol(s) != SERVICE_LMTP)
            smtp_refuse(&t->incoming.refusal, 554, "5.4.6", "%s", r->route->error->text);
    }
}

/* False when the message was refused with a reply. */
static bool check_message(struct smtp_session *s)
{
    struct smtp_transaction *t = s->transaction;
    struct incoming *in = &t->incoming;
    struct message_origin origin = smtp_message_origin(s, t);
    struct smtp_refusal *r = &in->refusal;
    if (in->error.kind == ERR_NONE && incoming_is_usable(in) &&
        data_policy_check(&t->policy, &t->decoder, r) &&
        message_check_header(s->settings, &origin, &in->header.facts, r) && !origin.submission)
        refuse_loops(s);
    if (r->code == 0 && in->error.kind == ERR_NONE)
        return true;
    if (r->code != 0) {
        refuse(s, r->code, r->enhanced, r->text);
        return false;
    }
    log_error(smtp_component(s), t->envelope.id, "message not stored: %s", in->error.text);
    refuse(s, in->error.kind == ERR_NO_SPACE ? 452 : 451, "4.3.1",
           "The server cannot store the message now");
    return false;
}

/* --- the end --- */

static void reply_accepted(struct smtp_session *s)
{
    smtp_reply(s, 250, "2.0.0", "Ok, %s", s->transaction->envelope.id);
}

/* RFC 2033 4.2: in the order of the RCPTs. */
static void reply_per_recipient(struct smtp_session *s)
{
    const struct envelope *envelope = &s->transaction->envelope;
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        const struct envelope_recipient *r = &envelope->recipients[i];
        if (r->accepted) {
            smtp_reply(s, 250, "2.1.5", "<%.*s> Ok, %s", STR_ARG(r->address), envelope->id);
            continue;
        }
        log_info(smtp_component(s), envelope->id, "refused to=<%.*s> reason=\"%s\"",
                 STR_ARG(r->address), r->error->text);
        smtp_reply_err(s, r->error, "");
    }
}

static void log_accepted(struct smtp_session *s)
{
    const struct smtp_transaction *t = s->transaction;
    const char *tls = stream_tls_version(s->net.stream), *login = smtp_login(s);
    struct str unix_user = STR("");
    uid_t uid;
    if (find_local_user(s, &uid))
        unix_user = arena_printf(t->arena, " unix_uid=%u", (unsigned)uid);
    struct message_origin origin = smtp_message_origin(s, t);
    struct str message_id = message_identifier(&origin, &t->incoming.header.facts, t->arena);
    log_info(smtp_component(s), t->envelope.id,
             "accepted session=%s from=<%.*s> to=<%.*s> recipients=%zu size=%llu peer=%s helo=<%s>"
             "%s%s%s tls=%s message-id=<%.*s> delay=%s%.*s",
             s->net.id, STR_ARG(t->envelope.sender), STR_ARG(t->envelope.recipients[0].address),
             t->envelope.recipient_count, (unsigned long long)spool_size(t->incoming.spool),
             s->peer.address, s->peer.helo, login ? " user=<" : "", login ? login : "",
             login ? ">" : "", tls ? tls : "none", STR_ARG(message_id),
             log_seconds(clock_monotonic() - t->started).text, STR_ARG(unix_user));
}

static bool any_accepted(const struct envelope *e)
{
    for (size_t i = 0; i < e->recipient_count; i++)
        if (e->recipients[i].accepted)
            return true;
    return false;
}

static void hand_over(struct smtp_session *s)
{
    struct smtp_transaction *t = s->transaction;
    /* The access policy was asked about the address as it was given. */
    t->envelope.sender = smtp_rewrite(t, REWRITE_ENVELOPE_SENDER, t->envelope.sender);
    struct message_origin origin = smtp_message_origin(s, t);
    bool lmtp = smtp_protocol(s) == SERVICE_LMTP;
    struct buf prefix = BUF_EMPTY;
    struct err e = {0};
    message_add_delivered_to(&prefix, &t->envelope);
    write_received(s, &prefix);
    message_add_fields(&prefix, s->settings, &origin, &t->incoming.header.facts,
                       clock_wall() / USEC_SEC);
    policy_session_tags(s->policy, &prefix);
    t->envelope.prefix = buf_str(&prefix);
    t->envelope.begun = t->started;
    t->envelope.options.tls_optional =
        !t->envelope.options.require_tls && t->incoming.header.facts.tls_optional;
    t->envelope.body_8bit |= t->decoder.eight_bit;

    bool accepted = queue_accept(s->context->queue, &t->envelope, t->incoming.spool, lmtp, &e);
    if (lmtp) {
        reply_per_recipient(s);
    } else if (accepted) {
        reply_accepted(s);
    } else {
        log_refused(s, e.text);
        smtp_reply_err(s, &e, "");
    }
    if (accepted || any_accepted(&t->envelope))
        log_accepted(s);
    buf_free(&prefix);
}

enum smtp_next smtp_message_received(struct smtp_session *s)
{
    enum smtp_next next = SMTP_GO_ON;
    s->net.entry.state = "delivering";
    incoming_end(&s->transaction->incoming);
    if (check_message(s) && smtp_policy_data(s, &next))
        hand_over(s);
    smtp_transaction_free(s);
    s->messages++;
    s->idle_commands = 0;
    return next == SMTP_CLOSE ? next : smtp_after_replies(s);
}
