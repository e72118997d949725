#pragma once
/*
 * sendmail, as programs on Unix call it. What its files share:
 *
 *   sendmail.c          from the command line to the exit status
 *   sendmail_options.c  the options
 *   sendmail_input.c    the message from standard input, its header, recipients in it
 *   sendmail_smtp.c     to the server, over its Unix socket
 *   sendmail_drop.c     into the maildrop, when the server does not take it now
 *
 * Exit status 0 is given when the message is durable for all recipients. With any other nobody gets
 * it.
 */
#include "mailctl/mailctl.h"
#include "queue/envelope.h"

/* Bytes of a message that are kept in memory; more go to a temporary file. */
#define SENDMAIL_MEMORY_MAX ((size_t)256 * 1024)

enum sendmail_mode {
    SENDMAIL_MESSAGE, /* -bm */
    SENDMAIL_SMTP,    /* -bs */
    SENDMAIL_LIST,    /* -bp, mailq */
    SENDMAIL_FLUSH,   /* -q */
    SENDMAIL_NOTHING, /* -bi, newaliases: there is no file of aliases to be rebuilt */
};

struct sendmail {
    struct mailctl *mailctl;
    struct arena *arena;
    enum sendmail_mode mode;
    bool from_header;  /* -t */
    bool dots;         /* -i: a line with a dot does not end the message */
    bool verbose;      /* -v */
    bool sender_given; /* -f, -r */
    const char *sender, *full_name;
    const char **words; /* recipients as on the command line */
    size_t word_count;
    unsigned notify; /* -N */
    enum dsn_return dsn_return;
    struct str envelope_id;

    const char *socket, *maildrop; /* NULL: there is none */
    uint64_t size_max;

    struct str *recipients;
    size_t recipient_count, recipient_capacity;

    /* The message: `head` (made here, and the header), then the rest. */
    struct buf head;
    struct buf body; /* in memory, as long as `file` is -1 */
    int file;
    uint64_t body_size;
    bool eight_bit;
};

/* Prints "sendmail: text"; returns status. */
int sendmail_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- sendmail_options.c --- */
/* 0, or the exit status of wrong usage, which was explained. */
int sendmail_options(struct sendmail *s, int argc, char **argv);

/* --- sendmail_input.c --- */
/* Addresses from a list as in a header field. False: one of them is malformed. */
bool sendmail_add_recipients(struct sendmail *s, struct str list, struct err *e);
/* Reads all of standard input. 0 or the exit status; what was wrong was printed. */
int sendmail_read(struct sendmail *s);
/* Goes through the bytes of the message in order; stops when fn returns false. */
bool sendmail_each_piece(struct sendmail *s, bool (*fn)(void *arg, struct str piece, struct err *e),
                         void *arg, struct err *e);
uint64_t sendmail_size(const struct sendmail *s);

/* --- sendmail_smtp.c --- */
/* EX_OK; EX_TEMPFAIL: not now, *e; else the server refused it, *e is what it said. */
int sendmail_send(struct sendmail *s, struct err *e);
/* -bs: standard input and output are the connection. */
int sendmail_talk(struct sendmail *s);

/* --- sendmail_drop.c --- */
bool sendmail_drop(struct sendmail *s, struct err *e);

/* The whole program. argv[0] is its name. */
int sendmail_run(struct mailctl *m, int argc, char **argv);
