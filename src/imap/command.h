#pragma once
/*
 * A command: its arguments, its arena and its result. The functions of the commands (one file per
 * family, cmd_*.c) take their arguments with imap_take_*, do what they do, and set the result; the
 * tagged line is written when they have returned and the selected mailbox has been synchronised.
 */
#include "imap/number_set.h"
#include "imap/parser.h"
#include "imap/selected.h"
#include "imap/session.h"

enum imap_status {
    IMAP_PENDING,
    IMAP_OK,
    IMAP_NO,
    IMAP_BAD,
    IMAP_LATER, /* no tagged line now (IDLE) */
};

struct imap_command {
    struct imap_session *session;
    struct arena *arena;
    const struct imap_command_entry *entry;
    struct str tag;
    bool uid;                   /* UID FETCH ... */
    bool by_number;             /* but there are sequence numbers among its arguments */
    struct imap_argument *next; /* first argument not taken yet */
    enum imap_status status;
    struct str text; /* of the tagged line, with its response code */
    /* Runs when the tagged line has been sent; NULL: nothing. */
    void (*after)(struct imap_session *s);
    struct imap_known known; /* flag changes that the client knows already */
    uint32_t
        lowest_done; /* 0, or: the message limit was reached, and this is the lowest UID done */
    void *data;      /* the command's own, between its literal and its run */
    usec slice;      /* when it last let others run */
    usec told;       /* when the client last heard of its progress */
};

/* When a command is allowed. */
enum imap_state {
    IMAP_ANONYMOUS = 1,
    IMAP_AUTHENTICATED = 2,
    IMAP_SELECTED = 4,
    IMAP_LOGGED_IN = IMAP_AUTHENTICATED | IMAP_SELECTED,
    IMAP_ANY = IMAP_ANONYMOUS | IMAP_LOGGED_IN,
};

enum imap_command_flag {
    IMAP_HAS_UID = 1,      /* there is a UID form */
    IMAP_ONLY_UID = 2,     /* in addition: a set of UIDs follows in that form only */
    IMAP_NO_EXPUNGE = 4,   /* without UID no EXPUNGE may be told during it (RFC 3501 7.4.1) */
    IMAP_SECTIONS = 8,     /* BODY[...] in its arguments */
    IMAP_NO_SYNC = 16,     /* says nothing of the selected mailbox */
    IMAP_NEEDS_WRITE = 32, /* not in a mailbox opened with EXAMINE */
    IMAP_BY_NUMBER = 64,   /* without UID it is about sequence numbers (RFC 9586) */
};

/* What becomes of a literal of `size` bytes. */
enum imap_literal_use { IMAP_LITERAL_MEMORY, IMAP_LITERAL_SPOOL, IMAP_LITERAL_REFUSED };

struct imap_command_entry {
    const char *name;
    unsigned states, flags;
    SUSPENDS void (*run)(struct imap_command *c);
    /* NULL: literals go to memory. Sees the arguments before the literal; REFUSED: the result is
     * set. */
    SUSPENDS enum imap_literal_use (*literal)(struct imap_command *c,
                                              const struct imap_argument *arguments, uint64_t size);
};

/* The table (imap/command_table.c); NULL: no such command. */
const struct imap_command_entry *imap_command_find(struct str name);

/* Reads one command, runs it and answers. */
SUSPENDS void imap_command_process(struct imap_session *s);
/* Reads the command with its literals (imap/reader.c). False: the connection is over. When the
 * command cannot run, its result is set. */
SUSPENDS bool imap_command_read(struct imap_command *c);

/* --- results; the first one stands --- */

