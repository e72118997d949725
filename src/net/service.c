/*
 * What a listener serves: its settings table and the reference-counted bundle that each connection
 * gets. The table's check holds the rules that one setting cannot state alone, above all that a
 * password travels without TLS only where nobody can listen: over loopback and Unix sockets.
 *
 * socket_mode is written as chmod(1) takes it. The settings parser reads decimal numbers, so the
 * value holds the octal digits; service_socket_mode turns them into a mode.
 */
#include "net/service.h"

#include "core/mem.h"
#include "net/host_list.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

static const char *const protocols[] = {"smtp", "submission", "lmtp", "imap", "pop3", "http", NULL};
static const char *const tls_choices[] = {"none", "starttls", "implicit", NULL};
/* enum tls_clients */
static const char *const client_choices[] = {"no", "optional", "required", NULL};

#define FIELD(name) offsetof(struct listener_settings, name)

static const struct setting settings[] = {
    {"protocol", SETTING_CHOICE, FIELD(protocol), NULL, 0, 0, protocols,
     "What is spoken: smtp (mail from other servers), submission (mail from users), lmtp, imap, "
     "pop3, or http (pages for mail clients that set themselves up)."},
    {"address", SETTING_SOCKETS, FIELD(address), NULL, 0, 0, NULL,
     "Where to listen: host:port, [IPv6]:port, *:port for both families, or unix:/path."},
    {"tls", SETTING_CHOICE, FIELD(tls), "none", 0, 0, tls_choices,
     "none; starttls: offered after the greeting; implicit: from the first byte."},
    {"auth", SETTING_BOOL, FIELD(auth), "no", 0, 0, NULL,
     "Protocol smtp: users may log in here too, and send as on submission."},
    {"auth_without_tls", SETTING_BOOL, FIELD(auth_without_tls), "no", 0, 0, NULL,
     "Allow logins without TLS. Only for loopback addresses and Unix sockets."},
    {"auth_required", SETTING_BOOL, FIELD(auth_required), "yes", 0, 0, NULL,
     "Submission: refuse mail before a login. Only a listener on loopback addresses or Unix "
     "sockets "
     "may say no."},
    {"client_certificates", SETTING_CHOICE, FIELD(client_certificates), "no", 0, 0, client_choices,
     "Logins with certificates that tls client_ca_file has signed: optional offers EXTERNAL to "
     "clients "
     "that have one, required accepts no others."},
    {"proxy_protocol_from", SETTING_STRING_LIST, FIELD(proxy_protocol_from), "", 0, 0, NULL,
     "Load balancers: addresses and networks (192.0.2.1 10.0.0.0/8 !10.1.0.0/16 unix). From them, "
     "and only from them, a header of the PROXY protocol, version 1 or 2, must come first, "
     "before TLS (which they pass through); the client is whom it names."},
    {"socket_mode", SETTING_NUMBER, FIELD(socket_mode), "0660", 0, 777, NULL,
     "Permissions of Unix sockets, as an octal number."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

/* "127.0.0.0/8:port", "[::1]:port" or a Unix socket. */
static bool is_local(const char *address)
{
    struct str s = str_from_c(address);
    return str_starts_with(s, STR("unix:")) || str_starts_with(s, STR("127.")) ||
           str_starts_with(s, STR("[::1]:"));
}

static bool check_local(const struct listener_settings *l, const char *setting, struct err *e)
{
    for (size_t i = 0; i < l->address.count; i++)
        if (!is_local(l->address.items[i]))
            return err_set(e, ERR_SYNTAX,
                           "%s is only for loopback addresses and Unix sockets, not for %s",
                           setting, l->address.items[i]);
    return true;
}

static bool is_octal(int64_t digits)
{
    for (; digits > 0; digits /= 10)
        if (digits % 10 > 7)
            return false;
    return true;
}

static bool check(const void *values, struct err *e)
{
    const struct listener_settings *l = values;
    bool for_users = l->protocol == SERVICE_SUBMISSION || l->protocol == SERVICE_IMAP ||
                     l->protocol == SERVICE_POP3;
    if (l->address.count == 0)
        return err_set(e, ERR_SYNTAX, "address: at least one is needed");
    if (!is_octal(l->socket_mode))
        return err_set(e, ERR_SYNTAX, "socket_mode: an octal number such as 0660 is expected");
    if (l->auth && l->protocol != SERVICE_SMTP)
        return err_set(e, ERR_SYNTAX, "auth: only for protocol smtp (not lmtp; others have it)");
    if (l->client_certificates && (l->tls == SERVICE_TLS_NONE || (!for_users && !l->auth)))
        return err_set(e, ERR_SYNTAX, "client_certificates: only with TLS and logins");
    if (l->auth_without_tls && !for_users && !l->auth)
        return err_set(e, ERR_SYNTAX, "auth_without_tls: protocol %s has no logins",
                       protocols[l->protocol]);
    if (l->auth_without_tls && !check_local(l, "auth_without_tls yes", e))
        return false;
    if (l->protocol == SERVICE_HTTP && l->tls == SERVICE_TLS_STARTTLS)
        return err_set(e, ERR_SYNTAX, "tls: for protocol http it is none or implicit");
    if (!l->auth_required && l->protocol != SERVICE_SUBMISSION)
        return err_set(e, ERR_SYNTAX, "auth_required: only for protocol submission");
    if (!l->auth_required && !check_local(l, "auth_required no", e))
        return false;
    if (!host_list_check(&l->proxy_protocol_from, "proxy_protocol_from", e))
        return false;
    if (((for_users && l->auth_required) || l->auth) && l->tls == SERVICE_TLS_NONE &&
        !l->auth_without_tls)
        return err_set(e, ERR_SYNTAX,
                       "nobody could log in: set tls to starttls or implicit, or (loopback only) "
                       "auth_without_tls to yes");
    return true;
}

const struct settings_block listener_settings_block = {
    .name = "listener",
    .help = "Where maild accepts connections, which protocol it speaks there, and its rules.",
    .named = true,
    .size = sizeof(struct listener_settings),
    .settings = settings,
    .check = check,
};

mode_t service_socket_mode(const struct listener_settings *l)
{
    unsigned digits = (unsigned)l->socket_mode;
    return (mode_t)((digits / 100 % 10) << 6 | (digits / 10 % 10) << 3 | digits % 10);
}

struct service *service_new(struct config *config, const struct listener_settings *listener,
                            struct tls_context *tls, const char *hostname)
{
    struct service *s = MEM_NEW(struct service);
    s->references = 1;
    s->config = config_ref(config);
    s->listener = listener;
    s->tls = tls ? tls_context_ref(tls) : NULL;
    s->hostname = hostname;
    return s;
}

struct service *service_ref(struct service *s)
{
    s->references++;
    return s;
}

void service_unref(struct service *s)
{
    if (!s)
        return;
    assert(s->references > 0);
    if (--s->references > 0)
        return;
    if (s->tls)
        tls_context_unref(s->tls);
    config_unref(s->config);
    free(s);
}
