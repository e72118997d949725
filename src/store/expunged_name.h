#pragma once
/*
 * Names below Maildir/expunged/, where messages wait that were expunged:
 *
 *   expunged/<GUID of the mailbox, hex>/mailbox                               what it was
 *   expunged/<GUID>/<time of the expunge>.<UID>.<flags and keywords>.<base>   a message
 *   expunged/<GUID>/deleted.<time>/{cur,new,tmp,dovecot-uidlist ...}          the whole mailbox
 *
 * Times are seconds since 1970. Flags and keywords are the letters of the Maildir. Pure.
 */
#include "core/buf.h"
#include "store/limits.h"

#define EXPUNGED_DIR "expunged"
/* Bytes of the file `mailbox`. */
#define EXPUNGED_NOTE_MAX (64u * 1024)

struct expunged_name {
    int64_t time;
    uint32_t uid, keywords;
    uint8_t flags;
    struct str base; /* maybe cut at its end, when it was very long */
};

void expunged_name_add(struct buf *b, const struct expunged_name *n);
bool expunged_name_parse(struct str name, struct expunged_name *n);

void expunged_deleted_add(struct buf *b, int64_t time);
bool expunged_deleted_parse(struct str name, int64_t *time);

/* What is kept of a mailbox beside its messages. */
struct expunged_note {
    struct str name; /* UTF-8 with '/' */
    uint32_t uid_validity;
    struct str keywords[KEYWORD_LETTERS]; /* names of the letters; empty: none */
};

void expunged_note_add(struct buf *b, const struct expunged_note *n);
/* Names point into text. Lines that are unknown or damaged are passed over. */
void expunged_note_parse(struct expunged_note *n, struct str text);
