#pragma once
/*
 * Three structs by lifetime: the session (the connection), the user it belongs to after the login
 * with the selected mailbox (selected.h), and the command (command.h). A session that is parked
 * before its login is this struct and its stream, nothing else.
 */
#include "core/buf.h"
#include "imap/imap.h"
#include "imap/wire_name.h"
#include "net/session.h"
#include "store/action_log.h"

struct imap_selected;
struct imap_notify;

/* From the login to the end. */
struct imap_user {
    struct arena *arena;
    struct account account;
    const char *login;
    uint64_t fetched, appended, copied, expunged; /* messages, for the log */
};

/* What the client has switched on, with ENABLE (RFC 5161) or by using it. */
enum imap_enabled {
    ENABLED_CONDSTORE = 1, /* MODSEQ is told (RFC 7162) */
    ENABLED_QRESYNC = 2,   /* VANISHED instead of EXPUNGE (RFC 7162); CONDSTORE with it */
    ENABLED_UTF8 = 4,      /* UTF8=ACCEPT (RFC 9755) */
    ENABLED_REV2 = 8,      /* IMAP4rev2 (RFC 9051): no \Recent, ESEARCH */
    ENABLED_UIDONLY = 16,  /* UIDs instead of sequence numbers (RFC 9586) */
    ENABLED_METADATA = 32, /* METADATA without asking (RFC 5464) */
};

struct imap_session {
    struct session net;
    struct imap_context *context;
    const struct imap_settings *settings;
    struct imap_user *user;         /* NULL before the login */
    struct imap_selected *selected; /* NULL: none */
    struct imap_notify *notify;     /* NULL: nothing but the selected mailbox is watched */
    char *idle_tag;                 /* of the IDLE command that runs; NULL: none */
    uint64_t bytes_in, bytes_out;
    uint32_t commands;
    uint8_t bad_count; /* malformed commands in a row */
    uint8_t login_failures;
    uint8_t enabled;           /* enum imap_enabled */
    uint8_t workarounds;       /* enum imap_workaround: what holds now */
    uint8_t workarounds_by_id; /* for the client that says it is one */
    bool identified;           /* its ID has been logged */
    bool told_hidden;          /* the log says that the public namespace hides a mailbox */
    bool in_literal;           /* half a response is out: nothing else may be said */
    uint8_t pieces_taken;      /* of large literals in a row, without making us wait long: up to
                                  IMAP_FAST_PIECES, and they are large then */
};

/* Quoted strings and mailbox names in UTF-8, both ways. */
static inline bool imap_session_utf8(const struct imap_session *s)
{
    return s->enabled & (ENABLED_UTF8 | ENABLED_REV2);
}

/* What mailboxes are called on the wire. */
static inline struct wire_naming imap_session_naming(const struct imap_session *s)
{
    const struct imap_settings *set = s->settings;
    return (struct wire_naming){.utf8 = imap_session_utf8(s),
                                .dots = set->separator[0] == '.',
                                .below_inbox = set->below_inbox,
                                .public = str_from_c(set->public_namespace)};
}

/* Appends to the stream; after a failure nothing happens any more and the session ends. */
SUSPENDS void imap_write(struct imap_session *s, struct str bytes);
SUSPENDS void imap_writef(struct imap_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct auth_peer imap_session_peer(const struct imap_session *s);
/* After authentication: takes copies of the account. ERR_LIMIT: it has too many sessions. */
bool imap_session_login(struct imap_session *s, const struct account *account,
                        const char *mechanism, struct err *e);
/* The session is nobody's again, as after the greeting: nothing selected, enabled, watched or
 * compressed (RFC 8437). What is to be said has been flushed. */
void imap_session_logout(struct imap_session *s);

/* Who acts, in the log of actions. */
struct actor imap_session_actor(const struct imap_session *s);

/* The login or the ID changed. */
void imap_session_choose_workarounds(struct imap_session *s);

/* The capability list that holds at this moment, appended (imap/capability.c). */
void imap_write_capabilities(struct buf *out, const struct imap_session *s);
