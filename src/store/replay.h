#pragma once
/*
 * Parts of the replay. Functions that read a record leave reader->bad set when it is malformed.
 */
#include "store/store_internal.h"

/* The mailbox with the record's GUID, with a reference; NULL when there is none. */
SUSPENDS struct mailbox *replay_find(struct store *s, const struct record_mailbox *r);
/* Keeps a delivery back whose mailbox is nowhere. */
void replay_defer(struct store *s, const struct record_mailbox *rm,
                  const struct journal_record *record, size_t target);

/* only: one target, or SET_ASIDE_WHOLE. */
SUSPENDS bool replay_deliver(struct store *s, const struct journal_record *record, uint32_t only,
                             struct reader *r, struct arena *a, struct err *e);
/* One target of a delivery, into the mailbox of that name, made if need be. */
SUSPENDS bool replay_deliver_by_name(struct store *s, const struct journal_record *record,
                                     size_t target, struct arena *a, struct err *e);
/* INBOX of accounts as they were made; and the home of one. */
SUSPENDS bool replay_inboxes(struct store *s, const struct journal_record *record, uint32_t only,
                             struct reader *r, struct err *e);
bool replay_inbox_home(const struct journal_record *record, uint32_t target, struct str *home);
/* The file in the spool directory that a delivery needs, or "". */
struct str replay_spool_file(const struct journal_record *record);
/* The home of a delivery's target. */
bool replay_delivery_home(const struct journal_record *record, uint32_t target, struct str *home);
/* version: of the record. */
SUSPENDS bool replay_copy(struct store *s, lsn position, struct reader *r, unsigned version,
                          struct arena *a, struct err *e);
/* A COPY that was begun has no further records: it did not happen. */
void replay_forget_copy(struct store *s);
SUSPENDS void replay_foreign(struct store *s, struct reader *r, struct arena *a);

/* A RECORD_GROUP: what belongs to it is kept back. */
void replay_group_begin(struct store *s, lsn position, struct reader *r);
/* False: the record belongs to no group. True: it was kept, or, being the last, all of them were
 * applied; *ok is false when that failed. */
SUSPENDS bool replay_group_take(struct store *s, const struct journal_record *record, bool *ok,
                                struct err *e);
/* The end of the journal: a group that is not complete did not happen. */
void replay_group_forget(struct store *s);
/* One record that is not (or no longer) part of a group. */
SUSPENDS bool replay_record(struct store *s, const struct journal_record *record, struct err *e);
/* The same for one target of a delivery, or one account of RECORD_INBOXES; SET_ASIDE_WHOLE: for all
 * of it. */
SUSPENDS bool replay_record_target(struct store *s, const struct journal_record *record,
                                   uint32_t target, struct err *e);
/* Whose record it is; of a delivery, whose the target is. Returns how many. */
size_t replay_homes(const struct journal_record *record, uint32_t target, struct str homes[2]);
/* A modseq of a record; one of version 1 gets the next. */
uint64_t replay_modseq(const struct mailbox *m, unsigned version, uint64_t modseq);

bool replay_has_size(const char *path, uint64_t size);
/* Finds a file without UID by its base name and takes it out of the unknown ones; or NULL. */
struct message_file *replay_take_unknown(struct mailbox *m, struct str base);
/* Puts a message into the mailbox and its list. */
void replay_add_message(struct mailbox *m, struct message *message);

/* --- replay_state.c --- */

/* Must a record with that modseq, which speaks of the message, be applied to it? */
bool replay_applies(const struct mailbox *m, struct message *message, uint64_t modseq);
/* A message that is not there and of which such a record says that it came: it is gone by now. */
bool replay_was_expunged(const struct mailbox *m, unsigned version, uint64_t modseq);
/* When all records are through. */
void replay_settle(struct mailbox *m);
