/*
 * FETCH without the messages' files: UIDs, flags, sizes and dates, which are in memory, and
 * envelopes, structures and the usual header fields, which are in the summaries of the mailbox
 * (store/summary.h). Clients ask for these of a hundred messages or a hundred thousand each time
 * they open a mailbox.
 *
 * View and mailbox are both in the order of UIDs, so one walk goes along both. Of what is in memory
 * messages are written in slices during which nothing else runs. A summary may have to be read
 * first; then the place in the mailbox is the first guess, and is looked up again if it moved.
 */
#include "imap/fetch.h"
#include "imap/limits.h"

#include "mime/date.h"

/* Messages between two looks at the clock; one takes less than a microsecond. */
#define SLICE_MAX         500
#define SLICE_SUMMARY_MAX 32

/* --- what is plain --- */

bool fetch_is_plain(const struct fetch_request *r)
{
    return !r->needs_header && !r->needs_structure && !r->needs_section && !r->needs_file &&
           !r->sets_seen;
}

/* --- one message --- */

static void write_text(struct buf *out, struct str name, struct str text)
{
    buf_add_str(out, name);
    buf_add_char(out, ' ');
    buf_add_str(out, text);
}

static void write_item(struct fetch *f, const struct fetch_item *item, const struct message *m)
{
    struct buf *out = &f->out;
    struct err e;
    switch (item->kind) {
    case FETCH_UID:
        buf_add(out, "UID ", 4);
        buf_add_number(out, m->uid);
        break;
    case FETCH_SIZE:
        buf_add(out, "RFC822.SIZE ", 12);
        buf_add_number(out, m->size_crlf);
        break;
    case FETCH_INTERNALDATE:
        buf_add(out, "INTERNALDATE \"", 14);
        date_write_imap(out, m->internal_date);
        buf_add_char(out, '"');
        break;
    case FETCH_MODSEQ:
    case FETCH_EMAILID:
    case FETCH_THREADID:
    case FETCH_SAVEDATE:
    case FETCH_PREVIEW:
        fetch_write_value(f, item, m);
        break;
    case FETCH_ENVELOPE:
        write_text(out, item->name, f->summary.envelope);
        break;
    case FETCH_BODYSTRUCTURE:
        write_text(out, item->name, f->summary.structure);
        break;
    case FETCH_SECTION:
        buf_add_str(out, item->name);
        fetch_write_section(f->c, &f->body, item, &f->summary, out, &e); /* of the summary */
        break;
    default:
        buf_add(out, "FLAGS (", 7);
        imap_write_flags(out, f->view->mailbox, m->flags, m->keywords,
                         imap_selected_is_recent(f->view, m->uid));
        buf_add_char(out, ')');
    }
}

static void write_message(struct fetch *f, size_t index, const struct message *m)
{
    struct buf *out = &f->out;
    bool uid_wanted = fetch_adds_uid(f);
    imap_write_fetch(out, f->view, index);
    for (const struct fetch_item *item = f->request.items; item; item = item->next) {
        if (item != f->request.items)
            buf_add_char(out, ' ');
        write_item(f, item, m);
        uid_wanted = uid_wanted && item->kind != FETCH_UID;
    }
    if (uid_wanted) {
        buf_add(out, " UID ", 5);
        buf_add_number(out, m->uid);
    }
    buf_add(out, ")\r\n", 3);
    f->c->session->user->fetched++;
}

/* With the date asked for, if it is not known, and the summary. */
static void fetch_one(struct fetch *f, size_t index, size_t *position)
{
    struct err e;
    uint32_t uid = f->view->uids[index];
    const struct message *found = imap_selected_message(f->view, uid, position);
    f->gone = f->gone || !found;
    if (!found)
        return;
    struct message m = *found;
    fetch_fill_dates(f, &m);
    if (!fetch_read_summary(f, uid, &e)) {
        f->gone = f->gone || e.kind == ERR_NOT_FOUND;
        if (e.kind != ERR_NOT_FOUND)
            f->failed = e;
        return;
    }
    --*position;
    found = imap_selected_message(f->view, uid, position);
    f->gone = f->gone || !found;
    if (!found)
        return;
    int64_t date = m.internal_date, save_date = m.save_date;
    m = *found;
    m.internal_date = date;
    m.save_date = save_date;
    write_message(f, index, &m);
}

/* --- all --- */

/* Writes messages from index `at` on; returns the first that is left. Ends early at one whose date
 * is not known. */
static size_t write_slice(struct fetch *f, size_t at, size_t end)
{
    size_t total;
    const struct message *messages = mailbox_messages(f->view->mailbox, &total);
    size_t position = mailbox_index_from_uid(f->view->mailbox, f->view->uids[at]);
    for (; at < end && f->out.n < IMAP_CHUNK / 2; at++) {
        uint32_t uid = f->view->uids[at];
        while (position < total && messages[position].uid < uid)
            position++;
        if (position == total || messages[position].uid != uid) {
            f->gone = true;
            continue;
        }
        if (!fetch_has_dates(f, &messages[position]))
            break;
        write_message(f, at, &messages[position]);
    }
    return at;
}

static size_t write_with_summaries(struct fetch *f, size_t at, size_t end)
{
    size_t position = mailbox_index_from_uid(f->view->mailbox, f->view->uids[at]);
    for (; at < end && f->out.n < IMAP_CHUNK / 2; at++)
        fetch_one(f, at, &position);
    return at;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* done: of all ranges, before this one. */
static void write_range(struct fetch *f, size_t first, size_t end, size_t done, size_t total)
{
    size_t at = first, position = 0;
    while (at < end && imap_progress(f->c, done + at - first, total)) {
        size_t before = at;
        at = f->reader ? write_with_summaries(f, at, min(end, at + SLICE_SUMMARY_MAX))
                       : write_slice(f, at, min(end, at + SLICE_MAX));
        if (at == before)
            fetch_one(f, at++, &position);
        if (f->out.n >= IMAP_CHUNK / 2) {
            imap_write(f->c->session, buf_str(&f->out));
            buf_clear(&f->out);
        }
    }
}

void fetch_plain(struct fetch *f)
{
    size_t total = number_set_size(&f->indexes), done = 0;
    for (size_t i = 0; i < f->indexes.count; i++) {
        const struct number_range *r = &f->indexes.ranges[i];
        write_range(f, r->first, (size_t)r->last + 1, done, total);
        done += (size_t)(r->last - r->first) + 1;
    }
    imap_write(f->c->session, buf_str(&f->out));
}
