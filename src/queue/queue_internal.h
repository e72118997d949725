#pragma once
/*
 * What the files of the queue share: its state, the messages and their recipients.
 *
 * A message is in the table from the moment its ACCEPT record is appended until it is done (all
 * recipients delivered, or failed and reported) or deleted. Its recipients are gathered in items
 * (scheduler.h): those that go to the same destination.
 */
#include "core/loop.h"
#include "queue/limits.h"
#include "queue/queue.h"
#include "queue/rules.h"
#include "queue/text_file.h"
#include "queue/transport.h"

/* A copy of the settings: jobs keep theirs while a reload makes new ones. */
struct queue_config {
    unsigned references;
    struct queue_settings settings;
    struct pacing destination_rate, source_rate; /* only the rates */
    struct tls_context *tls;                     /* a reference; may be NULL */
    struct queue_rules *rules;                   /* a reference; NULL: none */
    struct arena *strings;
};
struct queue_config *queue_config_new(const struct queue_settings *s, struct tls_context *tls,
                                      struct queue_rules *rules);
struct queue_config *queue_config_ref(struct queue_config *c);
void queue_config_unref(struct queue_config *c);

/* What has to be done for a recipient. */
enum recipient_kind {
    RECIPIENT_REMOTE,    /* address: sent to another server */
    RECIPIENT_ACCOUNT,   /* address: login of an account that could not take it at first */
    RECIPIENT_UNROUTED,  /* address: the directory could not answer where it goes */
    RECIPIENT_RELAY,     /* address: in a relay domain of ours, sent to the domain's server */
    RECIPIENT_HOST,      /* address: login of an account whose mailbox another server of ours has,
                            which is recipient_host() */
    RECIPIENT_POSTPONED, /* address: login of an account that took no mail at first; its forwards
                            are still to be asked for */
    RECIPIENT_PUBLIC,    /* address: ":public:NAME", a public mailbox that could not take it at
                            first */
};
enum recipient_state {
    RECIPIENT_WAITING,
    RECIPIENT_SENDING, /* only in memory */
    RECIPIENT_DELIVERED,
    RECIPIENT_FAILED,
};

static inline bool recipient_kind_is_remote(uint8_t kind)
{
    return kind == RECIPIENT_REMOTE || kind == RECIPIENT_RELAY || kind == RECIPIENT_HOST;
}

/* What the sender is to be told of a recipient that is RECIPIENT_DELIVERED (RFC 3461 5.2, RFC 2852
 * 4.1.4). */
enum recipient_success {
    SUCCESS_SILENT,
    SUCCESS_DELIVERED, /* into the mailbox */
    SUCCESS_RELAYED,   /* to a server that will not tell */
    SUCCESS_EXPANDED,  /* the address was a list: an entry for this report alone */
};

struct queue_item;

/* There may be a million of them. What it says in words is asked with the functions of
 * recipient_words.h. */
struct queue_recipient {
    const char *words;       /* its addresses, in the message's memory */
    struct said_words *said; /* in its last attempt, shared; NULL: nothing */
    usec next_attempt;       /* wall clock; 0: now */
    uint32_t attempts : 24;
    bool changed : 1;       /* the state log does not have its state */
    bool reported : 1;      /* its end is known to the sender, or need not be, or cannot be */
    bool own_original : 1;  /* the words: another address led to it */
    bool has_requested : 1; /* the words: ORCPT */
    bool has_detail : 1;    /* the words: of a plus-address */
    uint8_t kind;           /* enum recipient_kind */
    uint8_t state;          /* enum recipient_state */
    uint8_t notify;         /* enum dsn_notify */
    uint8_t success;        /* enum recipient_success */
};
_Static_assert(sizeof(struct queue_recipient) == 32, "a million of them");

/* Why a message is on hold. */
enum hold_reason {
    HOLD_OPERATOR, /* somebody wanted it */
    HOLD_DAMAGED,  /* its text cannot be read */
    HOLD_CRASHED,  /* the server crashed with it, more than once */
    HOLD_REASONS
};

/* Links of a circular list with a head; zeroed is not valid, see link_init. */
struct link {
    struct link *next, *previous;
};

