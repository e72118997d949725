#pragma once
/*
 * Quota: how much mail an account may keep, and how much it keeps. Counted is what the files hold
 * (as Dovecot's quota=maildir counts) in all mailboxes but those that a rule ignores; expunged
 * messages do not count.
 *
 * The numbers are exact at every moment: they follow each change of a mailbox in memory, and
 * deliveries on their way have reserved what they need.
 */
#include "store/mailbox.h"

/* What the sender hears. */
enum over_quota { OVER_QUOTA_REFUSE, OVER_QUOTA_LATER };

struct quota_settings {
    int64_t storage, messages, mailboxes; /* of an account without limits of its own; 0: none */
    int64_t grace;                        /* bytes by which the last message may exceed */
    struct string_list rules;             /* "Trash:storage=+10%", "Junk:ignore" */
    struct string_list warnings;          /* "80%" */
    int over_quota;                       /* enum over_quota */
};
extern const struct settings_block quota_settings_block; /* "quota" */

/* 0: none. */
struct quota_limits {
    uint64_t storage, messages, mailboxes;
};

struct quota_count {
    uint64_t bytes, messages;
};

/* At start and at each reload. Without: no limits. */
void store_set_quota(struct store *s, const struct quota_settings *settings);

/* Is there a limit of any kind; and, unless mailbox is {0}, for what is in the mailbox? */
bool quota_is_limited(struct store *s, const struct account *account, struct str mailbox);

struct quota_status {
    struct quota_limits limits; /* without folder rules */
    struct quota_count used;
    uint64_t mailboxes; /* how many there are */
};
SUSPENDS bool quota_get(struct store *s, const struct account *account, struct quota_status *status,
                        struct err *e);
/* Counts the files on disk anew. */
SUSPENDS bool quota_recalculate(struct store *s, const struct account *account, struct err *e);

/* Would a message of so many bytes (0: not known yet) be delivered into the mailbox now? ERR_QUOTA,
 * or as the settings want it ERR_QUOTA_NOW. */
SUSPENDS bool quota_check_delivery(struct store *s, const struct account *account,
                                   struct str mailbox, uint64_t size, struct err *e);
/* Would mailbox_append take so much now? ERR_QUOTA. */
SUSPENDS bool quota_check_append(struct mailbox *m, struct quota_count more, struct err *e);
/* What a message of so many bytes adds when the other one goes (`in` NULL: none does). */
struct quota_count quota_replacing(const struct mailbox *m, uint64_t size, const struct mailbox *in,
                                   uint32_t replaced);

/* "5G", "10M", "1000": for settings and commands. Powers of 1024. */
bool quota_parse_size(struct str text, uint64_t *bytes);
