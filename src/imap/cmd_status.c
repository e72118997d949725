/*
 * STATUS (RFC 3501 6.3.10) with SIZE (RFC 8438), DELETED and DELETED-STORAGE (RFC 9208 4.1.4).
 */
#include "imap/command.h"

enum status_item {
    MESSAGES,
    RECENT,
    UIDNEXT,
    UIDVALIDITY,
    UNSEEN,
    SIZE,
    DELETED,
    DELETED_STORAGE,
    ITEMS
};

static const char *const names[ITEMS] = {"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY",
                                         "UNSEEN",   "SIZE",   "DELETED", "DELETED-STORAGE"};

static bool take_items(struct imap_command *c, bool wanted[ITEMS])
{
    struct imap_argument *list = imap_take(c, "a list of status items");
    if (!list || list->type != IMAP_LIST || !list->children) {
        imap_expected(c, list, "a list of status items");
        return false;
    }
    for (struct imap_argument *a = list->children; a; a = a->next) {
        size_t i = 0;
        while (i < ITEMS && !imap_argument_is(a, names[i]))
            i++;
        if (i == ITEMS) {
            imap_expected(
                c, a,
                "MESSAGES, RECENT, UIDNEXT, UIDVALIDITY, UNSEEN, SIZE, DELETED or DELETED-STORAGE");
            return false;
        }
        wanted[i] = true;
    }
    return true;
}

/* What an EXPUNGE would free, as the quota counts. */
static uint64_t deleted_bytes(const struct mailbox *m)
{
    uint64_t bytes = 0;
    size_t count;
    const struct message *messages = mailbox_messages(m, &count);
    for (size_t i = 0; i < count; i++)
        bytes += messages[i].flags & MESSAGE_DELETED ? messages[i].size : 0;
    return bytes;
}

static void write_items(struct buf *out, const struct mailbox *m, const bool wanted[ITEMS])
{
    struct mailbox_counts counts;
    mailbox_get_counts(m, &counts);
    const uint64_t values[ITEMS] = {
        [MESSAGES] = counts.messages,
        [RECENT] = counts.recent,
        [UIDNEXT] = mailbox_uid_next(m),
        [UIDVALIDITY] = mailbox_uid_validity(m),
        [UNSEEN] = counts.unseen,
        [SIZE] = counts.size_crlf,
        [DELETED] = counts.deleted,
        [DELETED_STORAGE] = wanted[DELETED_STORAGE] && counts.deleted > 0 ? deleted_bytes(m) : 0,
    };
    const char *separator = "";
    for (size_t i = 0; i < ITEMS; i++)
        if (wanted[i]) {
            buf_printf(out, "%s%s %llu", separator, names[i], (unsigned long long)values[i]);
            separator = " ";
        }
}

void imap_cmd_status(struct imap_command *c)
{
    struct imap_session *s = c->session;
    struct str name;
    bool wanted[ITEMS] = {false};
    if (!imap_take_mailbox(c, &name) || !take_items(c, wanted) || !imap_take_end(c))
        return;
    struct mailbox *m;
    struct err e;
    if (!mailbox_open(s->context->store, &s->user->account, name, &m, &e)) {
        imap_fail(c, &e, false);
        return;
    }
    struct buf out = BUF_EMPTY;
    buf_add_c(&out, "* STATUS ");
    imap_write_mailbox(&out, name);
    buf_add_c(&out, " (");
    write_items(&out, m, wanted);
    buf_add_c(&out, ")\r\n");
    imap_write(s, buf_str(&out));
    buf_free(&out);
    mailbox_unref(m);
    imap_ok(c, "Status completed");
}
