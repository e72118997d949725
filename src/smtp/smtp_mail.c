/*
 * MAIL and RCPT (RFC 5321 4.1.1.2, 4.1.1.3) with their parameters: SIZE (RFC 1870), BODY (RFC
 * 6152), SMTPUTF8 (RFC 6531), AUTH (RFC 4954). A recipient gets exactly the answer that delivery
 * would give: route_recipient() decides, and route_has_room() with the announced size; here it is
 * put into a reply.
 */
#include "core/log.h"
#include "mime/address.h"
#include "smtp/limits.h"
#include "smtp/session.h"
#include "smtp/syntax.h"

static struct smtp_transaction *transaction_new(void)
{
    struct arena *a = arena_new();
    struct smtp_transaction *t = ARENA_NEW(a, struct smtp_transaction);
    t->arena = a;
    t->started = clock_monotonic();
    random_id(t->envelope.id);
    return t;
}

static bool parameter_size(struct smtp_transaction *t, struct str value)
{
    return str_to_u64(value, &t->size_announced);
}

static bool parameter_body(struct smtp_transaction *t, struct str value)
{
    t->envelope.body_8bit = str_equal_nocase(value, STR("8BITMIME"));
    return t->envelope.body_8bit || str_equal_nocase(value, STR("7BIT"));
}

static bool parameter_smtputf8(struct smtp_transaction *t, struct str value)
{
    t->envelope.smtputf8 = true;
    return value.p == NULL;
}

/* RFC 4954 5: who the message is said to be from. Nobody here is trusted to say it. */
static bool parameter_auth(struct smtp_transaction *t, struct str value)
{
    (void)t;
    return value.n > 0;
}

static const struct parameter {
    struct str name;
    bool (*set)(struct smtp_transaction *t, struct str value);
} mail_parameters[] = {
    {{"SIZE", 4}, parameter_size},
    {{"BODY", 4}, parameter_body},
    {{"SMTPUTF8", 8}, parameter_smtputf8},
    {{"AUTH", 4}, parameter_auth},
};

/* False when a reply has been sent. */
static bool parse_parameters(struct smtp_session *s, struct smtp_transaction *t, struct str params)
{
    size_t count = 0;
    for (;;) {
        struct str word = str_word(&params);
        if (!word.p)
            return true;
        struct str value = word;
        struct str name = str_split(&value, '=');
        size_t i = 0, known = sizeof(mail_parameters) / sizeof(mail_parameters[0]);
        while (i < known && !str_equal_nocase(name, mail_parameters[i].name))
            i++;
        if (i == known || ++count > SMTP_PARAMETERS_MAX || !s->extended) {
            smtp_reply_error(s, 555, "5.5.4", "Parameter %.*s is not known", STR_ARG(name));
            return false;
        }
        if (!mail_parameters[i].set(t, value)) {
            smtp_reply_error(s, 501, "5.5.4", "Parameter %.*s is malformed", STR_ARG(name));
            return false;
        }
    }
}

static enum smtp_next after_error(const struct smtp_session *s)
{
    return s->errors < s->settings->errors_max ? SMTP_GO_ON : SMTP_CLOSE;
}

static enum smtp_next mail_begin(struct smtp_session *s, struct smtp_transaction *t,
                                 struct str path, struct str params)
{
    if (!parse_parameters(s, t, params))
        return after_error(s);
    int flags = ADDRESS_NULL | (t->envelope.smtputf8 ? ADDRESS_UTF8 : 0);
    const char *reason = NULL;
    struct address sender;
    if (!t->envelope.smtputf8 && !str_is_ascii(path))
        return smtp_reply_error(s, 553, "5.6.7", "This address needs SMTPUTF8");
    if (!address_parse(t->arena, path, flags, &sender, &reason))
        return smtp_reply_error(s, 501, "5.1.7", "The sender's address is malformed: %s", reason);
    if (t->size_announced > (uint64_t)s->settings->message_size_max)
        return smtp_reply_error(s, 552, "5.3.4", "The message is larger than the limit of %lld",
                                (long long)s->settings->message_size_max);
    t->envelope.sender = address_text(t->arena, &sender);
    t->envelope.component = smtp_component(s);
    t->envelope.login = str_from_c(s->net.entry.login);
    s->transaction = t;
    smtp_reply(s, 250, "2.1.0", "Ok");
    return SMTP_GO_ON;
}

