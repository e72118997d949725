/*
 * Flags and keywords: names on the wire, sets in the store (RFC 3501 section 2.3.2).
 */
#include "imap/command.h"
#include "imap/limits.h"
#include "store/acl.h"

static const struct {
    struct str name;
    uint8_t flag;
} system_flags[] = {
    {{"\\Answered", 9}, MESSAGE_ANSWERED}, {{"\\Flagged", 8}, MESSAGE_FLAGGED},
    {{"\\Deleted", 8}, MESSAGE_DELETED},   {{"\\Seen", 5}, MESSAGE_SEEN},
    {{"\\Draft", 6}, MESSAGE_DRAFT},
};
#define SYSTEM_FLAGS (sizeof system_flags / sizeof *system_flags)

/* All combinations, written by the compiler: each with a space in front of every name, in the order
 * of system_flags and then \Recent. */
#define TEXT(s)                                                                                    \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }
#define RECENT(s)   TEXT(s), TEXT(s " \\Recent")
#define DRAFT(s)    RECENT(s), RECENT(s " \\Draft")
#define SEEN(s)     DRAFT(s), DRAFT(s " \\Seen")
#define DELETED(s)  SEEN(s), SEEN(s " \\Deleted")
#define FLAGGED(s)  DELETED(s), DELETED(s " \\Flagged")
#define ANSWERED(s) FLAGGED(s), FLAGGED(s " \\Answered")
static const struct str flag_texts[] = {ANSWERED("")};

static struct str flag_text(uint8_t flags, bool recent)
{
    size_t at = 0;
    for (size_t i = 0; i < SYSTEM_FLAGS; i++)
        at = 2 * at + ((flags & system_flags[i].flag) != 0);
    return flag_texts[2 * at + recent];
}

void imap_write_flags(struct buf *out, const struct mailbox *m, uint8_t flags, uint32_t keywords,
                      bool recent)
{
    struct str text = flag_text(flags, recent);
    buf_add_str(out, str_skip(text, 1));
    if (!keywords)
        return;
    if (text.n > 0)
        buf_add_char(out, ' ');
    buf_add_str(out, mailbox_set_text(m, keywords));
}

void imap_write_fetch(struct buf *out, const struct imap_selected *v, size_t index)
{
    bool by_uid = v->session->enabled & ENABLED_UIDONLY;
    buf_add(out, "* ", 2);
    buf_add_number(out, by_uid ? v->uids[index] : index + 1);
    buf_add_c(out, by_uid ? " UIDFETCH (" : " FETCH (");
}

bool imap_tells_uid(const struct imap_session *s, bool uid)
{
    return (uid || s->enabled & (ENABLED_CONDSTORE | ENABLED_REV2) || s->notify) &&
           !(s->enabled & ENABLED_UIDONLY);
}

void imap_write_flags_response(struct buf *out, const struct imap_selected *v, size_t index,
                               const struct message *m, bool uid, bool flags)
{
    bool modseq = v->session->enabled & ENABLED_CONDSTORE;
    imap_write_fetch(out, v, index);
    if (imap_tells_uid(v->session, uid)) {
        buf_add(out, "UID ", 4);
        buf_add_number(out, m->uid);
        buf_add_char(out, ' ');
    }
    if (modseq) {
        buf_add(out, "MODSEQ (", 8);
        buf_add_number(out, m->modseq);
        buf_add_c(out, flags ? ") " : ")");
    }
    if (flags) {
        buf_add(out, "FLAGS (", 7);
        imap_write_flags(out, v->mailbox, m->flags, m->keywords,
                         imap_selected_is_recent(v, m->uid));
        buf_add_char(out, ')');
    }
    buf_add(out, ")\r\n", 3);
}

uint8_t imap_flags_by_rights(unsigned rights)
{
    return (uint8_t)((rights & RIGHT_SEEN ? MESSAGE_SEEN : 0) |
                     (rights & RIGHT_DELETE ? MESSAGE_DELETED : 0) |
                     (rights & RIGHT_WRITE ? MESSAGE_FLAGS_ALL & ~(MESSAGE_SEEN | MESSAGE_DELETED)
                                           : 0));
}

/* Those that one with these rights can change. */
static void write_all_flags(struct buf *out, const struct mailbox *m, unsigned rights)
{
    size_t count, start = out->n;
    const struct str *names = mailbox_keywords(m, &count);
    buf_add_str(out, str_skip(flag_text(imap_flags_by_rights(rights), false), 1));
    for (size_t i = 0; rights & RIGHT_WRITE && i < count; i++) {
        if (names[i].n == 0)
            continue;
        if (out->n > start)
            buf_add_char(out, ' ');
        buf_add_str(out, names[i]);
    }
}

static void write_changeable(struct buf *out, const struct imap_selected *v)
{
    write_all_flags(out, v->mailbox, v->rights);
    if (v->rights & RIGHT_WRITE && mailbox_takes_keywords(v->mailbox))
        buf_add_c(out, " \\*");
}

void imap_write_mailbox_flags(struct buf *out, struct imap_selected *v)
{
    v->keyword_changes = mailbox_keyword_changes(v->mailbox);
    buf_add_c(out, "* FLAGS (");
    write_all_flags(out, v->mailbox, RIGHTS_ALL);
    buf_add_c(out, ")\r\n* OK [PERMANENTFLAGS (");
    if (v->read_only) {
        buf_add_c(out, ")] Read-only mailbox\r\n");
        return;
    }
    write_changeable(out, v);
    buf_add_c(out, ")] Flags permitted\r\n");
}

bool imap_flag_find(struct str name, uint8_t *flag)
{
    for (size_t i = 0; i < SYSTEM_FLAGS; i++)
        if (str_equal_nocase(name, system_flags[i].name)) {
            *flag = system_flags[i].flag;
            return true;
        }
    return false;
}

static bool take_flag(struct imap_command *c, const struct imap_argument *a, struct imap_flags *f)
{
    uint8_t flag;
    if (a->type != IMAP_ATOM || a->has_section) {
        imap_expected(c, a, "a flag");
    } else if (a->text.p[0] == '\\') {
        if (imap_flag_find(a->text, &flag)) {
            f->flags |= flag;
            return true;
        }
        imap_expected(c, a, "\\Answered, \\Flagged, \\Deleted, \\Seen, \\Draft or a keyword");
    } else if (!imap_is_atom(a->text)) {
        imap_expected(c, a, "a flag");
    } else if (a->text.n > IMAP_KEYWORD_MAX) {
        imap_no(c, "[LIMIT] Keywords may have %d bytes", IMAP_KEYWORD_MAX);
    } else {
        f->keywords[f->keyword_count++] = a->text;
        return true;
    }
    return false;
}

bool imap_take_flags(struct imap_command *c, const struct imap_argument *first,
                     struct imap_flags *flags)
{
    size_t count = 0;
    for (const struct imap_argument *a = first; a; a = a->next)
        count++;
    *flags = (struct imap_flags){.keywords = arena_array(c->arena, count + 1, sizeof(struct str))};
    for (const struct imap_argument *a = first; a; a = a->next)
        if (!take_flag(c, a, flags))
            return false;
    return true;
}
