/*
 * sendmail: what cron, PHP, mail clients and scripts call to send mail. The message goes to the
 * running server over the Unix socket of its listener for local programs. When the server does not
 * answer, or says 4xx, it is left in the maildrop, durable as well, and the server
 * takes it from there when it starts.
 *
 * Any user may call it and it has no special rights, so it cannot read maild.conf where that is
 * kept from users; then it looks for socket and maildrop where `mailctl init` puts them.
 *
 * The exit status is one of sysexits.h: 0 only when the message is durable for all recipients.
 */
#include "mailctl/sendmail.h"

#include "core/disk.h"
#include "ctl/server_settings.h"
#include "mime/address.h"
#include "net/service.h"
#include "smtp/smtp_server.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

int sendmail_fail(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("sendmail: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

/* --- where the server is --- */

static const char *socket_of(const struct config *c)
{
    for (size_t i = 0; i < config_count(c, &listener_settings_block); i++) {
        const struct listener_settings *l = config_at(c, &listener_settings_block, i);
        for (size_t n = 0; n < l->address.count; n++)
            if (l->protocol == SERVICE_SUBMISSION && !l->auth_required &&
                strncmp(l->address.items[n], "unix:", 5) == 0)
                return l->address.items[n] + 5;
    }
    return NULL;
}

static uint64_t size_limit(const struct config *c)
{
    const struct smtp_settings *smtp = config_block(c, &smtp_settings_block);
    return (uint64_t)smtp->message_size_max;
}

static void find_by_guess(struct sendmail *s)
{
    struct str config = str_from_c(s->mailctl->config_path);
    ptrdiff_t slash = str_find_last_char(config, '/');
    struct str dir = slash >= 0 ? str_head(config, (size_t)slash) : STR(".");
    bool installed = str_equal(dir, STR("/etc/maild"));
    struct config *defaults = config_parse("maild.conf", STR(""), server_blocks, NULL);
    s->size_max = size_limit(defaults);
    config_unref(defaults);
    s->socket = installed ? "/run/maild/submission.sock"
                          : arena_printf(s->arena, "%.*s/run/submission.sock", STR_ARG(dir)).p;
    s->maildrop =
        installed ? "/var/spool/maild" : arena_printf(s->arena, "%.*s/maildrop", STR_ARG(dir)).p;
}

static void find_server(struct sendmail *s)
{
    struct mailctl *m = s->mailctl;
    if (!mailctl_settings(m, NULL)) {
        find_by_guess(s);
        return;
    }
    s->socket = socket_of(m->config);
    s->maildrop = m->settings->maildrop[0] ? m->settings->maildrop : NULL;
    s->size_max = size_limit(m->config);
}

/* --- who sends, and to whom --- */

static int set_sender(struct sendmail *s)
{
    const struct passwd *user;
    size_t count;
    if (!s->sender_given) {
        user = getpwuid(getuid());
        if (!user)
            return sendmail_fail(EX_OSERR, "there is no user with the id %u", (unsigned)getuid());
        s->sender = user->pw_name;
        return EX_OK;
    }
    struct str given = str_trim(str_from_c(s->sender));
    if (given.n == 0 || str_equal(given, STR("<>"))) {
        s->sender = "";
        return EX_OK;
    }
    struct mailbox_address *list = address_list_parse(s->arena, given, &count);
    struct address parts = {count == 1 ? list[0].local : STR(""),
                            count == 1 && list[0].domain.p ? list[0].domain : STR("")};
    struct address checked;
    struct str text = parts.local.n > 0 ? address_text(s->arena, &parts) : STR("");
    if (text.n == 0 ||
        !address_parse(s->arena, text, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &checked, NULL))
        return sendmail_fail(EX_USAGE, "-f %s: not an address", s->sender);
    s->sender = arena_c(s->arena, text);
    return EX_OK;
}

static int take_words(struct sendmail *s)
{
    struct err e;
    for (size_t i = 0; i < s->word_count; i++) {
        if (s->words[i][0] == '-')
            return sendmail_fail(EX_USAGE, "%s: options stand in front of recipients", s->words[i]);
        if (!sendmail_add_recipients(s, str_from_c(s->words[i]), &e))
            return sendmail_fail(EX_DATAERR, "%s", e.text);
    }
    return EX_OK;
}

/* --- sending --- */

/* After the server did not answer, or said 4xx. */
static int leave(struct sendmail *s, const struct err *why)
{
    struct err e;
    if (!s->maildrop)
        return sendmail_fail(EX_TEMPFAIL, "%s; and there is no maildrop", why->text);
    if (!sendmail_drop(s, &e))
        return sendmail_fail(EX_TEMPFAIL, "%s; %s", why->text, e.text);
    if (s->verbose)
        fprintf(stderr, "%s; left in %s, where the server will find it\n", why->text, s->maildrop);
    return EX_OK;
}

static int send_message(struct sendmail *s)
{
    struct err e = {0};
    int status = set_sender(s);
    if (status == EX_OK)
        status = take_words(s);
    if (status == EX_OK && !s->from_header && s->recipient_count == 0)
        return sendmail_fail(EX_USAGE,
                             "no recipients; give addresses, or -t for those in the message");
    if (status == EX_OK)
        status = sendmail_read(s);
    if (status != EX_OK)
        return status;
    if (s->recipient_count == 0)
        return sendmail_fail(EX_USAGE,
                             "no recipients: To, Cc and Bcc of the message have no address");
    status = sendmail_send(s, &e);
    if (status == EX_TEMPFAIL)
        return leave(s, &e);
    if (status != EX_OK)
        return sendmail_fail(status, "%s", e.text);
    return EX_OK;
}

static int run_mode(struct sendmail *s)
{
    struct arguments none = {0};
    switch (s->mode) {
    case SENDMAIL_SMTP:
        return sendmail_talk(s);
    case SENDMAIL_LIST:
        return command_queue_list(s->mailctl, &none) == EXIT_OK ? EX_OK : EX_UNAVAILABLE;
    case SENDMAIL_FLUSH:
        return command_queue_retry(s->mailctl, &none) == EXIT_OK ? EX_OK : EX_UNAVAILABLE;
    case SENDMAIL_NOTHING:
        return EX_OK;
    case SENDMAIL_MESSAGE:
        break;
    }
    return send_message(s);
}

int sendmail_run(struct mailctl *m, int argc, char **argv)
{
    struct sendmail s = {.mailctl = m, .arena = m->arena, .file = -1, .envelope_id = STR("")};
    struct str name = str_from_c(argv[0]);
    struct str base = str_skip(name, (size_t)(str_find_last_char(name, '/') + 1));
    if (str_equal(base, STR("mailq")))
        s.mode = SENDMAIL_LIST;
    else if (str_equal(base, STR("newaliases")))
        s.mode = SENDMAIL_NOTHING;
    int status = sendmail_options(&s, argc, argv);
    if (status == EX_OK) {
        find_server(&s);
        status = run_mode(&s);
    }
    buf_free(&s.head);
    buf_free(&s.body);
    disk_close(s.file);
    return status;
}

/* As a row of the table of commands: found only behind options that sendmail does not have. */
int command_sendmail(struct mailctl *m, const struct arguments *a)
{
    (void)m;
    (void)a;
    return fail_usage("between mailctl and sendmail only --config and --root may stand");
}
