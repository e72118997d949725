#pragma once
/*
 * Parameters of MAIL and RCPT that say how a message is to be handled, and the extensions they
 * belong to: DSN (RFC 3461), REQUIRETLS (RFC 8689), DELIVERBY (RFC 2852), FUTURERELEASE (RFC 4865),
 * MT-PRIORITY (RFC 6710).
 */
#include "smtp/smtp_parameter.h"

smtp_parameter_function smtp_take_ret, smtp_take_envid, smtp_take_notify, smtp_take_orcpt,
    smtp_take_requiretls, smtp_take_by, smtp_take_holdfor, smtp_take_holduntil, smtp_take_priority;

bool smtp_offer_requiretls(struct smtp_session *s, struct buf *arguments);
bool smtp_offer_future_release(struct smtp_session *s, struct buf *arguments);

/* All of MAIL has been read: what was asked for must fit together. False: a reply was sent. */
bool smtp_options_check(struct smtp_session *s, struct smtp_transaction *t);
/* The reply to MAIL, when the message has another priority than it asked for; false: it has not. */
bool smtp_options_reply(struct smtp_session *s, const struct smtp_transaction *t);
