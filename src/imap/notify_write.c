/*
 * News as responses (RFC 5465 section 5): STATUS of a mailbox whose messages changed, LIST of one
 * that came, went or is subscribed, METADATA with the names of annotations. What has changed once
 * more meanwhile is told as it is now.
 */
#include "imap/access.h"
#include "imap/list.h"
#include "imap/metadata.h"
#include "imap/notify.h"
#include "imap/place.h"
#include "imap/selected.h"
#include "imap/status.h"

/* --- messages --- */

static unsigned items_for(const struct imap_session *s, unsigned events)
{
    unsigned items = 0;
    if (events & NOTIFY_NEW)
        items |= STATUS_MESSAGES | STATUS_UIDNEXT | STATUS_UIDVALIDITY;
    if (events & NOTIFY_EXPUNGE)
        items |= STATUS_MESSAGES | STATUS_UIDNEXT;
    if (events & NOTIFY_FLAGS)
        items |= STATUS_UIDVALIDITY | STATUS_UNSEEN;
    return s->enabled & ENABLED_CONDSTORE ? items | STATUS_HIGHESTMODSEQ : items;
}

/* One that does not exist any more has other news. */
static void write_status(struct imap_session *s, struct str name, unsigned items)
{
    const unsigned needed = RIGHT_READ | RIGHT_LOOKUP;
    struct err e;
    if ((imap_rights(s, name) & needed) == needed)
        imap_write_status(s, name, items, &e);
}

/* --- names --- */

static const struct mailbox_info *find_info(const struct mailbox_info *list, size_t count,
                                            struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(list[i].name, name))
            return &list[i];
    return NULL;
}

static void write_list(struct imap_session *s, const struct notify_news *news)
{
    struct arena *a = arena_new();
    struct mailbox_info *list, gone = {.name = str_from_c(news->name), .special_use = STR("")};
    const struct mailbox_info *info;
    struct buf out = BUF_EMPTY;
    struct err e;
    size_t count;
    info = imap_list_mailboxes(s, a, &list, &count, &e) ? find_info(list, count, gone.name) : &gone;
    if (info != &gone && (info || news->was_visible || !imap_is_public(s, gone.name))) {
        imap_write_list(&out, s, info ? info : &gone, true, true);
        if (news->old_name) {
            buf_add_c(&out, " (\"OLDNAME\" (");
            imap_write_mailbox(&out, str_from_c(news->old_name), imap_session_naming(s));
            buf_add_c(&out, "))");
        }
        buf_add_c(&out, "\r\n");
        imap_write(s, buf_str(&out));
    }
    buf_free(&out);
    arena_free(a);
}

/* --- annotations --- */

static void write_metadata(struct imap_session *s, const struct notify_news *news)
{
    struct str name = str_from_c(news->name);
    struct buf out = BUF_EMPTY;
    if (!imap_may_metadata(s, name) || !news->entries.n)
        return;
    buf_add_c(&out, "* METADATA ");
    imap_write_mailbox(&out, name, imap_session_naming(s));
    for (size_t at = 0; at < news->entries.n; at += strlen(news->entries.p + at) + 1) {
        buf_add_char(&out, ' ');
        imap_write_entry_name(&out, str_from_c(news->entries.p + at));
    }
    buf_add_c(&out, "\r\n");
    imap_write(s, buf_str(&out));
    buf_free(&out);
}

void notify_write_news(struct imap_session *s, const struct notify_news *news)
{
    switch (news->kind) {
    case NEWS_STATUS:
        write_status(s, str_from_c(news->name), items_for(s, news->events));
        break;
    case NEWS_LIST:
        write_list(s, news);
        break;
    case NEWS_METADATA:
        write_metadata(s, news);
        break;
    }
}

/* --- NOTIFY SET STATUS --- */

/* Who wants to hear of flags is told where they stand, CONDSTORE or not (RFC 5465 3.1). */
static unsigned items_at_first(const struct imap_session *s, unsigned events)
{
    unsigned items = items_for(s, events);
    return events & NOTIFY_FLAGS ? items | STATUS_HIGHESTMODSEQ : items;
}

void notify_write_all(struct imap_session *s)
{
    struct arena *a = arena_new();
    struct mailbox_info *list;
    size_t count;
    struct err e;
    if (!imap_list_mailboxes(s, a, &list, &count, &e))
        count = 0;
    for (size_t i = 0; i < count && !s->net.ended; i++) {
        unsigned wanted =
            list[i].exists ? notify_wanted(s->notify, list[i].name, NOTIFY_MESSAGES) : 0;
        bool selected =
            s->selected && str_equal(imap_name_of(s, s->selected->mailbox, a), list[i].name);
        if (wanted && !selected)
            write_status(s, list[i].name, items_at_first(s, wanted));
    }
    arena_free(a);
}
