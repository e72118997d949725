#pragma once
/*
 * What the sender asked for, passed on to another server: DSN (RFC 3461 5.2), REQUIRETLS (RFC 8689
 * 4.2), DELIVERBY (RFC 2852 4.1.4), MT-PRIORITY (RFC 6710 4.2), and what follows when that server
 * does not know the extension. Pure but for the clock.
 */
#include "smtp/client_session.h"

/* It must go over a connection whose server was verified and promises the same. */
bool client_options_need_tls(const struct transport_message *m);
/* False: this server cannot do what the message asks for, or it is too late; *f, for good. */
bool client_options_check(const struct client_session *s, const struct transport_message *m,
                          struct client_failure *f);
/* Parameters, each with a blank in front. */
void client_options_add_mail(struct buf *line, const struct client_session *s,
                             const struct transport_message *m);
void client_options_add_recipient(struct buf *line, const struct client_session *s,
                                  const struct transport_message *m,
                                  const struct transport_recipient *r);
/* The recipient's message was taken: what the server answers for from now on. */
void client_options_passed(const struct client_session *s, struct transport_recipient *r);
