/*
 * NOTIFY (RFC 5465): SET and NONE.
 */
#include "imap/notify.h"
#include "imap/search_update.h"

/* What has accumulated is told by the rules that held until now (RFC 5465 3.1). */
static void tell_all(struct imap_session *s)
{
    struct buf out = BUF_EMPTY;
    if (s->selected)
        imap_selected_sync(s->selected, &out, true, false, NULL);
    if (out.n)
        imap_write(s, buf_str(&out));
    buf_free(&out);
    imap_updates_tell(s);
}

static struct notify_request *no_request(void)
{
    struct arena *a = arena_new();
    struct notify_request *r = ARENA_NEW(a, struct notify_request);
    r->arena = a;
    return r;
}

void imap_cmd_notify(struct imap_command *c)
{
    struct imap_session *s = c->session;
    struct notify_request *r = NULL;
    struct str word;
    struct err e;
    if (!imap_take_atom(c, "SET or NONE", &word))
        return;
    if (str_equal_nocase(word, STR("NONE"))) {
        if (!imap_take_end(c))
            return;
        r = no_request();
    } else if (!str_equal_nocase(word, STR("SET"))) {
        imap_bad(c, "Expected SET or NONE");
        return;
    } else if (!notify_take_request(c, &r)) {
        return;
    }
    tell_all(s);
    if (!notify_install(s, r, &e)) {
        imap_fail(c, &e, false);
        return;
    }
    if (r->status)
        notify_write_all(s);
    imap_ok(c, "Notify completed");
}
