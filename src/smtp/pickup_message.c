/*
 * A message from a file of the maildrop. The file is opened without following links and must be an
 * ordinary one with one name; its owner is who submits the message, whatever is written in it. The
 * rest is what happens to a message over the wire: decoder, header filter, spool, queue - with one
 * difference: nobody waits for the answer, so a refusal becomes a report to the sender.
 */
#include "smtp/pickup_message.h"

#include "core/disk.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "mime/address.h"
#include "queue/rewrites.h"
#include "route/route.h"
#include "smtp/data_policy.h"
#include "smtp/incoming.h"
#include "smtp/limits.h"
#include "smtp/message_header.h"
#include "smtp/received.h"

#include <stdlib.h>

struct picking {
    const struct pickup_source *source;
    const char *path;
    struct arena *arena;
    int fd;
    uid_t uid;
    struct rewriter rewriter;
    struct drop drop;
    struct buf head;
    struct envelope envelope;
    struct incoming incoming;
    struct data_decoder decoder;
    bool opened, damaged;
    struct err error;
};

/* --- on a worker: open and read the head --- */

static bool is_wrong(struct picking *p, const char *what)
{
    p->damaged = true;
    return err_set(&p->error, ERR_SYNTAX, "%s: %s", p->path, what);
}

static bool check_file(struct picking *p, uint64_t *size)
{
    struct stat st;
    if (!disk_stat_open(p->fd, &st, p->path, &p->error))
        return false;
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
        return is_wrong(p, "not an ordinary file with one name");
    p->uid = st.st_uid;
    *size = (uint64_t)st.st_size;
    return true;
}

static bool read_bytes(struct picking *p, size_t n, uint64_t offset)
{
    size_t got;
    buf_clear(&p->head);
    if (!disk_read_at(p->fd, buf_reserve(&p->head, n), n, offset, &got, p->path, &p->error))
        return false;
    p->head.n = got;
    return got == n || is_wrong(p, "too short");
}

static bool read_head(struct picking *p)
{
    uint64_t size = 0;
    if (!check_file(p, &size) || !read_bytes(p, DROP_HEAD_SIZE, 0))
        return false;
    if (!drop_read_head(buf_str(&p->head), &p->drop))
        return is_wrong(p, "not a message that sendmail left here");
    if (p->drop.message_offset > size || size - p->drop.message_offset != p->drop.message_size)
        return is_wrong(p, "not of the size that it says");
    return read_bytes(p, p->drop.message_offset - DROP_HEAD_SIZE, DROP_HEAD_SIZE) &&
           (drop_read_envelope(p->arena, buf_str(&p->head), &p->drop) ||
            is_wrong(p, "its envelope is malformed"));
}

static void open_file(void *arg)
{
    struct picking *p = arg;
    if (disk_open_unleased(p->path, &p->fd, &p->error))
        p->opened = read_head(p);
    else /* a link, a file that its owner keeps to himself */
        p->damaged = p->error.kind == ERR_IO;
}

/* --- the envelope --- */

static struct message_origin origin_of(const struct picking *p)
{
    return (struct message_origin){
        .submission = true,
        .login = STR(""),
        .sender = p->envelope.sender,
        .host = str_from_c(p->source->hostname),
        .id = p->envelope.id,
    };
}

/* Complete, in its usual form; n == 0: malformed, or the null address. */
static struct str complete(struct picking *p, struct str text, int flags, const char **reason)
{
    struct message_origin origin = origin_of(p);
    struct address address;
    *reason = NULL;
    if (!address_parse(p->arena, text, flags | ADDRESS_NO_DOMAIN | ADDRESS_UTF8, &address, reason))
        return STR("");
    if (address.domain.n == 0 && address.local.n > 0)
        address.domain = message_domain(p->source->settings, &origin);
    p->envelope.smtputf8 |= !str_is_ascii(address.local) || !str_is_ascii(address.domain);
    return address_text(p->arena, &address);
}

static struct route *refused_route(struct picking *p, const char *why)
{
    struct route *route = route_new(p->arena, ROUTE_REFUSE);
    err_set(route_fail(route, ROUTE_REFUSE), ERR_PERM, "%s", why);
    return route;
}

static SUSPENDS bool make_envelope(struct picking *p)
{
    struct envelope *e = &p->envelope;
    const char *reason;
    random_id(e->id);
    e->component = "pickup";
    e->unattended = true;
    e->sender = complete(p, p->drop.sender, ADDRESS_NULL, &reason);
    if (reason)
        return is_wrong(p, "its sender is malformed");
    rewriter_begin(&p->rewriter, p->source->queue, REWRITE_PROGRAMS);
    e->sender = rewriter_address(&p->rewriter, REWRITE_ENVELOPE_SENDER, e->sender, p->arena);
    e->options.dsn_return =
        p->drop.dsn_return <= DSN_RETURN_FULL ? (enum dsn_return)p->drop.dsn_return : 0;
    e->options.envelope_id = p->drop.envelope_id;
    e->recipients = arena_array(p->arena, p->drop.recipient_count, sizeof(*e->recipients));
    e->recipient_count = p->drop.recipient_count;
    for (size_t i = 0; i < e->recipient_count; i++) {
        struct envelope_recipient *r = &e->recipients[i];
        struct str given = p->drop.recipients[i].address;
        r->address = rewriter_address(&p->rewriter, REWRITE_ENVELOPE_RECIPIENT,
                                      complete(p, given, 0, &reason), p->arena);
        r->notify = p->drop.recipients[i].notify &
                    (NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY);
        r->route = reason ? refused_route(p, reason)
                          : route_recipient(queue_router(p->source->queue), r->address, p->arena);
        if (reason)
            r->address = given;
    }
    return true;
}

