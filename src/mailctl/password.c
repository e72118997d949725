/*
 * Passwords from people: on a terminal, asked twice without echo; from programs, one line of
 * standard input. Never from the command line of a running system, where others could read it
 * (init's NAME:PASSWORD is for demonstrations).
 */
#include "mailctl/mailctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* One line without its end, in the arena; NULL at the end of the input. */
static const char *read_line(struct mailctl *m)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n = getline(&line, &room, stdin);
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        n--;
    const char *copy = n < 0 ? NULL : arena_c(m->arena, str_from(line, (size_t)n));
    if (line)
        explicit_bzero(line, room);
    free(line);
    return copy;
}

static const char *prompt(struct mailctl *m, const char *question, const char *login)
{
    struct termios before, silent;
    bool restore = tcgetattr(STDIN_FILENO, &before) == 0;
    if (restore) { /* first of all: what is typed before is thrown away */
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    fprintf(stderr, "%s %s: ", question, login);
    const char *line = read_line(m);
    if (restore)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    return line ? line : "";
}

static const char *take_password(struct mailctl *m, const struct arguments *a, const char *login,
                                 bool twice, int *status)
{
    const char *password;
    if (option(a, "--password-stdin")) {
        password = read_line(m);
    } else if (isatty(STDIN_FILENO)) {
        password = prompt(m, "Password of", login);
        if (twice && password[0] && strcmp(password, prompt(m, "Again, password of", login)) != 0) {
            *status = fail("the two passwords differ");
            return NULL;
        }
    } else {
        *status =
            fail_usage("no terminal to ask for the password of %s: give --password-stdin", login);
        return NULL;
    }
    if (!password || password[0] == '\0') {
        *status = fail("the password is empty");
        return NULL;
    }
    return password;
}

const char *read_password(struct mailctl *m, const struct arguments *a, const char *login,
                          int *status)
{
    return take_password(m, a, login, true, status);
}

const char *read_known_password(struct mailctl *m, const struct arguments *a, const char *login,
                                int *status)
{
    return take_password(m, a, login, false, status);
}
