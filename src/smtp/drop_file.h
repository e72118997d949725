#pragma once
/*
 * The file in which a local program leaves a message when the server does not answer: sendmail
 * writes it (mailctl/sendmail_drop.c), the server picks it up (pickup.h). It comes from any
 * user of the machine, so every byte is checked like input from the network.
 *
 *     "maildrop1\n"
 *     u32 size of the envelope, u64 size of the message
 *     envelope: u8 return, counted envelope id, counted sender,
 *               u32 recipients, for each: counted address, u32 notify
 *     message as the program gave it: lines end in LF or CRLF
 *
 * Numbers are little-endian, counted strings as in buf.h. Addresses may lack their domain.
 *
 * The directory belongs to the server's user and has mode 3733: everybody may create files in it,
 * nobody but their owner (and the server) can remove or rename them, nobody else can list it, and
 * files get the directory's group, through which the server reads them (0640). Names tell the
 * state:
 *
 *     new.ID    being written; after a day it is rubbish
 *     drop.ID   complete and synced
 *     work.ID   being picked up        wait.ID   could not be taken yet
 *     last.ID   the server ended without notice while it had this one: tried once more
 *     damaged.ID  not of this form, or the server ended twice: stays for people to look at
 */
#include "core/arena.h"
#include "core/buf.h"

#define DROP_MAGIC          "maildrop1\n"
#define DROP_HEAD_SIZE      ((size_t)22) /* up to the envelope */
#define DROP_ENVELOPE_MAX   ((size_t)16 * 1024 * 1024)
#define DROP_RECIPIENTS_MAX 100000
/* An address as it was given, and an envelope id (RFC 3461 4.4). */
#define DROP_ADDRESS_MAX     ((size_t)1024)
#define DROP_ENVELOPE_ID_MAX ((size_t)100)
/* What sendmail leaves of the file system for others: bytes, and names. Nobody can count the files
 * of a user but the server, and that is down. */
#define DROP_SPACE_RESERVE  ((uint64_t)64 * 1024 * 1024)
#define DROP_INODES_RESERVE ((uint64_t)1000)
/* Files of one look, and files that are kept for people to look at; more are removed. */
#define DROP_LOOK_MAX    1000
#define DROP_DAMAGED_MAX 1000
#define DROP_DIR_MODE    03733
#define DROP_FILE_MODE   0640

struct drop_recipient {
    struct str address;
    unsigned notify; /* enum dsn_notify */
};

struct drop {
    struct str sender, envelope_id;
    unsigned dsn_return; /* enum dsn_return */
    struct drop_recipient *recipients;
    size_t recipient_count;
    uint64_t message_size;
    size_t message_offset; /* when read: where the message begins */
};

/* Printable ASCII, not too long. */
bool drop_envelope_id_is_valid(struct str id);
/* Everything in front of the message. */
void drop_write_head(struct buf *out, const struct drop *d);
/* Reads the first DROP_HEAD_SIZE bytes: sets message_offset and message_size. */
bool drop_read_head(struct str bytes, struct drop *d);
/* Reads the envelope that follows; strings in a, without control characters and within the limits.
 */
bool drop_read_envelope(struct arena *a, struct str bytes, struct drop *d);
