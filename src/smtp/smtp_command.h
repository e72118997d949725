#pragma once
/*
 * The commands: what the table in smtp_command.c runs.
 */
#include "smtp/session.h"

/* One line of the client, without its end. */
SUSPENDS enum smtp_next smtp_command(struct smtp_session *s, struct str line);

/* argument: the rest of the line, trimmed; borrowed from the stream. Replies. May suspend. */
typedef enum smtp_next smtp_command_function(struct smtp_session *s, struct str argument);
smtp_command_function smtp_helo, smtp_ehlo /* and LHLO */;
smtp_command_function smtp_starttls, smtp_auth;
smtp_command_function smtp_mail, smtp_rcpt, smtp_data, smtp_bdat;
smtp_command_function smtp_vrfy, smtp_expn, smtp_etrn;
smtp_command_function smtp_xclient, smtp_xforward;

/* May this client say it now? For EHLO and HELP; a command that is not offered refuses by itself.
 */
typedef bool smtp_offered_function(const struct smtp_session *s);
smtp_offered_function smtp_starttls_offered, smtp_auth_offered, smtp_etrn_offered;
smtp_offered_function smtp_vrfy_offered; /* and EXPN */
smtp_offered_function smtp_xclient_offered, smtp_xforward_offered;
/* Separated by blanks; "" when this session may not log in. */
const char *smtp_auth_mechanisms(const struct smtp_session *s);
/* Whether clients of this listener may log in at all, perhaps with TLS only. */
bool smtp_has_logins(const struct smtp_session *s);
