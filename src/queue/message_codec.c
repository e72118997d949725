/*
 * The binary form of a message's envelope: in ACCEPT records of the journal as it was accepted, in
 * the state log as it is at a checkpoint. Little-endian, strings with their length in front, so
 * nothing in an address can be taken for structure. A new form gets a new version; older ones stay
 * readable.
 *
 * Versions: 2 brought the options of the envelope, and notify, success and requested of recipients;
 * 3 the reason of a hold; 4 the last attempts, and when a recipient was tried; 5 public mailboxes
 * and what stood behind the separator of plus-addresses.
 *
 * An envelope file, which versions 1 and 2 wrote, is: magic, version, checksum of all that follows,
 * envelope.
 */
#include "queue/message_codec.h"

#include "core/mem.h"
#include "queue/attempts.h"

#define ENVELOPE_MAGIC 0x4551444du /* "MDQE" */

enum encoded_flags {
    FLAG_SMTPUTF8 = 1,
    FLAG_BODY_8BIT = 2,
    FLAG_WARNED = 4,
    FLAG_BODY_IN_FILE = 8,
    FLAG_TOLD_LATE = 16,
    FLAG_ON_HOLD = 32,
    FLAG_COPIED = 64,
    FLAG_NOTICE = 128,
};

enum encoded_options {
    OPTION_REQUIRE_TLS = 1,
    OPTION_DELIVER_BY_RETURN = 2,
    OPTION_DELIVER_BY_TRACE = 4,
    OPTION_TLS_OPTIONAL = 8,
};

static unsigned message_flags(const struct queue_message *m)
{
    return (m->smtputf8 ? FLAG_SMTPUTF8 : 0u) | (m->body_8bit ? FLAG_BODY_8BIT : 0u) |
           (m->warned ? FLAG_WARNED : 0u) | (m->body_in_file ? FLAG_BODY_IN_FILE : 0u) |
           (m->told_late ? FLAG_TOLD_LATE : 0u) | (m->on_hold ? FLAG_ON_HOLD : 0u) |
           (m->copied ? FLAG_COPIED : 0u) | (m->notice ? FLAG_NOTICE : 0u);
}

static void encode_options(struct buf *out, const struct envelope_options *o)
{
    buf_add_u8(out, (o->require_tls ? OPTION_REQUIRE_TLS : 0) |
                        (o->deliver_by_return ? OPTION_DELIVER_BY_RETURN : 0) |
                        (o->deliver_by_trace ? OPTION_DELIVER_BY_TRACE : 0) |
                        (o->tls_optional ? OPTION_TLS_OPTIONAL : 0));
    buf_add_u8(out, (uint8_t)o->dsn_return);
    buf_add_u8(out, (uint8_t)(int8_t)o->priority);
    buf_add_u64(out, (uint64_t)o->hold_until);
    buf_add_u64(out, (uint64_t)o->deliver_by);
    buf_add_counted(out, o->envelope_id);
    buf_add_counted(out, o->hold_request);
}

/* Strings stay in the input. */
static bool decode_options(struct reader *in, struct envelope_options *o)
{
    unsigned flags = read_u8(in), dsn_return = read_u8(in);
    o->require_tls = flags & OPTION_REQUIRE_TLS;
    o->deliver_by_return = flags & OPTION_DELIVER_BY_RETURN;
    o->deliver_by_trace = flags & OPTION_DELIVER_BY_TRACE;
    o->tls_optional = flags & OPTION_TLS_OPTIONAL;
    o->dsn_return = (enum dsn_return)dsn_return;
    o->priority = (int8_t)read_u8(in);
    o->hold_until = (usec)read_u64(in);
    o->deliver_by = (usec)read_u64(in);
    o->envelope_id = read_counted(in);
    o->hold_request = read_counted(in);
    return !in->bad && dsn_return <= DSN_RETURN_FULL && o->priority >= -9 && o->priority <= 9;
}

static uint8_t lasting_state(const struct queue_recipient *r)
{
    return r->state == RECIPIENT_SENDING ? RECIPIENT_WAITING : r->state;
}

static void encode_recipient(struct buf *out, const struct queue_recipient *r)
{
    buf_add_u8(out, r->kind);
    buf_add_u8(out, lasting_state(r));
    buf_add_u8(out, r->reported);
    buf_add_u32(out, r->attempts);
    buf_add_u64(out, (uint64_t)r->next_attempt);
    buf_add_counted(out, recipient_address_word(r));
    buf_add_counted(out, recipient_original(r));
    buf_add_counted(out, recipient_error(r));
    buf_add_counted(out, recipient_code(r));
    buf_add_counted(out, recipient_relay(r));
    buf_add_u8(out, r->notify);
    buf_add_u8(out, r->success);
    buf_add_counted(out, recipient_requested(r));
    buf_add_counted(out, recipient_detail(r));
}