void imap_ok(struct imap_command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void imap_no(struct imap_command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void imap_bad(struct imap_command *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* From an error: the one place where kinds become response codes (RFC 5530). `create`: a mailbox
 * that does not exist could be created (TRYCREATE). Disk failures are logged here. */
void imap_fail(struct imap_command *c, const struct err *e, bool create);

/* Lets others run when it has computed for a while. False: the session is over, return. */
SUSPENDS bool imap_breathe(struct imap_command *c);
/* The same between responses, and now and then the client hears how far it is (RFC 9585): `done` of
 * `total`, which do not go back. */
SUSPENDS bool imap_progress(struct imap_command *c, uint64_t done, uint64_t total);

/* --- the limit of messages (imap/message_limit.c) --- */

/* Of `count` ascending UIDs, how many at the start are not done. */
size_t imap_limit_skip(struct imap_command *c, const uint32_t *uids, size_t count);
/* The same for positions in the selected mailbox, which are cut. */
void imap_limit_positions(struct imap_command *c, struct number_set *positions);
/* True: the result is set. */
bool imap_limit_refuse(struct imap_command *c, size_t count);
/* Adds to the answer that there are more. */
SUSPENDS void imap_limit_tell(struct imap_command *c);

/* --- arguments; false: the result is set --- */

struct imap_argument *imap_take(struct imap_command *c, const char *what);
bool imap_take_astring(struct imap_command *c, const char *what, struct str *s);
bool imap_take_atom(struct imap_command *c, const char *what, struct str *s);
/* In UTF-8, INBOX in capitals. */
bool imap_take_mailbox(struct imap_command *c, struct str *name);
/* The same of a name that was taken already, as the wire has it. */
bool imap_read_mailbox(struct imap_command *c, struct str wire, struct str *name);
bool imap_take_set(struct imap_command *c, struct number_set *set);
/* A mod-sequence: a number of 63 bits (RFC 7162 section 7); at: may be NULL. */
bool imap_argument_modseq(struct imap_command *c, const struct imap_argument *at, uint64_t *n);
bool imap_take_end(struct imap_command *c);
/* The arguments of SEARCH, to the end (imap/cmd_search.c): for tests. */
struct search_program;
bool imap_take_search(struct imap_command *c, struct search_program *program);
void imap_expected(struct imap_command *c, const struct imap_argument *at, const char *what);
/* A mailbox name as the wire has it, quoted; naming: imap_session_naming. */
void imap_write_mailbox(struct buf *out, struct str name, struct wire_naming naming);
/* Without quotes. False: the name cannot be written. */
bool imap_add_mailbox(struct buf *out, struct str name, struct wire_naming naming);
/* A string as quoted string, or as literal if it cannot be one. */
void imap_write_string(struct buf *out, struct str s);

/* Switches extensions on (enum imap_enabled). If CONDSTORE is new and a mailbox is selected, the
 * client is told HIGHESTMODSEQ: call it before the command says anything else. (imap/cmd_enable.c)
 */
SUSPENDS void imap_enable(struct imap_session *s, unsigned what);

/* --- SELECT (... (QRESYNC (...))), imap/select_parameters.c --- */

struct select_parameters {
    bool condstore, qresync;
    /* of QRESYNC */
    uint32_t uid_validity;
    uint64_t modseq;
    bool has_uids;
    struct number_set uids;    /* known to the client */
    struct number_set numbers; /* sequence numbers, and as many UIDs, as they were known */
    struct number_set number_uids;
};
/* The list of parameters, if there is one. False: the result is set. */
bool imap_take_select_parameters(struct imap_command *c, struct select_parameters *p);
/* What has changed since the client was here, when the mailbox has been selected. */
SUSPENDS void imap_select_resynchronise(struct imap_command *c, struct select_parameters *p);

/* --- IDLE, run by the session while it is parked in it (imap/cmd_idle.c) --- */

SUSPENDS void imap_idle_input(struct imap_session *s);

/* --- the commands --- */

void imap_cmd_capability(struct imap_command *c);
void imap_cmd_noop(struct imap_command *c);
void imap_cmd_logout(struct imap_command *c);
void imap_cmd_id(struct imap_command *c);
void imap_cmd_enable(struct imap_command *c);
void imap_cmd_compress(struct imap_command *c);
void imap_cmd_starttls(struct imap_command *c);
void imap_cmd_login(struct imap_command *c);
void imap_cmd_unauthenticate(struct imap_command *c);
void imap_cmd_authenticate(struct imap_command *c);
void imap_cmd_select(struct imap_command *c);
void imap_cmd_examine(struct imap_command *c);
void imap_cmd_check(struct imap_command *c);
void imap_cmd_close(struct imap_command *c);
void imap_cmd_unselect(struct imap_command *c);
void imap_cmd_create(struct imap_command *c);
void imap_cmd_delete(struct imap_command *c);
void imap_cmd_rename(struct imap_command *c);
void imap_cmd_subscribe(struct imap_command *c);
void imap_cmd_unsubscribe(struct imap_command *c);
void imap_cmd_list(struct imap_command *c);
void imap_cmd_lsub(struct imap_command *c);
void imap_cmd_namespace(struct imap_command *c);
void imap_cmd_status(struct imap_command *c);
void imap_cmd_notify(struct imap_command *c);
void imap_cmd_myrights(struct imap_command *c);
void imap_cmd_getacl(struct imap_command *c);
void imap_cmd_setacl(struct imap_command *c);
void imap_cmd_deleteacl(struct imap_command *c);
void imap_cmd_listrights(struct imap_command *c);
void imap_cmd_getmetadata(struct imap_command *c);
void imap_cmd_setmetadata(struct imap_command *c);
void imap_cmd_getquota(struct imap_command *c);
void imap_cmd_getquotaroot(struct imap_command *c);
void imap_cmd_setquota(struct imap_command *c);
void imap_cmd_append(struct imap_command *c);
enum imap_literal_use imap_append_literal(struct imap_command *c,
                                          const struct imap_argument *arguments, uint64_t size);
void imap_cmd_replace(struct imap_command *c);
enum imap_literal_use imap_replace_literal(struct imap_command *c,
                                           const struct imap_argument *arguments, uint64_t size);
void imap_cmd_idle(struct imap_command *c);
void imap_cmd_fetch(struct imap_command *c);
void imap_cmd_search(struct imap_command *c);
void imap_cmd_esearch(struct imap_command *c);
void imap_cmd_cancelupdate(struct imap_command *c);
void imap_cmd_sort(struct imap_command *c);
void imap_cmd_thread(struct imap_command *c);
void imap_cmd_store(struct imap_command *c);
void imap_cmd_copy(struct imap_command *c);
void imap_cmd_move(struct imap_command *c);
void imap_cmd_expunge(struct imap_command *c);
