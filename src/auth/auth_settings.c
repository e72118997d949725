/*
 * The settings of logins: block `auth`.
 */
#include "auth/auth_internal.h"

#include <stddef.h>

#define FIELD(name)   offsetof(struct auth_settings, name)
#define PENALTY(name) offsetof(struct auth_settings, penalty.name)

#define MINUTE (60 * USEC_SEC)
#define DAY    (24 * 60 * MINUTE)

static const struct setting settings[] = {
    {"failure_delay", SETTING_DURATION, PENALTY(failure_delay), "2s", 0, MINUTE, NULL,
     "How long a client that gave a wrong password waits for the answer, counted from its "
     "question. "
     "With further failures it waits longer."},
    {"failure_delay_max", SETTING_DURATION, PENALTY(failure_delay_max), "15s", 0, 2 * MINUTE, NULL,
     "But no longer than that."},
    {"failures_max", SETTING_NUMBER, FIELD(failures_max), "3", 1, 100, NULL,
     "Failed logins of one connection after which it is closed."},
    {"mechanisms", SETTING_STRING_LIST, FIELD(mechanisms), "", 0, 0, NULL,
     "SASL mechanisms that are offered, as far as they can work. Not set: all of them but "
     "CRAM-MD5, "
     "SCRAM-SHA-256-PLUS and SCRAM-SHA-1-PLUS."},
    {"keytab", SETTING_PATH, FIELD(keytab), "", 0, 0, NULL,
     "Kerberos keys of the services imap, pop and smtp: with it, GSSAPI and GSS-SPNEGO are "
     "offered. "
     "A reload takes a changed file, and another one in its place; the first one needs a "
     "restart."},
    {"kerberos_hostname", SETTING_STRING, FIELD(kerberos_hostname), "", 0, 0, NULL,
     "The host in the names of our services, imap/HOST@REALM. Empty: that of the first fitting "
     "name "
     "in the keytab."},
    {"kerberos_realms", SETTING_STRING_LIST, FIELD(kerberos_realms), "", 0, 0, NULL,
     "Realms whose principals are users here: user@REALM is who has that login, or else the login "
     "user. Not set: the realms in the keytab."},
    {"certificate_names", SETTING_STRING_LIST, FIELD(certificate_names), "email upn", 0, 0, NULL,
     "Where the certificate of a client (client_certificates of its listener) has the login: "
     "email, "
     "upn (the user principal name of Active Directory) and cn, in this order."},
    {"master_users", SETTING_STRING_LIST, FIELD(master_users), "", 0, 0, NULL,
     "Logins, and names of groups, that may log in as any user but another of them, with their own "
     "password."},
    {"master_separator", SETTING_STRING, FIELD(master_separator), "", 0, 0, NULL,
     "One character, such as *: a master user can log in as john with john*admin wherever a login "
     "is asked. Empty: only with mechanisms of SASL that name two identities."},
    {"master_disabled", SETTING_BOOL, FIELD(master_disabled), "no", 0, 0, NULL,
     "Master users may also be users who are disabled."},
    {"lockout_account", SETTING_NUMBER, PENALTY(lockout_account), "10", 0, 1000000, NULL,
     "Wrong passwords of one account from one network after which it cannot log in from there for "
     "lockout_time. The same wrong password counts once. 0: no such lock-out."},
    {"lockout_account_total", SETTING_NUMBER, PENALTY(lockout_account_total), "100", 0, 1000000,
     NULL,
     "Wrong passwords of one account from everywhere after which it can log in only from networks "
     "from which it has done so before (known_network_time). 0: no such lock-out."},
    {"lockout_address", SETTING_NUMBER, PENALTY(lockout_address), "30", 0, 1000000, NULL,
     "Wrong passwords from one IPv4 address or IPv6 /64 after which only accounts that have logged "
     "in from there before can do so. 0: no such lock-out."},
    {"lockout_network", SETTING_NUMBER, PENALTY(lockout_network), "150", 0, 1000000, NULL,
     "The same for a network."},
    {"lockout_time", SETTING_DURATION, PENALTY(lockout_time), "15m", USEC_SEC, 30 * DAY, NULL,
     "How long a lock-out lasts."},
    {"failure_memory", SETTING_DURATION, PENALTY(failure_memory), "1h", USEC_SEC, 30 * DAY, NULL,
     "In this time as many failures are forgotten as the limits allow; fewer in that time never "
     "lock anybody out."},
    {"known_network_time", SETTING_DURATION, PENALTY(known_network_time), "30d", MINUTE, 365 * DAY,
     NULL, "How long a network counts as known to an account after its last login from there."},
    {"network_ipv4", SETTING_NUMBER, PENALTY(network_ipv4), "24", 8, 32, NULL,
     "Bits of what counts as a network of IPv4 addresses."},
    {"network_ipv6", SETTING_NUMBER, PENALTY(network_ipv6), "48", 16, 64, NULL,
     "The same for IPv6; an address here is a /64, which one customer has for himself."},
    {"exempt_networks", SETTING_STRING_LIST, PENALTY(exempt_networks), "127.0.0.0/8, ::1, unix", 0,
     0, NULL,
     "Addresses and networks of webmail servers, gateways and the like, whose failures are the "
     "failures of many: nothing is counted, and nobody is locked out there. \"!\" in front "
     "excepts; "
     "\"unix\" is a Unix socket."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

static bool check(const void *values, struct err *e)
{
    const struct auth_settings *s = values;
    for (size_t i = 0; i < s->mechanisms.count; i++)
        if (!sasl_name_is_known(str_from_c(s->mechanisms.items[i])))
            return err_set(e, ERR_SYNTAX, "mechanisms: \"%s\" is not known",
                           s->mechanisms.items[i]);
    for (size_t i = 0; i < s->certificate_names.count; i++)
        if (!sasl_certificate_name_is_known(str_from_c(s->certificate_names.items[i])))
            return err_set(e, ERR_SYNTAX, "certificate_names: \"%s\" is none of email, upn and cn",
                           s->certificate_names.items[i]);
    unsigned char separator = (unsigned char)s->master_separator[0];
    if (separator && (s->master_separator[1] || separator <= ' ' || separator >= 127 ||
                      (separator >= '0' && separator <= '9') || separator == '@' ||
                      ((separator | 0x20) >= 'a' && (separator | 0x20) <= 'z')))
        return err_set(e, ERR_SYNTAX, "master_separator: one punctuation character but @");
    return penalty_settings_check(&s->penalty, e);
}

const struct settings_block auth_settings_block = {
    .name = "auth",
    .help = "Logins of all protocols, and what is done against guessing passwords.",
    .size = sizeof(struct auth_settings),
    .settings = settings,
    .check = check,
};
