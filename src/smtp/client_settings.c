/*
 * The settings of the SMTP client: its time-outs, as RFC 5321 4.5.3.2 wants them.
 */
#include "smtp/smtp_client.h"

#define OFFSET(field) offsetof(struct smtp_client_settings, field)
#define LONGEST       (3600 * USEC_SEC)

static const struct setting smtp_client_setting_table[] = {
    {"connect_timeout", SETTING_DURATION, OFFSET(connect_timeout), "30s", USEC_MSEC, LONGEST, NULL,
     "Connecting to one address of another server."},
    {"greeting_timeout", SETTING_DURATION, OFFSET(greeting_timeout), "5m", USEC_MSEC, LONGEST, NULL,
     "Waiting for the server's greeting (RFC 5321: 5 minutes)."},
    {"hello_timeout", SETTING_DURATION, OFFSET(hello_timeout), "5m", USEC_MSEC, LONGEST, NULL,
     "Reply to EHLO, STARTTLS and AUTH, and the TLS handshake."},
    {"mail_timeout", SETTING_DURATION, OFFSET(mail_timeout), "5m", USEC_MSEC, LONGEST, NULL,
     "Reply to MAIL (RFC 5321: 5 minutes)."},
    {"recipient_timeout", SETTING_DURATION, OFFSET(recipient_timeout), "5m", USEC_MSEC, LONGEST,
     NULL, "Reply to RCPT (RFC 5321: 5 minutes)."},
    {"data_timeout", SETTING_DURATION, OFFSET(data_timeout), "2m", USEC_MSEC, LONGEST, NULL,
     "Reply to DATA (RFC 5321: 2 minutes)."},
    {"data_block_timeout", SETTING_DURATION, OFFSET(data_block_timeout), "3m", USEC_MSEC, LONGEST,
     NULL, "Sending 64 KB of the message (RFC 5321: 3 minutes)."},
    {"data_end_timeout", SETTING_DURATION, OFFSET(data_end_timeout), "10m", USEC_MSEC, LONGEST,
     NULL, "Reply to the end of the message (RFC 5321: 10 minutes; shorter makes duplicates)."},
    {"quit_timeout", SETTING_DURATION, OFFSET(quit_timeout), "5s", USEC_MSEC, LONGEST, NULL,
     "Reply to QUIT; the mail is done by then."},
    {0},
};

const struct settings_block smtp_client_settings_block = {
    .name = "smtp_client",
    .help = "Connections to other mail servers.",
    .size = sizeof(struct smtp_client_settings),
    .settings = smtp_client_setting_table,
};
