/*
 * The settings of the SMTP client: its time-outs, as RFC 5321 4.5.3.2 wants them, and more against
 * servers that would use them up; and the copy of them that connections use.
 */
#include "core/mem.h"
#include "net/network.h"
#include "smtp/client_shared.h"

#include <stdlib.h>

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
    {"connect_stagger", SETTING_DURATION, OFFSET(connect_stagger), "250ms", 10 * USEC_MSEC,
     60 * USEC_SEC, NULL,
     "When an address of a server has not answered for so long the next one is asked as well, and "
     "the first that answers is taken."},
    {"silent_time", SETTING_DURATION, OFFSET(silent_time), "5m", 0, 24 * LONGEST, NULL,
     "Addresses that did not answer within connect_timeout or greeting_timeout are asked after all "
     "others for so long."},
    {"transaction_timeout", SETTING_DURATION, OFFSET(transaction_timeout), "1h", USEC_SEC,
     24 * LONGEST, NULL,
     "All steps of opening a connection together, and all of a transaction beside sending the "
     "message and the reply to it: for servers that use up each time-out nearly."},
    {"rate_min", SETTING_SIZE, OFFSET(rate_min), "500", 0, (int64_t)1 << 30, NULL,
     "Bytes a second that a server must take of a message, on the average; 0: as slow as "
     "data_block_timeout allows."},
    {"ignored_networks", SETTING_STRING_LIST, OFFSET(ignored_networks),
     "0.0.0.0/8, 224.0.0.0/4, 240.0.0.0/4, ::, ff00::/8", 0, 0, NULL,
     "Networks that no mail is sent to when MX and address records of a domain lead there. To keep "
     "strangers from pointing the server at its own neighbours add 127.0.0.0/8, 10.0.0.0/8, "
     "172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, ::1, fc00::/7 and fe80::/10, if no domain has "
     "its mail there. Hosts that routes name are not concerned."},
    {0},
};

static bool check_settings(const void *values, struct err *e)
{
    const struct smtp_client_settings *s = values;
    struct network network;
    for (size_t i = 0; i < s->ignored_networks.count; i++)
        if (!network_parse(&network, str_from_c(s->ignored_networks.items[i]), e))
            return err_prefix(e, "ignored_networks");
    return true;
}

const struct settings_block smtp_client_settings_block = {
    .name = "smtp_client",
    .help = "Connections to other mail servers.",
    .size = sizeof(struct smtp_client_settings),
    .settings = smtp_client_setting_table,
    .check = check_settings,
};

static struct network_set *networks(const struct string_list *list)
{
    struct network_pair *pairs = mem_array(list->count + 1, sizeof(*pairs));
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += network_parse(&pairs[count].network, str_from_c(list->items[i]), NULL);
    struct network_set *set = count > 0 ? network_set_new(pairs, count) : NULL;
    free(pairs);
    return set;
}

struct client_config *client_config_new(const struct smtp_client_settings *s)
{
    struct client_config *c = MEM_NEW(struct client_config);
    c->references = 1;
    c->settings = *s;
    c->settings.ignored_networks = (struct string_list){.count = 0};
    c->ignored = networks(&s->ignored_networks);
    return c;
}

struct client_config *client_config_ref(struct client_config *c)
{
    c->references++;
    return c;
}

void client_config_unref(struct client_config *c)
{
    if (--c->references > 0)
        return;
    network_set_free(c->ignored);
    free(c);
}