struct queue_message {
    char id[ID_SIZE]; /* first: the table compares by it */
    struct queue *queue;
    struct queue_message *next, *previous; /* all messages, oldest first */
    char *strings;                         /* owned: of sender, login, component and options */
    struct str sender, login;
    const char *component;
    /* Its text: in memory, or to be had with message_open_text. */
    struct str prefix; /* owned */
    struct spool *body;
    uint64_t body_size;
    struct text_place place; /* of prefix and small body; nowhere: in memory */
    usec arrival;            /* wall clock */
    bool smtputf8, body_8bit;
    struct envelope_options options;
    bool warned;         /* the sender was told of the delay */
    bool told_late;      /* the sender was told that deliver_by has passed */
    bool fresh;          /* its text is in memory: `dirty` is in queue->fresh */
    bool stored;         /* the state log has it; only changes are to be written */
    bool in_log;         /* the state log has it, or had */
    bool old_file;       /* spool_dir has an envelope file of an older version */
    bool body_in_file;   /* large: the body is a file of its own */
    bool body_missing;   /* its file is not there or of another size; between open and start only */
    bool on_hold;        /* it has no items until an operator releases it */
    uint8_t hold_reason; /* enum hold_reason */
    bool notice;         /* to our postmaster: its failure is nobody's but the log's */
    bool copied;         /* its hidden copies were made */
    bool unscheduled;    /* from before the start, and not looked at yet */
    bool done;           /* its DONE record is written */
    bool deleted;        /* out of the table; freed when the last delivery lets go */
    uint64_t size_crlf;
    lsn accept_lsn;
    struct link dirty; /* in queue->dirty when the state log has to hear of it */
    struct link held;  /* in queue->held while its sender wants it to wait, and maybe longer */
    unsigned active;   /* items that are ready or being sent */
    unsigned holds;    /* fibers that use it */
    bool settling, settle_again;
    struct attempt_list *attempts; /* attempts.h */
    struct queue_item *items;
    struct queue_recipient *recipients; /* with their words behind them */
    size_t recipient_count;
    char *words_end; /* of what is used of the room for them */
};

/* What queue_files_load found; until queue_start. */
struct body_found {
    char id[ID_SIZE];
    uint64_t size;
};
struct startup {
    struct body_found *bodies; /* sorted by id */
    size_t body_count;
    struct buf damaged; /* ids (ID_SIZE bytes each) of envelope files that cannot be read */
};

/* What is left of a message that is done, until a checkpoint that covers its DONE record. */
struct queue_removal {
    struct queue_removal *next;
    char id[ID_SIZE];
    bool in_log, old_file, body_in_file;
    struct text_place place;
    lsn done_lsn;
};

struct pause;
struct statistics;
struct scheduler;
struct probe_job;
struct verify;

struct queue {
    struct queue_context context;
    struct queue_config *config;
    struct queue_rules *rules; /* of the next configuration; NULL: none */
    struct srs_keys *srs;      /* NULL: senders are not rewritten */
    void *by_id;               /* tsearch tree of struct queue_message */
    void *said;                /* tsearch tree of struct said_words */
    struct queue_message *first, *last;
    struct walk *walks; /* under way, over the messages */
    size_t message_count, recipient_count;
    uint64_t bytes; /* of all messages */
    size_t memory;  /* that they take */
    struct statistics *statistics;
    struct {
        usec hour; /* wall clock */
        unsigned sent, passed_over;
    } double_bounces;
    struct pause *pause; /* what operators have stopped */
    struct link dirty, fresh, held;
    struct text_files texts;
    struct state_log *state;
    struct buf old_envelopes; /* ids (ID_SIZE bytes): files of older versions, in the log by now */
    lsn old_envelopes_after;
    size_t texts_in_memory; /* bytes */
    struct cond text_room;  /* they became less */
    usec texts_retry;       /* monotonic: not before */
    bool writing_texts;     /* by a fiber of their own */
    bool files_locked;
    struct cond files_unlocked;
    struct queue_removal *removals, **removals_end;
    struct scheduler *scheduler;
    struct startup startup;
    SUSPENDS void (*deliver)(void *arg, struct transport_job *job);
    void *deliver_arg;
    SUSPENDS void (*probe)(void *arg, struct probe_job *job); /* NULL: nobody can be asked */
    void *probe_arg;
    struct verify *verify; /* NULL: recipients of relay domains are not verified */
    bool started, stopping;
    struct queue_stats stats;
};

static inline void link_init(struct link *l)
{
    l->next = l->previous = l;
}

static inline bool link_is_empty(const struct link *l)
{
    return l->next == l;
}

static inline void link_remove(struct link *l)
{
    l->next->previous = l->previous;
    l->previous->next = l->next;
    link_init(l);
}

/* All of `from` behind what is in `head`; `from` is empty then. */
static inline void link_append_all(struct link *head, struct link *from)
{
    if (link_is_empty(from))
        return;
    from->next->previous = head->previous;
    head->previous->next = from->next;
    from->previous->next = head;
    head->previous = from->previous;
    link_init(from);
}

static inline void link_append(struct link *head, struct link *l)
{
    l->previous = head->previous;
    l->next = head;
    head->previous->next = l;
    head->previous = l;
}
