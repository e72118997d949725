/*
 * The greeting, HELO, EHLO and LHLO (RFC 5321 3.1, 3.2, 4.1.1.1; RFC 2033 4.1). A name that is
 * refused changes nothing; one that is taken ends the transaction, as RSET does.
 */
#include "smtp/limits.h"
#include "smtp/smtp_command.h"

bool smtp_greet(struct smtp_session *s, struct err *e)
{
    return stream_printf(s->net.stream, e, "220 %s %s maild\r\n", s->net.service->hostname,
                         smtp_protocol(s) == SERVICE_LMTP ? "LMTP" : "ESMTP");
}

/* Any printable word is taken, as many clients have no better name. It stands in the Received
 * header, where it must not end a comment. */
static bool is_name(struct str name)
{
    if (!name.p || name.n > SMTP_HELO_MAX || !str_is_ascii(name))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || name.p[i] == '(' || name.p[i] == ')' ||
            name.p[i] == 127)
            return false;
    return true;
}

/* The name a client gives itself. False: a reply was sent. */
static bool hello(struct smtp_session *s, struct str argument, bool extended, enum smtp_next *next)
{
    struct str name = str_word(&argument);
    if (!name.p || !is_name(name)) {
        *next = smtp_reply_error(s, 501, "5.5.4", "The name of your host is %s",
                                 name.p ? "malformed" : "missing");
        return false;
    }
    if (!smtp_policy_helo(s, name, next))
        return false;
    smtp_transaction_free(s);
    smtp_peer_set_helo(s, name, extended);
    return true;
}

enum smtp_next smtp_helo(struct smtp_session *s, struct str argument)
{
    enum smtp_next next = SMTP_GO_ON;
    if (hello(s, argument, false, &next))
        smtp_reply(s, 250, NULL, "%s", s->net.service->hostname);
    return next;
}

enum smtp_next smtp_ehlo(struct smtp_session *s, struct str argument)
{
    enum smtp_next next = SMTP_GO_ON;
    if (hello(s, argument, true, &next))
        smtp_extensions_reply(s);
    return next;
}
