#pragma once
/*
 * Which mailboxes ESEARCH searches (RFC 7377 2.2): the filters of NOTIFY (RFC 5465 section 6).
 */
#include "imap/command.h"

struct search_sources {
    bool given;    /* there was IN */
    bool selected; /* the selected mailbox, by that word or because there was nothing else */
    bool personal, subscribed;
    struct source_names {
        struct str *names;
        size_t count;
    } mailboxes, subtree, subtree_one;
};

/* IN and its list, if they are next. False: the result is set. */
bool imap_take_sources(struct imap_command *c, struct search_sources *s);
/* Is nothing but the selected mailbox to be searched? */
bool search_sources_are_selected(const struct search_sources *s);
/* Is this mailbox, which is not the selected one, to be searched by this user? */
SUSPENDS bool search_sources_have(const struct search_sources *s,
                                  const struct imap_session *session,
                                  const struct mailbox_info *mailbox);
