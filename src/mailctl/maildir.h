#pragma once
/*
 * A mailbox as a Maildir that any server reads, and Dovecot with its UIDs and keywords: names of
 * files, dovecot-uidlist, dovecot-keywords.
 */
#include "mailctl/body.h"
#include "mailctl/mailctl.h"
#include "store/keywords.h"

struct maildir_form {
    struct keyword_table keywords;
    struct body uidlist; /* dovecot-uidlist */
    struct buf keyword_lines;
};

/* mailbox: an item of "messages get". */
bool maildir_begin(struct maildir_form *f, const json_t *mailbox, struct err *e);
/* message: the same. Its name in cur/ is appended to *name (may be NULL); in_list: it is added to
 * dovecot-uidlist. */
bool maildir_add(struct maildir_form *f, const json_t *message, struct buf *name, bool in_list,
                 struct err *e);
/* The content of dovecot-keywords. */
struct str maildir_keywords(struct maildir_form *f);
void maildir_end(struct maildir_form *f);

/* The UID in a name that maildir_add made; 0: it made it not. */
uint32_t maildir_name_uid(struct str name);
/* "\Seen $Junk" as flags. */
uint8_t flags_from_text(const char *text);
void add_flags_text(struct buf *b, uint8_t flags);