/* --- the message --- */

static SUSPENDS bool read_message(struct picking *p)
{
    struct buf decoded = BUF_EMPTY;
    char *block = mem_alloc(SMTP_DATA_CHUNK);
    uint64_t at = p->drop.message_offset, end = at + p->drop.message_size;
    bool ok = true;
    while (ok && at < end && incoming_is_usable(&p->incoming)) {
        size_t n = end - at < SMTP_DATA_CHUNK ? (size_t)(end - at) : SMTP_DATA_CHUNK, got;
        ok = file_read_at(p->fd, block, n, at, &got, p->path, &p->error);
        if (ok && got == 0) /* its owner has cut it meanwhile */
            ok = is_wrong(p, "too short");
        if (!ok)
            break;
        at += got;
        data_decoder_feed(&p->decoder, str_from(block, got), &decoded);
        incoming_add(&p->incoming, buf_str(&decoded));
        buf_clear(&decoded);
    }
    data_decoder_finish(&p->decoder, &decoded);
    incoming_add(&p->incoming, buf_str(&decoded));
    buf_free(&decoded);
    free(block);
    return ok;
}

static SUSPENDS bool take_message(struct picking *p)
{
    const struct smtp_settings *settings = p->source->settings;
    struct message_origin origin = origin_of(p);
    struct header_rules rules = message_rules(settings, &origin);
    rules.rewriter = &p->rewriter;
    struct data_policy policy = data_policy_of(settings, true);
    incoming_begin(&p->incoming, p->source->spool_dir, p->envelope.id, &rules,
                   (uint64_t)settings->message_size_max);
    data_decoder_init(&p->decoder, DATA_COUNTED);
    data_policy_apply(&policy, &p->decoder);
    policy.refuse_bare = false; /* that is how lines end in a file */
    struct smtp_refusal *refusal = &p->incoming.refusal;
    /* The bytes of a file with holes cost nothing, and the decoder leaves them out. */
    if (p->drop.message_size / SMTP_OVERSIZE_FACTOR > (uint64_t)settings->message_size_max)
        smtp_refuse(refusal, 552, "5.3.4", "The message is larger than the limit of %lld bytes",
                    (long long)settings->message_size_max);
    if (!read_message(p))
        return false;
    if (incoming_end(&p->incoming) && data_policy_check(&policy, &p->decoder, refusal))
        message_check_header(settings, &origin, &p->incoming.header.facts, refusal);
    p->error = p->incoming.error;
    return p->error.kind == ERR_NONE;
}

/* A message that is refused goes into the queue all the same: from there its sender is told. */
static void refuse_all(struct picking *p)
{
    for (size_t i = 0; p->incoming.refusal.code != 0 && i < p->envelope.recipient_count; i++)
        p->envelope.recipients[i].route = refused_route(p, p->incoming.refusal.text);
}

static void write_prefix(struct picking *p, struct buf *out)
{
    struct message_origin origin = origin_of(p);
    const struct envelope *e = &p->envelope;
    int64_t now = clock_wall() / USEC_SEC;
    struct received r = {
        .address = "unix",
        .user = arena_printf(p->arena, "uid %u", (unsigned)p->uid).p,
        .hide_client = p->source->settings->hide_client,
        .host = p->source->hostname,
        .id = e->id,
        .time = now,
    };
    if (e->recipient_count == 1)
        r.recipient = e->recipients[0].address;
    message_add_delivered_to(out, e);
    received_write(out, &r);
    message_add_fields(out, p->source->settings, &origin, &p->incoming.header.facts, now);
}

static void log_accepted(struct picking *p)
{
    const struct envelope *e = &p->envelope;
    const struct smtp_refusal *refusal = &p->incoming.refusal;
    struct message_origin origin = origin_of(p);
    struct str message_id = message_identifier(&origin, &p->incoming.header.facts, p->arena);
    log_info("pickup", e->id,
             "accepted from=<%.*s> to=<%.*s> recipients=%zu size=%llu message-id=<%.*s> "
             "unix_uid=%u%s%s%s",
             STR_ARG(e->sender), STR_ARG(e->recipients[0].address), e->recipient_count,
             (unsigned long long)spool_size(p->incoming.spool), STR_ARG(message_id),
             (unsigned)p->uid, refusal->code ? " refused=\"" : "", refusal->text,
             refusal->code ? "\"" : "");
}

static SUSPENDS bool hand_over(struct picking *p)
{
    struct envelope *e = &p->envelope;
    struct buf prefix = BUF_EMPTY;
    refuse_all(p);
    write_prefix(p, &prefix);
    e->prefix = buf_str(&prefix);
    e->body_8bit = p->decoder.eight_bit;
    bool ok = queue_accept(p->source->queue, e, p->incoming.spool, false, &p->error);
    buf_free(&prefix);
    if (ok)
        log_accepted(p);
    return ok;
}

enum pickup_result pickup_message(const struct pickup_source *s, const char *path, struct err *e)
{
    struct picking p = {.source = s, .path = path, .arena = arena_new(), .fd = -1};
    worker_run(WORKER_DISK, open_file, &p);
    bool ok = p.opened && make_envelope(&p) && take_message(&p) && hand_over(&p);
    enum pickup_result result = ok ? PICKUP_TAKEN : p.damaged ? PICKUP_DAMAGED : PICKUP_LATER;
    *e = p.error;
    if (p.fd >= 0)
        file_close(p.fd);
    incoming_free(&p.incoming);
    rewriter_end(&p.rewriter);
    buf_free(&p.head);
    arena_free(p.arena);
    return result;
}