enum smtp_next smtp_mail(struct smtp_session *s, struct str argument)
{
    struct str path, params;
    if (s->transaction)
        return smtp_reply_error(s, 503, "5.5.1", "A message is under way already, say RSET first");
    if (s->messages >= s->settings->messages_per_connection) {
        smtp_reply(s, 421, "4.7.0", "Too many messages over one connection");
        return SMTP_CLOSE;
    }
    if (!smtp_split_path(argument, STR("FROM:"), &path, &params))
        return smtp_reply_error(s, 501, "5.5.4", "Say MAIL FROM:<address>");
    struct smtp_transaction *t = transaction_new();
    enum smtp_next next = mail_begin(s, t, path, params);
    if (s->transaction != t)
        arena_free(t->arena);
    return next;
}

static void add_recipient(struct smtp_transaction *t, struct str address, struct route *route)
{
    struct envelope *e = &t->envelope;
    if (e->recipient_count == t->recipient_capacity) {
        size_t capacity = t->recipient_capacity ? 4 * t->recipient_capacity : 4;
        struct envelope_recipient *list =
            arena_array(t->arena, capacity, sizeof(struct envelope_recipient));
        if (e->recipient_count > 0)
            memcpy(list, e->recipients, e->recipient_count * sizeof(*list));
        e->recipients = list;
        t->recipient_capacity = capacity;
    }
    t->target_count += route->count;
    e->recipients[e->recipient_count++] =
        (struct envelope_recipient){.address = address, .route = route};
}

static enum smtp_next refuse_recipient(struct smtp_session *s, struct str address,
                                       const struct err *error)
{
    struct smtp_transaction *t = s->transaction;
    t->recipients_refused++;
    log_info(smtp_component(s), t->envelope.id,
             "refused from=<%.*s> to=<%.*s> peer=%s reason=\"%s\"", STR_ARG(t->envelope.sender),
             STR_ARG(address), s->net.entry.peer, error->text);
    smtp_reply_err(s, error, "");
    if (!err_is_temporary(error->kind) && ++s->errors >= s->settings->errors_max) {
        smtp_reply(s, 421, "4.7.0", "Too many errors");
        return SMTP_CLOSE;
    }
    return SMTP_GO_ON;
}

static enum smtp_next route_reply(struct smtp_session *s, struct str address, struct route *route)
{
    struct smtp_transaction *t = s->transaction;
    struct err relay_denied = {ERR_DENIED, "Relay access denied"}, no_room;
    switch (route->kind) {
    case ROUTE_REFUSE:
    case ROUTE_LATER:
        return refuse_recipient(s, address, &route->error);
    case ROUTE_RELAY:
        if (!smtp_may_relay(s))
            return refuse_recipient(s, address, &relay_denied);
        break;
    case ROUTE_ACCEPT:
        if (!route_has_room(s->context->queue, route, t->size_announced, &no_room))
            return refuse_recipient(s, address, &no_room);
        break;
    }
    add_recipient(t, address, route);
    smtp_reply(s, 250, "2.1.5", "Ok");
    return SMTP_GO_ON;
}

/* Recipients that were refused for now hold memory as well. */
static bool has_enough_recipients(const struct smtp_session *s)
{
    const struct smtp_transaction *t = s->transaction;
    size_t max = (size_t)s->settings->recipients_max;
    return t->envelope.recipient_count + t->recipients_refused >= max ||
           t->target_count >= max + SMTP_TARGETS_MAX;
}

enum smtp_next smtp_rcpt(struct smtp_session *s, struct str argument)
{
    struct smtp_transaction *t = s->transaction;
    struct str path, params;
    if (!smtp_split_path(argument, STR("TO:"), &path, &params))
        return smtp_reply_error(s, 501, "5.5.4", "Say RCPT TO:<address>");
    if (str_trim(params).n > 0)
        return smtp_reply_error(s, 555, "5.5.4", "No parameters are known here");
    if (has_enough_recipients(s)) {
        smtp_reply(s, 452, "4.5.3", "Too many recipients, send the others with another message");
        return SMTP_GO_ON;
    }
    if (!t->envelope.smtputf8 && !str_is_ascii(path))
        return smtp_reply_error(s, 553, "5.6.7", "This address needs SMTPUTF8");
    struct address address;
    const char *reason = NULL;
    int flags = ADDRESS_NO_DOMAIN | (t->envelope.smtputf8 ? ADDRESS_UTF8 : 0);
    if (!address_parse(t->arena, path, flags, &address, &reason))
        return smtp_reply_error(s, 501, "5.1.3", "The recipient's address is malformed: %s",
                                reason);
    if (address.domain.n == 0 && !str_equal_nocase(address.local, STR("postmaster")))
        return smtp_reply_error(s, 501, "5.1.3", "The recipient's address needs a domain");
    struct str text = address_text(t->arena, &address);
    return route_reply(s, text, route_recipient(s->context->queue, text, t->arena));
}
