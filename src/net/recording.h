#pragma once
/*
 * Recording what is said in the sessions of single users, for who hunts a fault of a client: one
 * file for each session, DIR/LOGIN/20261121T155042Z-imap-ID.log, mode 0600. Passwords are not in
 * it: it begins behind the login. Switched on for a time, also for sessions that are there; off
 * by itself afterwards, at a restart, or when a limit is reached.
 */
#include "core/session_list.h"
#include "core/str.h"

struct recordings;
struct loop;

#define RECORDING_FILE_MAX    (256 * 1024 * 1024) /* bytes of a session */
#define RECORDING_PENDING_MAX (4 * 1024 * 1024)   /* not written yet; more ends the recording */
#define RECORDING_USERS_MAX   100

/* Watches the list's logins. dir is made at the first recording. */
struct recordings *recordings_new(struct session_list *sessions, const char *dir);
/* Ends all, and waits until they are written. NULL is allowed. */
SUSPENDS void recordings_close(struct recordings *r);

/* For `duration` from now on; again: for that long from now on. ERR_LIMIT. */
bool recordings_start(struct recordings *r, struct str login, usec duration, struct err *e);
/* ERR_NOT_FOUND. What was recorded stays. */
bool recordings_stop(struct recordings *r, struct str login, struct err *e);

struct recorded_login {
    struct recorded_login *next;
    usec until;      /* clock_wall() */
    size_t sessions; /* that are being recorded */
    char login[];
};
/* Those that are switched on. */
const struct recorded_login *recordings_first(struct recordings *r);
const char *recordings_dir(const struct recordings *r);
