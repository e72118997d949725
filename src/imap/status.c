/*
 * STATUS responses: a table of the items, and a counter of the mailbox for each. Nothing is counted
 * when a client asks, and no mailbox loaded that its index tells enough of, but for
 * DELETED-STORAGE.
 */
#include "imap/status.h"

#include "imap/object_id.h"
#include "imap/place.h"

static const struct {
    const char *name;
    unsigned item;
} items_by_name[] = {
    {"MESSAGES", STATUS_MESSAGES},
    {"RECENT", STATUS_RECENT},
    {"UIDNEXT", STATUS_UIDNEXT},
    {"UIDVALIDITY", STATUS_UIDVALIDITY},
    {"UNSEEN", STATUS_UNSEEN},
    {"SIZE", STATUS_SIZE},
    {"DELETED", STATUS_DELETED},
    {"DELETED-STORAGE", STATUS_DELETED_STORAGE},
    {"HIGHESTMODSEQ", STATUS_HIGHESTMODSEQ},
    {"MAILBOXID", STATUS_MAILBOXID},
    {"APPENDLIMIT", STATUS_APPENDLIMIT},
};
#define ITEMS (sizeof items_by_name / sizeof *items_by_name)

bool imap_take_status_items(struct imap_command *c, const struct imap_argument *list,
                            unsigned *items)
{
    *items = 0;
    if (!list || list->type != IMAP_LIST || !list->children) {
        imap_expected(c, list, "a list of status items");
        return false;
    }
    for (const struct imap_argument *a = list->children; a; a = a->next) {
        size_t i = 0;
        while (i < ITEMS && !imap_argument_is(a, items_by_name[i].name))
            i++;
        if (i == ITEMS) {
            imap_expected(c, a, "a status item: MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN ...");
            return false;
        }
        *items |= items_by_name[i].item;
    }
    if (*items & STATUS_HIGHESTMODSEQ)
        imap_enable(c->session, ENABLED_CONDSTORE);
    return true;
}

/* What an EXPUNGE would free, as the quota counts: the one thing that only the messages tell. */
static bool count_deleted(struct imap_session *s, struct str name, uint64_t *bytes, struct err *e)
{
    struct mailbox *m;
    size_t count;
    if (!imap_open_place(s, name, &m, e))
        return false;
    const struct message *messages = mailbox_messages(m, &count);
    for (size_t i = 0; i < count; i++)
        *bytes += messages[i].flags & MESSAGE_DELETED ? messages[i].size : 0;
    mailbox_unref(m);
    return true;
}

static uint64_t value_of(const struct imap_session *s, const struct mailbox_status *status,
                         uint64_t deleted_bytes, unsigned item)
{
    switch (item) {
    case STATUS_MESSAGES:
        return status->counts.messages;
    case STATUS_RECENT:
        return status->counts.recent;
    case STATUS_UIDNEXT:
        return status->uid_next;
    case STATUS_UIDVALIDITY:
        return status->uid_validity;
    case STATUS_UNSEEN:
        return status->counts.unseen;
    case STATUS_SIZE:
        return status->counts.size_crlf;
    case STATUS_DELETED:
        return status->counts.deleted;
    case STATUS_DELETED_STORAGE:
        return deleted_bytes;
    case STATUS_HIGHESTMODSEQ:
        return status->modseq;
    case STATUS_APPENDLIMIT:
        return (uint64_t)s->settings->append_size_max;
    }
    return 0;
}

bool imap_write_status(struct imap_session *s, struct str name, unsigned items, struct err *e)
{
    struct imap_place place = imap_place(s, name);
    struct mailbox_status status;
    uint64_t deleted = 0;
    if (!imap_place_check(&place, e) ||
        !mailbox_get_status(s->context->store, place.account, place.name, &status, e) ||
        (items & STATUS_DELETED_STORAGE && status.counts.deleted &&
         !count_deleted(s, name, &deleted, e)))
        return false;
    struct buf out = BUF_EMPTY;
    buf_add_c(&out, "* STATUS ");
    imap_write_mailbox(&out, name, imap_session_naming(s));
    buf_add_c(&out, " (");
    const char *separator = "";
    for (size_t i = 0; i < ITEMS; i++) {
        unsigned item = items_by_name[i].item;
        if (!(items & item))
            continue;
        buf_printf(&out, "%s%s ", separator, items_by_name[i].name);
        if (item == STATUS_MAILBOXID)
            object_id_write_mailbox(&out, str_from(status.id, sizeof status.id));
        else
            buf_add_number(&out, value_of(s, &status, deleted, item));
        separator = " ";
    }
    buf_add_c(&out, ")\r\n");
    imap_write(s, buf_str(&out));
    buf_free(&out);
    return true;
}
