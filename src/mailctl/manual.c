/*
 * The manual pages: mailctl(1) from the tables of commands, maild(8), and maild.conf(5) from the
 * tables of settings (core/config_manual.c).
 */
#include "core/manual_page.h"
#include "ctl/server_settings.h"
#include "mailctl/command_line.h"

#include <string.h>

#define INDENT 4
#define DEEPER 8

struct pair {
    const char *term, *text;
};

static void add_pairs(struct manual_page *p, const char *title, const struct pair *pairs)
{
    manual_title(p, title);
    for (; pairs->term; pairs++) {
        manual_term(p, pairs->term, NULL, INDENT);
        manual_text(p, pairs->text, DEEPER);
    }
}

static void add_options(struct manual_page *p, const struct option_row *options, size_t most,
                        int indent)
{
    for (size_t i = 0; i < most && options[i].name; i++) {
        manual_term(p, options[i].name, options[i].value, indent);
        manual_text(p, options[i].help, indent + INDENT);
    }
}

static void add_examples(struct manual_page *p, const char *text)
{
    struct str rest = str_from_c(text), line;
    manual_example_begin(p);
    while (example_next(&rest, &line))
        manual_example_line(p, line, DEEPER);
    manual_example_end(p);
}

static void add_command(struct manual_page *p, const struct command *c)
{
    manual_term(p, c->name, c->words[0] ? c->words : NULL, INDENT);
    manual_text(p, c->help, DEEPER);
    manual_deeper(p);
    add_options(p, c->options, OPTIONS_MAX, DEEPER);
    if (command_examples(c->name))
        add_examples(p, command_examples(c->name));
    manual_back(p);
}

static void add_commands(struct manual_page *p)
{
    const struct command *c;
    manual_title(p, "COMMANDS");
    for (size_t i = 0; (c = command_at(i)); i++) {
        if (command_title_at(i))
            manual_subtitle(p, command_title_at(i));
        add_command(p, c);
    }
}

static void manual_mailctl(struct buf *b, bool roff)
{
    static const struct pair statuses[] = {
        {"0", "Done."},
        {"1", "Failed; a line on standard error says why."},
        {"2", "Wrong usage."},
        {"3", "The server does not answer."},
        {"4", "There is no such thing: user, domain, message, file."},
        {"5", "Not allowed."},
        {NULL, NULL},
    };
    static const struct pair environment[] = {
        {"MAILD_CONFIG", "The configuration, unless --config or --root says otherwise."},
        {"NO_COLOR", "If it is set to anything, there are no colours."},
        {"TMPDIR", "Where large messages are kept on their way; default /var/tmp."},
        {NULL, NULL},
    };
    struct manual_page p = {b, roff};
    manual_begin(&p, "MAILCTL", 1);
    manual_title(&p, "NAME");
    manual_text(&p, "mailctl - control the mail server maild", INDENT);
    manual_title(&p, "SYNOPSIS");
    manual_text(&p, "mailctl [OPTIONS] COMMAND ...", INDENT);
    manual_title(&p, "DESCRIPTION");
    manual_text(
        &p,
        "Makes an instance of maild, starts and stops it, and asks the running server over its "
        "control socket. Without a command it shows the state of the server.",
        INDENT);
    manual_gap(&p);
    manual_text(
        &p,
        "Root, the user of the server and members of its admin_group may do everything. What "
        "cannot be undone asks first; without a terminal and without --yes it is not done.",
        INDENT);
    manual_title(&p, "OPTIONS");
    add_options(&p, global_options, OPTIONS_MAX, INDENT);
    add_commands(&p);
    add_pairs(&p, "EXIT STATUS", statuses);
    manual_gap(&p);
    manual_text(&p,
                "\"mailctl check\" follows the convention of monitoring plugins instead: 0 OK, 1 "
                "WARNING, 2 CRITICAL, 3 UNKNOWN.",
                INDENT);
    manual_gap(&p);
    manual_text(
        &p,
        "With --json a failure is an object on standard error: {\"error\": TEXT, \"kind\": KIND}.",
        INDENT);
    add_pairs(&p, "ENVIRONMENT", environment);
    manual_title(&p, "SEE ALSO");
    manual_text(&p, "maild(8), maild.conf(5)", INDENT);
}

static void manual_maild(struct buf *b, bool roff)
{
    static const struct pair options[] = {
        {"--config FILE", "The configuration; default " DEFAULT_CONFIG "."},
        {"--version", "The version."},
        {"--help", "A short text."},
        {NULL, NULL},
    };
    static const struct pair signals[] = {
        {"SIGTERM, SIGINT", "A clean end: sessions are told, what is accepted is on disk."},
        {"SIGHUP", "The configuration is read anew, all of it or, with a mistake in it, nothing. "
                   "Sessions stay."},
        {"SIGUSR1", "The log file is opened anew, after it was rotated."},
        {NULL, NULL},
    };
    static const struct pair statuses[] = {
        {"0", "A clean end."},
        {"1", "It did not start; a line on standard error says why."},
        {"2", "Wrong usage."},
        {NULL, NULL},
    };
    static const struct pair files[] = {
        {DEFAULT_CONFIG, "The configuration, maild.conf(5)."},
        {"/var/lib/maild", "Mail, queue, journal and directory (data_dir)."},
        {"/run/maild/control.sock", "The socket on which mailctl asks (run_dir)."},
        {"/var/log/maild/maild.log", "The log (log)."},
        {NULL, NULL},
    };
    struct manual_page p = {b, roff};
    manual_begin(&p, "MAILD", 8);
    manual_title(&p, "NAME");
    manual_text(&p, "maild - mail server: SMTP, submission, LMTP, IMAP, POP3", INDENT);
    manual_title(&p, "SYNOPSIS");
    manual_text(&p, "maild [--config FILE]", INDENT);
    manual_title(&p, "DESCRIPTION");
    manual_text(
        &p,
        "Runs the mail server in the foreground, in one process. Started by root it opens its "
        "sockets and goes on as the user of the configuration, without rights, confined to its "
        "own directories. mailctl(1) makes the configuration (mailctl init), starts the server "
        "in the background (mailctl start) and does everything else.",
        INDENT);
    manual_gap(&p);
    manual_text(
        &p,
        "Under systemd the unit maild.service does that: the server tells when it is ready, "
        "answers the watchdog, and leaves its sockets with the service manager over a restart.",
        INDENT);
    add_pairs(&p, "OPTIONS", options);
    add_pairs(&p, "SIGNALS", signals);
    add_pairs(&p, "EXIT STATUS", statuses);
    add_pairs(&p, "FILES", files);
    manual_title(&p, "SEE ALSO");
    manual_text(&p, "mailctl(1), maild.conf(5)", INDENT);
}

static void manual_maild_conf(struct buf *b, bool roff)
{
    config_manual(server_blocks, roff, b);
}

int command_manual(struct mailctl *m, const struct arguments *a)
{
    static const struct {
        const char *name;
        void (*print)(struct buf *b, bool roff);
    } pages[] = {
        {"mailctl", manual_mailctl}, {"maild", manual_maild}, {"maild.conf", manual_maild_conf}};
    const char *name = a->count > 0 ? a->words[0] : "mailctl";
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
        if (strcmp(pages[i].name, name) == 0)
            pages[i].print(&b, option(a, "--roff") != NULL);
    if (b.n == 0)
        return fail_kind(ERR_NOT_FOUND,
                         "there is no page %s: there are mailctl, maild and maild.conf", name);
    print_page(m, buf_str(&b));
    buf_free(&b);
    return EXIT_OK;
}
