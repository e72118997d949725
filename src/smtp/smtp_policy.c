/*
 * The access policy's hook: what is known of the session goes to policy_check() as facts, and a
 * verdict comes back as a reply. One question for each stage; without rules it costs a look at a
 * bit.
 *
 * A verdict may want the client to wait: the replies that are ready leave first, then the fiber
 * sleeps.
 */
#include "smtp/session.h"

static struct policy_facts facts_of(struct smtp_session *s, const struct smtp_transaction *t)
{
    struct policy_facts f = {
        .id = t ? t->envelope.id : s->net.id,
        .component = smtp_component(s),
        .protocol = smtp_protocol(s),
        .address = s->peer.address,
        .name = s->peer.name,
        .name_status = s->peer.name_status,
        .local = s->peer.local_address ? s->peer.local_address : stream_local(s->net.stream),
        .loopback = s->peer.loopback,
        .tls = stream_is_tls(s->net.stream),
        .early_talker = s->net.early,
        .login = str_from_c(smtp_login(s)),
    };
    if (s->peer.helo)
        f.helo = str_from_c(s->peer.helo);
    if (t) {
        f.has_sender = true;
        f.sender = t->envelope.sender;
        f.size = t->size_announced;
        f.recipients = (unsigned)t->envelope.recipient_count;
    }
    return f;
}

/* A rule may have looked up the client's name: it is the peer's from then on. */
static void take_name(struct smtp_session *s)
{
    const char *name;
    enum client_name_status status = policy_session_name(s->policy, &name);
    if (status == CLIENT_NAME_UNASKED || s->peer.name)
        return;
    s->peer.name_status = status;
    s->peer.name = name;
}

/* There will be a message: its Received field names the client. */
static SUSPENDS void look_up_name(struct smtp_session *s)
{
    if (smtp_protocol(s) != SERVICE_SMTP || s->peer.loopback || smtp_login(s) || s->peer.name ||
        s->peer.name_status != CLIENT_NAME_UNASKED)
        return;
    policy_look_up_name(s->context->policy, &s->policy, s->peer.address);
    take_name(s);
}

/* Asks, waits and replies `times` times. True: the command goes on. */
static SUSPENDS bool allows(struct smtp_session *s, enum policy_stage stage,
                            const struct policy_facts *f, size_t times, enum smtp_next *next)
{
    struct policy_verdict v;
    struct arena *a = arena_new();
    struct err e;
    policy_check(s->context->policy, &s->policy, stage, f, a, &v);
    take_name(s);
    *next = SMTP_GO_ON;
    if (v.delay > 0 && session_flush(&s->net))
        policy_delay(s->context->policy, v.delay, &e);
    bool refused = policy_action_refuses(v.action);
    for (size_t i = 0; refused && i < times; i++)
        smtp_reply(s, v.code, v.enhanced, "%.*s", STR_ARG(v.text));
    if (v.action == POLICY_DISCONNECT || fiber_is_cancelled(fiber_self()))
        *next = SMTP_CLOSE;
    else if (v.action == POLICY_REJECT)
        *next = smtp_count_error(s);
    arena_free(a);
    return !refused && *next == SMTP_GO_ON;
}

static bool has_rules(const struct smtp_session *s, enum policy_stage stage)
{
    return policy_has_rules(s->context->policy, s->policy, stage, smtp_protocol(s));
}

bool smtp_policy_connect(struct smtp_session *s)
{
    enum smtp_next next = SMTP_GO_ON;
    bool allowed = true;
    if (has_rules(s, POLICY_CONNECT)) {
        struct policy_facts f = facts_of(s, NULL);
        allowed = allows(s, POLICY_CONNECT, &f, 1, &next);
    }
    return allowed;
}

bool smtp_policy_helo(struct smtp_session *s, struct str name, enum smtp_next *next)
{
    if (!has_rules(s, POLICY_HELO))
        return true;
    struct policy_facts f = facts_of(s, NULL);
    f.helo = name;
    return allows(s, POLICY_HELO, &f, 1, next);
}

bool smtp_policy_mail(struct smtp_session *s, const struct smtp_transaction *t,
                      enum smtp_next *next)
{
    if (!has_rules(s, POLICY_MAIL))
        return true;
    struct policy_facts f = facts_of(s, t);
    return allows(s, POLICY_MAIL, &f, 1, next);
}

bool smtp_policy_rcpt(struct smtp_session *s, struct str recipient, enum smtp_next *next)
{
    if (has_rules(s, POLICY_RCPT)) {
        struct policy_facts f = facts_of(s, s->transaction);
        f.recipient = recipient;
        if (!allows(s, POLICY_RCPT, &f, 1, next))
            return false;
    }
    look_up_name(s);
    return true;
}

bool smtp_policy_wants_authors(const struct smtp_session *s)
{
    return has_rules(s, POLICY_DATA);
}

static struct policy_header header_of(const struct header_facts *facts)
{
    const struct header_authors *a = &facts->authors;
    return (struct policy_header){.from = buf_str(&a->from),
                                  .sender = buf_str(&a->sender),
                                  .resent_from = buf_str(&a->resent_from),
                                  .resent_sender = buf_str(&a->resent_sender),
                                  .from_fields = facts->from_fields,
                                  .sender_fields = a->sender_fields};
}

bool smtp_policy_data(struct smtp_session *s, enum smtp_next *next)
{
    const struct smtp_transaction *t = s->transaction;
    if (!has_rules(s, POLICY_DATA))
        return true;
    struct policy_facts f = facts_of(s, t);
    struct policy_header header = header_of(&t->incoming.header.facts);
    f.header = &header;
    f.size = spool_size(t->incoming.spool);
    size_t times = smtp_protocol(s) == SERVICE_LMTP ? t->envelope.recipient_count : 1;
    return allows(s, POLICY_DATA, &f, times, next);
}

void smtp_policy_forget(struct smtp_session *s)
{
    const char *name;
    if (policy_session_name(s->policy, &name) != CLIENT_NAME_UNASKED && s->peer.name == name) {
        s->peer.name = NULL;
        s->peer.name_status = CLIENT_NAME_UNASKED;
    }
    policy_session_free(s->policy);
    s->policy = NULL;
}
