#pragma once
/*
 * Messages of one user from the server, message by message: what export and backup share.
 */
#include "mailctl/body.h"
#include "mailctl/mailctl.h"

/* What to do with what comes, in the order of ctl_export.c. Each may be NULL. */
struct message_taker {
    bool (*user)(void *arg, const json_t *user, struct err *e);
    bool (*mailbox)(void *arg, const json_t *mailbox, struct err *e);
    bool (*list)(void *arg, const json_t *message, struct err *e);
    bool (*message)(void *arg, const json_t *message, struct body *body, struct err *e);
    /* A message cannot be read; it was said. */
    bool (*unreadable)(void *arg, const json_t *message, struct err *e);
    void *arg;
};

struct get_counts {
    uint64_t mailboxes, messages, bytes, failed;
};

/* args is taken. Shows progress; adds to *counts. */
bool messages_get(struct mailctl *m, json_t *args, const struct message_taker *t,
                  struct get_counts *counts, struct err *e);

/* Whose mailboxes are meant, {"login"}, to be freed; the login may be without its domain. */
bool find_user(struct mailctl *m, const char *login, json_t **user, struct err *e);
/* The logins meant by USER or --all, a JSON array. NULL: *e. */
json_t *logins_of(struct mailctl *m, const char *user, struct err *e);
