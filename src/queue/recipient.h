#pragma once
/*
 * What somebody hears who names a recipient: the one place that decides it, for RCPT, VRFY, EXPN
 * and operators. It is the answer that the delivery of a message would give now.
 */
#include "queue/verify.h"

/* Who asks, for what. */
struct recipient_question {
    struct str address;  /* as address_text() makes it: "local@domain", or "postmaster" */
    struct str sender;   /* of the envelope; "" : the null sender */
    bool sender_unknown; /* nobody has named one: VRFY, operators */
    uint64_t size;       /* of the message, as announced; 0: not known */
    bool trusted;        /* logged in, or of a trusted network: may write to internal addresses */
    bool may_relay;      /* may send to domains that are not ours */
    bool ask_anew;       /* nothing that is remembered of a relay domain's recipients counts */
    usec verify_until;   /* its server is not waited for any longer (monotonic); 0: no limit but the
                            settings' */
};

enum recipient_fate {
    FATE_ACCEPT,
    FATE_REFUSE, /* for good: 5xx */
    FATE_LATER,  /* 4xx */
};

struct recipient_answer {
    enum recipient_fate fate;
    /* The address was found, here or by asking its own server: VRFY says 250, and 252 when the
     * mail would be taken without knowing more. */
    bool certain;
    int code;             /* reply: 250 */
    const char *enhanced; /* "2.1.5" */
    struct str text;      /* "Ok", "no such user"; printable, one line */
    struct str reason;    /* why not, for the log: may tell more than the client hears */
    const struct verify_answer *verified; /* NULL: its server was not asked */
    struct route *route; /* for the envelope; its targets are what EXPN tells. Never NULL */
};

/* All in a. */
SUSPENDS void recipient_check(struct queue *q, const struct recipient_question *question,
                              struct arena *a, struct recipient_answer *answer);

/* The same in two halves, for who has questions of his own between: what is known here; and if that
 * is a yes, what the server of a relay domain says, which may take a while. */
SUSPENDS void recipient_check_here(struct queue *q, const struct recipient_question *question,
                                   struct arena *a, struct recipient_answer *answer);
SUSPENDS void recipient_check_there(struct queue *q, const struct recipient_question *question,
                                    struct arena *a, struct recipient_answer *answer);

/* Between the two halves: begins the question to the server of a relay domain, so that it may be
 * asked for several recipients at a time. True: it will be waited for. */
bool recipient_ask_there(struct queue *q, const struct recipient_answer *answer);
/* The same for an address that may be named soon ("local@domain"), if it is of the same domain. */
void recipient_expect(struct queue *q, const struct recipient_answer *like, struct str address);

/* Of an accepted route: would any of its targets take a message of so many bytes (0: not known)
 * now? False: the mailboxes are full (ERR_QUOTA or ERR_QUOTA_NOW, as delivery would say), or it
 * cannot be found out. The others of a list get theirs, and the sender a report. */
SUSPENDS bool recipient_has_room(struct queue *q, const struct route *route, uint64_t size,
                                 struct err *e);
