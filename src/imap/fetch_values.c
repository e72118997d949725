/*
 * Items of FETCH that are a short value of the message: MODSEQ (RFC 7162), EMAILID and THREADID
 * (RFC 8474), SAVEDATE (RFC 8514), PREVIEW (RFC 8970).
 *
 * With PREVIEW (LAZY) nothing is read for a message that nobody has asked about before: its preview
 * is NIL then. When something else that is asked for needs the summary, the preview comes with it.
 */
#include "imap/fetch.h"
#include "imap/object_id.h"

#include "mime/date.h"

static void write_object_id(struct fetch *f, char kind, const uint8_t id[SUMMARY_HASH_SIZE])
{
    buf_add_char(&f->out, '(');
    object_id_write(&f->out, kind, id);
    buf_add_char(&f->out, ')');
}

void fetch_write_value(struct fetch *f, const struct fetch_item *item, const struct message *m)
{
    struct buf *out = &f->out;
    buf_add_str(out, item->name);
    buf_add_char(out, ' ');
    switch (item->kind) {
    case FETCH_MODSEQ:
        buf_add_char(out, '(');
        buf_add_number(out, m->modseq);
        buf_add_char(out, ')');
        break;
    case FETCH_EMAILID:
        write_object_id(f, 'M', f->summary.hash);
        break;
    case FETCH_THREADID:
        write_object_id(f, 'T', f->summary.thread);
        break;
    case FETCH_SAVEDATE:
        buf_add_char(out, '"');
        date_write_imap(out, m->save_date);
        buf_add_char(out, '"');
        break;
    default:
        if (f->has_summary)
            imap_write_string(out, f->summary.preview);
        else
            buf_add_c(out, "NIL");
    }
}

void fetch_fill_dates(struct fetch *f, struct message *m)
{
    const struct fetch_request *r = &f->request;
    if (r->date && m->internal_date == INT64_MIN)
        m->internal_date = message_internal_date(f->view->mailbox, m->uid);
    if (r->save_date && m->save_date == INT64_MIN)
        m->save_date = message_save_date(f->view->mailbox, m->uid);
}

/* --- summaries --- */

/* Can the message do without its summary, because it is wanted only if that costs nothing? */
static bool is_spared(const struct fetch *f, uint32_t uid)
{
    if (f->request.eager)
        return false;
    const struct message *m = mailbox_find_uid(f->view->mailbox, uid);
    return m && !m->cached;
}

void fetch_open_summaries(struct fetch *f)
{
    size_t count, kept = 0;
    if (!f->request.summary)
        return;
    uint32_t *uids = imap_selected_uids(f->view, f->c->arena, &f->indexes, &count);
    for (size_t i = 0; i < count; i++)
        if (!is_spared(f, uids[i]))
            uids[kept++] = uids[i];
    f->reader = summary_reader_new(f->view->mailbox, f->request.summary);
    summary_reader_expect(f->reader, uids, kept);
}

bool fetch_read_summary(struct fetch *f, uint32_t uid, struct err *e)
{
    f->has_summary = f->reader && !is_spared(f, uid);
    return !f->has_summary || summary_read(f->reader, uid, &f->summary, e);
}
