/*
 * ETRN (RFC 1985): a host that was away asks for what waits for its domain. The queue tries it now,
 * over connections of its own to where it always sends it, so nobody gets another's mail this way;
 * it is for listed hosts and for users all the same, since it tells how much is waiting. Nothing
 * but a domain can be asked for ("#" of 5.3 would name a queue, and there is only one).
 */
#include "core/log.h"
#include "mime/address.h"
#include "net/host_list.h"
#include "smtp/smtp_command.h"

bool smtp_etrn_offered(const struct smtp_session *s)
{
    return smtp_login(s) || host_list_has(&s->settings->etrn_hosts, s->peer.address);
}

/* The reply is as RFC 1985 5.1 has it. */
static void start(struct smtp_session *s, struct str node, bool subdomains)
{
    size_t started;
    size_t count = queue_retry_domain(s->context->queue, node, subdomains, &started);
    log_info(smtp_component(s), s->net.id, "etrn domain=%s%.*s messages=%zu started=%zu peer=%s",
             subdomains ? "@" : "", STR_ARG(node), count, started, s->peer.address);
    if (count == 0)
        smtp_reply(s, 251, "2.0.0", "OK, no messages waiting for node %.*s", STR_ARG(node));
    else if (started == 0)
        smtp_reply(s, 252, "2.0.0", "OK, pending messages for node %.*s are being sent",
                   STR_ARG(node));
    else
        smtp_reply(s, 253, "2.0.0", "OK, %zu pending messages for node %.*s started", count,
                   STR_ARG(node));
}

/* RFC 1985 5: fully qualified. */
static bool is_domain(struct str node)
{
    return domain_is_valid(node, false) && node.p[0] != '[' && str_find_char(node, '.') > 0;
}

enum smtp_next smtp_etrn(struct smtp_session *s, struct str argument)
{
    struct str node = str_word(&argument);
    if (!node.p)
        return smtp_reply_error(s, 500, "5.5.2", "Say ETRN domain");
    if (str_word(&argument).p)
        return smtp_reply_error(s, 501, "5.5.4", "Say ETRN domain");
    if (!smtp_etrn_offered(s))
        return smtp_reply_error(s, 459, "4.7.0", "Node %.*s not allowed: you may not say ETRN",
                                STR_ARG(node));
    if (node.p[0] == '#') {
        smtp_reply(s, 458, "4.5.4",
                   "Unable to queue messages for node %.*s: there are no named queues",
                   STR_ARG(node));
        return SMTP_GO_ON;
    }
    bool subdomains = node.p[0] == '@';
    node = str_skip(node, subdomains);
    if (!is_domain(node))
        return smtp_reply_error(s, 501, "5.5.4", "The domain is malformed");
    start(s, node, subdomains);
    return SMTP_GO_ON;
}
