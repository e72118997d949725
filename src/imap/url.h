#pragma once
/*
 * IMAP URLs (RFC 5092) as far as they name a message or a part of one, as CATENATE uses them:
 *
 *   /Sent;UIDVALIDITY=785799047/;UID=113330;SECTION=1.5.9
 *   ;UID=20/;SECTION=HEADER         of the selected mailbox
 *   /Sent/;UID=7/;PARTIAL=100.20    20 octets from offset 100; without ".20": all from there
 */
#include "core/arena.h"

struct imap_url {
    struct str mailbox;    /* UTF-8; p == NULL: the selected one */
    uint32_t uid_validity; /* 0: not named */
    uint32_t uid;
    struct str section; /* "" : the whole message */
    bool partial;       /* of its octets only those from offset to below end */
    uint64_t offset, end;
};

/* Strings in `a`. False: it is none of these, or names another server or user than `server` and
 * `login`. */
bool imap_url_parse(struct arena *a, struct str text, struct str server, struct str login,
                    struct imap_url *url);
