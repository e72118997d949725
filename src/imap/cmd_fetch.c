/*
 * FETCH (RFC 3501 6.4.5, 7.4.2).
 *
 * The whole command first sets \Seen where a section without PEEK asks for it, in one change of the
 * mailbox; then it goes through the messages, reads of each what the items need before it says
 * anything, and writes the response. Envelopes, structures, the usual header fields and the places
 * of parts come from the messages' summaries (store/summary.h). Responses are collected and written
 * in portions, a long one already between its items: the items times the message may be a thousand
 * times its size. A message that another session has expunged is passed over; with sequence numbers
 * the answer is then OK [EXPUNGEISSUED] (RFC 5530), since the client believes it to be there.
 */
#include "imap/fetch.h"

#include "core/log.h"
#include "imap/access.h"
#include "imap/limits.h"
#include "imap/notify.h"
#include "mime/date.h"
#include "mime/header.h"

/* --- \Seen --- */

/* UIDs of the set without \Seen; ascending. */
static uint32_t *find_unseen(struct fetch *f, size_t *count)
{
    size_t total;
    uint32_t *uids = imap_selected_uids(f->view, f->c->arena, &f->indexes, &total);
    *count = 0;
    for (size_t i = 0; i < total; i++)
        if (!(mailbox_find_uid(f->view->mailbox, uids[i])->flags & MESSAGE_SEEN))
            uids[(*count)++] = uids[i];
    return uids;
}

/* A failure does not keep the message from being read. */
static void set_seen(struct fetch *f)
{
    struct imap_session *s = f->c->session;
    struct err e;
    size_t count;
    if (!f->request.sets_seen || f->view->read_only || !(imap_rights_selected(s) & RIGHT_SEEN))
        return;
    uint32_t *uids = find_unseen(f, &count);
    if (!count)
        return;
    struct flags_request seen = {
        .uids = uids, .count = count, .change = FLAGS_ADD, .flags = MESSAGE_SEEN};
    if (!mailbox_change_flags(f->view->mailbox, &seen, &e)) {
        log_warning("imap", s->net.id, "flag not set user=<%s> flag=\\Seen reason=\"%s\"",
                    s->user->login, e.text);
        return;
    }
    action_log_flags(imap_session_actor(s), f->view->mailbox, &seen);
    struct number_range *ranges = arena_array(f->c->arena, count, sizeof *ranges);
    for (size_t i = 0; i < count; i++)
        ranges[i] = (struct number_range){uids[i], uids[i]};
    f->seen = (struct number_set){ranges, count};
    f->c->known.list = arena_array(f->c->arena, count, sizeof *f->c->known.list);
}

/* --- one message --- */

static bool load(struct fetch *f, uint32_t uid, struct err *e)
{
    const struct fetch_request *r = &f->request;
    struct imap_body *b = &f->body;
    if (!fetch_read_summary(f, uid, e))
        return false;
    if (!r->needs_header && !r->needs_structure && !r->needs_section && !r->needs_file)
        return true;
    if (!imap_body_open(b, uid, e))
        return false;
    if ((r->needs_structure || r->needs_section) && imap_body_is_small(b) && !imap_body_read(b, e))
        return false;
    if (r->needs_header && !imap_body_header(b, NULL, e))
        return false;
    return !r->needs_structure || imap_body_parse(b, e);
}

static void write_flags(struct fetch *f, const struct message *m)
{
    buf_add_c(&f->out, "FLAGS (");
    imap_write_flags(&f->out, f->view->mailbox, m->flags, m->keywords,
                     imap_selected_is_recent(f->view, m->uid));
    buf_add_char(&f->out, ')');
}

static void write_modseq(struct fetch *f, const struct message *m)
{
    buf_add_char(&f->out, '(');
    buf_add_number(&f->out, m->modseq);
    buf_add_char(&f->out, ')');
}

