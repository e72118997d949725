/*
 * GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208). An account with a limit has one quota root, for all
 * its mailboxes but those that are ignored; without a limit there is none, and public mailboxes
 * have none. Limits are the operator's, so QUOTASET is not announced and SETQUOTA refused.
 */
#include "imap/access.h"
#include "imap/place.h"
#include "store/quota.h"

#define ROOT "User quota"

static void add_resource(struct buf *out, const char *name, uint64_t used, uint64_t limit)
{
    if (limit == 0)
        return;
    buf_printf(out, "%s%s %llu %llu", out->p[out->n - 1] == '(' ? "" : " ", name,
               (unsigned long long)used, (unsigned long long)limit);
}

/* RFC 9208 5.1: in units of 1024 octets. */
static uint64_t units(uint64_t bytes)
{
    return bytes / 1024 + (bytes % 1024 > 0);
}

/* False: the result is set. */
static bool add_quota(struct imap_command *c, struct buf *out)
{
    struct imap_session *s = c->session;
    struct quota_status q;
    struct err e;

    if (!quota_get(s->context->store, &s->user->account, &q, &e)) {
        imap_fail(c, &e, false);
        return false;
    }
    buf_add_c(out, "* QUOTA \"" ROOT "\" (");
    add_resource(out, "STORAGE", units(q.used.bytes), units(q.limits.storage));
    add_resource(out, "MESSAGE", q.used.messages, q.limits.messages);
    add_resource(out, "MAILBOX", q.mailboxes, q.limits.mailboxes);
    buf_add_c(out, ")\r\n");
    return true;
}

static bool has_root(struct imap_command *c, struct str mailbox)
{
    struct imap_place place = imap_place(c->session, mailbox);
    return quota_is_limited(c->session->context->store, place.account, place.name);
}

void imap_cmd_getquota(struct imap_command *c)
{
    struct buf out = BUF_EMPTY;
    struct str root;

    if (!imap_take_astring(c, "a quota root", &root) || !imap_take_end(c))
        return;
    if (!str_equal(root, STR(ROOT)) || !has_root(c, (struct str){0})) {
        imap_no(c, "[NONEXISTENT] No such quota root");
        return;
    }
    if (add_quota(c, &out)) {
        imap_write(c->session, buf_str(&out));
        imap_ok(c, "Getquota completed");
    }
    buf_free(&out);
}

/* Also of a mailbox that does not exist: which root would it have? (RFC 9208 4.1.2) */
void imap_cmd_getquotaroot(struct imap_command *c)
{
    struct imap_session *s = c->session;
    struct buf out = BUF_EMPTY;
    struct str name;

    if (!imap_take_mailbox(c, &name) || !imap_take_end(c) || !imap_may(c, name, RIGHT_READ))
        return;
    bool limited = has_root(c, name);
    buf_add_c(&out, "* QUOTAROOT ");
    imap_write_mailbox(&out, name, imap_session_naming(c->session));
    buf_add_c(&out, limited ? " \"" ROOT "\"\r\n" : "\r\n");
    if (!limited || add_quota(c, &out)) {
        imap_write(s, buf_str(&out));
        imap_ok(c, "Getquotaroot completed");
    }
    buf_free(&out);
}

void imap_cmd_setquota(struct imap_command *c)
{
    struct imap_argument *list;
    struct str root;

    if (!imap_take_astring(c, "a quota root", &root) ||
        !(list = imap_take(c, "a list of limits")) || !imap_take_end(c))
        return;
    if (list->type != IMAP_LIST)
        imap_expected(c, list, "a list of limits");
    else
        imap_no(c, "[NOPERM] Limits are set by the administrator");
}
