/*
 * The options that sendmail has had for decades, in the form programs use them: a letter, and its
 * value behind it or in the next word. Those that make no difference here are taken and forgotten,
 * so that nobody's cron job fails over them.
 */
#include "mailctl/sendmail.h"
#include "smtp/drop_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* With a value: what follows the letter, or the next word. */
static const char with_value[] = "ABCDFLNORVXefhpr";
static const char without_value[] = "GIQUcimntvx";

static const char usage[] =
    "usage: sendmail [-i] [-t] [-f SENDER] [-F NAME] [-N WHEN] [-R full|hdrs] [-V ID] [-v]\n"
    "                [RECIPIENT]... < message\n"
    "       sendmail -bs | -bp | -q\n"
    "\n"
    "    -i  a line with only a dot does not end the message\n"
    "    -t  recipients are those of To, Cc and Bcc\n"
    "    -bs SMTP on standard input, -bp the queue, -q try all of it now\n"
    "\n"
    "Exit status (sysexits.h): 0 when the message is durable for all recipients.\n";

struct words {
    int argc, at;
    char **argv;
};

static int wrong_usage(const char *text, const char *value)
{
    return sendmail_fail(EX_USAGE, "%s%s", text, value);
}

static int take_notify(struct sendmail *s, const char *value)
{
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = {{"never", NOTIFY_NEVER},
                 {"success", NOTIFY_SUCCESS},
                 {"failure", NOTIFY_FAILURE},
                 {"delay", NOTIFY_DELAY}};
    struct str rest = str_from_c(value);
    s->notify = 0;
    for (struct str word; (word = str_split(&rest, ',')).p;) {
        size_t i = 0, count = sizeof(known) / sizeof(known[0]);
        while (i < count && !str_equal_nocase(str_trim(word), str_from_c(known[i].name)))
            i++;
        if (i == count)
            return wrong_usage("-N: never, or some of success,failure,delay; not ", value);
        s->notify |= known[i].bit;
    }
    if ((s->notify & NOTIFY_NEVER) && s->notify != NOTIFY_NEVER)
        return wrong_usage("-N: never stands alone; not ", value);
    return 0;
}

static int take_mode(struct sendmail *s, char mode)
{
    switch (mode) {
    case 'm':
        s->mode = SENDMAIL_MESSAGE;
        return 0;
    case 's':
        s->mode = SENDMAIL_SMTP;
        return 0;
    case 'p':
        s->mode = SENDMAIL_LIST;
        return 0;
    case 'i':
        s->mode = SENDMAIL_NOTHING;
        return 0;
    default:
        return sendmail_fail(EX_USAGE, "-b%c is not known; the server itself is maild", mode);
    }
}

/* -oi is -i; the other -o are for programs of another time. */
static void take_old_option(struct sendmail *s, const char *value)
{
    if (strcmp(value, "i") == 0 || strcmp(value, "itrue") == 0)
        s->dots = true;
}

static int take_value(struct sendmail *s, char letter, const char *value)
{
    switch (letter) {
    case 'f':
    case 'r':
        s->sender = value;
        s->sender_given = true;
        return 0;
    case 'F':
        s->full_name = value;
        return 0;
    case 'C':
        s->mailctl->config_path = value;
        return 0;
    case 'N':
        return take_notify(s, value);
    case 'R':
        if (strcasecmp(value, "full") != 0 && strcasecmp(value, "hdrs") != 0)
            return wrong_usage("-R: full or hdrs; not ", value);
        s->dsn_return = strcasecmp(value, "full") == 0 ? DSN_RETURN_FULL : DSN_RETURN_HEADERS;
        return 0;
    case 'V':
        s->envelope_id = str_from_c(value);
        return drop_envelope_id_is_valid(s->envelope_id)
                   ? 0
                   : wrong_usage("-V: at most 100 printable characters; not ", value);
    case 'o':
        take_old_option(s, value);
        return 0;
    default:
        return 0;
    }
}

/* One letter of a word like "-ti"; *more is false when it has used up the word. */
static int take_letter(struct sendmail *s, const char *at, struct words *w, bool *more)
{
    char letter = *at;
    const char *rest = at + 1;
    *more = false;
    if (letter == 'b')
        return *rest ? take_mode(s, *rest) : wrong_usage("-b: a mode is missing", "");
    if (letter == 'q') {
        if (*rest)
            return wrong_usage("-q takes no value here: maild tries by itself; not -q", rest);
        s->mode = SENDMAIL_FLUSH;
        return 0;
    }
    if (letter == 'o' || letter == 'd') { /* never with the next word */
        take_old_option(s, rest);
        return 0;
    }
    if (strchr(with_value, letter)) {
        if (!*rest && w->at + 1 >= w->argc)
            return sendmail_fail(EX_USAGE, "-%c: its value is missing", letter);
        return take_value(s, letter, *rest ? rest : w->argv[++w->at]);
    }
    *more = true;
    s->from_header |= letter == 't';
    s->dots |= letter == 'i';
    s->verbose |= letter == 'v';
    if (!strchr(without_value, letter))
        return sendmail_fail(EX_USAGE, "-%c is not known", letter);
    return 0;
}

static int take_word(struct sendmail *s, struct words *w)
{
    bool more = true;
    int status = 0;
    for (const char *at = w->argv[w->at] + 1; *at && more && status == 0; at++)
        status = take_letter(s, at, w, &more);
    return status;
}

int sendmail_options(struct sendmail *s, int argc, char **argv)
{
    struct words w = {.argc = argc, .at = 1, .argv = argv};
    int status = 0;
    for (; w.at < argc && status == 0; w.at++) {
        const char *word = argv[w.at];
        if (strcmp(word, "--help") == 0) {
            fputs(usage, stdout);
            exit(EX_OK);
        }
        if (strcmp(word, "--") == 0) {
            w.at++;
            break;
        }
        if (word[0] != '-' || word[1] == '\0')
            break;
        status = take_word(s, &w);
    }
    s->words = (const char **)(argv + w.at);
    s->word_count = w.at < argc ? (size_t)(argc - w.at) : 0;
    return status;
}
