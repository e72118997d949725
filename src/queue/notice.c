/*
 * A notice is a message from the null sender (nobody is told when it cannot be delivered, so there
 * are no loops) that says it was made by a program (RFC 3834 5: Auto-Submitted), so that nothing
 * answers it.
 */
#include "queue/notice.h"

#include "core/log.h"
#include "mime/date.h"
#include "queue/queue_internal.h"

SUSPENDS struct str queue_postmaster(struct queue *q, struct arena *a)
{
    struct domain *domains;
    size_t count = 0;
    struct err e;
    struct str set = router_postmaster(q->context.router);
    if (set.n > 0)
        return arena_str(a, set);
    if (directory_list_domains(q->context.directory, a, &domains, &count, &e) && count > 0)
        return arena_printf(a, "postmaster@%.*s", STR_ARG(domains[0].name));
    return arena_printf(a, "postmaster@%s", q->context.hostname);
}

/* Names of users stand in it, in any script: in the header only what every program reads. */
static void add_ascii(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(out, s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
}

static void write_notice(const struct queue *q, const char *id, struct str to, struct str subject,
                         struct str text, struct buf *out)
{
    buf_add_c(out, "Date: ");
    date_write_header(out, clock_wall() / USEC_SEC);
    buf_printf(out, "\nFrom: Mail server %s <%.*s>\nTo: <%.*s>\nMessage-ID: <%s@%s>\nSubject: ",
               q->context.hostname, STR_ARG(to), STR_ARG(to), id, q->context.hostname);
    add_ascii(out, subject);
    buf_add_c(out, "\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n"
                   "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n");
    buf_add_str(out, text);
}

static SUSPENDS bool send(struct queue *q, struct envelope *envelope, struct str text,
                          struct err *e)
{
    struct spool *spool = spool_new(store_spool_dir(q->context.store), envelope->id);
    bool ok = spool_write(spool, text, e) && queue_accept(q, envelope, spool, false, e);
    spool_unref(spool);
    return ok;
}

static SUSPENDS bool send_as(struct queue *q, const char *id, struct str to, struct str text,
                             bool tls_optional, struct err *e)
{
    struct arena *a = arena_new();
    struct envelope_recipient recipient = {.address = to,
                                           .route = route_recipient(q->context.router, to, a)};
    struct envelope envelope = {.recipients = &recipient,
                                .recipient_count = 1,
                                .component = "queue",
                                .notice = true,
                                .body_8bit = !str_is_ascii(text),
                                .smtputf8 = !str_is_ascii(to),
                                .options = {.tls_optional = tls_optional}};
    memcpy(envelope.id, id, sizeof(envelope.id));
    bool ok = send(q, &envelope, text, e);
    arena_free(a);
    return ok;
}

bool queue_send_text(struct queue *q, struct str to, struct str text, bool tls_optional,
                     struct err *e)
{
    char id[ID_SIZE];
    random_id(id);
    return send_as(q, id, to, text, tls_optional, e);
}

bool queue_notice(struct queue *q, struct str subject, struct str text, struct err *e)
{
    struct arena *a = arena_new();
    struct buf out = BUF_EMPTY;
    struct str address = queue_postmaster(q, a);
    char id[ID_SIZE];
    random_id(id);
    write_notice(q, id, address, subject, text, &out);
    bool ok = send_as(q, id, address, buf_str(&out), false, e);
    if (ok)
        log_info("queue", id, "notice to=<%.*s> subject=\"%.*s\"", STR_ARG(address),
                 STR_ARG(subject));
    buf_free(&out);
    arena_free(a);
    return ok;
}
