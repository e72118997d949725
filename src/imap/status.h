#pragma once
/*
 * The items of STATUS (RFC 3501 6.3.10), wherever they are asked for: STATUS itself, LIST with
 * RETURN (STATUS), NOTIFY.
 */
#include "imap/command.h"

enum imap_status_item {
    STATUS_MESSAGES = 1,
    STATUS_RECENT = 2,
    STATUS_UIDNEXT = 4,
    STATUS_UIDVALIDITY = 8,
    STATUS_UNSEEN = 16,
    STATUS_SIZE = 32,             /* RFC 8438 */
    STATUS_DELETED = 64,          /* RFC 9208 4.1.4 */
    STATUS_DELETED_STORAGE = 128, /* RFC 9208 4.1.4 */
    STATUS_HIGHESTMODSEQ = 256,   /* RFC 7162 3.1.7 */
    STATUS_MAILBOXID = 512,       /* RFC 8474 4.3 */
    STATUS_APPENDLIMIT = 1024,    /* RFC 7889 */
};

/* From the list of their names; NULL: it is missing. HIGHESTMODSEQ makes the client
 * CONDSTORE-aware. False: the result is set. */
SUSPENDS bool imap_take_status_items(struct imap_command *c, const struct imap_argument *list,
                                     unsigned *items);
/* Writes "* STATUS name (...)". Errors as mailbox_open. */
SUSPENDS bool imap_write_status(struct imap_session *s, struct str name, unsigned items,
                                struct err *e);
