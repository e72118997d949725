#pragma once
/*
 * Messages out of one Maildir or mbox, given to the mailbox that is begun.
 */
#include "mailctl/put.h"

#define DEPTH_MAX 64 /* directories */

struct importing {
    struct mailctl *m;
    const char *user, *mailbox; /* mailbox NULL: as in the source */
    bool duplicates;
    struct putting put;
    struct body body;
};

/* The directory; those in it are not looked at. */
bool give_maildir(struct importing *x, const char *path, struct err *e);
/* The file, or "-". */
bool give_mbox(struct importing *x, const char *path, struct err *e);
