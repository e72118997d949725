/*
 * FETCH of what is in memory: UIDs, flags, sizes and dates, of a hundred messages or a hundred
 * thousand. Clients ask for this of the whole mailbox each time they open it.
 *
 * View and mailbox are both in the order of UIDs, so one walk goes along both. Messages are written
 * in slices during which nothing else runs; between slices the others have their turn, and the
 * place in the mailbox is looked up again.
 */
#include "imap/fetch.h"
#include "imap/limits.h"

#include "mime/date.h"

/* Messages of a slice; writing one takes far less than a microsecond. */
#define SLICE_MAX 1000

bool fetch_is_plain(const struct fetch_request *r)
{
    for (const struct fetch_item *item = r->items; item; item = item->next)
        if (item->kind != FETCH_UID && item->kind != FETCH_FLAGS && item->kind != FETCH_SIZE &&
            item->kind != FETCH_INTERNALDATE)
            return false;
    return true;
}

static void write_item(struct fetch *f, const struct fetch_item *item, const struct message *m)
{
    struct buf *out = &f->out;
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
    bool uid_wanted = f->c->uid;
    buf_add(out, "* ", 2);
    buf_add_number(out, index + 1);
    buf_add(out, " FETCH (", 8);
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
}

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
        if (f->request.date && messages[position].internal_date == INT64_MIN)
            break;
        write_message(f, at, &messages[position]);
        f->c->session->user->fetched++;
    }
    return at;
}

/* The one whose date was not known: a file that cannot be looked at has none. */
static void write_dated(struct fetch *f, size_t at)
{
    uint32_t uid = f->view->uids[at];
    int64_t date = message_internal_date(f->view->mailbox, uid);
    const struct message *found = mailbox_find_uid(f->view->mailbox, uid);
    if (!found) {
        f->gone = true;
        return;
    }
    struct message m = *found;
    m.internal_date = date;
    write_message(f, at, &m);
    f->c->session->user->fetched++;
}

static void write_range(struct fetch *f, size_t first, size_t end)
{
    size_t at = first;
    while (at < end && imap_breathe(f->c)) {
        size_t next = write_slice(f, at, end - at < SLICE_MAX ? end : at + SLICE_MAX);
        if (f->out.n >= IMAP_CHUNK / 2) {
            imap_write(f->c->session, buf_str(&f->out));
            buf_clear(&f->out);
        } else if (next == at) {
            write_dated(f, next++);
        }
        at = next;
    }
}

void fetch_plain(struct fetch *f)
{
    for (size_t i = 0; i < f->indexes.count; i++)
        write_range(f, f->indexes.ranges[i].first, (size_t)f->indexes.ranges[i].last + 1);
    imap_write(f->c->session, buf_str(&f->out));
}
