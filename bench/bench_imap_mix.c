/*
 * Many IMAP clients at once, in one thread. What each does over and over is a life of imaptest's
 * default: LOGIN, LIST and STATUS (half of the time each), SELECT, FETCH of a few messages' data,
 * FETCH of a body, STORE of a flag (half of the time), STORE of \Deleted, EXPUNGE, APPEND, LOGOUT.
 *
 *   bench_imap_mix PORT USERS SESSIONS SECONDS      user0@example.test ...: the whole life
 *   bench_imap_mix PORT USERS SESSIONS SECONDS login    LOGIN, SELECT, LOGOUT only
 *
 * Prints the commands that were answered and the lives that ended, a second each, and all commands.
 * An answer of BAD ends the program; NO is an answer (others expunge meanwhile).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE  (256 * 1024)
#define EVENTS   256
#define MESSAGE  1500
#define TOO_LONG 100 /* seconds that nothing here may take longer than it is asked to */

enum step {
    GREETING,
    LOGIN,
    LIST,
    STATUS,
    SELECT,
    FETCH,
    FETCH_BODY,
    STORE,
    DELETE,
    EXPUNGE,
    APPEND,
    LOGOUT,
    STEPS
};

/* Percent of the lives in which it happens. */
static const int chances[STEPS] = {
    [LOGIN] = 100,   [LIST] = 50,        [STATUS] = 50, [SELECT] = 100,
    [FETCH] = 100,   [FETCH_BODY] = 100, [STORE] = 50,  [DELETE] = 100,
    [EXPUNGE] = 100, [APPEND] = 100,     [LOGOUT] = 100};

struct session {
    int fd, user;
    enum step step;
    unsigned commands;
    char tag[16];
    long messages;       /* that this client knows of */
    char *tail;          /* a line that has come half */
    size_t tail_n, skip; /* bytes of a literal that are still to come */
};

static struct {
    int port, users, epoll;
    bool only_login;
    double end;
    long answered, lives;
    char message[MESSAGE + 1];
    unsigned long long random;
} all;

static char buffer[RECEIVE];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_imap_mix: %s (%s)\n", what, strerror(errno));
    exit(1);
}

static void on_alarm(int signal)
{
    static const char text[] = "bench_imap_mix: the server takes too long, giving up\n";
    (void)signal;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(2);
    _exit(1);
}

static unsigned below(unsigned n)
{
    all.random = all.random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(all.random >> 33) % n;
}

static void make_message(void)
{
    static const char header[] = "From: sender@elsewhere.test\r\nTo: user@example.test\r\n"
                                 "Subject: one of many\r\nMessage-ID: <1@elsewhere.test>\r\n\r\n";
    for (size_t i = 0; i < MESSAGE; i++)
        all.message[i] = "what a message says, and so on until it ends.\r\n"[i % 47];
    memcpy(all.message, header, sizeof(header) - 1);
    all.message[MESSAGE - 2] = '\r';
    all.message[MESSAGE - 1] = '\n';
}

/* --- the conversation --- */

static void open_session(struct session *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)all.port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    int one = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        fail("connect");
    s->step = GREETING;
    s->messages = 0;
    s->tail_n = s->skip = 0;
    s->user = (int)below((unsigned)all.users);
    if (epoll_ctl(all.epoll, EPOLL_CTL_ADD, s->fd, &event) < 0)
        fail("epoll");
}

static void close_session(struct session *s)
{
    close(s->fd);
    s->fd = -1;
}

static long any_message(const struct session *s)
{
    return 1 + below((unsigned)s->messages);
}

/* False: there is nothing to do it with. */
static bool compose(struct session *s, char *line, size_t room)
{
    static const char *const flags[] = {"\\Seen", "\\Flagged", "\\Answered", "$Label1"};
    bool none = s->messages <= 0;
    long first;

    switch (s->step) {
    case LOGIN:
        snprintf(line, room, "LOGIN user%d@example.test secret", s->user);
        return true;
    case LIST:
        snprintf(line, room, "LIST \"\" *");
        return true;
    case STATUS:
        snprintf(line, room, "STATUS INBOX (MESSAGES UNSEEN RECENT)");
        return true;
    case SELECT:
        snprintf(line, room, "SELECT INBOX");
        return true;
    case FETCH:
        first = none ? 0 : any_message(s);
        snprintf(line, room, "FETCH %ld:%ld (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", first,
                 first + 9 < s->messages ? first + 9 : s->messages);
        return !none;
    case FETCH_BODY:
        snprintf(line, room, "FETCH %ld (BODY.PEEK[])", none ? 0 : any_message(s));
        return !none;
    case STORE:
        snprintf(line, room, "STORE %ld %cFLAGS (%s)", none ? 0 : any_message(s),
                 below(2) ? '+' : '-', flags[below(4)]);
        return !none;
    case DELETE:
        snprintf(line, room, "STORE %ld +FLAGS (\\Deleted)", none ? 0 : any_message(s));
        return !none;
    case EXPUNGE:
        snprintf(line, room, "EXPUNGE");
        return true;
    case APPEND:
        snprintf(line, room, "APPEND INBOX {%d+}\r\n%s", MESSAGE, all.message);
        return true;
    case LOGOUT:
        snprintf(line, room, "LOGOUT");
        return true;
    default:
        return false;
    }
}