static bool write_item(struct fetch *f, const struct fetch_item *item, const struct message *m,
                       struct err *e)
{
    if (item->kind == FETCH_FLAGS) {
        write_flags(f, m);
        return true;
    }
    if (item->kind == FETCH_MODSEQ || item->kind >= FETCH_EMAILID) {
        fetch_write_value(f, item, m);
        return true;
    }
    buf_add_str(&f->out, item->name);
    if (item->kind != FETCH_SECTION && item->kind != FETCH_BINARY &&
        item->kind != FETCH_BINARY_SIZE)
        buf_add_char(&f->out, ' ');
    switch (item->kind) {
    case FETCH_UID:
        buf_add_number(&f->out, m->uid);
        break;
    case FETCH_INTERNALDATE:
        buf_add_char(&f->out, '"');
        date_write_imap(&f->out, m->internal_date);
        buf_add_char(&f->out, '"');
        break;
    case FETCH_SIZE:
        buf_add_number(&f->out, m->size_crlf);
        break;
    case FETCH_ENVELOPE:
        buf_add_str(&f->out, f->summary.envelope);
        break;
    case FETCH_BODYSTRUCTURE:
        buf_add_str(&f->out, f->summary.structure);
        break;
    case FETCH_BODY:
        imap_body_write_structure(&f->body, &f->out, false);
        break;
    case FETCH_SECTION:
        return fetch_write_section(f->c, &f->body, item, &f->summary, &f->out, e);
    case FETCH_BINARY:
        return fetch_write_binary(f, item, e);
    case FETCH_BINARY_SIZE:
        return fetch_write_binary_size(f, item, e);
    default:
        break;
    }
    return true;
}

/* Sends what has been collected if it is much, and lets others run. */
static bool make_room(struct fetch *f, struct err *e)
{
    struct imap_session *s = f->c->session;
    if (f->out.n > IMAP_CHUNK) {
        s->in_literal = true;
        imap_write(s, buf_str(&f->out));
        buf_clear(&f->out);
    }
    return imap_breathe(f->c) || err_set(e, ERR_CLOSED, "the session is over");
}

/* Behind the items: what is told without being asked for. */
static void write_unasked(struct fetch *f, const struct message *m, bool uid_asked)
{
    const struct imap_session *s = f->c->session;
    bool seen_now = number_set_contains(&f->seen, m->uid);
    if (!uid_asked && (seen_now ? imap_tells_uid(s, f->c->uid) : fetch_adds_uid(f))) {
        buf_add_c(&f->out, " UID ");
        buf_add_number(&f->out, m->uid);
    }
    if (!seen_now)
        return;
    if (!f->request.flags) {
        buf_add_char(&f->out, ' ');
        write_flags(f, m);
    }
    if (s->enabled & ENABLED_CONDSTORE && !f->request.modseq) {
        buf_add_c(&f->out, " MODSEQ ");
        write_modseq(f, m);
    }
    f->c->known.list[f->c->known.count++] =
        (struct imap_known_flags){m->uid, m->flags, m->keywords, m->modseq};
}

/* m is a copy: the mailbox may change while the items are written. */
static bool write_message(struct fetch *f, size_t index, const struct message *m, struct err *e)
{
    struct imap_session *s = f->c->session;
    const char *separator = "";
    bool uid_asked = false;
    imap_write_fetch(&f->out, f->view, index);
    for (const struct fetch_item *item = f->request.items; item; item = item->next) {
        uid_asked = uid_asked || item->kind == FETCH_UID;
        buf_add_c(&f->out, separator);
        separator = " ";
        if (!write_item(f, item, m, e) || !make_room(f, e))
            return false;
    }
    write_unasked(f, m, uid_asked);
    buf_add_c(&f->out, ")\r\n");
    s->in_literal = false;
    return true;
}

