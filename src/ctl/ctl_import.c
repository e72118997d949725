/*
 * "messages put": messages into one mailbox. args:
 *
 *   user, mailbox      which; it is made if it is missing
 *   id, uid_validity   of a mailbox that is brought back as it was
 *   uid_next, time     its UIDNEXT when it was saved, and when that was
 *   missing            put only what is not there
 *   subscribe          if the mailbox is new, or nothing was ever in it
 *   metadata           of the mailbox; if it is new, they are set as far as they are not there
 *   account_metadata   the same for the account
 *   acl                of a public mailbox, if it is made
 *   account_acl        of what is above all public mailboxes, if there is none
 *
 * Of a user who puts messages into his own mailboxes there are but mailbox, missing and subscribe,
 * and quota and the largest size of messages hold as for APPEND of IMAP.
 *
 * Then items {"message": {"uid", "flags", "keywords", "date", "saved"}} with bytes (CRLF becomes
 * LF), each optional, and {"end": true}.
 *
 * Several messages are on their way at a time, so that they share the journal's writes; their UIDs
 * come in the order of arrival.
 *
 * Missing is a message unless one with its UID and size is there under the same UIDVALIDITY, or one
 * with the same bytes. The bytes are compared only with messages of the same size, and each of
 * those stands for one.
 */
#include "core/mem.h"
#include "core/random.h"
#include "core/spool.h"
#include "ctl/ctl_acl.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_metadata.h"
#include "imap/parser.h"
#include "imap/selected.h"
#include "net/stream.h"
#include "store/transfer.h"

#include <stdlib.h>

#define AT_ONCE  32 /* messages on their way */
#define DATE_MIN (-62135596800)
#define DATE_MAX 253402300799
/* UIDs that are left out for each second between the saving and the bringing back, and at least. */
#define UID_GAP_LEAST 1000
#define UID_GAP_MOST  10000000

struct existing { /* a message that was there before */
    uint64_t size_crlf;
    uint32_t uid;
    bool matched;
};

struct importing {
    struct ctl_call *call;
    const json_t *args;
    struct arena *arena;
    struct mailbox *mailbox;
    bool made, same; /* the mailbox is new; it has the UIDVALIDITY of args */
    bool fresh;      /* nothing was ever in it */
    bool remade;     /* it has the UIDVALIDITY of args only now */
    uint32_t uid_next;
    bool missing_only;
    struct existing *existing; /* by size */
    size_t existing_count;
    struct restore_order order;
    uint64_t tickets;
    size_t running;
    struct cond ended;
    struct err failed; /* the first one */
    uint64_t restored, present, renumbered;
};

struct incoming_message {
    struct importing *x;
    struct arena *arena;
    struct restore_request request;
    uint32_t wanted;
    char id[ID_SIZE];
};

/* --- what is there --- */

