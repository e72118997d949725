/*
 * The extensions at a glance: the answer to EHLO and LHLO (RFC 5321 4.1.1.1). What stands here is
 * announced, and what is announced works whole.
 */
#include "smtp/smtp_attributes.h"
#include "smtp/smtp_command.h"
#include "smtp/smtp_options.h"

/* False: not offered now. Arguments are written with a blank in front of each. */
typedef bool offer_function(struct smtp_session *s, struct buf *arguments);

static offer_function offer_size, offer_starttls, offer_auth, offer_limits, offer_etrn, offer_vrfy,
    offer_xclient, offer_xforward;

static const struct extension {
    const char *keyword;
    int protocols;
    offer_function *offer; /* NULL: always, without arguments */
} extensions[] = {
    {"PIPELINING", SMTP_ON_ALL, NULL},                                /* RFC 2920 */
    {"SIZE", SMTP_ON_ALL, offer_size},                                /* RFC 1870 */
    {"8BITMIME", SMTP_ON_ALL, NULL},                                  /* RFC 6152 */
    {"SMTPUTF8", SMTP_ON_ALL, NULL},                                  /* RFC 6531 */
    {"STARTTLS", SMTP_ON_ALL, offer_starttls},                        /* RFC 3207 */
    {"AUTH", SMTP_ON_ALL, offer_auth},                                /* RFC 4954 */
    {"CHUNKING", SMTP_ON_ALL, NULL},                                  /* RFC 3030 */
    {"BINARYMIME", SMTP_ON_ALL, NULL},                                /* RFC 3030 */
    {"DSN", SMTP_ON_ALL, NULL},                                       /* RFC 3461 */
    {"REQUIRETLS", SMTP_ON_ALL, smtp_offer_requiretls},               /* RFC 8689 */
    {"DELIVERBY", SMTP_ON_SUBMISSION, NULL},                          /* RFC 2852 */
    {"FUTURERELEASE", SMTP_ON_SUBMISSION, smtp_offer_future_release}, /* RFC 4865 */
    {"MT-PRIORITY", SMTP_ON_SUBMISSION, NULL},                        /* RFC 6710 */
    {"LIMITS", SMTP_ON_ALL, offer_limits},                            /* RFC 9422 */
    {"ETRN", SMTP_ON_SMTP | SMTP_ON_SUBMISSION, offer_etrn},          /* RFC 1985 */
    {"XCLIENT", SMTP_ON_ALL, offer_xclient},
    {"XFORWARD", SMTP_ON_ALL, offer_xforward},
    {"VRFY", SMTP_ON_ALL, offer_vrfy}, /* RFC 5321 4.1.1.1 */
    {"EXPN", SMTP_ON_ALL, offer_vrfy},
    {"HELP", SMTP_ON_ALL, NULL},
    {"ENHANCEDSTATUSCODES", SMTP_ON_ALL, NULL}, /* RFC 2034 */
};

void smtp_extensions_reply(struct smtp_session *s)
{
    struct buf reply = BUF_EMPTY, arguments = BUF_EMPTY;
    size_t last = 0; /* where the last line begins */
    buf_printf(&reply, "250-%s\r\n", s->net.service->hostname);
    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        const struct extension *x = &extensions[i];
        buf_clear(&arguments);
        if (!(x->protocols & smtp_protocol_bit(s)) || (x->offer && !x->offer(s, &arguments)))
            continue;
        last = reply.n;
        buf_printf(&reply, "250-%s%s\r\n", x->keyword, buf_c(&arguments));
    }
    reply.p[last + 3] = ' ';
    struct err ignored; /* a failed write shows at the next read */
    stream_write(s->net.stream, buf_str(&reply), &ignored);
    buf_free(&arguments);
    buf_free(&reply);
}

bool smtp_starttls_offered(const struct smtp_session *s)
{
    return s->net.service->listener->tls == SERVICE_TLS_STARTTLS && s->net.service->tls &&
           !stream_is_tls(s->net.stream);
}

static bool offer_size(struct smtp_session *s, struct buf *arguments)
{
    buf_printf(arguments, " %lld", (long long)s->settings->message_size_max);
    return true;
}

static bool offer_starttls(struct smtp_session *s, struct buf *arguments)
{
    (void)arguments;
    return smtp_starttls_offered(s);
}

static bool offer_auth(struct smtp_session *s, struct buf *arguments)
{
    const char *mechanisms = smtp_auth_mechanisms(s);
    buf_printf(arguments, " %s", mechanisms);
    return mechanisms[0] != '\0';
}

static bool offer_vrfy(struct smtp_session *s, struct buf *arguments)
{
    (void)arguments;
    return smtp_vrfy_offered(s);
}

/* At most six digits each. */
static bool offer_limits(struct smtp_session *s, struct buf *arguments)
{
    const int64_t largest = 999999;
    int64_t messages = s->settings->messages_per_connection;
    int64_t recipients = s->settings->recipients_max;
    buf_printf(arguments, " MAILMAX=%lld RCPTMAX=%lld",
               (long long)(messages < largest ? messages : largest),
               (long long)(recipients < largest ? recipients : largest));
    return true;
}

static bool offer_xclient(struct smtp_session *s, struct buf *arguments)
{
    smtp_attributes_announce(OF_XCLIENT, arguments);
    return smtp_xclient_offered(s);
}

static bool offer_xforward(struct smtp_session *s, struct buf *arguments)
{
    smtp_attributes_announce(OF_XFORWARD, arguments);
    return smtp_xforward_offered(s);
}

static bool offer_etrn(struct smtp_session *s, struct buf *arguments)
{
    (void)arguments;
    return smtp_etrn_offered(s);
}
