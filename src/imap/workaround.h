#pragma once
/*
 * Work-arounds for bugs of clients: what is done (or left undone) for which, by the name that a
 * client gives itself (ID, RFC 2971), and by user as the operator says. docs/imap-clients.md has
 * the same table for people.
 */
#include "core/buf.h"
#include "core/settings.h"

enum imap_workaround {
    /* New messages are told in replies to NOOP, CHECK and in IDLE only. */
    WORKAROUND_DELAY_NEWMAIL = 1,
    /* Mailbox names may end in the separator. */
    WORKAROUND_EXTRA_SEPARATOR = 2,
    /* Extensions that are not announced to this client. */
    WORKAROUND_NO_COMPRESS = 4,
    WORKAROUND_NO_CONDSTORE = 8, /* and QRESYNC */
    WORKAROUND_NO_IDLE = 16,
    WORKAROUND_NO_REV2 = 32,
    WORKAROUND_NO_NOTIFY = 64,
};

/* For the client of that name and version (either may be ""). */
unsigned imap_workarounds_by_id(struct str name, struct str version);
/* What the operator says of the user ("" before the login) changes `by_id`. */
unsigned imap_workarounds_for(const struct string_list *settings, struct str login, unsigned by_id);
/* ERR_SYNTAX: not a list of NAME or USER:NAME. */
bool imap_workarounds_check(const struct string_list *settings, struct err *e);
/* Is the capability one that is hidden? */
bool imap_workarounds_hide(unsigned workarounds, struct str capability);
/* Their names with commas between them, "none" for none. */
void imap_workarounds_write(struct buf *b, unsigned workarounds);