static int compare_existing(const void *a, const void *b)
{
    const struct existing *x = a, *y = b;
    if (x->size_crlf != y->size_crlf)
        return x->size_crlf < y->size_crlf ? -1 : 1;
    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void note_existing(struct importing *x)
{
    const struct message *messages = mailbox_messages(x->mailbox, &x->existing_count);
    x->existing = mem_array(x->existing_count + 1, sizeof(*x->existing));
    for (size_t i = 0; i < x->existing_count; i++)
        x->existing[i] = (struct existing){messages[i].size_crlf, messages[i].uid, false};
    qsort(x->existing, x->existing_count, sizeof(*x->existing), compare_existing);
}

static size_t first_of_size(const struct importing *x, uint64_t size_crlf)
{
    size_t low = 0, high = x->existing_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x->existing[middle].size_crlf < size_crlf)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- comparing --- */

/* Goes through a stored message without the CRs in front of LFs. */
struct plain_reader {
    struct message_reader *reader;
    char *block;
    size_t n, at;
    uint64_t offset;
};

static SUSPENDS bool next_byte(struct plain_reader *p, int *byte, struct err *e)
{
    *byte = -1;
    if (p->at == p->n) {
        p->at = 0;
        if (!message_read_at(p->reader, p->block, CTL_PART_MAX, p->offset, &p->n, e))
            return false;
        p->offset += p->n;
    }
    if (p->at < p->n)
        *byte = (unsigned char)p->block[p->at++];
    return true;
}

static SUSPENDS bool next_plain(struct plain_reader *p, int *byte, struct err *e)
{
    int after;
    if (!next_byte(p, byte, e))
        return false;
    if (*byte != '\r')
        return true;
    if (!next_byte(p, &after, e))
        return false;
    if (after == '\n')
        *byte = after;
    else if (after >= 0)
        p->at--;
    return true;
}

static SUSPENDS bool same_bytes(struct plain_reader *p, struct spool *message, bool *same,
                                struct err *e)
{
    char block[16384];
    uint64_t offset = 0;
    size_t got = sizeof(block);
    int byte;
    *same = true;
    while (*same && got == sizeof(block)) {
        if (!spool_read_at(message, block, sizeof(block), offset, &got, e))
            return false;
        offset += got;
        for (size_t i = 0; i < got && *same; i++) {
            if (!next_plain(p, &byte, e))
                return false;
            *same = byte == (unsigned char)block[i];
        }
        fiber_yield();
    }
    return true;
}

/* One that cannot be read is another one. */
static SUSPENDS bool is_same(struct importing *x, uint32_t uid, struct spool *message)
{
    struct plain_reader p = {.block = mem_alloc(CTL_PART_MAX)};
    struct err e;
    bool same = false;
    if (message_open(x->mailbox, uid, &p.reader, &e)) {
        same = same_bytes(&p, message, &same, &e) && same;
        message_close(p.reader);
    }
    free(p.block);
    return same;
}

static SUSPENDS bool is_present(struct importing *x, const struct restore_request *r)
{
    uint64_t size = spool_size(r->message) + spool_lines(r->message);
    size_t first = first_of_size(x, size);
    for (size_t i = first; i < x->existing_count && x->existing[i].size_crlf == size; i++) {
        if (x->same && !x->existing[i].matched && x->existing[i].uid == r->uid) {
            x->existing[i].matched = true;
            return true;
        }
    }
    for (size_t i = first; i < x->existing_count && x->existing[i].size_crlf == size; i++) {
        if (!x->existing[i].matched && is_same(x, x->existing[i].uid, r->message)) {
            x->existing[i].matched = true;
            return true;
        }
    }
    return false;
}

/* --- the mailbox --- */

static SUSPENDS bool make_mailbox(struct importing *x, const struct account *account,
                                  struct str name, uint32_t uid_validity, struct err *e)
{
    struct store *store = x->call->context->store;
    struct str id;
    struct err error;
    if (!ctl_arg_optional(x->args, "id", &id, e))
        return false;
    x->made = uid_validity > 0
                  ? store_restore_mailbox(store, account, name, id, uid_validity, &error)
                  : store_create_mailbox(store, account, name, &error);
    if (x->made || error.kind == ERR_EXISTS)
        return true;
    *e = error;
    return false;
}

/* Before there is a message in it: the list of the mailbox above, which a new one begins with, may
 * let in more people. */
static SUSPENDS bool bring_acls(struct importing *x, const struct account *account, struct str name,
                                struct err *e)
{
    struct store *store = x->call->context->store;
    if (!str_equal(account->login, store_public_account(store)->login))
        return true;
    return ctl_acl_restore_missing(store, STR(""), json_object_get(x->args, "account_acl"), e) &&
           (!x->made || ctl_acl_restore(store, name, json_object_get(x->args, "acl"), e));
}

/* What goes with a mailbox in which there was nothing. */
static SUSPENDS bool finish_new(struct importing *x, const struct account *account, struct str name,
                                struct err *e)
{
    struct store *store = x->call->context->store;
    if (!ctl_metadata_restore(store, account, STR(""), json_object_get(x->args, "account_metadata"),
                              e))
        return false;
    if (!x->fresh)
        return true;
    return ctl_metadata_restore(store, account, name, json_object_get(x->args, "metadata"), e) &&
           (!json_is_true(json_object_get(x->args, "subscribe")) ||
            store_subscribe(store, account, name, true, e));
}

static SUSPENDS bool open_mailbox(struct importing *x, struct err *e)
{
    struct store *store = x->call->context->store;
    json_int_t validity = json_integer_value(json_object_get(x->args, "uid_validity"));
    struct account account;
    struct str name;
    bool taken = false;
    if (validity < 0 || validity > UINT32_MAX)
        return err_set(e, ERR_SYNTAX, "uid_validity: no such number");
    if (!ctl_arg_str(x->args, "mailbox", &name, e) ||
        !ctl_account(x->call->context, x->args, x->arena, &account, e) ||
        !make_mailbox(x, &account, name, (uint32_t)validity, e) ||
        !mailbox_open(store, &account, name, &x->mailbox, e))
        return false;
    bool was_same = mailbox_uid_validity(x->mailbox) == validity;
    if (validity > 0 && !mailbox_take_uid_validity(x->mailbox, (uint32_t)validity, &taken, e))
        return false;
    x->same = taken;
    x->uid_next = mailbox_uid_next(x->mailbox);
    x->remade = x->made || !was_same;
    x->fresh = x->made || x->uid_next == 1;
    x->missing_only = json_is_true(json_object_get(x->args, "missing"));
    if (x->missing_only)
        note_existing(x);
    return bring_acls(x, &account, name, e) && finish_new(x, &account, name, e);
}

/* Between the saving and the loss UIDs were given out that nobody knows of any more. A mailbox that
 * has gone on since the saving was not lost. */
static SUSPENDS bool leave_gap(struct importing *x, struct err *e)
{
    json_int_t next = json_integer_value(json_object_get(x->args, "uid_next"));
    json_int_t time = json_integer_value(json_object_get(x->args, "time"));
    int64_t gap = clock_wall() / USEC_SEC - time;
    if (!x->same || next <= 0 || next > UINT32_MAX || (!x->remade && x->uid_next >= next))
        return true;
    gap = gap < UID_GAP_LEAST ? UID_GAP_LEAST : gap > UID_GAP_MOST ? UID_GAP_MOST : gap;
    if (next + gap > UINT32_MAX)
        return true;
    return mailbox_raise_uid_next(x->mailbox, (uint32_t)(next + gap), e);
}

/* --- a message --- */

/* Adds a piece with CRLF as LF; *cr: the last one ended in a CR that is not written yet. */
static SUSPENDS bool add_piece(struct spool *s, struct str piece, bool *cr, struct err *e)
{
    struct buf b = BUF_EMPTY;
    while (piece.n > 0) {
        if (*cr && piece.p[0] != '\n')
            buf_add_char(&b, '\r');
        ptrdiff_t next = str_find_char(piece, '\r');
        *cr = next >= 0;
        buf_add_str(&b, str_head(piece, *cr ? (size_t)next : piece.n));
        piece = str_skip(piece, *cr ? (size_t)next + 1 : piece.n);
    }
    bool ok = spool_write(s, buf_str(&b), e);
    buf_free(&b);
    return ok;
}

/* An administrator brings back whatever there was. */
static bool fits(const struct importing *x, const struct spool *s, struct str piece, struct err *e)
{
    const struct ctl_context *c = x->call->context;
    uint64_t most = x->call->own && c->append_size_max ? c->append_size_max(c->arg) : UINT64_MAX;
    return spool_size(s) + piece.n <= most ||
           err_set(e, ERR_LIMIT, "messages may have %llu bytes", (unsigned long long)most);
}

static SUSPENDS bool receive_bytes(struct importing *x, struct ctl_incoming *in, struct spool *s,
                                   struct err *e)
{
    struct str piece;
    bool cr = false;
    do {
        if (!ctl_receive_bytes(x->call, in, &piece, e) || !fits(x, s, piece, e) ||
            !add_piece(s, piece, &cr, e))
            return false;
    } while (piece.n > 0);
    return !cr || spool_write(s, STR("\r"), e);
}

static struct str text_of(const json_t *json, const char *name)
{
    const json_t *text = json_object_get(json, name);
    return str_from(json_string_value(text), json_string_length(text));
}

static void take_flags(struct incoming_message *m, const json_t *json)
{
    struct str text = text_of(json, "flags"), word;
    uint8_t flag;
    while ((word = str_word(&text)).p)
        if (imap_flag_find(word, &flag))
            m->request.flags |= flag;
    text = arena_str(m->arena, text_of(json, "keywords"));
    struct str *keywords = arena_array(m->arena, text.n / 2 + 1, sizeof(*keywords));
    while ((word = str_word(&text)).p)
        if (imap_is_atom(word))
            keywords[m->request.keyword_count++] = word;
    m->request.keywords = keywords;
}

/* Years 1 to 9999: what can be written and read again. */
static int64_t take_date(const json_t *json, const char *name)
{
    const json_t *date = json_object_get(json, name);
    json_int_t seconds = json_integer_value(date);
    bool usable = json_is_integer(date) && seconds >= DATE_MIN && seconds <= DATE_MAX;
    return usable ? (int64_t)seconds : INT64_MIN;
}

static void message_free(struct incoming_message *m)
{
    spool_unref(m->request.message);
    arena_free(m->arena);
}

static SUSPENDS struct incoming_message *receive_message(struct importing *x,
                                                         struct ctl_incoming *in, struct err *e)
{
    struct arena *a = arena_new();
    struct incoming_message *m = ARENA_NEW(a, struct incoming_message);
    const json_t *json = json_object_get(in->item, "message");
    json_int_t uid = json_integer_value(json_object_get(json, "uid"));
    m->x = x;
    m->arena = a;
    random_id(m->id);
    m->request.message = spool_new(store_spool_dir(x->call->context->store), m->id);
    m->request.uid = uid > 0 && uid <= UINT32_MAX ? (uint32_t)uid : 0;
    m->request.date = take_date(json, "date");
    m->request.save_date = take_date(json, "saved");
    m->request.quota = x->call->own != NULL;
    m->wanted = m->request.uid;
    take_flags(m, json);
    bool ok = json_is_object(json) || err_set(e, ERR_SYNTAX, "an item has a \"message\"");
    if (ok && receive_bytes(x, in, m->request.message, e))
        return m;
    message_free(m);
    return NULL;
}

static void run_restore(void *arg)
{
    struct incoming_message *m = arg;
    struct importing *x = m->x;
    struct err e;
    if (mailbox_restore(x->mailbox, m->id, &m->request, &e)) {
        x->restored++;
        x->renumbered += m->wanted > 0 && m->wanted != m->request.uid;
    } else if (x->failed.kind == ERR_NONE) {
        x->failed = e;
    }
    message_free(m);
    x->running--;
    cond_broadcast(&x->ended);
}

static SUSPENDS void wait_below(struct importing *x, size_t most)
{
    while (x->running > most)
        cond_wait_certain(&x->ended);
}

/* Takes m. A UID that was given out under another UIDVALIDITY means nothing here. */
static SUSPENDS bool start_restore(struct importing *x, struct incoming_message *m, struct err *e)
{
    if (x->missing_only && is_present(x, &m->request)) {
        x->present++;
        message_free(m);
        return true;
    }
    if (!x->same)
        m->request.uid = m->wanted = 0;
    wait_below(x, AT_ONCE - 1);
    if (x->failed.kind) {
        message_free(m);
        *e = x->failed;
        return false;
    }
    m->request.order = &x->order;
    m->request.ticket = x->tickets;
    if (!fiber_start(x->call->context->loop, "restore", run_restore, m)) {
        message_free(m);
        return err_set(e, ERR_TEMP, "the server is too busy");
    }
    x->tickets++;
    x->running++;
    return true;
}

static SUSPENDS bool receive_all(struct importing *x, struct err *e)
{
    struct ctl_incoming in = {0};
    bool ok;
    while ((ok = ctl_receive(x->call, &in, e)) && !in.end) {
        struct incoming_message *m = receive_message(x, &in, e);
        ok = m && start_restore(x, m, e) && ctl_breathe(x->call, e);
        if (!ok)
            break;
    }
    ctl_incoming_free(&in);
    wait_below(x, 0);
    if (ok && x->failed.kind) {
        *e = x->failed;
        ok = false;
    }
    return ok;
}

static bool put(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct importing x = {.call = c, .args = args, .arena = arena_new()};
    bool ok = open_mailbox(&x, e) && receive_all(&x, e) && leave_gap(&x, e);
    if (ok)
        *result = json_pack("{s:I, s:I, s:I, s:b, s:b}", "restored", (json_int_t)x.restored,
                            "present", (json_int_t)x.present, "renumbered",
                            (json_int_t)x.renumbered, "created", x.made, "same", x.same);
    else
        c->unread = true;
    if (x.mailbox)
        mailbox_unref(x.mailbox);
    free(x.existing);
    arena_free(x.arena);
    return ok;
}

const struct ctl_stream_verb ctl_import_verbs[] = {
    {"messages put", CTL_OWN_MAIL("user", "mailbox missing subscribe"), put}, {0}};
