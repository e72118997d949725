#pragma once
/*
 * The life of a client's connection, the same for every protocol. A fiber runs the session as long
 * as there is work: commands that have arrived, news from elsewhere, a time-out. Then everything
 * written goes out at once and the session is parked, without a stack, until its stream, somebody
 * else or the clock wakes it.
 *
 * Who wakes it leaves a bit; the fiber takes the bits, so whatever happens while it works is done
 * before it parks again. A session whose peer closes while it is parked ends without a fiber.
 *
 * A protocol embeds a struct session as the first member of its own and says with a struct
 * session_protocol what it does at each turn of this life.
 */
#include "core/random.h"
#include "core/session_list.h"
#include "net/service.h"
#include "net/stream.h"

enum session_event {
    SESSION_INPUT = 1, /* bytes are buffered, or can be read */
    SESSION_TIMEOUT = 2,
    SESSION_NEWS = 4, /* session_wake */
};

/* Why a session gets a last line that it did not ask for. */
enum session_farewell {
    FAREWELL_REFUSED, /* at once: too many connections; nothing has been said yet */
    FAREWELL_BUSY,    /* no fiber is free, or others come first */
    FAREWELL_KICKED,  /* by an administrator, or the server stops */
};

struct session {
    struct session_entry entry;
    const struct session_protocol *protocol;
    struct loop *loop;
    struct session_list *list;
    struct service *service;
    struct stream *stream;
    struct fiber *fiber; /* NULL: parked */
    usec parked;         /* when it was, last */
    const char *ended;   /* why the session is over (a constant); NULL while it is not */
    char id[ID_SIZE];
    uint8_t events; /* enum session_event */
    bool greeted;
    bool early;  /* bytes came before the greeting was due */
    bool broken; /* the stream failed: nothing can be written any more */
};

struct session_protocol {
    struct session_kind kind; /* {component, session_kick, session_idle_since} */
    /* How long the client must be silent before it is greeted: the session is parked meanwhile. 0,
     * or a NULL function: not at all. Not asked where TLS comes first. */
    usec (*silence)(const struct session *s);
    /* First of all, after TLS where that is implicit. */
    SUSPENDS void (*greet)(struct session *s);
    /* events: enum session_event, at least one. May do a part only: it is called again as long as
     * input is buffered. Ends the session with session_end. */
    SUSPENDS void (*work)(struct session *s, unsigned events);
    /* How long it may be parked now. */
    usec (*timeout)(const struct session *s);
    /* What it is while it is parked, for `mailctl who`; may be NULL. */
    const char *(*state)(const struct session *s);
    /* A last line with stream_write_now, unless it would disturb what is being said. The stream has
     * not failed, and TLS stands if it has to. */
    void (*farewell)(struct session *s, enum session_farewell why, const char *text);
    /* The end: writes the log line, gives back what the protocol holds, frees the struct. The
     * stream still exists; everything of struct session itself is given back around it. */
    void (*finish)(struct session *s);
};

/* Takes over service and stream; `s` is zeroed but for what the protocol has set. Whatever happens,
 * protocol->finish is called in the end, perhaps in this call. What comes is taken for secret
 * (stream_expect_secrets) until the protocol says otherwise. */
void session_accept(struct session *s, const struct session_protocol *protocol, struct loop *loop,
                    struct session_list *list, struct service *service, struct stream *stream);
/* From elsewhere on the loop: a parked session goes to work in this turn. */
void session_wake(struct session *s);
/* It ends when the present work returns. The first reason stands; a constant. */
void session_end(struct session *s, const char *reason);
/* The same after the stream failed with *e. */
void session_end_failed(struct session *s, const struct err *e);
/* Sends what is buffered. False: the session is over. */
SUSPENDS bool session_flush(struct session *s);

/* stream_read_line; replies leave before the rest of a line that has come half is waited for. */
SUSPENDS bool session_read_line(struct session *s, size_t max, struct str *line, bool *crlf,
                                struct err *e);

/* Ends it soon, with protocol->farewell; a parked session is gone when this returns. */
void session_kick(struct session_entry *entry, const char *reason);
usec session_idle_since(const struct session_entry *entry);
/* Stops at once: no byte is written or read any more. */
void session_abort(struct session *s, const char *reason);
/* Has it TLS, or may it do without? */
bool session_is_secure(const struct session *s);
