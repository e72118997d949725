/*
 * The parameters of MAIL and RCPT at a glance, and how they are taken: SIZE (RFC 1870), BODY (RFC
 * 6152), SMTPUTF8 (RFC 6531), AUTH (RFC 4954 5) here, others in files of their own.
 *
 * RFC 5321 4.1.1.11: what is not known, or was not offered here, is refused with 555; what is
 * malformed, or comes twice, with 501.
 */
#include "smtp/smtp_command.h"
#include "smtp/smtp_options.h"

#include "mime/address.h"
#include "smtp/xtext.h"

static smtp_parameter_function take_size, take_body, take_smtputf8, take_auth;

static const struct smtp_parameter parameters[] = {
    {{"SIZE", 4}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_ALL, take_size},
    {{"BODY", 4}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_ALL, take_body},
    {{"SMTPUTF8", 8}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_ALL, take_smtputf8},
    {{"AUTH", 4}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_ALL, take_auth},
    {{"RET", 3}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_ALL, smtp_take_ret},
    {{"ENVID", 5}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_ALL, smtp_take_envid},
    {{"NOTIFY", 6}, SMTP_PARAMETER_OF_RCPT, SMTP_ON_ALL, smtp_take_notify},
    {{"ORCPT", 5}, SMTP_PARAMETER_OF_RCPT, SMTP_ON_ALL, smtp_take_orcpt},
    {{"REQUIRETLS", 10}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_ALL, smtp_take_requiretls},
    {{"BY", 2}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_SUBMISSION, smtp_take_by},
    {{"HOLDFOR", 7}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_SUBMISSION, smtp_take_holdfor},
    {{"HOLDUNTIL", 9}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_SUBMISSION, smtp_take_holduntil},
    {{"MT-PRIORITY", 11}, SMTP_PARAMETER_OF_MAIL, SMTP_ON_SUBMISSION, smtp_take_priority},
};

enum { PARAMETERS = sizeof(parameters) / sizeof(parameters[0]) };
_Static_assert(PARAMETERS <= 64, "a bit for each");

/* NULL: not here. */
static const struct smtp_parameter *find(const struct smtp_session *s, struct str name, int place)
{
    for (size_t i = 0; i < PARAMETERS; i++)
        if ((parameters[i].places & place) && (parameters[i].protocols & smtp_protocol_bit(s)) &&
            str_equal_nocase(name, parameters[i].name))
            return &parameters[i];
    return NULL;
}

/* One parameter. False: a reply was sent. */
static bool take(const struct smtp_parameter_call *c, struct str name, uint64_t *seen)
{
    struct smtp_session *s = c->session;
    int place = c->recipient ? SMTP_PARAMETER_OF_RCPT : SMTP_PARAMETER_OF_MAIL;
    const struct smtp_parameter *p = s->peer.extended ? find(s, name, place) : NULL;
    if (!p) {
        smtp_reply_error(s, 555, "5.5.4", "Parameter %.*s is not known", STR_ARG(name));
        return false;
    }
    uint64_t bit = (uint64_t)1 << (p - parameters);
    if (*seen & bit) {
        smtp_reply_error(s, 501, "5.5.4", "Parameter %.*s comes twice", STR_ARG(name));
        return false;
    }
    *seen |= bit;
    enum smtp_parameter_result result = p->take(c);
    if (result == SMTP_PARAMETER_MALFORMED)
        smtp_reply_error(s, 501, "5.5.4", "Parameter %.*s is malformed", STR_ARG(name));
    return result == SMTP_PARAMETER_TAKEN;
}

bool smtp_parameters_take(struct smtp_session *s, struct smtp_transaction *t,
                          struct envelope_recipient *recipient, struct str text)
{
    struct smtp_parameter_call call = {.session = s, .transaction = t, .recipient = recipient};
    uint64_t seen = 0;
    for (;;) {
        struct str word = str_word(&text);
        if (!word.p)
            return true;
        call.value = word;
        struct str name = str_split(&call.value, '=');
        if (!take(&call, name, &seen))
            return false;
    }
}

static enum smtp_parameter_result taken_if(bool well_formed)
{
    return well_formed ? SMTP_PARAMETER_TAKEN : SMTP_PARAMETER_MALFORMED;
}

static enum smtp_parameter_result take_size(const struct smtp_parameter_call *c)
{
    return taken_if(str_to_u64(c->value, &c->transaction->size_announced));
}

static enum smtp_parameter_result take_body(const struct smtp_parameter_call *c)
{
    struct envelope *e = &c->transaction->envelope;
    c->transaction->binary = str_equal_nocase(c->value, STR("BINARYMIME")); /* RFC 3030 3 */
    e->body_8bit = c->transaction->binary || str_equal_nocase(c->value, STR("8BITMIME"));
    return taken_if(e->body_8bit || str_equal_nocase(c->value, STR("7BIT")));
}

static enum smtp_parameter_result take_smtputf8(const struct smtp_parameter_call *c)
{
    c->transaction->envelope.smtputf8 = true;
    return taken_if(c->value.p == NULL);
}

/* RFC 4954 5: who the message is said to be from, "<>" when that is not known. Those who are not
 * trusted to say it may, but it is as if they had said "<>". */
static enum smtp_parameter_result take_auth(const struct smtp_parameter_call *c)
{
    struct smtp_transaction *t = c->transaction;
    struct str text;
    struct address address;
    if (c->value.n == 0 || !xtext_decode(t->arena, c->value, &text))
        return SMTP_PARAMETER_MALFORMED;
    if (str_equal(text, STR("<>")))
        return SMTP_PARAMETER_TAKEN;
    if (text.n > 2 && text.p[0] == '<' && text.p[text.n - 1] == '>') /* as curl writes it */
        text = str_from(text.p + 1, text.n - 2);
    if (!address_parse(t->arena, text, ADDRESS_NO_DOMAIN | ADDRESS_UTF8, &address, NULL))
        return SMTP_PARAMETER_MALFORMED;
    if (smtp_login(c->session) || smtp_xforward_offered(c->session))
        t->said_login = address_text(t->arena, &address);
    return SMTP_PARAMETER_TAKEN;
}
