/*
 * The parameters of SELECT and EXAMINE (RFC 4466 2.1): CONDSTORE and QRESYNC (RFC 7162 3.1.8 and
 * 3.2.5).
 *
 *   "(" "QRESYNC" "(" uidvalidity modseq [known-uids] ["(" numbers uids ")"] ")" ")"
 *
 * The last list is a sample of sequence numbers with their UIDs. If the n-th message has the UID
 * that the client says, the client has exactly the messages up to there: below, it had them all,
 * none can have come, and any that had gone would have moved this one.
 */
#include "imap/command.h"
#include "imap/vanished.h"

#define SLICE_MAX 500 /* messages between two looks at the clock */

/* --- arguments --- */

/* Without "*". */
static bool take_plain_set(struct imap_command *c, const struct imap_argument *a,
                           struct number_set *set)
{
    bool valid = a && a->type == IMAP_ATOM && !a->has_section && str_find_char(a->text, '*') < 0 &&
                 number_set_parse(c->arena, a->text, set);
    if (!valid)
        imap_expected(c, a, "a set without \"*\"");
    return valid;
}

/* Ascending, as the sample must be; *total: how many numbers. */
static bool is_ascending(const struct number_set *set, uint64_t *total)
{
    *total = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct number_range *r = &set->ranges[i];
        if (r->first > r->last || (i && r->first <= r[-1].last))
            return false;
        *total += (uint64_t)r->last - r->first + 1;
    }
    return true;
}

static bool take_sample(struct imap_command *c, const struct imap_argument *list,
                        struct select_parameters *p)
{
    const struct imap_argument *a = list->children;
    uint64_t numbers, uids;
    if (!take_plain_set(c, a, &p->numbers) || !take_plain_set(c, a->next, &p->number_uids))
        return false;
    if (a->next->next) {
        imap_expected(c, a->next->next, "the end of the list");
        return false;
    }
    if (is_ascending(&p->numbers, &numbers) && is_ascending(&p->number_uids, &uids) &&
        numbers == uids)
        return true;
    imap_expected(c, a, "sequence numbers and as many UIDs, ascending");
    return false;
}

static bool take_qresync(struct imap_command *c, const struct imap_argument *list,
                         struct select_parameters *p)
{
    if (!(c->session->enabled & ENABLED_QRESYNC)) {
        imap_bad(c, "QRESYNC has to be enabled first");
        return false;
    }
    if (!list || list->type != IMAP_LIST) {
        imap_expected(c, list, "a list behind QRESYNC");
        return false;
    }
    const struct imap_argument *a = list->children;
    if (!a || a->type != IMAP_ATOM || !str_to_u32(a->text, &p->uid_validity) || !p->uid_validity) {
        imap_expected(c, a, "a UIDVALIDITY");
        return false;
    }
    if (!imap_argument_modseq(c, a->next, &p->modseq))
        return false;
    a = a->next->next;
    if (a && a->type != IMAP_LIST) {
        if (!take_plain_set(c, a, &p->uids))
            return false;
        p->has_uids = true;
        a = a->next;
    }
    if (a && a->type == IMAP_LIST) {
        if (c->session->enabled & ENABLED_UIDONLY) {
            imap_bad(c, "[UIDREQUIRED] There are no sequence numbers after ENABLE UIDONLY");
            return false;
        }
        if (!take_sample(c, a, p))
            return false;
        a = a->next;
    }
    if (a)
        imap_expected(c, a, "the end of the list");
    p->qresync = true;
    return !a;
}

bool imap_take_select_parameters(struct imap_command *c, struct select_parameters *p)
{
    *p = (struct select_parameters){0};
    if (!c->next)
        return true;
    struct imap_argument *list = imap_take(c, "a list of parameters");
    if (list->type != IMAP_LIST || !list->children) {
        imap_expected(c, list, "a list of parameters");
        return false;
    }
    for (const struct imap_argument *a = list->children; a; a = a->next) {
        if (imap_argument_is(a, "CONDSTORE")) {
            p->condstore = true;
        } else if (imap_argument_is(a, "QRESYNC") && !p->qresync) {
            a = a->next;
            if (!take_qresync(c, a, p))
                return false;
        } else {
            imap_expected(c, a, "CONDSTORE or QRESYNC");
            return false;
        }
    }
    return true;
}

/* --- what has changed --- */

/* The UID of the last message of the sample that is where it was; 0: none is. */
static uint32_t find_common(const struct imap_selected *v, const struct select_parameters *p)
{
    uint32_t common = 0;
    size_t j = 0, used = 0; /* of the UIDs: range, and how many of it */
    for (size_t i = 0; i < p->numbers.count; i++) {
        const struct number_range *r = &p->numbers.ranges[i];
        for (uint64_t n = r->first; n <= r->last; n++) {
            if (n > v->count)
                return common;
            const struct number_range *u = &p->number_uids.ranges[j];
            uint32_t uid = u->first + (uint32_t)used++;
            if (uid == u->last) {
                j++;
                used = 0;
            }
            if (v->uids[n - 1] == uid)
                common = uid;
        }
    }
    return common;
}

/* The known UIDs above `common`. */
static struct number_set cut(struct arena *a, const struct number_set *set, uint32_t common)
{
    struct number_set above = {.ranges = arena_array(a, set->count, sizeof *above.ranges)};
    for (size_t i = 0; i < set->count; i++)
        if (set->ranges[i].last > common) {
            struct number_range *r = &above.ranges[above.count++];
            *r = set->ranges[i];
            r->first = r->first > common ? r->first : common + 1;
        }
    return above;
}

/* What changes while this is written is told at the next synchronisation. */
static bool is_missed(const struct imap_selected *v, const struct select_parameters *p,
                      const struct message *m)
{
    return m->modseq > p->modseq && m->modseq <= v->modseq && number_set_contains(&p->uids, m->uid);
}

static void write_changed(struct imap_command *c, const struct select_parameters *p,
                          struct buf *out)
{
    const struct imap_selected *v = c->session->selected;
    for (size_t i = 0; i < v->count && v->modseq > p->modseq && imap_breathe(c);) {
        size_t total, end = i + SLICE_MAX < v->count ? i + SLICE_MAX : v->count;
        const struct message *messages = mailbox_messages(v->mailbox, &total);
        for (size_t at = mailbox_index_from_uid(v->mailbox, v->uids[i]); i < end; i++) {
            while (at < total && messages[at].uid < v->uids[i])
                at++;
            if (at < total && messages[at].uid == v->uids[i] && is_missed(v, p, &messages[at]))
                imap_write_flags_response(out, v, i, &messages[at], true, true);
        }
        imap_write(c->session, buf_str(out));
        buf_clear(out);
    }
}

void imap_select_resynchronise(struct imap_command *c, struct select_parameters *p)
{
    struct imap_selected *v = c->session->selected;
    struct buf out = BUF_EMPTY;
    if (!p->qresync || p->uid_validity != mailbox_uid_validity(v->mailbox))
        return;
    if (!p->has_uids) {
        p->uids = (struct number_set){ARENA_NEW(c->arena, struct number_range), 1};
        p->uids.ranges[0] = (struct number_range){1, UINT32_MAX};
    }
    number_set_resolve(&p->uids, 0);
    struct number_set missed = cut(c->arena, &p->uids, find_common(v, p));
    vanished_write_earlier(&out, v, c->arena, &missed, p->modseq);
    write_changed(c, p, &out);
    imap_write(c->session, buf_str(&out));
    buf_free(&out);
}
