#pragma once
/*
 * What was being worked on when the process crashed. A part that handles what came from outside - a
 * message of the queue, a mailbox, a message that comes in - says so for as long as it does; when
 * the process dies of a fault meanwhile, a line is left in a file. Whoever is found there twice is
 * not taken up again until somebody says so, so that nothing keeps the server from running.
 *
 * Saying so costs a few stores. It belongs to the fiber, or on a worker to the thread; worker_run
 * takes it along.
 */
#include "core/clock.h"
#include "core/err.h"
#include "core/fiber.h"
#include "core/str.h"

#include <stddef.h>

enum suspect_kind {
    SUSPECT_MESSAGE, /* name: its id in the queue */
    SUSPECT_MAILBOX, /* name: the account's home; part: the mailbox */
    SUSPECT_REPLAY,  /* changes of an account at the start; name: its home */
    SUSPECT_SENDER,  /* a message on its way in; name: the client's address; part: the sender */
    SUSPECT_KINDS
};

struct suspect {
    const struct suspect *outer; /* private */
    enum suspect_kind kind;
    struct str name, part;
};

/* Until suspect_end, in the reverse order. *s and the texts live that long. */
void suspect_begin(struct suspect *s, enum suspect_kind kind, struct str name, struct str part);
void suspect_end(struct suspect *s);

/* For jobs that worker_run does not give out: who waits for them asks whom he works for, and the
 * job borrows that, which lives longer, and gives it back with NULL. */
const struct suspect *suspect_present(void);
void suspect_lend(const struct suspect *s);

/* A crash of this or an earlier process. */
struct crash {
    usec when; /* clock_wall */
    int signal;
    enum suspect_kind kind;
    struct str name, part;
};

struct crashes;

/* Reads the file (it may be missing), leaves out what is forgotten, and begins to watch: from now
 * on a crash adds to it. What was read counts for the life of the process. Once, at the start, on
 * the loop's thread. Blocking. *e: the file cannot be written. */
struct crashes *crashes_open(const char *path, struct err *e);
/* NULL is allowed. */
void crashes_free(struct crashes *c);

/* Whether the process crashed with it often enough to leave it alone. c may be NULL: no. */
#define CRASHES_TOO_MANY 2
bool crashes_accuse(const struct crashes *c, enum suspect_kind kind, struct str name,
                    struct str part);
/* What was counted is forgotten in memory; part.p NULL: of all parts. Returns how many crashes. */
size_t crashes_forgive(struct crashes *c, enum suspect_kind kind, struct str name, struct str part);
/* What was forgotten since, in the file as well. *e: it is not, and counts again after the next
 * start. c may be NULL. */
SUSPENDS bool crashes_save(struct crashes *c, struct err *e);
/* All that are not forgotten, oldest first; NULL behind the last. */
const struct crash *crashes_at(const struct crashes *c, size_t i);
/* "message", "mailbox" ... */
const char *suspect_kind_name(enum suspect_kind kind);
