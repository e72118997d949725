#pragma once
/*
 * Who asks on the control socket, and what he may. This is the one place that decides it: a verb
 * says in its row who may call it and which of its arguments are whose (ctl.h), and does not ask.
 */
#include "core/arena.h"
#include "ctl/ctl_verbs.h"

#include <sys/types.h>

struct account;
struct stream;

#define CTL_NAME_MAX 64
struct ctl_caller {
    uid_t uid;
    bool admin;
    bool reserved;           /* root or the server's user: has places that others do not get */
    char name[CTL_NAME_MAX]; /* of the Unix user whose account may be his own; "": of none */
};

/* From the kernel's word on the peer alone: uid and reserved. False: it is no Unix socket. */
bool ctl_caller_look(const struct stream *s, struct ctl_caller *caller);
/* The rest: asks the name services, on a worker. False: this is nobody, *e says so. */
SUSPENDS bool ctl_caller_find(const struct ctl_context *c, const struct stream *s,
                              struct ctl_caller *caller, struct err *e);

/* May he call the verb with these arguments? Of somebody who is no administrator *own is his
 * account, in a, and args are changed so that they mean that; of an administrator it is NULL.
 * ERR_DENIED, ERR_SYNTAX; ERR_TEMP: the directory cannot tell now. */
SUSPENDS bool ctl_admit(const struct ctl_context *c, const struct ctl_caller *caller,
                        const struct ctl_row *row, json_t *args, struct arena *a,
                        const struct account **own, struct err *e);

/* Lets those connect to the socket who may be served; a failure is logged. */
SUSPENDS void ctl_open_socket(const char *path, const char *admin_group, bool users);

/* --- pure, for tests --- */

/* A name that can be the local part of an account without meaning another one. */
bool ctl_name_is_usable(const char *name);
/* Of a verb's arguments from somebody with this login: none but those that he may give, and that
 * of the account is the login. */
bool ctl_access_apply(const struct ctl_access *access, struct str login, json_t *args,
                      struct err *e);