static bool wanted(enum step step)
{
    if (all.only_login)
        return step == LOGIN || step == SELECT || step == LOGOUT;
    return below(100) < (unsigned)chances[step];
}

static void say_next(struct session *s)
{
    char command[MESSAGE + 200], line[MESSAGE + 300];

    do
        s->step++;
    while (!wanted(s->step) || !compose(s, command, sizeof(command)));
    snprintf(s->tag, sizeof(s->tag), "q%u ", ++s->commands);
    int n = snprintf(line, sizeof(line), "%s%s\r\n", s->tag, command);
    if (send(s->fd, line, (size_t)n, MSG_NOSIGNAL) != n)
        fail("send");
}

/* True: the session is closed. */
static bool take_line(struct session *s, char *line, size_t n)
{
    size_t tag = strlen(s->tag);
    char *end;

    if (s->step == GREETING) {
        say_next(s);
        return false;
    }
    if (n > 2 && line[0] == '*') {
        long number = strtol(line + 2, &end, 10);
        if (end > line + 2 && strncmp(end, " EXISTS", 7) == 0)
            s->messages = number;
        else if (end > line + 2 && strncmp(end, " EXPUNGE", 8) == 0)
            s->messages--;
    } else if (n > tag + 2 && memcmp(line, s->tag, tag) == 0) {
        if (strncmp(line + tag, "BAD", 3) == 0) {
            fprintf(stderr, "bench_imap_mix: %.*s", (int)n, line);
            exit(1);
        }
        all.answered++;
        if (s->step == LOGOUT) {
            all.lives++;
            close_session(s);
            return true;
        }
        say_next(s);
    }
    return false;
}

/* Bytes of a literal that the line announces. */
static size_t announced(const char *line, size_t n)
{
    if (n < 5 || line[n - 3] != '}')
        return 0;
    const char *open = memrchr(line, '{', n);
    return open ? strtoul(open + 1, NULL, 10) : 0;
}

static void take(struct session *s, char *p, size_t n)
{
    while (n > 0) {
        if (s->skip > 0) {
            size_t some = s->skip < n ? s->skip : n;
            s->skip -= some;
            p += some;
            n -= some;
            continue;
        }
        char *newline = memchr(p, '\n', n);
        size_t length = newline ? (size_t)(newline - p) + 1 : n;
        if (s->tail_n > 0 || !newline) {
            s->tail = realloc(s->tail, s->tail_n + length + 1);
            if (!s->tail)
                fail("no memory");
            memcpy(s->tail + s->tail_n, p, length);
            s->tail_n += length;
        }
        if (!newline)
            return;
        char *line = s->tail_n > 0 ? s->tail : p;
        size_t line_n = s->tail_n > 0 ? s->tail_n : length;
        s->tail_n = 0;
        s->skip = announced(line, line_n);
        if (take_line(s, line, line_n))
            return;
        p += length;
        n -= length;
    }
}

static void receive(struct session *s)
{
    ssize_t got = recv(s->fd, buffer, sizeof(buffer), 0);

    if (got <= 0)
        fail("the server closed a connection");
    take(s, buffer, (size_t)got);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    struct rlimit files = {20000, 20000};

    if (argc < 5) {
        fprintf(stderr, "usage: bench_imap_mix PORT USERS SESSIONS SECONDS [login]\n");
        return 2;
    }
    setrlimit(RLIMIT_NOFILE, &files);
    all.port = atoi(argv[1]);
    all.users = atoi(argv[2]);
    int count = atoi(argv[3]);
    double seconds = atof(argv[4]);
    all.only_login = argc > 5;
    all.random = 4711;
    all.epoll = epoll_create1(EPOLL_CLOEXEC);
    make_message();
    struct session *sessions = calloc((size_t)count, sizeof(*sessions));
    if (!sessions)
        fail("no memory");
    signal(SIGALRM, on_alarm);
    alarm((unsigned)seconds + TOO_LONG);
    double begin = now();
    all.end = begin + seconds;
    for (int i = 0; i < count; i++)
        open_session(&sessions[i]);
    while (now() < all.end) {
        int n = epoll_wait(all.epoll, events, EVENTS, 100);
        for (int i = 0; i < n; i++) {
            struct session *s = events[i].data.ptr;
            receive(s);
            if (s->fd < 0)
                open_session(s);
        }
    }
    double took = now() - begin;
    printf("%.1f %.1f %ld\n", (double)all.answered / took, (double)all.lives / took, all.answered);
    for (int i = 0; i < count; i++)
        free(sessions[i].tail);
    free(sessions);
    return 0;
}
