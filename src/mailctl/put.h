#pragma once
/*
 * Messages into mailboxes of the server, mailbox by mailbox: what restore and import share.
 */
#include "mailctl/body.h"
#include "mailctl/mailctl.h"

struct put_counts {
    uint64_t mailboxes, restored, present, renumbered, failed;
    uint64_t bytes;
};

struct putting {
    struct mailctl *m;
    struct client *client; /* NULL: none yet, or after a failure */
    struct put_counts counts;
    uint64_t of; /* messages, for the progress; 0: unknown */
    uint64_t done;
    bool one;           /* all goes into one mailbox */
    const json_t *item; /* private: of the message being sent */
    bool first;
};

/* args of "messages put", taken. After a failure the mailbox is over; another one can be begun. */
bool put_begin(struct putting *p, json_t *args, struct err *e);
/* message: as the server sends it. */
bool put_message(struct putting *p, const json_t *message, struct body *body, struct err *e);
bool put_end(struct putting *p, struct err *e);
/* Gives the mailbox up, if one is begun, and the connection. */
void put_close(struct putting *p);
/* Does it make no sense to go on with another mailbox? */
bool put_is_over(const struct err *e);
/* "restored 12 messages ..." or JSON; the exit status. */
int put_report(struct putting *p, const char *what);