static void encode(struct buf *out, const struct queue_message *m, struct str prefix)
{
    buf_add_counted(out, str_from_c(m->id));
    buf_add_u8(out, (uint8_t)message_flags(m));
    buf_add_u64(out, (uint64_t)m->arrival);
    buf_add_u64(out, m->size_crlf);
    buf_add_u64(out, m->body_size);
    buf_add_counted(out, m->sender);
    buf_add_counted(out, m->login);
    buf_add_counted(out, str_from_c(m->component));
    buf_add_counted(out, prefix);
    encode_options(out, &m->options);
    buf_add_u8(out, m->hold_reason);
    buf_add_u32(out, (uint32_t)m->recipient_count);
    for (size_t i = 0; i < m->recipient_count; i++)
        encode_recipient(out, &m->recipients[i]);
    attempts_encode(out, m);
}

void message_encode(struct buf *out, const struct queue_message *m)
{
    encode(out, m, m->prefix);
}

void message_encode_stored(struct buf *out, const struct queue_message *m)
{
    encode(out, m, STR(""));
}

/* --- decoding --- */

/* A recipient as it is read: the words are still in the input. */
struct decoded {
    struct queue_recipient r;
    struct recipient_words words;
    struct str error, code, relay;
};

static bool decode_recipient(struct reader *in, unsigned version, struct decoded *d)
{
    struct queue_recipient *r = &d->r;
    *d = (struct decoded){.words = {.requested = STR("")}};
    r->kind = read_u8(in);
    r->state = read_u8(in);
    r->reported = read_u8(in);
    r->attempts = read_u32(in) & RECIPIENT_ATTEMPTS_MAX;
    r->next_attempt = (usec)read_u64(in);
    d->words.address = read_counted(in);
    d->words.original = read_counted(in);
    d->error = read_counted(in);
    d->code = read_counted(in);
    d->relay = read_counted(in);
    if (version >= 2) {
        r->notify = read_u8(in);
        r->success = read_u8(in);
        d->words.requested = read_counted(in);
    }
    if (version >= 5)
        d->words.detail = read_counted(in);
    return !in->bad && r->kind <= RECIPIENT_PUBLIC && r->state <= RECIPIENT_FAILED &&
           r->state != RECIPIENT_SENDING && r->success <= SUCCESS_EXPANDED &&
           d->words.address.n <= RECIPIENT_WORD_MAX && d->words.original.n <= RECIPIENT_WORD_MAX &&
           d->words.requested.n <= RECIPIENT_WORD_MAX && d->words.detail.n <= RECIPIENT_WORD_MAX;
}

/* Smallest encoded recipient: guards against a damaged count. */
#define RECIPIENT_BYTES_MIN (3 + 4 + 8 + 5 * 4)

/* Twice over the same bytes: first to see whether all is well, and how much room it takes. */
static bool decode_recipients(struct reader *in, unsigned version, struct queue_message *m,
                              uint32_t count)
{
    struct reader again = *in;
    struct decoded d;
    size_t words = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!decode_recipient(in, version, &d))
            return false;
        words += recipient_words_size(&d.words);
    }
    message_set_recipients(m, count, words);
    for (uint32_t i = 0; i < count && decode_recipient(&again, version, &d); i++) {
        m->recipients[i] = d.r;
        recipient_set_words(m, &m->recipients[i], &d.words);
        recipient_set_said(m, &m->recipients[i], d.error, d.code, d.relay);
    }
    return true;
}

static void take_flags(struct queue_message *m, unsigned flags)
{
    m->warned = flags & FLAG_WARNED;
    m->told_late = flags & FLAG_TOLD_LATE;
    m->on_hold = flags & FLAG_ON_HOLD;
}

