#pragma once
/*
 * Errors are values: a kind that code decides on and a text that a person reads ("what failed, on
 * what, why, what to do"). Functions return false and fill *e; who decides logs, callees don't.
 * Each protocol maps kinds to replies in one function.
 */
#include <stdbool.h>

enum err_kind {
    ERR_NONE,
    ERR_TEMP,      /* try again later; nobody's fault that asked */
    ERR_PERM,      /* will not work, however often it is tried */
    ERR_NOT_FOUND, /* does not exist */
    ERR_EXISTS,    /* exists already */
    ERR_DENIED,    /* may not */
    ERR_QUOTA,     /* over quota */
    ERR_QUOTA_NOW, /* over quota, but it shall be tried again: there may be room later */
    ERR_LIMIT,     /* a limit of the server was reached */
    ERR_SYNTAX,    /* malformed input */
    ERR_IO,        /* disk failed or refused; temporary for the asker */
    ERR_NO_SPACE,  /* disk full; temporary for the asker */
    ERR_TIMEOUT,   /* deadline passed */
    ERR_CLOSED,    /* the peer closed or reset the connection */
    ERR_CANCELLED, /* the fiber was cancelled: shutdown, or the session was killed */
    ERR_TLS,       /* handshake or verification failed */
};

struct err {
    enum err_kind kind;
    char text[300];
};

/* Fills *e (may be NULL) and returns false: `return err_set(e, ERR_PERM, "...")`. */
bool err_set(struct err *e, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* From errno: ENOSPC and EDQUOT give ERR_NO_SPACE, ENOENT NOT_FOUND, EEXIST EXISTS, what is short
 * in the whole process (EMFILE, ENFILE, ENOMEM) ERR_TEMP, else ERR_IO: a
 * file that the server may not touch is its own trouble, not a refusal of who asked. The text ends
 * in ": " and strerror. Returns false. */
bool err_set_errno(struct err *e, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An error of the disk about a file of our own (spool, queue, a mailbox that was found): that it is
 * missing or in the way must not be taken for an answer about what was asked for. e may be NULL. */
void err_as_io(struct err *e);
/* Puts "text: " in front of e's text; returns false. */
bool err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "temporary", "denied" ...: one word for log lines. */
const char *err_kind_name(enum err_kind kind);
/* True for the kinds that a later try may not meet: TEMP, IO, NO_SPACE, TIMEOUT, CLOSED, CANCELLED,
 * LIMIT, TLS, QUOTA_NOW. */
bool err_is_temporary(enum err_kind kind);
