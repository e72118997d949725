/*
 * Modifiers of FETCH: which of the messages that were named are meant (RFC 4466 2.4).
 *
 *   CHANGEDSINCE modseq             only messages that changed later; MODSEQ is told (RFC 7162
 *                                   3.1.4.1)
 *   CHANGEDSINCE modseq VANISHED    and which of the UIDs were expunged later (RFC 7162 3.2.6)
 *   PARTIAL -1:-30                  of UID FETCH: only these of them (RFC 9394 3.3), before the
 * rest
 */
#include "imap/fetch.h"
#include "imap/vanished.h"

static bool check(struct imap_command *c, const struct fetch_request *r)
{
    if (r->partial.first && !c->uid)
        imap_bad(c, "PARTIAL goes with UID FETCH only");
    if (!r->vanished)
        return c->status == IMAP_PENDING;
    if (!c->uid)
        imap_bad(c, "VANISHED goes with UID FETCH only");
    else if (!(c->session->enabled & ENABLED_QRESYNC))
        imap_bad(c, "QRESYNC has to be enabled before VANISHED");
    else if (!r->changed)
        imap_bad(c, "VANISHED needs CHANGEDSINCE");
    return c->status == IMAP_PENDING;
}

bool fetch_take_modifiers(struct imap_command *c, struct fetch_request *r)
{
    if (!c->next)
        return true;
    const struct imap_argument *list = imap_take(c, "");
    if (list->type != IMAP_LIST || !list->children) {
        imap_expected(c, list, "a list of modifiers");
        return false;
    }
    for (const struct imap_argument *a = list->children; a; a = a->next) {
        if (imap_argument_is(a, "CHANGEDSINCE") && !r->changed) {
            a = a->next;
            if (!imap_argument_modseq(c, a, &r->changed_since))
                return false;
            r->changed = true;
        } else if (imap_argument_is(a, "VANISHED")) {
            r->vanished = true;
        } else if (imap_argument_is(a, "PARTIAL") && !r->partial.first) {
            a = a->next;
            if (!a || a->type != IMAP_ATOM || !partial_parse(a->text, &r->partial)) {
                imap_expected(c, a, "a range as in 1:500 or -1:-100");
                return false;
            }
        } else {
            imap_expected(c, a, "CHANGEDSINCE, VANISHED or PARTIAL");
            return false;
        }
    }
    if (r->changed && !r->modseq)
        fetch_add_item(c, r, "MODSEQ");
    return check(c, r);
}

/* The positions of what has changed, as ranges of neighbours. */
struct changed {
    struct buf ranges;
    struct number_range last;
    bool any;
};

static void add_changed(struct changed *c, uint32_t at)
{
    if (c->any && c->last.last + 1 == at) {
        c->last.last = at;
        return;
    }
    if (c->any)
        buf_add(&c->ranges, &c->last, sizeof c->last);
    c->last = (struct number_range){at, at};
    c->any = true;
}

/* One walk along the view and the mailbox, which are both in the order of UIDs. */
static void find_changed(const struct fetch *f, struct changed *c)
{
    const struct imap_selected *v = f->view;
    size_t total, position = 0;
    const struct message *messages = mailbox_messages(v->mailbox, &total);
    if (mailbox_modseq(v->mailbox) <= f->request.changed_since)
        return;
    for (size_t i = 0; i < f->indexes.count; i++) {
        const struct number_range *r = &f->indexes.ranges[i];
        position = mailbox_index_from_uid(v->mailbox, v->uids[r->first]);
        for (uint32_t at = r->first; at <= r->last; at++) {
            while (position < total && messages[position].uid < v->uids[at])
                position++;
            if (position < total && messages[position].uid == v->uids[at] &&
                messages[position].modseq > f->request.changed_since)
                add_changed(c, at);
        }
    }
}

static void keep_changed(struct fetch *f)
{
    struct changed c = {.ranges = BUF_EMPTY};
    find_changed(f, &c);
    if (c.any)
        buf_add(&c.ranges, &c.last, sizeof c.last);
    f->indexes.count = c.ranges.n / sizeof c.last;
    f->indexes.ranges = arena_array(f->c->arena, f->indexes.count + 1, sizeof c.last);
    if (c.any)
        memcpy(f->indexes.ranges, c.ranges.p, c.ranges.n);
    buf_free(&c.ranges);
}

void fetch_modify(struct fetch *f, struct str named)
{
    const struct fetch_request *r = &f->request;
    struct number_set uids;
    if (r->vanished && number_set_parse(f->c->arena, named, &uids)) {
        number_set_resolve(&uids, mailbox_uid_next(f->view->mailbox) - 1);
        vanished_write_earlier(&f->out, f->view, f->c->arena, &uids, r->changed_since);
    }
    if (r->partial.first)
        partial_clip(&r->partial, &f->indexes);
    if (r->changed)
        keep_changed(f);
}