static bool decode(struct reader *in, unsigned version, struct queue_message *m)
{
    struct str id = read_counted(in);
    if (in->bad || id.n == 0 || id.n >= sizeof(m->id) || memchr(id.p, '/', id.n) ||
        memchr(id.p, '\0', id.n))
        return false;
    memcpy(m->id, id.p, id.n);
    unsigned flags = read_u8(in);
    m->smtputf8 = flags & FLAG_SMTPUTF8;
    m->body_8bit = flags & FLAG_BODY_8BIT;
    m->body_in_file = flags & FLAG_BODY_IN_FILE;
    take_flags(m, flags);
    m->copied = flags & FLAG_COPIED;
    m->notice = flags & FLAG_NOTICE;
    m->arrival = (usec)read_u64(in);
    m->size_crlf = read_u64(in);
    m->body_size = read_u64(in);
    struct str sender = read_counted(in), login = read_counted(in), component = read_counted(in),
               prefix = read_counted(in);
    struct envelope_options options = {.dsn_return = DSN_RETURN_UNSET};
    if (in->bad || (version >= 2 && !decode_options(in, &options)))
        return false;
    m->hold_reason = version >= 3 ? read_u8(in) : HOLD_OPERATOR;
    message_set_envelope(m, sender, login, component, &options);
    m->prefix = str_from(mem_dup(prefix.p, prefix.n), prefix.n);
    uint32_t count = read_u32(in);
    return !in->bad && m->hold_reason < HOLD_REASONS && count <= in->n / RECIPIENT_BYTES_MIN &&
           decode_recipients(in, version, m, count) && (version < 4 || attempts_decode(in, m)) &&
           in->n == 0;
}

struct queue_message *message_decode(struct queue *q, struct str bytes, unsigned version)
{
    struct reader in = {.p = bytes.p, .n = bytes.n};
    struct queue_message *m = message_new(q);
    if (version >= 1 && version <= MESSAGE_VERSION && decode(&in, version, m))
        return m;
    message_free(m);
    return NULL;
}

/* --- changes --- */

void message_encode_flags(struct buf *out, const struct queue_message *m)
{
    buf_add_u8(out, (uint8_t)message_flags(m));
    buf_add_u8(out, m->hold_reason);
    buf_add_u8(out, m->options.hold_until != 0);
}

bool message_decode_flags(struct reader *in, struct queue_message *m)
{
    unsigned flags = read_u8(in), hold_reason = read_u8(in), held_by_sender = read_u8(in);
    if (in->bad || hold_reason >= HOLD_REASONS)
        return false;
    if (!m)
        return true;
    take_flags(m, flags);
    m->hold_reason = (uint8_t)hold_reason;
    if (!held_by_sender)
        message_end_sender_hold(m);
    return true;
}

void recipient_encode_change(struct buf *out, const struct queue_message *m,
                             const struct queue_recipient *r)
{
    buf_add_u8(out, lasting_state(r));
    buf_add_u8(out, r->reported);
    buf_add_u32(out, r->attempts);
    buf_add_u64(out, (uint64_t)r->next_attempt);
    buf_add_counted(out, recipient_error(r));
    buf_add_counted(out, recipient_code(r));
    buf_add_counted(out, recipient_relay(r));
    buf_add_u8(out, r->success);
    buf_add_u32(out, (uint32_t)attempts_last(m, r));
}

bool recipient_decode_change(struct reader *in, unsigned version, struct recipient_change *c)
{
    c->state = read_u8(in);
    c->reported = read_u8(in);
    c->attempts = read_u32(in) & RECIPIENT_ATTEMPTS_MAX;
    c->next_attempt = (usec)read_u64(in);
    c->error = read_counted(in);
    c->code = read_counted(in);
    c->relay = read_counted(in);
    c->success = version >= 2 ? read_u8(in) : SUCCESS_SILENT;
    c->tried = version >= 4 ? read_u32(in) : 0;
    return !in->bad && c->state <= RECIPIENT_FAILED && c->state != RECIPIENT_SENDING &&
           c->success <= SUCCESS_EXPANDED;
}

void recipient_take_change(struct queue_message *m, struct queue_recipient *r,
                           const struct recipient_change *c)
{
    bool tried = c->attempts > r->attempts && c->state != RECIPIENT_DELIVERED;
    r->state = c->state;
    r->success = c->success;
    r->reported = c->reported;
    r->attempts = c->attempts & RECIPIENT_ATTEMPTS_MAX;
    r->next_attempt = c->next_attempt;
    recipient_set_said(m, r, c->error, c->code, c->relay);
    if (tried)
        attempts_note(m, r, c->tried);
}

/* --- envelope files --- */

struct queue_message *envelope_file_decode(struct queue *q, struct str bytes)
{
    struct reader in = {.p = bytes.p, .n = bytes.n};
    uint32_t magic = read_u32(&in);
    uint16_t version = read_u16(&in);
    uint64_t checksum = read_u64(&in);
    struct str envelope = str_from(in.p, in.n);
    if (in.bad || magic != ENVELOPE_MAGIC || checksum != str_hash(envelope))
        return NULL;
    return message_decode(q, envelope, version);
}