static void fetch_message(struct fetch *f, size_t index)
{
    struct imap_session *s = f->c->session;
    uint32_t uid = f->view->uids[index];
    struct err e;
    bool loaded = load(f, uid, &e);
    const struct message *found = loaded ? mailbox_find_uid(f->view->mailbox, uid) : NULL;
    if (!found) {
        f->gone = f->gone || loaded || e.kind == ERR_NOT_FOUND;
        if (!loaded && e.kind != ERR_NOT_FOUND)
            f->failed = e;
        return;
    }
    if (!fetch_can_decode(f)) {
        f->undecodable = true;
        return;
    }
    struct message m = *found;
    fetch_fill_dates(f, &m);
    size_t start = f->out.n;
    uint64_t sent = s->bytes_out;
    if (write_message(f, index, &m, &e)) {
        s->user->fetched++;
        return;
    }
    if (s->net.ended)
        return;
    f->failed = e;
    if (s->bytes_out == sent) {
        f->out.n = start; /* nothing of it has been said */
    } else {
        log_error("imap", s->net.id, "reading failed user=<%s> uid=%u reason=\"%s\"",
                  s->user->login, uid, e.text);
        session_abort(&s->net, "message could not be read");
    }
}

/* --- the command --- */

static void fetch_all(struct fetch *f)
{
    struct imap_session *s = f->c->session;
    size_t total = number_set_size(&f->indexes), done = 0;
    for (size_t i = 0; i < f->indexes.count; i++)
        for (size_t at = f->indexes.ranges[i].first; at <= f->indexes.ranges[i].last; at++) {
            if (!imap_progress(f->c, done++, total))
                return;
            fetch_message(f, at);
            if (f->out.n > IMAP_CHUNK / 2) {
                imap_write(s, buf_str(&f->out));
                buf_clear(&f->out);
            }
        }
    imap_write(s, buf_str(&f->out));
}

static void conclude(struct fetch *f)
{
    if (f->failed.kind)
        imap_fail(f->c, &f->failed, false);
    else if (f->undecodable)
        imap_no(f->c, "[UNKNOWN-CTE] A part has an encoding that is not known here");
    else if (f->gone && !f->c->uid)
        imap_ok(f->c, "[EXPUNGEISSUED] Some of the messages do not exist any more");
    else
        imap_ok(f->c, "Fetch completed");
}

static void run(struct fetch *f)
{
    imap_body_init(&f->body, f->c->session->context, f->view->mailbox, &f->view->structure);
    fetch_open_summaries(f);
    if (fetch_is_plain(&f->request))
        fetch_plain(f);
    else
        fetch_all(f);
    summary_reader_free(f->reader);
    imap_body_free(&f->body);
    buf_free(&f->out);
}

void imap_cmd_fetch(struct imap_command *c)
{
    struct fetch f = {.c = c, .view = c->session->selected};
    struct number_set set;
    const struct imap_argument *named = c->next;
    if (!imap_take_set(c, &set) || !fetch_take_items(c, &f.request) ||
        !fetch_take_modifiers(c, &f.request) || !imap_take_end(c))
        return;
    if (!imap_selected_resolve(f.view, c->arena, &set, c->uid, &f.indexes)) {
        imap_bad(c, "There is no such message: %zu exist", f.view->count);
        return;
    }
    if (f.request.modseq)
        imap_enable(c->session, ENABLED_CONDSTORE);
    imap_limit_positions(c, &f.indexes);
    fetch_modify(&f, named->text);
    set_seen(&f);
    run(&f);
    conclude(&f);
}

struct imap_argument *imap_fetch_keep(struct imap_command *c, const struct imap_argument *items,
                                      struct arena *a)
{
    struct imap_argument one = *items, *rest = c->next;
    struct fetch_request request;
    one.next = NULL;
    c->next = &one;
    bool ok = fetch_take_items(c, &request);
    c->next = rest;
    return ok ? imap_argument_copy(a, &one) : NULL;
}

/* Messages of which something cannot be read are left out. */
void imap_fetch_unasked(struct imap_session *s, struct imap_argument *items, struct str uids)
{
    struct arena *a = arena_new();
    struct imap_command *c = ARENA_NEW(a, struct imap_command);
    struct fetch f = {.c = c, .view = s->selected};
    struct number_set set;
    c->session = s;
    c->arena = a;
    c->next = items;
    if (fetch_take_items(c, &f.request) && number_set_parse(a, uids, &set) &&
        imap_selected_resolve(f.view, a, &set, true, &f.indexes))
        run(&f);
    arena_free(a);
}
